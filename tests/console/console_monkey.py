"""What monkeys at the console need: runs of all kinds, keys, and whether screen and engine agree at the end."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator

import anyio
from dagtop import Breaker, DAGExecutor, ExecutorConfig, Graph, MetaDAG, Reconciler, Retry, Skip, TaskContext
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import FINAL, GOOD
from dagtop.graph.runnable import Runnable
from dagtop.runtime.thread import EngineThread
from dagtop_app.actions import ACTIONS
from dagtop_app.console import ConsoleApp
from dagtop_app.faces import RUN_FACES, face_of
from dagtop_app.text import name_of
from textual.pilot import Pilot

#: How many keys each test presses.
KEYS = int(os.environ.get("DAGTOP_MONKEY", "80"))
SIZES = ((80, 24), (100, 30), (132, 40), (160, 45), (60, 15), (40, 10), (200, 60), (80, 24))
#: They leave the console, or hand the terminal to another program.
LEAVES = {"q", "ctrl+q", "ctrl+c", "ctrl+z", "f10"}
TYPED = (
    *"abehiotz0189*[]()!~/:_-. ",
    "enter",
    "escape",
    "tab",
    "backspace",
    "up",
    "down",
    "left",
    "right",
    "home",
    "end",
    "delete",
)


def flaky() -> Graph:
    """Successes, retries, failures, skips, gates, breakers, pools, spawned tasks, names and lines of all kinds."""
    graph = Graph(
        "monkey [b]bars[/]",
        max_parallel=6,
        pools={"db": 2},
        breakers=[Breaker("of the monkey", failure_threshold=2, recovery_timeout=0.2)],
    )

    async def works(ctx: TaskContext) -> int:
        ctx.log.info("begins \x1b[31mred\x1b[0m [bold]")
        for done in range(3):
            ctx.progress(done, 3, "on it")
            await anyio.sleep(0.02)
        return 1

    async def fails(ctx: TaskContext) -> None:
        await anyio.sleep(0.01)
        if ctx.attempt % 3:
            raise OSError("no [/] \x1b[2J luck")

    async def spawns(ctx: TaskContext) -> None:
        for number in range(4):
            ctx.spawn(f"child[{number}]", works)

    def skips() -> None:
        raise Skip("not today")

    for number in range(12):
        graph.add(f"works[{number}]", works, pool="db" if number % 3 == 0 else "", priority=number)
    for number in range(6):
        graph.add(
            f"fails_{number}",
            fails,
            retries=Retry(2, base=0.05),
            circuit="of the monkey",
            depends_on=[f"works[{number}]"],
        )
        graph.add(f"after {number} 名前", works, depends_on=[f"fails_{number}"], tags=["late"])
    graph.add("spawns", spawns, depends_on=["works[0]"])
    graph.add("skips", skips, depends_on=["works[1]"])
    graph.add("gate", works, depends_on=["skips"], gate="really?", trigger="all_done")
    return graph


def quick() -> Graph:
    """Over before anybody has looked."""
    graph = Graph("quick")

    def works(ctx: TaskContext) -> int:
        print("done", ctx.task)
        return 1

    def fails() -> None:
        raise ValueError("no [/] luck")

    graph.add("works", works)
    for number in range(20):
        graph.add(f"load[{number}]", works, depends_on=["works"], priority=number)
    graph.add("fails", fails, depends_on=["load[3]"])
    graph.add("never", works, depends_on=["fails"])
    return graph


def services() -> Reconciler:
    graph = Graph("kept")

    async def serves(ctx: TaskContext) -> None:
        ctx.ready()
        await anyio.sleep(0.5 if ctx.task.endswith("crashes") else 3600)
        raise OSError("crash")

    graph.add("serves", serves, replicas=2)
    graph.add("crashes", serves, depends_on=["serves"], restart_backoff=0.05, max_restarts=3)
    return Reconciler(graph, restart="always")


def nested() -> MetaDAG:
    return MetaDAG("nest").add(services()).add(flaky(), name="flaky", depends_on=["kept"])


def executor_of(made: Runnable | Reconciler) -> DAGExecutor:
    return made.executor() if isinstance(made, Reconciler) else DAGExecutor(made, ExecutorConfig(), capture=True)


def keys_of(dice: random.Random) -> Iterator[str]:
    """Keys of all views, those of a menu or a line that has opened, and any other."""
    known = [key for action in ACTIONS for key in action.keys.split(",") if key and key not in LEAVES]
    while True:
        yield dice.choice(known if dice.random() < 0.7 else TYPED)


async def settled(pilot: Pilot[None], app: ConsoleApp, engine: EngineThread) -> RunSnapshot:
    """The screen as it is when nothing happens any more."""
    end = time.monotonic() + 30
    while True:
        app.main.poll()
        await pilot.pause(0.05)
        snapshot = engine.latest
        if app.bridge.snapshot.version == snapshot.version and all(row.state in FINAL for row in snapshot.rows):
            return snapshot
        assert time.monotonic() < end, "it does not come to rest"


def agrees(app: ConsoleApp, snapshot: RunSnapshot) -> None:
    """Every task that the table shows is in the state that the engine says."""
    assert app.main.view == "tasks"
    lines = ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]
    assert RUN_FACES[snapshot.state].word in lines[0]
    words = {name_of(row.name): face_of(row).word for row in snapshot.rows}
    shown = {
        name: line
        for line in lines[5:-3]
        for name in words
        if re.match(rf".{{1,4}}{re.escape(name)} ", line)
        and not any(name != other and name in other in line for other in words)
    }
    assert {name: line for name, line in shown.items() if words[name] not in line} == {}
    assert [row.state for row in app.main.roster.snapshot.rows] == [row.state for row in snapshot.rows]
    ok = sum(snapshot.counts[state] for state in GOOD) - sum(
        snapshot.rows[node].state in GOOD for node in snapshot.plan.nodes
    )
    assert f"✔ {ok} ok" in lines[1] or not ok
