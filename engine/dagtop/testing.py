"""For tests of your graphs: time that passes at once, and every event at hand.

>>> from dagtop import Graph, Retry
>>> graph = Graph("patient")
>>> @graph.task(retries=Retry(retries=3, base=60))
... async def flaky(ctx):
...     if ctx.attempt < 3:
...         raise OSError("not yet")
>>> rehearsal = rehearse(graph)
>>> rehearsal.types("flaky")
['ready', 'started', 'retrying', 'ready', 'started', 'retrying', 'ready', 'started', 'succeeded']
>>> rehearsal.result.duration
120.0
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context
from functools import partial
from math import inf
from typing import Any, TypeVar, TypeVarTuple

import anyio

from dagtop.core.commands import Command
from dagtop.core.events import AnyEvent, GateDecided, GateWaiting, TaskEvent
from dagtop.errors import DagtopError
from dagtop.graph.listening import EventType, Interest
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.runnable import Runnable
from dagtop.graph.written import with_options
from dagtop.runtime.breaker_registry import Registry
from dagtop.runtime.executor import DAGExecutor
from dagtop.runtime.result import RunResult

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: For how long, in real seconds, virtual time waits for something other than time to go on: a file, a socket, a thread.
PATIENCE = 10.0

#: How long it looks for that at a time while threads are at work, in seconds.
_LOOK = 0.002


class NothingHappensError(DagtopError):
    """A run on virtual time waits for something that is not time."""


class EventLog:
    """A recorder that keeps every event, and lets a test on the same loop wait for one."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.numbers: list[int] = []
        self._more = anyio.Event()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events from a run."""
        self.events += batch
        self.numbers += range(first, first + len(batch))
        self._more.set()
        self._more = anyio.Event()

    async def until(
        self, wanted: type | Callable[[AnyEvent], bool], task: str | None = None, count: int = 1, patience: float = 20
    ) -> Any:
        """The `count`-th event of a type (and of a task), as soon as it has come.

        Raises
        ------
        TimeoutError: it has not come within `patience` seconds.
        """

        def fits(event: AnyEvent) -> bool:
            right = isinstance(event, wanted) if isinstance(wanted, type) else wanted(event)
            return right and (task is None or getattr(event, "task", None) == task)

        with anyio.fail_after(patience):
            while True:
                found = [event for event in self.events if fits(event)]
                if len(found) >= count:
                    return found[count - 1]
                await self._more.wait()

    def of(self, *types: EventType, tasks: str | Iterable[str] | None = None) -> list[Any]:
        """The events of some types, about some tasks; see `Graph.subscribe`."""
        interest = Interest(types, tasks)
        return [event for event in interest.among(self.events) if interest.about(event)]

    def types(self, task: str) -> list[str]:
        """The types of the events about one task, without their "task."."""
        return [
            event.type.removeprefix("task.")
            for event in self.events
            if isinstance(event, TaskEvent) and event.task == task
        ]


class Rehearsal(EventLog):
    """A run on virtual time: its events, and its result."""

    result: RunResult


def rehearse(
    graph: Runnable,
    config: ExecutorConfig | None = None,
    *,
    commands: Iterable[tuple[float, Command]] = (),
    loop: str = "asyncio",
    **options: Any,
) -> Rehearsal:
    """Run a graph on virtual time: what would take an hour of waiting takes a moment, and always comes in the same order.

    Everything real is run: tasks, retries, timeouts, limits. Only where all of it waits for time to pass, time jumps. While
    plain functions are at work in threads, it passes as ever. Circuit breakers begin closed, and are the rehearsal's own: what
    they do moves none of the process.

    Parameters
    ----------
    config: or its fields by name, as `options`.
    commands: what a person does meanwhile: (seconds since the beginning, command).
    loop: "asyncio", or "trio", where time stands still for a moment before each jump if there are plain functions.

    Raises
    ------
    GraphError: the graph cannot be run.
    NothingHappensError: for ten seconds, and no time was waited for, as at a gate without a deadline (on asyncio).
    """
    rehearsal = Rehearsal()
    executor = DAGExecutor(graph, with_options(config, options), recorders=[rehearsal], capture=True)
    engine = executor.prepare(breakers=Registry(lambda: 0.0))

    async def give(number: int, at: float, command: Command) -> None:
        await anyio.sleep(at)
        engine.send(command, number, "the test")

    async def carry_out() -> RunResult:
        async with anyio.create_task_group() as group:
            for number, (at, command) in enumerate(commands, 1):
                group.start_soon(give, number, at, command)
            await executor.run()
            group.cancel_scope.cancel()
        return executor.result()

    threshold = 0 if all(engine.calls.is_async) else 0.02
    try:
        rehearsal.result = _run(carry_out, loop, threshold)
    except NothingHappensError as error:
        raise NothingHappensError(f"{error}{_gates_that_wait(rehearsal)}") from None
    return rehearsal


def _gates_that_wait(rehearsal: Rehearsal) -> str:
    waiting: dict[str, float] = {}
    for event in rehearsal.of(GateWaiting, GateDecided):
        if isinstance(event, GateWaiting):
            waiting[event.task] = event.at
        else:
            waiting.pop(event.task, None)
    if not waiting:
        return ""
    first, at = next(iter(waiting.items()))
    more = f", and {len(waiting) - 1} more do" if len(waiting) > 1 else ""
    return (
        f": {first!r} waits at its gate{more}; decide with "
        f"commands=[({int(at) + 1}, ApproveTask({first!r}))] of dagtop.core.commands, "
        "or give the gate a timeout"
    )


def run_on_virtual_time(fn: Callable[..., Awaitable[T]], *args: Any, loop: str = "asyncio") -> T:
    """`anyio.run` on virtual time: where everything waits for time to pass, it jumps.

    Raises
    ------
    NothingHappensError: for ten seconds, and no time was waited for.
    """
    return _run(partial(fn, *args), loop, 0)


def _run(fn: Callable[[], Awaitable[T]], loop: str, threshold: float) -> T:
    if loop == "trio":
        from trio.testing import MockClock  # noqa: PLC0415 - only there if the user runs on it

        return anyio.run(fn, backend="trio", backend_options={"clock": MockClock(autojump_threshold=threshold)})
    return anyio.run(fn, backend="asyncio", backend_options={"loop_factory": VirtualLoop})


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose time jumps to the next timer when nothing else is there to do. It begins at 0."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds that have passed, most of them at once."""
        return self._now

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As every loop, but what waits for ever (`anyio.sleep_forever`) waits for no time."""
        if when == inf:
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def has_threads_at_work(self) -> bool:
        """Whether a thread works for something on this loop, by `anyio.to_thread`."""
        return any(
            getattr(thread, "loop", None) is self and thread not in getattr(thread, "idle_workers", ())
            for thread in threading.enumerate()
        )


class _Jumping(selectors.DefaultSelector):
    """Waits for files like any selector; for time it does not wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._virtual = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            found = super().select(PATIENCE)
            if not found and not self._virtual.has_threads_at_work():
                raise NothingHappensError("nothing happens any more, and nothing waits for time to pass")
            return found
        found = super().select(0)
        if found or timeout <= 0:
            return found
        if self._virtual.has_threads_at_work():
            wait = min(timeout, _LOOK)
            found = super().select(wait)
            self._virtual.pass_by(wait)
        else:
            self._virtual.pass_by(timeout)
        return found
