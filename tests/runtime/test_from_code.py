"""A run in the hands of a program: started, waited for, left."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from dagtop import DAGExecutor, DagtopError, ExecutorConfig, Graph, Run, RunState, TaskContext, TaskState
from dagtop.core.machine import RunMachine

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])


class Waits:
    """A graph with one task that goes on until it is let go or told to stop, and a task after it."""

    def __init__(self, **options: Any) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Event()
        self.graph = Graph("waits", **options).add("waits", self._waits).add("after", lambda waits: waits)

    def _waits(self, ctx: TaskContext) -> str:
        self.begun.set()
        while not self.go_on.wait(0.005):
            if ctx.cancelled:
                return "stopped"
        return "let go"

    def start(self, loop: str = "asyncio", **options: Any) -> Run:
        run = DAGExecutor(self.graph, capture=False).start(loop=loop, **options)
        assert self.begun.wait(20)
        return run


@LOOPS
def test_it_is_started_from_plain_code_and_waited_for(loop: str) -> None:
    waits = Waits()
    run = waits.start(loop)
    assert (run.done, run.state, run.graph) == (False, RunState.RUNNING, waits.graph)
    assert repr(run) == f"Run('waits', {run.id}, running)"
    waits.go_on.set()
    result = run.wait(20)
    assert result["after"].output == "let go"
    assert run.result is result
    assert (run.done, run.state, run.id) == (True, RunState.SUCCEEDED, result.run)
    assert run.snapshot.counts[TaskState.SUCCEEDED] == 2


def test_waiting_has_an_end_and_the_run_goes_on() -> None:
    waits = Waits()
    with waits.start() as run:
        with pytest.raises(TimeoutError, match=r"the run has not ended within 0\.01 s; it goes on"):
            run.wait(0.01)
        with pytest.raises(DagtopError, match="no result yet"):
            _ = run.result
        assert not run.done
        waits.go_on.set()
    assert run.result.ok


@LOOPS
@pytest.mark.parametrize("around", ["asyncio", "trio"])
def test_it_is_started_and_awaited_where_a_loop_runs_which_goes_on_meanwhile(loop: str, around: str) -> None:
    waits = Waits()

    async def inside() -> None:
        run = waits.start(loop)
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(awaited, run)
            await anyio.lowlevel.checkpoint()
            assert not run.done, "the loop went on although three tasks await the run"
            waits.go_on.set()
        assert (await run)["after"].output == "let go", "awaited again when it is over"

    async def awaited(run: Run) -> None:
        assert (await run).ok

    anyio.run(inside, backend=around)


@pytest.mark.parametrize("around", ["asyncio", "trio"])
def test_without_a_word_the_tasks_run_on_the_loop_that_runs_where_it_is_started(around: str) -> None:
    import sniffio

    graph = Graph("g")

    @graph.task
    async def loop() -> str:
        return sniffio.current_async_library()

    async def inside() -> Any:
        return (await DAGExecutor(graph, capture=False).start())["loop"].output

    assert anyio.run(inside, backend=around) == around


@pytest.mark.parametrize("around", ["asyncio", "trio"])
def test_whoever_awaits_it_may_be_cancelled_and_the_run_goes_on(around: str) -> None:
    waits = Waits()

    async def inside() -> None:
        run = waits.start()
        with anyio.move_on_after(0.01) as scope:
            await run
        assert scope.cancelled_caught
        assert run.state is RunState.RUNNING
        waits.go_on.set()
        assert (await run).ok

    anyio.run(inside, backend=around)


@LOOPS
def test_a_block_that_is_left_by_an_exception_cancels_the_run_and_waits_for_it(loop: str) -> None:
    waits = Waits()
    with pytest.raises(ZeroDivisionError), waits.start(loop) as run:
        _ = 1 / 0
    assert run.done
    assert run.result.state is RunState.CANCELLED
    assert run.result.reason == "the program left the run by ZeroDivisionError"


@pytest.mark.parametrize("around", ["asyncio", "trio"])
def test_so_does_an_async_block_also_when_it_is_cancelled(around: str) -> None:
    async def raises() -> Run:
        with pytest.raises(ZeroDivisionError):
            async with Waits().start() as run:
                _ = 1 / 0
        return run

    async def cancelled(at_the_end: bool) -> Run:
        with anyio.CancelScope() as scope:
            async with Waits().start() as run:
                scope.cancel()
                if not at_the_end:
                    await anyio.sleep_forever()
        return run

    for left in (raises, lambda: cancelled(True), lambda: cancelled(False)):
        run = anyio.run(left, backend=around)
        assert run.done
        assert run.result.state is RunState.CANCELLED


@pytest.mark.parametrize("around", ["asyncio", "trio"])
def test_an_async_block_that_ends_waits_for_the_run(around: str) -> None:
    async def inside() -> Run:
        waits = Waits()
        async with waits.start() as run:
            waits.go_on.set()
        return run

    assert anyio.run(inside, backend=around).result.ok


def test_a_handle_that_is_let_go_of_changes_nothing() -> None:
    ended = threading.Event()
    waits = Waits(on_event=lambda event: ended.set() if event.type == "run.finished" else None)
    waits.start()
    gc.collect()
    waits.go_on.set()
    assert ended.wait(20)


def test_an_executor_is_started_once() -> None:
    executor = DAGExecutor(Graph("g").add("a", lambda: 1), capture=False)
    executor.start().wait(20)
    with pytest.raises(DagtopError, match="runs once"):
        executor.start()


@LOOPS
def test_B24_held_open_a_run_that_is_over_can_be_given_something_to_do_again(loop: str) -> None:
    attempts: list[int] = []

    def work(ctx: TaskContext) -> None:
        attempts.append(ctx.attempt)

    run = DAGExecutor(Graph("g").add("a", work), capture=False).start(loop=loop, hold_open=True)
    ended = run.events("run.finished")
    next(ended)
    assert not run.done
    assert run.restart(work).wait(20) == "a runs again"
    next(ended)
    assert run.wait(20).ok
    assert attempts == [1, 2]


def test_the_engines_own_thread_cannot_wait_for_itself() -> None:
    graph, said = Graph("g"), []
    runs: list[Run] = []
    started = threading.Event()

    @graph.task
    async def waits_for_its_own_run() -> None:
        await anyio.to_thread.run_sync(started.wait, 20)
        for wait in (runs[0].wait, runs[0].hold("later").wait):
            with pytest.raises(DagtopError) as told:
                wait(20)
            said.append(str(told.value))
        with pytest.raises(DagtopError, match="cannot wait for the end of its own run"):
            await runs[0]
        with pytest.raises(DagtopError, match="cannot wait for its own events; use async for there"):
            list(runs[0].events())
        assert await runs[0].release("later") == "later may start"

    graph.add("later", lambda waits_for_its_own_run: 1)
    runs.append(DAGExecutor(graph, capture=False).start())
    started.set()
    assert runs[0].wait(20).ok
    assert said == [
        "the engine's thread cannot wait for the end of its own run",
        "the engine's thread cannot wait for its own answer; await it instead",
    ]


def test_what_breaks_the_engine_is_raised_to_whoever_waits() -> None:
    class Breaks(BaseException):
        pass

    class Broken(RunMachine):
        __slots__ = ()

        def handle(self, event: Any) -> Any:
            raise Breaks

    waits = Waits()
    run = waits.start()
    run._engine.machine.__class__ = Broken
    answer = run.pause()
    waits.go_on.set()
    with pytest.raises(Breaks):
        run.wait(20)
    with pytest.raises(Breaks):
        list(run.events())
    with pytest.raises(Breaks), run:
        pass
    assert answer.refusal == "the engine broke down: Breaks"
    assert run.pause().refusal == "the engine broke down: Breaks"


PROGRAM = """
import threading, time
from dagtop import DAGExecutor, Graph
graph, begun = Graph("g"), threading.Barrier(3)
@graph.task
def deaf():
    begun.wait(20)
    time.sleep(600)
@graph.task
async def hears():
    import anyio
    await anyio.to_thread.run_sync(begun.wait, 20)
    try:
        print("hears", flush=True)
        await anyio.sleep(600)
    finally:
        print("cleaned up", flush=True)
run = DAGExecutor(graph).start()
begun.wait(20)
next(run.events("log"))
{last}
"""


@pytest.mark.parametrize(("last", "code"), [("raise SystemExit(3)", 3)])
def test_a_program_that_ends_while_a_run_goes_on_is_not_held_up_and_what_can_clean_up_does(
    last: str, code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(last=last)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == code, done.stderr
    assert "cleaned up" in done.stdout
    assert "Fatal" not in done.stderr


def test_graph_run_inside_a_loop_is_cancelled_by_a_keyboard_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops what runs, waits for it, and lets the interrupt go on."""
    from dagtop.runtime.waiting import Bell

    waits, waited = Waits(), Bell.wait
    interrupts = iter([True])

    def interrupted(bell: Bell, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        if next(interrupts, False):
            assert waits.begun.wait(20)
            raise KeyboardInterrupt
        return waited(bell, ready, timeout)

    monkeypatch.setattr(Bell, "wait", interrupted)
    seen: list[str] = []

    async def inside() -> None:
        with pytest.raises(KeyboardInterrupt):
            waits.graph.run(ExecutorConfig(on_event=lambda event: seen.append(event.type)))

    anyio.run(inside)
    assert seen[-1] == "run.finished"
    assert "task.cancelled" in seen
