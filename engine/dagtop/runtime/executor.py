"""`DAGExecutor`: runs a graph once, on the event loop of whoever awaits it."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from dagtop.core.commands import CancelRun, Command
from dagtop.core.events import Problem
from dagtop.errors import DagtopError, Flaw, GraphError
from dagtop.graph.hooks import Hooks
from dagtop.graph.listening import Interest, Listener, Listeners, Listening
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.runnable import Runnable
from dagtop.graph.within import within
from dagtop.graph.written import check_config
from dagtop.loaders.plugins import Wanted, check_wanted, load_plugins
from dagtop.observe.veil import without_secrets
from dagtop.ports.journal import Journal
from dagtop.ports.recorder import Recorder
from dagtop.runtime import capture as capturing
from dagtop.runtime import costs
from dagtop.runtime.callbacks import Callbacks
from dagtop.runtime.caller_event import CallersEvent, library_here
from dagtop.runtime.comparing import UpdatePlan, compare_plans
from dagtop.runtime.engine import Engine
from dagtop.runtime.hiding import Hiding
from dagtop.runtime.hooks import Caller, Follow, listeners_for
from dagtop.runtime.job import Job
from dagtop.runtime.keeping import keep, open_cache
from dagtop.runtime.mailbox import open_mailbox
from dagtop.runtime.result import RunResult
from dagtop.runtime.survival import orders_of, with_limits
from dagtop.runtime.swapping import Version, obstacle
from dagtop.runtime.taking_up import check_resume, numbered, taken_up

if TYPE_CHECKING:
    from dagtop.journal.resume import Resumption
    from dagtop.runtime.breaker_registry import Registry
    from dagtop.runtime.handle import Run


_log = logging.getLogger("dagtop")
_ONCE = "a DAGExecutor runs once; make another one for another run"


class DAGExecutor(Listening):
    """Runs a graph once.

    Parameters
    ----------
    graph: checked when the executor is made.
    config: how to run it; what it leaves open is taken from the graph.
    recorders: take every event, see `dagtop.ports.recorder.Recorder`.
    journal: keeps the run: a `Journal`, or the path of a SQLite file. None keeps nothing.
    source: where the graph came from, for the journal.
    run_id: None makes one.
    resume: goes on with a stored run instead of beginning a new one.
    capture: True makes events of what tasks print and log, instead of printing it; None prints it too; False only prints.
    cancel_event: a `threading.Event`, or one of asyncio, anyio or trio: when it is set, the run is cancelled.
    plugins: `Plugin`s, or names of them, that are told what happens; "installed" takes all that installed packages bring.

    Raises
    ------
    GraphError: the graph cannot be run.
    ValueError: cancel_event is no event, plugins are none, or resume is no `Resumption`.
    """

    supervises = False
    """Whether it keeps a desired state: see `Reconciler`."""

    def __init__(
        self,
        graph: Runnable,
        config: ExecutorConfig | None = None,
        *,
        recorders: Sequence[Recorder] = (),
        journal: Journal | str | Path | None = None,
        source: str = "",
        run_id: str | None = None,
        resume: Resumption | None = None,
        capture: bool | None = None,
        options: dict[str, Any] | None = None,
        cancel_event: Any = None,
        plugins: Wanted | None = None,
    ) -> None:
        check_config(config)
        check_wanted(plugins)
        check_resume(resume)
        self.graph = graph
        self.hooks = Hooks()
        """`@executor.hooks.after_task` and so on: see `Hooks`."""
        self.plugins = plugins
        self._caller = Caller()
        self.given = config or ExecutorConfig()
        """What was asked for beside the graph's own options."""
        self.config = self.configured(graph)
        if cancel_event is not None:
            self.config = ExecutorConfig(cancel_event=cancel_event).over(self.config)
        self.checked = graph.checked(self.config)
        self.hiding = Hiding(self.checked, self.config.inputs)
        """What of the run is secret."""
        self.checked = self.hiding.without_secrets(self.checked)
        self.plan = self.checked.plan
        self.resume = resume
        self.run_id = resume.run if resume is not None else run_id or new_run_id()
        self.recorders = list(recorders)
        self.journal = journal
        self.source = source
        self.options = options or {}
        """Of the command line: a resumed run needs them again."""
        self._capture = capture
        self._engine: Engine | None = None
        self._begun = False
        self._callbacks = Callbacks(self._tell, lambda callbacks: self.prepared.add_recorders([callbacks], inside=True))
        self._callers_event: CallersEvent | None = None
        if self.config.cancel_event is not None:
            self._callers_event = CallersEvent(self.config.cancel_event, self._cancel_for_event, self._tell)
        self.listeners = Listeners()
        self.listeners.joined = self._callbacks.add
        if self.config.on_event is not None:
            self.listeners.add(Listener(self.config.on_event, Interest()))
        if self.config.on_escalation is not None:
            self.listeners.add(
                Listener(self.config.on_escalation, Interest(("task.escalated",)), source="on_escalation")
            )
        self.late_problems: tuple[Problem, ...] = ()
        """What went wrong around the run after its last event: in `on_event`, or while the journal was closed."""

    def prepare(self, *, breakers: Registry | None = None) -> Engine:
        """The engine that will carry the run out; made once, so that it can be watched and spoken to before it begins.

        Parameters
        ----------
        breakers: where its circuit breakers are; those of the process unless given.

        Raises
        ------
        DagtopError: the run was prepared before.
        """
        if self._engine is not None:
            raise DagtopError(_ONCE)
        resume = self.resume
        started_at = time.time() if resume is None else resume.record.started_at
        policy = replace(self.config.run_policy(), supervises=self.supervises)
        orders: Sequence[Command] = ()
        if resume is not None:
            orders = orders_of(resume, self.plan, supervises=self.supervises)
            policy = with_limits(policy, resume) if self.supervises else policy
        ledger, outputs = taken_up(resume, self.plan, policy.max_parallel)
        job = Job(
            run_id=self.run_id,
            checked=replace(self.checked, around=self.checked.around.copy()),
            fingerprints=self._fingerprints(),
            policy=policy,
            inputs=self.config.inputs,
            hiding=self.hiding,
            recorders=self.recorders,
            started_at=started_at,
            elapsed=max(resume.at, time.time() - started_at) if resume is not None else 0.0,
            first_event=1 if resume is None else resume.next_event,
            ledger=ledger,
            reruns=numbered(self.plan, resume.reruns) if resume is not None else (),
            skips=numbered(self.plan, resume.skipped) if resume is not None else (),
            stops=numbered(self.plan, resume.stops) if resume is not None else (),
            orders=orders,
            approved=tuple(map(self.plan.index.__getitem__, resume.approved)) if resume is not None else (),
            outputs=outputs,
            left=resume.spawned if resume is not None else {},
            dask=self.config.dask or "",
            capture=self._capture is not False,
        )
        self._engine = Engine(job, breakers=breakers)
        self._engine.versions.graph = self.graph
        return self._engine

    def go_on_with(self, resume: Resumption) -> None:
        """Go on with a stored run instead of beginning a new one.

        Raises
        ------
        DagtopError: the run was prepared before.
        """
        if self._engine is not None:
            raise DagtopError(_ONCE)
        self.resume, self.run_id = resume, resume.run

    def configured(self, graph: Runnable) -> ExecutorConfig:
        """How a version of the graph is run: what was asked for, over what it says itself."""
        return self.given.over(graph.config)

    def hand_in(self, graph: Runnable) -> int:
        """Have another version of the graph ready for the run: the number for a `SwapGraph` command.

        Raises
        ------
        GraphError: it cannot be run, or the run cannot go on with it.
        """
        config = self.configured(graph)
        checked = graph.checked(config)
        why_not = obstacle(self.prepared.job, checked)
        if why_not:
            raise GraphError([Flaw(f"the run cannot go on with this version of the graph: {why_not}", graph.place)])
        return self.hand_in_version(Version(checked, graph.fingerprints(config), graph))

    def hand_in_version(self, version: Version) -> int:
        """As `hand_in`, for a version that was checked with the config of this run."""
        why_not = obstacle(self.prepared.job, version.checked)
        if why_not:
            raise GraphError(f"the run cannot go on with this version of the graph: {why_not}")
        versions = self.prepared.versions
        return versions.hand_in(versions.as_scaled(self._without_secrets(version)))

    def compare(self, version: Version) -> UpdatePlan:
        """What becomes of the tasks if the run goes on with this version: see `hand_in_version`. From any thread."""
        why_not = obstacle(self.prepared.job, version.checked)
        if why_not:
            raise GraphError(f"the run cannot go on with this version of the graph: {why_not}")
        plan, marks = self.prepared.versions.now()
        version = self.prepared.versions.as_scaled(self._without_secrets(version))
        return compare_plans(plan, marks, version.checked.plan, version.fingerprints)

    def _without_secrets(self, version: Version) -> Version:
        return replace(version, checked=self.hiding.without_secrets(version.checked))

    def _fingerprints(self) -> Callable[[], Sequence[str]]:
        if self.supervises:  # whose specs are compared by value, as they are now
            marks = self.graph.fingerprints(self.config)
            return lambda: marks
        return lambda: self.graph.fingerprints(self.config)

    async def run(self) -> RunResult:
        """Run the graph to its end. Failures of tasks are in the result, not raised.

        Cancelling this stops what runs, lets it clean up, and then lets the cancellation go on.

        Raises
        ------
        DagtopError: it ran before.
        JournalError: a stored run cannot be gone on with in the journal; nothing ran.
        """
        if self._begun:
            raise DagtopError(_ONCE)
        self._begun = True
        self.prepared.breakers.claim()
        try:
            return await self._run_to_its_end()
        finally:
            self.prepared.breakers.let_go()

    async def _run_to_its_end(self) -> RunResult:
        engine = self.prepared
        if self._callers_event is not None:
            self._callers_event.check()
        kept = keep(self, engine)
        if kept is not None:
            engine.add_recorders([kept.writer])
            open_mailbox(kept.writer, engine.send)
            self.hiding.with_writer(engine.calls, kept.writer)
            costs.learn(engine, kept.journal, kept.record)
        for listener in self.graph.every_listener():
            self._callbacks.add(listener)
        for listener in self._plugged_in(engine):
            self._callbacks.add(listener)
        with ExitStack() as stack:
            stack.callback(engine.calls.clear_away)
            if kept is not None:
                stack.callback(kept.writer.close)
            if self._capture is not False:
                capturing.install(tee=self._capture is None)
                stack.callback(capturing.uninstall)
            around = self.checked.around
            if around.caches or any(mapped.options.get("cache") for mapped in around.maps.values()):
                await open_cache(self, engine, stack)
            else:
                engine.aside.consulting.open_cache = partial(open_cache, self, engine, stack)
            failed = await self._carry_out(engine)
            if kept is not None and engine.calls.writer is not None:
                costs.leave(engine.machine.ledger, engine.calls.writer, kept.record)
            if failed is not None:
                raise failed
        self.late_problems = without_secrets(engine.reports.late(engine.now()), self.hiding.text)
        if engine.publisher is None:  # else whoever watches shows them
            for problem in self.late_problems:
                _log.warning("%s: %s", problem.source, problem.message)
        return self.result()

    def start(self, *, loop: str | None = None, hold_open: bool = False) -> Run:
        """Begin the run in a thread of its own and return at once, from code that is async or not.

        Parameters
        ----------
        loop: "asyncio" or "trio", under the tasks; None takes the one that runs here, or else asyncio.
        hold_open: stay when all tasks have ended, for commands that give the run something to do again, until `Run.close`.

        Raises
        ------
        DagtopError: it ran before, or its `cancel_event` belongs to another loop.
        """
        from dagtop.runtime.handle import Run  # noqa: PLC0415 - it stands on this

        run = Run(self, loop=loop or library_here() or "asyncio", hold_open=hold_open)
        if self._callers_event is not None:
            self._callers_event.wait_here()
        run.begin()
        return run

    async def _carry_out(self, engine: Engine) -> BaseException | None:
        """Run the engine; what ended it before its time comes back bare, not wrapped in a group for each task group of ours."""
        try:
            async with anyio.create_task_group() as group:
                self._callbacks.open(group)
                if self._callers_event is not None:
                    group.start_soon(self._callers_event.work, name="dagtop:cancel_event")
                try:
                    await engine.run()
                finally:
                    await engine.calls.leave()
                    if self._callers_event is not None:
                        await self._callers_event.end()
                    await self._callbacks.finish()
                    group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            only: BaseException = errors
            while isinstance(only, BaseExceptionGroup) and len(only.exceptions) == 1:
                only = only.exceptions[0]
            return only
        return None

    def result(self) -> RunResult:
        """What the run has come to so far.

        Raises
        ------
        DagtopError: the run has not begun.
        """
        engine = self._engine
        if engine is None:
            raise DagtopError("the run has not begun; there is no result yet")
        ledger = engine.machine.ledger
        duration = ledger.finished_at if ledger.finished_at is not None else engine.now()
        failures = [
            replace(one, failure=without_secrets(one.failure, self.hiding.text))
            for one in engine.aside.lifecycle.failures
        ]
        result = RunResult(ledger, engine.calls.outputs, duration, engine.reports.line_counts, failures)
        result.seen = self.hiding.names.outside
        return result

    # -- inside -----------------------------------------------------------------------------------------------------

    def open_journal(self) -> Journal:
        """Where the run is kept; only where it is.

        Raises
        ------
        JournalError: it cannot be opened.
        """
        journal = self.journal
        assert journal is not None, "it was asked for by whoever knows that there is one"
        if isinstance(journal, (str, Path)):
            from dagtop.journal.sqlite import SqliteJournal  # noqa: PLC0415 - only where one is wanted

            self.journal = journal = SqliteJournal(Path(journal))
        return journal

    @property
    def prepared(self) -> Engine:
        """What `prepare` made, or makes now."""
        return self._engine if self._engine is not None else self.prepare()

    def _plugged_in(self, engine: Engine) -> Iterator[Listener]:
        """The plugins and hooks of this run. A plugin that cannot be loaded is told of, and the run goes on without."""
        loaded = load_plugins(self.plugins)
        for problem in loaded.problems:
            self._tell("plugins", problem)
        job = engine.job

        def follow() -> Follow:
            return Follow(job.plan, job.run_id, job.started_at, job.policy)

        context, tell = self._caller.context(), engine.reports.problem
        inner = list(self.graph.every_plugin())
        plugins = [*loaded.plugins, *(plugin for path, plugin in inner if not path), *self.hooks.plugins]
        yield from listeners_for(plugins, follow, tell, context)
        for path, plugin in inner:
            if path:
                yield from (within(one, path) for one in listeners_for([plugin], follow, tell, context))

    def _tell(self, source: str, message: str) -> None:
        self.prepared.reports.problem(source, message)

    def _cancel_for_event(self) -> None:
        engine = self.prepared
        engine.close()
        if not engine.machine.is_over:
            engine.send(CancelRun(reason="cancelled by the caller's event"), 0, "the caller")


def new_run_id() -> str:
    """Sortable by time, short enough to type: "20261121-0815-3fa2c1"."""
    return f"{time.strftime('%Y%m%d-%H%M', time.gmtime())}-{secrets.token_hex(3)}"
