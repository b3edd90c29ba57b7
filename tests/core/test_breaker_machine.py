"""Circuit breakers in a run, on the pure machine with a clock of its own (B7, B15, B18 to B21)."""

from __future__ import annotations

from typing import Any

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.guards import Breaker
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.states import RunState, TaskState
from machine_driver import Driver

PATIENT = Retry(retries=9, backoff="linear", base=600.0, cap=600.0)


def run_of(
    count: int, *, breaker: dict[str, Any] | None = None, policy: dict[str, Any] | None = None, **run: Any
) -> Driver:
    """Tasks t0, t1, … that all ask the breaker "api", which opens at one failure and recovers in 10 s unless said otherwise."""
    names = [f"t{n}" for n in range(count)]
    spec = Breaker("api", **{"failure_threshold": 1, "recovery_timeout": 10.0, **(breaker or {})})
    policies = {name: TaskPolicy(circuit="api", **{"retry": PATIENT, **(policy or {})}) for name in names}
    return Driver({name: [] for name in names}, policies, breakers={"api": spec}, **run)


def moves(run: Driver) -> list[tuple[float, str]]:
    return [(event.at, event.type.removeprefix("breaker.")) for event in run.of(ev.BreakerEvent)]


class TestWaiting:
    def test_B20_a_task_whose_breaker_is_open_waits_and_uses_no_attempt(self) -> None:
        run = run_of(2, max_parallel=1)
        run.fail("t0")
        assert run.running == {}
        run.advance(9.9)
        assert run.states() == {"t0": TaskState.READY, "t1": TaskState.READY}
        assert run.machine.ledger.attempt == [1, 0]
        run.advance(0.1)
        assert run.running_names() == {"t0"}

    def test_B7_a_task_that_waits_for_a_breaker_holds_no_slot(self) -> None:
        policies = {"calls": TaskPolicy(circuit="api", retry=PATIENT)}
        run = Driver(
            {"calls": [], "other": []}, policies, breakers={"api": Breaker("api", failure_threshold=1)}, max_parallel=1
        )
        run.fail("calls")
        assert run.running_names() == {"other"}

    def test_B20_a_failure_that_opens_the_breaker_sends_nobody_to_sleep(self) -> None:
        """wave-executor slept the whole backoff, and then found the breaker open (backoff_before_guard)."""
        run = run_of(1)
        run.fail("t0")
        assert run.of(ev.TaskRetrying)[0].delay == 0
        run.advance(10)
        assert run.running_names() == {"t0"}, "when the breaker says so, not when a backoff of 600 s is over"

    def test_B20_a_task_whose_breaker_opens_while_it_sleeps_wakes_at_once(self) -> None:
        run = run_of(2, breaker={"failure_threshold": 2})
        run.fail("t0")
        assert run.state("t0") is TaskState.BACKOFF
        run.advance(5)
        run.fail("t1")
        assert run.state("t0") is TaskState.READY
        run.advance(10)
        assert run.running_names() == {"t0"}

    def test_B20_told_to_fail_it_fails_before_its_first_attempt_and_is_escalated(self) -> None:
        """wave-executor made no report of a fast-fail (no_escalation_on_open_circuit)."""
        run = run_of(2, breaker={"on_open": "fail"}, policy={"retry": Retry(retries=0)}, max_parallel=1)
        run.fail("t0")
        assert run.types("t1")[-2:] == ["failed", "escalated"]
        report = run.of(ev.TaskEscalated)[1].report
        assert (report.task, report.attempt_count, report.cause.value, report.circuit_state) == (
            "t1",
            0,
            "unavailable",
            "open",
        )

    def test_B20_told_to_fail_it_fails_instead_of_sleeping(self) -> None:
        """The attempt count is what happened, not what was allowed (attempt_count_wrong)."""
        run = run_of(2, breaker={"failure_threshold": 2, "on_open": "fail"})
        run.fail("t0")
        assert run.state("t0") is TaskState.BACKOFF
        run.fail("t1")
        assert run.states() == {"t0": TaskState.FAILED, "t1": TaskState.FAILED}
        assert {event.report.attempt_count for event in run.of(ev.TaskEscalated)} == {1}
        assert "'api'" in run.machine.ledger.failure[0].message

    def test_a_timeout_is_a_failure_and_a_skip_or_a_cancellation_is_none(self) -> None:
        run = run_of(4, breaker={"failure_threshold": 2})
        run.skip("t0")
        run.command(cmd.CancelTask("t1"))
        run.stopped("t1")
        assert run.machine.breakers.view("api", run.at).failures == 0
        run.fail("t2", "t3")
        assert [name for _, name in moves(run)] == ["opened"]
        slow = run_of(1, policy={"timeout": 5.0})
        slow.advance(5)
        slow.stopped("t0")
        assert [name for _, name in moves(slow)] == ["opened"]

    def test_an_exception_that_is_not_retried_is_a_failure_of_the_service_all_the_same(self) -> None:
        run = run_of(2, max_parallel=1)
        run.fail("t0", retriable=False)
        assert [name for _, name in moves(run)] == ["opened"]
        assert run.running == {}


class TestProbes:
    def test_B19_eight_tasks_wait_and_exactly_one_probes(self) -> None:
        """wave-executor let every waiter through as soon as it was half open: 8 calls at once (half_open_single_probe)."""
        run = run_of(8, max_parallel=8)
        run.fail(*(f"t{n}" for n in range(8)))
        run.advance(10)
        assert len(run.running) == 1
        run.advance(100)
        assert len(run.running) == 1
        (probe,) = run.running_names()
        run.succeed(probe)
        assert len(run.running) == 7

    def test_B18_every_failed_probe_costs_one_call_in_a_recovery_timeout(self) -> None:
        run = run_of(8, max_parallel=8)
        run.fail(*(f"t{n}" for n in range(8)))
        for _ in range(5):
            run.advance(10)
            (probe,) = run.running_names()
            run.fail(probe)
        assert len(run.started) == 8 + 5
        assert moves(run) == [(0, "opened")] + [
            move for n in range(1, 6) for move in ((10.0 * n, "half_opened"), (10.0 * n, "opened"))
        ]

    def test_B18_two_probes_one_after_the_other_close_it(self) -> None:
        run = run_of(8, breaker={"success_threshold": 2})
        run.fail(*(f"t{n}" for n in range(8)))
        run.advance(10)
        run.succeed(*run.running_names())
        assert (len(run.running), moves(run)[-1][1]) == (1, "half_opened")
        run.succeed(*run.running_names())
        assert (len(run.running), moves(run)[-1][1]) == (6, "closed")

    def test_B19_a_probe_that_is_cancelled_makes_room_for_another(self) -> None:
        run = run_of(3)
        run.fail("t0", "t1", "t2")
        run.advance(10)
        (probe,) = run.running_names()
        run.command(cmd.CancelTask(probe))
        assert run.running_names() == {probe}
        run.stopped(probe)
        assert len(run.running) == 1
        assert run.running_names() != {probe}

    @pytest.mark.parametrize("ok", [True, False])
    def test_B19_what_ends_late_neither_closes_the_breaker_nor_counts_as_the_probe(self, ok: bool) -> None:
        run = run_of(4)
        run.fail("t0")
        run.succeed("t1") if ok else run.fail("t1")
        assert run.machine.breakers.state("api", run.at).value == "open"
        run.advance(10)
        assert len(run.running) == 3
        run.succeed("t2") if ok else run.fail("t2")
        assert run.machine.breakers.state("api", run.at).value == "half_open"
        assert moves(run) == [(0, "opened"), (10, "half_opened")]

    def test_B18_without_a_recovery_timeout_it_probes_at_once_and_does_not_go_round_for_ever(self) -> None:
        run = run_of(3, breaker={"recovery_timeout": 0.0})
        run.fail("t0", "t1", "t2")
        assert len(run.running) == 1
        run.fail(*run.running_names())
        run.advance(0)
        assert len(run.running) == 1
        while run.running:
            run.succeed(*run.running_names())
        assert run.run_state is RunState.SUCCEEDED


class TestByHand:
    def test_B21_trip_and_reset_while_the_run_goes_on(self) -> None:
        run = run_of(3, max_parallel=1)
        assert isinstance(run.command(cmd.TripBreaker("api")), ev.CommandApplied)
        run.succeed("t0")
        assert run.running == {}
        assert isinstance(run.command(cmd.ResetBreaker("api")), ev.CommandApplied)
        assert run.running_names() == {"t1"}
        assert [event.reason for event in run.of(ev.BreakerEvent)] == ["tripped by a person", "reset by a person"]

    def test_B21_held_open_nobody_starts_until_it_is_let_go(self) -> None:
        run = run_of(2, max_parallel=1)
        run.command(cmd.ForceBreaker("api", "open"))
        run.succeed("t0")
        run.advance(1_000)
        assert run.running == {}
        run.command(cmd.ForceBreaker("api", ""))
        assert run.running_names() == {"t1"}

    def test_B21_held_open_it_goes_on_by_itself_and_both_are_told(self) -> None:
        run = run_of(2)
        run.command(cmd.ForceBreaker("api", "open"))
        run.fail("t0")
        run.advance(10)
        ledger = run.machine.ledger
        assert (ledger.forced, ledger.breakers) == ({"api": "open"}, {"api": "half_open"})
        assert moves(run) == [(0, "forced"), (0, "opened"), (10, "half_opened")]

    def test_B21_held_closed_the_tasks_start_although_it_would_be_open(self) -> None:
        run = run_of(3, max_parallel=1)
        run.command(cmd.ForceBreaker("api", "closed"))
        run.fail("t0")
        assert len(run.running) == 1
        assert run.machine.ledger.breakers == {"api": "open"}

    def test_B22_a_breaker_that_no_task_asks_is_no_breaker(self) -> None:
        run = run_of(1)
        answer = run.command(cmd.TripBreaker("ap"))
        assert isinstance(answer, ev.CommandRefused)
        assert "'ap'" in answer.reason


class TestTheEndOfARun:
    def test_a_run_that_stops_leaves_nobody_waiting_at_a_breaker(self) -> None:
        run = run_of(3, max_parallel=1)
        run.fail("t0")
        run.command(cmd.CancelRun())
        assert run.run_state is RunState.CANCELLED
        assert run.machine.next_due() is None

    def test_a_breaker_moved_after_the_end_wants_no_further_tick(self) -> None:
        run = run_of(1)
        run.succeed("t0")
        run.command(cmd.TripBreaker("api"))
        assert run.machine.next_due() is None
        run.command(cmd.RestartTask("t0"))
        assert run.running == {}
        run.advance(10)
        assert run.running_names() == {"t0"}

    def test_B24_what_a_run_that_failed_at_a_breaker_left_behind_can_be_restarted(self) -> None:
        """fail_fast ended the run in the middle of a round of starts: the other lines' places in the queue were lost."""
        policies = {name: TaskPolicy(circuit="api") for name in ("t0", "t1")}
        run = Driver(
            {"t0": [], "t1": [], "other": []},
            {**policies, "other": TaskPolicy(circuit="db")},
            breakers={"api": Breaker("api", on_open="fail")},
            fail_fast=True,
            begin=False,
        )
        run.machine.breakers.trip("api", 0.0, "a person")
        run.begin()
        assert run.run_state is RunState.FAILED
        run.command(cmd.RestartTask("other"))
        assert run.running_names() == {"other"}
