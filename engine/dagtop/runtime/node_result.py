"""`NodeResult`: how one node of a `MetaDAG` ended, and what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dagtop.core.nearest import nearest
from dagtop.core.paths import SLASH, is_inside
from dagtop.core.states import BAD, TaskState

if TYPE_CHECKING:
    from dagtop.runtime.result import RunResult, TaskResult


class NodeResult:
    """How a node ended: `result.node("ingest")["page_a"].output`."""

    def __init__(self, result: RunResult, path: str) -> None:
        plan = result.plan
        index = plan.index.get(path)
        if index is None or index not in plan.nodes:
            nodes = [plan.names[i] for i in plan.nodes]
            raise KeyError(f"there is no node {path!r}{nearest(str(path), nodes)}")
        self._result, self.path = result, path
        own = result[path]
        self.state: TaskState = own.state
        self.reason = own.reason or (own.failure.message if own.failure is not None else "")
        """Why it did not succeed."""
        self.output: dict[str, Any] | None = own.output
        """What its tasks returned, by name; None if it did not succeed."""
        self.names = tuple(name for i, name in enumerate(plan.names) if is_inside(name, path) and i not in plan.nodes)
        """The paths of all tasks in it, at every level."""

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        return f"NodeResult({self.path!r}, {self.state.value}, {counts})"

    def __getitem__(self, name: str) -> TaskResult:
        return self._result[f"{self.path}{SLASH}{name}"]

    def __iter__(self) -> Iterator[TaskResult]:
        return (self._result[name] for name in self.names)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def counts(self) -> dict[str, int]:
        """States of its tasks by name in lower case."""
        return dict(Counter(task.state.value for task in self))

    @property
    def failed(self) -> tuple[TaskResult, ...]:
        """The tasks in it that failed, timed out or were blocked."""
        return tuple(task for task in self if task.state in BAD)

    @property
    def duration(self) -> float | None:
        """Seconds from the first attempt in it to the last end; None if nothing in it ran."""
        begun = [task.started_at for task in self if task.started_at is not None]
        begun += [past.started_at for task in self for past in task.history]
        ended = [task.ended_at for task in self if task.ended_at is not None and task.attempts]
        return max(0.0, max(ended) - min(begun)) if begun and ended else None
