"""How a desired state is kept: `python benchmarks/reconciler.py`.

A chain of ten services that are ready at once comes up (the bar is 50 ms). A thousand supervised tasks crash and are started
again at random for a minute under a limit: none may be lost, the limit must hold. When the crashes stop they settle, and what
the process takes while nothing happens is measured (the bar is 1 % of one CPU).

    --tasks 1000   --seconds 60   --limit 400   --idle 10   --seed 1
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import Counter

import anyio
from dagtop import ExecutorConfig, Graph, Reconciler, Restart, TaskContext, TaskState


def chain(length: int) -> Graph:
    """Services of which each waits for the one before it to be ready."""
    graph = Graph("chain")

    async def serve(ctx: TaskContext) -> None:
        ctx.ready()
        await anyio.sleep_forever()

    for i in range(length):
        graph.add(f"s{i}", serve, depends_on=[f"s{i - 1}"] if i else [], restart="always")
    return graph


async def chain_up(length: int) -> float:
    """Seconds until the last one is ready."""
    services = Reconciler(chain(length), capture=False)
    begun = time.perf_counter()
    async with services:
        assert await services.wait_ready(timeout=20)
        return time.perf_counter() - begun


class Crashing:
    """Tasks that run for a moment and crash, as long as it is said."""

    def __init__(self, seconds: float, dice: random.Random) -> None:
        self.until = time.monotonic() + seconds
        self.dice = dice
        self.now = self.most = self.runs = 0

    async def __call__(self, task: str, spec: None, ctx: TaskContext) -> None:
        """One run of one task."""
        self.runs += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            while time.monotonic() < self.until:
                await anyio.sleep(self.dice.expovariate(2.0))
                if self.dice.random() < 0.5:
                    raise RuntimeError("crash")
        finally:
            self.now -= 1


async def crash(tasks: int, seconds: float, limit: int, idle: float, seed: int) -> None:
    """Let tasks crash at random, then look at what is left of them, and at what they cost at rest."""
    work = Crashing(seconds, random.Random(seed))
    graph = Graph.from_specs("crashing", tasks={f"t{i}": None for i in range(tasks)}, run=work)
    restart = Restart(policy="on-failure", max_restarts=10**9, base=0.05, cap=1.0, jitter=0.5, reset_after=3600)
    config = ExecutorConfig(max_parallel=limit, on_escalation=None)
    async with Reconciler(graph, config, restart=restart, capture=False) as services:
        went_well = await services.wait(seconds * 3 + 60)
        states = Counter(row.state for row in services.snapshot.rows)
        restarts = work.runs - tasks
        before = time.process_time()
        await anyio.sleep(idle)
        at_rest = (time.process_time() - before) / idle
    print(f"{tasks} tasks, {restarts} restarts in {seconds:g} s: {dict(states)}, all well: {went_well}")
    print(f"at once at most {work.most} (limit {limit}); at rest {at_rest:.2%} of one CPU (bar 1 %)")
    assert went_well
    assert states == {TaskState.SUCCEEDED: tasks}
    assert work.most <= limit


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("tasks", 1_000), ("seconds", 60.0), ("limit", 400), ("idle", 10.0), ("seed", 1)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = parser.parse_args()
    times = [anyio.run(chain_up, 10) for _ in range(11)]
    print(
        f"chain of 10 services up: median {statistics.median(times) * 1e3:.1f} ms, worst {max(times) * 1e3:.1f} ms (bar 50 ms)"
    )
    anyio.run(crash, options.tasks, options.seconds, options.limit, options.idle, options.seed)


if __name__ == "__main__":
    main()
