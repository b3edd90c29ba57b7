"""The orders of the table of tasks: what rows are sorted by. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import TaskState

from dagtop_app.faces import is_at_gate
from dagtop_app.tasks.table_columns import is_slow, times_usual
from dagtop_app.tasks.upkeep import is_between_rounds

_S = TaskState

#: Sort modes, in the order of the menu, with what they do.
SORTS: dict[str, str] = {
    "problems": "failed, at a gate, retrying, blocked, slow, running, queued, waiting, done",
    "graph": "as the graph declares them",
    "name": "by name",
    "state": "by state, in the order of a task's life",
    "time": "longest attempt first",
    "tries": "most attempts first",
    "recent": "latest started first",
    "start": "earliest started first",
    "slow": "slowest against what is usual first",
    "lanes": "as they depend on each other, with lanes beside them",
}

_RANK = {
    _S.FAILED: 0, _S.TIMED_OUT: 0, _S.BACKOFF: 1, _S.BLOCKED: 2, _S.CANCELLING: 3, _S.RUNNING: 4, _S.READY: 5,
    _S.HELD: 6, _S.WAITING: 7, _S.CANCELLED: 8, _S.SKIPPED: 9, _S.SUCCEEDED: 10, _S.CACHED: 10,
}  # fmt: skip
#: Of a task that runs longer than it usually does, by far.
_SLOW = 3.5
#: Of a task at its gate: after what failed, before all that may move by itself.
_AT_GATE = 0.5
LIFE = {state: place for place, state in enumerate(TaskState)}


def rank(row: TaskRow) -> float:
    """Its place in the order of problems."""
    return _AT_GATE if is_at_gate(row) else _RANK[_S.RUNNING if is_between_rounds(row) else row.state]


def _taken(row: TaskRow, at: float) -> float:
    if row.started_at is None:
        return -1.0
    return (row.ended_at if row.ended_at is not None and row.ended_at >= row.started_at else at) - row.started_at


def keys_of(
    sort: str, snapshot: RunSnapshot, rows: Sequence[TaskRow], *, usual: Mapping[int, Usual], level: str | None
) -> list[Any]:
    """What rows are sorted by, each; `level`: the node whose inside is shown, None for all levels."""
    match sort:
        case "name":
            return [row.name.lower() for row in rows]
        case "state":
            return [LIFE[row.state] for row in rows]
        case "time":
            at = snapshot.at
            return [-_taken(row, at) for row in rows]
        case "tries":
            return [-row.attempt for row in rows]
        case "start":
            return [row.started_at if row.started_at is not None else 1e18 for row in rows]
        case "slow":
            return [-(times_usual(snapshot, row, usual) or -1.0) for row in rows]
        case "lanes":
            from dagtop_app.graph.lanes import places_of  # noqa: PLC0415 - the drawing of graphs is loaded when it is shown

            place = places_of(snapshot.plan, level)
            return [place[row.index] for row in rows]
        case "recent":
            return [-row.started_at if row.started_at is not None else 1e18 for row in rows]
        case _:
            if usual:
                return [_SLOW if is_slow(snapshot, row, usual) else rank(row) for row in rows]
            retry = _S.BACKOFF
            return [_RANK[row.state] if row.gate is None and row.state is not retry else rank(row) for row in rows]
