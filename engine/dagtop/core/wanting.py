"""What a person wants of supervised tasks: up or down, and what a change of their policy means for those that have ended."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.instructions import StopReason
from dagtop.core.restart import RestartPolicy
from dagtop.core.restarting import start_over
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, TaskState
from dagtop.core.stopping import cancel_unstarted, stop_attempt
from dagtop.core.supervising import ceiling_of

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def want_down(machine: RunMachine, index: int, at: float, reason: str) -> None:
    """Stop a task, and do not start it again before it is wanted up."""
    state = machine.ledger.state[index]
    if index not in machine.ledger.desired.down:
        machine.emit(ev.TaskWanted(at, machine.plan.names[index], False, reason))
    if state in ACTIVE:
        stop_attempt(machine, index, at, StopReason.CANCEL, reason)
    elif state not in FINAL:
        cancel_unstarted(machine, index, at, reason)


def want_up(machine: RunMachine, chosen: Collection[int], at: float, reason: str) -> None:
    """Have tasks run again that were stopped, or have ended otherwise than they should; upstream first."""
    ledger = machine.ledger
    for index in chosen:
        if index in ledger.desired.down:
            machine.emit(ev.TaskWanted(at, machine.plan.names[index], True, reason))
    again = [i for i in machine.plan.order if i in chosen and (ledger.state[i] in FINAL or ledger.state[i] in ACTIVE)]
    if again:
        start_over(machine, again, at, reason, again)


def reconsider(machine: RunMachine, index: int, at: float, reason: str) -> None:
    """The restart policy of a task has changed: one that has ended may have to run again, one that is to run may not."""
    ledger = machine.ledger
    restart, state = ledger.policies[index].restart, ledger.state[index]
    if index in ledger.desired.down or index in ledger.desired.gone or machine.stopping is not None:
        return
    if state is TaskState.BACKOFF and index in ledger.desired.restarts and not restart.is_on:
        _settle_for_what_it_is(machine, index, at)
        return
    may_again = state in BAD and restart.is_on and _is_below_ceiling(machine, index)
    if may_again or (state in GOOD and restart.policy is RestartPolicy.ALWAYS):
        _go_on(machine, index, at, reason)


def _is_below_ceiling(machine: RunMachine, index: int) -> bool:
    ceiling = ceiling_of(machine.ledger.policies[index].restart)
    return ceiling is None or machine.ledger.desired.restarts.get(index, (0, 0))[1] < ceiling


def _go_on(machine: RunMachine, index: int, at: float, reason: str) -> None:
    machine.keeps_count.add(index)
    start_over(machine, [index], at, reason, [index])


def _settle_for_what_it_is(machine: RunMachine, index: int, at: float) -> None:
    """It was to be started again, and is not any more: it has ended as its last run has."""
    ledger, name = machine.ledger, machine.plan.names[index]
    failure, attempt = ledger.failure.get(index), ledger.attempt[index]
    if failure is None:
        machine.emit(ev.TaskSucceeded(at, name, attempt))
    elif ledger.history[index][-1].ending == TaskState.TIMED_OUT.value:
        machine.emit(ev.TaskTimedOut(at, name, attempt, failure))
    else:
        machine.emit(ev.TaskFailed(at, name, attempt, failure))
    machine.ended(index, at)
