"""What running tasks say of themselves, from any thread: lines, progress, readiness. Drained into events by the engine."""

from __future__ import annotations

from collections import deque
from typing import Any

from dagtop.core.events import Log, Problem, TaskProgress
from dagtop.core.machine import RunMachine
from dagtop.core.plan import Plan
from dagtop.runtime.capture import Captured
from dagtop.runtime.inbox import Doorbell

#: Shortest time between two progress events of a run's tasks, in seconds: a task may report as often as it likes.
PROGRESS_EVERY = 0.1

#: Most lines that are turned into events at one go, so that a flood of them does not keep the loop.
LINES_AT_ONCE = 2_000


class Reports:
    """Collects what tasks report and hands it to the machine."""

    def __init__(self, plan: Plan, doorbell: Doorbell) -> None:
        self._names = plan.names
        self._index = plan.index
        self._doorbell = doorbell
        self.lines: deque[Captured] = deque()
        self.begun: deque[tuple[int, int]] = deque()
        """(task, attempt) of those whose body has begun in another process."""
        self._progress: dict[int, tuple[float, float | None, str]] = {}
        self._other: deque[tuple[str, int, str]] = deque()
        self.ready: deque[tuple[int, int, Any]] = deque()
        """(task, attempt, value) of those that said `ctx.ready(value)`."""
        self._progress_at = -PROGRESS_EVERY
        self.line_counts: dict[int, int] = {}
        """By task: how many lines it has had."""

    # -- from any thread --------------------------------------------------------------------------------------------

    def captured(self, line: Captured) -> None:
        """A task printed or logged a line."""
        self.lines.append(line)
        self._doorbell.ring()

    def note(self, task: str, attempt: int, text: str) -> None:
        """Something is to be said about a task's output, among its lines."""
        self.captured(Captured(task, attempt, "log", "WARNING", text))

    def told(self, index: int, what: str, values: tuple[Any, ...]) -> None:
        """A task used its context: "progress" or "ready"; or its body has "begun" in another process."""
        if what == "progress":
            self._progress[index] = values
        elif what == "begun":
            self.begun.append((index, *values))
        else:
            attempt, value = values
            self.ready.append((index, attempt, value))
        self._doorbell.ring()

    def problem(self, source: str, message: str, task: str = "") -> None:
        """Something around the run went wrong."""
        self._other.append((source, self._index.get(task, -1), message))
        self._doorbell.ring()

    # -- on the engine's thread -------------------------------------------------------------------------------------

    def grow(self, plan: Plan) -> None:
        """The graph has further tasks."""
        self._names, self._index = plan.names, plan.index

    def settle(self, index: int) -> None:
        """An attempt is over; what it reported last is not worth an event any more."""
        if self._progress:
            self._progress.pop(index, None)

    def late(self, now: float) -> tuple[Problem, ...]:
        """Problems that came when the run had ended and no event could tell of them any more."""
        told = [self._other.popleft() for _ in range(len(self._other))]
        return tuple(
            Problem(now, source, message, self._names[index] if index >= 0 else "") for source, index, message in told
        )

    def drain(self, machine: RunMachine, now: float) -> float | None:
        """Turn what was reported into events; seconds until it is worth calling again, None if that is not known."""
        while self._other:
            source, index, message = self._other.popleft()
            name = self._names[index] if index >= 0 else ""
            machine.note(Problem(now, source, message, name))
        for _ in range(min(len(self.lines), LINES_AT_ONCE)):
            line = self.lines.popleft()
            index = self._index.get(line.task, -1)
            self.line_counts[index] = self.line_counts.get(index, 0) + 1
            machine.note(Log(now, line.task, line.attempt, line.stream, line.level, line.line))
        if self.lines:
            return 0.0
        if not self._progress:
            return None
        wait = self._progress_at + PROGRESS_EVERY - now
        if wait > 0:
            return wait
        self._progress_at = now
        while self._progress:
            index, (done, total, message) = self._progress.popitem()
            machine.note(TaskProgress(now, self._names[index], done, total, message))
        return None
