"""Services in a graph that comes to an end are let go of when nothing else is left to do."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, Graph, MetaDAG, Reconciler, RunState, TaskContext, TaskState

pytestmark = pytest.mark.anyio


async def serve(ctx: TaskContext) -> None:
    ctx.ready("here")
    await anyio.sleep_forever()


async def test_a_service_is_stopped_when_everything_else_has_ended() -> None:
    graph = Graph("g")
    graph.add("api", serve, restart="always")
    graph.add("client", lambda api: api)
    result = await DAGExecutor(graph, capture=False).run()
    assert result.state is RunState.SUCCEEDED
    assert result["api"].state is TaskState.SUCCEEDED
    assert result["client"].output == "here"


async def test_a_service_that_is_down_at_the_end_does_not_keep_the_run_and_fails_it() -> None:
    graph, starts = Graph("g"), []

    @graph.task(restart="always", restart_backoff=1000)
    async def api(ctx: TaskContext) -> None:
        starts.append(ctx.attempt)
        ctx.ready()
        await anyio.lowlevel.checkpoint()
        raise ConnectionError("gone")

    @graph.task(depends_on=[api])
    async def client() -> None:
        while len(starts) < 2:
            await anyio.sleep(0.001)

    result = await DAGExecutor(graph, capture=False).run()
    assert (result.state, result["api"].state) == (RunState.FAILED, TaskState.FAILED)


async def test_B34_a_node_of_services_is_done_when_they_serve_and_ends_with_the_rest() -> None:
    services = Graph("services").add("api", serve, restart="always")
    work = Graph("work").add("ask", lambda services: services["api"])
    meta = MetaDAG("meta").add(Reconciler(services)).add(work, depends_on=["services"])
    result = await DAGExecutor(meta, capture=False).run()
    assert result.state is RunState.SUCCEEDED
    assert result["work/ask"].output == "here"


async def test_a_reconciler_keeps_its_services_though_everything_else_has_ended() -> None:
    graph = Graph("g").add("api", serve, restart="always").add("once", lambda: 1, restart="no")
    async with Reconciler(graph, capture=False) as services:
        assert await services.wait_ready(timeout=20)
        assert services["api"].state is TaskState.RUNNING
        with pytest.raises(TimeoutError):
            await services.wait(0.05)
