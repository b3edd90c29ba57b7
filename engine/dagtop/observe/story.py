"""What has happened in a run so far, as the views of a console read it: a fold of the run's events.

Live, the engine's thread only queues its batches, and whoever draws takes them with a budget of time; of a stored run the same
fold takes the journal's events. Everything but `record` is for the one thread that draws.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import inf
from typing import Any

import msgspec

from dagtop.core import events as ev
from dagtop.core.commands import Command
from dagtop.core.events import AnyEvent
from dagtop.errors import JournalError
from dagtop.observe.load import Load
from dagtop.observe.spans import STEPS, Kind, Track

EVENTS = 50_000
EDITS = 5_000
PAUSES = 1_000
TURNS = 1_000
LIMITS = 10_000
#: Events that may wait to be taken; of more, only those are queued that change what is told of tasks and runs.
WAITING = 200_000
#: Events between two looks at the clock.
_CHUNK = 256
_MANY_TOLD = frozenset({ev.Log, ev.TaskProgress})
_RUN = Kind.RUN


class Edit(msgspec.Struct, frozen=True):
    """A command and what became of it."""

    at: float
    seq: int
    """Number of the event that answers it."""
    by: str
    command: Command
    applied: bool
    text: str
    """What it did, or why it was refused."""

    @property
    def why(self) -> str:
        """The reason that was given with it, if one was."""
        return str(getattr(self.command, "reason", "") or "")


class Turn(msgspec.Struct, frozen=True, gc=False):
    """A breaker moves, or is moved."""

    at: float
    state: str
    """"open", "half_open" or "closed"; of one that a person forces, what it is held in, or "" if that was taken back; "" as well
    of one that is not forced, and only goes by other settings from now on."""
    reason: str
    forced: bool = False
    probe_in: float | None = None
    """Of one that opens: seconds until its first probe."""


class Limit(msgspec.Struct, frozen=True, gc=False):
    """A limit from a moment on."""

    at: float
    limit: int
    reason: str = ""


class GraphEdit(msgspec.Struct, frozen=True, gc=False):
    """The graph was changed."""

    at: float
    reason: str
    added: int
    removed: int
    changed: int


class StoryStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How far a story has come."""

    seen: int
    """Number of the latest event that was taken."""
    waiting: int
    """Events that were queued and not yet taken."""
    thinned: int
    """Lines and notes of progress that were left out because too much was waiting."""
    tasks: int


class Story:
    """The fold.

    Parameters
    ----------
    past: gives the events of earlier processes that had the run, from number 1; read a bit at a time, before all others.
    """

    def __init__(
        self, *, past: Callable[[], Iterable[AnyEvent]] | None = None, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self.tracks: dict[str, Track] = {}
        """By name of task, in the order in which they became ready first."""
        self.load = Load()
        """Attempts in progress."""
        self.breakers: dict[str, deque[Turn]] = {}
        """By name: its latest moves."""
        self.edits: deque[Edit] = deque(maxlen=EDITS)
        """The latest commands."""
        self.limits: dict[str, deque[Limit]] = {}
        """By what is limited, see `LimitChanged`: what the limit was from when on."""
        self.graph_edits: deque[GraphEdit] = deque(maxlen=EDITS)
        self.pauses: deque[tuple[float, float]] = deque(maxlen=PAUSES)
        """From when to when nothing new started."""
        self.paused_at: float | None = None
        self.sessions: list[float] = []
        """When each process began with the run."""
        self.events: deque[tuple[int, AnyEvent]] = deque(maxlen=EVENTS)
        """The latest, with their numbers, without lines of output."""
        self.seen = 0
        """Number of the latest event that was taken."""
        self.at = 0.0
        """When that was."""
        self.problem = ""
        """Why the past is not all there."""
        self._past: Iterator[AnyEvent] | None = None
        self._open_past = past
        self._clock = now
        self._queue: deque[tuple[Sequence[int], Sequence[AnyEvent]]] = deque()
        self._place = 0
        """How many of the first batch in the queue were taken."""
        self._came = self._went = self._thinned = 0
        self._tracks_by_number: list[Track] = []

    # -- on the engine's thread ------------------------------------------------------------------------------------

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Queue events number `first` and following."""
        numbers: Sequence[int] = range(first, first + len(batch))
        if self._came - self._went > WAITING:
            kept = [
                (number, event) for number, event in zip(numbers, batch, strict=True) if type(event) not in _MANY_TOLD
            ]
            self._thinned += len(batch) - len(kept)
            numbers, batch = [number for number, _ in kept], [event for _, event in kept]
        self._came += len(batch)
        self._queue.append((numbers, batch))

    # -- on the thread that draws ----------------------------------------------------------------------------------

    def catch_up(self, budget: float = inf) -> bool:
        """Take what was queued, for about `budget` seconds. True if nothing is left."""
        until = self._clock() + budget
        while True:
            if not self._take_past() and not self._take_queued():
                return True
            if self._clock() >= until:
                return self._past is None and self._open_past is None and not self._queue

    def take(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events number `first` and following at once, as from a journal."""
        self._fold(range(first, first + len(batch)), batch)

    def track(self, task: str) -> Track | None:
        """The spans of a task; None if it had nothing to wait for yet."""
        return self.tracks.get(task)

    def numbered(self, number: int) -> Track:
        """The track of that number, see `Track.number`."""
        return self._tracks_by_number[number]

    def limit_at(self, what: str, at: float) -> int | None:
        """What a limit was at a moment; None if that is not known."""
        found = None
        for one in self.limits.get(what, ()):
            if one.at > at:
                break
            found = one.limit
        return found

    def statistics(self) -> StoryStatistics:
        """The numbers as they are now."""
        return StoryStatistics(
            seen=self.seen, waiting=self._came - self._went, thinned=self._thinned, tasks=len(self.tracks)
        )

    def _take_past(self) -> bool:
        """Take a bit of what earlier processes left. False if there is nothing of that."""
        if self._past is None and self._open_past is None:
            return False
        try:
            if self._open_past is not None:
                self._past, self._open_past = iter(self._open_past()), None
            batch = list(islice(self._past or (), _CHUNK))
        except JournalError as error:
            self.problem, batch = str(error), []
            self._open_past = None
        if not batch:
            self._past = None
            return False
        self.take(self.seen + 1, batch)
        return True

    def _take_queued(self) -> bool:
        """Take a bit of the first batch. False if there is none."""
        if not self._queue:
            return False
        numbers, batch = self._queue[0]
        place, end = self._place, self._place + _CHUNK
        if place == 0 and len(batch) <= _CHUNK:
            self._fold(numbers, batch)
            self._went += len(batch)
        else:
            piece = batch[place:end]
            self._fold(numbers[place:end], piece)
            self._went += len(piece)
        if end >= len(batch):
            self._queue.popleft()
            self._place = 0
        else:
            self._place = end
        return True

    def _fold(self, numbers: Sequence[int], batch: Sequence[AnyEvent]) -> None:
        if not batch:
            return
        keep, log, steps, run_steps, tracks, load = self.events.append, ev.Log, STEPS, RUN_STEPS, self.tracks, self.load
        for number, event in zip(numbers, batch, strict=True):
            kind = type(event)
            if kind is log:
                continue
            keep((number, event))
            step = steps.get(kind)
            if step is None:
                run_step = run_steps.get(kind)
                if run_step is not None:
                    run_step(self, number, event)
                continue
            name = event.task  # type: ignore[union-attr]  # the table holds task events only
            track = tracks.get(name)
            if track is None:
                if kind in NOTHING_YET:
                    continue
                track = self._new(name, event.at)
            if track.kind is _RUN:
                step(track, event)
                if track.kind is not _RUN:
                    load.step(event.at, -1 - track.number)
            else:
                step(track, event)
                if track.kind is _RUN:
                    load.step(event.at, 1 + track.number)
        load.trim()
        self.seen, self.at = numbers[-1], batch[-1].at

    def _new(self, name: str, at: float) -> Track:
        track = self.tracks[name] = Track(name, len(self._tracks_by_number), at)
        self._tracks_by_number.append(track)
        return track

    # -- the run ---------------------------------------------------------------------------------------------------

    def _started(self, number: int, event: ev.RunStarted) -> None:
        self.sessions.append(event.at)
        self._set_limit("max_parallel", Limit(event.at, event.max_parallel))

    def _resumed(self, number: int, event: ev.RunResumed) -> None:
        """What went on in the process that had the run before ended with it: when is not known, but not before its last word."""
        last = self.events[-2][1].at if len(self.events) > 1 else event.at
        for track in self._tracks_by_number:
            if track.kind is not None:
                ran = track.kind is _RUN
                track.close(last, "lost")
                if ran:
                    self.load.step(last, -1 - track.number)
        self._end_pause(last)
        self.sessions.append(event.at)

    def _paused(self, number: int, event: ev.RunPaused) -> None:
        if self.paused_at is None:
            self.paused_at = event.at

    def _pause_over(self, number: int, event: ev.Event) -> None:
        self._end_pause(event.at)

    def _end_pause(self, at: float) -> None:
        if self.paused_at is not None:
            self.pauses.append((self.paused_at, max(self.paused_at, at)))
            self.paused_at = None

    def _limit(self, number: int, event: ev.LimitChanged) -> None:
        self._set_limit(event.what, Limit(event.at, event.limit, event.reason))

    def _set_limit(self, what: str, limit: Limit) -> None:
        self.limits.setdefault(what, deque(maxlen=LIMITS)).append(limit)

    def _graph(self, number: int, event: ev.GraphChanged) -> None:
        self.graph_edits.append(
            GraphEdit(event.at, event.reason, len(event.added), len(event.removed), len(event.changed))
        )

    def _answered(self, number: int, event: ev.CommandApplied | ev.CommandRefused) -> None:
        applied = isinstance(event, ev.CommandApplied)
        text = event.effect if isinstance(event, ev.CommandApplied) else event.reason
        self.edits.append(Edit(event.at, number, event.by, event.command, applied, text))

    # -- breakers --------------------------------------------------------------------------------------------------

    def _breaker(self, number: int, event: Any) -> None:
        probe_in = event.probe_in if isinstance(event, ev.BreakerOpened) else None
        self._turn(event.breaker, Turn(event.at, _BREAKER_STATES[type(event)], event.reason, probe_in=probe_in))

    def _forced(self, number: int, event: ev.BreakerForced) -> None:
        self._turn(event.breaker, Turn(event.at, event.state, event.reason, forced=True))

    def _settings(self, number: int, event: ev.BreakerChanged) -> None:
        self._turn(event.breaker, Turn(event.at, "", event.reason))

    def _turn(self, breaker: str, turn: Turn) -> None:
        self.breakers.setdefault(breaker, deque(maxlen=TURNS)).append(turn)


#: Told of a task that has not come so far, they say nothing about its time.
NOTHING_YET = frozenset(
    {ev.TaskSkipped, ev.TaskCancelled, ev.TaskFailed, ev.TaskHeld, ev.TaskReleased, ev.TaskRestarted, ev.GateDecided}
)
_BREAKER_STATES: Mapping[type[ev.Event], str] = {
    ev.BreakerOpened: "open",
    ev.BreakerHalfOpened: "half_open",
    ev.BreakerClosed: "closed",
}
RUN_STEPS: Mapping[type[ev.Event], Callable[[Story, int, Any], None]] = {
    ev.RunStarted: Story._started,
    ev.RunResumed: Story._resumed,
    ev.RunPaused: Story._paused,
    ev.RunContinued: Story._pause_over,
    ev.RunStopping: Story._pause_over,
    ev.RunFinished: Story._pause_over,
    ev.LimitChanged: Story._limit,
    ev.GraphChanged: Story._graph,
    ev.CommandApplied: Story._answered,
    ev.CommandRefused: Story._answered,
    **dict.fromkeys(_BREAKER_STATES, Story._breaker),
    ev.BreakerForced: Story._forced,
    ev.BreakerChanged: Story._settings,
}
