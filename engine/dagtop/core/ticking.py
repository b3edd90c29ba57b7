"""Time that has passed: which of the machine's deadlines still mean something, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import inputs as inp
from dagtop.core.deadlines import Due
from dagtop.core.gates import gate_due
from dagtop.core.probing import probe_due
from dagtop.core.restart import ProbeKind
from dagtop.core.returning import ready_again
from dagtop.core.states import TaskState
from dagtop.core.stopping import abandon_told, check_timeout, run_timeout_due

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def tick(machine: RunMachine, event: inp.Tick) -> None:
    """Do what is due by now."""
    at, ledger = event.at, machine.ledger
    while (due := machine.deadlines.pop(at)) is not None:
        kind, index, attempt = due
        if kind is Due.RUN:
            run_timeout_due(machine, at)
        elif kind is Due.GRACE:
            abandon_told(machine, at)
        elif kind is Due.LANE:
            machine.admission.due(at)
        elif ledger.attempt[index] != attempt:
            continue
        elif kind is Due.BACKOFF:
            due_at = ledger.due_at.get(index)
            if ledger.state[index] is TaskState.BACKOFF and due_at is not None:
                if due_at <= at:
                    ready_again(machine, index, at)
                else:
                    machine.deadlines.push(due_at, Due.BACKOFF, index, attempt)
        elif kind is Due.GATE:
            gate_due(machine, index, at)
        elif kind is Due.READY_PROBE:
            probe_due(machine, index, at, attempt, ProbeKind.READY)
        elif kind is Due.ALIVE_PROBE:
            probe_due(machine, index, at, attempt, ProbeKind.ALIVE)
        elif ledger.state[index] is TaskState.RUNNING:
            check_timeout(machine, index, at)
    machine.fill(at)
