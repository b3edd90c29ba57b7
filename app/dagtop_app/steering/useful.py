"""Whether a key would do something as things are: what would be refused is greyed in the footer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, TaskState

from dagtop_app.tasks import upkeep


def _has_replicas(row: TaskRow, snapshot: RunSnapshot) -> bool:
    return not snapshot.plan.nodes and upkeep.replicas_of(snapshot, upkeep.whole_of(snapshot, row.name)) is not None


def _may_be_marked(row: TaskRow, snapshot: RunSnapshot) -> bool:
    return row.state not in ACTIVE and row.state not in GOOD


def _may_restart(row: TaskRow, snapshot: RunSnapshot) -> bool:
    return row.state in FINAL or row.state in ACTIVE or row.state is TaskState.BACKOFF


_ON_TASKS: Mapping[str, Callable[[TaskRow, RunSnapshot], bool]] = {
    "task.cancel": lambda row, now: row.state not in FINAL and row.state is not TaskState.CANCELLING,
    "task.abandon": lambda row, now: row.state in ACTIVE,
    "task.restart": _may_restart,
    "task.restart-downstream": _may_restart,
    "task.hold": lambda row, now: row.held or (row.state not in FINAL and row.state not in ACTIVE),
    "task.step": lambda row, now: row.held,
    "task.mark": _may_be_marked,
    "task.succeed": _may_be_marked,
    "task.skip": _may_be_marked,
    "task.where": lambda row, now: row.state in ACTIVE,
    "task.down": lambda row, now: not row.gone,
    "task.scale": _has_replicas,
}
_ON_RUN: Mapping[str, Callable[[RunSnapshot], bool]] = {
    "run.retry-failed": lambda now: any(now.counts.get(state, 0) for state in BAD),
    "run.breaker": lambda now: bool(now.breakers),
    "run.pool": lambda now: any(key.startswith("pool:") for key in now.limits),
    "run.start": upkeep.keeps,
}


def is_useful(action: str, snapshot: RunSnapshot, row: TaskRow | None) -> bool:
    """Whether the action of that id would do something: to the task, or to the run. One about neither would."""
    if action.startswith("task."):
        on_task = _ON_TASKS.get(action)
        return row is not None and (on_task is None or on_task(row, snapshot))
    on_run = _ON_RUN.get(action)
    return on_run is None or on_run(snapshot)
