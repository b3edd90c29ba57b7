"""A stored run as an engine that can be looked at: the same snapshots, logs and story, at any instant of the run.

It plays like a recording: on and off, faster and slower, event by event, from problem to problem, to any moment. A run that still
goes on in another process can be followed.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from dagtop.core.commands import Command
from dagtop.core.events import (
    AnyEvent,
    BreakerOpened,
    CommandRefused,
    Log,
    LoopBlocked,
    Problem,
    TaskBlocked,
    TaskEscalated,
    TaskFailed,
    TaskTimedOut,
)
from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot
from dagtop.errors import JournalError
from dagtop.observe.logs import LINES, LogBook, LogLine
from dagtop.observe.story import Story
from dagtop.ports.journal import RunSummary, StoredRun
from dagtop.runtime.past import Checkpoint, Past
from dagtop.runtime.publisher import SnapshotBox

#: Seconds between two looks at what is to be done while it plays, and while it follows a run that goes on.
FRAME, FOLLOWING = 0.05, 0.5
#: Events taken before somebody may say something else.
PIECE = 4_000
#: Events between two checkpoints at first, and how many checkpoints there are before every second one goes.
SPACING, CHECKPOINTS = 25_000, 16
#: How fast it may play: seconds of the run in one second.
SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

#: What one jumps to.
TROUBLES = frozenset({TaskFailed, TaskTimedOut, TaskBlocked, TaskEscalated, BreakerOpened, LoopBlocked, Problem})

_REFUSED = "this is a replay: nothing of it can be changed"


class Transport(NamedTuple):
    """Where a replay is, and what it does."""

    number: int
    """Of the latest event that is shown; 0 before the first one."""
    last: int
    """Number of the last event that is known."""
    at: float
    """The instant that is shown, in seconds since the run began."""
    end: float
    """The last instant that is known."""
    playing: bool
    speed: float
    heading: int | None
    """Number of the event that it is on its way to."""
    indexed: bool
    """Whether all of the run has been read, so that it is known where problems are."""
    troubles: Sequence[tuple[int, float]]
    """(number, time) of events that one jumps to, as far as they are known."""
    following: bool
    """It shows what a process that still runs adds."""


class Replay:
    """Plays a stored run. Everything but `start` may be called from any thread, and none of it waits but `join`.

    Parameters
    ----------
    stored: the run.
    at_end: begin with the last event instead of before the first.
    usual: how long tasks usually take, by name, where that is known.
    now: a clock for the speed of playing.
    """

    result = None
    is_replay = True

    def __init__(
        self,
        stored: StoredRun,
        *,
        at_end: bool = False,
        usual: Mapping[str, Usual] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.error: BaseException | None = None
        """What ended it: the run cannot be read."""
        self.epoch = 0
        """Grows when it goes back: what was read of `logs` and `story` before does not hold any more."""
        self._stored = stored
        self._now = now
        self._box = SnapshotBox()
        self._past = Past(stored, self._box)
        self._index = _Index(stored)
        self._at_end = at_end
        self._wake = threading.Condition()
        self._closed = False
        self._playing = False
        self._following = stored.summary.alive
        self._speed = 1.0
        self._at = 0.0
        self._heading: int | None = None
        self._until: float | None = None
        """The moment behind that event that it is on its way to."""
        self._refusals = 0
        self._refused: list[CommandRefused] = []
        """Not yet shown."""
        self._ticked_at = now()
        self._thread = threading.Thread(target=self._run, name="dagtop:replay", daemon=True)
        self.logs = LogsUntil(self._index.lines, lambda: self._at)
        self._past.show(0.0)
        index = self._past.ledger.plan.index
        self.usual = {index[name]: one for name, one in (usual or {}).items() if name in index}
        """How long tasks usually take, by index."""

    # -- what a console asks of an engine ----------------------------------------------------------------------------

    @property
    def summary(self) -> RunSummary:
        """What the journal said of the run when it was read."""
        return self._stored.summary

    @property
    def latest(self) -> RunSnapshot:
        """The run at the instant that is shown."""
        return self._box.latest

    @property
    def story(self) -> Story:
        """What has happened up to then."""
        return self._past.story

    def send(self, command: Command, *, by: str) -> int:
        """Refuse it; the answer is in the next snapshot."""
        with self._wake:
            self._refusals += 1
            number = -self._refusals  # the run's own commands have other numbers
            self._refused.append(CommandRefused(self._at, command, number, by, _REFUSED))
            self._wake.notify_all()
        return number

    def note(self, line: Log) -> None:
        """Show a line that is not the run's."""
        self._index.lines.record(0, [line])

    def where(self, task: str) -> str:
        """Nothing runs here."""
        return "this is a replay: where a task was is not kept"

    def start(self) -> None:
        """Begin to read the run."""
        self._index.start()
        self._thread.start()
        if self._at_end:
            self.to_end()

    def close(self) -> None:
        """Stop."""
        self._index.close()
        with self._wake:
            self._closed = True
            self._wake.notify_all()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has stopped, at most `timeout` seconds. True if it has."""
        for thread in (self._thread, self._index.thread):
            if thread.ident is not None:
                thread.join(timeout)
        return not (self._thread.is_alive() or self._index.thread.is_alive())

    # -- the keys of a player ----------------------------------------------------------------------------------------

    @property
    def transport(self) -> Transport:
        """Where it is, and what it does."""
        index, past = self._index, self._past
        last, end = max(index.number, past.number), max(index.at, past.at, self._at)
        is_indexed = index.done
        return Transport(
            number=past.number,
            last=last,
            at=self._at,
            end=end,
            playing=self._playing,
            speed=self._speed,
            heading=self._heading,
            indexed=is_indexed,
            troubles=index.troubles,
            following=self._following and self._at >= end,
        )

    def play(self, on: bool | None = None) -> None:
        """Play, or stand still; the other one if nothing is said. At the end it begins anew."""
        with self._wake:
            self._playing = not self._playing if on is None else on
            self._heading = self._until = None
            at_end = self._index.done and self._past.number >= self._index.number and not self._following
            if self._playing and at_end:
                self._heading = 0
            self._ticked_at = self._now()
            self._wake.notify_all()

    def faster(self, steps: int = 1) -> None:
        """Play faster, or slower if `steps` is below 0."""
        with self._wake:
            place = min(range(len(SPEEDS)), key=lambda n: abs(SPEEDS[n] - self._speed))
            self._speed = SPEEDS[max(0, min(len(SPEEDS) - 1, place + steps))]

    def step(self, count: int) -> None:
        """Some events forward, or back if `count` is below 0. It stands still then."""
        with self._wake:
            begun = self._past.number if self._heading is None else self._heading
        self.seek(begun + count)

    def seek(self, number: int) -> None:
        """To the instant after event `number`; 0 is before the first one. It stands still then."""
        self._head(number, None)

    def seek_time(self, at: float) -> None:
        """To a moment of the run, as far as it has been read."""
        self._head(self._index.number_at(at), min(at, self.transport.end))

    def _head(self, number: int, until: float | None) -> None:
        with self._wake:
            last = max(self._index.number, self._past.number)
            self._heading = max(0, min(number, last) if self._index.done else number)
            self._until = until
            self._playing = False
            self._wake.notify_all()

    def to_end(self) -> None:
        """To the last event; of a run that goes on, along with it."""
        with self._wake:
            self._following = self._stored.summary.alive
        self.seek(1 << 62)

    def to_trouble(self, step: int) -> bool:
        """To the next problem (1), or the one before (-1). False if none is known."""
        found = self._index.trouble(self._past.number if self._heading is None else self._heading, step)
        if found is not None:
            self.seek(found)
        return found is not None

    # -- its thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._wait():
                self._go_on()
        except JournalError as error:
            self.error = error
        except BaseException as error:  # noqa: BLE001 - kept for whoever joins; a thread has nobody to raise to
            self.error = error

    def _wait(self) -> bool:
        """Until there is something to do. False if all is over."""
        with self._wake:
            if self._heading is None and not self._closed and not self._refused:
                waits = FRAME if self._playing else FOLLOWING if self._is_following else None
                self._wake.wait(waits)
            return not self._closed

    @property
    def _is_following(self) -> bool:
        return self._following and self._index.done and self._past.number >= self._index.number

    def _go_on(self) -> None:
        with self._wake:
            heading, playing = self._heading, self._playing
            refused, self._refused = self._refused, []
        self._past.publisher.answer(refused)
        if heading is not None:
            self._head_for(heading)
        elif playing:
            self._tick()
        elif self._is_following:
            self._past.forward()
            self._at = max(self._at, self._past.at)
        self._past.show(self._at)

    def _head_for(self, number: int) -> None:
        past, index = self._past, self._index
        if not index.done and number > index.number:  # it comes by there soon, and leaves a checkpoint
            with self._wake:
                self._wake.wait(FRAME)
            return
        if (number < past.number and (self._until is None or past.at > self._until)) or index.is_ahead(
            past.number, number
        ):
            went_back = number < past.number
            self._jump(number)
            self.epoch += went_back
        until = self._until
        arrived = past.number >= number or past.forward(number=number, most=PIECE)
        if arrived and until is not None:
            arrived = past.forward(at=until, most=PIECE)
        self._at = max(past.at, until or 0.0) if arrived else past.at
        if arrived:
            past.show(self._at)
            with self._wake:
                if (self._heading, self._until) == (number, until):
                    self._heading = self._until = None
                    self._ticked_at = self._now()

    def _jump(self, number: int) -> None:
        found = self._index.before(number)
        if found is None:
            self._past.begin()
        else:
            self._past.back_to(found, self._index.things)

    def _tick(self) -> None:
        now = self._now()
        self._at += (now - self._ticked_at) * self._speed
        self._ticked_at = now
        past = self._past
        while not past.forward(at=self._at, most=PIECE) and not self._closed and self._heading is None:
            past.show(past.at)
        over = self._index.done and past.number >= self._index.number
        if over and not self._following:
            self._at = past.at
            with self._wake:
                self._playing = False


class _Index:
    """Reads all of a run once, in a thread of its own: where problems are, when what was, and checkpoints to go back to."""

    def __init__(self, stored: StoredRun) -> None:
        self.number, self.at = 0, 0.0
        """Of the last event that was read."""
        self.done = False
        self.troubles: list[tuple[int, float]] = []
        self.lines = LogBook(lines_per_task=LINES)
        self.thread = threading.Thread(target=self._read, name="dagtop:replay-index", daemon=True)
        self._past = Past(stored)
        self._marks: list[tuple[float, int]] = [(0.0, 0)]
        """(when, number of the event), at small distances."""
        self._checkpoints: list[Checkpoint] = []
        self._spacing = SPACING
        self._closed = False

    @property
    def things(self) -> Sequence[object]:
        """What its checkpoints refer to."""
        return self._past.things

    def start(self) -> None:
        """Begin to read."""
        self.thread.start()

    def close(self) -> None:
        """Read no further."""
        self._closed = True

    def before(self, number: int) -> Checkpoint | None:
        """The last checkpoint that is not behind event `number`."""
        kept = self._checkpoints
        place = bisect_right([one.number for one in kept], number)
        return kept[place - 1] if place else None

    def is_ahead(self, now: int, number: int) -> bool:
        """Whether a checkpoint is so much nearer to `number` that going on from `now` would take longer."""
        found = self.before(number)
        return found is not None and found.number > now + SPACING // 2

    def number_at(self, at: float) -> int:
        """Number of an event that is not later, and near."""
        marks = self._marks
        return marks[max(0, bisect_right(marks, (at, 1 << 62)) - 1)][1]

    def trouble(self, number: int, step: int) -> int | None:
        """Number of the next problem, or of the one before."""
        numbers = [found for found, _ in self.troubles]
        place = bisect_right(numbers, number) if step > 0 else bisect_left(numbers, number) - 1
        return numbers[place] if 0 <= place < len(numbers) else None

    def _read(self) -> None:
        past = self._past
        past.watch_batches(self._note)
        try:
            over = False
            while not over and not self._closed:
                over = past.forward(most=PIECE)
                past.story.catch_up()
                self.number, self.at = past.number, past.at
                if over or self._checkpoints_due(past.number):
                    self._keep(past.checkpoint())
            self.done = True
        except JournalError:
            self.done = True  # whoever plays up to there is told

    def _checkpoints_due(self, number: int) -> bool:
        latest = self._checkpoints[-1].number if self._checkpoints else 0
        return number - latest >= self._spacing

    def _keep(self, checkpoint: Checkpoint) -> None:
        kept = [*self._checkpoints, checkpoint]
        if len(kept) > CHECKPOINTS:
            kept, self._spacing = kept[1::2], self._spacing * 2
        self._checkpoints = kept

    def _note(self, first: int, batch: Sequence[AnyEvent]) -> None:
        self.lines.record(first, batch)
        for number, event in enumerate(batch, first):
            if type(event) in TROUBLES:
                self.troubles.append((number, event.at))
            if number % 50 == 0 or event.at - self._marks[-1][0] >= 1.0:
                self._marks.append((max(event.at, self._marks[-1][0]), number))


class LogsUntil:
    """The lines of a book as far as a moment."""

    def __init__(self, book: LogBook, at: Callable[[], float]) -> None:
        self._book = book
        self._at = at
        self._cached: dict[str | None, tuple[int, list[LogLine]]] = {}

    def tail(self, task: str | None, count: int) -> Sequence[LogLine]:
        """The latest `count` lines, oldest first, of one task or of all (None)."""
        lines = self._lines(task)
        end = self._end(lines)
        return lines[max(0, end - count) : end]

    def since(self, number: int, task: str | None = None, limit: int = 1000) -> Sequence[LogLine]:
        """Up to `limit` lines with a number above `number`, oldest first."""
        lines = self._lines(task)
        begin = bisect_right(lines, number, key=lambda line: line.number)
        return lines[begin : min(self._end(lines), begin + limit)]

    def _end(self, lines: Sequence[LogLine]) -> int:
        return bisect_right(lines, self._at(), key=lambda line: line.at)

    def _lines(self, task: str | None) -> list[LogLine]:
        received = self._book.statistics().received
        known = self._cached.get(task)
        if known is None or known[0] != received:
            if len(self._cached) > 20:
                self._cached.clear()
            known = self._cached[task] = received, self._book.tail(task, LINES)
        return known[1]
