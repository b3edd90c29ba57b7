"""What became of each task over all sessions of a run, as far as results are concerned: a small fold over its events.

(The whole state of a run is another fold, `dagtop.core.ledger`; this one knows where each result lies.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagtop.core.events import (
    AnyEvent,
    RunFinished,
    RunReopened,
    RunResumed,
    RunStarted,
    TaskBlocked,
    TaskCached,
    TaskCancelled,
    TaskFailed,
    TaskRestarted,
    TaskRetrying,
    TaskSkipped,
    TaskStale,
    TaskStarted,
    TaskSucceeded,
    TaskTimedOut,
)
from dagtop.core.states import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A success, and where its output lies."""

    number: int
    """Number of the event that told of it."""
    session: int
    attempt: int
    """0: taken from a cache; then a row must be there, even for None."""
    earlier: Result | None = None
    """For a cached one: the result that still stood when it came, which it may be a note about."""


@dataclass(slots=True)
class TaskHistory:
    """What is known of one task so far."""

    result: Result | None = None
    """Its success, while that stands."""
    ending: str = ""
    """Why it has no result though it has ended: "failed", "timed out", "cancelled", "blocked" or "skipped"."""
    ended: int = 0
    """Number of the event that told of that ending."""
    attempts: int = 0
    """Number of its latest attempt."""
    redone: int = 0
    """Number of the event that last took a result away; 0 if none did."""
    stale: int = 0
    """Number of the event that last said that an upstream ran again after it; 0 if none did since its result."""


@dataclass(slots=True)
class History:
    """The fold. Feed it every event, in order."""

    session_starts: Sequence[int]
    """Number of the first event of each session."""
    tasks: dict[str, TaskHistory] = field(default_factory=dict)
    seen: int = 0
    """Number of the latest event."""
    at: float = 0.0
    """Its time; events of the next session come later than that."""
    ended: RunState | None = None
    """How the run ended, if it did and did not go on."""

    def apply(self, event: AnyEvent) -> None:
        """Take the next event."""
        self.seen += 1
        self.at = max(self.at, event.at)
        step = _STEPS.get(type(event))
        if step is not None:
            step(self, event)

    def session_of(self, number: int) -> int:
        """The session in which an event was recorded, from 1."""
        return bisect_right(self.session_starts, number)

    def _run_goes_on(self, event: RunStarted | RunResumed | RunReopened) -> None:
        self.ended = None

    def _run_finished(self, event: RunFinished) -> None:
        self.ended = event.state

    def _task(self, name: str) -> TaskHistory:
        task = self.tasks.get(name)
        if task is None:
            task = self.tasks[name] = TaskHistory()
        return task

    def _started(self, event: TaskStarted) -> None:
        task = self._task(event.task)
        task.attempts = max(task.attempts, event.attempt)
        self._undo(task)

    def _succeeded(self, event: TaskSucceeded) -> None:
        task = self._task(event.task)
        task.attempts = max(task.attempts, event.attempt)
        self._has_result(task, event.attempt, None)

    def _cached(self, event: TaskCached) -> None:
        task = self._task(event.task)
        self._has_result(task, 0, task.result)

    def _starts_over(self, event: TaskRestarted | TaskRetrying) -> None:
        self._undo(self._task(event.task))

    def _ended_without(self, event: TaskFailed | TaskTimedOut | TaskCancelled | TaskSkipped | TaskBlocked) -> None:
        task = self._task(event.task)
        self._undo(task)
        task.ended = self.seen
        task.ending = event.type.removeprefix("task.").replace("_", " ")

    def _stale(self, event: TaskStale) -> None:
        self._task(event.task).stale = self.seen

    def _has_result(self, task: TaskHistory, attempt: int, earlier: Result | None) -> None:
        session = self.session_of(self.seen)
        task.result = Result(number=self.seen, session=session, attempt=attempt, earlier=earlier)
        task.ending = ""
        task.stale = 0

    def _undo(self, task: TaskHistory) -> None:
        if task.result is not None:
            task.redone = self.seen
        task.result = None
        task.ending = ""


_STEPS: dict[type, Callable[[History, Any], None]] = {
    RunStarted: History._run_goes_on,
    RunResumed: History._run_goes_on,
    RunReopened: History._run_goes_on,
    RunFinished: History._run_finished,
    TaskStarted: History._started,
    TaskSucceeded: History._succeeded,
    TaskCached: History._cached,
    TaskRestarted: History._starts_over,
    TaskRetrying: History._starts_over,
    TaskFailed: History._ended_without,
    TaskTimedOut: History._ended_without,
    TaskCancelled: History._ended_without,
    TaskSkipped: History._ended_without,
    TaskBlocked: History._ended_without,
    TaskStale: History._stale,
}
