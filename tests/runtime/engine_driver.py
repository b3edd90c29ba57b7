"""A run that a test watches and steers on the same event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from dagtop import DAGExecutor, ExecutorConfig, Graph, RunResult
from dagtop.core import events as ev
from dagtop.core.commands import Command
from dagtop.core.invariants import check_invariants
from dagtop.core.ledger import Ledger
from dagtop.core.states import TaskState
from dagtop.runtime.engine import Engine
from dagtop.testing import EventLog as Watch


class Live(Watch):
    """A run in progress."""

    def __init__(self, executor: DAGExecutor) -> None:
        super().__init__()
        self.executor = executor
        self.engine: Engine = executor.prepare()
        self.result: RunResult | None = None
        self._number = 0

    def send(self, command: Command) -> int:
        self._number += 1
        self.engine.send(command, self._number, "a person")
        return self._number

    async def command(self, command: Command) -> ev.CommandApplied | ev.CommandRefused:
        """Give a command and wait for its answer."""
        number = self.send(command)
        answers = (ev.CommandApplied, ev.CommandRefused)
        return await self.until(lambda event: isinstance(event, answers) and event.id == number)  # type: ignore[no-any-return]

    def state(self, task: str) -> TaskState:
        ledger = self.engine.machine.ledger
        return ledger.state[ledger.plan.index[task]]


@asynccontextmanager
async def live(graph: Graph, **config: Any) -> AsyncIterator[Live]:
    """Run a graph beside the test; the test's block ends when the run has. Its books are checked then."""
    run = Live(DAGExecutor(graph, ExecutorConfig(**config), capture=False))
    run.engine.add_recorders([run])

    async def carry_out() -> None:
        run.result = await run.executor.run()

    async with anyio.create_task_group() as group:
        group.start_soon(carry_out)
        yield run
    check_books(run)


async def run_all(graph: Graph, **config: Any) -> Live:
    """Run a graph to its end."""
    async with live(graph, **config) as run:
        pass
    return run


def check_books(run: Live) -> None:
    """No slot leaked, no event missing, and the events replay to the state that was live."""
    machine = run.engine.machine
    check_invariants(machine)
    assert machine.is_over
    assert machine.active == 0
    assert not run.engine.workers.running
    assert run.numbers == list(range(1, len(run.events) + 1))
    replayed = Ledger(run.executor.plan)  # the graph as it was declared: how it grew is in the events
    for event in run.events:
        replayed.apply(event)
    assert replayed.state == machine.ledger.state
    assert replayed.counts == machine.ledger.counts
    assert replayed.attempt == machine.ledger.attempt
    assert replayed.run_state == machine.ledger.run_state
