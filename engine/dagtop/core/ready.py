"""Which ready task starts first: by priority, then by the longest way still ahead, then by order of declaration."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify

from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.topology import remaining_path


def ranking(
    plan: Plan, costs: Sequence[float] | None = None, policies: Sequence[TaskPolicy] | None = None
) -> tuple[list[int], list[int]]:
    """(rank by task, task by rank): rank 0 is started first. `costs` and `policies` are the plan's own unless given.

    The longest remaining way is the classic list-scheduling priority (T. C. Hu, "Parallel sequencing and assembly line
    problems", 1961; "critical path first").
    """
    n = len(plan)
    by_rank = list(range(n))
    one = plan.one_policy if policies is None else None
    if policies is None:
        policies = plan.policies
    all_alike = costs is None and one is not None
    if costs is None:
        costs = [1.0] * n if all_alike else [policy.weight for policy in policies]
    if any(plan.downstream):
        ahead = remaining_path(plan, costs)
        by_rank.sort(key=ahead.__getitem__, reverse=True)  # stable in both directions
    elif not all_alike:
        by_rank.sort(key=costs.__getitem__, reverse=True)
    if one is None:
        by_rank.sort(key=lambda index: policies[index].priority, reverse=True)
    rank = [0] * n
    for place, index in enumerate(by_rank):
        rank[index] = place
    return rank, by_rank


class ReadyQueue:
    """Ready tasks as a heap of their ranks, best first. The machine pushes and pops by itself: a call would cost as much again.

    A task may be in it twice, and may no longer be ready when it comes out: whoever takes it out looks.
    """

    __slots__ = ("_appended", "by_rank", "heap", "rank")

    def __init__(self, rank: Sequence[int], by_rank: Sequence[int]) -> None:
        self.rank = rank
        self.by_rank = by_rank
        self._appended = 0
        """How many tasks have come since all were ordered."""
        self.heap: list[int] = []

    def append(self, plan: Plan) -> bool:
        """Put the tasks that the plan has more into the last places. False: it is time to order all of them anew.

        That is when one of them has a priority of its own, or when many have come since the last time: so a graph that grows
        task by task costs a constant time for each.
        """
        new = range(len(self.rank), len(plan))
        self._appended += len(new)
        if self._appended > max(16, len(plan) // 8) or any(plan.policies[index].priority for index in new):
            return False
        self.rank = [*self.rank, *new]
        self.by_rank = [*self.by_rank, *new]
        return True

    def rerank(self, rank: Sequence[int], by_rank: Sequence[int]) -> None:
        """Go by another order from now on; what is in the queue stays in it."""
        queued = [self.by_rank[place] for place in self.heap]
        self.rank, self.by_rank, self._appended = rank, by_rank, 0
        self.heap[:] = [rank[index] for index in queued]
        heapify(self.heap)
