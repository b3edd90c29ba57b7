"""What the view of the circuit breakers tells: who asks each, how calls fared lately, when it let nobody through. No terminal."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from operator import is_not
from typing import NamedTuple

from dagtop.core import events as ev
from dagtop.core.breakers import BreakerView
from dagtop.core.forecast import Usual
from dagtop.core.guards import BreakerState
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import FINAL, TaskState
from dagtop.core.topology import critical_path, reach
from dagtop.observe.spans import Kind
from dagtop.observe.story import Story, Turn

from dagtop_app.graph.critical import durations

#: Calls that are remembered of one breaker, for its p95 and its latest minute.
CALLS = 500
#: Seconds that "lately" is.
LATELY = 60.0
#: With more tasks than this the critical path, and who waited how long, are not worked out.
MOST = 20_000
#: How the engine names the failure of a task that does not wait for its breaker.
_TURNED_AWAY = "CircuitOpenError"
_CLOSED = BreakerState.CLOSED.value


class Call(NamedTuple):
    """An attempt that a breaker had let through, and that has ended."""

    at: float
    """When it ended."""
    seconds: float
    ok: bool


class Users:
    """Who asks each breaker, kept up to date by what is different from one snapshot to the next."""

    def __init__(self) -> None:
        self._rows: Sequence[TaskRow] = ()
        self._asked: dict[int, str] = {}
        self._tasks: dict[str, dict[int, None]] = {}
        self._states: dict[str, Counter[TaskState]] = {}

    def take(self, snapshot: RunSnapshot) -> None:
        """Look at the rows that are others now."""
        before, now = self._rows, snapshot.rows
        if before is now:
            return
        if len(now) < len(before) or (now and before and now[0].name != before[0].name):  # another run
            self._asked, self._tasks, self._states, before = {}, {}, {}, ()
        for index in compress(range(len(before)), map(is_not, before, now)):
            self._drop(before[index])
            self._add(now[index])
        for row in now[len(before) :]:
            self._add(row)
        self._rows = now

    def tasks(self, breaker: str) -> Sequence[int]:
        """The tasks that ask it, in the graph's order."""
        return sorted(self._tasks.get(breaker, ()))

    def count(self, breaker: str, state: TaskState | None = None) -> int:
        """How many of them there are, or are in that state."""
        return len(self._tasks.get(breaker, ())) if state is None else self._states.get(breaker, Counter())[state]

    def asked_by(self, index: int) -> str:
        """The breaker that a task asks, "" if it asks none."""
        return self._asked.get(index, "")

    def _add(self, row: TaskRow) -> None:
        circuit = row.policy.circuit
        if circuit and not row.gone:
            self._asked[row.index] = circuit
            self._tasks.setdefault(circuit, {})[row.index] = None
            self._states.setdefault(circuit, Counter())[row.state] += 1

    def _drop(self, row: TaskRow) -> None:
        circuit = self._asked.pop(row.index, "")
        if circuit:
            self._tasks[circuit].pop(row.index, None)
            self._states[circuit][row.state] -= 1


class Calls:
    """How the attempts fared that breakers let through: a fold of the story's latest events."""

    def __init__(self) -> None:
        self._seen = 0
        self._begun: dict[str, float] = {}
        self._ended: dict[str, deque[Call]] = {}
        self.rejected: Counter[str] = Counter()
        """By breaker: tasks that failed because it was not closed."""

    def take(self, story: Story, snapshot: RunSnapshot) -> None:
        """Take what has happened since the last time."""
        if story.seen < self._seen:  # an earlier moment, or another run
            self.__init__()  # type: ignore[misc]  # as new
        if story.seen == self._seen:
            return
        new: list[ev.AnyEvent] = []
        for number, event in reversed(story.events):
            if number <= self._seen:
                break
            new.append(event)
        self._seen = story.seen
        index_of, rows = snapshot.plan.index, snapshot.rows
        for event in reversed(new):
            if isinstance(event, _ABOUT):
                index = index_of.get(event.task)
                circuit = rows[index].policy.circuit if index is not None and index < len(rows) else ""
                if circuit:
                    self._one(circuit, event)

    def of(self, breaker: str) -> Sequence[Call]:
        """The latest, oldest first."""
        return self._ended.get(breaker, ())

    def _one(self, circuit: str, event: ev.TaskEvent) -> None:
        if isinstance(event, ev.TaskStarted):
            self._begun[event.task] = event.at
            return
        begun = self._begun.pop(event.task, None)
        failure = getattr(event, "failure", None)
        if failure is not None and failure.error == _TURNED_AWAY:
            self.rejected[circuit] += 1
        if begun is None:
            return
        ok = isinstance(event, ev.TaskSucceeded) or (isinstance(event, ev.TaskRestarting) and failure is None)
        if ok or not isinstance(event, _NEITHER):
            self._ended.setdefault(circuit, deque(maxlen=CALLS)).append(Call(event.at, event.at - begun, ok))


_NEITHER = (ev.TaskCancelled, ev.TaskSkipped, ev.TaskRestarted)
_ABOUT = (
    ev.TaskStarted,
    ev.TaskSucceeded,
    ev.TaskRetrying,
    ev.TaskRestarting,
    ev.TaskFailed,
    ev.TaskTimedOut,
    ev.TaskBlocked,
    *_NEITHER,
)


def p95(calls: Sequence[Call]) -> float | None:
    """How long 95 of 100 of the latest calls took at most; None without any."""
    if not calls:
        return None
    took = sorted(call.seconds for call in calls)
    return took[min(len(took) - 1, -(-len(took) * 95 // 100) - 1)]


def lately(calls: Sequence[Call], at: float, cells: int, seconds: float = LATELY) -> str:
    """The latest calls in `cells` pieces of time, oldest first: "+" all went well, "!" all failed, "?" some did, "." none."""
    good, bad = [0] * cells, [0] * cells
    for call in reversed(calls):
        place = cells - 1 - int((at - call.at) / seconds * cells)
        if place < 0:
            break
        if call.ok:
            good[min(place, cells - 1)] += 1
        else:
            bad[min(place, cells - 1)] += 1
    return "".join("?" if g and b else "+" if g else "!" if b else "." for g, b in zip(good, bad, strict=True))


# -- what has happened ---------------------------------------------------------------------------------------------------


def turns_of(view: BreakerView, story: Story) -> Sequence[Turn]:
    """Its moves, oldest first: as the run was told, or else what the breaker itself remembers."""
    told = story.breakers.get(view.name)
    if told:
        return tuple(told)
    return tuple(Turn(moved.at, moved.state, moved.reason, moved.by_force) for moved in view.recent)


class Stretch(NamedTuple):
    """A time in which the breaker was in one state."""

    start: float
    end: float
    state: str


def stretches(turns: Iterable[Turn], at: float) -> Iterator[Stretch]:
    """The states in force from the beginning until `at`."""
    computed, forced, since = _CLOSED, "", 0.0
    for turn in turns:
        was = forced or computed
        if turn.forced:
            forced = turn.state
        else:
            computed = turn.state or computed
        if (forced or computed) != was:
            begun = min(max(turn.at, since), at)
            if begun > since:
                yield Stretch(since, begun, was)
            since = begun
    if at > since:
        yield Stretch(since, at, forced or computed)


class Effect(NamedTuple):
    """What the breaker has cost so far."""

    seconds: float
    """For how long some task waited that could have run but for the breaker."""
    critical: float
    """For how long tasks of the critical path did."""
    tasks: int
    """How many waited."""


def effect(
    snapshot: RunSnapshot, story: Story, turns: Sequence[Turn], users: Sequence[int], usual: Mapping[int, Usual]
) -> Effect | None:
    """How long tasks waited at it; None if there are too many to tell."""
    if len(snapshot.rows) > MOST:
        return None
    shut = [(one.start, one.end) for one in stretches(turns, snapshot.at) if one.state != _CLOSED]
    if not shut:
        return Effect(0.0, 0.0, 0)
    waited = {index: pieces for index in users if (pieces := [*_waited(snapshot, story, index, shut)])}
    if not waited:
        return Effect(0.0, 0.0, 0)
    took = durations(snapshot, usual)
    for index, pieces in waited.items():  # what they waited made them late
        took[index] += _covered(pieces)
    path = set(critical_path(snapshot.plan, took))
    on_path = [piece for index in waited if index in path for piece in waited[index]]
    return Effect(_covered(piece for them in waited.values() for piece in them), _covered(on_path), len(waited))


def _waited(
    snapshot: RunSnapshot, story: Story, index: int, shut: Sequence[tuple[float, float]]
) -> Iterator[tuple[float, float]]:
    """When a task was ready while the breaker was not closed."""
    track = story.track(snapshot.rows[index].name)
    if track is None:
        return
    for span in track.until(snapshot.at):
        if span.kind is Kind.QUEUE:
            for start, end in shut:
                if start < span.end and span.start < end:
                    yield max(start, span.start), min(end, span.end)


def _covered(pieces: Iterable[tuple[float, float]]) -> float:
    """Seconds that are in one of them at least."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(pieces):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


# -- who is concerned ----------------------------------------------------------------------------------------------------

_ORDER: Mapping[TaskState, int] = {
    state: place
    for place, state in enumerate(
        (
            TaskState.FAILED,
            TaskState.TIMED_OUT,
            TaskState.BLOCKED,
            TaskState.BACKOFF,
            TaskState.READY,
            TaskState.CANCELLING,
            TaskState.RUNNING,
            TaskState.HELD,
            TaskState.WAITING,
        )
    )
}


def by_trouble(snapshot: RunSnapshot, tasks: Iterable[int]) -> list[TaskRow]:
    """Tasks, the troubled ones first, then those that do something."""
    rows = [snapshot.rows[index] for index in tasks if index < len(snapshot.rows)]
    return sorted(rows, key=lambda row: (_ORDER.get(row.state, len(_ORDER)), row.index))


def held_up(snapshot: RunSnapshot, waiting: Iterable[int]) -> list[TaskRow]:
    """What cannot start before one of these tasks has run, as the graph has it; in a large one only what is next to them."""
    downstream = snapshot.plan.downstream
    if len(snapshot.rows) > MOST:
        after = {below for index in waiting for below in downstream[index]}
    else:
        after = reach(downstream, waiting)
    return [row for index in sorted(after) if (row := snapshot.rows[index]).state not in FINAL]


def order_of(views: Sequence[BreakerView]) -> list[BreakerView]:
    """Those that are open first, then half open, then forced, then all others as the run has them."""

    def rank(view: BreakerView) -> int:
        if view.forced is None and view.state is not BreakerState.CLOSED:
            return 0
        return 1 if view.forced is not None else 2

    return sorted(views, key=rank)


def counts(views: Sequence[BreakerView]) -> tuple[int, int, int]:
    """(open, half open, forced)."""
    opened = sum(view.forced is None and view.state is BreakerState.OPEN for view in views)
    half = sum(view.forced is None and view.state is BreakerState.HALF_OPEN for view in views)
    return opened, half, sum(view.forced is not None for view in views)
