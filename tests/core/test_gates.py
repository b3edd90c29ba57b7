"""Gates in the machine alone: a task stops for a person's word, with a deadline and what then."""

from __future__ import annotations

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.guards import Gate
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.states import RunState, TaskState
from machine_driver import Driver

S = TaskState


def gated(**gate: object) -> Driver:
    """`build`, then `deploy` behind a gate, then `tell`; `build` is done."""
    driver = Driver(
        {"build": [], "deploy": ["build"], "tell": ["deploy"]},
        {"deploy": TaskPolicy(gate=Gate(prompt="to production?", **gate), retry=Retry(retries=1, base=1.0))},  # type: ignore[arg-type]
    )
    driver.succeed("build")
    return driver


def test_B41_a_task_at_its_gate_is_held_says_what_is_asked_and_takes_no_slot() -> None:
    driver = gated(timeout=60.0)
    assert driver.state("deploy") is S.HELD
    asked = driver.of(ev.GateWaiting)
    assert [(event.task, event.prompt, event.timeout) for event in asked] == [("deploy", "to production?", 60.0)]
    assert driver.machine.active == 0
    assert driver.run_state is RunState.RUNNING


def test_B41_approved_it_starts_and_who_said_so_is_told() -> None:
    driver = gated()
    driver.command(cmd.ApproveTask("deploy", "tests are green"), by="anna")
    decided = driver.of(ev.GateDecided)[0]
    assert (decided.task, decided.approved, decided.by, decided.reason) == ("deploy", True, "anna", "tests are green")
    assert driver.running_names() == {"deploy"}


def test_B41_a_retry_does_not_ask_again_and_a_restart_does() -> None:
    driver = gated()
    driver.command(cmd.ApproveTask("deploy"))
    driver.fail("deploy")
    driver.advance(1.0)
    assert driver.running_names() == {"deploy"}
    driver.succeed("deploy")
    driver.succeed("tell")
    driver.command(cmd.RestartTask("deploy"))
    assert driver.state("deploy") is S.HELD
    assert len(driver.of(ev.GateWaiting)) == 2


def test_B41_rejected_it_fails_with_the_reason_and_is_escalated() -> None:
    driver = gated()
    driver.command(cmd.RejectTask("deploy", "it is Friday"), by="anna")
    assert driver.state("deploy") is S.FAILED
    failure = driver.machine.ledger.failure[driver.plan.index["deploy"]]
    assert (failure.error, failure.message) == ("GateRejectedError", "rejected by anna: it is Friday")
    assert driver.state("tell") is S.SKIPPED
    assert [event.task for event in driver.of(ev.TaskEscalated)] == ["deploy"]
    assert driver.run_state is RunState.FAILED


def test_B41_rejected_it_is_skipped_if_the_gate_says_so() -> None:
    driver = gated(on_reject="skip")
    driver.command(cmd.RejectTask("deploy"))
    assert driver.state("deploy") is S.SKIPPED
    assert driver.run_state is RunState.SUCCEEDED


@pytest.mark.parametrize(("on_timeout", "state"), [("approve", S.RUNNING), ("reject", S.FAILED)])
def test_B41_when_nobody_decides_in_time_the_gate_decides(on_timeout: str, state: TaskState) -> None:
    driver = gated(timeout=60.0, on_timeout=on_timeout)
    driver.advance(59.0)
    assert driver.state("deploy") is S.HELD
    driver.advance(1.0)
    assert driver.state("deploy") is state
    decided = driver.of(ev.GateDecided)[0]
    assert (decided.by, decided.reason) == ("the deadline", "nobody decided within 60 s")


def test_B41_a_deadline_of_an_earlier_stand_does_not_count() -> None:
    driver = gated(timeout=60.0)
    driver.advance(50.0)
    driver.command(cmd.RestartTask("build"))
    driver.succeed("build")
    assert driver.state("deploy") is S.HELD
    driver.advance(20.0)
    assert driver.state("deploy") is S.HELD, "it stands there for 20 s only"
    driver.advance(40.0)
    assert driver.state("deploy") is S.FAILED


def test_B41_approved_while_a_person_holds_it_it_waits_for_the_release() -> None:
    driver = Driver({"a": [], "b": ["a"]}, {"b": TaskPolicy(gate=Gate())})
    driver.command(cmd.HoldTask("b"))
    driver.succeed("a")
    assert driver.state("b") is S.HELD
    assert not driver.of(ev.GateWaiting), "held before it comes to the gate"
    driver.command(cmd.ReleaseTask("b"))
    assert driver.of(ev.GateWaiting)
    driver.command(cmd.HoldTask("b"))
    driver.command(cmd.ApproveTask("b"))
    assert driver.state("b") is S.HELD
    driver.command(cmd.ReleaseTask("b"))
    assert driver.running_names() == {"b"}


def test_B41_a_task_that_stands_at_no_gate_cannot_be_approved_or_rejected() -> None:
    driver = gated()
    for command in (cmd.ApproveTask("build"), cmd.RejectTask("tell")):
        answer = driver.command(command)
        assert isinstance(answer, ev.CommandRefused)
        assert "does not stand at a gate" in answer.reason


def test_B41_cancelled_at_its_gate_it_ends_and_is_asked_no_more() -> None:
    driver = gated()
    driver.command(cmd.CancelTask("deploy"))
    assert driver.state("deploy") is S.CANCELLED
    assert not driver.machine.ledger.gates
