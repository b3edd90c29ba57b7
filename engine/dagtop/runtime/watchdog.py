"""Finds what keeps an event loop from going round, and says so while it does: the loop itself can tell nobody then.

One thread for the process looks at every engine's loop a few times a second. A loop that has gone round since, or sleeps until
something happens, is well; for one that does neither, the stack of its thread tells whose code it is in. Time in
which nobody ran (a laptop that slept, a stopped process, a machine with too much to do) counts for nobody.

This is the one place where the real clock is meant, not the loop's: that one may be virtual, and stands still when the loop does.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from msgspec import structs

from dagtop.core.snapshot import Blocked
from dagtop.runtime.cpu import Processor
from dagtop.runtime.culprit import CALLBACK, GRAPHS, OURS, Culprit, culprit_of, is_asleep
from dagtop.runtime.stacks import frames_of, text_of_stack, where
from dagtop.runtime.where import thread_places

if TYPE_CHECKING:
    from dagtop.backends.event_loop import Attempt
    from dagtop.runtime.engine import Engine

#: Seconds that one task may keep the loop before it is named, and that dagtop itself may.
BLOCKED, OURSELVES = 0.25, 1.0

#: Seconds between two looks, and how long after the last run the thread goes to sleep.
TICK, LINGER = 0.05, 1.0
#: Seconds between two looks where for a second nothing has run that could keep a loop.
REST, CALM = 0.2, 1.0

#: Of a run's threads so many are looked at.
MOST_THREADS = 64

#: Said of a task in a thread that lets no other thread run: C code that keeps the interpreter lock.
HELD = "its thread held the interpreter, so that nothing else in the process could run"


class Patient:
    """One engine's loop under observation. The watchdog's thread looks, the loop's takes what was found."""

    def __init__(
        self, engine: Engine, hear: Callable[[Blocked], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._engine = engine
        self._hear = hear
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._rounds = -1
        self._culprit: Culprit | None = None
        self._since = 0.0
        self._told: Blocked | None = None
        self._tell_again = 0.0
        self._ended: deque[Blocked] = deque()
        self._gone = False
        self.processor = Processor(threading.get_native_id())
        self.has_news = False
        """Whether `take` is worth calling."""

    # -- on the loop's thread -----------------------------------------------------------------------------------------

    def take(self) -> list[Blocked]:
        """The loop goes round again: what kept it, and for how long in all."""
        with self._lock:
            self._end(self._clock())
            found = list(self._ended)
            self._ended.clear()
            self.has_news = False
            return found

    def leave(self) -> None:
        """The run is over; from now on nothing is looked at or changed any more."""
        with self._lock:
            self._gone = True
            self._culprit = None  # it holds the user's frames

    # -- on the watchdog's thread -------------------------------------------------------------------------------------

    def look(self, now: float, frames_by_thread: dict[int, FrameType]) -> None:
        """See whether it has gone round since the last time, and if not, why."""
        engine = self._engine
        with self._lock:
            rounds = engine.rounds
            frames = frames_of(frames_by_thread.get(self._thread)) if rounds == self._rounds else []
            if rounds != self._rounds or is_asleep(frames):
                self._rounds = rounds
                self._culprit = None
                if self.has_news:  # it lives again: it is to take what was found
                    engine.doorbell.ring()
                return
            culprit = culprit_of(frames, engine)
            if culprit != self._culprit:
                self._end(now)
                self._culprit, self._since, self._tell_again = culprit, now, 0.0
                self.processor.mark()
                engine.doorbell.ring()  # a loop that is well answers by going round
                return
            kept = now - self._since - self.processor.waited()
            if self._gone or kept < (OURSELVES if culprit.who == OURS else BLOCKED):
                return
            told = self._show(culprit, now - self._since)
        if told.seconds >= self._tell_again:
            self._tell_again = 2 * told.seconds
            self._hear(told)

    def forgive(self, seconds: float) -> None:
        """Nothing ran for so long: it does not count."""
        self._since += seconds

    def held(self, seconds: float, now: float, frames: dict[int, FrameType]) -> None:
        """The process ran for so long, but not the watchdog's thread: some thread of it let no other one run."""
        if self.processor.ran(seconds):
            # The loop's own: it counts as it would have if we had been able to look. The thread stands where it let go.
            stack = frames_of(frames.get(self._thread))
            if not is_asleep(stack):
                with self._lock:
                    self._end(now - seconds)
                    self._rounds = self._engine.rounds
                    self._culprit, self._since, self._tell_again = culprit_of(stack, self._engine), now - seconds, 0.0
            return
        self.forgive(seconds)
        for attempt, processor in self.threads():
            if not processor.ran(seconds):
                continue
            places = thread_places(frames, attempt)
            told = _blocked(Culprit(self._engine.job.plan.names[attempt.index], attempt.number, HELD, places), seconds)
            with self._lock:
                if self._gone:
                    return
                self._ended.append(told)
                self.has_news = True
            self._hear(told)

    def threads(self) -> list[tuple[Attempt, Processor]]:
        """Attempts in threads whose processor time is looked at."""
        found = [attempt for attempt in list(self._engine.workers.running.values()) if attempt.thread is not None]
        return [(one, one.thread.processor) for one in found[:MOST_THREADS] if one.thread is not None]

    def is_quiet(self) -> bool:
        """Whether the loop has not gone round since the last look."""
        return self._engine.rounds == self._rounds

    def rests(self) -> bool:
        """Whether no attempt is at work, and the loop has had nothing to do since the last look."""
        return self._culprit is None and not self._engine.workers.running and self.is_quiet()

    def _show(self, culprit: Culprit, seconds: float) -> Blocked:
        """Put it into the latest snapshot, in which nothing else can change now."""
        told = self._told = _blocked(culprit, seconds)
        self.has_news = True
        publisher = self._engine.publisher
        if publisher is not None:
            publisher.show_blocked(told)
        return told

    def _end(self, now: float) -> None:
        if self._told is not None:
            self._ended.append(structs.replace(self._told, seconds=max(self._told.seconds, now - self._since)))
        self._told = self._culprit = None


def _blocked(culprit: Culprit, seconds: float) -> Blocked:
    return Blocked(
        task=culprit.task,
        attempt=culprit.attempt,
        seconds=round(seconds, 3),
        stack=text_of_stack(culprit.places),
        where=where(culprit.places),
        who=culprit.who,
    )


def sentence(blocked: Blocked) -> str:
    """It as a sentence without its end, for people."""
    who = f"task {blocked.task!r} (attempt {blocked.attempt})" if blocked.task else blocked.who
    at = f", at {blocked.where}" if blocked.where else ""
    if blocked.who == HELD:
        return f"{who}: {HELD}, for {blocked.seconds:.2f} s{at}"
    advice = "; blocking code belongs into a plain `def`" if blocked.who in {"", CALLBACK, GRAPHS} else ""
    return f"{who} has kept the event loop from going round for {blocked.seconds:.2f} s{at}{advice}"


def stack_of(blocked: Blocked) -> str:
    """Its stack, with a line in front if it is not the loop that was kept."""
    return f"  {blocked.who}:\n{blocked.stack}" if blocked.who else blocked.stack


class Watchdog:
    """The thread that looks. There is one per process; it ends a moment after the last run and begins again with the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patients: Sequence[Patient] = ()
        self._running = False

    def watch(self, patient: Patient) -> None:
        """Look after a loop from now on."""
        with self._lock:
            self._patients = (*self._patients, patient)
            if not self._running:
                self._running = True
                threading.Thread(target=self._work, name="dagtop:watchdog", daemon=True).start()

    def forget(self, patient: Patient) -> None:
        """Look after it no longer. When this returns nothing of it is changed any more."""
        patient.leave()
        with self._lock:
            self._patients = tuple(one for one in self._patients if one is not patient)

    def after_fork(self) -> None:
        """In the child there is no such thread."""
        self.__init__()  # type: ignore[misc]  # as new

    def _work(self) -> None:
        idle = calm = 0.0
        while True:
            before, ran = time.monotonic(), time.process_time()
            tick = TICK if calm < CALM else REST
            time.sleep(tick)
            late = time.monotonic() - before - tick
            with self._lock:
                patients = self._patients
                idle = 0.0 if patients else idle + tick
                calm = calm + tick if all(patient.rests() for patient in patients) else 0.0
                if idle > LINGER:
                    self._running = False
                    return
            with contextlib.suppress(Exception):  # whatever it finds in the frames of others, it must go on
                self._look(patients, late if late > TICK else 0.0, time.process_time() - ran)

    def _look(self, patients: Sequence[Patient], late: float, ran: float) -> None:
        held = late >= BLOCKED and ran >= 0.8 * late
        frames: dict[int, FrameType] = {}
        if held or any(patient.is_quiet() for patient in patients):
            frames = sys._current_frames()
            frames.pop(threading.get_ident(), None)  # or this frame would hold itself
        now = time.monotonic()  # after the frames: another thread may have had the interpreter for long meanwhile
        for patient in patients:
            if held:
                patient.held(late, now, frames)
            elif late:
                patient.forgive(late)
            patient.look(now, frames)
            patient.processor.look()
            for _, processor in patient.threads():
                processor.look()


WATCHDOG = Watchdog()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WATCHDOG.after_fork)
