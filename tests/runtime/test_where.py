"""Where a task is now, asked from another thread while it runs."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, Graph
from dagtop.runtime.stacks import TEXT, place, text_of_stack
from dagtop.runtime.thread import EngineThread

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])


@contextmanager
def running(graph: Graph, loop: str = "asyncio", **options: Any) -> Iterator[EngineThread]:
    """A run that is cancelled at the end of the block."""
    from dagtop.core.commands import CancelRun

    engine = EngineThread(DAGExecutor(graph, **options), loop=loop)
    engine.start()
    try:
        yield engine
    finally:
        engine.send(CancelRun(reason="the test is over"), by="the test")
        assert engine.join(20)
        assert engine.error is None, engine.error


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(20_000):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it never came")


def functions(stack: str) -> list[str]:
    """The names of the functions of a stack, outermost first."""
    return [line.rpartition(" in ")[2] for line in stack.splitlines() if line.startswith("  File ")]


@LOOPS
def test_a_waiting_task_is_told_with_everything_that_it_awaits(loop: str) -> None:
    graph = Graph("g")

    async def numbers() -> AsyncIterator[int]:
        await anyio.sleep_forever()
        yield 1

    async def inner() -> None:
        async for _ in numbers():
            pass

    @graph.task
    async def outer() -> None:
        await inner()

    with running(graph, loop) as engine:
        until(lambda: "numbers" in engine.where("outer"))
        assert functions(engine.where("outer"))[:3] == ["outer", "inner", "numbers"]
        assert "await anyio.sleep_forever()" in engine.where("outer")
        assert "dagtop" not in engine.where("outer").replace(__file__, "")


@LOOPS
@pytest.mark.skipif(sys.version_info < (3, 12), reason="a task does not tell its context before Python 3.12")
def test_what_it_has_started_is_told_too(loop: str) -> None:
    graph = Graph("g")

    @graph.task
    async def parent() -> None:
        async def child() -> None:
            await anyio.sleep_forever()

        async with anyio.create_task_group() as group:
            group.start_soon(child)
            group.start_soon(child)
            await anyio.sleep_forever()

    with running(graph, loop) as engine:
        until(lambda: engine.where("parent").count("in child") == 2)
        assert functions(engine.where("parent"))[0] == "parent"


def test_children_of_a_gather_are_told_also_where_nothing_is_captured() -> None:
    graph = Graph("g")

    @graph.task
    async def parent() -> None:
        async def child() -> None:
            await asyncio.sleep(1000)

        await asyncio.gather(*(child() for _ in range(8)))

    with running(graph, capture=False) as engine:
        until(lambda: "and 3 more of its own tasks" in engine.where("parent"))
        assert engine.where("parent").count("in child") == 5


def test_an_asyncio_task_that_it_awaits_is_part_of_its_stack() -> None:
    graph = Graph("g")

    @graph.task
    async def parent() -> None:
        async def helper() -> None:
            await asyncio.sleep(1000)

        await asyncio.create_task(helper())

    with running(graph) as engine:
        until(lambda: "helper" in engine.where("parent"))
        assert functions(engine.where("parent"))[:2] == ["parent", "helper"]


def test_a_task_in_a_thread_is_told_without_the_threads_own_frames() -> None:
    graph, let_go = Graph("g"), threading.Event()

    def deep() -> None:
        let_go.wait(20)

    @graph.task
    def plain() -> None:
        deep()

    with running(graph) as engine:
        try:
            until(lambda: "deep" in engine.where("plain"))
            assert functions(engine.where("plain"))[:2] == ["plain", "deep"]
        finally:
            let_go.set()


@LOOPS
def test_a_task_that_blocks_the_loop_is_told_all_the_same(loop: str) -> None:
    graph, let_go = Graph("g"), threading.Event()

    @graph.task
    async def first() -> None:
        let_go.wait(20)

    @graph.task
    async def resumed(first: None) -> None:
        await anyio.lowlevel.checkpoint()
        again.wait(20)

    again = threading.Event()
    with running(graph, loop) as engine:
        try:
            until(lambda: "let_go.wait(20)" in engine.where("first"))
            let_go.set()
            until(lambda: "again.wait(20)" in engine.where("resumed"))
        finally:
            let_go.set()
            again.set()


def test_what_does_not_run_is_told_in_a_sentence() -> None:
    graph, let_go = Graph("g"), threading.Event()

    @graph.task
    def first() -> None:
        let_go.wait(20)

    @graph.task
    def second(first: None) -> None: ...

    with running(graph) as engine:
        try:
            assert engine.where("second") == "second does not run: it is waiting"
            assert engine.where("secnd") == "there is no task 'secnd'; did you mean 'second'?"
        finally:
            let_go.set()
    told = {"cancelled": "was", "succeeded": "has"}
    assert engine.where("first") in {f"first does not run: it {verb} {state}" for state, verb in told.items()}


def test_a_stack_is_bounded_however_deep_it_is() -> None:
    def deep(left: int) -> str:
        if left:
            return deep(left - 1)
        frame, places = sys._getframe(), []
        while frame is not None:
            places.append(place(frame))
            frame = frame.f_back  # type: ignore[assignment]
        return text_of_stack(reversed(places))

    text = deep(200)
    assert "outer frames left out" in text
    assert len(text) <= TEXT + 50
    assert "in deep" in text


def test_asking_without_end_disturbs_nothing() -> None:
    """A thread asks as fast as it can while a thousand tasks come and go."""
    graph = Graph("g")
    names = [f"t{i}" for i in range(300)]

    async def step() -> None:
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()

    for name in names:
        graph.add(name, step)
    engine = EngineThread(DAGExecutor(graph))
    engine.start()
    asked = 0
    while not engine.join(0):
        assert isinstance(engine.where(names[asked % len(names)]), str)
        asked += 1
    assert engine.result is not None
    assert engine.result.ok


def test_a_run_from_code_tells_where_its_tasks_are() -> None:
    graph, let_go = Graph("g"), threading.Event()

    @graph.task
    def plain() -> None:
        let_go.wait(20)

    with DAGExecutor(graph).start() as run:
        try:
            until(lambda: "let_go.wait(20)" in run.where("plain"))
        finally:
            let_go.set()
