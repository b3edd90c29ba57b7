"""Tasks that are kept at a desired state: started again by their policy, and ready for others or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.deadlines import Due
from dagtop.core.escalating import escalate
from dagtop.core.failure import Failure
from dagtop.core.levels import member_is_down
from dagtop.core.restart import CRASH_LOOP, RestartPolicy, ceiling_of
from dagtop.core.returning import ready_again, withdrawn
from dagtop.core.states import GOOD, TaskState

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


# -- the end of a run, and the next one ---------------------------------------------------------------------------------


def start_again(
    machine: RunMachine, index: int, at: float, failure: Failure | None, unit_random: float, *, timed_out: bool = False
) -> bool:
    """A run of a task has ended, and has given back what it held: start it again, or block it. False: its policy says neither."""
    ledger = machine.ledger
    policy = ledger.policies[index].restart
    if not _wants_it_again(machine, index, failed=failure is not None):
        return False
    begun = ledger.attempt_started[index]
    restarts, crashes = ledger.desired.restarts.get(index, (0, 0))
    if begun is not None and at - begun >= policy.reset_after:
        restarts = crashes = 0
    name, attempt = machine.plan.names[index], ledger.attempt[index]
    if failure is not None:
        ceiling = ceiling_of(policy)
        if ceiling is not None and crashes >= ceiling:
            block(machine, index, at, failure, crashes, timed_out=timed_out)
            return True
        crashes += 1
    restarts += 1
    delay = policy.delay(restarts, unit_random)
    machine.chance[index] = unit_random
    machine.emit(ev.TaskRestarting(at, name, attempt, delay, restarts, crashes, failure, timed_out))
    if failure is None:
        count_as_ready(machine, index, at)
    else:
        no_longer_ready(machine, index, at)
        if crashes == CRASH_LOOP:
            escalate(machine, index, at)
    if delay > 0:
        machine.deadlines.push(at + delay, Due.BACKOFF, index, attempt)
    else:
        ready_again(machine, index, at)
    return True


def block(machine: RunMachine, index: int, at: float, failure: Failure, restarts: int, *, timed_out: bool) -> None:
    """It has had its restarts, and has failed again."""
    times = "once" if restarts == 1 else f"{restarts} times"
    reason = f"restarted {times} and failed again: {failure.error}" if restarts else f"failed: {failure.error}"
    name, attempt = machine.plan.names[index], machine.ledger.attempt[index]
    machine.emit(ev.TaskBlocked(at, name, attempt, reason, failure, timed_out))
    machine.ended(index, at)


def retime_restart(machine: RunMachine, index: int, at: float) -> None:
    """The policy of a task that is to be started again has changed: the delay is made again, from the end of its last run."""
    ledger = machine.ledger
    restarts, crashes = ledger.desired.restarts[index]
    ended = ledger.ended_at[index]
    delay = ledger.policies[index].restart.delay(restarts, machine.chance.get(index, 0.0))
    due = max(at, (at if ended is None else ended) + delay)
    if due == ledger.due_at[index]:
        return
    name, attempt, failure = machine.plan.names[index], ledger.attempt[index], ledger.failure.get(index)
    timed_out = failure is not None and ledger.history[index][-1].ending == TaskState.TIMED_OUT.value
    machine.emit(ev.TaskRestarting(at, name, attempt, due - at, restarts, crashes, failure, timed_out))
    machine.deadlines.push(due, Due.BACKOFF, index, attempt)


def _wants_it_again(machine: RunMachine, index: int, *, failed: bool) -> bool:
    ledger = machine.ledger
    if machine.stopping is not None or index in ledger.desired.down or index in ledger.desired.gone:
        return False
    policy = ledger.policies[index].restart.policy
    return policy is RestartPolicy.ALWAYS or (failed and policy is RestartPolicy.ON_FAILURE)


# -- ready for others ---------------------------------------------------------------------------------------------------


def count_as_ready(machine: RunMachine, index: int, at: float) -> None:
    """What depends on a supervised task may start."""
    joins, states = machine.joins, machine.ledger.state
    if index in joins.early:
        return
    joins.early.add(index)
    for below in machine.plan.downstream[index]:
        joins.upstream_ended(below, TaskState.SUCCEEDED)
        if states[below] is TaskState.WAITING and machine.stopping is None:
            machine.evaluate(below, at)


def no_longer_ready(machine: RunMachine, index: int, at: float) -> None:
    """A supervised task is down: what depends on it, and has not started, waits until it is ready again."""
    if count_as_down(machine, index):
        has_gone_down(machine, index, at)


def count_as_down(machine: RunMachine, index: int) -> bool:
    """A supervised task is down; whether it had counted as ready."""
    joins = machine.joins
    if index not in joins.early:
        return False
    joins.early.discard(index)
    for below in machine.plan.downstream[index]:
        joins.early_one_is_down(below)
    return True


def has_gone_down(machine: RunMachine, index: int, at: float) -> None:
    """What was about to start on a task that does no more, waits for it again or ends."""
    states = machine.ledger.state
    if machine.stopping is not None:
        return
    unbegun = [i for i in machine.plan.downstream[index] if i not in machine.ledger.due_at]
    for i in withdrawn(machine, unbegun, at, f"{machine.plan.names[index]} is down"):
        if states[i] is TaskState.WAITING:
            machine.evaluate(i, at)
    if machine.plan.nodes and states[index] not in GOOD:
        member_is_down(machine, index, at)
