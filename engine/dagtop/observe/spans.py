"""What a task spent its time on, folded from its events: waiting for a slot, running, backing off, standing at a gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from dagtop.core import events as ev

#: Spans that are kept of one task: a service that is started again for weeks has no end of them.
SPANS = 500

#: How an attempt has ended, by the event that says so, where the event alone does.
ENDINGS: Mapping[type[ev.Event], str] = {
    ev.TaskSucceeded: "succeeded",
    ev.TaskFailed: "failed",
    ev.TaskTimedOut: "timed_out",
    ev.TaskCancelled: "cancelled",
    ev.TaskRestarted: "cancelled",
    ev.TaskSkipped: "cancelled",
}


class Kind(StrEnum):
    """What a span of time was spent on."""

    QUEUE = "queue"
    """It could have started: it waited for a slot, a pool, a breaker."""
    HELD = "held"
    """A person held it."""
    GATE = "gate"
    """It stood at its gate."""
    RUN = "run"
    """An attempt."""
    BACKOFF = "backoff"
    """It waited for its next attempt, or for being started again."""
    POINT = "point"
    """It was done without running: its result was taken from the cache, or a person gave one."""


class Span(msgspec.Struct, frozen=True, gc=False):
    """A piece of a task's time, in seconds since the run began."""

    kind: Kind
    start: float
    end: float
    attempt: int = 0
    """Number of the attempt; of a backoff, of the one before."""
    ending: str = ""
    """Of an attempt: "succeeded", "failed", "timed_out", "cancelled", "lost" with its process, or "running". Of a point: why."""
    note: str = ""
    """The type of the error that ended it."""

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


class Track:
    """One task's spans, in order."""

    __slots__ = ("attempt", "dropped", "first", "kind", "name", "number", "ran", "since", "spans")

    def __init__(self, name: str, number: int, at: float) -> None:
        self.name = name
        self.number = number
        """From 0, in the order in which tasks got something to tell."""
        self.first = at
        """When the first of its spans began."""
        self.spans: list[Span] = []
        """Those that are over, the latest `SPANS` at least."""
        self.dropped = 0
        """Earlier ones that are kept no more."""
        self.kind: Kind | None = None
        """What it spends its time on now."""
        self.attempt = 0
        self.since = at
        """Since when."""
        self.ran = 0.0
        """Seconds of all attempts that are over."""

    def open(self, kind: Kind, at: float) -> None:
        """From now on its time is spent on that."""
        self.kind = kind
        self.since = at

    def close(self, at: float, ending: str = "", note: str = "") -> None:
        """What it spent its time on is over. What took no time was nothing, unless it was an attempt."""
        kind = self.kind
        if kind is None:
            return
        self.kind = None
        if kind is Kind.RUN:
            self.ran += at - self.since
            self._add(Span(kind, self.since, at, self.attempt, ending, note))
        elif at > self.since:
            self._add(Span(kind, self.since, at, self.attempt))

    def point(self, at: float, why: str) -> None:
        """It was done at that moment, without running."""
        self._add(Span(Kind.POINT, at, at, self.attempt, why))

    def going_on(self, at: float) -> Span | None:
        """What it spends its time on, so far."""
        if self.kind is None:
            return None
        ending = "running" if self.kind is Kind.RUN else ""
        return Span(self.kind, self.since, max(at, self.since), self.attempt, ending)

    def until(self, at: float) -> Iterator[Span]:
        """All of its spans as they were at a moment: what ended later was still going on."""
        for span in self.spans:
            if span.start > at:
                return
            if span.end <= at:
                yield span
            else:
                yield Span(span.kind, span.start, at, span.attempt, "running" if span.kind is Kind.RUN else "")
        last = self.going_on(at)
        if last is not None and last.start <= at:
            yield last

    def _add(self, span: Span) -> None:
        spans = self.spans
        spans.append(span)
        if len(spans) > 2 * SPANS:
            self.dropped += len(spans) - SPANS
            del spans[:-SPANS]


def ready(track: Track, event: ev.TaskReady) -> None:
    """It waits for a slot."""
    if track.kind is not None:
        track.close(event.at)
    track.open(Kind.QUEUE, event.at)


def started(track: Track, event: ev.TaskStarted) -> None:
    """An attempt begins."""
    if track.kind is not None:
        track.close(event.at)
    track.attempt = event.attempt
    track.open(Kind.RUN, event.at)


def succeeded(track: Track, event: ev.TaskSucceeded) -> None:
    """It is done: by its attempt, unless a person said so."""
    ran = track.kind is Kind.RUN
    track.close(event.at, "succeeded")
    if not ran:
        track.point(event.at, event.note or "succeeded")


def cached(track: Track, event: ev.TaskCached) -> None:
    """It is done without an attempt."""
    track.close(event.at)
    track.point(event.at, "cached")


def retrying(track: Track, event: ev.TaskRetrying | ev.TaskRestarting) -> None:
    """An attempt is over, and another one is to come. Told again while it backs off: only the time of that has changed."""
    if track.kind is Kind.BACKOFF:
        return
    failure = event.failure
    ending = "succeeded" if failure is None else "timed_out" if event.timed_out else "failed"
    track.close(event.at, ending, failure.error if failure is not None else "")
    track.open(Kind.BACKOFF, event.at)


def ended(track: Track, event: Any) -> None:
    """It is over."""
    failure = getattr(event, "failure", None)
    track.close(event.at, ENDINGS[type(event)], failure.error if failure is not None else "")


def blocked(track: Track, event: ev.TaskBlocked) -> None:
    """It is over, because it ended badly too often."""
    failure = event.failure
    track.close(event.at, "timed_out" if event.timed_out else "failed", failure.error if failure is not None else "")


def held(track: Track, event: ev.TaskHeld) -> None:
    """A person holds it: that takes its time only if it could start."""
    if track.kind is Kind.QUEUE:
        track.close(event.at)
        track.open(Kind.HELD, event.at)


def released(track: Track, event: ev.TaskReleased) -> None:
    """It is held no more; that it is ready again is told by itself."""
    if track.kind is Kind.HELD:
        track.close(event.at)


def at_gate(track: Track, event: ev.GateWaiting) -> None:
    """It stands at its gate."""
    if track.kind is not Kind.GATE:
        track.close(event.at)
        track.open(Kind.GATE, event.at)


def decided(track: Track, event: ev.GateDecided) -> None:
    """Somebody has spoken."""
    if track.kind is Kind.GATE:
        track.close(event.at)


#: What becomes of a task's time by each kind of event.
STEPS: Mapping[type[ev.Event], Callable[[Track, Any], None]] = {
    ev.TaskReady: ready,
    ev.TaskStarted: started,
    ev.TaskSucceeded: succeeded,
    ev.TaskCached: cached,
    ev.TaskRetrying: retrying,
    ev.TaskRestarting: retrying,
    ev.TaskFailed: ended,
    ev.TaskTimedOut: ended,
    ev.TaskCancelled: ended,
    ev.TaskRestarted: ended,
    ev.TaskSkipped: ended,
    ev.TaskBlocked: blocked,
    ev.TaskHeld: held,
    ev.TaskReleased: released,
    ev.GateWaiting: at_gate,
    ev.GateDecided: decided,
}
