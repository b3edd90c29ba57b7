"""Whatever the nodes are and whatever fails in them: each node ends as what is in it says, and limits hold."""

from __future__ import annotations

from typing import Any

import anyio
from dagtop import Graph, MetaDAG, Skip, TaskState
from dagtop.core.events import TaskStarted
from dagtop.core.paths import is_inside
from dagtop.core.states import BAD, FINAL, GOOD
from dagtop.testing import rehearse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ENDINGS = ("good", "good", "good", "fails", "skips")
TRIGGERS = ("all_success", "all_success", "all_done", "none_failed", "any_success")


class Gauge:
    """How many tasks are at it at once."""

    def __init__(self) -> None:
        self.now = self.most = 0


def task(ending: str, gauges: list[Gauge]) -> Any:
    async def work() -> int:
        for gauge in gauges:
            gauge.now += 1
            gauge.most = max(gauge.most, gauge.now)
        try:
            await anyio.sleep(1)
        finally:
            for gauge in gauges:
                gauge.now -= 1
        if ending == "fails":
            raise ValueError("no")
        if ending == "skips":
            raise Skip("need not")
        return 1

    return work


@st.composite
def graphs(draw: st.DrawFn, name: str, gauges: list[Gauge], limits: list[tuple[Gauge, int]]) -> Graph:
    limit, own = draw(st.one_of(st.none(), st.integers(1, 3))), Gauge()
    graph = Graph(name, max_parallel=limit, fail_fast=draw(st.sampled_from([None, None, True])))
    if limit is not None:
        limits.append((own, limit))
    for number in range(draw(st.integers(1, 4))):
        above = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=2)) if number else []
        graph.add(
            f"t{number}",
            task(draw(st.sampled_from(ENDINGS)), [*gauges, own]),
            depends_on=[f"t{i}" for i in above],
            trigger=draw(st.sampled_from(TRIGGERS)),
        )
    return graph


@st.composite
def metas(draw: st.DrawFn, depth: int = 2, name: str = "m") -> tuple[MetaDAG, list[tuple[Gauge, int]]]:
    limits: list[tuple[Gauge, int]] = []
    return draw(_metas(depth, name, [], limits)), limits


@st.composite
def _metas(draw: st.DrawFn, depth: int, name: str, gauges: list[Gauge], limits: list[tuple[Gauge, int]]) -> MetaDAG:
    limit, own = draw(st.one_of(st.none(), st.integers(1, 4))), Gauge()
    meta = MetaDAG(name, max_parallel=limit)
    if limit is not None:
        limits.append((own, limit))
    for number in range(draw(st.integers(1, 3))):
        above = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=2)) if number else []
        inside = [*gauges, own]
        nested = depth and draw(st.booleans())
        node = draw(_metas(depth - 1, f"n{number}", inside, limits) if nested else graphs(f"n{number}", inside, limits))
        meta.add(node, depends_on=[f"n{i}" for i in above], trigger=draw(st.sampled_from(TRIGGERS)))
    return meta


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(metas())
def test_B34_B35_each_node_ends_as_what_is_in_it_says_and_limits_of_every_level_hold(
    made: tuple[MetaDAG, list[tuple[Gauge, int]]],
) -> None:
    meta, limits = made
    run = rehearse(meta)
    result, plan = run.result, run.result.plan
    assert all(gauge.most <= limit for gauge, limit in limits)
    started = {event.task: event.at for event in run.events if isinstance(event, TaskStarted)}
    for index in plan.nodes:
        node = result[plan.names[index]]
        inside = [result[plan.names[i]] for i in plan.upstream[index]]
        states = {task.state for task in inside}
        assert states <= FINAL
        if states & BAD:
            assert node.state is TaskState.FAILED
        elif TaskState.CANCELLED in states:
            assert node.state is TaskState.CANCELLED
        elif states & GOOD:
            assert node.state is TaskState.SUCCEEDED
            assert set(node.output) == {task.name.rpartition("/")[2] for task in inside if task.state in GOOD}
        else:
            assert node.state is TaskState.SKIPPED
        assert node.attempts == 0
        for below in plan.downstream[index]:
            if not is_inside(plan.names[index], plan.names[below]) and plan.policies[below].trigger != "any_success":
                ended = node.ended_at
                assert ended is not None
                assert started.get(plan.names[below], ended) >= ended
