"""The engine in a thread of its own: commands down, snapshots up, and neither side waits for the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from dagtop import DAGExecutor, Graph, RunState, TaskContext, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.snapshot import EMPTY, RunSnapshot
from dagtop.runtime.thread import EngineThread


@pytest.fixture(params=["asyncio", "trio"])
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., EngineThread]]:
    """Starts engine threads, and sees that they end."""
    threads: list[EngineThread] = []

    def begin(graph: Graph, *, hold_open: bool = False, started: bool = True) -> EngineThread:
        thread = EngineThread(DAGExecutor(graph, capture=False), hold_open=hold_open, loop=request.param)
        threads.append(thread)
        if started:
            thread.start()
        return thread

    yield begin
    for thread in threads:
        thread.send(cmd.CancelRun(), by="the test's end")
        thread.close()
        assert thread.join(20) or thread._thread.ident is None
        assert thread.error is None


def until(thread: EngineThread, wanted: Callable[[RunSnapshot], Any]) -> RunSnapshot:
    """The first snapshot that fits."""
    deadline = time.monotonic() + 20
    while not wanted(snapshot := thread.latest):
        assert time.monotonic() < deadline, f"it never came: {snapshot.state} {dict(snapshot.counts)}"
        assert thread.error is None, thread.error
        time.sleep(0.002)
    return snapshot


def answer(thread: EngineThread, number: int) -> ev.CommandApplied | ev.CommandRefused:
    snapshot = until(thread, lambda snapshot: any(item.id == number for item in snapshot.answers))
    return next(item for item in snapshot.answers if item.id == number)


def test_it_runs_to_the_end_and_the_last_snapshot_shows_it(start: Callable[..., EngineThread]) -> None:
    thread = start(Graph("g").add("a", lambda: 1).add("b", lambda a: a + 1), started=False)
    assert thread.latest is EMPTY
    assert thread.join(0) is False
    thread.start()
    assert thread.join(20)
    assert thread.result is not None
    assert thread.result["b"].output == 2
    latest = thread.latest
    assert (latest.state, latest.counts[TaskState.SUCCEEDED], latest.graph) == (RunState.SUCCEEDED, 2, "g")
    assert [row.state for row in latest.rows] == [TaskState.SUCCEEDED] * 2


def test_a_command_sent_before_the_start_is_answered(start: Callable[..., EngineThread]) -> None:
    thread = start(Graph("g").add("a", lambda: 1), started=False)
    number = thread.send(cmd.HoldTask("a"), by="me")
    thread.start()
    assert answer(thread, number).id == number
    thread.send(cmd.ReleaseTask("a"), by="me")
    assert thread.join(20)


def test_B22_a_command_sent_after_the_end_is_refused_and_not_lost(start: Callable[..., EngineThread]) -> None:
    thread = start(Graph("g").add("a", lambda: 1))
    assert thread.join(20)
    version = thread.latest.version
    number = thread.send(cmd.RestartTask("a"), by="me")
    told = answer(thread, number)
    assert isinstance(told, ev.CommandRefused)
    assert told.reason == "the run is over and its engine has ended"
    assert thread.latest.version == version + 1


def test_every_command_is_answered_however_close_to_the_end(start: Callable[..., EngineThread]) -> None:
    for _ in range(20):
        thread = start(Graph("g").add("a", lambda: 1))
        numbers = []
        while not thread.join(0):
            numbers.append(thread.send(cmd.HoldTask("nowhere"), by="me"))
            if len(numbers) > 40:
                break
        assert thread.join(20)
        answered = {item.id for item in thread.latest.answers}
        assert set(numbers[-40:]) <= answered


def test_B24_held_open_a_run_is_reopened_and_finishes_again(start: Callable[..., EngineThread]) -> None:
    attempts: list[int] = []

    def work(ctx: TaskContext) -> int:
        attempts.append(ctx.attempt)
        return ctx.attempt

    thread = start(Graph("g").add("a", work).add("b", lambda a: a), hold_open=True)
    for times in (1, 2, 3):
        until(thread, lambda s, times=times: s.state is RunState.SUCCEEDED and s.rows[1].attempt == times)  # type: ignore[misc]
        assert not thread.join(0)
        if times < 3:
            thread.send(cmd.RestartTask("a", downstream=True), by="me")
    thread.close()
    assert thread.join(20)
    assert thread.result is not None
    assert (thread.result["b"].output, attempts) == (3, [1, 2, 3])


def test_a_run_that_is_held_open_lasted_until_its_last_task_ended_not_until_it_was_left(
    start: Callable[..., EngineThread],
) -> None:
    thread = start(Graph("g").add("a", lambda: 1), hold_open=True)
    until(thread, lambda snapshot: snapshot.state is RunState.SUCCEEDED)
    answered = answer(thread, thread.send(cmd.HoldTask("nowhere"), by="me"))
    thread.close()
    assert thread.join(20)
    assert thread.result is not None
    assert thread.result["a"].ended_at == thread.result.duration < answered.at


def test_after_the_end_nothing_is_published_for_nothing(start: Callable[..., EngineThread]) -> None:
    thread = start(Graph("g").add("a", lambda: 1), hold_open=True)
    until(thread, lambda snapshot: snapshot.state is RunState.SUCCEEDED)
    number = thread.send(cmd.HoldTask("nowhere"), by="me")
    answer(thread, number)
    last = thread.latest
    time.sleep(0.3)  # longer than LONGEST: a run that still ticked would have published
    assert thread.latest is last


def test_close_while_it_runs_lets_the_run_end(start: Callable[..., EngineThread]) -> None:
    go_on = threading.Event()
    thread = start(Graph("g").add("a", lambda: go_on.wait(20)), hold_open=True)
    until(thread, lambda snapshot: snapshot.counts.get(TaskState.RUNNING))
    thread.close()
    assert not thread.join(0.02)
    go_on.set()
    assert thread.join(20)
    assert thread.result is not None
    assert thread.result.ok


def test_B37_a_task_that_blocks_the_loop_holds_up_neither_reading_nor_sending(
    start: Callable[..., EngineThread],
) -> None:
    blocked, go_on = threading.Event(), threading.Event()
    graph = Graph("g")

    @graph.task
    async def blocks() -> None:
        blocked.set()
        go_on.wait(20)

    thread = start(graph)
    assert blocked.wait(20)
    numbers = [thread.send(cmd.PauseRun(), by="me") for _ in range(1_000)]
    assert thread.latest is thread.latest
    assert not any(item.id in numbers for item in thread.latest.answers), (
        "the loop is blocked; nobody can have answered"
    )
    go_on.set()
    assert thread.join(20) or True
    thread.send(cmd.ContinueRun(), by="me")
    assert thread.join(20)
    assert isinstance(answer(thread, numbers[-1]), ev.CommandRefused)


def test_unchanged_rows_are_the_same_objects_and_versions_grow(start: Callable[..., EngineThread]) -> None:
    go_on = threading.Event()
    thread = start(Graph("g").add("quick", lambda: 1).add("slow", lambda: go_on.wait(20)))
    first = until(thread, lambda snapshot: snapshot.counts.get(TaskState.SUCCEEDED))
    go_on.set()
    assert thread.join(20)
    last = thread.latest
    assert last.version > first.version
    assert last.rows[0] is first.rows[0]
    assert last.rows[1] is not first.rows[1]
    assert last.plan is first.plan


def test_threads_that_were_let_go_are_counted(start: Callable[..., EngineThread]) -> None:
    stuck = threading.Event()
    thread = start(Graph("g", cancel_grace=0).add("a", lambda: stuck.wait(60)))
    until(thread, lambda snapshot: snapshot.counts.get(TaskState.RUNNING))
    thread.send(cmd.CancelRun(), by="me")
    assert thread.join(20)
    assert thread.threads_left == 1
    stuck.set()


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("around", ["asyncio", "trio"])
def test_it_may_be_made_inside_another_loop(loop: str, around: str) -> None:
    """What belongs to a loop was made where the thread was made, and a plain function failed on it."""

    async def inside() -> EngineThread:
        return EngineThread(DAGExecutor(Graph("g").add("a", lambda: 1), capture=False), loop=loop)

    thread = anyio.run(inside, backend=around)
    thread.start()
    assert thread.join(20)
    assert thread.error is None
    assert thread.result is not None
    assert thread.result.ok
