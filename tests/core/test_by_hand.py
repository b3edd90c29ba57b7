"""B22: tasks that a person settles instead of letting them run: skip, mark succeeded, retry all that failed."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.policy import TaskPolicy, Trigger
from dagtop.core.states import RunState, TaskState
from machine_driver import Driver

S = TaskState
_CHAIN = {"a": [], "b": ["a"], "c": ["b"]}


def test_B22_a_task_that_has_not_started_is_skipped_and_what_needs_it_too() -> None:
    driver = Driver(_CHAIN)
    answer = driver.command(cmd.SkipTask("b", "no data today"), by="console")
    assert isinstance(answer, ev.CommandApplied)
    assert answer.effect == "b is skipped, and 1 task after it"
    driver.succeed("a")
    assert (driver.state("b"), driver.reason("b")) == (S.SKIPPED, "skipped by hand: no data today")
    assert (driver.state("c"), driver.reason("c")) == (S.SKIPPED, "upstream b was skipped")
    assert driver.run_state is RunState.SUCCEEDED


def test_B22_what_has_succeeded_or_runs_is_not_skipped_and_the_way_out_is_named() -> None:
    driver = Driver(_CHAIN)
    answer = driver.command(cmd.SkipTask("a"))
    assert isinstance(answer, ev.CommandRefused)
    assert answer.reason == "a runs now; cancel it first"
    driver.succeed("a")
    answer = driver.command(cmd.MarkSucceeded("a", 1))
    assert isinstance(answer, ev.CommandRefused)
    assert answer.reason == "a has succeeded already; restart it to run it again"


def test_B22_a_failed_task_is_taken_as_succeeded_and_what_was_skipped_because_of_it_runs() -> None:
    driver = Driver(_CHAIN)
    driver.fail("a")
    assert driver.run_state is RunState.FAILED
    driver.command(cmd.MarkSucceeded("a", {"rows": 3}))
    assert driver.state("a") is S.SUCCEEDED
    assert driver.running_names() == {"b"}
    driver.succeed("b", "c")
    assert driver.run_state is RunState.SUCCEEDED


def test_B22_what_a_person_had_skipped_stays_skipped() -> None:
    driver = Driver({"a": [], "b": ["a"], "c": ["a"]})
    driver.command(cmd.SkipTask("b"), by="console")
    driver.fail("a")
    driver.command(cmd.MarkSucceeded("a"))
    assert driver.state("b") is S.SKIPPED
    assert driver.running_names() == {"c"}


def test_B22_a_task_that_waits_is_marked_and_its_downstream_starts_at_once() -> None:
    driver = Driver(_CHAIN)
    driver.command(cmd.MarkSucceeded("b"))
    assert driver.running_names() == {"a", "c"}


def test_B22_a_failed_task_is_skipped_so_that_a_join_may_run() -> None:
    driver = Driver({"a": [], "b": [], "join": ["a", "b"]}, {"join": TaskPolicy(trigger=Trigger.NONE_FAILED)})
    driver.fail("a")
    driver.succeed("b")
    assert driver.state("join") is S.SKIPPED
    driver.command(cmd.SkipTask("a"))
    assert driver.running_names() == {"join"}


def test_B22_retry_failed_runs_all_that_failed_and_what_came_to_nothing_because_of_it() -> None:
    driver = Driver({"a": [], "b": [], "fine": [], "after_a": ["a"], "after_b": ["b", "fine"]})
    driver.fail("a", "b")
    driver.succeed("fine")
    answer = driver.command(cmd.RetryFailed())
    assert isinstance(answer, ev.CommandApplied)
    assert answer.effect == "2 tasks that failed run again, and 2 tasks after them"
    assert driver.running_names() == {"a", "b"}
    driver.succeed("a", "b", "after_a", "after_b")
    assert driver.run_state is RunState.SUCCEEDED
    assert driver.started.count("fine") == 1


def test_B22_nothing_failed_is_said() -> None:
    driver = Driver(_CHAIN)
    answer = driver.command(cmd.RetryFailed())
    assert isinstance(answer, ev.CommandRefused)
    assert answer.reason == "no task has failed"


@pytest.mark.parametrize("trigger", ["all_done", "none_failed"])
def test_B25_another_trigger_rule_counts_from_now_on(trigger: str) -> None:
    driver = Driver(
        {"a": [], "b": [], "join": ["a", "b"]}, {"join": TaskPolicy(trigger=Trigger.ANY_SUCCESS)}, max_parallel=2
    )
    driver.command(cmd.HoldTask("join"))
    driver.succeed("a")
    assert driver.state("join") is S.HELD
    driver.command(cmd.SetPolicy("join", trigger=trigger))
    assert driver.state("join") is S.WAITING
    driver.succeed("b")
    driver.command(cmd.ReleaseTask("join"))
    assert driver.running_names() == {"join"}


def test_B25_another_priority_counts_for_what_waits_for_a_slot() -> None:
    driver = Driver({"a": [], "b": [], "c": []}, max_parallel=1)
    driver.command(cmd.SetPolicy("c", priority=5))
    driver.succeed("a")
    assert driver.started == ["a", "c"]


def test_B22_a_policy_that_cannot_be_is_refused_and_says_why() -> None:
    driver = Driver({"a": [], "b": ["a"]})
    for fields in ({"trigger": "sometimes"}, {"pool": "nowhere"}, {"priority": "high"}, {"cost": -2.0}):
        answer = driver.command(cmd.SetPolicy("b", **fields))  # type: ignore[arg-type]
        assert isinstance(answer, ev.CommandRefused), fields
        assert next(iter(fields)) in answer.reason


def test_a_task_about_which_the_runtime_is_asked_waits_for_the_answer_and_takes_no_slot() -> None:
    driver = Driver({"a": [], "b": ["a"]}, asks=["a"], max_parallel=1)
    assert driver.state("a") is S.WAITING
    driver.answer("a", "skip", "when=is_weekend said no")
    assert (driver.state("a"), driver.reason("a")) == (S.SKIPPED, "when=is_weekend said no")
    assert driver.state("b") is S.SKIPPED


def test_a_cached_task_feeds_its_downstream_and_a_restart_asks_for_a_fresh_one() -> None:
    driver = Driver({"a": [], "b": ["a"]}, asks=["a"])
    driver.answer("a", "cached", "nothing has changed since yesterday")
    assert driver.state("a") is S.CACHED
    driver.succeed("b")
    assert driver.run_state is RunState.SUCCEEDED
    driver.command(cmd.RestartTask("a"))
    assert 0 in driver.machine.fresh
    driver.answer("a")
    driver.succeed("a")
    assert not driver.machine.fresh


def test_an_answer_to_an_old_question_does_not_count() -> None:
    driver = Driver({"up": [], "a": ["up"]}, asks=["a"])
    driver.succeed("up")
    old = driver.asked[1]
    driver.command(cmd.RestartTask("up"))
    driver.succeed("up")
    assert driver.asked[1] != old
    from dagtop.core import inputs as inp

    driver.tell(inp.Consulted(driver.at, 1, old, inp.Verdict.SKIP, "late"))
    assert driver.state("a") is S.WAITING
    driver.answer("a")
    assert driver.running_names() == {"a"}
