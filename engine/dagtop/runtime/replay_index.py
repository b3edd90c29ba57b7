"""Reads all of a stored run once, in a thread of its own: the tape of its story, its lines, where problems are, and checkpoints.

What an earlier replay has found out is there at once; the rest is filled in behind, while somebody looks at the run.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress

from dagtop.core.events import (
    AnyEvent,
    BreakerOpened,
    LoopBlocked,
    Problem,
    TaskBlocked,
    TaskEscalated,
    TaskFailed,
    TaskTimedOut,
)
from dagtop.core.plan import Plan
from dagtop.errors import JournalError
from dagtop.observe.logs import LogBook
from dagtop.observe.tape import Tape
from dagtop.runtime.checkpoint_told import Outline
from dagtop.runtime.logs_until import Lines
from dagtop.runtime.past import Past
from dagtop.runtime.past import latest as newest
from dagtop.runtime.reel import AT_HAND, Reel
from dagtop.runtime.shelf import WORTH, Shelf

#: What one jumps to.
TROUBLES = frozenset({TaskFailed, TaskTimedOut, TaskBlocked, TaskEscalated, BreakerOpened, LoopBlocked, Problem})

#: Seconds between two looks for what a run that goes on has added.
FOLLOWING = 0.5
#: Events between two marks of when what was.
MARKS = 200


class Index:
    """The reader.

    Parameters
    ----------
    reel: the run, as the player reads it.
    plan: its graph, as its first record has it.
    book: where its lines go, unless it is a plain one.
    """

    def __init__(self, reel: Reel, plan: Plan, shelf: Shelf, book: LogBook | None = None) -> None:
        stored = reel.stored
        self.number, self.at = 0, 0.0
        """Of the last event that was read."""
        self.done = False
        """Everything that there is was read."""
        self.last = stored.last
        """Number of the last event that is known of."""
        self.end = 0.0
        """When that was."""
        self.tape = Tape()
        self.lines = Lines(book)
        self.thread = threading.Thread(target=self._run, name="dagtop:replay-index", daemon=True)
        self.shelf = shelf
        self._own = reel if self.last <= AT_HAND else Reel(stored, at_hand=1)
        self._plan = plan
        self._past: Past | None = None
        self._goes_on = stored.summary.alive
        self._closed = threading.Event()
        self._marks: tuple[list[float], list[int]] = [0.0], [0]
        self._troubles: list[tuple[int, float]] = []
        self._take_outline()

    def _take_outline(self) -> None:
        known = self.shelf.outline
        self._known: list[tuple[int, float]] = list(zip(*known.troubles, strict=True)) if known is not None else []
        self.end = known.at if known is not None else 0.0
        if self.last and (known is None or known.number < self.last):
            with suppress(JournalError):  # whoever plays up to there is told
                self.end = max(self.end, newest(self._own.stored.batch(self.last)[1]))

    def start(self) -> None:
        """Begin to read."""
        self.thread.start()

    def close(self) -> None:
        """Read no further."""
        self._closed.set()

    @property
    def knows_all(self) -> bool:
        """Whether it is known where all problems are."""
        outline = self.shelf.outline
        return self.done or (outline is not None and outline.number >= self.last)

    @property
    def troubles(self) -> Sequence[tuple[int, float]]:
        """(number, time) of events that one jumps to, as far as they are known."""
        return self._troubles if self.done or len(self._troubles) >= len(self._known) else self._known

    def number_at(self, at: float) -> int:
        """Number of an event that is not later, and near, as far as that is known."""
        outline = self.shelf.outline
        times, numbers = self._marks if self.done or outline is None else outline.marks
        return numbers[max(0, bisect_right(times, at) - 1)]

    def knows(self, at: float) -> bool:
        """Whether it is known what was at a moment."""
        return self.done or self.shelf.outline is not None or at <= self.at

    def trouble(self, number: int, step: int) -> int | None:
        """Number of the next problem, or of the one before."""
        numbers = [found for found, _ in self.troubles]
        place = bisect_right(numbers, number) if step > 0 else bisect_left(numbers, number) - 1
        return numbers[place] if 0 <= place < len(numbers) else None

    # -- its thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._read()
            if not self._closed.is_set():
                self._finish()
            while self._goes_on and not self._closed.wait(FOLLOWING):
                self._read()
        except Exception:  # noqa: BLE001 - whoever plays up to there meets the same, and tells it
            pass
        finally:
            self.done = True

    def _read(self) -> None:
        """Everything that is there."""
        while not self._closed.is_set():
            first, events = self._own.batch(self.number + 1)
            if not events:
                return
            batch = events[self.number + 1 - first :]
            self._note(self.number + 1, batch)
            self._fold()

    def _note(self, first: int, batch: Sequence[AnyEvent]) -> None:
        self.tape.take(first, batch)
        self.lines.record(first, batch)
        times, numbers = self._marks
        latest = times[-1]
        for number, event in enumerate(batch, first):
            if type(event) in TROUBLES:
                self._troubles.append((number, event.at))
            if number % MARKS == 0 or event.at - latest >= 1.0:
                latest = max(event.at, latest)
                numbers.append(number)
                times.append(latest)
        self.number, self.at = first + len(batch) - 1, max(self.at, newest(batch))
        self.last, self.end = max(self.last, self.number), max(self.end, self.at)

    def _fold(self) -> None:
        """Go on to where it has read, behind the checkpoints that there are, and leave others."""
        if self._past is None:
            if not self.shelf.wants(self.number):
                return
            self._past = Past(self._own, plan=self._plan)
            before = self.shelf.before(self.number)
            if before is not None:
                self._past.back_to(before)
        past, shelf = self._past, self.shelf
        while past.number < self.number and not self._closed.is_set():
            past.forward(number=min(self.number, shelf.last + shelf.spacing), most=self.number)
            if shelf.wants(past.number):
                shelf.put(past.checkpoint())

    def _finish(self) -> None:
        """All is read: the end is a checkpoint too, and the next replay need not do all of this again."""
        past = self._past
        if past is not None and past.number > self.shelf.last:
            self.shelf.put(past.checkpoint())
        self.done = True
        known = self.shelf.outline
        if past is None or self._goes_on or self.number < WORTH or (known is not None and known.number >= self.number):
            return
        numbers, times = [number for number, _ in self._troubles], [at for _, at in self._troubles]
        self.shelf.keep(Outline(number=self.number, at=self.at, marks=self._marks, troubles=(numbers, times)))
