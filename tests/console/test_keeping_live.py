"""The keys for services before a real engine: what they ask for happens, and is told as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from console_pilot import Clock, Seen
from dagtop import Graph, Reconciler, TaskContext
from dagtop.core.commands import CancelRun
from dagtop.core.states import RunState, TaskState
from dagtop.runtime.thread import EngineThread
from dagtop_app.console import ConsoleApp
from dagtop_app.steering.undo import row_of

pytestmark = pytest.mark.anyio

#: Looks at the screen before it is given up; nothing waits for so long unless something is broken.
_LOOKS = 1500


def shop() -> Reconciler:
    graph = Graph("shop")

    @graph.task(restart="always")
    async def api(ctx: TaskContext) -> None:
        ctx.ready()
        await anyio.sleep(1000)

    @graph.task(restart="always")
    async def worker(api: object, ctx: TaskContext) -> None:
        ctx.ready()
        await anyio.sleep(1000)

    @graph.task(max_restarts=1, restart_backoff=0.0)
    async def breaks() -> None:
        raise ValueError("no luck")

    @graph.task(restart="always", replicas=2)
    async def copies(ctx: TaskContext) -> None:
        ctx.ready()
        await anyio.sleep(1000)

    return Reconciler(graph)


class Live(Seen):
    """A console before a real engine."""

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(_LOOKS):
            await self.settle()
            if holds():
                return
            await anyio.sleep(0.005)
        raise AssertionError(f"never so:\\n{self.text}")

    async def on(self, task: str, *keys: str) -> None:
        self.app.main.select(self.engine.latest.plan.index[task])
        await self.press(*keys)

    def state(self, task: str) -> TaskState:
        row = row_of(self.app.bridge.snapshot, task)
        assert row is not None
        return row.state


@asynccontextmanager
async def live() -> AsyncIterator[Live]:
    engine = EngineThread(shop().executor(capture=True), hold_open=True)
    clock = Clock()
    app = ConsoleApp(engine, title="services.py", now=clock, begin=engine.start)
    try:
        async with app.run_test(size=(110, 30)) as pilot:
            yield Live(app, pilot, engine, clock)  # type: ignore[arg-type]  # it asks nothing else of a fake engine
    finally:
        engine.send(CancelRun(), by="test")
        engine.close()
        engine.join(10)


async def test_B29_B30_services_are_stopped_started_and_given_another_policy_by_key() -> None:
    async with live() as seen:
        await seen.until(lambda: "5/6 up" in seen.text and "1 blocked" in seen.text)
        assert "1 restart used up · r starts it" in seen.text
        await seen.on("worker", "d", "y")
        await seen.until(lambda: seen.state("worker") is TaskState.CANCELLED)
        await seen.until(lambda: "want DOWN · is STOPPED" in seen.text)
        assert "stopped by you · d starts it" in seen.text
        await seen.press("u")
        await seen.until(lambda: "want UP · is UP" in seen.text)
        await seen.on("api", "P", "1")
        await seen.until(lambda: "api: restart = no" in seen.text)
        await seen.press("u")
        await seen.until(lambda: "undone: api: restart = always" in seen.text)
        await seen.on("breaks", "e")
        seen.app.screen.inputs["max_restarts"].value = "3"
        await seen.press("enter")
        await seen.until(lambda: "3 restarts used up" in seen.text)


async def test_B33_all_is_stopped_and_started_again_and_who_was_stopped_stays_so() -> None:
    async with live() as seen:
        await seen.until(lambda: "5/6 up" in seen.text)
        await seen.on("worker", "d", "y")
        await seen.until(lambda: seen.state("worker") is TaskState.CANCELLED)
        await seen.press("K", "y")
        await seen.until(lambda: seen.app.bridge.snapshot.state is RunState.CANCELLED)
        await seen.press("escape")
        assert "everything is stopped · K starts it again" in seen.text or "failed" in seen.text
        await seen.press("K", "enter")
        await seen.until(lambda: seen.state("api") is TaskState.RUNNING)
        assert seen.state("worker") is TaskState.CANCELLED


async def test_copies_come_and_go_by_key_and_undo() -> None:
    async with live() as seen:
        await seen.until(lambda: "5/6 up" in seen.text)
        await seen.on("copies[1]", "C")
        seen.app.screen.inputs["replicas"].value = "3"
        await seen.press("enter")
        await seen.until(lambda: "6/7 up" in seen.text and "copies[2]" in seen.text)
        await seen.press("u")
        await seen.until(lambda: "5/6 up" in seen.text and "1 removed" in seen.text)
        await seen.until(lambda: "removed from the graph" in seen.text)


async def test_the_row_that_stands_for_all_copies_stops_and_starts_them_and_gives_them_a_policy() -> None:
    async with live() as seen:
        await seen.until(lambda: "5/6 up" in seen.text)
        await seen.on("copies", "d", "y")
        await seen.until(lambda: seen.state("copies[0]") is seen.state("copies[1]") is TaskState.CANCELLED)
        assert "copies: 2 replicas told to stop" in seen.text
        await seen.press("d")
        await seen.until(lambda: seen.state("copies[0]") is seen.state("copies[1]") is TaskState.RUNNING)
        await seen.until(lambda: "copies: 2 replicas started" in seen.text)
        await seen.press("P", "enter")
        assert "nothing was changed" in seen.text
        await seen.press("P", "2")
        await seen.until(lambda: "copies: 2 replicas: restart = on-failure" in seen.text)
        row = row_of(seen.app.bridge.snapshot, "copies")
        assert row is not None
        assert str(row.policy.restart.policy) == "no"
        await seen.press("u")
        await seen.until(lambda: "undone: copies[1]: restart = always" in seen.text)


async def test_e_on_the_row_that_stands_for_all_copies_shows_and_changes_what_these_have() -> None:
    """It showed the values of that row itself, which never runs: "no", where all copies are started always."""
    async with live() as seen:
        await seen.until(lambda: "5/6 up" in seen.text)
        await seen.on("copies", "e")
        assert seen.app.screen.inputs["restart"].value == "always"
        seen.app.screen.inputs["reset_after"].value = "7"
        await seen.press("enter")
        await seen.until(lambda: all(reset_after(seen, f"copies[{i}]") == 7.0 for i in (0, 1)))
        assert reset_after(seen, "api") != 7.0


def reset_after(seen: Live, task: str) -> float:
    row = row_of(seen.app.bridge.snapshot, task)
    assert row is not None
    return row.policy.restart.reset_after
