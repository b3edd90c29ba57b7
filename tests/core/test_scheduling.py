"""B5 to B8 and B11 to B14 in the machine alone: when tasks start, when they do not, and what a failure does."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.ledger import Ledger
from dagtop.core.machine import RunMachine
from dagtop.core.policy import OnUpstreamFailure, Retry, RunPolicy, TaskPolicy, Trigger
from dagtop.core.states import RunState, TaskState
from machine_driver import Driver, plan_of

S = TaskState


class TestStarting:
    def test_B5_a_task_starts_with_the_input_that_ends_its_last_upstream(self) -> None:
        driver = Driver({"A": [], "B": [], "C": ["A", "B"], "D": [], "E": ["D"]})
        driver.at = 1.0
        driver.succeed("D")
        assert driver.running_names() == {"A", "B", "E"}

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_B6_never_more_than_max_parallel_and_never_fewer_than_possible(self, limit: int) -> None:
        driver = Driver({f"t{i}": [] for i in range(10)}, max_parallel=limit)
        while driver.running:
            left = sum(state is S.READY for state in driver.states().values())
            assert len(driver.running) == min(limit, len(driver.running) + left)
            driver.succeed(min(driver.running_names()))

    def test_B6_a_lower_limit_is_come_down_to_and_a_higher_one_filled_at_once(self) -> None:
        driver = Driver({f"t{i}": [] for i in range(10)}, max_parallel=4)
        driver.command(cmd.SetMaxParallel(2))
        assert len(driver.running) == 4
        driver.succeed("t0", "t1")
        assert len(driver.running) == 2
        driver.succeed("t2")
        assert len(driver.running) == 2
        driver.command(cmd.SetMaxParallel(5))
        assert len(driver.running) == 5
        assert [event.limit for event in driver.of(ev.LimitChanged)] == [2, 5]

    def test_B7_neither_backoff_nor_hold_nor_waiting_holds_a_slot(self) -> None:
        driver = Driver(
            {"fails": [], "held": [], "waits": ["fails"], "other": []},
            {"fails": TaskPolicy(retry=Retry(base=9.0), priority=1)},
            max_parallel=1,
        )
        driver.command(cmd.HoldTask("held"))
        driver.fail("fails")
        assert driver.running_names() == {"other"}

    def test_B8_priority_then_length_then_declaration(self) -> None:
        tasks = {"plain": [], "long": [], "urgent": [], "leads": [], "end": ["leads"]}
        policies = {"urgent": TaskPolicy(priority=1), "long": TaskPolicy(cost=1.5)}
        driver = Driver(tasks, policies, max_parallel=1)
        while driver.running:
            driver.succeed(*driver.running_names())
        assert driver.started == ["urgent", "leads", "long", "plain", "end"]

    def test_B2_a_chain_of_a_hundred_thousand_runs_and_fails_without_recursion(self) -> None:
        n = 100_000
        names = [f"t{i}" for i in range(n)]
        plan = plan_of({name: [names[i - 1]] if i else [] for i, name in enumerate(names)})
        machine = RunMachine(plan, RunPolicy())
        machine.handle(inp.Begin(0.0, run="r", started_at=0.0))
        for i in range(10):
            machine.handle(inp.AttemptSucceeded(1.0, i, 1))
        machine.handle(inp.CommandGiven(2.0, cmd.CancelTask("t10"), 1, "me"))
        machine.handle(inp.AttemptStopped(3.0, 10, 1))
        assert machine.ledger.run_state is RunState.CANCELLED
        assert machine.ledger.counts[S.SKIPPED] == n - 11


class TestFailing:
    def test_B11_retries_are_further_attempts(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=2, backoff="none"))})
        driver.fail("a", "a", "a")
        assert driver.types("a") == ["ready"] + ["started", "retrying", "ready"] * 2 + [
            "started",
            "failed",
            "escalated",
        ]
        assert driver.run_state is RunState.FAILED

    def test_B11_what_the_policy_does_not_name_is_not_retried(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(retry=Retry(retries=2))})
        driver.fail("a", retriable=False)
        assert driver.state("a") is S.FAILED

    def test_B12_a_timeout_stops_the_attempt_and_is_retried(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(timeout=2.0, retry=Retry(retries=1, base=1.0))})
        driver.advance(1.9)
        assert not driver.told
        driver.advance(0.1)
        assert driver.told == {0}
        driver.stopped("a")
        driver.advance(1.0)
        assert driver.running == {0: 2}
        driver.advance(2.0)
        driver.stopped("a", failure=None)
        assert (driver.state("a"), driver.run_state) == (S.TIMED_OUT, RunState.FAILED)

    def test_B12_a_deadline_of_an_earlier_attempt_does_not_count_for_a_later_one(self) -> None:
        driver = Driver({"a": []}, {"a": TaskPolicy(timeout=5.0, retry=Retry(retries=1, backoff="none"))})
        driver.advance(4)
        driver.fail("a")
        driver.advance(4.9)
        assert not driver.told
        driver.advance(0.1)
        assert driver.told == {0}

    def test_B13_a_failure_reaches_everything_below_at_once(self) -> None:
        driver = Driver({"bad": [], "slow": [], "join": ["bad", "slow"], "end": ["join"]})
        driver.fail("bad")
        assert driver.states() == {"bad": S.FAILED, "slow": S.RUNNING, "join": S.SKIPPED, "end": S.SKIPPED}
        assert (driver.reason("join"), driver.reason("end")) == ("upstream bad failed", "upstream join was skipped")

    def test_B13_on_upstream_failure_fail_and_run(self) -> None:
        policies = {
            "fails": TaskPolicy(on_upstream_failure=OnUpstreamFailure.FAIL),
            "runs": TaskPolicy(on_upstream_failure=OnUpstreamFailure.RUN),
        }
        driver = Driver({"bad": [], "slow": [], "fails": ["bad", "slow"], "runs": ["bad", "slow"]}, policies)
        driver.fail("bad")
        assert (driver.state("fails"), driver.state("runs")) == (S.FAILED, S.WAITING)
        assert driver.of(ev.TaskFailed)[1].failure.error == "UpstreamFailedError"
        driver.succeed("slow")
        assert driver.running_names() == {"runs"}

    @pytest.mark.parametrize(
        ("trigger", "endings", "expected"),
        [
            (Trigger.ALL_SUCCESS, "oo", S.RUNNING),
            (Trigger.ALL_SUCCESS, "o", S.WAITING),
            (Trigger.ALL_SUCCESS, "x", S.SKIPPED),
            (Trigger.ANY_SUCCESS, "o", S.RUNNING),
            (Trigger.ANY_SUCCESS, "x", S.WAITING),
            (Trigger.ANY_SUCCESS, "xo", S.RUNNING),
            (Trigger.ANY_SUCCESS, "xx", S.SKIPPED),
            (Trigger.ALL_DONE, "x", S.WAITING),
            (Trigger.ALL_DONE, "xx", S.RUNNING),
            (Trigger.NONE_FAILED, "o", S.WAITING),
            (Trigger.NONE_FAILED, "oo", S.RUNNING),
            (Trigger.NONE_FAILED, "x", S.SKIPPED),
        ],
    )
    def test_B13_trigger_rules(self, trigger: Trigger, endings: str, expected: TaskState) -> None:
        driver = Driver({"a": [], "b": [], "join": ["a", "b"]}, {"join": TaskPolicy(trigger=trigger)})
        for name, ending in zip("ab", endings, strict=False):
            driver.succeed(name) if ending == "o" else driver.fail(name)
        assert driver.state("join") is expected

    def test_B13_a_join_after_an_if_else_runs(self) -> None:
        """One branch is skipped because its own upstream was cancelled away, the other one ran."""
        tasks = {"no": [], "yes": [], "then": ["yes"], "else": ["no"], "join": ["then", "else"]}
        driver = Driver(tasks, {"join": TaskPolicy(trigger=Trigger.NONE_FAILED)})
        driver.succeed("yes")
        driver.command(cmd.CancelTask("no"))
        driver.stopped("no")
        driver.succeed("then")
        assert driver.state("else") is S.SKIPPED
        assert driver.running_names() == {"join"}

    def test_B14_fail_fast_lets_run_what_runs_and_starts_nothing(self) -> None:
        driver = Driver({"bad": [], "runs": [], "after": ["runs"], "next": []}, fail_fast=True, max_parallel=2)
        driver.fail("bad")
        assert driver.running_names() == {"runs"}
        assert not driver.told
        assert driver.run_state is RunState.DRAINING
        assert driver.reason("next") == "fail_fast: bad failed"
        driver.succeed("runs")
        assert driver.run_state is RunState.FAILED


class TestTheRun:
    def test_B12_run_timeout_cancels_what_runs_and_what_did_not_start(self) -> None:
        driver = Driver({"a": [], "b": ["a"], "c": []}, max_parallel=1, run_timeout=5.0)
        driver.advance(5.0)
        assert driver.states() == {"a": S.CANCELLING, "b": S.CANCELLED, "c": S.CANCELLED}
        driver.stopped("a")
        assert (driver.state("a"), driver.run_state) == (S.TIMED_OUT, RunState.TIMED_OUT)

    def test_B12_it_goes_before_what_was_drained(self) -> None:
        driver = Driver({"a": []}, run_timeout=5.0)
        driver.command(cmd.DrainRun())
        driver.advance(5.0)
        driver.stopped("a")
        assert driver.run_state is RunState.TIMED_OUT

    def test_B22_the_grace_abandons_what_does_not_stop(self) -> None:
        driver = Driver({"a": [], "b": [], "c": ["a"]}, cancel_grace=3.0)
        driver.advance(1.0)
        driver.command(cmd.CancelRun())
        driver.advance(1.0)
        driver.stopped("a")
        driver.advance(1.9)
        assert driver.state("b") is S.CANCELLING
        driver.advance(0.1)
        assert driver.states() == dict.fromkeys("abc", S.CANCELLED)
        assert driver.run_state is RunState.CANCELLED
        assert driver.of(ev.TaskCancelled)[-1].failure.error == "Abandoned"

    def test_B22_the_grace_of_an_earlier_stop_does_not_outlive_its_run(self) -> None:
        driver = Driver({"a": []}, cancel_grace=3.0)
        driver.command(cmd.CancelRun())
        driver.stopped("a")
        driver.command(cmd.RestartTask("a"))
        driver.command(cmd.CancelTask("a"))
        driver.advance(60)
        assert driver.state("a") is S.CANCELLING, "only the run's own cancellation has a grace"

    def test_B22_a_drained_run_waits_without_a_grace(self) -> None:
        driver = Driver({"a": []}, cancel_grace=3.0)
        driver.command(cmd.DrainRun())
        driver.advance(60)
        assert driver.state("a") is S.RUNNING

    def test_B22_a_restart_under_way_ends_when_the_run_is_drained(self) -> None:
        """The task went back to WAITING in a run that starts nothing, and the run hung."""
        driver = Driver({"a": [], "b": []})
        driver.command(cmd.RestartTask("a"))
        driver.command(cmd.DrainRun())
        driver.stopped("a")
        assert driver.state("a") is S.CANCELLED
        driver.succeed("b")
        assert driver.run_state is RunState.CANCELLED

    @pytest.mark.parametrize(
        ("commands", "reason"),
        [
            ([cmd.PauseRun(), cmd.PauseRun()], "the run is paused already"),
            ([cmd.ContinueRun()], "the run is not paused"),
            ([cmd.DrainRun(), cmd.DrainRun()], "the run is stopping already"),
            ([cmd.CancelRun(), cmd.CancelRun()], "the run is being cancelled already"),
            ([cmd.AbandonRun()], "no task was told to stop and is still running; cancel first"),
            ([cmd.DrainRun(), cmd.RestartTask("a")], "the run is stopping"),
        ],
    )
    def test_B22_run_commands_that_make_no_sense_are_refused(self, commands: list[cmd.Command], reason: str) -> None:
        driver = Driver({"a": [], "b": ["a"]})
        for command in commands[:-1]:
            assert isinstance(driver.command(command), ev.CommandApplied)
        answer = driver.command(commands[-1])
        assert isinstance(answer, ev.CommandRefused)
        assert answer.reason == reason

    def test_B22_when_it_is_over_only_a_restart_makes_sense(self) -> None:
        driver = Driver({"a": []})
        driver.succeed("a")
        for command in (cmd.PauseRun(), cmd.DrainRun(), cmd.CancelRun(), cmd.AbandonRun()):
            answer = driver.command(command)
            assert isinstance(answer, ev.CommandRefused)
            assert answer.reason == "the run is over"
        assert isinstance(driver.command(cmd.RestartTask("a")), ev.CommandApplied)

    def test_B22_a_paused_run_finishes_what_runs_and_goes_on_later(self) -> None:
        driver = Driver({"a": [], "b": ["a"]}, {"a": TaskPolicy(retry=Retry(base=1.0))})
        driver.command(cmd.PauseRun())
        driver.fail("a")
        driver.advance(5)
        assert driver.state("a") is S.READY
        driver.command(cmd.ContinueRun())
        driver.succeed("a", "b")
        assert driver.run_state is RunState.SUCCEEDED

    def test_B38_a_resumed_run_starts_what_its_kept_results_allow_whatever_the_trigger(self) -> None:
        """A join that needs any one of its upstream waited for the next one to end."""
        plan = plan_of({"a": [], "b": [], "any": ["a", "b"]}, {"any": TaskPolicy(trigger=Trigger.ANY_SUCCESS)})
        ledger = Ledger(plan, 9)
        ledger.seed(0, 1, succeeded=True)
        ledger.seed(1, 1, succeeded=False)
        ledger.seed(2, 0, succeeded=False)
        machine = RunMachine(plan, RunPolicy(), ledger)
        started = machine.handle(inp.Begin(0.0, run="r", started_at=0.0, resumed=True))
        assert {instruction.index for instruction in started} == {1, 2}
