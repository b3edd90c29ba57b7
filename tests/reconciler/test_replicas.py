"""`replicas=`: several tasks that do the same, one that stands for all of them, and their number changed live."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import anyio
import pytest
from dagtop import CommandRefused, Graph, Reconciler, TaskContext, TaskState
from dagtop.errors import GraphError, OptionError

pytestmark = pytest.mark.anyio

STARTS: Counter[str] = Counter()


async def serve(ctx: TaskContext) -> None:
    STARTS[ctx.task] += 1
    ctx.ready(f"port {9000 + ctx.replica}")
    await anyio.sleep_forever()


def services(replicas: int = 3) -> Graph:
    STARTS.clear()
    graph = Graph("services").add("web", serve, replicas=replicas)
    return graph.add("front", lambda web: list(web), restart="no")


def test_a_graph_has_a_task_for_each_replica_and_one_for_all() -> None:
    graph = Graph("g").add("double", lambda n, ctx: n * 2 + ctx.replica, replicas=3).add("n", lambda: 10)
    graph.add("sum", lambda double: sum(double))
    result = graph.run()
    assert list(graph.names) == ["double[0]", "double[1]", "double[2]", "double", "n", "sum"]
    assert result["double"].output == [20, 21, 22]
    assert result["sum"].output == 63
    assert Graph("g").add("none", lambda: 1, replicas=0).run()["none"].output == []


def test_replicas_are_refused_where_they_mean_nothing() -> None:
    with pytest.raises(OptionError, match="no replicas of it"):
        Graph("g").map("m", lambda one: one, over=[1], replicas=2)
    specified = Graph.from_specs("g", tasks={"a": 1}, run=lambda spec: spec, task_options={"a": {"replicas": 2}})
    with pytest.raises(OptionError, match="replicas are for Graph"):
        specified.validate()
    with pytest.raises(GraphError, match="from 0 to 100000, not 1000000000"):
        Graph("g").add("a", lambda: 1, replicas=10**9).validate()
    with pytest.raises(GraphError, match="was not declared with replicas"):
        Graph("g").add("a", lambda: 1).scaled("a", 2)


async def test_what_depends_on_them_starts_when_all_are_ready() -> None:
    async with Reconciler(services()) as up:
        assert await up.wait_ready(timeout=20)
        assert up["web"].state is up["front"].state is TaskState.SUCCEEDED
        assert [up[f"web[{number}]"].state for number in range(3)] == [TaskState.RUNNING] * 3


async def test_B30_the_task_stands_for_all_of_them_when_it_is_stopped_started_restarted_or_given_a_policy() -> None:
    async with Reconciler(services()) as up:
        assert await up.wait_ready(timeout=20)
        assert await up.stop_task("web") == "web: 3 replicas told to stop, all stay down until they are started"
        assert await up.wait(timeout=20)
        assert [up[f"web[{number}]"].state for number in range(3)] == [TaskState.CANCELLED] * 3
        assert await up.start_task("web") == "web: 3 replicas started"
        assert await up.wait_ready(timeout=20)
        assert STARTS == {"web[0]": 2, "web[1]": 2, "web[2]": 2}
        told = await up.restart("web")
        assert told == "web: 3 replicas run again, 3 told to stop first, 1 task after them keeps old results"
        assert await up.wait_ready(timeout=20)
        assert await up.set_policy("web", restart="always") == "web: 3 replicas: restart = always"
        assert up._run is not None
        ledger = up._run.ledger
        policies = {name: str(ledger.policies[i].restart.policy) for i, name in enumerate(ledger.plan.names)}
        assert policies["web[2]"] == "always"
        assert policies["web"] == "no"


@pytest.mark.parametrize("wanted", [5, 1, 0])
async def test_the_last_ones_come_and_go_without_a_disturbance_of_the_others(wanted: int) -> None:
    async with Reconciler(services()) as up:
        assert await up.wait_ready(timeout=20)
        effect = await up.scale("web", wanted)
        names = [f"web[{number}]" for number in range(max(3, wanted))]
        if wanted > 3:
            assert await up.wait_ready(*names, timeout=20)
        else:
            await up.begin().until(lambda: all(up[name].state is TaskState.CANCELLED for name in names[wanted:]))
        assert [up[name].state is TaskState.RUNNING for name in names] == [
            number < wanted for number in range(len(names))
        ]
        assert set(STARTS.values()) == {1}
        assert "task" in effect
        await up.scale("web", 3)
        assert await up.wait_ready("web[0]", "web[1]", "web[2]", timeout=20)


async def test_a_scale_is_refused_for_what_has_no_replicas() -> None:
    async with Reconciler(services()) as up:
        with pytest.raises(CommandRefused, match="was not declared with replicas"):
            await up.scale("front", 2)
        with pytest.raises(CommandRefused, match="whole number"):
            await up.scale("web", -1)
        with pytest.raises(CommandRefused, match="at most 100,000"):
            await up.scale("web", 10**9)
        with pytest.raises(CommandRefused):
            await up.scale("nobody", 1)


async def test_another_version_of_the_graph_keeps_the_scale_unless_it_says_another_number() -> None:
    async with Reconciler(services()) as up:
        assert await up.wait_ready(timeout=20)
        await up.scale("web", 4)
        await up.update(services().add("more", serve))
        assert await up.wait_ready("web[3]", "more", timeout=20)
        await up.update(services(2).add("more", serve))
        await up.begin().until(lambda: up["web[2]"].gone and up["web[3]"].gone)
        await up.update(services())
        assert await up.wait_ready("web[2]", timeout=20)
        assert up["web[3]"].gone


async def test_B33_the_scale_outlives_the_process(tmp_path: Path) -> None:
    async with Reconciler(services(), journal=tmp_path / "runs.db") as up:
        assert await up.wait_ready(timeout=20)
        await up.scale("web", 5)
    async with Reconciler(services(), journal=tmp_path / "runs.db") as again:
        assert await again.wait_ready("web[4]", timeout=20)


async def test_replicas_that_went_and_come_again_are_told_as_added() -> None:
    async with Reconciler(services()) as up:
        assert await up.wait_ready(timeout=20)
        assert await up.scale("web", 0) == "3 tasks removed, 1 task with other dependencies"
        assert await up.scale("web", 3) == "3 tasks added, 1 task with other dependencies"
        assert await up.scale("web", 4) == "1 task added, 1 task with other dependencies"
