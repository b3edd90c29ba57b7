"""B36 on the whole engine: whatever happens to tasks, each setup that started has one teardown, and every service one end.

Random graphs whose tasks, setups, teardowns, conditions and services misbehave, with random commands at random instants.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from dagtop import DAGExecutor, ExecutorConfig, Graph, Retry, Skip
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.commands import Command
from dagtop.core.invariants import check_invariants
from dagtop.core.ledger import Ledger

pytestmark = pytest.mark.anyio

RUNS = 25


class Kept:
    """A recorder that keeps everything."""

    def __init__(self) -> None:
        self.events: list[ev.AnyEvent] = []

    def record(self, first: int, batch: Sequence[ev.AnyEvent]) -> None:
        assert first == len(self.events) + 1
        self.events += batch


class Story:
    """What happened, told by the functions themselves."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.steps: list[tuple[str, str]] = []

    def misbehave(self) -> bool:
        """Maybe raise; else whether to wait a little."""
        dice = self.rng.random()
        if dice < 0.15:
            raise self.rng.choice([ValueError, OSError, SystemExit])
        if dice < 0.2:
            raise Skip("enough")
        return dice < 0.6

    def step(self, kind: str, name: str, *, good: bool = False) -> Callable[..., Any]:
        """A function, sync or async, that says it was called."""

        def plain() -> str:
            self.steps.append((kind, name))
            if not good:
                self.misbehave()
            return name

        async def on_loop() -> str:
            self.steps.append((kind, name))
            if good or self.misbehave():
                for _ in range(self.rng.randrange(4)):
                    await anyio.lowlevel.checkpoint()
                await anyio.sleep(self.rng.random() * 0.001)
            return name

        return plain if self.rng.random() < 0.3 else on_loop


def service(story: Story, name: str) -> Callable[..., Any]:
    if story.rng.random() < 0.4:

        def plain() -> Iterator[str]:
            story.misbehave()
            story.steps.append(("open", name))
            yield name
            story.steps.append(("close", name))
            story.misbehave()

        return plain

    async def on_loop() -> AsyncIterator[str]:
        if story.misbehave():
            await anyio.sleep(0.0005)
        story.steps.append(("open", name))
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0.0001)
            yield name
        story.steps.append(("close", name))
        story.misbehave()

    return on_loop


def some_graph(story: Story) -> Graph:
    rng = story.rng
    graph = Graph("fuzz", max_parallel=rng.choice([1, 3, 32]))
    services = [f"service{i}" for i in range(rng.randrange(3))]
    for name in services:
        graph.service(service(story, name), name=name)
    if rng.random() < 0.3:
        graph.setup(story.step("setup", "the graph", good=rng.random() < 0.7))
    if rng.random() < 0.3:
        graph.teardown(story.step("teardown", "the graph"))
    for i in range(rng.randrange(1, 12)):
        name = f"t{i}"
        options: dict[str, Any] = {"depends_on": [f"t{j}" for j in range(i) if rng.random() < 0.3]}
        if rng.random() < 0.6:
            options["setup"] = story.step("setup", name)
        if rng.random() < 0.8:
            options["teardown"] = story.step("teardown", name)
        if rng.random() < 0.3:
            options["when"] = story.step("when", name)
        if rng.random() < 0.3:
            options["timeout"] = rng.choice([0.0003, 0.001])
        options["retries"] = Retry(retries=rng.randrange(3), base=0.0001, on=(ValueError, OSError))
        options["trigger"] = rng.choice(["all_success", "all_done", "any_success", "none_failed"])
        graph.add(name, using(story, name, services), **options)
    return graph


def using(story: Story, name: str, services: list[str]) -> Callable[..., Any]:
    works = story.step("run", name)
    if not services or story.rng.random() < 0.5:
        return works
    wanted = story.rng.choice(services)

    async def uses(ctx: Any) -> str:
        assert await ctx.service(wanted) == wanted
        return name

    return uses if story.rng.random() < 0.7 else lambda ctx: ctx.service(wanted)


def some_command(rng: random.Random, names: list[str]) -> Command:
    task = rng.choice(names)
    return rng.choice(
        [
            cmd.CancelTask(task),
            cmd.CancelTask(task),
            cmd.RestartTask(task),
            cmd.RestartTask(task, downstream=True),
            cmd.PauseRun(),
            cmd.ContinueRun(),
            cmd.CancelRun(),
            cmd.DrainRun(),
        ]
    )


async def one_run(seed: int) -> None:
    rng = random.Random(seed)
    story = Story(rng)
    graph = some_graph(story)
    kept = Kept()
    executor = DAGExecutor(graph, ExecutorConfig(cancel_grace=5.0), recorders=[kept], capture=False)
    engine = executor.prepare()
    names = list(graph.names)

    async def meddle() -> None:
        for number in range(rng.randrange(6)):
            await anyio.sleep(rng.random() * 0.004)
            engine.send(some_command(rng, names), number + 1, "fuzz")
        engine.send(cmd.ContinueRun(), 99, "fuzz")

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(meddle)
            await executor.run()
            group.cancel_scope.cancel()
    check_invariants(engine.machine)
    assert not engine.workers.running
    assert not engine.aside.chores.are_there
    replayed = Ledger(engine.machine.plan)
    for event in kept.events:
        replayed.apply(event)
    assert replayed.state == engine.machine.ledger.state
    check_story(story, graph)


def check_story(story: Story, graph: Graph) -> None:
    """No teardown without a setup or an attempt, none missing, none twice, nothing of the task after it."""
    around = graph.checked().around
    for index, name in enumerate(graph.names):
        mine = [kind for kind, whose in story.steps if whose == name and kind != "when"]
        lives = " ".join(mine).split("teardown")
        if index not in around.teardowns:
            continue
        torn = lives[:-1]
        assert not lives[-1].strip(), (name, mine)
        if index in around.setups:
            assert all("setup" in life for life in torn), (name, mine)
    count = Counter(story.steps)
    for name in around.services:
        assert count["open", name] == count["close", name], (name, story.steps)
    if around.setup is not None and around.teardown is not None:
        assert (count["setup", "the graph"] > 0) == (count["teardown", "the graph"] > 0)


@pytest.mark.parametrize("block", range(5))
async def test_B36_whatever_happens_what_was_set_up_is_torn_down_once(block: int) -> None:
    for seed in range(block * RUNS, (block + 1) * RUNS):
        await one_run(seed)
