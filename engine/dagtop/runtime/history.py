"""Every event of a run from the first one, for any number of readers, each at its own pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import anyio.lowlevel

from dagtop.core.events import AnyEvent, Log
from dagtop.errors import DagtopError
from dagtop.graph.listening import Interest
from dagtop.runtime.callbacks import BACKLOG
from dagtop.runtime.waiting import Bell

#: Batches that are kept of a run without an end.
LATEST = 20_000


class History:
    """A recorder that keeps all events. Of lines of output, which alone can be without bound, the latest `BACKLOG`.

    Parameters
    ----------
    latest: only so many batches are kept, for a run that goes on for weeks; who reads late begins with those. None: all.
    """

    def __init__(self, tell: Callable[[str, str], None], *, latest: int | None = None) -> None:
        self.bell = Bell()
        self.over = False
        """Set after the last batch."""
        self._kept: tuple[int, list[Sequence[AnyEvent]]] = 0, []
        """(batches that are not kept any more, those that are). Put in place as one, since readers are in other threads."""
        self.seen = 0
        """Number of the latest event."""
        self.thinned = 0
        """Batches before this one have no lines any more."""
        self._latest = latest
        self._tell = tell
        self._with_lines: deque[tuple[int, int]] = deque()
        self._lines = 0

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        gone, kept = self._kept
        kept.append(batch)
        if self._latest is not None and len(kept) > 2 * self._latest:
            self._kept = gone + len(kept) - self._latest, kept[-self._latest :]
        self.seen = first + len(batch) - 1
        if Log in set(map(type, batch)):
            self._thin_out(sum(type(event) is Log for event in batch))
        self.bell.ring()

    def end(self) -> None:
        """Nothing more comes."""
        self.over = True
        self.bell.ring()

    def batch(self, number: int) -> tuple[int, Sequence[AnyEvent]] | None:
        """The first batch of that number or above that is kept, with its number; None if there is none yet. From any thread."""
        gone, kept = self._kept
        place = max(0, number - gone)
        return (gone + place, kept[place]) if place < len(kept) else None

    @property
    def count(self) -> int:
        """How many batches there were."""
        gone, kept = self._kept
        return gone + len(kept)

    def missed(self) -> None:
        """A reader came to a batch without its lines."""
        self._tell(
            "events",
            f"somebody reads the run's events more than {BACKLOG:,} lines of output behind, and gets none of the older ones",
        )

    def skipped(self, count: int) -> None:
        """A reader comes later than what is kept."""
        self._tell(
            "events", f"somebody reads the run's events too late for the first {count:,} batches of what he asks for"
        )

    def _thin_out(self, lines: int) -> None:
        self._with_lines.append((self.count - 1, lines))
        self._lines += lines
        while self._lines > BACKLOG and len(self._with_lines) > 1:
            place, gone = self._with_lines.popleft()
            self._lines -= gone
            first, kept = self._kept
            if place >= first:
                kept[place - first] = [event for event in kept[place - first] if type(event) is not Log]
            self.thinned = place + 1


class Events:
    """The events of one run, in order, to its end: for `for` as well as for `async for`.

    Parameters
    ----------
    ended: called at the end; raises what ended the run before its time.
    would_wait_for_itself: whether a plain `for` here would keep the run from going on.
    """

    def __init__(
        self,
        history: History,
        interest: Interest,
        ended: Callable[[], None],
        would_wait_for_itself: Callable[[], bool],
    ) -> None:
        self._history = history
        self._interest = interest
        self._ended = ended
        self._would_wait_for_itself = would_wait_for_itself
        self._next_batch = 0
        self._batch: Sequence[AnyEvent] = ()
        self._next = 0
        self._wants_lines = interest.kinds is None or Log in interest.kinds

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> AnyEvent:
        while True:
            event = self._in_this_batch()
            if event is not None:
                return event
            if not self._turn_over():
                if self._is_over():
                    self._ended()
                    raise StopIteration
                if self._would_wait_for_itself():
                    raise DagtopError("the engine's thread cannot wait for its own events; use async for there")
                self._history.bell.wait(self._is_there_more)

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> AnyEvent:
        while True:
            event = self._in_this_batch()
            if event is not None:
                return event
            if self._turn_over():
                await anyio.lowlevel.checkpoint()
            elif self._is_over():
                self._ended()
                raise StopAsyncIteration
            else:
                await self._history.bell.hear(self._is_there_more)

    def _in_this_batch(self) -> AnyEvent | None:
        while self._next < len(self._batch):
            event = self._batch[self._next]
            self._next += 1
            if self._interest.about(event):
                return event
        return None

    def _turn_over(self) -> bool:
        """Go on to the next batch, if there is one."""
        history = self._history
        found = history.batch(self._next_batch)
        if found is None:
            return False
        number, batch = found
        if number > self._next_batch:
            history.skipped(number - self._next_batch)
        self._next_batch = number
        if self._next_batch < history.thinned and self._wants_lines:
            self._wants_lines = False
            history.missed()
        self._batch, self._next = self._interest.among(batch), 0
        self._next_batch += 1
        return True

    def _is_over(self) -> bool:
        return self._history.over and self._next_batch >= self._history.count

    def _is_there_more(self) -> bool:
        return self._history.over or self._next_batch < self._history.count
