"""Attempts that end otherwise than by returning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.admission import attempt_over
from dagtop.core.retrying import after_failure
from dagtop.core.states import ACTIVE, TaskState
from dagtop.core.stopping import stopped_attempt_ended
from dagtop.core.supervising import start_again

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def returned(machine: RunMachine, event: inp.AttemptSucceeded) -> None:
    """A supervised task has returned."""
    index, at = event.index, event.at
    machine.active -= 1
    if machine.told_of_ends:
        attempt_over(machine, index, at, True, "")
    if not start_again(machine, index, at, None, 0.0):
        machine.emit(ev.TaskSucceeded(at, machine.plan.names[index], event.attempt))
        machine.ended(index, at)
    machine.fill(at)


def raised(machine: RunMachine, event: inp.AttemptRaised) -> None:
    """The attempt ended in an exception of the task's own."""
    index, at = event.index, event.at
    if machine.ledger.attempt[index] != event.attempt or machine.ledger.state[index] not in ACTIVE:
        return
    if machine.ledger.state[index] is TaskState.CANCELLING:
        stopped_attempt_ended(machine, index, at, event.failure, event.unit_random)
        return
    machine.active -= 1
    if machine.told_of_ends:
        attempt_over(machine, index, at, False, f"{event.failure.error}: {event.failure.message}"[:200])
    after_failure(
        machine,
        index,
        at,
        event.failure,
        event.unit_random,
        retriable=event.retriable,
        retry_after=event.retry_after,
    )
    machine.fill(at)


def skipped(machine: RunMachine, event: inp.AttemptSkipped) -> None:
    """The task said that it need not run."""
    index, at = event.index, event.at
    if machine.ledger.attempt[index] != event.attempt or machine.ledger.state[index] not in ACTIVE:
        return
    if machine.ledger.state[index] is TaskState.CANCELLING:
        stopped_attempt_ended(machine, index, at, None, 0.0)
        return
    machine.active -= 1
    if machine.told_of_ends:
        attempt_over(machine, index, at, None, event.reason)
    machine.emit(ev.TaskSkipped(at, machine.plan.names[index], event.reason))
    machine.ended(index, at)
    machine.fill(at)


def stopped(machine: RunMachine, event: inp.AttemptStopped) -> None:
    """The attempt ended because it was told to."""
    if machine.ledger.attempt[event.index] == event.attempt and machine.ledger.state[event.index] in ACTIVE:
        stopped_attempt_ended(machine, event.index, event.at, event.failure, event.unit_random)
