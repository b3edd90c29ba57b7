"""What hiding secrets costs, as ratios of the same run with and without: `python benchmarks/hiding.py`.

With and without alternate, so the ratio holds when the machine's speed drifts; the least processor time of each counts.

    --repeat 7   --tasks 10000   --lines 20000
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any

from dagtop import DAGExecutor, ExecutorConfig, Graph, hide_secrets

#: The bars: at most this many times what it takes without.
BARS = {"tasks": 1.05, "lines": 1.25, "lines, with known secrets": 1.4}
LINE = "wrote 48,213 rows of orders to part-0017.parquet in 3.2 s"


async def tasks(count: int) -> None:
    """Tasks that tell nothing."""

    async def node(name: str, spec: Any) -> None: ...

    specs = {f"t{number}": {"day": number, "path": f"/data/{number}"} for number in range(count)}
    graph = Graph.from_specs("tasks", tasks=specs, run=node)
    assert (await DAGExecutor(graph, capture=False).run()).ok


async def lines(count: int, **inputs: str) -> None:
    """One task that prints a lot."""

    async def talk() -> None:
        for number in range(count):
            print(LINE)
            if number % 1_000 == 0:
                await asyncio.sleep(0)

    graph = Graph("lines").add("talk", talk)
    assert (await DAGExecutor(graph, ExecutorConfig(inputs=inputs), capture=True).run()).ok


def ratio(make: Callable[[], Awaitable[None]], repeat: int) -> float:
    """With secrets hidden, by without."""
    took: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * repeat):
        hidden = turn % 2 == 0
        hide_secrets(on=hidden)
        gc.collect()
        begun = time.process_time()
        asyncio.run(_awaited(make))
        took[hidden].append(time.process_time() - begun)
    hide_secrets(on=True)
    return min(took[True]) / min(took[False])


async def _awaited(make: Callable[[], Awaitable[None]]) -> None:
    await make()


def main() -> int:
    """Measure, print, and say by the exit code whether the bars hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=9_000)
    given = parser.parse_args()
    known = {"password": "hunter2-of-ana", "token": "corr3ct-horse"}
    found = {
        "tasks": ratio(lambda: tasks(given.tasks), given.repeat),
        "lines": ratio(lambda: lines(given.lines), given.repeat),
        "lines, with known secrets": ratio(lambda: lines(given.lines, **known), given.repeat),
    }
    for what, value in found.items():
        print(f"{what:<28} {value:5.2f}  (bar {BARS[what]})")
    return int(any(value > BARS[what] for what, value in found.items()))


if __name__ == "__main__":
    raise SystemExit(main())
