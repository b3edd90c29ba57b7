"""What the fuzz of the machine found, each as the shortest story that shows it."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core.blast import radius
from dagtop.core.inputs import NewTask
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import Restart
from dagtop.core.states import RunState, TaskState
from machine_driver import BROKEN, Driver


def test_B36_a_task_that_comes_while_everything_is_closed_waits_until_it_has_been_set_up_again() -> None:
    """It started at once, on services that were being closed under it."""
    driver = Driver({"a": []}, sets_up=True)
    driver.set_up()
    driver.succeed("a")
    assert driver.winding_down
    driver.change(added=[NewTask("late", (), TaskPolicy())])
    driver.command(cmd.PauseRun())
    driver.command(cmd.ContinueRun())
    assert driver.state("late") is TaskState.READY
    driver.wound_down()
    assert driver.setting_up
    driver.set_up()
    assert driver.running_names() == {"late"}
    driver.succeed("late")
    driver.wound_down()
    assert driver.run_state is RunState.SUCCEEDED


def test_B36_a_setup_that_ends_while_everything_is_closed_opens_no_doors() -> None:
    driver = Driver({"a": []}, sets_up=True)
    driver.command(cmd.SkipTask("a"))
    assert driver.winding_down
    driver.change(added=[NewTask("late", (), TaskPolicy())])
    driver.set_up()
    assert not driver.running
    driver.wound_down()
    driver.set_up()
    assert driver.running_names() == {"late"}


def test_B36_a_setup_that_was_stopped_as_nothing_was_left_to_do_does_not_fail_the_run() -> None:
    driver = Driver({"a": []}, sets_up=True)
    driver.command(cmd.SkipTask("a"))
    driver.set_up(failure=BROKEN)
    driver.wound_down()
    assert driver.run_state is RunState.SUCCEEDED


def test_B24_a_restart_leaves_alone_what_waits_between_it_and_a_task_that_was_torn_down() -> None:
    """The waiting one was put back from WAITING to WAITING, which is no legal move, and brought the run down."""
    driver = Driver({"b": [], "a": [], "between": ["a", "b"], "last": ["between"]}, cleans_up=["a"])
    driver.succeed("b", "a", "between", "last")
    driver.torn_down("a")
    driver.command(cmd.RestartTask("b", downstream=True))
    driver.command(cmd.MarkSucceeded("last"))
    assert driver.state("between") is TaskState.WAITING
    answer = driver.command(cmd.RestartTask("last"))
    assert answer.type == "command.applied"
    driver.succeed("b")
    driver.succeed(*driver.running_names())
    driver.succeed("between", "last")
    driver.torn_down("a")
    assert driver.run_state is RunState.SUCCEEDED


def test_B22_the_graph_grows_on_after_a_version_of_it_without_teardowns() -> None:
    """Who is torn down was still kept for the graph as it was before, and the new task's number was outside of it."""
    driver = Driver({"a": []}, cleans_up=["a"])
    driver.change("a new version", 1, cleans_up=())
    driver.change(added=[NewTask("late", ("a",), TaskPolicy())])
    driver.succeed("a", "late")
    assert driver.run_state is RunState.SUCCEEDED


def test_B36_a_task_does_not_start_while_its_teardown_runs_though_the_new_graph_has_none() -> None:
    driver = Driver({"a": []}, cleans_up=["a"])
    driver.succeed("a")
    assert driver.tearing
    driver.change("a new version", 1, changed=("a",), cleans_up=())
    assert not driver.running
    driver.torn_down("a")
    assert driver.running_names() == {"a"}


def test_B36_what_comes_below_a_task_that_is_being_torn_down_keeps_its_upstream_up() -> None:
    """The end of the teardown closed the task, and what is above it was torn down while the new task ran."""
    driver = Driver({"a": [], "b": ["a"]}, cleans_up=["a", "b"])
    driver.succeed("a", "b")
    driver.change(added=[NewTask("late", ("b",), TaskPolicy())])
    driver.torn_down("b")
    assert not driver.tearing
    driver.succeed("late")
    driver.torn_down("a")
    assert driver.run_state is RunState.SUCCEEDED


def test_B24_what_is_after_a_task_that_a_restart_sets_up_again_is_stale_too() -> None:
    """A resumed run took it for out of date, though nobody had been told."""
    driver = Driver({"a": [], "b": ["a"], "other": ["a"]}, cleans_up=["a"])
    driver.succeed("a", "b", "other")
    driver.torn_down("a")
    command = cmd.RestartTask("b", downstream=True)
    assert radius(driver.machine.ledger, command).goes_stale == ("other",)
    driver.command(command)
    assert {driver.plan.names[i] for i in driver.machine.ledger.stale} == {"other"}


def test_B33_a_restart_does_not_bring_up_a_task_that_is_to_be_down_because_it_was_torn_down() -> None:
    """A task that a person had stopped ran again, as what it had set up was needed."""
    driver = Driver({"db": [], "api": ["db"], "other": []}, cleans_up=["db"])
    driver.succeed("db", "api")
    driver.torn_down("db")
    driver.command(cmd.StopTask("db"))
    for command in (cmd.RestartTask("api"), cmd.StartTask("api")):
        assert radius(driver.machine.ledger, command).refusal == (
            "its upstream db was torn down, and is not to run; start that first"
        )
    driver.command(cmd.SetPolicy("api", restart="always"))
    assert driver.running_names() == {"other"}
    driver.command(cmd.StartTask("db"))
    driver.succeed("db")
    driver.command(cmd.RestartTask("api"))
    driver.torn_down("db")
    driver.succeed("db")
    assert driver.running_names() == {"api", "other"}


def test_B24_what_failed_and_what_it_needs_that_was_removed_are_not_run_again() -> None:
    driver = Driver({"db": [], "api": ["db"]}, cleans_up=["db"])
    driver.succeed("db")
    driver.fail("api")
    driver.torn_down("db")
    driver.change("a new version", removed=("db",))
    assert radius(driver.machine.ledger, cmd.RetryFailed()).refusal == (
        "its upstream db was torn down, and is not to run; start that first"
    )
    assert driver.state("api") is TaskState.FAILED


def test_B42_a_task_that_is_asked_about_goes_by_the_rule_of_the_new_version() -> None:
    """Its condition was being asked when its trigger rule changed; the answer let it start on what had been skipped."""
    driver = Driver({"a": [], "b": ["a"]}, {"b": TaskPolicy(trigger="all_done")}, asks=["b"])
    driver.skip("a")
    driver.change("a new version", 1, policies={"b": TaskPolicy()})
    driver.answer("b")
    assert driver.state("b") is TaskState.SKIPPED


@pytest.mark.parametrize("has_ended", [True, False])
def test_B33_a_drained_run_that_goes_on_brings_up_no_service_that_a_person_stopped(has_ended: bool) -> None:
    """It had been let go of when all else had ended, then stopped by a person; going on had it start again."""
    kept = TaskPolicy(restart=Restart(policy="always"))
    driver = Driver({"api": [], "other": [], "job": []}, {"api": kept, "other": kept}, supervises=True)
    driver.command(cmd.DrainRun())
    driver.succeed("job")
    if has_ended:
        driver.stopped("api")
    driver.command(cmd.StopTask("api"))
    driver.command(cmd.ContinueRun())
    if not has_ended:
        driver.stopped("api")
    driver.advance(100)
    driver.stopped("other")
    driver.advance(100)
    assert driver.running_names() == {"other"}
