"""What became of each task over all sessions of a run, as far as results are concerned: a small fold over its events.

(The whole state of a run is another fold, `dagtop.core.ledger`; this one knows where each result lies.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from msgspec.structs import asdict

from dagtop.core.breaker_settings import changes_of
from dagtop.core.commands import ScaleTask, SetBreaker, SetMaxParallel, SetPolicy, SetPoolLimit, SkipTask
from dagtop.core.escalation import EscalationReport
from dagtop.core.events import (
    AnyEvent,
    CommandApplied,
    EscalationAcknowledged,
    GateDecided,
    GraphChanged,
    RunFinished,
    RunReopened,
    RunResumed,
    RunStarted,
    TaskBlocked,
    TaskCached,
    TaskCancelled,
    TaskEscalated,
    TaskFailed,
    TaskRestarted,
    TaskRetrying,
    TaskSkipped,
    TaskStale,
    TaskStarted,
    TaskSucceeded,
    TaskTimedOut,
    TaskWanted,
)
from dagtop.core.states import RunState
from dagtop.core.values import dataclass

#: Begins the reason of a task that starts over only because tasks that it spawned must be there again.
SPAWNS_AGAIN = "it spawns its tasks again"

#: How many escalation reports a run that is resumed has at hand; all of them are in the journal.
ESCALATIONS = 200


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
    note: str = ""
    """Said of one that a person gave: nothing upstream has a part in that."""


@dataclass(slots=True)
class Spawned:
    """A task that came while the run went on."""

    upstream: tuple[str, ...]
    spawner: str
    session: int
    """In which it came last."""
    expected: bool = True
    """False once the task that spawned it has started again in a later session, and not spawned it again yet."""


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
    reason: str = ""
    """Why it was skipped, if it was."""
    redone: int = 0
    """Number of the event that last took a result away; 0 if none did."""
    remade: int = 0
    """The same, but for starts only to spawn again, from which the same comes out."""
    stale: int = 0
    """Number of the event that last said that an upstream ran again after it; 0 if none did since its result."""
    skipped_by_hand: bool = False
    """A person skipped it, and nobody has had it start over since."""
    approved: bool = False
    """It was let through its gate."""
    passed_gate: bool = False
    """It has started since it was let through its gate, and was not told to start over."""
    swapped: int = 0
    """Number of the event that gave it other code while the run went on."""
    started: int = 0
    """Number of the event that told of its latest start."""
    down: str | None = None
    """Why a person has it down; None if nobody has."""
    policy: dict[str, Any] = field(default_factory=dict)
    """Fields of its policy that were changed while the run went on, as `SetPolicy` has them."""
    replicas: int | None = None
    """How many a person wants of it."""


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
    spawned: dict[str, Spawned] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    """By task: what it has spawned."""
    rewired: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By task: all that it was made to wait for while the run went on; what another process had not spawned again yet too."""

    removed: set[str] = field(default_factory=set)
    """Tasks that were taken out of the graph while the run went on, and did not come back."""
    limits: dict[str, int] = field(default_factory=dict)
    """Limits that a person has changed: "max_parallel", and pools by "pool:NAME"."""
    breakers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By breaker: settings that a person has changed, as `SetBreaker` has them."""
    escalations: deque[EscalationReport] = field(default_factory=lambda: deque(maxlen=ESCALATIONS))
    """The latest ones."""
    acknowledged: dict[int, EscalationAcknowledged] = field(default_factory=dict)
    """By number of the escalation that somebody looks after."""

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
        task.skipped_by_hand = False
        task.passed_gate = task.approved
        task.started = self.seen
        self.removed.discard(event.task)
        if event.task in self.children:
            now = self.session_of(self.seen)
            for name in self.children[event.task]:
                self.spawned[name].expected = self.spawned[name].session == now

    def _succeeded(self, event: TaskSucceeded) -> None:
        task = self._task(event.task)
        task.attempts = max(task.attempts, event.attempt)
        self._has_result(task, event.attempt, None, note=event.note)

    def _cached(self, event: TaskCached) -> None:
        task = self._task(event.task)
        self._has_result(task, 0, task.result)

    def _starts_over(self, event: TaskRestarted) -> None:
        task = self._task(event.task)
        self._undo(task, remade=not event.reason.startswith(SPAWNS_AGAIN))
        task.skipped_by_hand = task.approved = task.passed_gate = False

    def _retrying(self, event: TaskRetrying) -> None:
        self._undo(self._task(event.task))

    def _ended_without(self, event: TaskFailed | TaskTimedOut | TaskCancelled | TaskSkipped | TaskBlocked) -> None:
        task = self._task(event.task)
        self._undo(task)
        task.ended = self.seen
        task.ending = event.type.removeprefix("task.").replace("_", " ")
        task.reason = event.reason if isinstance(event, TaskSkipped) else ""

    def _commanded(self, event: CommandApplied) -> None:
        match event.command:
            case SkipTask(task=name):
                self._task(name).skipped_by_hand = True
            case SetPolicy() as command:
                given = {key: value for key, value in asdict(command).items() if key != "task" and value is not None}
                self._task(command.task).policy.update(given)
            case ScaleTask(task=name, replicas=replicas):
                self._task(name).replicas = replicas
            case SetMaxParallel(limit=limit):
                self.limits["max_parallel"] = limit
            case SetPoolLimit(pool=pool, limit=limit):
                self.limits[f"pool:{pool}"] = limit
            case SetBreaker(breaker=name) as command:
                self.breakers.setdefault(name, {}).update(changes_of(command))
            case _:
                pass

    def _wanted(self, event: TaskWanted) -> None:
        self._task(event.task).down = None if event.up else event.reason

    def _escalated(self, event: TaskEscalated) -> None:
        self.escalations.append(event.report)

    def _acknowledged(self, event: EscalationAcknowledged) -> None:
        if event.withdrawn:
            self.acknowledged.pop(event.number, None)
        else:
            self.acknowledged[event.number] = event

    def _gate_decided(self, event: GateDecided) -> None:
        self._task(event.task).approved = event.approved

    def _graph_changed(self, event: GraphChanged) -> None:
        session = self.session_of(self.seen)
        self.removed = (self.removed | {*event.removed}) - {task.name for task in event.added}
        for task in event.added:
            self.spawned[task.name] = Spawned(task.upstream, event.spawner, session)
            self.children.setdefault(event.spawner, []).append(task.name)
        for name in event.changed:
            self._task(name).swapped = self.seen
        for name in event.removed:
            if name in self.tasks:  # should it come back, it comes as the graph says
                gone = self.tasks[name]
                gone.down, gone.policy, gone.replicas = None, {}, None
            if name in self.spawned:
                self.spawned[name].expected = False
        for name, upstream in event.rewired.items():
            self.rewired[name] = tuple(dict.fromkeys((*self.rewired.get(name, ()), *upstream)))

    def _stale(self, event: TaskStale) -> None:
        self._task(event.task).stale = self.seen

    def _has_result(self, task: TaskHistory, attempt: int, earlier: Result | None, *, note: str = "") -> None:
        session = self.session_of(self.seen)
        task.result = Result(number=self.seen, session=session, attempt=attempt, earlier=earlier, note=note)
        task.ending = ""
        task.skipped_by_hand = False
        task.stale = 0

    def _undo(self, task: TaskHistory, *, remade: bool = True) -> None:
        if task.result is not None:
            task.redone = self.seen
            if remade:
                task.remade = self.seen
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
    TaskRetrying: History._retrying,
    TaskFailed: History._ended_without,
    TaskTimedOut: History._ended_without,
    TaskCancelled: History._ended_without,
    TaskSkipped: History._ended_without,
    TaskBlocked: History._ended_without,
    TaskStale: History._stale,
    TaskWanted: History._wanted,
    CommandApplied: History._commanded,
    TaskEscalated: History._escalated,
    EscalationAcknowledged: History._acknowledged,
    GateDecided: History._gate_decided,
    GraphChanged: History._graph_changed,
}
