"""`dagtop run` of a graph with a schedule: waits for the next due time, runs, and waits again, until a signal comes.

Nothing here trusts a sleep: the wall clock is looked at again every `LOOK` seconds, so a laptop that slept wakes up to the right
time.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from functools import partial

from dagtop.core.agenda import MOST, Agenda, Fire, PassedOver
from dagtop.core.commands import CancelRun
from dagtop.core.schedule import Overlap, Timetable
from dagtop.core.states import RUN_OVER, RunState
from dagtop.graph.zones import zone_here
from dagtop.ports.journal import Journal
from dagtop.runtime.node_schedule import NodeTimes, is_wanted, node_end
from dagtop.runtime.schedule import BY, LOOK
from dagtop.runtime.thread import EngineThread

from dagtop_app.commandline.options import OutputOptions
from dagtop_app.commandline.signals import Signals, name_of_signal
from dagtop_app.commands.running import run_to_the_end
from dagtop_app.launching.due_texts import at_text, left_text, missed_text, stands_for
from dagtop_app.launching.mailbox import Mailbox
from dagtop_app.launching.preparing import Prepared
from dagtop_app.plain.headless import NOBODY_READS
from dagtop_app.plain.saying import say
from dagtop_app.text import name_of

#: How often it is looked whether a node is due, or the run was stopped, in seconds.
_GLANCE = 0.2

#: Ends of a run after which no node starts over.
_STOPS = frozenset({RunState.CANCELLING, *RUN_OVER})
_CUT_SHORT = frozenset({RunState.CANCELLED, RunState.TIMED_OUT})


def run_by_schedule(
    prepared: Prepared,
    timetable: Timetable,
    signals: Signals,
    output: OutputOptions,
    *,
    out: int,
    journal: Journal | None,
    resume_command: str = "",
    wall: Callable[[], float] = time.time,
) -> int:
    """Run the graph at its due times. Returns the exit code of the latest run, or 0, when a signal came or nothing is due."""
    waiting = _Waiting(prepared.graph.name, Agenda(timetable, wall()), signals, wall)
    code = 0
    while (fire := waiting.for_the_next()) is not None:
        if fire.made_up:
            say(f"{waiting.name} makes up for {waiting.when(fire.due)}{stands_for(fire.passed_over)}")
        code = run_to_the_end(
            prepared,
            signals,
            output,
            out=out,
            journal=journal,
            resume_command=resume_command,
            meanwhile=waiting.give_way,
        )
        waiting.agenda.ended(wall())
        if signals.received or code == NOBODY_READS:
            break
    return code


def run_with_scheduled_nodes(
    prepared: Prepared,
    nodes: dict[str, Timetable],
    signals: Signals,
    output: OutputOptions,
    *,
    out: int,
    journal: Journal | None,
    resume_command: str = "",
    wall: Callable[[], float] = time.time,
) -> int:
    """One run that lasts, in which nodes start over at their due times, until a signal comes or none is due any more."""

    def keep_times(engine: EngineThread, over: threading.Event) -> None:
        times = NodeTimes(nodes, wall())
        here, told = zone_here(), -1.0
        while not over.wait(_GLANCE):
            snapshot, now = engine.latest, wall()
            coming = times.next_due(now)
            if signals.received or snapshot.state in _CUT_SHORT:
                engine.close()  # who has had the signal stops what runs
                return
            if snapshot.rows:
                ended, wanted = partial(node_end, snapshot), partial(is_wanted, snapshot)
                for command in times.tick(now, snapshot.plan, ended, wanted):
                    engine.send(command, by=BY)
            if coming is None:
                engine.expect_more(False)
                engine.close()
                return
            if coming.due != told and not times.is_busy:
                told = coming.due
                when = at_text(coming.due, now, coming.timetable.zone, here)
                say(f"next run of {name_of(coming.node, 100)} at {when} (in {left_text(coming.due - now)})")

    @contextlib.contextmanager
    def beside(engine: EngineThread) -> Generator[None]:
        over = threading.Event()
        engine.expect_more(True)
        keeper = threading.Thread(target=keep_times, args=(engine, over), name="waits for due times", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()

    return run_to_the_end(
        prepared,
        signals,
        output,
        out=out,
        journal=journal,
        resume_command=resume_command,
        meanwhile=beside,
        hold_open=True,
    )


class _Waiting:
    """The main thread between two runs."""

    def __init__(self, name: str, agenda: Agenda, signals: Signals, wall: Callable[[], float]) -> None:
        self.name = name_of(name, 100)
        self.agenda = agenda
        self._signals = signals
        self._wall = wall
        self._here = zone_here()

    def for_the_next(self) -> Fire | None:
        """Wait, and say for what; None if a signal came, or nothing is due any more."""
        mailbox: Mailbox[int] = Mailbox()
        self._signals.deliver_to(mailbox.put, wake=mailbox.wake)
        try:
            told: float | None = None
            while True:
                match self.agenda.look(self._wall()):
                    case Fire() as fire:
                        return fire
                    case PassedOver(count=count):
                        say(f"{self.name}: {missed_text(count, MOST)}")
                        continue
                    case None:
                        pass
                now = self._wall()
                due = self.agenda.next_due(now)
                if due is None:
                    all_past = ": every moment that at= names is past" if self.agenda.timetable.schedule.at else ""
                    say(f"{self.name} is not due any more{all_past}")
                    return None
                if due != told:
                    told = due
                    say(f"next run of {self.name} at {self.when(due)} (in {left_text(due - now)})")
                number = mailbox.get(time.monotonic() + min(LOOK, max(0.0, due - now)))
                if number is not None:
                    say(f"{name_of_signal(number)}: waits no longer")
                    return None
        finally:
            self._signals.deliver_to(_nothing)
            mailbox.close()

    def when(self, due: float) -> str:
        """A due time in words."""
        return at_text(due, self._wall(), self.agenda.timetable.zone, self._here)

    @contextlib.contextmanager
    def give_way(self, engine: EngineThread) -> Generator[None]:
        """While a run goes on: cancel it when the next one is due, if that is what `overlap` says."""
        over = threading.Event()
        if self.agenda.overlap is not Overlap.CANCEL:
            yield
            return

        def watch() -> None:
            while not self.agenda.must_give_way(self._wall()):
                due = self.agenda.next_due(self._wall())
                if over.wait(LOOK if due is None else min(LOOK, max(0.0, due - self._wall()))):
                    return
            if engine.latest.state not in _STOPS:
                engine.send(CancelRun(reason="the next run is due"), by=BY)

        watcher = threading.Thread(target=watch, name="waits for the next due time", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _nothing(number: int) -> None:
    """A signal between two watches: it counts as received, and whoever watches next looks there."""
