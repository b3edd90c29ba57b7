"""A bug of ours ends the engine with the error, and leaves nobody waiting."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest
from dagtop import DAGExecutor, Graph
from dagtop.core import inputs as inp
from dagtop.core.commands import RetryFailed
from dagtop.core.events import CommandRefused
from dagtop.core.machine import RunMachine
from dagtop.errors import IllegalTransitionError
from dagtop.runtime.engine import Engine
from dagtop.runtime.thread import EngineThread

pytestmark = pytest.mark.anyio


def _break(engine: Engine, at: type) -> None:
    """Have the machine meet a bug at an input of one kind."""

    class Broken(RunMachine):
        __slots__ = ()

        def handle(self, event: inp.Input) -> Any:
            if isinstance(event, at):
                raise IllegalTransitionError("a bug of ours")
            return super().handle(event)

    engine.machine.__class__ = Broken


async def _waits() -> None:
    await anyio.sleep_forever()


@pytest.mark.parametrize("at", [inp.Begin, inp.AttemptSucceeded, inp.AttemptRaised, inp.Tick])
async def test_a_bug_in_the_machine_ends_the_run_with_that_error(at: type) -> None:
    """The supervisor took the end of its workers for a cancellation from outside, and span for ever."""
    graph = Graph("g", run_timeout=0.01 if at is inp.Tick else None)
    if at is inp.AttemptRaised:
        graph.add("bad", lambda: 1 / 0)
    elif at is inp.AttemptSucceeded:
        graph.add("good", lambda: 1)
    graph.add("waits", _waits)
    executor = DAGExecutor(graph, capture=False)
    _break(executor.prepare(), at)
    with pytest.raises(IllegalTransitionError, match="a bug of ours"), anyio.fail_after(20):
        await executor.run()


async def test_a_bug_in_an_async_tasks_outcome_ends_the_run_too() -> None:
    async def nothing() -> None:
        pass

    executor = DAGExecutor(Graph("g").add("a", nothing).add("b", _waits), capture=False)
    _break(executor.prepare(), inp.AttemptSucceeded)
    with pytest.raises(IllegalTransitionError), anyio.fail_after(20):
        await executor.run()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_thread_keeps_the_error_and_ends() -> None:
    executor = DAGExecutor(Graph("g").add("a", lambda: 1), capture=False)
    thread = EngineThread(executor, hold_open=True)
    assert executor._engine is not None
    _break(executor._engine, inp.AttemptSucceeded)
    thread.start()
    assert await anyio.to_thread.run_sync(thread.join, 20)
    assert isinstance(thread.error, IllegalTransitionError)
    assert thread.result is None
    assert thread.latest.broken == "a bug of ours"
    thread.send(RetryFailed(), by="test")
    refused = thread.latest.answers[-1]
    assert isinstance(refused, CommandRefused)
    assert refused.reason.startswith("the engine broke down: ")
    assert "dagtop:engine" not in {other.name for other in threading.enumerate()}


async def test_the_scratch_directory_is_removed_after_a_crash_as_well() -> None:
    made: list[Any] = []
    graph = Graph("g").add("a", lambda ctx: made.append(ctx.scratch_dir))
    executor = DAGExecutor(graph, capture=False)
    _break(executor.prepare(), inp.AttemptSucceeded)
    with pytest.raises(IllegalTransitionError), anyio.fail_after(20):
        await executor.run()
    assert made
    assert not made[0].exists()
