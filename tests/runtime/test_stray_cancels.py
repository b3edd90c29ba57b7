"""Tasks share asyncio tasks with each other: a cancellation that one of them leaves behind must end nobody else (B16, B26)."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, DagtopError, Graph, RunState, TaskState
from engine_driver import run_all

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # trio has no such thing


def _current() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


@pytest.mark.parametrize("suspends", [False, True])
async def test_a_task_that_cancels_its_own_asyncio_task_and_returns_ends_no_other(suspends: bool) -> None:
    """It once ended the worker, and with it the whole run, which came back "running" without a word."""
    graph = Graph("g", max_parallel=1)

    @graph.task
    async def first() -> str:
        if suspends:
            await anyio.lowlevel.checkpoint()
        _current().cancel()
        return "returned"

    @graph.task
    async def second(first: str) -> int:
        await anyio.lowlevel.checkpoint()
        return _current().cancelling()

    result = (await run_all(graph)).result
    assert result is not None

    assert result.state is RunState.SUCCEEDED
    assert (result["first"].output, result["second"].output) == ("returned", 0)


async def test_a_cancel_that_comes_when_the_task_is_long_over_ends_no_worker() -> None:
    graph = Graph("g", max_parallel=2)
    kept: list[asyncio.Task[object]] = []

    @graph.task
    async def first() -> None:
        kept.append(_current())

    @graph.task
    async def second(first: None) -> None:
        while len(kept) < 2:  # until this one runs on a worker of its own, the other is parked
            kept.append(_current())
        for worker in asyncio.all_tasks() - {_current()}:
            if worker.get_name() == "dagtop:worker":
                worker.cancel()
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()

    for number in range(8):
        graph.add(f"more{number}", _nothing, depends_on=[second])
    result = (await run_all(graph)).result
    assert result is not None

    assert result.state is RunState.SUCCEEDED


async def test_a_thread_whose_worker_a_stranger_cancels_is_left_behind_and_the_run_goes_on() -> None:
    graph = Graph("g")
    begun, go = threading.Event(), threading.Event()

    @graph.task
    def stuck() -> None:
        begun.set()
        go.wait()

    @graph.task
    async def stranger() -> None:
        while not begun.is_set():
            await anyio.lowlevel.checkpoint()
        for worker in asyncio.all_tasks() - {_current()}:
            if worker.get_name() == "dagtop:worker":
                worker.cancel()

    result = (await run_all(graph)).result
    assert result is not None
    go.set()

    assert result["stranger"].state is TaskState.SUCCEEDED
    assert result["stuck"].failure is not None
    assert result["stuck"].failure.error == "CancelledError"


async def test_an_engine_that_stops_before_its_time_says_so() -> None:
    """A run that is not over must never come back like a result."""
    graph = Graph("g")
    graph.add("task", _nothing)
    executor = DAGExecutor(graph)
    engine = executor.prepare()

    async def gives_up() -> None:
        engine.workers.group.cancel_scope.cancel()

    engine.workers._work = gives_up  # type: ignore[method-assign]
    with pytest.raises(DagtopError, match="before the run had ended"):
        await executor.run()


async def _nothing() -> None:
    return None


async def test_a_condition_that_cancels_its_own_asyncio_task_does_not_keep_its_task_waiting_for_ever(
    tmp_path: Path,
) -> None:
    """The next thing that was awaited on its behalf, a digest of a large input, was cancelled, and nobody answered."""
    graph = Graph("g").add("big", lambda: "x" * 3_000_000)

    async def condition() -> bool:
        _current().cancel()
        return True

    graph.add("after", lambda big: len(big), when=condition, cache=True)
    with anyio.fail_after(10):
        result = await DAGExecutor(graph, journal=tmp_path / "j.db").run()
    assert result["after"].output == 3_000_000
