"""From the ledger to snapshots: rows are made anew only for tasks that events named since the last one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from dagtop.core.events import AnyEvent, CommandApplied, CommandRefused, Log, Problem, TaskEvent
from dagtop.core.ledger import Ledger
from dagtop.core.snapshot import EMPTY, RunSnapshot, TaskRow

#: Shortest time between two snapshots, and longest while the run goes on (its clock ticks), in seconds.
SHORTEST, LONGEST = 0.05, 0.2


class SnapshotBox:
    """Holds the latest snapshot. Replaced as a whole by the engine, read by anybody."""

    __slots__ = ("latest",)

    def __init__(self) -> None:
        self.latest: RunSnapshot = EMPTY


class Publisher:
    """A recorder that keeps a `SnapshotBox` up to date."""

    def __init__(self, box: SnapshotBox) -> None:
        self._box = box
        self._ledger: Ledger | None = None
        self._rows: list[TaskRow] = []
        self._dirty: set[int] = set()
        self._changed = True
        self._events = 0
        self._problems: deque[Problem] = deque(maxlen=100)
        self._problem_count = 0
        self._answers: deque[CommandApplied | CommandRefused] = deque(maxlen=50)
        self._published_at = -LONGEST

    def watch(self, ledger: Ledger) -> None:
        """Start with a ledger that nothing was read from yet."""
        self._ledger = ledger
        self._rows = [row_of(ledger, index) for index in range(len(ledger.plan))]
        self._changed = True

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Note what must be drawn anew."""
        assert self._ledger is not None, "watch comes first"
        index, dirty = self._ledger.plan.index, self._dirty
        for event in batch:
            if isinstance(event, TaskEvent):
                dirty.add(index[event.task])
            elif isinstance(event, Log):
                continue
            elif isinstance(event, Problem):
                self._problems.append(event)
                self._problem_count += 1
            elif isinstance(event, (CommandApplied, CommandRefused)):
                self._answers.append(event)
        self._events = first + len(batch) - 1
        self._changed = True

    def due_in(self, now: float, *, ticking: bool) -> float | None:
        """Seconds until `publish` should be called; None if nothing changes. `ticking`: the run's clock goes on."""
        if not self._changed and not ticking:
            return None
        wait = self._published_at + (SHORTEST if self._changed else LONGEST) - now
        return wait if wait > 0 else 0.0

    def publish(self, now: float) -> None:
        """Put a new snapshot into the box."""
        ledger = self._ledger
        assert ledger is not None, "watch comes first"
        if self._dirty:
            rows = self._rows.copy()
            for index in self._dirty:
                rows[index] = row_of(ledger, index)
            self._rows = rows
            self._dirty = set()
        self._changed = False
        self._published_at = now
        self._box.latest = RunSnapshot(
            version=self._box.latest.version + 1,
            run=ledger.run,
            graph=ledger.plan.name,
            state=ledger.run_state,
            at=now,
            started_at=ledger.started_at,
            plan=ledger.plan,
            rows=self._rows,
            counts=dict(ledger.counts),
            max_parallel=ledger.max_parallel,
            reason=ledger.run_reason,
            problems=tuple(self._problems),
            problem_count=self._problem_count,
            answers=tuple(self._answers),
            events_seen=self._events,
        )


def row_of(ledger: Ledger, index: int) -> TaskRow:
    """One task as it is now."""
    return TaskRow(
        index=index,
        name=ledger.plan.names[index],
        state=ledger.state[index],
        attempt=ledger.attempt[index],
        ready_at=ledger.ready_at[index],
        started_at=ledger.attempt_started[index],
        ended_at=ledger.ended_at[index],
        due_at=ledger.due_at.get(index),
        reason=ledger.reason.get(index, ""),
        failure=ledger.failure.get(index),
        history=ledger.history.get(index, ()),
        progress=ledger.progress.get(index),
        held=index in ledger.held,
        stale=index in ledger.stale,
        policy=ledger.policies[index],
    )
