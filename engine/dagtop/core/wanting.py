"""What a person wants of supervised tasks: up or down, and what a change of their policy means for those that have ended."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.affected import brought_up, is_unwanted, runs_again_by
from dagtop.core.instructions import StopReason
from dagtop.core.restart import RestartPolicy, ceiling_of
from dagtop.core.restarting import start_over
from dagtop.core.states import ACTIVE, FINAL, TaskState
from dagtop.core.stopping import cancel_unstarted, stop_attempt
from dagtop.core.supervising import block, retime_restart

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
    again = brought_up(ledger, chosen)
    if again:
        start_over(machine, again, at, reason, again)


def reconsider(machine: RunMachine, index: int, at: float, reason: str) -> None:
    """The restart policy of a task has changed: one that has ended may have to run again, one that is to run may not."""
    ledger = machine.ledger
    restart, state = ledger.policies[index].restart, ledger.state[index]
    if is_unwanted(ledger, index) or machine.stopping is not None:
        return
    if state is TaskState.BACKOFF and not ledger.attempts_used(index):
        _reconsider_restart(machine, index, at)
        return
    if runs_again_by(ledger, index, restart):
        again = brought_up(ledger, [index])
        if again:
            machine.keeps_count.add(index)
            start_over(machine, again, at, reason, again)


def _reconsider_restart(machine: RunMachine, index: int, at: float) -> None:
    """It is to be started again after a delay: by its policy of now not at all, or after another delay."""
    ledger = machine.ledger
    restart, failure = ledger.policies[index].restart, ledger.failure.get(index)
    if not restart.is_on or (failure is None and restart.policy is RestartPolicy.ON_FAILURE):
        settle_for_what_it_is(machine, index, at)
        return
    ceiling, crashes = ceiling_of(restart), ledger.desired.restarts[index][1]
    if failure is not None and ceiling is not None and crashes > ceiling:
        late = ledger.history[index][-1].ending == TaskState.TIMED_OUT.value
        block(machine, index, at, failure, crashes - 1, timed_out=late)
    else:
        retime_restart(machine, index, at)


def settle_for_what_it_is(machine: RunMachine, index: int, at: float) -> None:
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
