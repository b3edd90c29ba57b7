"""Which ready task starts first: by priority, then by the longest way still ahead, then by order of declaration."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop.core.plan import Plan
from dagtop.core.topology import remaining_path


def ranking(plan: Plan) -> tuple[list[int], list[int]]:
    """(rank by task, task by rank): rank 0 is started first.

    The longest remaining way is the classic list-scheduling priority (T. C. Hu, "Parallel sequencing and assembly line
    problems", 1961; "critical path first").
    """
    n = len(plan)
    by_rank = list(range(n))
    policies = plan.policies
    mixed = plan.one_policy is None
    costs = [plan.one_policy.cost] * n if plan.one_policy is not None else [policy.cost for policy in policies]
    if any(plan.downstream):
        ahead = remaining_path(plan, costs)
        by_rank.sort(key=ahead.__getitem__, reverse=True)  # stable in both directions
    elif mixed:
        by_rank.sort(key=costs.__getitem__, reverse=True)
    if mixed:
        by_rank.sort(key=lambda index: policies[index].priority, reverse=True)
    rank = [0] * n
    for place, index in enumerate(by_rank):
        rank[index] = place
    return rank, by_rank


class ReadyQueue:
    """Ready tasks as a heap of their ranks, best first. The machine pushes and pops by itself: a call would cost as much again.

    A task may be in it twice, and may no longer be ready when it comes out: whoever takes it out looks.
    """

    __slots__ = ("by_rank", "heap", "rank")

    def __init__(self, rank: Sequence[int], by_rank: Sequence[int]) -> None:
        self.rank = rank
        self.by_rank = by_rank
        self.heap: list[int] = []
