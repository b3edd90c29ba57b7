"""`ExecutionPlan`: how a graph will run, worked out on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any

from dagtop.core.nearest import nearest
from dagtop.core.plan import Plan
from dagtop.core.topology import levels
from dagtop.core.values import dataclass
from dagtop.errors import Flaw, GraphError

#: Of a long critical path so many tasks are shown.
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExecutionPlan:
    """How a graph will run if every task takes as long as it is expected to, tried once, with nothing else in its way."""

    graph: str
    steps: Sequence[Sequence[str]]
    """The graph's levels: tasks of the first need nothing, each other task comes one step after the last one that it needs.
    They tell the graph's shape; a run waits for no step to end."""
    width: int
    """Number of tasks in the widest step."""
    max_parallel: int
    makespan: float
    """How long the run takes with `max_parallel`."""
    critical_path: Sequence[str]
    """The dearest chain of tasks that need each other."""
    path_cost: float
    """What that chain takes: no number of slots makes the run shorter."""
    total_cost: float
    """What all tasks take together: the run with one slot."""
    in_seconds: bool
    """True: in seconds, from earlier runs. False: in the unit of the tasks' `cost`, 1 for a task that declares none."""
    starts: Mapping[str, float]
    """When each task starts, from the beginning of the run."""

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        unit = " s" if self.in_seconds else ""
        path = " → ".join(map(repr, islice(self.critical_path, _SHOWN)))
        left = len(self.critical_path) - _SHOWN
        return (
            f"ExecutionPlan({self.graph!r}, {len(self)} tasks in {len(self.steps)} steps, width {self.width}, "
            f"makespan {self.makespan:g}{unit} with max_parallel {self.max_parallel}, "
            f"critical path {path}{f' and {left} more' if left > 0 else ''})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "graph": self.graph,
            "tasks": len(self),
            "steps": [list(step) for step in self.steps],
            "width": self.width,
            "max_parallel": self.max_parallel,
            "makespan": self.makespan,
            "critical_path": list(self.critical_path),
            "path_cost": self.path_cost,
            "total_cost": self.total_cost,
            "in_seconds": self.in_seconds,
            "starts": dict(self.starts),
        }


def execution_plan(
    plan: Plan, max_parallel: int, usual: Mapping[int, float], costs: Mapping[str, float] | None
) -> ExecutionPlan:
    """Work it out. `usual` is what tasks took in earlier runs, by index; `costs` wins over that and over declared costs.

    Raises
    ------
    GraphError: `costs` names something that is no task, or has a value that is no cost.
    """
    from dagtop.core.forecast import costs_of, forecast  # noqa: PLC0415 - not to begin with

    expected = costs_of(plan.policies, usual)
    by_task = list(expected.by_task)
    for name, cost in (costs or {}).items():
        by_task[_index(plan, name)] = _cost(name, cost)
    found = forecast(plan, by_task, max_parallel)
    level = levels(plan)
    steps: list[list[str]] = [[] for _ in range(max(level, default=-1) + 1)]
    for index, name in enumerate(plan.names):
        steps[level[index]].append(name)
    return ExecutionPlan(
        graph=plan.name,
        steps=steps,
        width=max(map(len, steps), default=0),
        max_parallel=max_parallel,
        makespan=found.makespan,
        critical_path=[plan.names[index] for index in found.critical_path],
        path_cost=found.path_cost,
        total_cost=found.total_cost,
        in_seconds=expected.in_seconds,
        starts=dict(zip(plan.names, found.starts, strict=True)),
    )


def _index(plan: Plan, name: object) -> int:
    index = plan.index.get(name) if isinstance(name, str) else None
    if index is None:
        raise GraphError([Flaw(f"costs names {name!r}, which is no task{nearest(str(name), plan.index)}")])
    return index


def _cost(name: str, cost: object) -> float:
    if isinstance(cost, bool) or not isinstance(cost, (int, float)) or not isfinite(cost) or cost < 0:
        raise GraphError([Flaw(f"the cost of {name} must be a number that is not negative, not {cost!r}")])
    return float(cost)
