"""`Run`: a run that goes on in a thread of its own, in the hands of a program."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from dagtop.core import commands as cmd
from dagtop.core.blast import expected, whole_radius
from dagtop.core.ledger import Ledger
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.spreading import spread
from dagtop.core.states import RunState
from dagtop.errors import DagtopError
from dagtop.graph.listening import EventType, Interest, Listening
from dagtop.graph.runnable import Runnable
from dagtop.observe.logs import LogBook
from dagtop.runtime.answer import Answer
from dagtop.runtime.answers import Answers
from dagtop.runtime.commanding import Commanding, TaskLike, checked
from dagtop.runtime.executor import DAGExecutor
from dagtop.runtime.history import LATEST, Events, History
from dagtop.runtime.result import RunResult
from dagtop.runtime.thread import EngineThread

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")

#: Who gives the commands, as the events tell it, unless told otherwise.
BY = "the program"

#: How often somebody who waits for the next snapshot looks, in seconds: there is one within 50 ms.
SOON = 0.002

#: How long the end of the program waits for runs that go on, so that they can clean up, in seconds.
GOODBYE = 1.0


class Run(Commanding, Listening):
    """A run that goes on by itself: watch it, steer it, wait for it. Made by `DAGExecutor.start`.

    All of it may be used from any thread, and from asyncio and trio. A handle that is let go of changes nothing: the run goes
    on. As a context manager (`with` or `async with`) it waits for the run; a block that is left by an exception cancels it
    first.

    Example
    -------
    >>> graph = Graph("g").add("one", lambda: 1)
    >>> with DAGExecutor(graph).start() as run:
    ...     for event in run.events("task.succeeded"):
    ...         print(event.task)
    one
    >>> run.result["one"].output
    1
    """

    def __init__(self, executor: DAGExecutor, *, loop: str = "asyncio", hold_open: bool = False) -> None:
        self._executor = executor
        self._thread = EngineThread(executor, hold_open=hold_open, loop=loop)
        self._engine = executor.prepared
        self._history = History(self._engine.reports.problem, latest=LATEST if executor.supervises else None)
        self._engine.add_recorders([self._history], inside=True)
        self._thread.at_end.append(self._history.end)
        self.listeners = executor.listeners

    def begin(self) -> None:
        """Begin; called once, by `DAGExecutor.start`."""
        _GOING_ON.add(self._thread)
        self._thread.start()

    def __repr__(self) -> str:
        return f"Run({self.graph.name!r}, {self.id}, {self.state.value})"

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The run's id, as it is in the journal."""
        return self._executor.run_id

    @property
    def graph(self) -> Runnable:
        """What is run."""
        return self._executor.graph

    @property
    def state(self) -> RunState:
        """Where the run is now."""
        return self._engine.machine.ledger.run_state

    @property
    def ledger(self) -> Ledger:
        """The state of now, for those of us who read single values of it; the engine's thread changes it."""
        return self._engine.machine.ledger

    @property
    def snapshot(self) -> RunSnapshot:
        """The whole run, every task with it, as it was at most some 50 ms ago; empty before the first one."""
        return self._thread.latest

    @property
    def logs(self) -> LogBook:
        """The latest lines of every task."""
        return self._thread.logs

    def where(self, task: TaskLike) -> str:
        """Where a task is now: its stack as a traceback shows it, innermost last, or a sentence that says why there is none."""
        return self._thread.where(self._name_of(task))

    @property
    def done(self) -> bool:
        """Whether it has ended, and its result is there."""
        return self._history.over

    @property
    def result(self) -> RunResult:
        """The result.

        Raises
        ------
        DagtopError: the run has not ended yet.
        """
        if not self.done:
            raise DagtopError("the run goes on and has no result yet; wait() for it")
        return self._ended()

    # -- waiting ----------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> RunResult:
        """Block until the run has ended, and return its result. A run that was held open is let go.

        Raises
        ------
        TimeoutError: it has not ended within `timeout` seconds; it goes on.
        DagtopError: asked in the engine's own thread, which would wait for itself.
        """
        self._check_thread()
        self.close()
        if not self._history.bell.wait(self._is_over, timeout):
            raise TimeoutError(f"the run has not ended within {timeout:g} s; it goes on")
        return self._ended()

    def __await__(self) -> Generator[Any, Any, RunResult]:
        return self._heard().__await__()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so that only events can bring about."""
        await self._history.bell.hear(is_so)

    async def shown(self) -> None:
        """Wait until the snapshot shows all that has happened by now."""
        known = self._history.seen
        while not self.done and self.snapshot.events_seen < known:  # noqa: ASYNC110 - nobody rings for a snapshot
            await anyio.sleep(SOON)

    def close(self) -> None:
        """Do not hold it open any longer than it goes on."""
        self._thread.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._cancel_for(kind)
        self.close()
        try:
            self._history.bell.wait(self._is_over)
        except BaseException as interrupt:
            self._cancel_for(type(interrupt))
            self._history.bell.wait(self._is_over)
            raise
        if kind is None:
            self._ended()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._cancel_for(kind)
        self.close()
        try:
            with anyio.CancelScope(shield=kind is not None):
                await self._history.bell.hear(self._is_over)
        except BaseException as interrupt:
            self._cancel_for(type(interrupt))
            with anyio.CancelScope(shield=True):
                await self._history.bell.hear(self._is_over)
            raise
        if kind is None:
            self._ended()

    # -- events -----------------------------------------------------------------------------------------------------

    def events(self, *types: EventType, tasks: str | Iterable[str] | None = None) -> Events:
        """Every event from the first one to the end of the run, for `for` or `async for`, however late one begins.

        Parameters
        ----------
        types: "task.failed", a pattern such as "task.*", or a class of events; none for all of them.
        tasks: only events about these tasks: a name, a pattern such as "load_*", or several of them.

        Raises
        ------
        ValueError: there are no events of such a type.
        DagtopError: a plain `for` in the engine's own thread would wait for itself.
        """
        return Events(self._history, Interest(types, tasks), self._raise_its_error, self._is_own_thread)

    def __aiter__(self) -> Events:
        return self.events()

    # -- commands: the methods of `Commanding` end up here ------------------------------------------------------------

    def send(self, command: cmd.Command, *, by: str = BY) -> Answer:
        """Give a command, and get its answer. One for a node ("ingest") or a pattern ("page_*") is for all tasks of it.

        Raises
        ------
        TypeError: a value in it is of another type than it must be.
        """
        checked(command)
        plan = self._engine.machine.plan
        each = spread(plan, command)
        answers = [Answer(one, would_wait_for_itself=self._is_own_thread) for one in each]
        to_send = [(one, answer.settle) for one, answer in zip(each, answers, strict=True)]
        if len(each) == 1:
            self._thread.send_all(to_send, by=by)
            return answers[0]
        effects = self._seen(lambda ledger: {one.task: effect for one, effect in expected(ledger, command, each)})
        self._thread.send_all(to_send, by=by)
        return Answers(
            command, [(answer, effects.get(getattr(answer.command, "task", ""))) for answer in answers], plan
        )

    def blast_radius(self, command: cmd.Command) -> cmd.BlastRadius:
        """What a command would do, or why it would be refused. Nothing is changed."""
        checked(command)
        return self._seen(lambda ledger: whole_radius(ledger, command))

    def swap(self, graph: Runnable) -> Answer:
        """Go on with another version of the graph: what is unchanged stays as it is.

        New tasks come; tasks that are gone end, or keep what they have done; tasks whose code changed, and what depends on them,
        run again; policies and dependencies are those of the new version. The answer says how many of each.

        Raises
        ------
        GraphError: the new version cannot be run, or the run cannot go on with it.
        TypeError: it is no graph.
        """
        if not isinstance(graph, Runnable):
            raise TypeError(f"swap wants another version of the Graph, not an object of type {type(graph).__name__}")
        return self.send(cmd.SwapGraph(self._executor.hand_in(graph)))

    def _name_of(self, task: TaskLike) -> str:
        return str.__str__(task) if isinstance(task, str) else self.graph.name_of(task)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _seen(self, look: Callable[[Ledger], T]) -> T:
        for _ in range(3):
            try:
                return look(self._engine.machine.ledger)
            except RuntimeError:  # a set has grown while it was looked through: the engine does not wait for us
                continue
        return look(self._engine.machine.ledger)

    def _is_over(self) -> bool:
        return self._history.over

    def _is_own_thread(self) -> bool:
        return self._thread.is_this_thread

    def _check_thread(self) -> None:
        if self._is_own_thread():
            raise DagtopError("the engine's thread cannot wait for the end of its own run")

    async def _heard(self) -> RunResult:
        self._check_thread()
        self.close()
        await self._history.bell.hear(self._is_over)
        return self._ended()

    def _cancel_for(self, kind: type[BaseException]) -> None:
        if not self.done:
            self.send(cmd.CancelRun(reason=f"the program left the run by {kind.__name__}"))

    def _raise_its_error(self) -> None:
        if self._thread.error is not None:
            raise self._thread.error

    def _ended(self) -> RunResult:
        self._raise_its_error()
        assert self._thread.result is not None, "a thread that ended without error has a result"
        return self._thread.result


#: Threads of runs that were started here.
_GOING_ON: weakref.WeakSet[EngineThread] = weakref.WeakSet()


def _say_goodbye() -> None:
    """The program ends: what still runs is told to stop, and given a moment for it. Then the threads go with the process."""
    threads = [thread for thread in _GOING_ON if not thread.join(0)]
    for thread in threads:
        thread.close()
        thread.send(cmd.CancelRun(reason="the program ended"), by=BY)
    for thread in threads:
        thread.join(GOODBYE / len(threads))


atexit.register(_say_goodbye)
