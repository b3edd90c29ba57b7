"""`Scheduled`: runs a graph whenever its schedule says so."""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import anyio

from dagtop.core.affected import is_unwanted
from dagtop.core.agenda import Agenda, Fire, PassedOver
from dagtop.core.commands import CancelRun
from dagtop.core.schedule import Overlap, Timetable
from dagtop.core.states import RUN_OVER, RunState
from dagtop.core.values import dataclass
from dagtop.errors import DagtopError, Flaw, OptionError
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.runnable import Runnable
from dagtop.graph.written import caller, check_config
from dagtop.graph.zones import zone_named
from dagtop.loaders.plugins import Wanted
from dagtop.ports.journal import Journal
from dagtop.ports.recorder import Recorder
from dagtop.runtime.caller_event import library_here
from dagtop.runtime.executor import DAGExecutor
from dagtop.runtime.inbox import Alarm, Doorbell
from dagtop.runtime.node_schedule import NodeTimes, scheduled_nodes, wall_end
from dagtop.runtime.result import RunResult

if TYPE_CHECKING:
    from typing import Self

#: Longest time between two looks at the wall clock, in seconds: the loop's own clock stands still while the machine sleeps.
LOOK = 10.0

#: The same while a node goes on, whose end is not told.
BUSY_LOOK = 1.0

#: How many runs are remembered.
REMEMBERED = 1000

#: Who cancels a run for the next one, as the events tell it.
BY = "the schedule"

#: How long the end of the program waits for a run that goes on, so that it can clean up, in seconds.
GOODBYE = 1.0

_log = logging.getLogger("dagtop")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRun:
    """One run of a scheduled graph."""

    run: str
    """Its id, as it is in the journal."""
    due: datetime | None
    """When it was due; None for one that was asked for beside the schedule."""
    made_up: bool
    """Whether it was begun later than it was due: something had been missed, or the previous run went on."""
    passed_over: int
    """How many other due times it stands for."""
    started_at: float
    """Wall clock, seconds since 1970 UTC."""
    duration: float
    state: RunState
    reason: str


def timetable_of(config: ExecutorConfig) -> Timetable | None:
    """The due times that a config lays down; None if it says nothing of the kind."""
    schedule = config.schedule()
    return None if schedule is None else Timetable(schedule, zone_named(schedule.timezone))


class Scheduled:
    """Runs a graph at each due time of its schedule; every time it is a run of its own, with a `DAGExecutor` of its own.

    A `MetaDAG` whose nodes have schedules, and which has none itself, is one run that lasts: it begins at once, and the tasks of
    such a node start over at each of its due times.

    `await scheduled.run_forever()` on a loop of yours, or `start()` for a thread of its own. Runs never go on side by side. Due
    times count from when the waiting begins: what was due before is not made up for.

    Parameters
    ----------
    graph: what is run, with `every=`, `cron=` or `at=`, unless the config has one of them.
    config: how to run it; what it leaves open is taken from the graph.
    journal, recorders, plugins, capture: those of every run, see `DAGExecutor`.
    wall: the wall clock, in seconds since 1970 UTC.

    Raises
    ------
    GraphError: the graph cannot be run, or nothing says when it is due.

    Example
    -------
    >>> graph = Graph("nightly", cron="0 2 * * *", timezone="Europe/Berlin").add("one", lambda: 1)
    >>> with Scheduled(graph).start() as nightly:
    ...     nightly.next_due.hour
    2
    """

    def __init__(
        self,
        graph: Runnable,
        config: ExecutorConfig | None = None,
        *,
        journal: Journal | str | Path | None = None,
        recorders: Sequence[Recorder] = (),
        plugins: Wanted | None = None,
        capture: bool | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        check_config(config)
        self.graph = graph
        self.config = (config or ExecutorConfig()).over(graph.config)
        timetable = timetable_of(self.config)
        self._nodes = scheduled_nodes(graph)
        if timetable is None and self._nodes:
            timetable = next(iter(self._nodes.values()))
        if timetable is None:
            message = f"graph {graph.name!r} is never due: give it every=, cron= or at="
            raise OptionError([Flaw(message, caller())])
        self.timetable = timetable
        graph.checked(self.config)
        self.last: RunResult | None = None
        """The result of the latest run."""
        self.count = 0
        """How many runs have ended."""
        self._given = config
        self._journal, self._recorders = journal, tuple(recorders)
        self._plugins, self._capture = plugins, capture
        self._wall = wall
        self._runs: deque[ScheduledRun] = deque(maxlen=REMEMBERED)
        self._agenda: Agenda | None = None
        self._executor: DAGExecutor | None = None
        self._times: NodeTimes | None = None
        self._stopping = self._now = False
        self._alarm = Alarm()
        self._doorbell = Doorbell(self._alarm.ring)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __repr__(self) -> str:
        return f"Scheduled({self.graph.name!r}, {self.count} runs, next due {self.next_due})"

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def next_due(self) -> datetime | None:
        """The next due time, in the schedule's time zone; None if none comes any more, or it was stopped."""
        if self._stopping:
            return None
        now = self._wall()
        if self._nodes:
            times = self._times or NodeTimes(self._nodes, now)
            coming = times.next_due(now)
            return None if coming is None else self._local(coming.due, coming.timetable)
        due = self._agenda.next_due(now) if self._agenda is not None else self.timetable.after(now, now)
        return None if due is None else self._local(due)

    @property
    def runs(self) -> tuple[ScheduledRun, ...]:
        """The latest runs that have ended, oldest first; 1,000 at most."""
        return tuple(self._runs)

    @property
    def is_running(self) -> bool:
        """Whether a run goes on."""
        return self._executor is not None

    # -- running ----------------------------------------------------------------------------------------------------

    async def run_forever(self) -> None:
        """Wait for due times and run, until `stop`, or until nothing is due any more. Failures of tasks end nothing.

        Cancelling this cancels the run that goes on.

        Raises
        ------
        DagtopError: it goes on already, or did.
        """
        if self._agenda is not None:
            raise DagtopError("a Scheduled waits once; make another one to begin again")
        agenda = self._agenda = Agenda(self.timetable, self._wall())
        self._doorbell.bind()
        if self._nodes:
            await self._run_nodes()
            return
        while True:
            self._alarm.set_again()
            if self._stopping or self._was_called_off():
                return
            if self._now:
                self._now = False
                await self._run(agenda, None)
                continue
            match agenda.look(self._wall()):
                case Fire() as fire:
                    await self._run(agenda, fire)
                case PassedOver(count=count):
                    _log.warning("%s: %s due times were missed and are left out", self.graph.name, count)
                case None:
                    due = agenda.next_due(self._wall())
                    if due is None:
                        return
                    await self._wait(due)

    def start(self, *, loop: str | None = None) -> Self:
        """Wait and run in a thread of its own, and return at once.

        Parameters
        ----------
        loop: "asyncio" or "trio", under the tasks; None takes the one that runs here, or else asyncio.

        Raises
        ------
        DagtopError: it goes on already, or did.
        """
        if self._thread is not None or self._agenda is not None:
            raise DagtopError("a Scheduled waits once; make another one to begin again")
        backend = loop or library_here() or "asyncio"
        self._thread = threading.Thread(target=self._work, args=(backend,), name="dagtop:schedule", daemon=True)
        _WAITING.add(self)
        self._thread.start()
        return self

    def run_now(self) -> None:
        """Run once beside the schedule, at once. From any thread.

        Raises
        ------
        DagtopError: a run goes on.
        """
        if self.is_running:
            raise DagtopError(f"a run of {self.graph.name!r} goes on already; runs never go on side by side")
        self._now = True
        self._doorbell.ring()

    def stop(self, *, cancel: bool = False) -> None:
        """Begin no further run. One that goes on goes on to its end; with `cancel` it is cancelled. From any thread."""
        self._stopping = True
        executor = self._executor
        if self._nodes and executor is not None:
            executor.prepared.expect_more(False)
            executor.prepared.close()
        if cancel and executor is not None:
            executor.prepared.send(CancelRun(reason="the schedule was stopped"), 0, BY)
        self._doorbell.ring()

    def wait(self, timeout: float | None = None) -> None:
        """Block until the thread that `start` made has ended.

        Raises
        ------
        TimeoutError: it has not within `timeout` seconds; it goes on.
        DagtopError: there is no such thread, or this is it.
        """
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            raise DagtopError("there is nothing to wait for here: start() makes the thread that wait() waits for")
        thread.join(timeout)
        if thread.is_alive():
            raise TimeoutError(f"the schedule of {self.graph.name!r} goes on after {timeout:g} s")
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(cancel=kind is not None)
        if self._thread is not None:
            self.wait()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _work(self, backend: str) -> None:
        try:
            anyio.run(self.run_forever, backend=backend)
        except BaseException as error:  # noqa: BLE001 - kept for whoever waits; a thread has nobody to raise to
            self._error = error
            _log.error("the schedule of %s has ended: %r", self.graph.name, error)

    async def _run(self, agenda: Agenda, fire: Fire | None) -> None:
        executor = self._executor = self._make()
        try:
            result = await self._carry_out(agenda, executor)
        finally:
            self._executor = None
            agenda.ended(self._wall())
        self._remember(result, fire)

    def _make(self) -> DAGExecutor:
        return DAGExecutor(
            self.graph,
            self._given,
            recorders=self._recorders,
            journal=self._journal,
            capture=self._capture,
            plugins=self._plugins,
        )

    def _remember(self, result: RunResult, fire: Fire | None) -> None:
        self.last, self.count = result, self.count + 1
        self._runs.append(
            ScheduledRun(
                run=result.run,
                due=None if fire is None else self._local(fire.due),
                made_up=fire is not None and fire.made_up,
                passed_over=0 if fire is None else fire.passed_over,
                started_at=result.started_at,
                duration=result.duration,
                state=result.state,
                reason=result.reason,
            )
        )

    async def _carry_out(self, agenda: Agenda, executor: DAGExecutor) -> RunResult:
        if agenda.overlap is not Overlap.CANCEL:
            return await executor.run()
        async with anyio.create_task_group() as group:
            group.start_soon(self._give_way, agenda, executor, name="dagtop:overlap")
            await executor.run()
            group.cancel_scope.cancel()
        return executor.result()

    async def _run_nodes(self) -> None:
        """One run that lasts, in which nodes start over."""
        executor = self._executor = self._make()
        executor.prepared.hold_open = executor.prepared.expects_more = not self._stopping
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_times, executor, name="dagtop:schedules")
                await executor.run()
                group.cancel_scope.cancel()
        finally:
            self._executor = None
        self._remember(executor.result(), None)

    async def _keep_times(self, executor: DAGExecutor) -> None:
        engine = executor.prepared
        times = self._times = NodeTimes(self._nodes, self._wall())

        def ended(path: str) -> float | None:
            ledger = engine.machine.ledger
            index = ledger.plan.index[path]
            return wall_end(ledger.state[index], ledger.started_at, ledger.ended_at[index])

        def wanted(task: str) -> bool:
            ledger = engine.machine.ledger
            return not is_unwanted(ledger, ledger.plan.index[task])

        while True:
            now = self._wall()
            for command in times.tick(now, engine.machine.plan, ended, wanted):
                engine.send(command, 0, BY)
            coming = times.next_due(now)
            if coming is None or self._was_called_off():
                engine.expect_more(False)
                engine.close()
                return
            nap = _nap(coming.due - now)
            await anyio.sleep(min(nap, BUSY_LOOK) if times.is_busy else nap)

    async def _give_way(self, agenda: Agenda, executor: DAGExecutor) -> None:
        """Cancel the run when the next one is due."""
        while not agenda.must_give_way(self._wall()):
            due = agenda.next_due(self._wall())
            await anyio.sleep(LOOK if due is None else _nap(due - self._wall()))
        if executor.prepared.machine.ledger.run_state not in (RunState.CANCELLING, *RUN_OVER):
            executor.prepared.send(CancelRun(reason="the next run is due"), 0, BY)

    async def _wait(self, due: float) -> None:
        with anyio.move_on_after(_nap(due - self._wall())):
            await self._alarm.wait()

    def _was_called_off(self) -> bool:
        event = self.config.cancel_event
        return event is not None and event.is_set()

    def _local(self, moment: float, timetable: Timetable | None = None) -> datetime:
        return datetime.fromtimestamp(moment, UTC).astimezone((timetable or self.timetable).zone)


def _nap(seconds: float) -> float:
    """How long to sleep before the wall clock is looked at again."""
    return min(LOOK, max(0.0, seconds))


#: Those that wait in threads.
_WAITING: weakref.WeakSet[Scheduled] = weakref.WeakSet()


def _say_goodbye() -> None:
    """The program ends: nothing begins any more, and a run that goes on is told to stop, and given a moment for it."""
    going_on = list(_WAITING)
    for scheduled in going_on:
        scheduled.stop(cancel=True)
    for scheduled in going_on:
        if scheduled._thread is not None:
            scheduled._thread.join(GOODBYE / len(going_on))


atexit.register(_say_goodbye)
