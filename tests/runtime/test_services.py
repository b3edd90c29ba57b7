"""Services that tasks share: opened once, closed last (B36)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, Graph, Retry, RunState, TaskContext, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.machine import RunMachine
from dagtop.runtime.chores import Room
from engine_driver import Live, live, run_all

pytestmark = pytest.mark.anyio


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Threads that wait for this go on waiting until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def outputs(run: Live) -> dict[str, Any]:
    assert run.result is not None
    return {task.name: task.output for task in run.result}


class Manager:
    """A context manager of one of the two kinds."""

    def __init__(self, steps: list[str], value: Any = "value") -> None:
        self.steps, self.value = steps, value

    def enter(self) -> Any:
        self.steps.append("open")
        return self.value

    def leave(self) -> None:
        self.steps.append("close")


class SyncManager(Manager):
    def __enter__(self) -> Any:
        return self.enter()

    def __exit__(self, *error: object) -> None:
        self.leave()


class AsyncManager(Manager):
    async def __aenter__(self) -> Any:
        await anyio.lowlevel.checkpoint()
        return self.enter()

    async def __aexit__(self, *error: object) -> None:
        await anyio.lowlevel.checkpoint()
        self.leave()


def factories(steps: list[str]) -> dict[str, Any]:
    """Every way to write a service."""

    def generator() -> Iterator[str]:
        steps.append("open")
        yield "value"
        steps.append("close")

    async def async_generator() -> AsyncIterator[str]:
        steps.append("open")
        yield "value"
        steps.append("close")

    async def coroutine() -> AsyncManager:
        await anyio.lowlevel.checkpoint()
        return AsyncManager(steps)

    return {
        "a generator": generator,
        "an async generator": async_generator,
        "contextmanager": contextmanager(generator),
        "asynccontextmanager": asynccontextmanager(async_generator),
        "a function that returns a manager": lambda: SyncManager(steps),
        "a function that returns an async manager": lambda: AsyncManager(steps),
        "a coroutine function": coroutine,
    }


@pytest.mark.parametrize("kind", list(factories([])))
async def test_B36_a_service_is_opened_once_for_all_and_closed_last_however_it_is_written(kind: str) -> None:
    graph = Graph("g")
    steps: list[str] = []
    graph.service(factories(steps)[kind], name="db")

    @graph.task
    async def on_loop(db: str, ctx: TaskContext) -> tuple[str, str]:
        return db, await ctx.service("db")

    @graph.task(teardown=lambda: steps.append("teardown"))
    def in_thread(db: str, ctx: TaskContext) -> tuple[str, str]:
        return db, ctx.service("db")

    run = await run_all(graph)
    assert outputs(run) == {"on_loop": ("value", "value"), "in_thread": ("value", "value")}
    assert steps == ["open", "teardown", "close"]


async def test_B36_many_tasks_at_once_open_it_once_and_nobody_opens_what_nobody_needs() -> None:
    graph = Graph("g", max_parallel=50)
    opened: list[str] = []

    @graph.service
    async def db() -> AsyncIterator[int]:
        opened.append("db")
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
        yield 7

    @graph.service
    def unused() -> Iterator[int]:
        opened.append("unused")
        yield 8

    for i in range(50):
        graph.add(f"t{i}", (lambda db: db) if i % 2 else (lambda ctx: ctx.service("db")))
    run = await run_all(graph)
    assert set(outputs(run).values()) == {7}
    assert opened == ["db"]


async def test_B36_services_need_inputs_and_other_services_and_are_closed_in_reverse() -> None:
    graph = Graph("g", inputs={"url": "db://"})
    steps: list[str] = []

    @graph.service
    def session(pool: str) -> Iterator[str]:
        steps.append("+session")
        yield f"session of {pool}"
        steps.append("-session")

    @graph.service
    async def pool(url: str) -> AsyncIterator[str]:
        steps.append("+pool")
        yield f"pool at {url}"
        steps.append("-pool")

    graph.add("a", lambda session: session)
    run = await run_all(graph)
    assert outputs(run) == {"a": "session of pool at db://"}
    assert steps == ["+pool", "+session", "-session", "-pool"]


async def test_B36_a_scope_that_an_async_service_enters_is_left_in_the_same_loop_task() -> None:
    """anyio demands it: a task group that is entered in one task cannot be left in another."""
    graph = Graph("g")
    steps: list[str] = []

    @graph.service
    async def pump() -> AsyncIterator[list[str]]:
        async with anyio.create_task_group() as group:

            async def pumps() -> None:
                steps.append("pumps")
                await anyio.sleep_forever()

            group.start_soon(pumps)
            yield steps
            group.cancel_scope.cancel()

    async def uses(pump: list[str]) -> str:
        while not pump:
            await anyio.lowlevel.checkpoint()
        return pump[0]

    graph.add("a", uses)
    run = await run_all(graph)
    assert outputs(run) == {"a": "pumps"}
    assert not run.of(ev.Problem)


async def test_B36_a_sync_service_is_opened_and_closed_in_one_thread_that_is_not_the_loops() -> None:
    graph = Graph("g")
    threads: list[int] = []

    @graph.service
    def db() -> Iterator[int]:
        threads.append(threading.get_ident())
        yield 1
        threads.append(threading.get_ident())

    graph.add("a", lambda db: db)
    await run_all(graph)
    assert len(threads) == 2
    assert threads[0] == threads[1] != threading.get_ident()


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("by_name", [False, True])
async def test_B36_a_service_that_does_not_open_fails_the_attempt_and_the_next_one_opens_it_again(
    sync: bool, by_name: bool
) -> None:
    graph = Graph("g")
    tries: list[int] = []

    def opens() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")

    @graph.service
    def sync_db() -> Iterator[str]:
        opens()
        yield "there"

    @graph.service
    async def async_db() -> AsyncIterator[str]:
        opens()
        yield "there"

    name = "sync_db" if sync else "async_db"

    def asks(ctx: TaskContext) -> Any:
        return ctx.service(name)

    wants = asks if by_name else (lambda sync_db: sync_db) if sync else (lambda async_db: async_db)
    graph.add("a", wants, retries=Retry(retries=3, base=0, on=(OSError,)))
    run = await run_all(graph)
    assert outputs(run) == {"a": "there"}
    assert [event.failure.message for event in run.of(ev.TaskRetrying)] == ["not yet", "not yet"]


async def test_B36_what_closing_raises_is_collected_and_the_others_are_closed() -> None:
    graph = Graph("g")
    closed: list[str] = []

    @graph.service
    async def first() -> AsyncIterator[int]:
        yield 1
        closed.append("first")

    @graph.service
    def second(first: int) -> Iterator[int]:
        yield 2
        raise SystemExit("at the end")

    graph.add("a", lambda second: second)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result.ok
    assert [(found.of, found.failure.error) for found in run.result.teardown_failures] == [
        ("service 'second'", "TaskExitError")
    ]
    assert [problem.source for problem in run.of(ev.Problem)] == ["closing service 'second'"]
    assert closed == ["first"]


@pytest.mark.parametrize("sync", [False, True])
async def test_B23_a_task_that_waits_for_a_service_can_be_cancelled_and_the_next_one_opens_it_anew(sync: bool) -> None:
    graph = Graph("g")
    begun = [anyio.Event(), anyio.Event()]
    steps: list[str] = []

    @graph.service
    async def db() -> AsyncIterator[int]:
        first = not begun[0].is_set()
        begun[0 if first else 1].set()
        if first:
            try:
                await anyio.sleep_forever()
            finally:
                steps.append("given up")
        yield 1
        steps.append("closed")

    async def waits(db: int) -> int:
        return db

    graph.add("waits", (lambda db: db) if sync else waits)
    graph.add("later", lambda db: db, depends_on=["waits"], trigger="all_done")
    async with live(graph) as run:
        await begun[0].wait()
        await run.command(cmd.CancelTask("waits"))
    assert outputs(run) == {"waits": None, "later": 1}
    assert run.result is not None
    assert run.result["waits"].state is TaskState.CANCELLED
    assert steps == ["given up", "closed"]


async def test_B23_a_thread_that_waits_for_a_service_by_name_is_told_when_its_task_is_cancelled() -> None:
    graph = Graph("g")
    begun = anyio.Event()

    @graph.service
    async def db() -> AsyncIterator[int]:
        begun.set()
        await anyio.sleep_forever()
        yield 1

    graph.add("waits", lambda ctx: ctx.service("db"))
    async with live(graph) as run:
        await begun.wait()
        await run.command(cmd.CancelTask("waits"))
    assert run.result is not None
    assert run.result["waits"].state is TaskState.CANCELLED


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("closing", [False, True])
async def test_B23_a_service_that_hangs_holds_up_a_cancelled_run_no_longer_than_the_grace(
    sync: bool, closing: bool, stuck: threading.Event
) -> None:
    graph = Graph("g", cancel_grace=0.02)
    begun = threading.Event()

    @graph.service
    def sync_db() -> Iterator[int]:
        if not closing:
            begun.set()
            stuck.wait()
        yield 1
        begun.set()
        stuck.wait()

    @graph.service
    async def async_db() -> AsyncIterator[int]:
        if not closing:
            begun.set()
            await anyio.sleep_forever()
        yield 1
        begun.set()
        await anyio.sleep_forever()

    graph.add("a", (lambda sync_db: 1) if sync else (lambda async_db: 1))
    async with live(graph) as run:
        await anyio.to_thread.run_sync(begun.wait)
        await run.command(cmd.CancelRun())
    assert run.result is not None
    assert run.result.state is (RunState.SUCCEEDED if closing else RunState.CANCELLED)
    assert len(run.result.teardown_failures) == int(closing)
    assert run.engine.workers.threads_left == int(sync)


async def test_a_service_that_ends_by_itself_is_told_of_and_opened_anew() -> None:
    graph = Graph("g")
    opened: list[int] = []

    @graph.service
    async def db() -> AsyncIterator[int]:
        opened.append(1)
        async with anyio.create_task_group() as group:

            async def breaks() -> None:
                raise ConnectionError("lost")

            if len(opened) == 1:
                group.start_soon(breaks)
            yield len(opened)

    graph.add("first", lambda db: db)
    graph.add("second", lambda db: db, depends_on=["first"])
    async with live(graph) as run:
        await run.until(ev.TaskSucceeded, "first")
        problem = await run.until(ev.Problem)
        assert problem.source == "service 'db'"
        assert "before it was closed" in problem.message
    assert outputs(run)["first"] == 1
    assert set(opened) == {1}


async def test_a_service_that_gives_no_context_manager_says_how_to_write_one() -> None:
    graph = Graph("g")
    graph.service(lambda: 3, name="number")
    graph.add("a", lambda number: number)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result["a"].failure is not None
    assert "give the value with yield" in run.result["a"].failure.message


async def test_a_service_that_is_not_there_is_named_with_the_nearest_one() -> None:
    graph = Graph("g")

    @graph.service
    def database() -> Iterator[int]:
        yield 1

    graph.add("a", lambda ctx: ctx.service("databse"))
    run = await run_all(graph)
    assert run.result is not None
    assert run.result["a"].failure is not None
    assert run.result["a"].failure.message == "there is no service 'databse'; did you mean 'database'?"


async def test_what_a_service_prints_belongs_to_no_task() -> None:
    graph = Graph("g")

    @graph.service
    def db() -> Iterator[int]:
        print("opening")
        yield 1
        print("closing")

    graph.add("a", lambda db: print("task"))
    run = Live(DAGExecutor(graph, capture=True))
    run.engine.add_recorders([run])
    await run.executor.run()
    assert [(log.task, log.line) for log in run.of(ev.Log)] == [("", "opening"), ("a", "task"), ("", "closing")]


async def test_an_engine_that_breaks_keeps_no_thread_of_a_service(anyio_backend_name: str) -> None:
    class Breaks(BaseException):
        pass

    class Broken(RunMachine):
        __slots__ = ()

        def handle(self, event: Any) -> Any:
            raise Breaks

    graph, closed, go_on = Graph("g"), threading.Event(), threading.Event()

    @graph.service
    def db() -> Iterator[int]:
        yield 1
        closed.set()

    @graph.task
    def uses(db: int) -> None:
        assert go_on.wait(20)

    run = DAGExecutor(graph, capture=False).start(loop=anyio_backend_name)
    await anyio.to_thread.run_sync(next, iter(run.events("task.started")))
    run._engine.machine.__class__ = Broken
    go_on.set()
    with pytest.raises(Breaks):
        await anyio.to_thread.run_sync(run.wait, 20)
    assert await anyio.to_thread.run_sync(closed.wait, 20)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_place_that_was_given_to_one_who_no_longer_wants_it_goes_to_the_next(anyio_backend: str) -> None:
    """Interrupted in the very moment in which its turn had come: on asyncio that is a cancellation all the same."""
    room, order = Room(1, lambda: None), list[str]()
    first = await room.enter()

    async def enters(name: str) -> None:
        place = await room.enter()
        order.append(name)
        room.leave(place)

    gives_up, follows = asyncio.create_task(enters("gives up")), asyncio.create_task(enters("next"))
    await anyio.wait_all_tasks_blocked()
    room.leave(first)
    gives_up.cancel()
    await asyncio.wait([gives_up, follows], timeout=20)
    assert gives_up.cancelled()
    assert order == ["next"]
