"""Further attempts: whether there is one, when it comes, and what a change of policy does to one that is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import backoff
from dagtop.core import events as ev
from dagtop.core.deadlines import Due
from dagtop.core.failure import Failure
from dagtop.core.guards import OnOpen
from dagtop.core.returning import ready_again
from dagtop.core.states import TaskState
from dagtop.core.supervising import no_longer_ready, start_again

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def after_failure(
    machine: RunMachine,
    index: int,
    at: float,
    failure: Failure,
    unit_random: float,
    *,
    retriable: bool,
    timed_out: bool = False,
    retry_after: float | None = None,
) -> None:
    """An attempt has failed, and has given back what it held: try again, or end the task."""
    circuit = machine.ledger.policies[index].circuit
    if not retriable or not may_try_again(machine, index):
        if machine.supervised and start_again(machine, index, at, failure, unit_random, timed_out=timed_out):
            return
        kind = ev.TaskTimedOut if timed_out else ev.TaskFailed
        machine.emit(kind(at, machine.plan.names[index], machine.ledger.attempt[index], failure))
        machine.ended(index, at)
        return
    machine.wished_delay.pop(index, None)  # of an attempt before: the task may have been restarted out of that delay
    if retry_after is not None:
        machine.wished_delay[index] = retry_after
    if circuit and not machine.breakers.is_closed(circuit, at):
        if fails_at_breaker(machine, index):
            fail_at_breaker(machine, index, at, failure)
            return
        machine.wished_delay[index] = 0.0  # it waits for the breaker, which knows better when to come back
    _back_off(machine, index, at, failure, unit_random, timed_out=timed_out)


def may_try_again(machine: RunMachine, index: int) -> bool:
    """Whether the policy of now, and the run, allow one more attempt."""
    retries = machine.ledger.policies[index].retry.retries
    return machine.ledger.attempts_used(index) <= retries and machine.stopping is None


def fails_at_breaker(machine: RunMachine, index: int) -> bool:
    """Whether a task ends when its breaker is open. One that is to be up waits for it, whatever the breaker says."""
    policy = machine.ledger.policies[index]
    return machine.breakers.spec(policy.circuit).on_open is OnOpen.FAIL and not policy.restart.is_on


def fail_at_breaker(machine: RunMachine, index: int, at: float, last: Failure | None) -> None:
    """End a task whose breaker is open and that does not wait for it; `last` is what its latest attempt ended with."""
    ledger, name = machine.ledger, machine.plan.names[index]
    circuit = ledger.policies[index].circuit
    message = f"circuit breaker {circuit!r} is {machine.breakers.state(circuit, at).value.replace('_', '-')}"
    if last is None:
        failure = Failure(error="CircuitOpenError", message=message)
    else:
        failure = Failure(
            error="CircuitOpenError",
            message=f"{message}; the last attempt ended with {last.error}: {last.message}",
            traceback=last.traceback,
            where=last.where,
        )
    machine.emit(ev.TaskFailed(at, name, ledger.attempt[index], failure))
    machine.ended(index, at)


def _back_off(
    machine: RunMachine, index: int, at: float, failure: Failure, unit_random: float, *, timed_out: bool
) -> None:
    machine.chance[index] = unit_random
    delay = _delay(machine, index, unit_random)
    attempt = machine.ledger.attempt[index]
    machine.emit(ev.TaskRetrying(at, machine.plan.names[index], attempt, delay, failure, timed_out))
    if machine.supervised:
        no_longer_ready(machine, index, at)
    if delay > 0:
        machine.deadlines.push(at + delay, Due.BACKOFF, index, attempt)
    else:
        ready_again(machine, index, at)


def _delay(machine: RunMachine, index: int, unit_random: float) -> float:
    wished = machine.wished_delay.get(index)
    if wished is not None:
        return wished
    retry = machine.ledger.policies[index].retry
    return backoff.delay(
        machine.ledger.attempts_used(index),
        backoff=retry.backoff,
        base=retry.base,
        factor=retry.factor,
        cap=retry.cap,
        jitter=retry.jitter,
        unit_random=unit_random,
    )


def retime_backoff(machine: RunMachine, index: int, at: float) -> None:
    """The policy of a task in BACKOFF has changed: make its delay again, or end it if no attempt is left."""
    ledger = machine.ledger
    name, attempt, failure = machine.plan.names[index], ledger.attempt[index], ledger.failure[index]
    last = ledger.history[index][-1]
    timed_out = last.ending == TaskState.TIMED_OUT.value
    if not may_try_again(machine, index):
        kind = ev.TaskTimedOut if timed_out else ev.TaskFailed
        machine.emit(kind(at, name, attempt, failure))
        machine.ended(index, at)
        return
    due = max(at, last.ended_at + _delay(machine, index, machine.chance.get(index, 0.0)))
    machine.emit(ev.TaskRetrying(at, name, attempt, due - at, failure, timed_out))
    machine.deadlines.push(due, Due.BACKOFF, index, ledger.attempt[index])
