"""Which command takes another one back. Pure."""

from __future__ import annotations

from dagtop.core import commands as do
from dagtop.core.policy import TaskPolicy
from dagtop.core.snapshot import RunSnapshot, TaskRow


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
        case do.HoldTask():
            return do.ReleaseTask(task=command.task)
        case do.ReleaseTask():
            return do.HoldTask(task=command.task)
        case do.PauseRun():
            return do.ContinueRun()
        case do.ContinueRun():
            return do.PauseRun()
        case do.SetPolicy():
            row = row_of(snapshot, command.task)
            return _policy_back(row.policy, command) if row is not None else None
        case _:
            return None


def _policy_back(policy: TaskPolicy, command: do.SetPolicy) -> do.SetPolicy:
    retry = policy.retry
    return do.SetPolicy(
        task=command.task,
        retries=retry.retries if command.retries is not None else None,
        timeout=(policy.timeout or 0.0) if command.timeout is not None else None,
        backoff=str(retry.backoff) if command.backoff is not None else None,
        base=retry.base if command.base is not None else None,
        factor=retry.factor if command.factor is not None else None,
        cap=retry.cap if command.cap is not None else None,
        jitter=retry.jitter if command.jitter is not None else None,
    )
