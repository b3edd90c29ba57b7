"""What the engine itself costs, as ratios to a floor measured in the same run: `python benchmarks/engine.py`.

Every system runs the same graph with the same body that does nothing, so all that is measured is building the graph, checking
it, scheduling, events and results. The floor is the least that asyncio itself asks for: one `asyncio.Task` per node
and a counter of missing dependencies. Floor and system alternate, so the ratio holds when the machine's speed drifts.

    --workloads wide,chain,layered,random   --sizes 1000,10000   --repeat 5
    --systems dagtop,dagtop-journal,dagtop-watched,wave-executor,…   (default: dagtop and every peer that is installed)

`dagtop` and `dagtop_journal` here may be called by other harnesses too: `await dagtop(graph, body, limit)` with
graph: node -> list of nodes in topological order, and body.a: an async function of a node; seconds come back.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import peers
from dagtop import DAGExecutor, Graph
from dagtop.journal.sqlite import SqliteJournal
from dagtop.runtime.thread import EngineThread
from workloads import WORKLOADS, Body, Dependencies, floor, layered, perf

#: The bars: at most this many times the floor.
BARS = {"dagtop": 2.0, "dagtop-journal": 3.0}


class _Count:
    """A recorder: events are on, and somebody takes them."""

    def __init__(self) -> None:
        self.events = 0

    def record(self, first: int, batch: Any) -> None:
        self.events += len(batch)


async def dagtop(
    graph: Dependencies, body: Any, limit: int | None = None, *, journal: SqliteJournal | None = None
) -> float:
    """dagtop's engine on the running loop, with events on: seconds for building, checking and running the graph."""

    async def node(name: str, spec: None) -> None:
        await body.a(name)

    events = _Count()
    options = {} if limit is None else {"max_parallel": limit}
    begun = perf()
    made = Graph.from_specs("bench", tasks=dict.fromkeys(graph), dependencies=graph, run=node, **options)
    result = await DAGExecutor(made, recorders=[events], capture=False, journal=journal).run()
    took = perf() - begun
    assert result.ok, result
    assert events.events == 3 * len(graph) + 2, "events are on"
    return took


async def dagtop_journal(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """The same, and every event is in a SQLite file when it returns. The file was made before."""
    with tempfile.TemporaryDirectory() as folder:
        journal = SqliteJournal(Path(folder) / "journal.db")
        try:
            return await dagtop(graph, body, limit, journal=journal)
        finally:
            journal.close()


async def dagtop_watched(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """dagtop in a thread of its own, with somebody who looks at each snapshot ten times a second."""

    async def node(name: str, spec: None) -> None:
        await body.a(name)

    begun = perf()
    made = Graph.from_specs("bench", tasks=dict.fromkeys(graph), dependencies=graph, run=node)
    engine = EngineThread(DAGExecutor(made, capture=False))
    engine.start()
    while not engine.join(0.1):
        assert engine.latest.rows is not None
    assert engine.result is not None, engine.error
    assert engine.result.ok
    return perf() - begun


SYSTEMS: dict[str, peers.System] = {
    "dagtop": dagtop,
    "dagtop-journal": dagtop_journal,
    "dagtop-watched": dagtop_watched,
    **peers.installed(),
}


# -- measuring --------------------------------------------------------------------------------------------------------


def timed(system: peers.System, graph: Dependencies) -> float:
    """Seconds per node; small graphs are run several times."""
    spent, runs = 0.0, 0
    while runs < max(1, 3000 // len(graph)):
        body = Body()
        gc.collect()
        spent += asyncio.run(_awaited(system, graph, body))
        body.check(graph)
        runs += 1
    return spent / runs / len(graph)


async def _awaited(system: peers.System, graph: Dependencies, body: Body) -> float:
    return await system(graph, body)


def compare(name: str, workload: str, size: int, repeat: int) -> float:
    """Print one line; the ratio to the floor."""
    graph = WORKLOADS[workload](size)
    own, least = [], []
    for _ in range(repeat):
        own.append(timed(SYSTEMS[name], graph))
        least.append(timed(floor, graph))
    ratio = statistics.median(own) / statistics.median(least)
    bar = BARS.get(name)
    verdict = "" if bar is None else f"   bar {bar:g}: {'reached' if ratio <= bar else 'MISSED'}"
    micro = statistics.median(own) * 1e6
    print(f"{name:16} {workload:8} {size:>7,}   {micro:6.2f} µs/task   {ratio:5.2f} × floor{verdict}", flush=True)
    return ratio


async def _longest_gap(graph: Dependencies) -> float:
    """Longest time in seconds that the loop did not come round while dagtop ran the graph flat out."""

    async def node(name: str, spec: None) -> None:
        return None

    made = Graph.from_specs("bench", tasks=dict.fromkeys(graph), dependencies=graph, run=node)
    executor = DAGExecutor(made, capture=False)
    longest = 0.0
    over = False

    async def tick() -> None:
        nonlocal longest
        last = perf()
        while not over:
            await asyncio.sleep(0)
            now = perf()
            longest, last = max(longest, now - last), now

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await executor.run()
    over = True
    await ticker
    return longest


def gaps(size: int) -> None:
    """Print the longest gap of the loop for each workload."""
    for workload, make in WORKLOADS.items():
        graph = make(size)
        worst = statistics.median(asyncio.run(_longest_gap(graph)) for _ in range(5)) * 1e3
        verdict = "reached" if worst <= 20 else "MISSED"
        print(f"longest gap of the loop, {workload:8} {size:>7,}   {worst:5.1f} ms   bar 20: {verdict}", flush=True)


def memory(size: int) -> None:
    """Print what a run takes per task above the graph itself."""

    async def node(name: str, spec: None) -> None:
        return None

    graph = layered(size)
    made = Graph.from_specs("bench", tasks=dict.fromkeys(graph), dependencies=graph, run=node)
    made.validate()
    gc.collect()
    tracemalloc.start()
    result = asyncio.run(DAGExecutor(made, capture=False).run())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    per_task = peak / size / 1024
    verdict = "reached" if per_task <= 1.5 else "MISSED"
    print(
        f"memory above the graph, {size:,} tasks   {per_task:.2f} KB/task at the peak   bar 1.5: {verdict}", flush=True
    )
    assert result.ok


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--sizes", default="1000,10000")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--memory-size", type=int, default=100_000)
    chosen = parser.parse_args()
    gc.collect()
    gc.freeze()
    for name in chosen.systems.split(","):
        if name not in SYSTEMS:
            print(f"{name:16} not installed, left out")
            continue
        for workload in chosen.workloads.split(","):
            for size in map(int, chosen.sizes.split(",")):
                try:
                    compare(name, workload, size, chosen.repeat)
                except Exception as error:  # noqa: BLE001 - a peer that breaks is a result, not the end of the run
                    print(f"{name:16} {workload:8} {size:>7,}   broke: {type(error).__name__}: {error}"[:200])
    gaps(10_000)
    memory(chosen.memory_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
