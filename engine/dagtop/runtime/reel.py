"""The events of a stored run by number: read as they are kept, many at once, and the latest read are at hand."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence

from dagtop.core.events import AnyEvent
from dagtop.ports.journal import StoredRun

#: Events that are at hand, at most.
AT_HAND = 150_000

Batch = tuple[int, Sequence[AnyEvent]]


class Reel:
    """Any thread may ask."""

    def __init__(self, stored: StoredRun, at_hand: int = AT_HAND) -> None:
        self.stored = stored
        self._most = at_hand
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Sequence[AnyEvent]] = OrderedDict()
        """By number of the first."""
        self._firsts: tuple[int, ...] = ()
        self._size = 0

    def batch(self, number: int, *, keep: bool = True) -> Batch:
        """Events that lie together, event `number` among them, and the number of their first; none behind the last.

        Raises
        ------
        JournalError: they cannot be read.
        """
        found = self.at_hand(number)
        if found[1]:
            return found
        first, events = self.stored.batch(number)
        if keep and events:
            self._keep(first, events)
        return first, events

    def at_hand(self, number: int) -> Batch:
        """The same without reading: none if they are not at hand."""
        firsts = self._firsts
        place = bisect_right(firsts, number) - 1
        if place < 0:
            return number, ()
        first = firsts[place]
        events = self._kept.get(first, ())
        return (first, events) if number < first + len(events) else (number, ())

    def has_room(self, events: int) -> bool:
        """Whether so many events more would push out none."""
        return self._size + events <= self._most

    def _keep(self, first: int, events: Sequence[AnyEvent]) -> None:
        with self._lock:
            before = self._kept.pop(first, ())
            self._kept[first] = events
            self._size += len(events) - len(before)
            while self._size > self._most and len(self._kept) > 1:
                _, gone = self._kept.popitem(last=False)
                self._size -= len(gone)
            self._firsts = tuple(sorted(self._kept))
