"""A plan that has become another one: what was there keeps its index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dagtop.core.events import AddedTask
from dagtop.core.inputs import NewTask
from dagtop.core.plan import Plan
from dagtop.core.policy import DEFAULT_POLICY, TaskPolicy
from dagtop.core.topology import topological_order


def grown(
    plan: Plan,
    added: Sequence[AddedTask | NewTask],
    rewired: Mapping[str, tuple[str, ...]],
    policies: Mapping[str, TaskPolicy] | None = None,
) -> Plan:
    """`plan` with tasks added behind those that there are, and with another upstream for some of these. O(V + E).

    An `AddedTask`, which is all that a recorded stream has, gets the default policy.

    Raises
    ------
    KeyError: a name that is not there.
    ValueError: tasks would wait for each other.
    """
    first = len(plan)
    names = (*plan.names, *(task.name for task in added))
    index = {**plan.index, **{task.name: first + i for i, task in enumerate(added)}}
    upstream: list[Sequence[int]] = [*plan.upstream, *(_indices(index, task.upstream) for task in added)]
    for name, needed in rewired.items():
        upstream[index[name]] = _indices(index, needed)
    downstream: list[list[int]] = [[] for _ in names]
    for i, needed_ones in enumerate(upstream):
        for above in needed_ones:
            downstream[above].append(i)
    order = topological_order(upstream, downstream)
    if len(order) < len(names):
        raise ValueError("tasks of the changed graph would wait for each other")
    own = [*plan.policies, *(task.policy if isinstance(task, NewTask) else DEFAULT_POLICY for task in added)]
    for name, policy in (policies or {}).items():
        own[index[name]] = policy
    new = [(first + i, task) for i, task in enumerate(added) if isinstance(task, NewTask)]
    return replace(
        plan,
        names=names,
        index=index,
        upstream=upstream,
        downstream=downstream,
        order=order,
        policies=own,
        one_policy=None,
        asks={*plan.asks, *(i for i, task in new if task.asks)},
        cleans_up={*plan.cleans_up, *(i for i, task in new if task.cleans_up)},
        kinds=None if plan.kinds is None else [*plan.kinds, *range(first, len(names))],
    )


def _indices(index: Mapping[str, int], names: Sequence[str]) -> list[int]:
    return sorted({index[name] for name in names})
