"""`Reconciler`: a desired state that is kept, on the same engine as a run that comes to an end."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import anyio

from dagtop.core import commands as cmd
from dagtop.core.nearest import nearest
from dagtop.core.restart import Restart
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import FINAL, GOOD, RUN_OVER, RunState
from dagtop.errors import DagtopError
from dagtop.graph.declare import Graph
from dagtop.graph.listening import Listener, Listeners, Listening
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.written import check_config, config_of
from dagtop.loaders.plugins import Wanted, check_wanted
from dagtop.ports.journal import Journal
from dagtop.ports.recorder import Recorder
from dagtop.runtime.answer import Answer
from dagtop.runtime.commanding import Commanding, TaskLike
from dagtop.runtime.comparing import UpdatePlan
from dagtop.runtime.desired_graph import DesiredGraph, taken_as_it_is
from dagtop.runtime.executor import DAGExecutor
from dagtop.runtime.publisher import row_of
from dagtop.runtime.result import RunResult
from dagtop.runtime.supervisor import Supervisor
from dagtop.runtime.swapping import Version

if TYPE_CHECKING:
    from typing import Self

    from dagtop.journal.resume import Resumption
    from dagtop.runtime.handle import Run

#: Tasks that may run at once unless it is said: what is to run always holds its slot.
SLOTS = 1_000

#: States of a run that was told to end, by whichever command.
_DOWN = frozenset({RunState.DRAINING, RunState.CANCELLING, RunState.CANCELLED})
_GOES_DOWN = _DOWN - {RunState.CANCELLED}

#: Commands after which a task may run, in a run that was over too.
_BRINGS_UP = (cmd.StartTask, cmd.RestartTask, cmd.RetryFailed, cmd.SkipTask, cmd.MarkSucceeded, cmd.ScaleTask)


class Reconciler(Commanding, Listening):
    """Keeps the tasks of a graph as they are wanted: started when what they need is ready, and again when they end.

    It goes on in a thread of its own, event-driven: nothing is polled. All of it may be used from any thread, and from asyncio
    and trio.

    Parameters
    ----------
    graph: its tasks say with `restart=`, `max_restarts=`, `restart_backoff=`, `ready=` and `alive=` how they are kept.
    config: how to run it; what it leaves open is taken from the graph. `max_parallel` is 1,000 unless given.
    restart: for tasks that do not say: "on-failure", "always", "no", or a `Restart`.
    resume: with a `journal`, what to go on with: "latest", the latest run of this graph, if its process died or it was stopped;
        the id of a run; or None, to begin anew. What ran runs again, what a person stopped, changed or scaled stays as it was,
        and what had succeeded, and is unchanged, is not done again.
    recorders, journal, source, run_id, capture, plugins: as for `DAGExecutor`.

    Raises
    ------
    GraphError: it is no `Graph`, or an option does not take its value. Whether the graph can be run is seen when it is brought
        up, or by whom it is a node of.

    Example
    -------
    >>> import anyio
    >>> async def main() -> bool:
    ...     async with Reconciler(Graph("g").add("one", lambda: 1)) as services:
    ...         return await services.wait()
    >>> anyio.run(main)
    True
    """

    def __init__(
        self,
        graph: Graph,
        config: ExecutorConfig | None = None,
        *,
        restart: str | Restart = "on-failure",
        recorders: Sequence[Recorder] = (),
        journal: Journal | str | Path | None = None,
        source: str = "",
        run_id: str | None = None,
        resume: Resumption | str | None = "latest",
        capture: bool | None = None,
        plugins: Wanted | None = None,
    ) -> None:
        check_config(config)
        check_wanted(plugins)
        taken = taken_as_it_is(graph)
        self.declared = graph
        """The graph that was given."""
        self._given = config
        self._options: dict[str, Any] = {
            "recorders": recorders,
            "journal": journal,
            "source": source,
            "run_id": run_id,
            "resume": None if isinstance(resume, str) else resume,
            "capture": capture,
            "plugins": plugins,
        }
        self._resume = resume if isinstance(resume, str) else None
        self._fallback = config_of({"max_parallel": SLOTS, "default_restart": restart}, graph.place)
        """What holds where neither `config` nor the graph says anything."""
        self._desired = DesiredGraph(taken, config, self._fallback)
        self.listeners = Listeners()
        self.listeners.joined = self._joined
        self._run: Run | None = None
        self._lock = threading.RLock()
        """For what is below, and the desired graph."""
        self._made: Supervisor | None = None
        """What carries it out, once that is known to be wanted."""
        self._stopped = False
        """Whether it is to be down: the latest of `stop`, `start` and their commands counts."""
        self._closing = False
        self._later: int | None = None
        """The number of the version that is to run once it is started again."""
        self._up_or_down: Answer | None = None
        """To the latest command to start, or to stop, all of it."""

    def __repr__(self) -> str:
        return f"Reconciler({self.graph.name!r}, {len(self.graph)} tasks)"

    @property
    def graph(self) -> Graph:
        """The desired state of now."""
        return self._desired.now

    @property
    def name(self) -> str:
        """That of its graph."""
        return self.graph.name

    @property
    def run_id(self) -> str:
        """The id of its run, in the journal too; from the start on that of the run that it goes on with, if there is one."""
        return self.own_executor.run_id

    @property
    def config(self) -> ExecutorConfig:
        """How it is run: what was given, over what the graph says."""
        return self._desired.configured(self.graph)

    def executor(self, config: ExecutorConfig | None = None, **options: Any) -> DAGExecutor:
        """What carries it out, for whoever watches and steers that by himself; `options` as for `DAGExecutor`.

        Raises
        ------
        GraphError: the graph cannot be run.
        """
        return self._supervisor(config, **options)

    def _supervisor(self, config: ExecutorConfig | None = None, **options: Any) -> Supervisor:
        given = (config or ExecutorConfig()).over(self._given or ExecutorConfig())
        return Supervisor(self.graph, given, otherwise=self._fallback, **options)

    @property
    def only_for_a_run(self) -> tuple[str, ...]:
        """What was given that a node of a `MetaDAG` has no use for."""
        return tuple(name for name in ("recorders", "journal", "run_id", "plugins") if self._options[name])

    @property
    def own_executor(self) -> Supervisor:
        """What `start` carries it out with: it tells recorders, journal and plugins to whoever makes another one.

        Raises
        ------
        GraphError: the graph cannot be run.
        """
        with self._lock:
            if self._made is None:
                self._made = self._supervisor(**self._options)
                for listener in self.listeners.all:
                    self._made.listeners.add(listener)
            return self._made

    def _joined(self, listener: Listener) -> None:
        with self._lock:
            if self._made is not None and listener not in self._made.listeners.all:  # it was made at the same time
                self._made.listeners.add(listener)

    # -- up and down ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up that is wanted up; after `stop`, go on as it was. One that is started already stays so.

        Raises
        ------
        DagtopError: it was closed.
        """
        run = self.begin()
        if self._is_down(run):
            await self._until_it_is_down(run)
            with self._lock:
                if self._is_down(run):
                    self.send(cmd.StartRun())
        if self._up_or_down is not None:
            await _settled(self._up_or_down)
        await run.until(lambda: run.done or run.state is not RunState.PENDING)

    def begin(self) -> Run:
        """As `start`, from code that is not async: its run.

        Raises
        ------
        GraphError: the graph cannot be run; nothing ran.
        """
        with self._lock:
            if self._run is None:
                self._take_up()
                self._desired.begins()
                self._run = self.own_executor.start(hold_open=True)
                self._desired.as_scaled = self.own_executor.prepared.versions.as_scaled
            return self._run

    def _take_up(self) -> None:
        """Go on with what an earlier process left, if there is any and that is wanted.

        Raises
        ------
        JournalError: the journal cannot be read, or there is no such run.
        """
        executor, wanted = self.own_executor, self._resume
        named = self._options["run_id"] is not None and wanted == "latest"
        if wanted is None or executor.journal is None or executor.resume is not None or named:
            return
        found = executor.left_behind(wanted, self._desired.version.fingerprints)
        if found is not None and found.removed and self.graph.specs is not None:
            # Only of ids can be said what went: another graph says itself what there is.
            self._options["journal"] = executor.journal
            self._replace(self.graph.specified(remove=found.removed))
            found = self.own_executor.left_behind(wanted, self._desired.version.fingerprints)
        if found is not None:
            self.own_executor.go_on_with(found)

    def _is_down(self, run: Run) -> bool:
        return self._stopped or run.state in _DOWN

    async def _until_it_is_down(self, run: Run) -> None:
        """Which it was, however soon a command for one task brings that up again."""
        if self._up_or_down is not None:
            await _settled(self._up_or_down)
        await run.until(lambda: run.done or run.state not in _GOES_DOWN or not self._is_down(run))

    async def stop(self) -> None:
        """Stop everything, and let it clean up. `start` brings back what was wanted."""
        if self._run is None:
            return
        run, answer = self._run, None
        with self._lock:
            comes_up = self._up_or_down is not None and not self._up_or_down.done
            self._stopped = True
            if not run.done and (comes_up or run.state not in RUN_OVER):
                answer = self.send(cmd.CancelRun("stopped by the program"))
        if answer is not None:
            await self._until_it_is_down(run)
            await run.shown()

    async def close(self) -> RunResult | None:
        """Stop everything, and end: it cannot be started again."""
        with self._lock:  # who starts it at the same time was first, or is too late
            if self._run is None:
                return None
            self._closing = True
        await self.stop()
        self._run.close()
        return await self._run

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.close()

    def __enter__(self) -> NoReturn:
        """It is entered by `async with` only.

        Raises
        ------
        TypeError: always.
        """
        raise TypeError(
            "a Reconciler is entered with `async with`; from code that is not async, begin() starts it and gives its run, and "
            "run() blocks until nothing can change any more"
        )

    def __exit__(self, *_: object) -> None: ...

    def run(self) -> RunResult:
        """Start, and block until nothing can change any more: its result. Ctrl+C stops everything first."""
        run = self.begin()
        try:
            return run.wait()
        except KeyboardInterrupt:
            run.cancel()
            run.wait()
            raise

    # -- waiting ----------------------------------------------------------------------------------------------------

    async def wait(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as `Run.wait` has it
        """Wait until nothing can change any more by itself: whether all that is wanted came to a good end.

        What is to run always can change; a restart that is due can, too.

        Raises
        ------
        TimeoutError: that is not so within `timeout` seconds.
        """
        run = self._running
        with anyio.fail_after(timeout):
            await run.until(lambda: run.done or run.state in RUN_OVER)
            await run.shown()
        return run.state is RunState.SUCCEEDED

    async def wait_ready(self, *tasks: TaskLike, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as above
        """Wait until each of these tasks, or all that are wanted, is ready, or has ended: whether all are well.

        Ready is who said `ctx.ready()`, whose readiness probe passed, or who has succeeded.

        Raises
        ------
        TimeoutError: that is not so within `timeout` seconds.
        KeyError: there is no such task.
        """
        run = self._running
        ledger = run.ledger
        chosen = [self._index_of(task) for task in tasks]

        def asked_for() -> list[int]:
            if chosen:
                return chosen
            unwanted = ledger.desired.down | ledger.desired.gone
            return [index for index in range(len(ledger.plan)) if index not in unwanted]

        def is_settled() -> bool:
            serving, state = ledger.desired.serving, ledger.state
            return run.done or all(index in serving or state[index] in FINAL for index in asked_for())

        with anyio.fail_after(timeout):
            await run.until(is_settled)
            await run.shown()
        return all(index in ledger.desired.serving or ledger.state[index] in GOOD for index in asked_for())

    def __await__(self) -> Generator[Any, Any, bool]:
        return self.wait().__await__()

    # -- what is wanted ---------------------------------------------------------------------------------------------

    async def update(self, graph: Graph | None = None, **changes: Any) -> UpdatePlan:
        """Want something else: what is unchanged is not disturbed. What was done; after `stop`, what `start` will do.

        Parameters
        ----------
        graph: another version of the whole graph; or, for a graph of `Graph.from_specs`:
        tasks: specs by task id, in place of those of now. They are compared by value, as they are at this moment.
        add, remove: further tasks by id, and ids that are to go, where the others stay.
        dependencies: ids that a task depends on, by task id; what is not mentioned stays as it is.
        policies: "no", "on-failure" or "always" by task id; what is not mentioned stays.
        max_restarts, restart_backoff: by task id, or one for all; what is not mentioned stays.

        Raises
        ------
        GraphError: it cannot be run; nothing has changed.
        CommandRefused: the run cannot go on with it.
        """
        with self._lock:  # who updates at the same time goes on from here
            version = self._desired.successor(graph, changes)
            plan = self._desired.compare(version)
            answer: Answer | None = None
            if self._run is None:
                self._made = None
            elif plan.is_empty:
                self.own_executor.compare(version)  # which refuses what the run cannot go on with
            else:
                number = self.own_executor.hand_in_version(version)
                if self._stopped and not self._run.done:
                    self._later = number
                else:
                    answer = self._run.send(cmd.SwapGraph(number))
            self._desired.want(version)
        if answer is not None:
            await self._take_over(answer, version)
        return plan

    async def _take_over(self, answer: Answer, version: Version) -> None:
        try:
            await answer
        except DagtopError:
            with self._lock:
                self._desired.refused(version)
            raise
        except BaseException:  # who asked does not wait for the answer; it is carried out all the same
            self._desired.taken(version)
            raise
        self._desired.taken(version)

    def plan_update(self, graph: Graph | None = None, **changes: Any) -> UpdatePlan:
        """What `update` would do with the same arguments. Nothing is changed; `print` it to see.

        Raises
        ------
        GraphError: it cannot be run.
        """
        return self._desired.compare(self._desired.successor(graph, changes))

    def _replace(self, graph: Graph) -> None:
        """Want another graph before anything runs."""
        self._desired.replace(graph)
        self._made = None

    # -- how it is --------------------------------------------------------------------------------------------------

    @property
    def snapshot(self) -> RunSnapshot:
        """All of it, every task with it, as it was at most some 50 ms ago; empty before `start`."""
        return RunSnapshot() if self._run is None else self._run.snapshot

    def __getitem__(self, task: TaskLike) -> TaskRow:
        """How one task is now.

        Raises
        ------
        KeyError: there is no such task.
        """
        return row_of(self._running.ledger, self._index_of(task))

    # -- commands: the methods of `Commanding` end up here ------------------------------------------------------------

    def send(self, command: cmd.Command) -> Answer:
        """Give a command, and get its answer.

        Raises
        ------
        DagtopError: it has not been started, or is to be started again after it was closed.
        """
        run = self._running
        if self._closing and isinstance(command, _BRINGS_UP) and not run.done:
            raise DagtopError("the reconciler is being closed: nothing starts any more")
        if not isinstance(command, (cmd.StartRun, cmd.CancelRun, cmd.DrainRun)):
            return run.send(command)
        with self._lock:
            starts = isinstance(command, cmd.StartRun)
            if starts and self._closing:
                raise DagtopError("the reconciler was closed: it cannot be started again")
            self._stopped = not starts
            if starts and self._later is not None:
                later, self._later = self._later, None
                run.send(cmd.SwapGraph(later))
            self._up_or_down = run.send(command)
            return self._up_or_down

    @property
    def _running(self) -> Run:
        if self._run is None:
            raise DagtopError("the reconciler has not been started: await its start() first")
        return self._run

    def _index_of(self, task: TaskLike) -> int:
        known, name = self._running.ledger.plan.index, self._name_of(task)
        if name not in known:
            raise KeyError(f"there is no task {name!r}{nearest(name, known)}")
        return known[name]

    def _name_of(self, task: TaskLike) -> str:
        return str.__str__(task) if isinstance(task, str) else self.graph.name_of(task)


async def _settled(answer: Answer) -> None:
    """Wait for an answer, whichever it is."""
    try:
        await answer
    except DagtopError:
        if answer.applied is None:
            raise
