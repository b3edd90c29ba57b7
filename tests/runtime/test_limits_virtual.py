"""B9 and B10 through the engine, on trio's virtual clock: what a graph declares is what its tasks meet."""

from __future__ import annotations

import anyio
import pytest
from dagtop import Graph, Pool, RunState
from dagtop.core import events as ev
from dagtop.runtime.publisher import Publisher, SnapshotBox
from engine_driver import check_books, run_all
from trio.testing import MockClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Meter:
    """How many are inside at once, at most."""

    def __init__(self) -> None:
        self.inside = self.most = 0

    async def task(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await anyio.sleep(1)
        self.inside -= 1


async def test_B10_pools_resources_and_rates_hold_and_snapshots_show_them() -> None:
    graph = Graph("g", pools={"db": 2, "api": Pool(9, rate=4)}, resources={"gpu": 5})
    db, gpu = Meter(), Meter()
    starts: list[float] = []

    async def call() -> None:
        starts.append(anyio.current_time())

    for i in range(6):
        graph.add(f"db{i}", db.task, pool="db")
        graph.add(f"gpu{i}", gpu.task, resources={"gpu": 2})
        graph.add(f"api{i}", call, pool="api")
    run = await run_all(graph)
    assert run.result is not None
    assert run.result.ok
    assert (db.most, gpu.most) == (2, 2)
    assert [round(at - starts[0], 6) for at in starts] == [0, 0.25, 0.5, 0.75, 1.0, 1.25]
    check_books(run)
    box = SnapshotBox()
    publisher = Publisher(box)
    machine = run.engine.machine
    publisher.watch(machine.ledger, limits=machine.admission.limits.used)
    publisher.publish(0.0)
    assert box.latest.limits == {"pool:db": (0, 2), "pool:api": (0, 9), "resource:gpu": (0, 5)}
    assert box.latest.window == box.latest.max_parallel == 32
    before = box.latest.limits
    publisher.publish(1.0)
    assert box.latest.limits is before, "what has not changed is shared"


async def test_B9_a_service_that_fails_above_ten_at_once_is_met_by_about_ten() -> None:
    inside = 0

    async def call(name: str, spec: None) -> None:
        nonlocal inside
        inside += 1
        try:
            await anyio.sleep(0.05)
            if inside > 10:
                raise ConnectionError("too many")
        finally:
            inside -= 1

    tasks = dict.fromkeys(map(str, range(2000)))
    graph = Graph.from_specs("g", tasks=tasks, run=call, max_parallel=50, adaptive=True, default_retries=0)
    run = await run_all(graph)
    assert run.result is not None
    changes = [event for event in run.events if isinstance(event, ev.LimitChanged)]
    settled = [change.limit for change in changes if change.at > 2]
    assert settled
    assert all(7 <= limit <= 15 for limit in settled)
    assert all(change.what == "window" and change.reason for change in changes)
    assert run.engine.machine.ledger.window == changes[-1].limit
    check_books(run)


async def test_B9_on_a_healthy_graph_adaptive_takes_as_long_as_fixed() -> None:
    async def call(name: str, spec: None) -> None:
        await anyio.sleep(0.005)

    took = []
    for adaptive in (False, True):
        tasks = dict.fromkeys(map(str, range(1000)))
        graph = Graph.from_specs("g", tasks=tasks, run=call, max_parallel=50, adaptive=adaptive)
        run = await run_all(graph)
        assert run.result is not None
        assert run.result.state is RunState.SUCCEEDED
        took.append(run.result.duration)
    assert took[1] <= 1.05 * took[0]
