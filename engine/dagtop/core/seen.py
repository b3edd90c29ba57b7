"""A run as a snapshot shows it, to judge commands by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dagtop.core.desired import Desired
from dagtop.core.events import GateWaiting
from dagtop.core.policy import TaskPolicy
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import TaskState


class Seen:
    """A `Situation` as a snapshot shows it. Of what is told of tasks only that is gathered which is asked for."""

    state: list[TaskState]
    policies: list[TaskPolicy]
    held: dict[int, str]
    reason: dict[int, str]
    gates: dict[int, GateWaiting]
    torn_down: set[int]
    desired: Desired

    def __init__(self, snapshot: RunSnapshot) -> None:
        self._rows = snapshot.rows
        self.plan = snapshot.plan
        self.run_state = snapshot.state
        self.max_parallel = snapshot.max_parallel
        self.escalations = list(snapshot.escalations)
        self.acknowledged = dict(snapshot.acknowledged)

    def __getattr__(self, name: str) -> Any:
        gather = _GATHERED.get(name)
        if gather is None:
            raise AttributeError(name)
        found = gather(self._rows)
        setattr(self, name, found)
        return found


def _desired(rows: Sequence[TaskRow]) -> Desired:
    desired = Desired()
    desired.restarts = {row.index: (row.restarts, row.crashes) for row in rows if row.restarts}
    desired.serving = {row.index for row in rows if row.serving}
    desired.down = {row.index for row in rows if not row.wanted}
    desired.gone = {row.index for row in rows if row.gone}
    return desired


_GATHERED: Mapping[str, Callable[[Sequence[TaskRow]], object]] = {
    "state": lambda rows: [row.state for row in rows],
    "policies": lambda rows: [row.policy for row in rows],
    "held": lambda rows: {row.index: row.held_by for row in rows if row.held},
    "reason": lambda rows: {row.index: row.reason for row in rows if row.reason},
    "gates": lambda rows: {row.index: row.gate for row in rows if row.gate is not None},
    "torn_down": lambda rows: {row.index for row in rows if row.torn_down},
    "desired": _desired,
}
