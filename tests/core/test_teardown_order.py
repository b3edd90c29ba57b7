"""B36 in the machine alone: teardowns run in reverse dependency order, as soon as nobody downstream needs the task."""

from __future__ import annotations

from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.inputs import NewTask
from dagtop.core.policy import TaskPolicy
from dagtop.core.states import RunState, TaskState
from machine_driver import BROKEN, Driver

_ALL = {"a": [], "b": ["a"], "c": ["b"]}


def torn(driver: Driver) -> set[str]:
    return {driver.plan.names[index] for index in driver.tearing}


def test_B36_a_teardown_waits_for_everything_downstream_also_through_tasks_that_have_none() -> None:
    driver = Driver(_ALL, cleans_up=["a", "c"])
    driver.succeed("a", "b")
    assert torn(driver) == set()
    driver.succeed("c")
    assert torn(driver) == {"c"}, "a's comes after c's"
    driver.torn_down("c")
    assert torn(driver) == {"a"}
    assert driver.run_state is RunState.RUNNING
    driver.torn_down("a")
    assert driver.run_state is RunState.SUCCEEDED


def test_B36_it_runs_for_what_failed_or_was_cancelled_and_not_for_what_never_started() -> None:
    driver = Driver({"a": [], "b": ["a"], "other": []}, cleans_up=["a", "b", "other"])
    driver.fail("a")
    assert torn(driver) == {"a"}, "b was skipped and has nothing to tear down"
    driver.command(cmd.CancelRun())
    driver.stopped("other")
    assert torn(driver) == {"a", "other"}
    driver.torn_down("a")
    driver.torn_down("other", failure=BROKEN)
    assert driver.run_state is RunState.CANCELLED
    assert [(event.task, event.failure) for event in driver.of(ev.TaskTornDown)] == [("a", None), ("other", BROKEN)]


def test_B36_the_run_ends_when_services_are_closed() -> None:
    driver = Driver({"a": []}, cleans_up=["a"], winds_down=True)
    driver.succeed("a")
    assert not driver.winding_down
    driver.torn_down("a")
    assert driver.winding_down
    assert driver.run_state is RunState.RUNNING
    driver.wound_down()
    assert driver.run_state is RunState.SUCCEEDED


def test_B36_a_task_that_starts_over_while_it_is_torn_down_waits_for_that() -> None:
    driver = Driver({"a": []}, cleans_up=["a"])
    driver.succeed("a")
    driver.command(cmd.RestartTask("a"))
    assert driver.state("a") is TaskState.WAITING
    driver.torn_down("a")
    assert driver.running_names() == {"a"}
    driver.succeed("a")
    assert torn(driver) == {"a"}, "and is torn down again"


def test_B36_what_was_torn_down_is_set_up_again_for_a_task_that_needs_it() -> None:
    driver = Driver(_ALL, cleans_up=["a"])
    driver.succeed("a", "b", "c")
    driver.torn_down("a")
    answer = driver.command(cmd.RestartTask("c"))
    assert isinstance(answer, ev.CommandApplied)
    assert answer.effect == "c runs again, 2 tasks before it too, because of what was torn down"
    assert driver.running_names() == {"a"}
    driver.succeed("a", "b", "c")
    driver.torn_down("a")
    assert driver.run_state is RunState.SUCCEEDED


def test_B36_a_task_that_comes_later_keeps_what_it_depends_on_from_being_torn_down() -> None:
    driver = Driver({"a": [], "b": ["a"]}, cleans_up=["a"])
    driver.succeed("a")
    driver.change(added=[NewTask("late", ("a",), TaskPolicy(), cleans_up=True)])
    driver.succeed("b")
    assert torn(driver) == set()
    driver.succeed("late")
    assert torn(driver) == {"late"}
    driver.torn_down("late")
    assert torn(driver) == {"a"}


def test_B36_nothing_starts_over_while_services_are_closed_under_it() -> None:
    driver = Driver({"a": []}, winds_down=True)
    driver.succeed("a")
    assert driver.winding_down
    driver.command(cmd.RestartTask("a"))
    (refused,) = driver.of(ev.CommandRefused)
    assert refused.reason == "everything has ended, and services are being closed; wait until the run is over"
    driver.wound_down()
    assert driver.run_state is RunState.SUCCEEDED
    driver.command(cmd.RestartTask("a"))
    assert driver.state("a") is TaskState.RUNNING


def test_B36_what_nothing_depends_on_any_more_is_torn_down_though_it_ended_before() -> None:
    """When the graph had changed, it counted as closed, and its teardown never ran."""
    driver = Driver({"a": [], "b": ["a"], "c": ["b"]}, cleans_up=["a", "b"])
    driver.succeed("a", "b")
    driver.change("a new version", 1, rewired={"c": ()})
    assert torn(driver) == {"b"}, "a's comes after b's"
    driver.torn_down("b")
    assert torn(driver) == {"a"}
    driver.torn_down("a")
    driver.succeed("c")
    assert driver.run_state is RunState.SUCCEEDED
