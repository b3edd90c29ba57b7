"""Graphs to measure engines with, the body that does nothing, and the floor: what asyncio itself asks for."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable
from typing import Any

perf = time.perf_counter
Dependencies = dict[str, list[str]]


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
        self.s = leave

    def check(self, graph: Dependencies) -> None:
        """Raise AssertionError unless each node ran once and after what it needs."""
        place = {node: i for i, node in enumerate(self.order)}
        assert len(place) == len(self.order) == len(graph), "each node once"
        assert all(place[need] < place[node] for node, needs in graph.items() for need in needs), "in order"


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
