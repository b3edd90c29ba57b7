"""Conditions: `when=` says whether a task need run (B16)."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, Graph, RunState, Skip, TaskState
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.runtime.chores import Room
from engine_driver import Live, live, run_all

pytestmark = pytest.mark.anyio


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Threads that wait for this go on waiting until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def is_weekend() -> bool:
    return False


async def is_monday() -> bool:
    await anyio.lowlevel.checkpoint()
    return False


def raises_skip() -> bool:
    raise Skip("nothing new since yesterday")


class NoTruth:
    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")


class Caller:
    def __call__(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        (False, "when=False"),
        (is_weekend, "when=is_weekend said no"),
        (is_monday, "when=is_monday said no"),
        (partial(len, ()), "when=len said no"),
        (lambda: None, "when=<lambda> said no"),
        (lambda: Skip("there is no data"), "there is no data"),
        (Caller(), "when=Caller said no"),
        (raises_skip, "nothing new since yesterday"),
        (lambda: Skip(), "when=<lambda> said no"),
    ],
)
async def test_a_task_whose_condition_says_no_is_skipped_with_the_reason(when: Any, reason: str) -> None:
    graph = Graph("g")
    graph.add("a", lambda: 1, when=when)
    graph.add("b", lambda: 2, depends_on=["a"])
    run = await run_all(graph)
    assert run.result is not None
    assert run.result.ok
    assert run.result["a"].reason == reason
    assert run.types("a") == ["skipped"]
    assert run.result["b"].state is TaskState.SKIPPED


@pytest.mark.parametrize("when", [True, lambda: 1, lambda: "yes", None])
async def test_a_task_whose_condition_says_yes_runs(when: Any) -> None:
    graph = Graph("g")
    graph.add("a", lambda: 1, when=when)
    run = await run_all(graph)
    assert run.types("a") == ["ready", "started", "succeeded"]


async def test_a_condition_takes_outputs_and_inputs_and_services_by_name_and_waits_for_them() -> None:
    graph = Graph("g", inputs={"limit": 3})

    @graph.service
    async def db() -> AsyncIterator[str]:
        yield "db"

    def enough(counts: int, limit: int, db: str) -> bool:
        return counts >= limit and db == "db"

    graph.add("uses", lambda: 1, when=enough)  # not on counts by itself: its condition makes it so
    graph.add("counts", lambda: 5)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result["uses"].state is TaskState.SUCCEEDED
    assert [event.task for event in run.of(ev.TaskStarted)] == ["counts", "uses"]


@pytest.mark.parametrize(
    ("when", "error", "message"),
    [
        (lambda: 1 / 0, "ZeroDivisionError", "division by zero"),
        (sys.exit, "TaskExitError", "sys.exit"),
        (NoTruth, "ValueError", "neither true nor false"),
        (lambda: is_monday(), "TypeError", "a coroutine that nobody awaits"),
    ],
)
async def test_B16_a_condition_that_raises_fails_its_task_and_nothing_else(when: Any, error: str, message: str) -> None:
    graph = Graph("g")
    graph.add("a", lambda: 1, when=when)
    graph.add("b", lambda: 2)
    run = await run_all(graph)
    assert run.result is not None
    failure = run.result["a"].failure
    assert failure is not None
    assert (failure.error, message in failure.message) == (error, True)
    assert run.result["a"].attempts == 0
    assert run.result["b"].state is TaskState.SUCCEEDED


async def test_B16_a_service_that_does_not_open_fails_the_task_whose_condition_needs_it() -> None:
    graph = Graph("g")

    @graph.service
    def db() -> Iterator[int]:
        sys.exit("no")
        yield 1

    graph.add("a", lambda: 1, when=lambda db: True)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result["a"].failure is not None
    assert run.result["a"].failure.error == "TaskExitError"


async def test_a_condition_holds_no_slot() -> None:
    graph = Graph("g", max_parallel=1)
    asked, go_on = anyio.Event(), anyio.Event()

    async def waits() -> bool:
        asked.set()
        await go_on.wait()
        return True

    async def frees() -> None:
        await asked.wait()
        go_on.set()

    graph.add("asks", lambda: 1, when=waits)
    graph.add("frees", frees)
    run = await run_all(graph)
    assert run.result is not None
    assert run.result.ok


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("whole_run", [False, True])
async def test_B23_a_condition_that_hangs_hangs_only_its_task_and_can_be_cancelled(
    sync: bool, whole_run: bool, stuck: threading.Event
) -> None:
    graph = Graph("g")
    begun = threading.Event()
    done = anyio.Event()

    def hangs() -> bool:
        begun.set()
        return stuck.wait()

    async def hangs_on_loop() -> bool:
        begun.set()
        while True:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                pass

    async def other() -> None:
        done.set()

    graph.add("a", lambda: 1, when=hangs if sync else hangs_on_loop)
    graph.add("other", other)
    async with live(graph) as run:
        await anyio.to_thread.run_sync(begun.wait)
        await done.wait()
        assert run.state("a") is TaskState.WAITING
        await run.command(cmd.CancelRun() if whole_run else cmd.CancelTask("a"))
    assert run.result is not None
    assert run.result["a"].state is TaskState.CANCELLED
    assert run.result["other"].state is TaskState.SUCCEEDED
    assert not run.engine.aside.consulting.open


async def test_B16_conditions_that_hang_in_threads_keep_no_other_condition_waiting_for_good(
    stuck: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Room, "LONG", 0.02)
    graph = Graph("g")
    for i in range(40):
        graph.add(f"hangs{i}", lambda: 1, when=stuck.wait)
    for i in range(40):
        graph.add(f"runs{i}", lambda: 1, when=lambda: True)
    graph.add("all", lambda: 1, depends_on=[f"runs{i}" for i in range(40)])
    async with live(graph) as run:
        await run.until(ev.TaskSucceeded, "all")
        stuck.set()
    assert run.result is not None
    assert run.result.state is RunState.SUCCEEDED


async def test_a_task_that_is_restarted_while_its_condition_is_asked_is_asked_about_anew() -> None:
    graph = Graph("g")
    first, asked = anyio.Event(), 0

    async def when() -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            first.set()
            await anyio.sleep_forever()
        return True

    graph.add("up", lambda: 1)
    graph.add("a", lambda: 1, depends_on=["up"], when=when)
    async with live(graph) as run:
        await first.wait()
        await run.command(cmd.RestartTask("up"))
    assert run.result is not None
    assert run.result.ok
    assert asked == 2


async def test_thousands_of_conditions_in_a_chain_that_all_say_no_do_not_recurse() -> None:
    graph = Graph("g")
    graph.add("t0", lambda: 1)
    for i in range(1, 3_000):
        graph.add(f"t{i}", lambda: 1, depends_on=[f"t{i - 1}"], when=False, trigger="all_done")
    run = await run_all(graph)
    assert run.result is not None
    assert run.result.counts == {"succeeded": 1, "skipped": 2_999}


async def test_what_a_condition_prints_is_its_tasks_output() -> None:
    graph = Graph("g")
    graph.add("a", lambda: 1, when=lambda: print("asked"))
    run = Live(DAGExecutor(graph, capture=True))
    run.engine.add_recorders([run])
    await run.executor.run()
    assert [(log.task, log.line) for log in run.of(ev.Log)] == [("a", "asked")]
