"""Stopping: attempts that are told to stop and how they end, timeouts, and the end of a run before everything had its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.admission import attempt_over
from dagtop.core.deadlines import Due
from dagtop.core.escalating import escalate
from dagtop.core.failure import Failure
from dagtop.core.instructions import AbandonAttempt, StopAttempt, StopReason
from dagtop.core.retrying import after_failure
from dagtop.core.states import ACTIVE, RunState, TaskState
from dagtop.core.supervising import count_as_down, no_longer_ready
from dagtop.core.wording import out_of_time, unwell

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine

_NEVER_STARTED = frozenset({TaskState.WAITING, TaskState.READY, TaskState.HELD, TaskState.BACKOFF})


def stop_attempt(machine: RunMachine, index: int, at: float, why: StopReason, reason: str) -> None:
    """Tell a running attempt to stop."""
    attempt = machine.ledger.attempt[index]
    machine.stop_reasons[index] = why
    machine.emit(ev.TaskCancelling(at, machine.plan.names[index], attempt, reason))
    machine.instruct(StopAttempt(index, attempt))
    if why is StopReason.DONE:
        count_as_down(machine, index)  # which nothing waits for any more
    elif machine.supervised:
        no_longer_ready(machine, index, at)


def abandon_told(machine: RunMachine, at: float) -> None:
    """Wait no longer for the attempts that were told to stop and have not."""
    for index in [i for i, state in enumerate(machine.ledger.state) if state is TaskState.CANCELLING]:
        abandon_attempt(machine, index, at)


def abandon_attempt(machine: RunMachine, index: int, at: float) -> None:
    """Wait no longer for an attempt that was told to stop and has not."""
    failure = Failure(error="Abandoned", message="it was told to stop and did not; dagtop no longer waits for it")
    machine.instruct(AbandonAttempt(index, machine.ledger.attempt[index]))
    stopped_attempt_ended(machine, index, at, failure, 0.0)


def cancel_unstarted(machine: RunMachine, index: int, at: float, reason: str) -> None:
    """End a task that does not run now."""
    machine.emit(ev.TaskCancelled(at, machine.plan.names[index], machine.ledger.attempt[index], reason))
    machine.ended(index, at)


def stop_run(machine: RunMachine, at: float, why: StopReason, reason: str, *, cancel: bool) -> None:
    """Start nothing new; with `cancel` stop what runs too, and wait for that no longer than the grace allows."""
    machine.starts_allowed = False
    machine.stopping = why
    machine.emit(ev.RunStopping(at, reason, cancel))
    states = machine.ledger.state
    if cancel:
        machine.deadlines.push(at + machine.policy.cancel_grace, Due.GRACE, -1, 0)
        for index in [i for i, state in enumerate(states) if state in ACTIVE]:
            if machine.stop_reasons.get(index) is not StopReason.CANCEL:
                stop_attempt(machine, index, at, why, reason)
    for index in range(len(states)):
        if states[index] in _NEVER_STARTED:
            cancel_unstarted(machine, index, at, reason)


def stopped_attempt_ended(
    machine: RunMachine, index: int, at: float, failure: Failure | None, unit_random: float
) -> None:
    """An attempt that was told to stop has ended, however: what becomes of its task was decided when it was told."""
    ledger = machine.ledger
    why = machine.stop_reasons.pop(index, StopReason.CANCEL)
    name, attempt = machine.plan.names[index], ledger.attempt[index]
    reason = ledger.reason.get(index, "cancelled")
    machine.active -= 1
    if machine.told_of_ends:
        failed = why in (StopReason.TIMEOUT, StopReason.UNWELL)
        attempt_over(machine, index, at, False if failed else None, reason)
    if why in (StopReason.RESTART, StopReason.UNWELL) and machine.stopping is not None:
        why, reason = StopReason.CANCEL, ledger.run_reason
    match why:
        case StopReason.RESTART:
            machine.put_back(index, at, reason)
            machine.joins.recount(index, ledger.state)
            machine.evaluate(index, at)
        case StopReason.TIMEOUT:
            timeout = ledger.policies[index].timeout or 0.0
            timed_out = out_of_time(f"attempt {attempt} took longer than its timeout of {timeout:g} s", failure)
            again = ledger.policies[index].retry_on_timeout
            after_failure(machine, index, at, timed_out, unit_random, retriable=again, timed_out=True)
        case StopReason.RUN_TIMEOUT:
            late = out_of_time(f"the run reached its {reason} while this ran", failure)
            machine.emit(ev.TaskTimedOut(at, name, attempt, late))
            machine.ended(index, at)
        case StopReason.DONE:
            machine.emit(ev.TaskSucceeded(at, name, attempt, reason))
            machine.ended(index, at)
        case StopReason.UNWELL:
            after_failure(machine, index, at, unwell(reason, failure), unit_random, retriable=False)
        case StopReason.CANCEL | StopReason.FAIL_FAST | StopReason.SETUP:
            machine.emit(ev.TaskCancelled(at, name, attempt, reason, failure))
            wanted = index not in ledger.desired.down and index not in ledger.desired.gone
            if machine.stopping is None and wanted:
                escalate(machine, index, at)
            machine.ended(index, at)
    machine.fill(at)


def attempt_began(machine: RunMachine, event: inp.AttemptBegan) -> None:
    """The start of a worker, and a queue before it, are over: the timeout counts from here on."""
    index, ledger = event.index, machine.ledger
    if ledger.attempt[index] != event.attempt or ledger.state[index] is not TaskState.RUNNING:
        return
    machine.deadlines.began[index] = event.attempt, event.at
    timeout = ledger.policies[index].timeout
    if timeout is not None:
        machine.deadlines.push(event.at + timeout, Due.ATTEMPT, index, event.attempt)


def _begun(machine: RunMachine, index: int) -> float | None:
    """When the clock of its timeout began; None if it has not. That of a task with a setup, which runs here, has."""
    plan = machine.plan
    if index in plan.backends:
        attempt, at = machine.deadlines.began.get(index, (0, 0.0))
        if attempt == machine.ledger.attempt[index]:
            return at
        if index not in plan.cleans_up:
            return None
    return machine.ledger.attempt_started[index]


def check_timeout(machine: RunMachine, index: int, at: float) -> None:
    """Stop a running attempt that is over its timeout of now; else look again when it would be."""
    ledger = machine.ledger
    timeout = ledger.policies[index].timeout
    begun = _begun(machine, index)
    if timeout is None or begun is None:
        return
    if at >= begun + timeout:
        stop_attempt(machine, index, at, StopReason.TIMEOUT, f"timeout of {timeout:g} s")
    else:
        machine.deadlines.push(begun + timeout, Due.ATTEMPT, index, ledger.attempt[index])


def run_timeout_due(machine: RunMachine, at: float) -> None:
    """The run has reached `run_timeout`."""
    if not machine.is_over and machine.ledger.run_state is not RunState.CANCELLING:
        stop_run(machine, at, StopReason.RUN_TIMEOUT, f"run_timeout of {machine.policy.run_timeout:g} s", cancel=True)
