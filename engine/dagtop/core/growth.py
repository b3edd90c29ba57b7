"""A plan that has become another one: what was there keeps its index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from dagtop.core.described import policy_of
from dagtop.core.events import AddedTask
from dagtop.core.inputs import NewTask
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.topology import topological_order


def grown(
    plan: Plan,
    added: Sequence[AddedTask | NewTask],
    rewired: Mapping[str, tuple[str, ...]],
    policies: Mapping[str, TaskPolicy] | None = None,
) -> Plan:
    """`plan` with tasks added behind those that there are, and with another upstream for some of these. O(V + E).

    With nothing rewired and tasks that depend on earlier ones only, which is how a graph grows task by task, most of it is
    copied as it is.

    An `AddedTask`, which is all that a recorded stream has, gets the policy that it tells of.

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
    only_behind = not rewired and all(needed[-1] < first + i for i, needed in enumerate(upstream[first:]) if needed)
    downstream = _appended(plan, upstream) if only_behind else _inverted(upstream)
    order = [*plan.order, *range(first, len(names))] if only_behind else topological_order(upstream, downstream)
    if len(order) < len(names):
        raise ValueError("tasks of the changed graph would wait for each other")
    own = [*plan.policies, *_policies(added)]
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
        backends={**plan.backends, **{i: task.backend for i, task in new if task.backend is not None}},
        cleans_up={*plan.cleans_up, *(i for i, task in new if task.cleans_up)},
        kinds=None if plan.kinds is None else [*plan.kinds, *_kinds(added, first)],
    )


def _policies(added: Sequence[AddedTask | NewTask]) -> Iterator[TaskPolicy]:
    made: dict[str, TaskPolicy] = {}
    for task in added:
        if isinstance(task, NewTask):
            yield task.policy
        else:
            key = repr(task.policy)
            yield made[key] if key in made else made.setdefault(key, policy_of(task.policy))


def _kinds(added: Sequence[AddedTask | NewTask], first: int) -> list[int]:
    own = [task.kind if isinstance(task, NewTask) else -1 for task in added]
    return [kind if kind >= 0 else first + i for i, kind in enumerate(own)]


def _appended(plan: Plan, upstream: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    first = len(plan)
    more: dict[int, list[int]] = {}
    for own in range(first, len(upstream)):
        for above in upstream[own]:
            more.setdefault(above, []).append(own)
    downstream: list[Sequence[int]] = [*plan.downstream, *([] for _ in range(len(upstream) - first))]
    for above, below in more.items():
        downstream[above] = [*downstream[above], *below]
    return downstream


def _inverted(upstream: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
    downstream: list[list[int]] = [[] for _ in upstream]
    for own, needed in enumerate(upstream):
        for above in needed:
            downstream[above].append(own)
    return downstream


def _indices(index: Mapping[str, int], names: Sequence[str]) -> list[int]:
    return sorted({index[name] for name in names})
