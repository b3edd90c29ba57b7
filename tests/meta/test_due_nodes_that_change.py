"""Nodes with a schedule whose tasks change while the run goes on: due times are for what is in a node then."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from dagtop import Graph, MetaDAG
from dagtop.core.commands import SwapGraph
from dagtop.runtime.schedule import Scheduled
from dagtop.testing import run_on_virtual_time

HOUR = 3600.0

pytestmark = pytest.mark.parametrize("loop", ["asyncio", "trio"])


def nightly(began: list[str], *tasks: str) -> MetaDAG:
    """A node of tasks in a row, due every hour."""

    def told(task: str) -> Callable[[], object]:
        async def work() -> None:
            began.append(task)
            await anyio.sleep(60)

        return work

    ingest = Graph("ingest", every="1h")
    for task, before in zip(tasks, (None, *tasks), strict=False):
        ingest.add(task, told(task), depends_on=[before] if before else [])
    return MetaDAG("nightly").add(ingest)


def run_and_swap(first: MetaDAG, second: MetaDAG, loop: str) -> None:
    """Run `first` from hour 0 on, go on with `second` half an hour later, and stop half an hour behind the next due time."""
    began_at: list[float] = []

    def wall() -> float:
        try:
            return anyio.current_time() - began_at[0]
        except (RuntimeError, anyio.NoEventLoopError):
            return 0.0

    scheduled = Scheduled(first, wall=wall)

    async def swap() -> None:
        await anyio.sleep(0.5 * HOUR)
        executor = scheduled._executor
        assert executor is not None
        executor.prepared.send(SwapGraph(executor.hand_in(second)), 1, "hand")
        await anyio.sleep(HOUR)
        scheduled.stop()

    async def all_of_it() -> None:
        began_at.append(anyio.current_time())
        async with anyio.create_task_group() as group:
            group.start_soon(swap)
            await scheduled.run_forever()

    run_on_virtual_time(all_of_it, loop=loop)


def test_B44_a_task_that_came_while_the_run_goes_on_starts_over_at_the_due_times_of_its_node(loop: str) -> None:
    """Those that were there in the beginning were started, and no others."""
    began: list[str] = []
    run_and_swap(nightly(began, "page"), nightly(began, "page", "store"), loop)
    assert began == ["page", "store", "page", "store"]


def test_B44_a_task_that_was_taken_out_does_not(loop: str) -> None:
    began: list[str] = []
    run_and_swap(nightly(began, "page", "store"), nightly(began, "page"), loop)
    assert began == ["page", "store", "page"]
