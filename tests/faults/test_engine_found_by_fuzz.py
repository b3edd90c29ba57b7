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
