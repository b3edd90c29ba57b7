"""How a run ends, and what is known only then (B16)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from dagtop import DAGExecutor, DagtopError, Graph, TaskContext
from dagtop.core import events as ev
from dagtop.runtime.reports import LINES_AT_ONCE
from dagtop.runtime.thread import EngineThread
from engine_driver import Watch

pytestmark = pytest.mark.anyio


async def test_run_finished_is_the_last_event_however_much_was_printed_before_it() -> None:
    """Lines beyond those that are drained at one go once came after it: `dagtop run --json` did not end with run.finished."""
    graph = Graph("g")

    @graph.task
    async def chatter() -> None:
        for number in range(LINES_AT_ONCE * 2 + 1):
            print(number)

    watch = Watch()
    await DAGExecutor(graph, recorders=[watch], capture=True).run()

    assert len(watch.of(ev.Log)) == LINES_AT_ONCE * 2 + 1
    assert isinstance(watch.events[-1], ev.RunFinished)
    assert [event.at for event in watch.events] == sorted(event.at for event in watch.events)


async def test_an_executor_runs_once() -> None:
    """A second time it once began the same run again, and journals and recorders got all of it twice."""
    executor = DAGExecutor(_nothing_to_do())
    await executor.run()

    with pytest.raises(DagtopError, match="runs once"):
        await executor.run()


def _fails_at_the_end(event: ev.AnyEvent) -> None:
    if isinstance(event, ev.RunFinished):
        raise RuntimeError("nobody is notified")


async def test_B16_a_callback_that_fails_at_the_last_event_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """No event can tell of it any more."""
    await DAGExecutor(_nothing_to_do(on_event=_fails_at_the_end)).run()

    assert [record.getMessage() for record in caplog.records] == ["on_event: RuntimeError: nobody is notified"]


def test_B16_and_a_snapshot_shows_it() -> None:
    thread = EngineThread(DAGExecutor(_nothing_to_do(on_event=_fails_at_the_end)))
    thread.start()

    assert thread.join(20)
    assert [(problem.source, problem.message) for problem in thread.latest.problems] == [
        ("on_event", "RuntimeError: nobody is notified")
    ]
    assert thread.latest.problem_count == 1


def test_threads_that_ask_for_a_scratch_directory_at_once_get_one_below_the_same_root() -> None:
    """Two roots were made, and one of them was left behind for good."""
    graph = Graph("g", max_parallel=16)
    together = threading.Barrier(16)

    def scratch(ctx: TaskContext) -> Path:
        together.wait(20)
        return ctx.scratch_dir

    for number in range(16):
        graph.add(f"task{number}", scratch)
    result = graph.run()

    (root,) = {task.output.parent for task in result}
    assert not root.exists()


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ((float("nan"), 10), (0.0, 10.0, "")),
        ((float("inf"), 10), (0.0, 10.0, "")),
        ((1, float("nan")), (1.0, None, "")),
        ((1, 0), (1.0, None, "")),
        ((1, -3), (1.0, None, "")),
    ],
)
async def test_progress_that_is_no_number_is_not_passed_on(told: tuple[float, float], kept: tuple[Any, ...]) -> None:
    """A screen that divided by it went down."""
    seen: list[tuple[Any, ...]] = []
    context = TaskContext("t", 1, {}, lambda _, values: seen.append(values), lambda: None, lambda _: Path())  # type: ignore[arg-type,return-value]
    context.progress(*told)

    assert seen == [kept]


def _nothing_to_do(**options: Any) -> Graph:
    async def nothing() -> None:
        return None

    return Graph("g", **options).add("task", nothing)
