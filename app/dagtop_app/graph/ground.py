"""What there is to draw: all tasks of a plan, or one level of it, and the parts around a task. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dagtop.core.paths import SLASH
from dagtop.core.plan import Plan
from dagtop.core.values import dataclass

from dagtop_app.faces import ENTERED
from dagtop_app.graph.level_parts import part_of
from dagtop_app.graphview import GraphModel
from dagtop_app.levels.model import relative
from dagtop_app.text import name_of

#: Cells of a label that are ever shown or measured.
LABEL = 64
#: A part of this many nodes still reads at one look; the depth around a task is chosen by it.
_READABLE = 40


class Focus(NamedTuple):
    """The part of a graph around a task."""

    task: int
    depth: int
    """Edges up- and downstream; 0: as many as still read well."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Ground:
    """The graph that is drawn, or parts of it: all of a plan, or one level."""

    plan: Plan
    level: str | None
    model: GraphModel
    """Of all tasks of the plan; those that are not there have no edges."""
    members: Sequence[int]
    """The tasks that are there."""
    names: Sequence[str]
    """By task: what it is called here."""
    labels: Sequence[str]
    """By task, cleaned."""
    inside: Mapping[int, Sequence[int]]
    """The tasks in each node of a graph of graphs that is there."""


def ground_of(plan: Plan, path: str | None) -> Ground:
    """All of a plan, or the level of this path."""
    if path is None:
        labels: Sequence[str] = tuple([name_of(name, LABEL) for name in plan.names])
        model = GraphModel.from_indices(plan.names, _edges(plan))
        return Ground(
            plan=plan, level=None, model=model, members=range(len(labels)), names=plan.names, labels=labels, inside={}
        )
    part = part_of(plan, path)
    names = [""] * len(plan.names)
    shown = [""] * len(plan.names)
    for index in part.members:
        names[index] = relative(plan.names[index], path)
        label = name_of(names[index], LABEL)
        shown[index] = f"{label} {ENTERED}" if index in plan.nodes else label
    model = GraphModel.from_indices(plan.names, part.edges)
    inside = _inside(plan, part.members)
    return Ground(plan=plan, level=path, model=model, members=part.members, names=names, labels=shown, inside=inside)


def _inside(plan: Plan, members: Sequence[int]) -> dict[int, Sequence[int]]:
    """The tasks in each node that is a member, those in nodes in it too."""
    found: dict[int, list[int]] = {}
    by_path = {plan.names[index]: index for index in members if index in plan.nodes}
    depth = max((path.count(SLASH) for path in by_path), default=-1) + 1
    for index, name in enumerate(plan.names):
        if index not in plan.nodes:
            parts = name.split(SLASH, depth)
            for end in range(1, len(parts)):
                node = by_path.get(SLASH.join(parts[:end]))
                if node is not None:
                    found.setdefault(node, []).append(index)
    return {node: tuple(tasks) for node, tasks in found.items()}


def _edges(plan: Plan) -> list[tuple[int, int]]:
    return [(parent, task) for task, parents in enumerate(plan.upstream) for parent in parents]


def around(model: GraphModel, focus: Focus) -> tuple[int, frozenset[int]]:
    """How deep a part is, and the tasks in it."""
    if focus.depth:
        return focus.depth, model.around(focus.task, focus.depth)
    depth, kept = 1, model.around(focus.task, 1)
    while depth < 3:
        wider = model.around(focus.task, depth + 1)
        if len(wider) > _READABLE or len(wider) == len(kept):
            break
        depth, kept = depth + 1, wider
    return depth, kept
