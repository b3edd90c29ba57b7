"""`dagtop.testing`: what users test their graphs with."""

from __future__ import annotations

import doctest
import threading
import time
from typing import Any

import anyio
import pytest
from dagtop import Breaker, DagtopError, Graph, GraphError, Retry, RunState, TaskContext, TaskState, breakers, testing
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.testing import rehearse, run_on_virtual_time

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio"])


def sleeper(seconds: float) -> Any:
    async def sleeps() -> float:
        await anyio.sleep(seconds)
        return anyio.current_time()

    return sleeps


@LOOPS
def test_B5_a_rehearsal_takes_no_time_and_its_times_are_exact(loop: str) -> None:
    graph = Graph("g").add("A", sleeper(10)).add("B", sleeper(1)).add("C", sleeper(1), depends_on=["A", "B"])
    graph.add("D", sleeper(1)).add("E", sleeper(1), depends_on=["D"])
    result = rehearse(graph, loop=loop).result
    assert {task.name: task.started_at for task in result} == {"A": 0, "B": 0, "C": 10, "D": 0, "E": 1}
    assert result.duration == 11


@LOOPS
def test_B12_timeouts_and_retries_of_hours(loop: str) -> None:
    graph = Graph("g").add("slow", sleeper(1e6), timeout=3600, retries=Retry(retries=2, base=600, backoff="none"))
    rehearsal = rehearse(graph, loop=loop)
    assert rehearsal.result["slow"].state is TaskState.TIMED_OUT
    assert [event.at for event in rehearsal.of("task.started", tasks="slow")] == [0, 3600, 7200]
    assert rehearsal.types("slow")[-2:] == ["timed_out", "escalated"]


@LOOPS
def test_B22_a_person_does_things_meanwhile(loop: str) -> None:
    graph = Graph("g").add("first", sleeper(10)).add("second", sleeper(10), depends_on=["first"])
    rehearsal = rehearse(
        graph,
        commands=[(3, cmd.HoldTask("second")), (100, cmd.ReleaseTask("second")), (1e9, cmd.CancelRun())],
        loop=loop,
    )
    assert [(event.at, event.by) for event in rehearsal.of("command.*")] == [(3, "the test"), (100, "the test")]
    assert rehearsal.result["second"].started_at == 100
    assert rehearsal.result.ok


def test_while_plain_functions_are_at_work_time_passes_as_ever_and_no_timeout_comes_too_early() -> None:
    graph = Graph("g").add("beside", sleeper(1e6)).add("after", sleeper(50), depends_on=["plain"])

    @graph.task(timeout=60)
    def plain() -> str:
        return threading.current_thread().name

    @graph.task(timeout=0.01)
    def late(ctx: TaskContext) -> None:
        while not ctx.cancelled:
            time.sleep(0.001)

    result = rehearse(graph).result
    assert {task.name: task.state.value for task in result} == {
        "beside": "succeeded",
        "plain": "succeeded",
        "late": "timed_out",
        "after": "succeeded",
    }
    assert result.duration == pytest.approx(1e6, abs=60)


def test_what_waits_for_ever_is_an_error_and_not_a_test_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "PATIENCE", 0.01)
    with pytest.raises(DagtopError) as caught:
        rehearse(Graph("g").add("first", print).add("gated", print, gate=True, depends_on=["first"]))
    assert str(caught.value) == (
        "nothing happens any more, and nothing waits for time to pass: 'gated' waits at its gate; decide with "
        "commands=[(1, ApproveTask('gated'))] of dagtop.core.commands, or give the gate a timeout"
    )


def test_the_way_out_of_a_gate_in_a_rehearsal_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "PATIENCE", 0.01)
    graph = Graph("g").add("first", print).add("gated", lambda: 1, gate=True, depends_on=["first"])
    graph.add("other", print, gate=True)
    with pytest.raises(DagtopError, match="'gated' waits at its gate; decide"):
        rehearse(graph, commands=[(1, cmd.ApproveTask("other"))])
    assert rehearse(graph, commands=[(1, cmd.ApproveTask("other")), (1, cmd.ApproveTask("gated"))]).result.ok


def test_a_thread_that_takes_longer_than_the_patience_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "PATIENCE", 0.001)
    held = threading.Event()
    threading.Timer(0.03, held.set).start()
    assert rehearse(Graph("g").add("plain", lambda: held.wait(20))).result["plain"].output is True


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(testing).attempted >= 4
    assert doctest.testmod(testing).failed == 0


def test_options_are_those_of_graph_run() -> None:
    graph = Graph("g").add("a", sleeper(1)).add("b", sleeper(1))
    assert rehearse(graph, max_parallel=1).result.duration == 2
    with pytest.raises(GraphError, match="did you mean 'max_parallel'"):
        rehearse(graph, max_paralel=1)


@LOOPS
def test_output_and_callbacks_are_there_too(loop: str) -> None:
    seen: list[str] = []
    graph = Graph("g", on_event=lambda event: seen.append(event.type))

    @graph.task
    async def says() -> None:
        print("hello")

    rehearsal = rehearse(graph, loop=loop)
    assert [event.line for event in rehearsal.of(ev.Log)] == ["hello"]
    assert seen == [event.type for event in rehearsal.events]


@LOOPS
def test_any_async_code_runs_on_virtual_time(loop: str) -> None:
    async def long(seconds: float) -> float:
        begun = anyio.current_time()
        with anyio.move_on_after(seconds):
            await anyio.sleep_forever()
        return anyio.current_time() - begun

    assert run_on_virtual_time(long, 86_400 * 3, loop=loop) == 86_400 * 3


@LOOPS
def test_a_test_on_the_loop_waits_for_events(loop: str) -> None:
    from dagtop import DAGExecutor

    async def inside() -> RunState:
        log, results = testing.EventLog(), []

        async def carry_out() -> None:
            results.append(await DAGExecutor(graph, recorders=[log], capture=False).run())

        async with anyio.create_task_group() as group:
            group.start_soon(carry_out)
            started = await log.until(ev.TaskStarted, "b")
            assert started.at == 5
            with pytest.raises(TimeoutError):
                await log.until(ev.TaskFailed, patience=2)
            await log.until(lambda event: event.type == "run.finished")
        return results[0].state  # type: ignore[no-any-return]

    graph = Graph("g").add("a", sleeper(5)).add("b", sleeper(5), depends_on=["a"])
    assert run_on_virtual_time(inside, loop=loop) is RunState.SUCCEEDED


@LOOPS
def test_B18_a_rehearsal_opens_no_breaker_of_the_process_and_finds_none_open(loop: str) -> None:
    """The breakers were those of the process: a rehearsal that tried failures out opened the real ones, hours ahead of time."""
    name = f"rehearsed-{loop}"
    graph = Graph("g", breakers=[Breaker(name, failure_threshold=1, recovery_timeout=3600, on_open="fail")])
    calls = 0

    async def down() -> None:
        nonlocal calls
        calls += 1
        raise ConnectionError("down")

    graph.add("task", down, circuit=name, retries=Retry(3, base=1))
    for _ in range(2):
        rehearsal = rehearse(graph, loop=loop)
        assert [event.breaker for event in rehearsal.of("breaker.opened")] == [name]
    assert calls == 2, "the second rehearsal found the breaker closed"
    assert name not in {view.name for view in breakers.list()}
    breakers.trip(name)
    try:
        rehearse(graph, loop=loop)
        assert calls == 3, "what the process thinks of the service is no matter of a rehearsal"
    finally:
        breakers.reset(name)
        breakers.forget(name)
