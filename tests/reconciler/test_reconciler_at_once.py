"""`Reconciler`, told several things at once, or while it is down."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from dagtop import CommandRefused, Graph, Reconciler, TaskContext, TaskState
from dagtop.runtime.handle import Run

PATIENCE = 20
NAMES = [f"t{i}" for i in range(6)]


async def serve(task: str, spec: Any, ctx: TaskContext) -> None:
    ctx.ready(spec)
    await anyio.sleep_forever()


def up(services: Reconciler) -> set[str]:
    return {row.name for row in services.snapshot.rows if row.state is TaskState.RUNNING}


def specs(services: Reconciler) -> set[str]:
    found: Mapping[str, Any] | None = services.graph.specs
    return set(found or ())


def reconciler() -> Reconciler:
    return Reconciler(Graph.from_specs("g", tasks={"first": 1}, run=serve), resume=None)


@pytest.mark.anyio
async def test_B30_updates_at_the_same_time_all_count() -> None:
    async with reconciler() as services:
        async with anyio.create_task_group() as group:
            for name in NAMES:
                group.start_soon(lambda name=name: services.update(add={name: name}))
        assert await services.wait_ready("first", *NAMES, timeout=PATIENCE)
        assert specs(services) == {"first", *NAMES}


@pytest.mark.anyio
async def test_B30_an_update_while_it_is_down_starts_nothing_before_start_does() -> None:
    async with reconciler() as services:
        await services.wait_ready(timeout=PATIENCE)
        await services.stop()
        assert (await services.update(add={"second": 2})).added == ("second",)
        assert (await services.update(add={"third": 3})).added == ("third",)
        assert up(services) == set()
        await services.start()
        assert await services.wait_ready("first", "second", "third", timeout=PATIENCE)


@pytest.mark.anyio
async def test_B33_a_start_while_it_goes_down_brings_it_up_again() -> None:
    async with reconciler() as services:
        await services.wait_ready(timeout=PATIENCE)
        async with anyio.create_task_group() as group:
            group.start_soon(services.stop)
            await anyio.lowlevel.checkpoint()
            group.start_soon(services.start)
            group.start_soon(services.start)
        assert await services.wait_ready("first", timeout=PATIENCE)


@pytest.mark.anyio
async def test_a_refused_update_leaves_the_graph_as_it_was() -> None:
    services = reconciler()
    async with services:
        await services.wait_ready(timeout=PATIENCE)
    with pytest.raises(CommandRefused):
        await services.update(add={"late": 1})
    assert specs(services) == {"first"}


def test_threads_that_start_it_at_once_share_one_run() -> None:
    services = reconciler()
    barrier = threading.Barrier(6)
    runs: list[Run] = []

    def begin() -> None:
        barrier.wait(PATIENCE)
        runs.append(services.begin())

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(runs) == 6
    assert len(set(map(id, runs))) == 1
    anyio.run(services.close)
