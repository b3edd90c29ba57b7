"""Many tasks that ask for others at about the same time: those come together, and the run does not end before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

import anyio
import pytest
from dagtop import DAGExecutor, Graph, TaskContext
from dagtop.core import inputs as inp
from dagtop.core.events import GraphChanged, TaskStarted, TaskSucceeded
from dagtop.core.instructions import Instruction
from dagtop.core.machine import RunMachine
from dagtop.core.states import RunState
from dagtop.testing import EventLog, run_on_virtual_time

pytestmark = pytest.mark.parametrize("loop", ["asyncio", "trio"])


class Counting(RunMachine):
    """Keeps the graphs that it is given."""

    __slots__ = ()
    given: ClassVar[list[inp.GraphGiven]] = []

    def handle(self, event: inp.Input) -> list[Instruction]:
        if isinstance(event, inp.GraphGiven):
            self.given.append(event)
        return super().handle(event)


def spawners(names: Iterable[str], *, seconds: float = 0.0, **options: Any) -> Graph:
    graph = Graph("crawl", **options)

    async def leaf() -> None: ...

    async def crawl(ctx: TaskContext) -> None:
        ctx.spawn(f"{ctx.task}.page", leaf)
        await anyio.sleep(seconds)

    for name in names:
        graph.add(name, crawl)
    return graph


def run(graph: Graph, loop: str) -> tuple[DAGExecutor, EventLog]:
    log = EventLog()
    executor = DAGExecutor(graph, recorders=[log], capture=False)
    executor.prepared.machine.__class__ = Counting
    Counting.given.clear()
    run_on_virtual_time(executor.run, loop=loop)
    return executor, log


def test_the_graph_is_copied_once_for_what_many_tasks_have_asked_for(loop: str) -> None:
    """It was once for each of them: with ten thousand, most of a minute went by with nothing else."""
    executor, log = run(spawners([f"site_{i}" for i in range(400)], max_parallel=50), loop)
    assert executor.result().ok
    assert len(executor.result()) == 800
    assert sum(len(given.change.added) for given in Counting.given) == 400
    assert len(Counting.given) < 40
    told = [(event.spawner, event.reason, [task.name for task in event.added]) for event in log.of(GraphChanged)]
    assert sorted(told) == sorted((f"site_{i}", f"spawned by site_{i}", [f"site_{i}.page"]) for i in range(400))


def test_B38_who_has_asked_for_tasks_ends_when_they_are_told_of(loop: str) -> None:
    """Else a process that dies between the two leaves a finished task, and nobody knows of those it asked for."""
    _, log = run(spawners([f"site_{i}" for i in range(60)], max_parallel=7), loop)
    told: set[str] = set()
    for event in log.events:
        if isinstance(event, GraphChanged):
            told.add(event.spawner)
        elif isinstance(event, TaskSucceeded) and not event.task.endswith(".page"):
            assert event.task in told
        elif isinstance(event, TaskStarted) and event.task.endswith(".page"):
            assert event.task.removesuffix(".page") in told


def test_the_run_is_not_over_before_what_was_asked_for_is_there(loop: str) -> None:
    """The others end in the same round of the loop as the one that asked."""
    graph = spawners(["site"], max_parallel=3)

    async def plain() -> None: ...

    for i in range(20):
        graph.add(f"plain_{i}", plain, priority=-1)
    executor, _ = run(graph, loop)
    assert executor.result()["site.page"].state == "succeeded"
    assert executor.result().ok


def test_what_was_asked_for_while_the_run_drains_does_not_run(loop: str) -> None:
    graph = spawners(["site"], fail_fast=True)

    async def broken() -> None:
        raise ValueError("no")

    graph.add("broken", broken)
    executor, _ = run(graph, loop)
    assert executor.result().state is RunState.FAILED
    assert executor.result()["site.page"].state in ("cancelled", "succeeded")


def test_tasks_that_go_on_after_they_have_asked_find_what_they_asked_for_going_on(loop: str) -> None:
    executor, log = run(spawners(["a", "b", "c"], seconds=5.0), loop)
    assert executor.result().ok
    started = {event.task: event.at for event in log.of(TaskStarted)}
    assert max(started.values()) < 5.0
    assert len(started) == 6


def test_services_stay_up_for_what_was_asked_for(loop: str) -> None:
    """They were the last that ran, and are let go of when nothing else is left."""
    graph, found = Graph("shop"), list[str]()

    async def api(ctx: TaskContext) -> None:
        ctx.ready("http://api")
        await anyio.sleep_forever()

    async def leaf(api: str) -> None:
        found.append(api)

    async def crawl(ctx: TaskContext) -> None:
        ctx.spawn("page", leaf)

    graph.add("api", api, restart="always").add("crawl", crawl)
    executor, _ = run(graph, loop)
    assert found == ["http://api"]
    assert executor.result().ok


def test_threads_that_ask_for_tasks_are_not_waited_for_one_by_one(loop: str) -> None:
    """With a clock that goes on, too, all of them come."""
    if loop == "trio":
        pytest.skip("threads are the same on both")
    graph = Graph("crawl", max_parallel=16)

    def leaf() -> None: ...

    def crawl(ctx: TaskContext) -> None:
        ctx.spawn(f"{ctx.task}.page", leaf)

    for i in range(150):
        graph.add(f"site_{i}", crawl)
    result = asyncio.run(DAGExecutor(graph, capture=False).run())
    assert result.ok
    assert len(result) == 300
