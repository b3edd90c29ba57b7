"""`cancel_event`: the caller's own event, of whichever library, cancels the run (B22, B23)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio
from dagtop import DAGExecutor, DagtopError, ExecutorConfig, Graph, Run, RunResult, RunState, TaskState
from dagtop.core import events as ev
from dagtop.errors import OptionError
from dagtop.runtime import caller_event

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])
BY_EVENT = "cancelled by the caller's event"


def own_event(loop: str) -> Callable[[], Any]:
    return asyncio.Event if loop == "asyncio" else trio.Event


EVENTS = pytest.mark.parametrize("made", ["threading", "own", "anyio"])


def make(made: str, loop: str) -> Any:
    return {"threading": threading.Event, "own": own_event(loop), "anyio": anyio.Event}[made]()


def endless(*, wide: int = 1) -> Graph:
    graph = Graph("endless")
    for number in range(wide):
        graph.add(f"t{number}", anyio.sleep_forever)
    return graph


def assert_cancelled(result: RunResult) -> None:
    assert (result.state, result.reason) == (RunState.CANCELLED, BY_EVENT)
    assert all(task.state is TaskState.CANCELLED for task in result)


def nobody_waits() -> bool:
    return not any(thread.name == "dagtop:cancel_event" for thread in threading.enumerate())


@LOOPS
@EVENTS
def test_B22_set_by_a_task_it_cancels_all_that_runs_at_once(loop: str, made: str) -> None:
    async def inside() -> None:
        event = make(made, loop)
        graph = endless(wide=20)

        async def sets() -> None:
            event.set()
            await anyio.sleep_forever()

        graph.add("sets", sets)
        assert_cancelled(await DAGExecutor(graph, capture=False, cancel_event=event).run())
        assert nobody_waits()

    anyio.run(inside, backend=loop)


@LOOPS
@EVENTS
def test_B22_set_beside_a_run_that_is_awaited(loop: str, made: str) -> None:
    async def inside() -> None:
        event = make(made, loop)
        executor = DAGExecutor(endless(), ExecutorConfig(cancel_event=event), capture=False)
        begun = anyio.Event()

        @executor.on_event("task.started")
        async def _(_: Any) -> None:
            begun.set()

        async def waits_and_sets() -> None:
            await begun.wait()
            event.set()

        async with anyio.create_task_group() as group:
            group.start_soon(waits_and_sets)
            assert_cancelled(await executor.run())

    anyio.run(inside, backend=loop)


@LOOPS
@EVENTS
@pytest.mark.parametrize("engine", ["asyncio", "trio"])
def test_B22_set_on_the_callers_loop_it_cancels_a_run_in_a_thread_of_its_own(loop: str, made: str, engine: str) -> None:
    async def inside() -> None:
        event = make(made, loop)
        run = DAGExecutor(endless(), capture=False, cancel_event=event).start(loop=engine)
        await started(run)
        event.set()
        assert_cancelled(await run)
        assert nobody_waits()

    anyio.run(inside, backend=loop)


async def started(run: Run) -> None:
    async for _ in run.events("task.started"):
        return


@LOOPS
def test_B22_a_threading_event_is_heard_from_plain_code(loop: str) -> None:
    event = threading.Event()
    run = DAGExecutor(endless(), capture=False, cancel_event=event).start(loop=loop)
    next(run.events("task.started"))
    event.set()
    assert_cancelled(run.wait(20))
    assert nobody_waits()


@LOOPS
@EVENTS
def test_B22_set_before_the_run_nothing_of_any_task_is_run(loop: str, made: str) -> None:
    ran: list[bool] = []

    async def inside() -> None:
        event = make(made, loop)
        event.set()
        graph = Graph("g").add("a", lambda: ran.append(True)).add("b", _appends).add("c", lambda a: 1)
        assert_cancelled(await DAGExecutor(graph, capture=False, cancel_event=event).run())

    async def _appends() -> None:
        ran.append(True)

    anyio.run(inside, backend=loop)
    assert not ran


@LOOPS
@EVENTS
@pytest.mark.parametrize("in_a_thread", [True, False])
def test_a_run_that_ends_before_leaves_nobody_waiting(loop: str, made: str, in_a_thread: bool) -> None:
    async def inside() -> None:
        event = make(made, loop)
        executor = DAGExecutor(Graph("g").add("a", lambda: 1), capture=False, cancel_event=event)
        result = await (executor.start() if in_a_thread else executor.run())
        assert result.ok
        assert nobody_waits()
        event.set()
        await anyio.lowlevel.checkpoint()

    anyio.run(inside, backend=loop)


@LOOPS
def test_B23_set_again_or_while_it_is_being_cancelled_it_changes_nothing(loop: str) -> None:
    event, begun = threading.Event(), threading.Event()
    cleaned: list[bool] = []
    graph = Graph("g")

    @graph.task
    async def cleans() -> None:
        try:
            begun.set()
            await anyio.sleep_forever()
        finally:
            event.set()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(lambda: None)
            cleaned.append(True)

    run = DAGExecutor(graph, capture=False, cancel_event=event).start(loop=loop)
    assert begun.wait(20)
    run.cancel(reason="first").wait(20)
    assert run.wait(20).reason == "first"
    assert cleaned == [True]


@LOOPS
def test_one_event_may_cancel_many_runs_and_closes_one_that_is_held_open(loop: str) -> None:
    event = threading.Event()
    executors = [DAGExecutor(endless(), capture=False, cancel_event=event) for _ in range(3)]
    runs = [executor.start(loop=loop) for executor in executors]
    over = DAGExecutor(Graph("g").add("a", lambda: 1), capture=False, cancel_event=event)
    held = over.start(loop=loop, hold_open=True)
    next(held.events("run.finished"))
    for run in runs:
        next(run.events("task.started"))
    event.set()
    while not held.done:
        threading.Event().wait(0.001)
    assert held.result.ok
    for run in runs:
        assert_cancelled(run.wait(20))


@LOOPS
def test_graph_run_takes_it_as_an_option_also_inside_a_loop(loop: str) -> None:
    event = threading.Event()
    graph = endless()

    @graph.on_event("task.started")
    def _(_: Any) -> None:
        event.set()

    assert_cancelled(graph.run(cancel_event=event))

    async def inside() -> None:
        event.clear()
        assert_cancelled(graph.run(cancel_event=event))

    anyio.run(inside, backend=loop)


def test_an_event_of_the_other_library_is_an_error_before_anything_runs() -> None:
    ran: list[bool] = []
    graph = Graph("g").add("a", lambda: ran.append(True))

    async def inside(other: Any, *, start: bool) -> None:
        executor = DAGExecutor(graph, capture=False, cancel_event=other)
        with pytest.raises(DagtopError, match=r"a threading\.Event works everywhere"):
            _ = executor.start() if start else await executor.run()

    for start in (True, False):
        anyio.run(lambda start=start: inside(trio.Event(), start=start))  # type: ignore[misc]
        anyio.run(lambda start=start: inside(asyncio.Event(), start=start), backend="trio")  # type: ignore[misc]
    with pytest.raises(DagtopError, match="belongs to trio, and here runs asyncio"):
        DAGExecutor(graph, capture=False, cancel_event=trio.Event()).start().wait(20)
    assert not ran


@pytest.mark.parametrize("value", [True, "event", threading.Event, object()])
def test_what_is_no_event_is_an_error_at_once(value: Any) -> None:
    with pytest.raises(ValueError, match="cancel_event must be an Event of threading, asyncio, anyio or trio"):
        DAGExecutor(Graph("g"), cancel_event=value)
    with pytest.raises(OptionError, match="cancel_event must be an Event"):
        Graph("g", cancel_event=value)


@LOOPS
@pytest.mark.parametrize("is_async", [True, False])
def test_B16_an_event_that_breaks_is_a_problem_and_the_run_goes_on(loop: str, is_async: bool) -> None:
    class Broken:
        def is_set(self) -> bool:
            return False

        def wait(self, timeout: float | None = None) -> bool:
            raise OSError("broken")

    class BrokenAsync(Broken):
        async def wait(self) -> bool:  # type: ignore[override]
            raise OSError("broken")

    go_on = threading.Event()
    broken = BrokenAsync() if is_async else Broken()
    graph = Graph("g").add("a", lambda: go_on.wait(20))
    with DAGExecutor(graph, capture=False, cancel_event=broken).start(loop=loop) as run:
        problem = next(run.events(ev.Problem))
        go_on.set()
    assert isinstance(problem, ev.Problem)
    assert (problem.source, problem.message) == ("cancel_event", "it cannot be waited for any more: OSError: broken")
    assert run.result.ok


@LOOPS
@pytest.mark.parametrize("where", ["is_set", "wait", "wait, async"])
def test_B26_an_event_that_exits_the_program_when_it_is_asked_does_not(loop: str, where: str) -> None:
    class Exits:
        def is_set(self) -> bool:
            if where == "is_set":
                raise SystemExit(3)
            return False

        def wait(self, timeout: float | None = None) -> bool:
            raise SystemExit(3)

    class ExitsAsync(Exits):
        async def wait(self) -> bool:  # type: ignore[override]
            raise SystemExit(3)

    go_on = threading.Event()
    event = ExitsAsync() if "async" in where else Exits()
    graph = Graph("g").add("a", lambda: go_on.wait(20))
    with DAGExecutor(graph, capture=False, cancel_event=event).start(loop=loop) as run:
        problem = next(run.events(ev.Problem))
        go_on.set()
    assert isinstance(problem, ev.Problem)
    assert problem.message == "it cannot be waited for any more: SystemExit: 3"
    assert run.result.ok


def test_B26_an_event_that_waits_longer_than_it_is_told_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(caller_event, "PATIENCE", 0.02)
    let_go = threading.Event()

    class Deaf:
        def is_set(self) -> bool:
            return False

        def wait(self, timeout: float | None = None) -> bool:
            return not let_go.wait(20)

    with DAGExecutor(Graph("g").add("a", lambda: 1), capture=False, cancel_event=Deaf()).start() as run:
        pass
    assert not let_go.is_set()
    let_go.set()
    assert run.result.ok
