"""Random graphs that grow, cut off after any event and gone on with, twice: the same comes out, and no finished leaf runs again.

A cut is what a `kill -9` leaves: the first so many events, and the outputs that were committed with them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from dagtop import DAGExecutor, ExecutorConfig, Graph, RunResult, TaskContext
from dagtop.core import events as ev
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.resume import plan_resumption
from hypothesis import given, settings
from hypothesis import strategies as st


@dataclass(frozen=True)
class Node:
    """A task, and those that it spawns."""

    children: tuple[Node, ...] = ()
    before: bool = False
    """The report waits for it."""
    maps: int = 0
    """It maps over so many numbers, if it is one of the graph's own."""


NODES = st.recursive(
    st.builds(Node, before=st.booleans()),
    lambda inner: st.builds(Node, children=st.lists(inner, max_size=3).map(tuple), before=st.booleans()),
    max_leaves=8,
)
GRAPHS = st.lists(st.tuples(NODES, st.integers(0, 3)), min_size=1, max_size=3)


class World:
    """Builds the graph anew for each process, and counts what is called."""

    def __init__(self, roots: list[tuple[Node, int]]) -> None:
        self.roots, self.calls, self.leaves = roots, Counter[str](), set[str]()

    def graph(self) -> Graph:
        graph = Graph("world")
        for number, (root, mapped) in enumerate(self.roots):
            name = f"r{number}"
            graph.add(name, self._work(root, waited_for=True))
            graph.add(f"list{number}", self._list(mapped))
            graph.map(f"map{number}", self._element(f"map{number}"), over=f"list{number}", limit=2)
        count = len(self.roots)
        needs = [f"{kind}{number}" for number in range(count) for kind in ("r", "map")]

        async def report(ctx: TaskContext) -> dict[str, Any]:
            self.calls["report"] += 1
            return dict(sorted(ctx.upstream.items()))

        return graph.add("report", report, depends_on=needs)

    def _work(self, node: Node, *, waited_for: bool) -> Any:
        async def work(ctx: TaskContext) -> str:
            self.calls[ctx.task] += 1
            for place, child in enumerate(node.children):
                name = f"{ctx.task}.{place}"
                before = waited_for and child.before
                if not child.children:
                    self.leaves.add(name)
                ctx.spawn(name, self._work(child, waited_for=before), before=["report"] if before else [])
            return f"did {ctx.task}"

        return work

    def _list(self, length: int) -> Any:
        async def numbers(ctx: TaskContext) -> list[int]:
            self.calls[ctx.task] += 1
            return list(range(length))

        return numbers

    def _element(self, name: str) -> Any:
        async def element(number: int) -> int:
            self.calls[f"{name}[{number}]"] += 1
            self.leaves.add(f"{name}[{number}]")
            return number * 10

        return element


def run(world: World, journal: MemoryJournal, max_parallel: int) -> RunResult:
    graph, resume = world.graph(), None
    if journal.runs():
        resume = plan_resumption(journal.load("r1"), graph.validate(), graph.fingerprints())
    executor = DAGExecutor(
        graph, ExecutorConfig(max_parallel=max_parallel), journal=journal, run_id="r1", resume=resume, capture=False
    )
    return asyncio.run(executor.run())


def cut(journal: MemoryJournal, share: float) -> set[str]:
    """Leave the beginning of what the latest process recorded: which tasks had finished."""
    kept = journal._runs["r1"]
    first = kept.sessions[-1].first
    kept.events = kept.events[: first + int(share * (len(kept.events) - first))]
    history = journal.load("r1").history()
    done = {name: task.result for name, task in history.tasks.items() if task.result is not None}
    kept.outputs = {
        place: output
        for place, output in kept.outputs.items()
        if place[0] < len(kept.sessions) or (place[1] in done and done[place[1]].session == place[0])
    }
    return set(done)


@given(GRAPHS, st.lists(st.floats(0, 1), min_size=1, max_size=3), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_B38_wherever_it_is_cut_off_the_same_comes_out_and_no_finished_leaf_runs_again(
    roots: list[tuple[Node, int]], cuts: list[float], max_parallel: int
) -> None:
    world, journal = World(roots), MemoryJournal()
    whole = run(world, journal, max_parallel)
    assert whole.ok
    everything = {task.name: task.output for task in whole}
    for share in cuts:
        done = cut(journal, share)
        world.calls.clear()
        result = run(world, journal, max_parallel)
        assert result.ok
        assert {task.name: task.output for task in result}.items() <= everything.items()
        assert result["report"].output == everything["report"]
        again = {name for name in world.calls if name in done and name in world.leaves}
        assert again == set()
        finished = {
            event.task for event in journal.load("r1").events() if isinstance(event, (ev.TaskSucceeded, ev.TaskCached))
        }
        assert finished == set(everything)
        assert max(world.calls.values(), default=0) <= 1
