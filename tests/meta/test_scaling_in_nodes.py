"""Replicas in a graph of graphs: their number is that of the file, and whoever asks for another is told so."""

from __future__ import annotations

import anyio
import pytest
from dagtop import DAGExecutor, Graph, MetaDAG, TaskContext
from dagtop.errors import CommandRefused

pytestmark = pytest.mark.anyio


async def serve(ctx: TaskContext) -> None:
    ctx.ready()
    await anyio.sleep_forever()


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (
            "north/api",
            "in a graph of graphs the number of replicas is that of the file: change it where north/api is declared",
        ),
        ("north/one", "north/one was not declared with replicas"),
    ],
)
async def test_B31_from_code_too_a_task_in_a_node_is_not_scaled_and_says_why(task: str, told: str) -> None:
    north = Graph("north").add("api", serve, restart="always", replicas=2).add("one", serve, restart="always")
    jobs = Graph("jobs").add("long", anyio.sleep_forever)
    run = DAGExecutor(MetaDAG("shop").add(north).add(jobs), capture=False).start()
    try:
        await run.until(lambda: run.done or len(run.ledger.desired.serving) >= 3)
        with pytest.raises(CommandRefused, match=told):
            await run.scale(task, 3)
        assert "north/api[2]" not in run.ledger.plan.index
    finally:
        run.cancel()
        await run
