"""Events from code: callbacks with filters that come and go, escalations, and the stream of a run (B15, B16)."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph, Run
from dagtop.core import events as ev
from dagtop.core.escalation import EscalationReport
from dagtop.graph.listening import Interest, Listening
from dagtop.runtime import history
from engine_driver import live, run_all

BOTH = pytest.mark.anyio
KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


def _breaks() -> None:
    raise ValueError("no")


def some_graph(**options: Any) -> Graph:
    graph = Graph("g", **options).add("load_a", lambda: 1).add("load_b", _breaks)
    return graph.add("load[c]", lambda: print("a line")).add("sum", lambda load_a: load_a)


def keeper(kind: str, seen: list[Any]) -> Callable[[Any], Any]:
    async def keeps(event: Any) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(event)

    return keeps if kind == "async" else seen.append


def texts(events: list[Any]) -> list[str]:
    return sorted(f"{event.type} {getattr(event, 'task', '')}".strip() for event in events)


@BOTH
@KINDS
@pytest.mark.parametrize(
    ("types", "tasks", "expected"),
    [
        (("task.failed",), None, ["task.failed load_b"]),
        (("task.fail*", "task.succeeded"), "load_*", ["task.failed load_b", "task.succeeded load_a"]),
        ((ev.TaskFailed, ev.RunFinished), None, ["run.finished", "task.failed load_b"]),
        ((ev.TaskFailed, ev.RunFinished), ["load_b", "nobody"], ["task.failed load_b"]),
        (("run.*",), None, ["run.finished", "run.started"]),
        (("run.*",), "*", []),
        (("task.succeeded",), "load[c]", ["task.succeeded load[c]"]),
        (("log",), ["load[c]"], []),
    ],
)
async def test_B16_a_callback_gets_what_it_asked_for(kind: str, types: Any, tasks: Any, expected: list[str]) -> None:
    seen: list[Any] = []
    executor = DAGExecutor(some_graph(), capture=False)
    executor.on_event(*types, tasks=tasks)(keeper(kind, seen))
    await executor.run()
    assert texts(seen) == expected


@BOTH
@KINDS
async def test_B16_bare_it_gets_everything_on_every_level(kind: str) -> None:
    graph, of_graph, of_executor, of_config = some_graph(), [], [], []  # type: ignore[var-annotated]
    executor = DAGExecutor(graph, ExecutorConfig(on_event=keeper(kind, of_config)), capture=False)
    executor.on_event(keeper(kind, of_executor))
    graph.on_event(keeper(kind, of_graph))
    await executor.run()
    assert of_graph == of_executor == of_config
    assert [event.type for event in of_graph][:: len(of_graph) - 1] == ["run.started", "run.finished"]
    of_graph.clear()
    await DAGExecutor(graph, capture=False).run()
    assert of_graph, "a graph's callbacks hear every run of it"


def levels() -> Iterator[Listening]:
    yield Graph("g")
    executor = DAGExecutor(Graph("g").add("a", lambda: 1), capture=False)
    yield executor
    yield executor.start()


@KINDS
def test_B16_the_decorators_return_the_function(kind: str) -> None:
    for level in levels():
        callback = keeper(kind, [])
        assert level.on_event(callback) is callback
        assert level.on_event("task.*")(callback) is callback
        assert level.on_event(ev.TaskFailed)(callback) is callback
        assert level.on_event(tasks="a")(callback) is callback
        assert level.on_escalation(callback) is callback
        assert level.on_escalation(tasks="a")(callback) is callback
        level.unsubscribe(callback)
        assert not level.listeners.all
        if isinstance(level, Run):
            level.wait(20)


def test_what_cannot_be_heard_is_an_error_that_names_the_nearest() -> None:
    for level in levels():
        with pytest.raises(ValueError, match=r"no event is of type 'task\.faild'; did you mean 'task\.failed'\?"):
            level.on_event("task.faild")
        with pytest.raises(ValueError, match="a type of events is a text"):
            level.subscribe(print, 5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="tasks must be a name"):
            level.subscribe(print, tasks=[5])  # type: ignore[list-item]
        with pytest.raises(ValueError, match="on_event must be callable, not 'print'"):
            level.subscribe("print")  # type: ignore[arg-type]
        if isinstance(level, Run):
            level.wait(20)


@BOTH
@KINDS
async def test_B16_whoever_unsubscribes_hears_nothing_more_and_who_comes_later_hears_from_then_on(kind: str) -> None:
    early: list[Any] = []
    late: list[Any] = []
    go_on = anyio.Event()
    graph = Graph("g").add("first", lambda: 1)

    @graph.task
    async def second(first: int) -> None:
        await go_on.wait()

    executor_seen: Callable[[Any], Any] = keeper(kind, early)
    async with live(graph) as run:
        leave = run.executor.subscribe(executor_seen)
        await run.until(ev.TaskStarted, "second")
        while "task.started second" not in texts(early):  # noqa: ASYNC110 - another thread fills it
            await anyio.sleep(0.001)
        leave()
        leave()
        heard = len(early)
        run.executor.subscribe(keeper(kind, late), "task.*", "run.*")
        go_on.set()
    assert len(early) == heard
    assert texts(late) == ["run.finished", "task.succeeded second"]


@BOTH
@KINDS
@pytest.mark.parametrize("decorated", [True, False])
async def test_B16_what_a_callback_raises_is_an_event_that_names_it_and_the_others_go_on(
    kind: str, decorated: bool
) -> None:
    seen: list[Any] = []

    def breaks(event: Any) -> None:
        raise OSError(event.type)

    async def breaks_async(event: Any) -> None:
        breaks(event)

    callback = breaks if kind == "sync" else breaks_async
    graph, told = Graph("g"), anyio.Event()

    @graph.task
    async def waits() -> None:
        await told.wait()

    async with live(graph) as run:
        if decorated:
            run.executor.on_event("task.*")(callback)
        else:
            run.executor.subscribe(callback, "task.*")
        run.executor.on_event("task.*")(keeper("sync", seen))
        problem = await run.until(ev.Problem)
        told.set()
    assert problem.source == "on_event"
    assert problem.message.startswith(f"{callback.__name__}: OSError: task.")
    assert run.result is not None
    assert run.result.ok
    assert seen


@BOTH
async def test_B16_a_callback_that_always_raises_is_told_of_a_hundred_times(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagtop.runtime import callbacks

    monkeypatch.setattr(callbacks, "COMPLAINTS", 3)

    def breaks(event: Any) -> None:
        raise OSError("no")

    graph = Graph("g", on_event=breaks)
    for number in range(10):
        graph.add(f"t{number}", lambda: 1)
    executor = DAGExecutor(graph, capture=False)
    result = await executor.run()
    assert result.ok
    told = [problem.message for problem in executor.late_problems]
    assert len(told) <= 3
    assert not told or told[-1] == "OSError: no; no more of its errors are told"


@BOTH
@KINDS
async def test_B15_escalations_are_told_on_every_level_with_the_report(kind: str) -> None:
    heard: dict[str, list[EscalationReport]] = {"config": [], "executor": [], "graph": [], "other": []}
    graph = some_graph(on_escalation=keeper(kind, heard["config"]))
    graph.on_escalation(keeper(kind, heard["graph"]))
    executor = DAGExecutor(graph, capture=False)
    executor.on_escalation(keeper(kind, heard["executor"]))
    executor.on_escalation(tasks="load_a")(keeper(kind, heard["other"]))
    await executor.run()
    assert not heard.pop("other")
    for reports in heard.values():
        assert [type(report) for report in reports] == [EscalationReport]
        assert reports[0].task == "load_b"
    with pytest.raises(ValueError, match="on_escalation must be callable"):
        ExecutorConfig(on_escalation="mail")  # type: ignore[arg-type]


@BOTH
async def test_B15_an_escalation_callback_that_raises_is_a_problem_of_its_own_name() -> None:
    def mails(report: EscalationReport) -> None:
        raise ConnectionError("no mail")

    executor = DAGExecutor(some_graph(), capture=False)
    executor.on_escalation(mails)
    async with live(some_graph(on_escalation=mails)) as run:
        pass
    problems = [*run.of(ev.Problem), *run.executor.late_problems]
    assert [(problem.source, problem.message) for problem in problems] == [
        ("on_escalation", "ConnectionError: no mail")
    ]


# -- the stream -----------------------------------------------------------------------------------------------------------


@contextmanager
def started(graph: Graph, **options: Any) -> Iterator[Run]:
    with DAGExecutor(graph, **options).start() as run:
        yield run


def test_every_event_from_the_first_to_run_finished_however_late_and_however_often() -> None:
    with started(some_graph(), capture=False) as run:
        while_it_runs = list(run.events())
    afterwards = list(run.events())
    assert while_it_runs == afterwards
    assert while_it_runs[0].type == "run.started"
    assert while_it_runs[-1].type == "run.finished"
    assert texts(list(run.events("task.succeeded", tasks="load_*"))) == ["task.succeeded load_a"]
    with pytest.raises(ValueError, match="no event is of type"):
        run.events("nothing")


@pytest.mark.parametrize("around", ["asyncio", "trio"])
def test_in_async_code_too_and_the_loop_goes_on_meanwhile(around: str) -> None:
    go_on = threading.Event()
    graph = Graph("g").add("first", lambda: 1).add("second", lambda first: go_on.wait(20))

    async def inside() -> None:
        seen: list[list[Any]] = [[], []]
        async with DAGExecutor(graph, capture=False).start() as run, anyio.create_task_group() as group:
            for one in seen:
                group.start_soon(read, run, one)
            while not all(  # noqa: ASYNC110 - as above
                any(event.type == "task.started" and event.task == "second" for event in one) for one in seen
            ):
                await anyio.sleep(0.001)
            go_on.set()
        assert seen[0] == seen[1] == [event async for event in run] == list(run.events())
        assert seen[0][-1].type == "run.finished"

    async def read(run: Run, into: list[Any]) -> None:
        async for event in run:
            into.append(event)  # noqa: PERF401 - read while it grows

    anyio.run(inside, backend=around)


@pytest.mark.parametrize("around", ["asyncio", "trio"])
def test_a_reader_may_leave_in_the_middle_and_another_begin(around: str) -> None:
    async def first(events: AsyncIterator[Any]) -> Any:
        return await anext(events)

    async def inside() -> None:
        run = DAGExecutor(some_graph(), capture=False).start()
        assert (await first(aiter(run))).type == (await first(aiter(run))).type == "run.started"
        with anyio.move_on_after(0) as scope:
            async for _ in run:
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert len((await run).counts) == 2

    anyio.run(inside, backend=around)


def test_a_slow_reader_loses_nothing_and_holds_nothing_up() -> None:
    graph = Graph("g")
    for number in range(2_000):
        graph.add(f"t{number}", _nothing)
    with started(graph, capture=False) as run:
        reader = run.events()
        first = next(reader)
        assert run.wait(20).ok
    assert 1 + sum(1 for _ in reader) == len(list(run.events()))
    assert first.type == "run.started"


async def _nothing() -> None:
    pass


def test_of_endless_output_a_late_reader_gets_the_latest_lines_and_every_other_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "BACKLOG", 300)
    told: list[str] = []
    kept = history.History(lambda source, message: told.append(f"{source}: {message}"))
    early = history.Events(kept, Interest(), lambda: None, lambda: False)
    line, ready = ev.Log(0.0, "a", 1, "stdout", "", "text"), ev.TaskReady(0.0, "a")
    batch: list[ev.AnyEvent] = [line] * 100 + [ready]
    kept.record(1, batch)
    assert [next(early) for _ in batch] == batch
    for number in range(1, 10):
        kept.record(1 + number * len(batch), batch)
        assert [next(early) for _ in batch] == batch, "who keeps up gets everything"
    kept.end()
    assert list(early) == []
    assert told == []
    late = list(history.Events(kept, Interest(), lambda: None, lambda: False))
    assert (late.count(line), late.count(ready)) == (300, 10)
    assert told == [
        "events: somebody reads the run's events more than 300 lines of output behind, and gets none of the older ones"
    ]
    told.clear()
    assert len(list(history.Events(kept, Interest(("task.*",)), lambda: None, lambda: False))) == 10
    assert told == []


@BOTH
async def test_a_run_that_nobody_listens_to_has_no_recorder_for_it() -> None:
    run = await run_all(some_graph())
    assert [type(recorder).__name__ for recorder in run.engine._outlet._recorders] == ["Live"]
