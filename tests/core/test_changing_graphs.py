"""Graphs that grow, lose tasks and are rewired while they run, in the machine alone; replay sees the same."""

from __future__ import annotations

from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.guards import Pool
from dagtop.core.inputs import NewTask
from dagtop.core.ledger import Ledger
from dagtop.core.policy import TaskPolicy
from dagtop.core.states import RunState, TaskState
from machine_driver import Driver, plan_of

S = TaskState


def new(name: str, *upstream: str, **options: object) -> NewTask:
    return NewTask(name, upstream, TaskPolicy(**options))  # type: ignore[arg-type]


def test_B42_new_tasks_start_when_their_upstream_lets_them() -> None:
    driver = Driver({"crawl": []})
    driver.change(added=[new("page_1"), new("page_2", "page_1"), new("last", "crawl", "page_2")])
    assert driver.running_names() == {"crawl", "page_1"}
    driver.succeed("crawl", "page_1", "page_2", "last")
    assert driver.run_state is RunState.SUCCEEDED
    changed = driver.of(ev.GraphChanged)[0]
    assert [(task.name, task.upstream) for task in changed.added] == [
        ("page_1", ()),
        ("page_2", ("page_1",)),
        ("last", ("crawl", "page_2")),
    ]


def test_B42_a_task_that_has_not_started_waits_for_new_ones_if_it_is_told_to() -> None:
    driver = Driver({"crawl": [], "report": ["crawl"]})
    driver.change(added=[new("page")], rewired={"report": ("crawl", "page")})
    driver.succeed("crawl")
    assert driver.state("report") is S.WAITING
    driver.succeed("page")
    assert driver.running_names() == {"report"}


def test_B42_a_task_below_one_that_has_failed_is_skipped_at_once() -> None:
    driver = Driver({"a": [], "b": []})
    driver.fail("a")
    driver.change(added=[new("late", "a")])
    assert (driver.state("late"), driver.reason("late")) == (S.SKIPPED, "upstream a failed")


def test_B42_what_comes_while_the_run_is_being_stopped_never_starts() -> None:
    driver = Driver({"a": []})
    driver.command(cmd.CancelRun(reason="enough"))
    driver.change(added=[new("late")])
    driver.stopped("a")
    assert (driver.state("late"), driver.reason("late")) == (S.CANCELLED, "enough")
    assert driver.run_state is RunState.CANCELLED


def test_B42_new_tasks_wait_in_their_pool() -> None:
    driver = Driver({"a": []}, pools={"db": Pool(1)})
    driver.change(added=[new("x", pool="db"), new("y", pool="db", priority=1)])
    assert driver.running_names() == {"a", "y"}
    driver.succeed("y")
    assert driver.running_names() == {"a", "x"}


def test_B42_a_new_version_drops_tasks_reruns_changed_ones_and_leaves_the_rest_alone() -> None:
    driver = Driver({"a": [], "old": ["a"], "b": ["a"], "c": ["b"]})
    driver.succeed("a", "b", "old")
    driver.change(
        "a new version", 7, added=[new("d", "b")], removed=("old",), changed=("b",), rewired={"c": ("b", "d")}
    )
    answer = driver.of(ev.CommandApplied)[-1]
    assert (answer.id, answer.effect) == (
        7,
        "1 task added, 1 task removed, 1 task changed, 1 task with other dependencies",
    )
    assert driver.state("a") is S.SUCCEEDED
    assert driver.state("old") is S.SUCCEEDED, "what it has done is done"
    assert driver.running_names() == {"b", "c"}
    assert driver.told == {driver.plan.index["c"]}, "c runs on a result that is made anew: it is stopped first"
    driver.stopped("c")
    driver.succeed("b", "d", "c")
    assert driver.run_state is RunState.SUCCEEDED


def test_B42_a_removed_task_that_has_not_run_is_skipped_and_one_that_runs_is_stopped() -> None:
    driver = Driver({"runs": [], "waits": ["runs"], "stays": []})
    driver.change("a new version", 1, removed=("runs", "waits"), rewired={"waits": ()})
    assert (driver.state("waits"), driver.reason("waits")) == (S.SKIPPED, "removed from the graph")
    driver.stopped("runs")
    assert driver.state("runs") is S.CANCELLED
    driver.succeed("stays")
    assert driver.run_state is RunState.CANCELLED


def test_B42_a_run_that_is_over_is_reopened_by_new_tasks() -> None:
    driver = Driver({"a": []})
    driver.succeed("a")
    driver.change("a new version", 3, added=[new("b", "a")])
    assert driver.running_names() == {"b"}
    driver.succeed("b")
    assert len(driver.of(ev.RunFinished)) == 2


def test_B40_a_ledger_that_knows_the_first_plan_only_follows_the_events_to_the_same_states() -> None:
    driver = Driver({"crawl": [], "report": ["crawl"]})
    driver.change(added=[new("page_1"), new("page_2", "page_1")], rewired={"report": ("crawl", "page_2")})
    driver.succeed("crawl", "page_1")
    replayed = Ledger(plan_of({"crawl": [], "report": ["crawl"]}))
    for event in driver.events:
        replayed.apply(event)
    assert replayed.state == driver.machine.ledger.state
    assert replayed.plan.names == driver.plan.names
    assert [list(needed) for needed in replayed.plan.upstream] == [list(needed) for needed in driver.plan.upstream]


def test_B42_a_version_whose_tasks_would_wait_for_each_other_is_refused_and_changes_nothing() -> None:
    """A task that had come meanwhile closed the circle; it brought the run down."""
    driver = Driver({"a": [], "t": ["a"], "r": ["a"]})
    driver.change(added=[new("spawned", "t")], rewired={"r": ("a", "spawned")})
    driver.change("a new version", 7, rewired={"t": ("a", "r")})
    answer = driver.of(ev.CommandRefused)[0]
    assert (answer.id, answer.reason) == (7, "tasks of the changed graph would wait for each other")
    driver.succeed("a", "t", "spawned", "r")
    assert driver.run_state is RunState.SUCCEEDED
