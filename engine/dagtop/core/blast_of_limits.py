"""What a command for a limit, a breaker, an escalation or a number of replicas would do."""

from __future__ import annotations

from dagtop.core import commands as cmd
from dagtop.core.affected import (
    Situation,
)
from dagtop.core.blast_parts import refused
from dagtop.core.breaker_settings import changes_of
from dagtop.core.checks import MOST_REPLICAS
from dagtop.core.guards import BreakerState
from dagtop.core.nearest import nearest
from dagtop.core.wording import tasks


def of_limit(now: Situation, limit: int) -> cmd.BlastRadius:
    """Of how many tasks run at once."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        return refused(
            f"max_parallel must be a whole number of at least 1, not {limit!r}; pause the run to start nothing"
        )
    return cmd.BlastRadius(summary=f"max_parallel {now.max_parallel} → {limit}")


def of_pool(now: Situation, pool: str, limit: int) -> cmd.BlastRadius:
    """Of how many tasks of a pool run at once."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        return refused(f"the limit of a pool must be a whole number of at least 1, not {limit!r}")
    inside = sum(policy.pool == pool for policy in now.policies)
    if not inside:
        return refused(f"no task is in a pool {pool!r}{nearest(pool, {policy.pool for policy in now.policies})}")
    return cmd.BlastRadius(summary=f"pool {pool}: at most {limit} of its {tasks(inside)} at once")


def _asking(users: int) -> str:
    return f"{tasks(users)} {'asks it before it starts' if users == 1 else 'ask it before they start'}"


def of_breaker(now: Situation, command: cmd.Command, name: str) -> cmd.BlastRadius:
    """Of the state, or the settings, of a circuit breaker."""
    users = sum(policy.circuit == name for policy in now.policies)
    if not users:
        return refused(
            f"no task asks a circuit breaker {name!r}{nearest(name, {policy.circuit for policy in now.policies})}"
        )
    match command:
        case cmd.TripBreaker():
            return cmd.BlastRadius(summary=f"breaker {name} opens; {_asking(users)}")
        case cmd.ForceBreaker(state=state):
            if state and state not in set(BreakerState):
                return refused(f"a breaker is open, closed or half_open, not {state!r}")
            said = f"is held {state.replace('_', '-')}" if state else "goes by itself again"
            return cmd.BlastRadius(summary=f"breaker {name} {said}; {_asking(users)}")
        case cmd.SetBreaker():
            changes = changes_of(command)
            if not changes:
                return refused("no setting was given a new value")
            said = ", ".join(f"{key} = {value:g}" if value else f"no {key}" for key, value in changes.items())
            return cmd.BlastRadius(summary=f"breaker {name}: {said}; for all that ask it")
        case _:
            return cmd.BlastRadius(summary=f"breaker {name} closes and forgets its failures")


def of_escalation(now: Situation, command: cmd.AcknowledgeEscalation) -> cmd.BlastRadius:
    """Of who looks after an escalation."""
    number = command.number
    task = next((one.task for one in reversed(now.escalations) if one.number == number), None)
    if task is None:
        return refused(f"there is no escalation {number}")
    known = now.acknowledged.get(number)
    if command.withdraw:
        if known is None:
            return refused(f"escalation {number} of {task} is not acknowledged")
        return cmd.BlastRadius(summary=f"escalation {number} of {task} is open again")
    if known is not None and command.reason == known.note:
        return refused(f"escalation {number} of {task} is acknowledged already, by {known.by}")
    said = f": {command.reason}" if command.reason else ""
    return cmd.BlastRadius(summary=f"escalation {number} of {task} is acknowledged{said}")


def of_replicas(name: str, replicas: int) -> cmd.BlastRadius:
    """Of how many replicas of a task there are."""
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 0:
        return refused(f"replicas must be a whole number of at least 0, not {replicas!r}")
    if replicas > MOST_REPLICAS:
        return refused(f"replicas must be at most {MOST_REPLICAS:,}, not {replicas:,}")
    return cmd.BlastRadius(summary=f"{name}: {replicas} replicas")
