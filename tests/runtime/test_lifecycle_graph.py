"""Setup and teardown of a whole graph (B36)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, Graph, RunState, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from engine_driver import Live, check_books, live, run_all

pytestmark = pytest.mark.anyio


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Threads that wait for this go on waiting until the test is over."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("sync", [False, True])
async def test_B36_it_is_set_up_before_the_first_task_and_torn_down_after_the_last_teardown(sync: bool) -> None:
    graph = Graph("g", inputs={"url": "db://"})
    steps: list[str] = []

    if sync:

        @graph.setup
        def setup(url: str) -> str:
            steps.append(f"set up {url}")
            return "its result"

        @graph.teardown
        def teardown(url: str, resource: str) -> None:
            steps.append(f"tear down {url} {resource}")
    else:

        @graph.setup
        async def setup(url: str) -> str:
            await anyio.lowlevel.checkpoint()
            steps.append(f"set up {url}")
            return "its result"

        @graph.teardown
        async def teardown(url: str, resource: str) -> None:
            await anyio.lowlevel.checkpoint()
            steps.append(f"tear down {url} {resource}")

    graph.add(
        "a", lambda: steps.append("a"), teardown=lambda: steps.append("-a"), when=lambda: not steps.append("when")
    )
    run = await run_all(graph)
    assert steps == ["set up db://", "when", "a", "-a", "tear down db:// its result"]
    assert [log.line for log in run.of(ev.Log)] == ["the graph's setup begins", "the graph's setup is over"]
    assert isinstance(run.events[-1], ev.RunFinished)


async def test_B36_if_it_cannot_be_set_up_no_task_runs_and_it_is_torn_down_all_the_same() -> None:
    steps: list[str] = []

    def setup() -> None:
        raise ConnectionError("nobody is there")

    graph = Graph("g", setup=setup, teardown=lambda resource: steps.append(f"teardown {resource}"))
    graph.add("a", lambda: steps.append("a"))
    run = await run_all(graph)
    assert run.result is not None
    assert run.result.state is RunState.FAILED
    assert run.result.reason == "the graph's setup failed: ConnectionError: nobody is there"
    assert run.result["a"].state is TaskState.CANCELLED
    assert steps == ["teardown None"]
    (problem,) = run.of(ev.Problem)
    assert (problem.source, "ConnectionError: nobody is there" in problem.message) == ("setup", True)


async def test_B36_a_teardown_that_raises_fails_nothing_and_is_told_of() -> None:
    graph = Graph("g", teardown=lambda: 1 / 0)
    graph.add("a", lambda: 1)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result.ok
    assert [(found.of, found.task, found.failure.error) for found in run.result.teardown_failures] == [
        ("the graph", "", "ZeroDivisionError")
    ]


@pytest.mark.parametrize("how", [cmd.CancelRun(), cmd.DrainRun()])
async def test_B23_a_cancel_interrupts_the_setup_of_the_graph_and_its_teardown_runs(how: cmd.Command) -> None:
    steps: list[str] = []
    begun = anyio.Event()

    async def setup() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            steps.append("interrupted")

    async def teardown() -> None:
        await anyio.lowlevel.checkpoint()
        steps.append("torn down")

    graph = Graph("g", setup=setup, teardown=teardown)
    graph.add("a", lambda: steps.append("a"))
    async with live(graph) as run:
        await begun.wait()
        await run.command(how)
    assert steps == ["interrupted", "torn down"]
    assert run.result is not None
    assert run.result.state is RunState.CANCELLED
    assert not run.of(ev.Problem)


async def test_B23_a_setup_in_a_thread_that_hangs_holds_up_a_cancelled_run_no_longer_than_the_grace(
    stuck: threading.Event,
) -> None:
    begun = threading.Event()
    steps: list[str] = []

    def setup() -> None:
        begun.set()
        stuck.wait()

    graph = Graph("g", setup=setup, teardown=lambda: steps.append("torn down"), cancel_grace=0.02)
    graph.add("a", lambda: steps.append("a"))
    async with live(graph) as run:
        await anyio.to_thread.run_sync(begun.wait)
        await run.command(cmd.CancelRun())
    assert steps == ["torn down"]
    assert run.engine.workers.threads_left == 1


async def test_a_pause_that_ends_while_the_graph_is_set_up_starts_nothing_too_early() -> None:
    begun, go_on = anyio.Event(), anyio.Event()
    steps: list[str] = []

    async def setup() -> None:
        begun.set()
        await go_on.wait()
        steps.append("set up")

    graph = Graph("g", setup=setup)
    graph.add("a", lambda: steps.append("a"))
    async with live(graph) as run:
        await begun.wait()
        await run.command(cmd.PauseRun())
        await run.command(cmd.ContinueRun())
        await run.command(cmd.PauseRun())
        go_on.set()
        await run.until(lambda event: isinstance(event, ev.Log) and "over" in event.line)
        assert run.state("a") is TaskState.READY
        await run.command(cmd.ContinueRun())
    assert steps == ["set up", "a"]


async def test_a_run_that_is_opened_again_is_set_up_again() -> None:
    steps: list[str] = []
    graph = Graph("g", setup=lambda: steps.append("+"), teardown=lambda: steps.append("-"))

    @graph.service
    async def db():  # type: ignore[no-untyped-def]
        steps.append("open")
        yield 1
        steps.append("close")

    graph.add("a", lambda db: steps.append("a"))
    executor = DAGExecutor(graph, capture=False)
    run = Live(executor)
    run.engine.add_recorders([run])
    run.engine.hold_open = True
    async with anyio.create_task_group() as group:
        group.start_soon(executor.run)
        await run.until(ev.RunFinished)
        await run.command(cmd.RestartTask("a"))
        await run.until(ev.RunFinished, count=2)
        run.engine.close()
    assert steps == ["+", "open", "a", "close", "-"] * 2
    check_books(run)
