"""B26 on the whole engine: random graphs of tasks that misbehave, random commands at random instants, on both loops.

Asyncio runs on real time with tiny delays, trio on a virtual clock. The books are checked when each run has ended.
"""

from __future__ import annotations

import random
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph, Retry
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.commands import Command
from dagtop.core.invariants import check_invariants
from dagtop.core.ledger import Ledger
from trio.testing import MockClock

pytestmark = pytest.mark.anyio

RUNS = 40


class Kept:
    """A recorder that keeps everything."""

    def __init__(self) -> None:
        self.events: list[ev.AnyEvent] = []

    def record(self, first: int, batch: Any) -> None:
        assert first == len(self.events) + 1
        self.events += batch


async def _quick() -> int:
    return 1


async def _waits() -> int:
    await anyio.sleep(0.001)
    return 2


async def _yields() -> int:
    for _ in range(5):
        await anyio.lowlevel.checkpoint()
    return 3


async def _fails() -> None:
    await anyio.lowlevel.checkpoint()
    raise ValueError


async def _swallows() -> None:
    try:
        await anyio.sleep(0.002)
    except anyio.get_cancelled_exc_class():
        return


async def _cleans() -> None:
    try:
        await anyio.sleep(0.002)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.0005)


async def _breaks_down() -> None:
    try:
        await anyio.sleep(0.002)
    finally:
        raise OSError


def _plain() -> int:
    return 4


_ASYNC = [_quick, _quick, _waits, _yields, _fails, _swallows, _cleans, _breaks_down]


def _graph(chance: random.Random, *, threads: bool) -> Graph:
    names = [f"t{i}" for i in range(chance.randint(1, 25))]
    graph = Graph(
        "g",
        max_parallel=chance.randint(1, 6),
        fail_fast=chance.random() < 0.2,
        run_timeout=chance.choice([None, None, 0.01]),
        cancel_grace=chance.choice([0.0, 0.001, 1.0]),
    )
    for i, name in enumerate(names):
        graph.add(
            name,
            chance.choice([*_ASYNC, _plain] if threads else _ASYNC),
            depends_on=chance.sample(names[:i], min(i, chance.randint(0, 3))),
            retries=Retry(retries=chance.randrange(3), base=chance.choice([0.0, 0.001])),
            timeout=chance.choice([None, None, 0.001]),
            trigger=chance.choice(["all_success", "all_success", "any_success", "all_done", "none_failed"]),
            on_upstream_failure=chance.choice(["skip", "fail", "run"]),
        )
    return graph


def _command(chance: random.Random, names: list[str]) -> Command:
    name = chance.choice(names)
    return chance.choice(
        [
            cmd.CancelTask(name),
            cmd.RestartTask(name),
            cmd.RestartTask(name, downstream=True),
            cmd.RestartTask(name, downstream=True),
            cmd.HoldTask(name),
            cmd.ReleaseTask(name),
            cmd.PauseRun(),
            cmd.ContinueRun(),
            cmd.ContinueRun(),
            cmd.SetMaxParallel(chance.randint(1, 9)),
            cmd.SetPolicy(name, retries=chance.randrange(3), timeout=chance.choice([0.0, 0.001])),
            cmd.AbandonRun(),
            chance.choice([cmd.DrainRun(), cmd.CancelRun(), cmd.ContinueRun()]),
        ]
    )


async def _story(seed: int, *, threads: bool) -> None:
    chance = random.Random(seed)
    graph = _graph(chance, threads=threads)
    kept = Kept()
    executor = DAGExecutor(graph, ExecutorConfig(), recorders=[kept], capture=False)
    engine = executor.prepare()
    numbers: list[int] = []
    over = anyio.Event()

    def send(command: Command) -> None:
        numbers.append(len(numbers) + 1)
        engine.send(command, numbers[-1], "chance")

    async def disturb() -> None:
        for _ in range(chance.randint(0, 25)):
            send(_command(chance, list(graph.names)))
            if chance.random() < 0.5:
                await anyio.sleep(chance.choice([0, 0, 0.0005]))
        while not over.is_set():  # let go of everything, so that the run can end
            send(cmd.ContinueRun())
            for index in list(engine.machine.ledger.held):
                send(cmd.ReleaseTask(graph.names[index]))
            await anyio.sleep(0.001)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(disturb)
            await executor.run()
            over.set()
            group.cancel_scope.cancel()
    machine = engine.machine
    check_invariants(machine)
    assert machine.is_over
    assert machine.active == 0
    assert not engine.workers.running
    replayed = Ledger(machine.plan)
    for event in kept.events:
        replayed.apply(event)
    assert replayed.state == machine.ledger.state
    assert replayed.attempt == machine.ledger.attempt
    answered = [event.id for event in kept.events if isinstance(event, (ev.CommandApplied, ev.CommandRefused))]
    assert answered == numbers[: len(answered)]
    finished = sum(isinstance(event, ev.RunFinished) for event in kept.events)
    assert finished == 1 + sum(isinstance(event, ev.RunReopened) for event in kept.events)


@pytest.mark.parametrize("seed", range(0, RUNS, 10))
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_B26_random_commands_against_a_real_engine(seed: int) -> None:
    for i in range(seed, seed + 10):
        await _story(i, threads=True)


class TestVirtualTime:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "trio", {"clock": MockClock(autojump_threshold=0)}

    @pytest.mark.parametrize("seed", range(1_000, 1_000 + RUNS, 10))
    async def test_B26_random_commands_against_a_real_engine_on_a_virtual_clock(self, seed: int) -> None:
        """It found that a wait shorter than the clock's rounding never ends: what was due stayed due in no time, for ever."""
        for i in range(seed, seed + 10):
            await _story(i, threads=False)
