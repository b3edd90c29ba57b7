"""How long a run will take, and along which tasks: list scheduling by what the tasks are expected to cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.ready import ranking
from dagtop.core.topology import critical_path, starts_with_first
from dagtop.core.values import dataclass


class Usual(NamedTuple):
    """How long a task took in earlier runs, in seconds."""

    median: float
    p95: float
    """95 of 100 runs were not longer."""
    runs: int
    """How many runs that is known from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What each task is expected to cost, and where that is known from."""

    by_task: Sequence[float]
    """By task index: in seconds if anything was measured, else in the unit of the declared costs."""
    in_seconds: bool
    """Whether anything was measured."""
    unit: float
    """What a declared cost of 1 stands for."""
    unknown: float
    """What stands for a task of which nothing is known."""


def costs_of(policies: Sequence[TaskPolicy], usual: Mapping[int, float] | None = None) -> Costs:
    """The declared cost of each task; else what it took in earlier runs, its median in `usual`; else 1.

    Where anything was measured, all costs are in seconds. A declared cost of 1 then stands for the median, over the tasks
    that are both declared and measured, of seconds per unit of cost; without such tasks, and for a task of which nothing
    is known at all, for the median of everything that was measured.
    """
    if not usual:
        declared = [policy.weight for policy in policies]
        return Costs(by_task=declared, in_seconds=False, unit=1.0, unknown=1.0)
    from statistics import median  # noqa: PLC0415 - only where there are earlier runs

    unknown = median(usual.values())
    ratios = [seconds / cost for index, seconds in usual.items() if (cost := policies[index].cost)]
    unit = median(ratios) if ratios else unknown
    by_task = [
        policy.cost * unit if policy.cost is not None else usual.get(index, unknown)
        for index, policy in enumerate(policies)
    ]
    return Costs(by_task=by_task, in_seconds=True, unit=unit, unknown=unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How a run goes if every task costs what it is expected to. Times begin at 0."""

    makespan: float
    """When the last task ends."""
    critical_path: Sequence[int]
    """The dearest chain of tasks that need each other: no number of slots makes the run shorter than that."""
    path_cost: float
    """What that chain costs."""
    total_cost: float
    """What all tasks cost: the makespan with one slot."""
    starts: Sequence[float]
    """By task index."""
    ends: Sequence[float]
    """By task index."""
    width: int
    """Most tasks that run at once."""


def forecast(plan: Plan, costs: Sequence[float], max_parallel: int) -> Forecast:
    """Run the plan on paper: whenever a slot is free, the best of the ready tasks takes it (see `ranking`).

    Every task succeeds. Retries, pools, resources, gates and conditions are left out of account. Costs O((V + E) log V).
    That such a schedule is at most twice as long as the best one: R. L. Graham, "Bounds for certain multiprocessing
    anomalies", 1966.
    """
    n = len(plan)
    rank, by_rank = ranking(plan, costs)
    missing = [
        min(1, len(needed)) if starts_with_first(policy) else len(needed)
        for needed, policy in zip(plan.upstream, plan.policies, strict=True)
    ]
    ready = [rank[index] for index in range(n) if not missing[index]]
    heapify(ready)
    starts, ends = [0.0] * n, [0.0] * n
    running: list[tuple[float, int]] = []
    now, width = 0.0, 0
    while ready or running:
        while ready and len(running) < max_parallel:
            index = by_rank[heappop(ready)]
            starts[index], ends[index] = now, now + costs[index]
            heappush(running, (ends[index], index))
        width = max(width, len(running))
        now = running[0][0]
        while running and running[0][0] <= now:
            for below in plan.downstream[heappop(running)[1]]:
                missing[below] -= 1
                if not missing[below]:
                    heappush(ready, rank[below])
    path = critical_path(plan, costs)
    return Forecast(
        makespan=max(ends, default=0.0),
        critical_path=path,
        path_cost=sum(costs[index] for index in path),
        total_cost=sum(costs),
        starts=starts,
        ends=ends,
        width=width,
    )
