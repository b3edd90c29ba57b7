"""Gates: a task stands there, with everything else settled, until a person or a deadline decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.deadlines import Due
from dagtop.core.failure import Failure
from dagtop.core.guards import OnReject, Ruling
from dagtop.core.states import TaskState

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def stand_at_gate(machine: RunMachine, index: int, at: float) -> bool:
    """Stop a task at its gate, if it has one that it has not passed yet."""
    gate = machine.ledger.policies[index].gate
    if gate is None or index in machine.approved:
        return False
    machine.emit(ev.GateWaiting(at, machine.plan.names[index], gate.prompt, gate.timeout))
    if gate.timeout is not None:
        machine.deadlines.push(at + gate.timeout, Due.GATE, index, machine.ledger.attempt[index])
    return True


def decide(machine: RunMachine, index: int, at: float, by: str, reason: str, *, approved: bool) -> None:
    """Let a task through its gate, or not."""
    ledger, name = machine.ledger, machine.plan.names[index]
    gate = ledger.policies[index].gate
    machine.emit(ev.GateDecided(at, name, approved, by, reason))
    if approved:
        machine.approved.add(index)
        if ledger.state[index] is TaskState.HELD and index not in ledger.held:
            machine.become_ready(index, at)
        return
    why = f"rejected by {by}" + (f": {reason}" if reason else "")
    if gate is not None and gate.on_reject is OnReject.SKIP:
        machine.emit(ev.TaskSkipped(at, name, why))
    else:
        failure = Failure(error="GateRejectedError", message=why)
        machine.emit(ev.TaskFailed(at, name, ledger.attempt[index], failure))
    machine.ended(index, at)


def gate_due(machine: RunMachine, index: int, at: float) -> None:
    """Nobody has decided in time."""
    asked = machine.ledger.gates.get(index)
    gate = machine.ledger.policies[index].gate
    if asked is None or asked.timeout is None or gate is None or at < asked.at + asked.timeout:
        return
    reason = f"nobody decided within {asked.timeout:g} s"
    decide(machine, index, at, "the deadline", reason, approved=gate.on_timeout is Ruling.APPROVE)
