"""Which command takes another one back. Pure."""

from __future__ import annotations

from dagtop.core import commands as do
from dagtop.core.breaker_settings import inverse_of
from dagtop.core.changes import NO_COST
from dagtop.core.guards import BreakerState
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import NO_CEILING, ceiling_of
from dagtop.core.snapshot import RunSnapshot, TaskRow

from dagtop_app.tasks.obstacles import breaker_of
from dagtop_app.tasks.upkeep import replicas_of


def row_of(snapshot: RunSnapshot, task: str) -> TaskRow | None:
    """The row of the task of that name."""
    index = snapshot.plan.index.get(task)
    return snapshot.rows[index] if index is not None and index < len(snapshot.rows) else None


def inverse(snapshot: RunSnapshot, command: do.Command) -> do.Command | None:
    """The command that undoes `command`, asked before it is sent. None: it cannot be undone, or changes nothing."""
    match command:
        case do.SetMaxParallel():
            changes = command.limit != snapshot.max_parallel
            return do.SetMaxParallel(limit=snapshot.max_parallel) if changes else None
        case do.SetPoolLimit(pool=pool):
            before = snapshot.limits.get(f"pool:{pool}")
            return do.SetPoolLimit(pool, before[1]) if before is not None and before[1] != command.limit else None
        case do.StopTask():
            return do.StartTask(task=command.task)
        case do.StartTask():
            return do.StopTask(task=command.task)
        case do.CancelTask():
            row = row_of(snapshot, command.task)
            stays_down = row is not None and row.policy.restart.is_on and row.wanted and not row.gone
            return do.StartTask(task=command.task) if stays_down else None
        case do.ScaleTask():
            count = replicas_of(snapshot, command.task)
            return do.ScaleTask(command.task, count) if count is not None and count != command.replicas else None
        case do.HoldTask():
            return do.ReleaseTask(task=command.task)
        case do.ReleaseTask():
            return do.HoldTask(task=command.task)
        case do.PauseRun() | do.DrainRun():
            return do.ContinueRun()
        case do.ContinueRun():
            return do.PauseRun()
        case do.TripBreaker() | do.ResetBreaker() | do.ForceBreaker():
            return _breaker_back(snapshot, command)
        case do.SetBreaker():
            view = breaker_of(snapshot, command.breaker)
            return inverse_of(view.spec, command) if view is not None else None
        case do.AcknowledgeEscalation(number=number, withdraw=withdraw):
            known = snapshot.acknowledged.get(number)
            if known is not None:
                return do.AcknowledgeEscalation(number, known.note)
            return None if withdraw else do.AcknowledgeEscalation(number, withdraw=True)
        case do.SetPolicy():
            row = row_of(snapshot, command.task)
            return _policy_back(row.policy, command) if row is not None else None
        case _:
            return None


def _breaker_back(
    snapshot: RunSnapshot, command: do.TripBreaker | do.ResetBreaker | do.ForceBreaker
) -> do.Command | None:
    """The state is as it was before; what the breaker had counted is forgotten with every move."""
    view = breaker_of(snapshot, command.breaker)
    if view is None:
        return None
    match command:
        case do.ForceBreaker():
            was = view.forced.value if view.forced is not None else ""
            return do.ForceBreaker(view.name, was) if was != command.state else None
        case do.TripBreaker():
            return do.ResetBreaker(view.name) if view.computed is BreakerState.CLOSED else None
        case _:
            return do.TripBreaker(view.name) if view.computed is BreakerState.OPEN else None


def _policy_back(policy: TaskPolicy, command: do.SetPolicy) -> do.SetPolicy:
    """The fields that the command changes, as they were."""
    retry, cost, restart = policy.retry, NO_COST if policy.cost is None else policy.cost, policy.restart
    before = {
        "retries": retry.retries, "timeout": policy.timeout or 0.0, "backoff": str(retry.backoff), "base": retry.base,
        "factor": retry.factor, "cap": retry.cap, "jitter": retry.jitter, "retry_on_timeout": policy.retry_on_timeout,
        "trigger": str(policy.trigger), "on_upstream_failure": str(policy.on_upstream_failure),
        "priority": policy.priority, "cost": cost, "circuit": policy.circuit, "pool": policy.pool,
        "restart": str(restart.policy), "max_restarts": NO_CEILING if (ceiling := ceiling_of(restart)) is None else ceiling,
        "restart_backoff": restart.base, "restart_cap": restart.cap, "restart_jitter": restart.jitter,
        "reset_after": restart.reset_after,
    }  # fmt: skip
    changed = {name: value for name, value in before.items() if getattr(command, name) is not None}
    return do.SetPolicy(task=command.task, **changed)  # type: ignore[arg-type]  # each is of its field's type
