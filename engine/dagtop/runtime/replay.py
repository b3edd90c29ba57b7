"""A stored run as an engine that can be looked at: the same snapshots, logs and story, at any instant of the run.

It plays like a recording: on and off, faster and slower, event by event, from problem to problem, to any moment. A run that still
goes on in another process can be followed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from dagtop.core.commands import Command
from dagtop.core.events import CommandRefused, Log
from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import RUN_OVER
from dagtop.errors import JournalError
from dagtop.observe.logs import LogBook
from dagtop.observe.story import Story
from dagtop.observe.tape import StoryUntil
from dagtop.ports.journal import RunSummary, StoredRun
from dagtop.runtime import shelf
from dagtop.runtime.checkpoints import Checkpoint
from dagtop.runtime.logs_until import LogsUntil
from dagtop.runtime.past import Past
from dagtop.runtime.publisher import SnapshotBox
from dagtop.runtime.reel import Reel
from dagtop.runtime.replay_index import FOLLOWING, Index
from dagtop.runtime.transport import Transport

#: Seconds between two looks at what is to be done while it plays, and between two pictures while it is on its way.
FRAME, ON_THE_WAY = 0.05, 0.25
#: Events taken before somebody may say something else.
PIECE = 4_000
#: Events before the instant that are read, so that views can tell of them.
BEHIND = 50_000
#: It leaves a checkpoint so many events before where it jumps to, so that going back from there is quick; and keeps so many.
NEAR, NEARBY = 500, 4
#: How fast it may play: seconds of the run in one second.
SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

#: Seconds between two looks at whether a run that is followed still goes on.
LOOKING = 2.0

_REFUSED = "this is a replay: nothing of it can be changed"


class Replay:
    """Plays a stored run. Everything but `start` may be called from any thread, and none of it waits but `join`.

    Parameters
    ----------
    stored: the run.
    at_end: begin with the last event instead of before the first.
    usual: how long tasks usually take, by name, where that is known.
    book: where its lines are kept, unless it is a plain book.
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
        book: LogBook | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.error: BaseException | None = None
        """What ended it: the run cannot be read."""
        self.epoch = 0
        """Grows when it goes back: what was read of `logs` and `story` before does not hold any more."""
        self._stored = stored
        self._now = now
        self._box = SnapshotBox()
        self._reel = Reel(stored)
        self._past = Past(self._reel, self._box)
        plan = self._past.first_plan
        self._shelf = shelf.Shelf(stored, plan, spacing=shelf.SPACING)
        self._index = Index(self._reel, plan, self._shelf, book)
        self._story = self._story_from_here()
        self._at_end = at_end
        self._wake = threading.Condition()
        self._closed = False
        self._playing = False
        self._summary = stored.summary
        self._follows = False
        """It goes along with a run that goes on."""
        self._looked_at = now()
        self._speed = 1.0
        self._at = 0.0
        self._heading: int | None = None
        self._until: float | None = None
        """The moment behind that event that it is on its way to."""
        self._nearby: list[Checkpoint] = []
        self._filled = 0
        """Events from this number on to the instant are at hand."""
        self._filling = self._missed = False
        self._shown = now(), 0
        """When it was last put into the box, and how much had been read then."""
        self._refusals = 0
        self._refused: list[CommandRefused] = []
        """Not yet shown."""
        self._ticked_at = now()
        self._thread = threading.Thread(target=self._run, name="dagtop:replay", daemon=True)
        self.logs = LogsUntil(self._index.lines, lambda: self._past.number)
        self._show_first()
        index = plan.index
        self.usual = {index[name]: one for name, one in (usual or {}).items() if name in index}
        """How long tasks usually take, by index."""

    def _show_first(self) -> None:
        """What is there before it starts: its end, if that need not be worked out."""
        last = self._shelf.before(self._shelf.last) if self._at_end else None
        if last is not None:
            self._past.back_to(last)
            self._at = last.at
        self._show()

    # -- what a console asks of an engine ----------------------------------------------------------------------------

    @property
    def summary(self) -> RunSummary:
        """What the journal says of the run; of one that goes on, every two seconds anew."""
        return self._summary

    @property
    def latest(self) -> RunSnapshot:
        """The run at the instant that is shown."""
        return self._box.latest

    @property
    def story(self) -> Story:
        """What has happened up to then; another one when it has gone back."""
        return self._story

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
        self._index.lines.note(line)

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
        last, end = max(index.last, past.number), max(index.end, past.at, self._at)
        goes_on = self._summary.alive and past.ledger.run_state not in RUN_OVER
        return Transport(
            number=self.latest.events_seen,
            last=last,
            at=self._at,
            end=end,
            playing=self._playing,
            speed=self._speed,
            heading=self._heading,
            indexed=index.knows_all,
            troubles=index.troubles,
            following=self._follows and goes_on and self._heading is None,
            read=1.0 if index.done else index.number / max(1, last),
            goes_on=goes_on,
            filling=self._filling,
        )

    def play(self, on: bool | None = None) -> None:
        """Play, or stand still; the other one if nothing is said. At the end it begins anew."""
        with self._wake:
            self._playing = not self._playing if on is None else on
            self._heading = self._until = None
            at_end = self._past.number >= self._index.last and not self._summary.alive
            self._follows = False
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
            self._heading = max(0, min(number, max(self._index.last, self._past.number)))
            self._until = until
            self._playing = self._follows = False
            self._wake.notify_all()

    def to_end(self) -> None:
        """To the last event; of a run that goes on, along with it."""
        with self._wake:
            self.seek(1 << 62)
            self._follows = self._summary.alive

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
            if self._heading is None and not self._closed and not self._refused and not self._filling:
                waits = FRAME if self._playing else FOLLOWING if self._follows or not self._index.done else None
                self._wake.wait(waits)
            return not self._closed

    def _go_on(self) -> None:
        with self._wake:
            heading, until, playing = self._heading, self._until, self._playing
            refused, self._refused = self._refused, []
        self._past.publisher.answer(refused)
        if heading is not None:
            self._head_for(heading, until)
        elif playing:
            self._tick()
        else:
            self._stand(answered=bool(refused))

    def _stand(self, *, answered: bool) -> None:
        """Nothing is asked of it: follow the run, and fill in what was before the instant."""
        follows = self._follows
        if follows:
            self._look_at_the_run()
            while not self._past.forward(most=PIECE) and self._follows and not self._closed:
                self._show_on_the_way()
            self._at = max(self._at, self._past.at)
        if self._filling:
            self._fill()
        read = self._index.number
        if answered or follows or (read != self._shown[1] and self._now() - self._shown[0] >= FOLLOWING):
            self._show()

    def _look_at_the_run(self) -> None:
        now = self._now()
        if now - self._looked_at >= LOOKING:
            self._looked_at = now
            self._summary = self._stored.look()
            self._follows = self._follows and self._summary.alive

    def _head_for(self, heading: int, until: float | None) -> None:
        past, index = self._past, self._index
        number = heading if until is None else index.number_at(until)
        begun = max(past.number if past.number <= number else 0, self._shelf.reach(number))
        is_far = not index.done and number > index.number and number - begun > self._shelf.spacing
        if is_far or (until is not None and not index.knows(until)):
            self._wait_for_the_index()
            return
        back = number < past.number and (until is None or past.at > until)
        if back or past.number < number:
            self._jump(number)
        arrived = past.number >= number or past.forward(number=number, most=PIECE)
        if arrived and until is not None:
            arrived = past.forward(at=until, most=PIECE)
        self._at = max(past.at, until or 0.0) if arrived else past.at
        if back:
            self._story = self._story_from_here()
            self.epoch += 1
        if not arrived:
            self._show_on_the_way()
            return
        self._show()
        self._filled, self._filling = past.number + 1, True
        with self._wake:
            if (self._heading, self._until) == (heading, until):
                self._heading = self._until = None
                self._ticked_at = self._now()

    def _wait_for_the_index(self) -> None:
        """It comes by there soon, and leaves checkpoints, which are shown meanwhile."""
        with self._wake:
            self._wake.wait(FRAME)
        if self._now() - self._shown[0] < 2 * ON_THE_WAY:
            return
        past, index = self._past, self._index
        found = self._shelf.before(index.number) if self._shelf.reach(index.number) > past.number else None
        if found is not None and found.number > past.number:
            past.back_to(found)
            self._at = past.at
        self._show()

    def _jump(self, number: int) -> None:
        """Go back to a checkpoint, or forward to one, if that is nearer to the event than where it is."""
        past, reach = self._past, self._shelf.reach(number)
        near = max((one for one in self._nearby if one.number <= number), key=lambda one: one.number, default=None)
        best = max(reach, near.number if near is not None else 0)
        if past.number <= number and (best <= past.number or number - past.number <= NEAR):
            return
        found = near if near is not None and near.number >= reach else self._shelf.before(number)
        if found is not None:
            past.back_to(found)
        elif past.number > number:
            past.begin()
        if number - past.number > NEAR and not self._closed:
            while past.number < number - NEAR and not past.forward(number=number - NEAR, most=PIECE):
                if self._closed or self._heading is None:
                    return
            self._nearby = [*self._nearby[-NEARBY + 1 :], past.checkpoint()]

    def _tick(self) -> None:
        now = self._now()
        self._at += (now - self._ticked_at) * self._speed
        self._ticked_at = now
        past = self._past
        while not past.forward(at=self._at, most=PIECE) and not self._closed and self._heading is None:
            self._show_on_the_way()
        over = past.number >= self._index.last
        self._at = past.at if over else self._at
        self._show()
        if over:
            with self._wake:
                self._playing, self._follows = False, self._summary.alive

    # -- what is seen ------------------------------------------------------------------------------------------------

    def _story_from_here(self) -> StoryUntil:
        return StoryUntil(self._index.tape, self._reel.at_hand)

    def _show(self) -> None:
        past = self._past
        self._story.until(past.number, past.at)
        self._shown = self._now(), self._index.number
        past.show(self._at)

    def _show_on_the_way(self) -> None:
        if self._now() - self._shown[0] >= ON_THE_WAY:
            self._show()

    def _fill(self) -> None:
        """Read some of the events before the instant; when all are there, views look at them anew."""
        end, before = max(1, self._past.number - BEHIND), self._filled
        if before > end:
            first, events = self._reel.at_hand(before - 1)
            if not events:
                first, events = self._reel.batch(before - 1)
                self._missed = True
            self._filled = first if events else end
            return
        self._filling = False
        if self._missed:
            self._missed = False
            self._story = self._story_from_here()
            self._story.until(self._past.number, self._past.at)
            self.epoch += 1
