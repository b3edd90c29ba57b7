"""All of a stored run's story at once, and how it looked at any of its events.

A `Tape` is filled by one thread, once. Any number of `StoryUntil` look at it as far as an event: to go back in time is to make
another one, which costs next to nothing. What a task's track was in the middle of its life is folded again from its own few
events, so that it is what it was live.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple, cast

from dagtop.core import events as ev
from dagtop.core.events import AnyEvent
from dagtop.observe.load import Load
from dagtop.observe.spans import STEPS, Kind, Track
from dagtop.observe.story import EVENTS, NOTHING_YET, RUN_STEPS, Story, StoryStatistics

_RUN = Kind.RUN
#: Most events that are looked through for the latest ones that are shown: lines of output lie between.
_LOOKED_THROUGH = 100_000

#: Finds events that are at hand: given a number, that of the first of some that lie together, and those; none if they are not.
Find = Callable[[int], tuple[int, Sequence[AnyEvent]]]


class _Lost(NamedTuple):
    """What a task did ended with the process that it did it in."""

    at: float


class _Rare(NamedTuple):
    """An event that is no task's."""

    number: int
    event: AnyEvent
    before: float
    """When the event before it was, lines of output left out."""


class Taped(Track):
    """A track to its end, with what it was made from."""

    __slots__ = ("events", "numbers")

    def __init__(self, name: str, number: int, at: float) -> None:
        super().__init__(name, number, at)
        self.numbers: list[int] = []
        self.events: list[Any] = []


class Tape:
    """The fold of all events, from number 1 on. Filled by one thread; others may look meanwhile."""

    def __init__(self) -> None:
        self.number = 0
        """Of the latest event that was taken."""
        self.tracks: dict[str, Taped] = {}
        self.numbered: list[Taped] = []
        self.firsts: array[int] = array("q")
        """By number of a track: the event with which it begins."""
        self.load = Load(keep=1 << 62)
        self.load_numbers: array[int] = array("q")
        """By change of the load: the event that it comes from."""
        self.rare: list[_Rare] = []
        self._before = 0.0

    def take(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events number `first` and following."""
        log, steps, tracks = ev.Log, STEPS, self.tracks
        for number, event in enumerate(batch, first):
            kind = type(event)
            if kind is log:
                continue
            step = steps.get(kind)
            if step is None:
                if kind in RUN_STEPS:
                    self._take_rare(number, event)
            else:
                name = event.task  # type: ignore[union-attr]  # the table holds task events only
                track = tracks.get(name)
                if track is None:
                    if kind in NOTHING_YET:
                        self._before = event.at
                        continue
                    track = self._new(name, number, event.at)
                track.numbers.append(number)
                track.events.append(event)
                was_running = track.kind is _RUN
                step(track, event)
                if was_running is not (track.kind is _RUN):
                    self._change(number, event.at, -1 - track.number if was_running else 1 + track.number)
            self._before = event.at
        self.load.settle()
        self.number = first + len(batch) - 1

    def _new(self, name: str, number: int, at: float) -> Taped:
        track = Taped(name, len(self.numbered), at)
        self.numbered.append(track)
        self.firsts.append(number)
        self.tracks[name] = track
        return track

    def _change(self, number: int, at: float, who: int) -> None:
        self.load_numbers.append(number)
        self.load.step(at, who)

    def _take_rare(self, number: int, event: AnyEvent) -> None:
        self.rare.append(_Rare(number, event, self._before))
        if isinstance(event, ev.RunResumed):
            lost = _Lost(self._before)
            for track in self.numbered:
                if track.kind is not None:
                    track.numbers.append(number)
                    track.events.append(lost)
                    if track.kind is _RUN:
                        self._change(number, lost.at, -1 - track.number)
                    track.close(lost.at, "lost")


def _folded(taped: Taped, track: Track, first: int, last: int) -> Track:
    """A track with some of its events more."""
    for event in taped.events[first:last]:
        if type(event) is _Lost:
            track.close(event.at, "lost")
        else:
            STEPS[type(event)](track, event)
    return track


class _TracksUntil(Mapping[str, Track]):
    """The tracks as they were after an event."""

    def __init__(self, tape: Tape) -> None:
        self.number = 0
        self._tape = tape
        self._half: dict[str, tuple[int, Track]] = {}
        """Those that go on behind that event: how many of their events were taken, and what that comes to."""

    def get(self, name: str, default: Any = None) -> Any:
        """The track of a task; the default if it has nothing to tell yet."""
        taped = self._tape.tracks.get(name)
        if taped is None:
            return default
        numbers, until = taped.numbers, self.number
        if numbers and numbers[-1] <= until:
            return taped
        return self._half_of(name, taped, numbers, until) or default

    def _half_of(self, name: str, taped: Taped, numbers: Sequence[int], until: int) -> Track | None:
        count = bisect_right(numbers, until)
        if not count:
            return None
        known, track = self._half.get(name, (0, None))
        if track is None or known > count:
            known, track = 0, Track(name, taped.number, taped.first)
        if known < count:
            self._half[name] = count, _folded(taped, track, known, count)
        return track

    def __getitem__(self, name: str) -> Track:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return cast("Track", found)

    def __len__(self) -> int:
        return bisect_right(self._tape.firsts, self.number)

    def __iter__(self) -> Iterator[str]:
        return iter([track.name for track in self._tape.numbered[: len(self)]])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None


class _EventsUntil(Sequence[tuple[int, AnyEvent]]):
    """The latest events up to one, with their numbers, without lines of output, as far as they are at hand."""

    def __init__(self, find: Find) -> None:
        self.number = 0
        self._find = find

    def __reversed__(self) -> Iterator[tuple[int, AnyEvent]]:
        number, left, log = self.number, EVENTS, ev.Log
        end = max(0, number - _LOOKED_THROUGH)
        while number > end:
            first, batch = self._find(number)
            if not batch:
                return
            for place in range(number - first, -1, -1):
                event = batch[place]
                if type(event) is not log:
                    yield first + place, event
                    left -= 1
                    if not left:
                        return
            number = first - 1

    def __iter__(self) -> Iterator[tuple[int, AnyEvent]]:
        return reversed([*reversed(self)])

    def __len__(self) -> int:
        return sum(1 for _ in reversed(self))

    def __getitem__(self, place: Any) -> Any:
        return [*self][place]


class StoryUntil(Story):
    """A tape as far as one of its events, as a story. Goes forward only.

    Parameters
    ----------
    find: where events are, if they are at hand.
    """

    def __init__(self, tape: Tape, find: Find) -> None:
        super().__init__()
        self._tape = tape
        self._tracks, self._latest = _TracksUntil(tape), _EventsUntil(find)
        self.tracks = cast("dict[str, Track]", self._tracks)
        self.events = cast("Any", self._latest)
        self._target = 0, 0.0
        self._rare = 0

    def until(self, number: int, at: float) -> None:
        """It has come to that event. From any thread; the next `catch_up` takes it."""
        self._target = number, at

    def numbered(self, number: int) -> Track:
        """The track of that number, as far as it has come."""
        return self._tracks[self._tape.numbered[number].name]

    def catch_up(self, budget: float = inf) -> bool:
        """Come to where it is to be. True: nothing is left."""
        tape = self._tape
        number, at = self._target
        known = tape.number
        rare = tape.rare
        while self._rare < len(rare) and rare[self._rare].number <= number:
            self._take_rare(rare[self._rare])
            self._rare += 1
        self.load.follow(tape.load, bisect_right(tape.load_numbers, min(number, known)))
        self._tracks.number = self._latest.number = number
        self.seen, self.at = number, at
        return True

    def statistics(self) -> StoryStatistics:
        """The numbers as they are now; what waits is what has not been read yet."""
        waiting = max(0, self.seen - self._tape.number)
        return StoryStatistics(seen=self.seen, waiting=waiting, thinned=0, tasks=len(self.tracks))

    def _take_rare(self, rare: _Rare) -> None:
        if isinstance(rare.event, ev.RunResumed):
            self._end_pause(rare.before)
            self.sessions.append(rare.event.at)
        else:
            RUN_STEPS[type(rare.event)](self, rare.number, rare.event)
