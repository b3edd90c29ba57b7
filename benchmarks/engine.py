"""What the engine itself costs, as ratios to a floor measured in the same run: `python benchmarks/engine.py`.

Every system runs the same graph with the same body that does nothing, so all that is measured is building the graph, checking
it, scheduling, events and results. The floor is the least that asyncio itself asks for: one `asyncio.Task` per node
and a counter of missing dependencies. Floor and system alternate, so the ratio holds when the machine's speed drifts.

    --workloads wide,chain,layered,random   --sizes 1000,10000   --repeat 5
    --systems dagtop,dagtop-journal,dagtop-watched,wave-executor,sdax   (peers are left out when they are not installed)

`dagtop` here is the class that other harnesses may call: `run(graph, body, limit)` with graph: node -> list of nodes,
body.a: an async function of a node.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import math
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

perf = time.perf_counter
Dependencies = dict[str, list[str]]

#: The bars of docs: at most this many times the floor.
BARS = {"dagtop": 2.0, "dagtop-journal": 3.0}


# -- workloads --------------------------------------------------------------------------------------------------------


def wide(n: int) -> Dependencies:
    """No dependencies at all."""
    return {f"t{i}": [] for i in range(n)}


def chain(n: int) -> Dependencies:
    """Each node needs the one before it."""
    return {f"t{i}": ([f"t{i - 1}"] if i else []) for i in range(n)}


def layered(n: int) -> Dependencies:
    """A square of layers; each node needs two or three of the layer before."""
    rng = random.Random(1)
    width = max(4, math.isqrt(n))
    graph: Dependencies = {}
    before: list[str] = []
    for first in range(0, n, width):
        layer = [f"t{i}" for i in range(first, min(n, first + width))]
        for name in layer:
            graph[name] = rng.sample(before, min(rng.choice((2, 3)), len(before)))
        before = layer
    return graph


def random_dag(n: int) -> Dependencies:
    """Each node needs four earlier ones on average."""
    rng = random.Random(1)
    return {f"t{i}": [f"t{j}" for j in rng.sample(range(i), min(i, rng.randint(0, 8)))] for i in range(n)}


WORKLOADS: dict[str, Callable[[int], Dependencies]] = {
    "wide": wide,
    "chain": chain,
    "layered": layered,
    "random": random_dag,
}


class Body:
    """What every node does: it leaves its name behind."""

    def __init__(self) -> None:
        self.order: list[str] = []
        leave = self.order.append

        async def a(node: str) -> None:
            leave(node)

        self.a = a

    def check(self, graph: Dependencies) -> None:
        """Raise AssertionError unless each node ran once and after what it needs."""
        place = {node: i for i, node in enumerate(self.order)}
        assert len(place) == len(self.order) == len(graph), "each node once"
        assert all(place[need] < place[node] for node, needs in graph.items() for need in needs), "in order"


# -- systems ----------------------------------------------------------------------------------------------------------


async def floor(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """One asyncio task per node, made when its dependencies are done."""
    begun = perf()
    missing = {node: len(needs) for node, needs in graph.items()}
    fed: dict[str, list[str]] = {node: [] for node in graph}
    for node, needs in graph.items():
        for need in needs:
            fed[need].append(node)
    loop = asyncio.get_running_loop()
    alive: dict[str, asyncio.Task[None]] = {}
    left = len(graph)
    done = loop.create_future()

    async def run(node: str) -> None:
        nonlocal left
        await body.a(node)
        for below in fed[node]:
            missing[below] -= 1
            if not missing[below]:
                alive[below] = loop.create_task(run(below))
        del alive[node]
        left -= 1
        if not left:
            done.set_result(None)

    for node, count in missing.items():
        if not count:
            alive[node] = loop.create_task(run(node))
    await done
    return perf() - begun


class _Count:
    """A recorder: events are on, and somebody takes them."""

    def __init__(self) -> None:
        self.events = 0

    def record(self, first: int, batch: Any) -> None:
        self.events += len(batch)


class dagtop:  # noqa: N801 - named as other harnesses call it
    """dagtop's engine on the running loop."""

    def __init__(self, *, journal: bool = False) -> None:
        self._journal = journal

    async def run(self, graph: Dependencies, body: Any, limit: int | None = None) -> float:
        """Seconds for building, checking and running the graph."""
        from dagtop import DAGExecutor, Graph  # noqa: PLC0415 - the import is not what is measured

        async def node(name: str, spec: None) -> None:
            await body.a(name)

        with tempfile.TemporaryDirectory() as folder:
            journal = None
            if self._journal:
                from dagtop.journal.sqlite import SqliteJournal  # noqa: PLC0415

                journal = SqliteJournal(Path(folder) / "journal.db")  # making the file is not what is measured
            events = _Count()
            options = {} if limit is None else {"max_parallel": limit}
            begun = perf()
            made = Graph.from_specs("bench", tasks=dict.fromkeys(graph), dependencies=graph, run=node, **options)
            result = await DAGExecutor(made, recorders=[events], capture=False, journal=journal).run()
            took = perf() - begun
            if journal is not None:
                journal.close()
            assert result.ok, result
            assert events.events == 3 * len(graph) + 2, "events are on"
            return took


async def dagtop_watched(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """dagtop in a thread of its own, with somebody who looks at each snapshot ten times a second."""
    from dagtop import DAGExecutor, Graph  # noqa: PLC0415
    from dagtop.runtime.thread import EngineThread  # noqa: PLC0415

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


async def wave_executor(graph: Dependencies, body: Any, limit: int | None = None) -> float:
    """The peer: wave-executor."""
    from wave_executor import DAGExecutor, WaveConfig  # noqa: PLC0415

    async def run(task_id: str, spec: object) -> None:
        await body.a(task_id)

    begun = perf()
    config = WaveConfig(adaptive_batch_window=False, max_parallel_per_wave=len(graph), emit_events=False)
    needs = {node: set(found) for node, found in graph.items()}
    await DAGExecutor(config).execute({node: {} for node in graph}, needs, run)
    return perf() - begun


SYSTEMS: dict[str, Callable[..., Awaitable[float]]] = {
    "dagtop": dagtop().run,
    "dagtop-journal": dagtop(journal=True).run,
    "dagtop-watched": dagtop_watched,
    "wave-executor": wave_executor,
}
NEEDS = {"wave-executor": "wave_executor"}


# -- measuring --------------------------------------------------------------------------------------------------------


def timed(system: Callable[..., Awaitable[float]], graph: Dependencies) -> float:
    """Seconds per node; small graphs are run several times."""
    spent, runs = 0.0, 0
    while runs < max(1, 3000 // len(graph)):
        body = Body()
        gc.collect()
        spent += asyncio.run(system(graph, body))  # type: ignore[arg-type]
        body.check(graph)
        runs += 1
    return spent / runs / len(graph)


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
    from dagtop import DAGExecutor, Graph  # noqa: PLC0415

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
    import tracemalloc  # noqa: PLC0415

    from dagtop import DAGExecutor, Graph  # noqa: PLC0415

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
    print(f"memory above the graph, {size:,} tasks   {per_task:.2f} KB/task at the peak   bar 1.5: {verdict}", flush=True)
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
    sys.setrecursionlimit(1000)
    threading.stack_size(0)
    gc.collect()
    gc.freeze()
    for name in chosen.systems.split(","):
        if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
            print(f"{name:16} not installed, left out")
            continue
        for workload in chosen.workloads.split(","):
            for size in map(int, chosen.sizes.split(",")):
                compare(name, workload, size, chosen.repeat)
    gaps(10_000)
    memory(chosen.memory_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
