"""The moment at which people are told of a task that failed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.escalation import Evidence

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def escalate(machine: RunMachine, index: int, at: float) -> None:
    """Tell people what they need to know of a task that failed for good."""
    from dagtop.core.diagnosis import report  # noqa: PLC0415 - a tenth of start-up, and most runs need none of it

    evidence = machine.evidence(index) if machine.evidence is not None else Evidence()
    circuit = machine.ledger.policies[index].circuit
    state = machine.breakers.state(circuit, at).value if circuit else ""
    known = machine.ledger.escalations
    number = known[-1].number + 1 if known else 1  # a run that was resumed goes on counting
    made = report(machine.ledger, machine.joins, index, number, at, evidence, state)
    machine.emit(ev.TaskEscalated(at, machine.plan.names[index], made))
