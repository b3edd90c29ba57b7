"""A plan with further tasks behind those that it had: their indices stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dagtop.core.events import AddedTask
from dagtop.core.inputs import NewTask
from dagtop.core.plan import Plan
from dagtop.core.policy import DEFAULT_POLICY


def grown(plan: Plan, added: Sequence[AddedTask | NewTask]) -> Plan:
    """`plan` with tasks added, in order; each may depend on those before it. O(V + E).

    An `AddedTask`, which is all that a recorded stream has, gets the default policy.

    Raises
    ------
    KeyError: one depends on a task that is not there.
    """
    index = dict(plan.index)
    upstream = list(plan.upstream)
    downstream = [list(fed) for fed in plan.downstream]
    for task in added:
        own = index[task.name] = len(upstream)
        needed = sorted({index[name] for name in task.upstream})
        upstream.append(needed)
        downstream.append([])
        for above in needed:
            downstream[above].append(own)
    first = len(plan)
    new = [(first + i, task) for i, task in enumerate(added) if isinstance(task, NewTask)]
    return replace(
        plan,
        names=(*plan.names, *(task.name for task in added)),
        index=index,
        upstream=upstream,
        downstream=downstream,
        order=[*plan.order, *range(first, len(upstream))],
        policies=[*plan.policies, *(task.policy if isinstance(task, NewTask) else DEFAULT_POLICY for task in added)],
        one_policy=None,
        asks={*plan.asks, *(own for own, task in new if task.asks)},
        cleans_up={*plan.cleans_up, *(own for own, task in new if task.cleans_up)},
        kinds=None if plan.kinds is None else [*plan.kinds, *range(first, len(upstream))],
    )
