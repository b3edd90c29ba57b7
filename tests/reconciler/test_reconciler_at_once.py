"""`Reconciler`, told several things at once, or while it is down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest
from dagtop import CommandRefused, DagtopError, Graph, GraphError, Reconciler, RunState, TaskContext, TaskState
from dagtop.core.states import FINAL
from dagtop.runtime.answer import Answer
from dagtop.runtime.handle import Run

PATIENCE = 20
NAMES = [f"t{i}" for i in range(6)]


async def serve(task: str, spec: Any, ctx: TaskContext) -> None:
    ctx.ready(spec)
    await anyio.sleep_forever()


async def briefly(task: str, spec: Any, ctx: TaskContext) -> None:
    ctx.ready(spec)
    await anyio.sleep(0.01)


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
async def test_B33_a_stop_right_after_a_start_brings_it_down_again() -> None:
    async with reconciler() as services:
        await services.wait_ready(timeout=PATIENCE)
        await services.stop()
        services.start_all()
        await services.stop()
        assert up(services) == set()
        assert services.snapshot.state is RunState.CANCELLED


@pytest.mark.anyio
@pytest.mark.parametrize("command", [Reconciler.cancel, Reconciler.drain])
async def test_B33_start_brings_back_what_a_command_ended(command: Callable[[Reconciler], Answer]) -> None:
    services = Reconciler(Graph.from_specs("g", tasks={"one": 1}, run=briefly), restart="always", resume=None)
    async with services:
        await services.wait_ready(timeout=PATIENCE)
        command(services)
        await services.wait(PATIENCE)
        await services.start()
        assert await services.wait_ready("one", timeout=PATIENCE)
        assert services["one"].state not in FINAL


@pytest.mark.anyio
async def test_B30_an_update_after_cancel_waits_for_start_as_after_stop() -> None:
    async with reconciler() as services:
        await services.wait_ready(timeout=PATIENCE)
        services.cancel()
        await services.update(add={"second": 2})
        assert not await services.wait(PATIENCE)
        assert up(services) == set()
        await services.start()
        assert await services.wait_ready("first", "second", timeout=PATIENCE)


@pytest.mark.anyio
async def test_B33_start_brings_up_the_rest_too_when_one_task_was_started_before() -> None:
    services = Reconciler(Graph.from_specs("g", tasks={"one": 1, "two": 2}, run=serve), resume=None)
    async with services:
        await services.wait_ready(timeout=PATIENCE)
        await services.stop()
        await services.start_task("one")
        assert await services.wait_ready("one", timeout=PATIENCE)
        with anyio.fail_after(PATIENCE):
            await services.start()
        assert await services.wait_ready("two", timeout=PATIENCE)


@pytest.mark.anyio
async def test_nothing_is_brought_up_in_what_is_being_closed() -> None:
    services = reconciler()
    await services.start()
    await services.wait_ready(timeout=PATIENCE)
    refused: list[str] = []

    async def go_on_starting() -> None:
        while True:
            try:
                await services.start_task("first")
            except DagtopError as error:
                refused.append(str(error))
            await anyio.lowlevel.checkpoint()

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(go_on_starting)
            await services.close()
            group.cancel_scope.cancel()
    assert any("being closed" in one for one in refused)


@pytest.mark.anyio
async def test_what_is_being_closed_cannot_be_started_again() -> None:
    services = reconciler()
    await services.start()
    await services.wait_ready(timeout=PATIENCE)
    refused: list[str] = []

    async def start() -> None:
        try:
            await services.start()
        except DagtopError as error:
            refused.append(str(error))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as group:
            group.start_soon(services.close)
            group.start_soon(start)
            group.start_soon(services.close)
        await start()
    assert set(refused) == {"the reconciler was closed: it cannot be started again"}


@pytest.mark.anyio
async def test_B30_an_update_that_was_not_waited_for_counts() -> None:
    async with reconciler() as services:
        await services.wait_ready(timeout=PATIENCE)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await services.update(add={"second": 2})
        other = Graph.from_specs("g", tasks={"first": 1, "second": 2}, run=serve)
        other.service(lambda: iter([1]), name="extra")
        with pytest.raises(GraphError, match="other services"):
            await services.update(other)
        await services.update(add={"third": 3})
        assert await services.wait_ready("first", "second", "third", timeout=PATIENCE)


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


@pytest.mark.anyio
async def test_a_task_that_is_not_there_is_told_with_the_nearest() -> None:
    async with reconciler() as services:
        with pytest.raises(KeyError, match="there is no task 'fist'; did you mean 'first'"):
            await services.wait_ready("fist")
        with pytest.raises(KeyError, match="there is no task 'fist'"):
            services["fist"]
