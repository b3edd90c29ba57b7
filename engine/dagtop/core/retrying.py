"""Further attempts: whether there is one, when it comes, and what a change of policy does to one that is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import backoff
from dagtop.core import events as ev
from dagtop.core.deadlines import Due
from dagtop.core.failure import Failure
from dagtop.core.joins import Verdict
from dagtop.core.states import TaskState

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def may_try_again(machine: RunMachine, index: int) -> bool:
    """Whether the policy of now, and the run, allow one more attempt."""
    retries = machine.ledger.policies[index].retry.retries
    return machine.ledger.attempts_used(index) <= retries and machine.stopping is None


def back_off(
    machine: RunMachine, index: int, at: float, failure: Failure, unit_random: float, *, timed_out: bool
) -> None:
    machine.chance[index] = unit_random
    delay = _delay(machine, index, unit_random)
    attempt = machine.ledger.attempt[index]
    machine.emit(ev.TaskRetrying(at, machine.plan.names[index], attempt, delay, failure, timed_out))
    if delay > 0:
        machine.deadlines.push(at + delay, Due.BACKOFF, index, attempt)
    else:
        ready_again(machine, index, at)


def ready_again(machine: RunMachine, index: int, at: float) -> None:
    """The delay is over. A task whose upstream has been restarted meanwhile waits for the new results first."""
    if machine.joins.verdict(index) is Verdict.START:
        machine.become_ready(index, at)
    else:
        machine.emit(ev.TaskRestarted(at, machine.plan.names[index], "its upstream runs again"))
        machine.evaluate(index, at)


def _delay(machine: RunMachine, index: int, unit_random: float) -> float:
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
