"""A service that has no way to say that it is ready, and that nothing waits for, is ready as soon as it runs."""

from __future__ import annotations

import anyio
import pytest
from dagtop import Graph, MetaDAG, Reconciler, TaskState
from dagtop.core.commands import CancelRun
from dagtop.testing import rehearse

pytestmark = pytest.mark.anyio


async def _serves() -> None:
    await anyio.sleep_forever()


async def test_B31_what_cannot_say_that_it_is_ready_and_has_no_probe_is_ready_as_soon_as_it_runs() -> None:
    """It was not ready yet for ever, and wait_ready() did not return."""
    async with Reconciler(Graph("g").add("api", _serves, restart="always")) as up:
        assert await up.wait_ready(timeout=20)


async def test_B31_with_replicas_too() -> None:
    async with Reconciler(Graph("g").add("api", _serves, restart="always", replicas=2)) as up:
        assert await up.wait_ready(timeout=20)
        assert up["api"].state is TaskState.SUCCEEDED


def test_B31_what_others_are_built_on_counts_when_it_has_succeeded_once_as_ever() -> None:
    """They get what it returned: a task that does its work again and again is such a one too."""

    async def reads() -> int:
        await anyio.sleep(2)
        return 7

    graph = Graph("g").add("reads", reads, restart="always", restart_backoff=50.0).add("uses", lambda reads: reads + 1)
    run = rehearse(graph)
    assert run.result["uses"].output == 8
    uses = run.result["uses"].started_at
    assert uses is not None
    assert uses >= 2


def test_B31_nodes_after_a_node_with_one_wait_for_what_it_returns() -> None:
    north = Reconciler(Graph("north").add("api", _serves, restart="always"))
    meta = MetaDAG("m").add(north).add(Graph("work").add("job", lambda: 1), depends_on=["north"])
    run = rehearse(meta, commands=[(9, CancelRun())])
    assert run.result["work/job"].state is TaskState.CANCELLED
    alone = rehearse(MetaDAG("m").add(north).add(Graph("work").add("job", lambda: 1)))
    assert alone.result.state.value == "succeeded"


async def test_B31_one_that_comes_while_the_rest_runs_is_seen_when_it_runs_and_breaks_nothing() -> None:
    """How it is called was asked for before that was known, and the engine broke down at every new service."""
    graph = Graph("g").add("api", _serves, restart="always", replicas=1)
    async with Reconciler(graph) as up:
        assert await up.wait_ready(timeout=20)
        await up.scale("api", 3)
        assert await up.wait_ready(timeout=20)
        assert [up[f"api[{number}]"].state for number in range(3)] == [TaskState.RUNNING] * 3
        await up.update(
            Graph("g").add("api", _serves, restart="always", replicas=1).add("new", _serves, restart="always")
        )
        assert await up.wait_ready("new", timeout=20)
