"""Updates of a desired state that is not as the graph says: one that cannot be run, and one that was scaled."""

from __future__ import annotations

import anyio
import pytest
from dagtop import Graph, Reconciler, TaskContext
from dagtop.errors import GraphError

pytestmark = pytest.mark.anyio


async def serve(ctx: TaskContext) -> None:
    ctx.ready()
    await anyio.sleep_forever()


def services(replicas: int = 2, **more: object) -> Graph:
    graph = Graph("services").add("api", serve, replicas=replicas)
    for name in more:
        graph.add(name, serve)
    return graph


async def test_B30_a_graph_that_cannot_be_run_is_updated_before_the_start() -> None:
    """The update was refused because of what it was to mend."""
    broken = Graph("services").add("api", serve, depends_on=["nobody"])
    kept = Reconciler(broken)
    with pytest.raises(GraphError, match="nobody"):
        await kept.start()
    assert set(kept.plan_update(services(1)).added) == {"api[0]", "api"}
    assert set((await kept.update(services(1))).added) == {"api[0]", "api"}
    async with kept:
        assert await kept.wait_ready(timeout=60)


async def test_B30_what_is_broken_too_is_told_and_nothing_changes() -> None:
    kept = Reconciler(services(1))
    with pytest.raises(GraphError, match="nobody"):
        await kept.update(Graph("services").add("api", serve, depends_on=["nobody"]))
    assert kept.plan_update(services(1)).is_empty


async def test_B30_what_was_scaled_is_no_difference() -> None:
    """Replicas that a person had added were told as removed, or as added once more."""
    async with Reconciler(services(2)) as kept:
        await kept.scale("api", 4)
        assert kept.plan_update(services(2)).is_empty
        plan = kept.plan_update(services(2, worker=True))
        assert (plan.added, plan.removed) == (("worker",), ())
        done = await kept.update(services(2, worker=True))
        assert (done.added, done.removed) == (("worker",), ())
        assert await kept.wait_ready(timeout=60)
        assert kept["api[3]"].serving


async def test_B30_another_number_in_the_graph_is_told_against_what_there_is() -> None:
    async with Reconciler(services(2)) as kept:
        await kept.scale("api", 4)
        assert kept.plan_update(services(3)).removed == ("api[3]",)
        assert kept.plan_update(services(5)).added == ("api[4]",)
