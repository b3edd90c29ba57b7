"""Settings of a breaker that a person changes while the run goes on, and escalations that somebody looks after (B15, B22)."""

from __future__ import annotations

from typing import Any

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.blast import blast_radius
from dagtop.core.breaker_settings import inverse_of
from dagtop.core.guards import Breaker
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import TaskState
from machine_driver import Driver
from msgspec import structs

PATIENT = Retry(retries=9, backoff="linear", base=600.0, cap=600.0)


def run_of(count: int = 2, **breaker: Any) -> Driver:
    names = [f"t{n}" for n in range(count)]
    spec = Breaker("api", **{"failure_threshold": 3, "recovery_timeout": 10.0, **breaker})
    policies = {name: TaskPolicy(circuit="api", retry=PATIENT) for name in names}
    return Driver({name: [] for name in names}, policies, breakers={"api": spec}, max_parallel=1)


def refusal(run: Driver, command: cmd.Command) -> str:
    answer = run.command(command)
    assert isinstance(answer, ev.CommandRefused), answer
    return answer.reason


class TestSettings:
    def test_B22_a_lower_threshold_counts_from_the_next_failure_on(self) -> None:
        run = run_of()
        answer = run.command(cmd.SetBreaker("api", failure_threshold=1), by="eve")
        assert isinstance(answer, ev.CommandApplied)
        (changed,) = run.of(ev.BreakerChanged)
        assert changed.changes == {"failure_threshold": 1}
        assert changed.reason == "failure_threshold 3 → 1, set by eve"
        run.fail("t0")
        assert [event.type for event in run.of(ev.BreakerEvent)] == ["breaker.changed", "breaker.opened"]
        assert run.machine.ledger.breaker_settings == {"api": {"failure_threshold": 1}}

    def test_B22_a_shorter_recovery_counts_for_a_breaker_that_is_open(self) -> None:
        run = run_of(failure_threshold=1)
        run.fail("t0")
        run.advance(4)
        run.command(cmd.SetBreaker("api", recovery_timeout=5.0))
        assert run.running == {}
        run.advance(1)
        assert len(run.running) == 1, "its probe"
        assert run.at == 5

    def test_a_longer_recovery_keeps_it_open_longer(self) -> None:
        run = run_of(failure_threshold=1)
        run.fail("t0")
        run.command(cmd.SetBreaker("api", recovery_timeout=20.0))
        run.advance(19)
        assert run.running == {}
        run.advance(1)
        assert len(run.running) == 1

    def test_what_it_is_in_stays_and_what_it_had_counted_too(self) -> None:
        run = run_of(failure_threshold=5)
        run.fail("t0")
        run.command(cmd.SetBreaker("api", success_threshold=3))
        view = run.machine.breakers.view("api", run.at)
        assert (view.failures, view.spec.success_threshold, view.state.value) == (1, 3, "closed")
        assert view.recent[-1].state == ""
        assert not view.recent[-1].by_force

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({}, "no setting was given a new value"),
            ({"failure_threshold": 3}, "breaker api has these settings already"),
            ({"failure_threshold": 0}, "failure_threshold must be"),
            ({"recovery_timeout": -1.0}, "recovery_timeout must be"),
            ({"failure_rate": 0.5}, "failure_rate needs a window"),
            ({"window": 60.0, "failure_rate": 2.0}, "failure_rate must be at most 1"),
        ],
    )
    def test_B22_what_makes_no_sense_is_refused_with_the_reason(self, settings: dict[str, Any], reason: str) -> None:
        run = run_of()
        assert reason in refusal(run, cmd.SetBreaker("api", **settings))
        assert run.of(ev.BreakerChanged) == []

    def test_a_breaker_that_nobody_asks_is_refused_with_the_nearest(self) -> None:
        assert "did you mean 'api'" in refusal(run_of(), cmd.SetBreaker("apo", failure_threshold=1))

    def test_without_its_window_a_breaker_has_no_rate_either(self) -> None:
        run = run_of(window=60.0, failure_rate=0.5)
        run.command(cmd.SetBreaker("api", window=0.0))
        spec = run.machine.breakers.spec("api")
        assert (spec.window, spec.failure_rate) == (None, None)
        (changed,) = run.of(ev.BreakerChanged)
        assert changed.changes == {"window": None, "failure_rate": None}

    @pytest.mark.parametrize(
        "command",
        [
            cmd.SetBreaker("api", window=0.0),
            cmd.SetBreaker("api", failure_threshold=9, recovery_timeout=1.0),
            cmd.SetBreaker("api", failure_rate=0.0),
        ],
    )
    def test_B22_the_inverse_of_a_change_brings_everything_back(self, command: cmd.SetBreaker) -> None:
        run = run_of(window=60.0, failure_rate=0.5)
        before = run.machine.breakers.spec("api")
        back = inverse_of(before, command)
        assert back is not None
        run.command(command)
        assert run.machine.breakers.spec("api") != before
        run.command(back)
        assert run.machine.breakers.spec("api") == before

    def test_what_changes_nothing_has_no_inverse(self) -> None:
        assert inverse_of(Breaker("api"), cmd.SetBreaker("api", failure_threshold=5)) is None


class TestAcknowledging:
    def failed(self) -> Driver:
        run = Driver({"load": [], "mart": ["load"]}, {"load": TaskPolicy(retry=Retry(retries=0))})
        run.fail("load")
        return run

    def test_B15_somebody_looks_after_it_and_that_is_a_fact_of_the_run(self) -> None:
        run = self.failed()
        answer = run.command(cmd.AcknowledgeEscalation(1, "I ring the supplier"), by="console")
        assert isinstance(answer, ev.CommandApplied)
        assert answer.effect == "escalation 1 of load is acknowledged: I ring the supplier"
        (told,) = run.of(ev.EscalationAcknowledged)
        assert (told.task, told.number, told.by, told.note) == ("load", 1, "hand", "I ring the supplier")
        assert run.machine.ledger.acknowledged == {1: told}
        assert run.state("load") is TaskState.FAILED, "it changes nothing else"

    def test_B15_it_can_be_taken_back(self) -> None:
        run = self.failed()
        run.command(cmd.AcknowledgeEscalation(1))
        run.command(cmd.AcknowledgeEscalation(1, withdraw=True))
        assert run.machine.ledger.acknowledged == {}
        assert "not acknowledged" in refusal(run, cmd.AcknowledgeEscalation(1, withdraw=True))

    def test_twice_is_refused_but_for_another_note(self) -> None:
        run = self.failed()
        run.command(cmd.AcknowledgeEscalation(1, "looking"), by="eve")
        reason = "escalation 1 of load is acknowledged already, by eve"
        assert refusal(run, cmd.AcknowledgeEscalation(1, "looking")) == reason
        run.command(cmd.AcknowledgeEscalation(1, "mended"), by="bob")
        assert run.machine.ledger.acknowledged[1].by == "bob"

    def test_one_that_is_not_there_is_refused(self) -> None:
        assert refusal(self.failed(), cmd.AcknowledgeEscalation(7)) == "there is no escalation 7"

    def test_what_it_would_do_is_told_from_a_snapshot_too(self) -> None:
        ledger = self.failed().machine.ledger
        snapshot = RunSnapshot(escalations=tuple(ledger.escalations), escalation_count=1)
        told = blast_radius(snapshot, cmd.AcknowledgeEscalation(1))
        assert (told.refusal, told.summary) == ("", "escalation 1 of load is acknowledged")
        assert not told.loses_something

    def test_numbers_go_on_where_an_earlier_process_stopped(self) -> None:
        run = self.failed()
        run.command(cmd.RestartTask("load"))
        earlier = [structs.replace(run.machine.ledger.escalations[0], number=41)]
        run.machine.ledger.escalations, run.mirror.escalations = earlier, earlier.copy()
        run.fail("load")
        assert [one.number for one in run.machine.ledger.escalations] == [41, 42]
