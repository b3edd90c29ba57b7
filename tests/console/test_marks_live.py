"""Several tasks at once before a real engine: more are held, released and run again than a snapshot has answers of, as one."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from console_pilot import Clock
from dagtop import DAGExecutor, Graph
from dagtop.core.commands import CancelRun
from dagtop.core.states import RunState, TaskState
from dagtop.observe.story import Story
from dagtop.runtime.thread import EngineThread
from dagtop_app.console import ConsoleApp
from test_keeping_live import Live

pytestmark = pytest.mark.anyio

COUNT = 120


def graph_of(opens: threading.Event) -> Graph:
    graph = Graph("nightly")
    tried: set[int] = set()

    def load(item: int) -> int:
        if item % 2 and item not in tried:
            tried.add(item)
            raise ValueError(f"bad row {item}")
        return item

    graph.add("first", lambda: opens.wait(60))
    for n in range(COUNT):
        graph.add(f"page_{n}", lambda n=n: load(n), depends_on=["first"])
    return graph


@asynccontextmanager
async def live() -> AsyncIterator[tuple[Live, threading.Event]]:
    opens = threading.Event()
    engine = EngineThread(DAGExecutor(graph_of(opens)), hold_open=True, story=Story())
    clock = Clock()
    app = ConsoleApp(engine, title="nightly.py", now=clock, begin=engine.start)
    try:
        async with app.run_test(size=(100, 30)) as pilot:
            seen = Live(app, pilot, engine, clock)  # type: ignore[arg-type]  # it asks nothing else of a fake engine
            await seen.until(lambda: seen.app.bridge.snapshot.counts.get(TaskState.RUNNING, 0) == 1)
            yield seen, opens
    finally:
        opens.set()
        engine.send(CancelRun(), by="test")
        engine.close()
        engine.join(10)


async def test_B22_more_tasks_than_a_snapshot_has_answers_of_are_held_undone_and_run_again_as_one() -> None:
    async with live() as (seen, opens):
        main, bridge = seen.app.main, seen.app.bridge

        def held() -> int:
            return sum(1 for row in bridge.snapshot.rows if row.held)

        main.obey("select page_*")
        await seen.press("p")
        await seen.until(lambda: held() == COUNT)
        await seen.until(lambda: bridge.word.tone == "good")
        await seen.press("u")
        await seen.until(lambda: held() == 0)
        await seen.until(lambda: bridge.word.tone == "good")
        await seen.press("p")
        await seen.until(lambda: held() == COUNT and bridge.word.tone == "good")
        opens.set()
        await seen.until(lambda: seen.state("page_7") is TaskState.HELD)
        await seen.press("escape", "comma")
        await seen.until(lambda: held() == COUNT - 1)
        main.obey("release page_*")
        await seen.until(lambda: bridge.snapshot.state is RunState.FAILED)
        main.obey("restart state:failed")
        await seen.until(lambda: seen.app.screen is not main)
        await seen.press("y")
        await seen.until(lambda: bridge.snapshot.state is RunState.SUCCEEDED)
        await seen.press("7", "slash", *"by:you kind:restart", "enter")
        await seen.until(lambda: "by you" in seen.text)
