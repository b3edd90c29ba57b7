"""Adaptive concurrency (B9), measured: `python benchmarks/adaptive.py`.

First rules are compared in virtual time against simulated services that take any load, queue, share, fail or slow down above k
at once, recover. Then the engine runs 1000 × 5 ms at 50 for real, fixed and adaptive in turn.

    --rules window,aimd,…    --services 'healthy;queue, k 10'    --seeds 3    --real 0 | 1
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import limiters
from dagtop import DAGExecutor, Graph
from dagtop.core.adaptive import Window
from services import Buggy, Capacity, Crowded, Down, Failing, Fixed, Queueing, Sharing, spread, steady

MOST = 50

RULES: dict[str, Callable[[int, int], Any]] = {
    "fixed": limiters.FixedLimit,
    "aimd": limiters.Aimd,
    "aimd-gradient": limiters.AimdGradient,
    "vegas": limiters.Vegas,
    "gradient2": limiters.Gradient2,
    "window": Window,
}


@dataclass(frozen=True)
class Case:
    """A service, what is asked of it, and what it can do at once."""

    service: Callable[[], Any]
    jobs: Callable[[random.Random], Any]
    k: Capacity
    count: int = 5000


def _case(service: Callable[..., Any], jobs: Any, k: int | Capacity, *more: Any, count: int = 5000) -> Case:
    capacity = k if isinstance(k, Capacity) else Capacity([(0.0, k)])
    return Case(lambda: service(capacity, *more), jobs, capacity, count)


def _free(service: Callable[[], Any], jobs: Any, count: int = 5000) -> Case:
    return Case(service, jobs, Capacity([(0.0, MOST)]), count)


_DROPS = Capacity([(0.0, MOST), (3.0, 10), (15.0, MOST)])
_TAIL = spread(0.05, sigma=1.0)
_MIXED = spread(0.005, 0.05, 0.5, sigma=1.0)

CASES: dict[str, Case] = {
    "healthy": _free(Fixed, steady(0.005), 1000),
    "healthy long": _free(Fixed, steady(0.05)),
    "heavy tail": _free(Fixed, _TAIL),
    "three kinds, tail": _free(Fixed, _MIXED),
    "cold start": _free(lambda: Fixed([(0.0, 0.5, 20.0)]), steady(0.05)),
    "slow in the middle": _free(lambda: Fixed([(1.0, 3.0, 3.0)]), steady(0.05)),
    "slow for good": _free(lambda: Fixed([(1.0, 1e9, 3.0)]), steady(0.05)),
    "5 % bugs": _free(lambda: Buggy(0.05), steady(0.05)),
    "20 % bugs": _free(lambda: Buggy(0.2), steady(0.05)),
    "queue, k 10": _case(Queueing, steady(0.05), 10),
    "queue, k 10, tail": _case(Queueing, _TAIL, 10),
    "queue, k 30": _case(Queueing, steady(0.05), 30),
    "queue, k 3": _case(Queueing, steady(0.05), 3, count=2000),
    "sharing, k 10": _case(Sharing, steady(0.05), 10),
    "sharing, k 10, tail": _case(Sharing, _TAIL, 10),
    "refuses, k 10": _case(Failing, steady(0.05), 10, 0.001),
    "refuses, k 30": _case(Failing, steady(0.05), 30, 0.001),
    "refuses, k 10, tail": _case(Failing, _TAIL, 10, 0.001),
    "fails, k 10": _case(Failing, steady(0.05), 10, 0.05),
    "fails, k 3": _case(Failing, steady(0.05), 3, 0.05, count=2000),
    "times out, k 10": _case(Failing, steady(0.05), 10, 0.5),
    "crowded, k 10": _case(Crowded, steady(0.05), 10, 0.05),
    "queue drops, recovers": _case(Queueing, steady(0.05), _DROPS, count=10_000),
    "refuses drops, recovers": _case(Failing, steady(0.05), _DROPS, 0.01, count=10_000),
    "down 2 s": _free(lambda: Down(1.0, 3.0, 0.01), steady(0.05)),
}


@dataclass
class Outcome:
    """What one simulated run came to."""

    seconds: float = 0.0
    failures: int = 0
    wasted: float = 0.0
    changes: int = 0
    gave_up: bool = False
    """Twenty attempts for each job were not enough."""
    shares: list[tuple[float, float]] = field(default_factory=list)
    """(seconds, window / k) for the last two thirds of the time."""
    trail: list[tuple[float, int, str]] = field(default_factory=list)

    @property
    def mean(self) -> float:
        return sum(t * share for t, share in self.shares) / (sum(t for t, _ in self.shares) or 1)

    @property
    def low(self) -> float:
        return min((share for t, share in self.shares if t), default=0.0)

    @property
    def high(self) -> float:
        return max((share for t, share in self.shares if t), default=0.0)


def simulate(rule: Any, case: Case, seed: int) -> Outcome:
    """Run until every job has succeeded once; what fails is tried again at the end of the line."""
    dice = random.Random(seed)
    waiting = [case.jobs(dice) for _ in range(case.count)][::-1]
    service, at, number, left = case.service(), 0.0, 0, case.count
    running: dict[int, tuple[Any, float]] = {}
    out = Outcome()
    history = [(0.0, rule.limit)]
    while left and number < 20 * case.count:
        while waiting and len(running) < rule.limit:
            number += 1
            running[number] = (waiting[-1], at)
            service.start(number, waiting.pop(), at)
        at = service.next_end()
        ended, ok = service.pop()
        job, begun = running.pop(ended)
        left -= ok
        if not ok:
            out.failures += 1
            out.wasted += at - begun
            waiting.insert(0, job)
        was = rule.limit
        why = rule.ended(job.kind, at, at - begun, ok, len(running) + 1)
        assert bool(why) == (rule.limit != was), (why, was, rule.limit)
        if why:
            history.append((at, rule.limit))
            out.trail.append((at, rule.limit, why))
            out.changes += 1
        if len(waiting) == 0 and not out.seconds:
            out.seconds = at  # from here on the window is not used
    out.gave_up = bool(left)
    out.seconds = out.seconds or at
    settled = out.seconds / 3
    for (begin, limit), (end, _) in zip(history, [*history[1:], (out.seconds, 0)], strict=True):
        begin, end = max(begin, settled), min(end, out.seconds)  # noqa: PLW2901 - clipped
        if end > begin:
            out.shares.append((end - begin, limit / case.k.at(begin)))
    out.seconds = at
    return out


def compare(rules: list[str], names: list[str], seeds: int) -> None:
    """One line for each service and rule."""
    columns = f"{'seconds':>8} {'× fixed':>8} {'failures':>9} {'wasted':>7}"
    print(f"{'service':24} {'rule':14} {columns}   window / k: mean  low–high  changes")
    for name in names:
        base = 0.0
        for rule in rules:
            outs = [simulate(RULES[rule](1, MOST), CASES[name], seed) for seed in range(seeds)]
            seconds = statistics.mean(out.seconds for out in outs)
            base = base or (math.nan if any(out.gave_up for out in outs) else seconds)
            print(
                f"{name:24} {rule:14} {seconds:8.2f} {seconds / base:8.2f} "
                f"{statistics.mean(out.failures for out in outs):9.0f} {statistics.mean(out.wasted for out in outs):7.1f}"
                f"   {statistics.mean(out.mean for out in outs):16.2f}  {min(out.low for out in outs):.2f}–"
                f"{max(out.high for out in outs):.2f}  {statistics.mean(out.changes for out in outs):7.0f}"
                f"{'   never ends' if any(out.gave_up for out in outs) else ''}",
                flush=True,
            )
        print()


async def _real(*, adaptive: bool, count: int, seconds: float) -> float:
    async def node(name: str, spec: None) -> None:
        await asyncio.sleep(seconds)

    made = Graph.from_specs(
        "bench", tasks=dict.fromkeys(map(str, range(count))), run=node, max_parallel=MOST, adaptive=adaptive
    )
    begun = time.perf_counter()
    result = await DAGExecutor(made, capture=False).run()
    assert result.ok, result
    return time.perf_counter() - begun


def real(repeat: int) -> None:
    """1000 × 5 ms at 50, fixed and adaptive in turn."""
    took: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(repeat):
        for adaptive in (False, True):
            gc.collect()
            took[adaptive].append(asyncio.run(_real(adaptive=adaptive, count=1000, seconds=0.005)))
    fixed, moving = statistics.median(took[False]), statistics.median(took[True])
    ratio = statistics.median(a / f for f, a in zip(took[False], took[True], strict=True))
    verdict = "reached" if ratio <= 1.05 else "MISSED"
    print(
        f"1000 × 5 ms at 50, for real: fixed {fixed:.4f} s, adaptive {moving:.4f} s: {ratio:.3f} × (bar 1.05: {verdict})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", default=",".join(RULES))
    parser.add_argument("--services", default="")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--real", type=int, default=15, help="how often; 0 leaves it out")
    parser.add_argument("--trail", action="store_true", help="every change of the window, with its reason")
    given = parser.parse_args()
    names = [name for name in CASES if not given.services or any(part in name for part in given.services.split(";"))]
    if given.trail:
        for name in names:
            for at, limit, why in simulate(Window(1, MOST), CASES[name], 0).trail:
                print(f"{name:24} {at:8.3f} s  {limit:3}  {why}")
    compare(given.rules.split(","), names, given.seeds)
    if given.real:
        real(given.real)


if __name__ == "__main__":
    main()
