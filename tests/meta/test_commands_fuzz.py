"""Services in nodes, and a person who does anything to anything at any time: the run comes to its end, and replays to itself."""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest
from dagtop import Graph, MetaDAG, Reconciler, TaskContext
from dagtop.core import commands as do
from dagtop.core.ledger import Ledger
from dagtop.core.states import FINAL
from dagtop.testing import rehearse

FOREVER = 1e6


def service(dice: random.Random) -> Any:
    lives = [(dice.choice([0, 1, 3]), dice.choice([5, 20, FOREVER]), dice.random() < 0.4) for _ in range(8)]

    async def serve(ctx: TaskContext) -> None:
        begins, lasts, crashes = lives[ctx.attempt % len(lives)]
        await anyio.sleep(begins)
        ctx.ready(ctx.attempt)
        await anyio.sleep(lasts)
        if crashes:
            raise OSError("gone")

    return serve


def work(dice: random.Random) -> Any:
    seconds, fails = dice.choice([0, 1, 4, 10]), dice.random() < 0.15

    async def run() -> None:
        await anyio.sleep(seconds)
        if fails:
            raise ValueError("no")

    return run


def graph(dice: random.Random, *, services: bool) -> Graph:
    made, names = Graph("g", fail_fast=dice.random() < 0.1 or None), list[str]()
    for number in range(dice.randint(1, 4)):
        above = [name for name in names if dice.random() < 0.4]
        names.append(f"t{number}")
        if services and dice.random() < 0.7:
            restart = dice.choice(["always", "on-failure"])
            ceiling = dice.choice([None, 1, 2])
            made.add(names[-1], service(dice), depends_on=above, restart=restart, max_restarts=ceiling)
        else:
            made.add(names[-1], work(dice), depends_on=above)
    return made


def meta(dice: random.Random, depth: int = 0) -> MetaDAG:
    made, names = MetaDAG("m"), list[str]()
    for number in range(dice.randint(1, 4)):
        above = [name for name in names if dice.random() < 0.5]
        names.append(f"n{number}")
        kind = dice.random()
        node: Any = graph(dice, services=False)
        if kind > 0.75 and depth < 2:
            node = meta(dice, depth + 1)
        elif kind > 0.3:
            node = Reconciler(graph(dice, services=True))
        made.add(
            node, name=names[-1], depends_on=above, trigger=dice.choice(["all_success", "all_success", "all_done"])
        )
    return made


def command(dice: random.Random, names: list[str]) -> do.Command:
    name = dice.choice(names)
    told: list[do.Command] = [
        do.RestartTask(name, dice.random() < 0.7), do.StopTask(name), do.StartTask(name), do.CancelTask(name),
        do.HoldTask(name), do.ReleaseTask(name), do.SkipTask(name), do.MarkSucceeded(name), do.RetryFailed(), do.PauseRun(),
        do.ContinueRun(), do.SetPolicy(name, restart=dice.choice(["no", "always"])), do.SetPolicy(name, max_restarts=5),
    ]  # fmt: skip
    return dice.choice(told)


@pytest.mark.parametrize("seed", range(60))
def test_B35_whatever_is_done_to_nodes_of_services_the_run_ends_and_its_events_replay_to_how_it_was(seed: int) -> None:
    dice = random.Random(seed)
    made = meta(dice)
    plan = made.validate()
    names = list(plan.names)
    commands = sorted(
        ((dice.randint(0, 60), command(dice, names)) for _ in range(dice.randint(0, 12))), key=lambda it: it[0]
    )
    at_last = [do.ContinueRun(), *map(do.ReleaseTask, names), do.DrainRun(), do.CancelRun()]
    run = rehearse(made, commands=[*commands, *((100 + number, one) for number, one in enumerate(at_last))])
    states = {task.name: task.state for task in run.result}
    assert set(states.values()) <= FINAL
    replayed = Ledger(plan)
    for event in run.events:
        replayed.apply(event)
    assert dict(zip(plan.names, replayed.state, strict=True)) == states
