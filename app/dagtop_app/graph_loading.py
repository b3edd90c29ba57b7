"""From a plan to a drawing that only has to be painted: what a worker thread does for the graph view.

The order of the nodes is worked out once per plan. Another scale takes the same order, a part of the graph a small layout of
its own, and states none of this at all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from dagtop.core.plan import Plan

from dagtop_app.faces import ENTERED
from dagtop_app.graphview import (
    Canvas,
    Drawing,
    GraphModel,
    Layout,
    LayoutCancelled,
    Rect,
    Routing,
    Scale,
    Sizes,
    lay_out,
    rescale,
    route,
    suggest_scale,
)
from dagtop_app.graphview.sizes import BOX_LIMIT, PILL_LIMIT
from dagtop_app.level_parts import Part, part_of
from dagtop_app.levels import relative
from dagtop_app.text import name_of, width

#: Cells of a label that are ever shown or measured.
_LABEL = 64
#: A part of this many nodes still reads at one look; the depth around a task is chosen by it.
_READABLE = 40
#: Cells of a label at most; more would push the columns too far apart.
_WIDEST = 24
#: Edges away from a task, at most.
DEEPEST = 9


class Focus(NamedTuple):
    """The part of a graph around a task."""

    task: int
    depth: int
    """Edges up- and downstream; 0: as many as still read well."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)  # a plan is too long to be logged
class Wish:
    """What a person wants to see."""

    plan: Plan
    scale: Scale | None = None
    """None: the largest that reads well in `room`."""
    focus: Focus | None = None
    """None: the whole graph."""
    room: tuple[int, int] = (80, 24)
    """Columns and rows of the view."""
    level: str | None = None
    """Path of the node whose inside is drawn, "" for the outermost level; None: all tasks."""
    lineage: int = 0
    """The same for a plan and for what it grows into: there a task keeps its number."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Atlas:
    """A graph, or a part of one, in one order; maps of it at several scales."""

    model: GraphModel
    widths: tuple[int, ...]
    """Cells of each label."""
    layout: Layout
    """As pills: the order is the one of every scale."""
    maps: Mapping[Scale, Routing]
    """Those made so far."""

    def routed(self, scale: Scale, cancelled: Callable[[], bool]) -> Atlas:
        """With a map at a scale other than the overview.

        Raises:
            LayoutCancelled: it is not wanted any more.
        """
        if scale in self.maps:
            return self
        layout = self.layout if scale is Scale.PILL else rescale(self.layout, _sizes(scale, self.widths), cancelled)
        return replace(self, maps={**self.maps, scale: route(layout, cancelled)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sheet:
    """What was asked for, ready to be painted."""

    wish: Wish
    scale: Scale
    depth: int
    """Edges up- and downstream of the focus; 0 without one."""
    whole: Atlas
    labels: tuple[str, ...]
    """By task, cleaned."""
    atlas: Atlas
    """Of what is drawn: `whole`, or a part of it, or a level."""
    tasks: Sequence[int]
    """The task of each node."""
    nodes: Mapping[int, int]
    """The node of each task that is drawn."""

    @property
    def layout(self) -> Layout:
        """Of what is drawn; that of an overview is the one of pills."""
        return self.atlas.layout if self.scale is Scale.OVERVIEW else self.atlas.maps[self.scale].layout

    @property
    def is_part(self) -> bool:
        """Not the whole graph is drawn."""
        return self.atlas is not self.whole


def is_grown(before: Plan, now: Plan) -> bool:
    """Whether a plan is the one before with further tasks behind it: then every task has kept its number."""
    count = len(before)
    return 0 < count <= len(now) and before.name == now.name and list(now.names[:count]) == list(before.names)


def load(wish: Wish, before: Sheet | None, cancelled: Callable[[], bool]) -> Sheet | None:
    """Draw what is wished; None if it is not wanted any more. `before` is what is on screen now: as much of it as
    possible is used again, and of another plan's drawing the places of the tasks that stay."""
    try:
        return _load(wish, before, cancelled)
    except LayoutCancelled:
        return None


def _load(wish: Wish, before: Sheet | None, cancelled: Callable[[], bool]) -> Sheet:
    plan = wish.plan
    if wish.level is not None:
        return _load_level(wish, wish.level, before, cancelled)
    if before is not None and before.wish.plan is plan and before.wish.level is None:
        whole, labels = before.whole, before.labels
    else:
        labels = tuple([name_of(name, _LABEL) for name in plan.names])
        model = GraphModel.from_indices(plan.names, _edges(plan))
        whole = _chart(
            model, labels, before.whole.layout if before is not None and before.wish.level is None else None, cancelled
        )
    if wish.focus is None:
        scale, whole = _choose(whole, wish, cancelled)
        every = range(len(labels))
        return Sheet(
            wish=wish, scale=scale, depth=0, whole=whole, labels=labels, atlas=whole, tasks=every,
            nodes=dict(zip(every, every, strict=True)),
        )  # fmt: skip
    depth, kept = _around(whole.model, wish.focus)
    tasks = sorted(kept)
    old = before.atlas.layout if before is not None and before.is_part and before.wish.level is None else None
    part = _chart(whole.model.part(kept), [labels[task] for task in tasks], old, cancelled)
    scale, part = _choose(part, wish, cancelled)
    nodes = {task: node for node, task in enumerate(tasks)}
    return Sheet(wish=wish, scale=scale, depth=depth, whole=whole, labels=labels, atlas=part, tasks=tasks, nodes=nodes)


def _load_level(wish: Wish, path: str, before: Sheet | None, cancelled: Callable[[], bool]) -> Sheet:
    """What is directly in a level: tasks keep their numbers, nodes have those of their own tasks."""
    plan, depth = wish.plan, 0
    same = before is not None and before.wish.level == path
    part = part_of(plan, path)
    labels = _level_labels(plan, path, part)
    model = GraphModel.from_indices(plan.names, part.edges)
    kept = frozenset(part.members)
    if wish.focus is not None and wish.focus.task in kept:
        depth, kept = _around(model, wish.focus)
    tasks = sorted(kept)
    inside = before is not None and same and before.wish.plan is plan and before.tasks == tasks
    if inside and before is not None:
        atlas = before.atlas
    else:
        old = before.atlas.layout if before is not None and same else None
        atlas = _chart(model.part(kept), [labels[task] for task in tasks], old, cancelled)
    scale, atlas = _choose(atlas, wish, cancelled)
    nodes = {task: node for node, task in enumerate(tasks)}
    whole = Atlas(model=model, widths=(), layout=atlas.layout, maps={})
    return Sheet(wish=wish, scale=scale, depth=depth, whole=whole, labels=labels, atlas=atlas, tasks=tasks, nodes=nodes)


def _level_labels(plan: Plan, path: str, part: Part) -> tuple[str, ...]:
    labels = [""] * len(plan.names)
    for index in part.members:
        name = relative(plan.names[index], path)
        labels[index] = f"{name_of(name, _LABEL)} {ENTERED}" if index in plan.nodes else name_of(name, _LABEL)
    return tuple(labels)


def _edges(plan: Plan) -> list[tuple[int, int]]:
    return [(parent, task) for task, parents in enumerate(plan.upstream) for parent in parents]


def _sizes(scale: Scale, widths: Sequence[int]) -> Sizes:
    return replace(Sizes.of(scale, widths), label_limit=_WIDEST)


def _chart(model: GraphModel, labels: Sequence[str], old: Layout | None, cancelled: Callable[[], bool]) -> Atlas:
    widths = tuple([width(label) for label in labels])
    layout = lay_out(model, _sizes(Scale.PILL, widths), old, cancelled)
    return Atlas(model=model, widths=widths, layout=layout, maps={})


def _around(model: GraphModel, focus: Focus) -> tuple[int, frozenset[int]]:
    if focus.depth:
        return focus.depth, model.around(focus.task, focus.depth)
    depth, kept = 1, model.around(focus.task, 1)
    while depth < 3:
        wider = model.around(focus.task, depth + 1)
        if len(wider) > _READABLE or len(wider) == len(kept):
            break
        depth, kept = depth + 1, wider
    return depth, kept


def _choose(atlas: Atlas, wish: Wish, cancelled: Callable[[], bool]) -> tuple[Scale, Atlas]:
    """The scale that is wished, or else boxes if all of them fit the room, pills if they still read, or an overview."""
    if wish.scale is not None:
        return wish.scale, atlas if wish.scale is Scale.OVERVIEW else atlas.routed(wish.scale, cancelled)
    size = atlas.model.size
    if size <= BOX_LIMIT:
        atlas = atlas.routed(Scale.BOX, cancelled)
        boxes = atlas.maps[Scale.BOX]
        if boxes.width <= wish.room[0] - 2 and boxes.height <= wish.room[1]:
            return Scale.BOX, atlas
    if size > PILL_LIMIT:
        return Scale.OVERVIEW, atlas
    atlas = atlas.routed(Scale.PILL, cancelled)
    thicket = suggest_scale(size, atlas.maps[Scale.PILL].widest_channel) is Scale.OVERVIEW
    return Scale.OVERVIEW if thicket else Scale.PILL, atlas


class Hidden(NamedTuple):
    """How many nodes lie wholly outside a window, on each side."""

    left: int
    right: int
    above: int
    below: int


class Extents:
    """Where all nodes of a drawing begin and end, sorted, to count those outside a window quickly."""

    def __init__(self, drawing: Drawing) -> None:
        layout = drawing.layout
        rects: list[Rect] = [drawing.rect_of(node) for node in range(layout.model.size)]
        self._lefts = sorted([rect.x for rect in rects])
        self._rights = sorted([rect.x + rect.width for rect in rects])
        self._tops = sorted([rect.y for rect in rects])
        self._bottoms = sorted([rect.y + rect.height for rect in rects])

    def outside(self, window: Rect) -> Hidden:
        """Those outside `window`; one in a corner counts on both sides."""
        return Hidden(
            bisect_right(self._rights, window.x),
            len(self._lefts) - bisect_left(self._lefts, window.x + window.width),
            bisect_right(self._bottoms, window.y),
            len(self._tops) - bisect_left(self._tops, window.y + window.height),
        )


__all__ = ["DEEPEST", "Atlas", "Canvas", "Extents", "Focus", "Hidden", "Sheet", "Wish", "load"]
