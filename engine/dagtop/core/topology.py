"""Questions about a graph's shape: levels, reach, longest paths. All are O(V + E) and none recurses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy, Trigger


def topological_order(upstream: Sequence[Sequence[int]], downstream: Sequence[Sequence[int]]) -> list[int]:
    """Every task after those it needs (A. B. Kahn, "Topological sorting of large networks", 1962).

    Shorter than the number of tasks if there is a cycle: the tasks on it, and after it, are missing.
    """
    missing = [len(needed) for needed in upstream]
    order = [index for index, count in enumerate(missing) if not count]
    for index in order:  # grows while it is walked
        for fed in downstream[index]:
            missing[fed] -= 1
            if not missing[fed]:
                order.append(fed)
    return order


def find_cycle(upstream: Sequence[Sequence[int]], left: Iterable[int]) -> list[int]:
    """A cycle among the tasks `left` over by `topological_order`, first task repeated at the end, in running order.

    Each of them needs another of them, so walking up from any one must come back to where it has been.
    """
    among = set(left)
    here = min(among)
    seen: dict[int, int] = {}
    path: list[int] = []
    while here not in seen:
        seen[here] = len(path)
        path.append(here)
        here = next(needed for needed in upstream[here] if needed in among)
    cycle = path[seen[here] :][::-1]
    start = cycle.index(min(cycle))
    cycle = cycle[start:] + cycle[:start]
    return [*cycle, cycle[0]]


def levels(plan: Plan) -> list[int]:
    """For each task the number of tasks on the longest way to it from a task that needs nothing."""
    level = [0] * len(plan)
    for index in plan.order:
        needed = plan.upstream[index]
        if needed:
            level[index] = 1 + max(level[i] for i in needed)
    return level


def remaining_path(
    plan: Plan, costs: Sequence[float], downstream: Sequence[Sequence[int]] | None = None
) -> list[float]:
    """For each task the cost of the dearest way from it, itself included, to a task that feeds nothing.

    Parameters
    ----------
    downstream: the plan's unless given.
    """
    remaining = list(costs)
    downstream, cost_of = plan.downstream if downstream is None else downstream, remaining.__getitem__
    for index in reversed(plan.order):
        fed = downstream[index]
        if fed:
            remaining[index] += remaining[fed[0]] if len(fed) == 1 else max(map(cost_of, fed))
    return remaining


def critical_path(plan: Plan, durations: Sequence[float], ends: Sequence[float] | None = None) -> list[int]:
    """The tasks on the dearest way through the graph, first to last; ties go to the task declared first.

    Of the upstream of a task that starts with the first success, only the one that succeeds first is on a way to it.

    Parameters
    ----------
    ends: by task: when it succeeded, infinity for one that did not; None works it out from `durations`, with a slot for each.
    """
    if not len(plan):
        return []
    upstream, downstream = plan.upstream, plan.downstream
    started_by = _firsts(plan, durations, ends)
    if started_by:
        upstream = [started_by.get(index, needed) for index, needed in enumerate(upstream)]
        downstream = [
            [i for i in fed if started_by.get(i, (above,)) == (above,)] for above, fed in enumerate(downstream)
        ]
    remaining = remaining_path(plan, durations, downstream)
    here = max((i for i in range(len(plan)) if not upstream[i]), key=lambda i: (remaining[i], -i))
    path = [here]
    while downstream[here]:
        here = max(downstream[here], key=lambda i: (remaining[i], -i))
        path.append(here)
    return path


def starts_with_first(policy: TaskPolicy) -> bool:
    """Whether the first success of its upstream lets a task start."""
    return policy.trigger == Trigger.ANY_SUCCESS


def _firsts(plan: Plan, durations: Sequence[float], ends: Sequence[float] | None) -> dict[int, tuple[int]]:
    """By task that starts with the first success of several upstream tasks: the one that it was, where there was one."""
    if plan.one_policy is not None and not starts_with_first(plan.one_policy):
        return {}
    firsts = {i for i, policy in enumerate(plan.policies) if starts_with_first(policy) and len(plan.upstream[i]) > 1}
    if not firsts:
        return {}
    known = list(ends) if ends is not None else [0.0] * len(plan)
    if ends is None:
        for index in plan.order:
            choose = min if index in firsts else max
            known[index] = choose((known[above] for above in plan.upstream[index]), default=0.0) + durations[index]
    found = {index: min(plan.upstream[index], key=lambda above: (known[above], above)) for index in firsts}
    return {index: (above,) for index, above in found.items() if known[above] != inf}


def reach(neighbours: Sequence[Sequence[int]], start: Iterable[int]) -> set[int]:
    """Every task that can be reached from `start` (which is left out unless reached) by following `neighbours`."""
    found: set[int] = set()
    queue = list(start)
    while queue:
        for index in neighbours[queue.pop()]:
            if index not in found:
                found.add(index)
                queue.append(index)
    return found
