"""The console of a graph with a schedule: between two runs it shows the last one, and counts down; then another engine comes.

Ticked by the screen, ten times a second, by the wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import msgspec
from dagtop.core.agenda import MOST, Agenda, Fire, PassedOver
from dagtop.core.commands import CancelRun, Command
from dagtop.core.events import CommandRefused
from dagtop.core.plan import Plan
from dagtop.core.schedule import Timetable
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import RUN_OVER, RunState, TaskState
from dagtop.graph.zones import zone_here
from dagtop.observe.logs import LogBook
from dagtop.observe.story import Story
from dagtop.runtime.node_schedule import NodeTimes, is_wanted, node_end
from dagtop.runtime.schedule import BY

from dagtop_app.bridge import Bridge, Engine, Idle
from dagtop_app.launching.due_texts import at_text, missed_text, stands_for
from dagtop_app.text import clock, name_of


class Startable(Engine, Protocol):
    """An engine that has not begun."""

    def start(self) -> None: ...


class NotBegun(Idle):
    """Stands where an engine will be: the tasks of a graph before its first run. It takes no command."""

    def __init__(self, plan: Plan, max_parallel: int) -> None:
        rows = [
            TaskRow(index, name, TaskState.WAITING, 0, None, None, None, policy=policy)
            for index, (name, policy) in enumerate(zip(plan.names, plan.policies, strict=True))
        ]
        self.latest = RunSnapshot(
            version=1,
            graph=plan.name,
            plan=plan,
            rows=rows,
            counts={TaskState.WAITING: len(rows)},
            max_parallel=max_parallel,
        )
        self.logs = LogBook()
        self.story = Story()
        self.result: Any = None
        self.error: BaseException | None = None
        self._sent = 0

    def send(self, command: Command, *, by: str) -> int:
        """Refuse it."""
        self._sent += 1
        answer = CommandRefused(0.0, command, self._sent, by, "there is no run yet; . runs the graph now")
        self.latest = msgspec.structs.replace(self.latest, version=self.latest.version + 1, answers=(answer,))
        return self._sent

    def where(self, task: str) -> str:
        """Nowhere."""
        return "there is no run yet"

    def close(self) -> None:
        """Nothing to close."""

    def join(self, timeout: float | None = None) -> bool:
        """It has ended already."""
        return True


class Keeper(Protocol):
    """What the screen asks ten times a second."""

    @property
    def runs_all(self) -> bool:
        """Whether a due time is one of the whole graph, so that it can be run at once; False: of nodes of it."""
        ...

    def tick(self, bridge: Bridge) -> bool:
        """Look at the clock. True if a run has begun, with an engine of its own."""
        ...

    def run_now(self, bridge: Bridge) -> bool:
        """Run beside the schedule; says why if that cannot be."""
        ...

    def text(self) -> str:
        """For the header: "next run at 02:00 in 3:12:04"."""
        ...


class NodeKeeper:
    """Lets nodes of a run that lasts start over at their due times."""

    runs_all = False

    def __init__(self, nodes: dict[str, Timetable], *, wall: Callable[[], float] = time.time) -> None:
        self._times = NodeTimes(nodes, wall())
        self._wall = wall
        self._here = zone_here()
        self._expect_more: Callable[[bool], None] | None = None

    def serve(self, expect_more: Callable[[bool], None]) -> None:
        """Have the engine keep services up for the due times to come; it is told when there are no more."""
        self._expect_more = expect_more
        expect_more(True)

    def tick(self, bridge: Bridge) -> bool:
        """Look at the clock. The engine stays the same one."""
        snapshot = bridge.engine.latest
        if snapshot.rows:
            ended, wanted = partial(node_end, snapshot), partial(is_wanted, snapshot)
            for command in self._times.tick(self._wall(), snapshot.plan, ended, wanted):
                bridge.engine.send(command, by=BY)
        if self._expect_more is not None and self._times.next_due(self._wall()) is None and not self._times.is_busy:
            self._expect_more(False)
            self._expect_more = None
        return False

    def run_now(self, bridge: Bridge) -> bool:
        """Not all of it at once."""
        bridge.refuse("only nodes of it have schedules; r runs tasks again")
        return False

    def text(self) -> str:
        """For the header: "ingest next at 02:00 in 3:12:04"."""
        now = self._wall()
        coming = self._times.next_due(now)
        if coming is None:
            return "no node is due any more"
        when = at_text(coming.due, now, coming.timetable.zone, self._here)
        return f"{name_of(coming.node, 30)} next at {when} in {clock(coming.due - now + 0.5)}"


class Timekeeper:
    """Gives the bridge another engine at each due time.

    Parameters
    ----------
    make: an engine for the next run, not started.
    """

    runs_all = True

    def __init__(self, agenda: Agenda, make: Callable[[], Startable], *, wall: Callable[[], float] = time.time) -> None:
        self._agenda = agenda
        self._make = make
        self._wall = wall
        self._here = zone_here()
        self._was_busy = self._gives_way = False
        self._due: float | None = None
        self._told = ""

    def is_busy(self, bridge: Bridge) -> bool:
        """Whether a run goes on."""
        engine = bridge.engine
        return not (isinstance(engine, NotBegun) or engine.latest.state in RUN_OVER or engine.error is not None)

    def tick(self, bridge: Bridge) -> bool:
        """Look at the clock. True if a run has begun, with an engine of its own."""
        now = self._wall()
        if self.is_busy(bridge):
            self._was_busy = True
            if not self._gives_way and self._agenda.must_give_way(now):
                self._gives_way = True
                if bridge.engine.latest.state is RunState.CANCELLING:
                    return False
                bridge.engine.send(CancelRun(reason="the next run is due"), by=BY)
            return False
        if self._was_busy:
            self._was_busy = self._gives_way = False
            self._agenda.ended(now)
        match self._agenda.look(now):
            case Fire() as fire:
                self._begin(bridge)
                if fire.made_up:
                    bridge.say(f"makes up for {self._when(fire.due, now)}{stands_for(fire.passed_over)}")
                return True
            case PassedOver(count=count):
                bridge.say(missed_text(count, MOST))
                return False
            case None:
                return False

    def run_now(self, bridge: Bridge) -> bool:
        """Run beside the schedule; says why if that cannot be."""
        if self.is_busy(bridge):
            bridge.refuse("a run goes on already; runs of a schedule never go on side by side")
            return False
        self._begin(bridge)
        return True

    def go_by(self, agenda: Agenda) -> None:
        """Other due times from now on; a run that goes on is counted as one of them."""
        self._agenda, self._due, self._gives_way = agenda, None, False

    def _begin(self, bridge: Bridge) -> None:
        bridge.engine.close()
        engine = self._make()
        bridge.attach(engine)
        self._was_busy = True
        engine.start()

    def text(self) -> str:
        """For the header: "next run at 02:00 in 3:12:04"."""
        now = self._wall()
        due = self._agenda.next_due(now)
        if due is None:
            return "no run is due any more"
        if due != self._due:
            self._due, self._told = due, self._when(due, now)
        return f"next run at {self._told} in {clock(due - now + 0.5)}"

    def _when(self, due: float, now: float) -> str:
        return at_text(due, now, self._agenda.timetable.zone, self._here)
