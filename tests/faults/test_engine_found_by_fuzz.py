"""What the fuzz of the whole engine found, each as the shortest story that shows it."""

from __future__ import annotations

import anyio
import pytest
from dagtop import DAGExecutor, Graph
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.ledger import Ledger
from dagtop.testing import EventLog

pytestmark = pytest.mark.anyio


async def test_B40_a_run_that_finishes_and_is_opened_again_in_one_moment_tells_it_in_that_order() -> None:
    """The first `run.finished` was put behind the second: so that it comes last, though it was not the last one."""
    log = EventLog()
    executor = DAGExecutor(Graph("g").add("a", lambda: 1), recorders=[log], capture=False)
    engine = executor.prepare()
    engine.hold_open = True
    for number, command in enumerate((cmd.HoldTask("a"), cmd.CancelRun(), cmd.SkipTask("a"), cmd.DrainRun()), 1):
        engine.send(command, number, "a person")
    async with anyio.create_task_group() as group:
        group.start_soon(executor.run)
        await log.until(ev.CommandRefused)
        engine.close()
    types = [event.type for event in log.events if event.type.startswith("run.")]
    assert types == ["run.started", "run.stopping", "run.finished", "run.reopened", "run.finished"]
    replayed = Ledger(executor.plan)
    for event in log.events:
        replayed.apply(event)
    assert replayed.finished_at == engine.machine.ledger.finished_at
    assert [event.at for event in log.events] == sorted(event.at for event in log.events)


async def test_B24_a_list_that_is_shorter_when_its_task_is_restarted_does_not_end_the_engine() -> None:
    """Who asked about the gathering task was let go of in favour of a later question: by itself, and its loop task with it."""
    log = EventLog()
    lists = iter([[1, 2, 3], [1]])

    async def load() -> list[int]:
        return next(lists)

    async def twice(one: int) -> int:
        return 2 * one

    graph = Graph("g").add("load", load).map("all", twice, over="load")
    executor = DAGExecutor(graph, recorders=[log], capture=False)
    engine = executor.prepare()
    engine.hold_open = True
    async with anyio.create_task_group() as group:
        group.start_soon(executor.run)
        await log.until(ev.RunFinished)
        engine.send(cmd.RestartTask("load", downstream=True), 1, "a person")
        await log.until(ev.RunFinished, count=2)
        engine.close()
    assert executor.result()["all"].output == [2]
