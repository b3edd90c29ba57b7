"""As many tasks as you like, to see how dagtop feels at scale.

    dagtop sample_graphs/wide.py                                    1,000 tasks in layers
    dagtop sample_graphs/wide.py -p n=20000 -p seconds=0.01
    dagtop sample_graphs/wide.py -p shape=chain -p n=500

Shows `Graph.from_specs`: the tasks are data (a dict of specs and a dict of dependencies), and one async function runs
them all. Each sleeps about `seconds` and returns how long the longest way to it is, so the outputs can be checked.

Parameters: n (tasks), width (tasks in a layer; 0 chooses), seconds (of sleep), shape (layers, wide, chain, random), seed.
"""

from __future__ import annotations

import random
from typing import Any

import anyio
from dagtop import Graph

SHAPES = ("layers", "wide", "chain", "random")


async def work(task: str, spec: dict[str, Any]) -> int:
    """Sleep a while; one more than the largest number that comes from upstream."""
    await anyio.sleep(spec["seconds"])
    return 1 + max(spec["_dep_outputs"].values(), default=0)


def upstream_of(place: int, n: int, width: int, shape: str, dice: random.Random) -> set[int]:
    """The places of the tasks that the task at `place` waits for."""
    match shape:
        case "wide":
            return set()
        case "chain":
            return {place - 1} if place else set()
        case "random":
            return {dice.randrange(place) for _ in range(dice.randrange(3))} if place else set()
        case _:
            first = place - place % width - width
            return {first + dice.randrange(width) for _ in range(2)} if first >= 0 else set()


def build(
    n: int = 1000, width: int = 0, seconds: float = 0.05, shape: str = "layers", seed: int = 1, max_parallel: int = 64
) -> Graph:
    """The graph, the same for the same parameters."""
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {', '.join(SHAPES)}, not {shape!r}")
    dice = random.Random(seed)
    width = width or max(1, min(100, int(n**0.5)))
    digits = len(str(max(n - 1, 0)))
    names = [f"{shape}_{place:0{digits}}" for place in range(n)]
    return Graph.from_specs(
        f"{shape} of {n:,}",
        tasks={name: {"seconds": seconds * dice.uniform(0.5, 1.5)} for name in names},
        dependencies={
            name: {names[i] for i in upstream_of(place, n, width, shape, dice)} for place, name in enumerate(names)
        },
        run=work,
        max_parallel=max_parallel,
    )
