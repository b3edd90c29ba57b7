"""From a plan to a drawing that only has to be painted: what a worker thread does for the graph view.

The order of the nodes is worked out once for what is drawn. Another scale takes the same order, a part of the graph a small
layout of its own, a graph with folded groups one of its own too, and states none of this at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import NamedTuple

from dagtop.core.plan import Plan
from dagtop.core.values import dataclass

from dagtop_app.faces import ASCII
from dagtop_app.graph.folding import fold_tasks
from dagtop_app.graph.ground import Focus, Ground, around, ground_of
from dagtop_app.graphview import (
    GraphModel,
    Layout,
    LayoutCancelled,
    Routing,
    Scale,
    Sizes,
    lay_out,
    pile_up,
    rescale,
    route,
    suggest_scale,
)
from dagtop_app.graphview.folding import Fold, Folded, bundles, fold
from dagtop_app.graphview.sizes import BOX_LIMIT, PILL_LIMIT
from dagtop_app.graphview.wall import columns_of
from dagtop_app.text import width

#: Cells of a label at most; more would push the columns too far apart.
_WIDEST = 24
#: The same where groups say how much of them has ended.
_WIDEST_GROUP = 32
#: Edges away from a task, at most.
DEEPEST = 9
#: Up to so many nodes it is tried whether all of them fit as they are before groups are folded.
_TRIED = 300
#: So few nodes are not folded unless a person says so.
_FEW = 24
#: Folding is worth it if it leaves this share of the nodes at most.
_WORTH = 0.5
#: A drawing of so many screens is still looked at by scrolling.
_SCREENS = 4


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
    folded: bool | None = None
    """Whether groups are drawn as one; None: where that is worth it."""
    opened: frozenset[str] = frozenset()
    """Keys of the groups that are not."""
    halves: bool = not ASCII
    """Whether half a cell may stand for a task."""
    whole: bool = False
    """Without a scale: all of it is to be in the room, however small; else what reads well, and the rest is scrolled to."""


class Bundle(NamedTuple):
    """Tasks that one node stands for."""

    key: str
    label: str
    tasks: Sequence[int]
    is_level: bool = False
    """Whether they are what is in a node of a graph of graphs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Atlas:
    """A graph, or a part of one, in one order; maps of it at several scales."""

    model: GraphModel
    widths: tuple[int, ...]
    """Cells of each label."""
    layout: Layout
    """As pills: the order is the one of every scale."""
    limit: int = _WIDEST
    """Cells of a label at most."""
    is_piled: bool = False
    """The order is a rough one, for pictures without lines."""
    maps: Mapping[Scale, Routing] = field(default_factory=dict)
    """Those made so far."""

    def routed(self, scale: Scale, cancelled: Callable[[], bool]) -> Atlas:
        """With a map at a scale that has lines.

        Raises:
            LayoutCancelled: it is not wanted any more.
        """
        if scale in self.maps:
            return self
        layout = (
            self.layout
            if scale is Scale.PILL
            else rescale(self.layout, _sizes(scale, self.widths, self.limit), cancelled)
        )
        return replace(self, maps={**self.maps, scale: route(layout, cancelled)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sheet:
    """What was asked for, ready to be painted."""

    wish: Wish
    scale: Scale
    depth: int
    """Edges up- and downstream of the focus; 0 without one."""
    ground: Ground
    drawn: Sequence[int]
    """The tasks that are drawn, alone or in groups; ascending."""
    atlas: Atlas
    tasks: Sequence[int]
    """The task of each node; of a group the first."""
    nodes: Mapping[int, int]
    """The node of each task that is drawn, or that is in a group that is."""
    bundles: Mapping[int, Bundle]
    """By node that stands for several tasks."""
    plain: Atlas | None
    """Of the same without groups, if it was made."""
    is_folded: bool = False
    """Groups are drawn as one; not the cells of a wall."""

    @property
    def layout(self) -> Layout:
        """Of what is drawn; that of an overview and of a wall is the one of pills."""
        return self.atlas.layout if self.scale.is_small else self.atlas.maps[self.scale].layout

    @property
    def labels(self) -> Sequence[str]:
        """By task, cleaned."""
        return self.ground.labels

    @property
    def is_part(self) -> bool:
        """Not the whole graph is drawn."""
        return self.wish.focus is not None or self.wish.level is not None

    @property
    def is_boxed(self) -> bool:
        """The label of a group stands in the edge of its box."""
        return self.scale is Scale.BOX


def is_grown(before: Plan, now: Plan) -> bool:
    """Whether a plan is the one before with further tasks behind it: then every task has kept its number."""
    count = len(before)
    return 0 < count <= len(now) and before.name == now.name and list(now.names[:count]) == list(before.names)


def load(wish: Wish, before: Sheet | None, cancelled: Callable[[], bool]) -> Sheet | None:
    """Draw what is wished; None if it is not wanted any more. `before` is what is on screen now: as much of it as
    possible is used again, and of another plan's drawing the places of the tasks that stay."""
    try:
        return _Loading(wish, before, cancelled).load()
    except LayoutCancelled:
        return None


class _Loading:
    """One wish on its way to a sheet."""

    def __init__(self, wish: Wish, before: Sheet | None, cancelled: Callable[[], bool]) -> None:
        self.wish, self.before, self.cancelled = wish, before, cancelled
        old = before.ground if before is not None else None
        same = old is not None and old.plan is wish.plan and old.level == wish.level
        self.ground = old if old is not None and same else ground_of(wish.plan, wish.level)
        self.depth, self.drawn = self._what_is_drawn()
        whole = len(self.drawn) == self.ground.model.size
        again = before if before is not None and same and list(before.drawn) == list(self.drawn) else None
        self.plain = again.plain if again is not None else None
        self.model = (
            again.plain.model if again is not None and again.plain is not None
            else self.ground.model if whole else self.ground.model.part(self.drawn)
        )  # fmt: skip
        self.again = again

    def _what_is_drawn(self) -> tuple[int, Sequence[int]]:
        ground, focus = self.ground, self.wish.focus
        if focus is None or (ground.level is not None and focus.task not in ground.members):
            return 0, ground.members
        depth, kept = around(ground.model, focus)
        return depth, sorted(kept)

    def load(self) -> Sheet:
        """Choose how it is drawn, and draw it."""
        sheet = self._as_it_reads_well()
        return sheet if not self.wish.whole or self.wish.scale is not None or self._is_inside(sheet) else self._small()

    def _is_inside(self, sheet: Sheet) -> bool:
        columns, rows = self.wish.room
        routing = sheet.atlas.maps.get(sheet.scale)
        return sheet.scale.is_small or routing is None or (routing.width <= columns - 2 and routing.height <= rows)

    def _as_it_reads_well(self) -> Sheet:
        wish, count = self.wish, self.model.size
        if wish.scale is Scale.WALL:
            return self._wall()
        if wish.scale is Scale.OVERVIEW:
            return self._small()
        if wish.folded is None and count <= _TRIED and wish.scale is None:
            sheet = self._if_it_fits()
            if sheet is not None:
                return sheet
        if wish.folded or (wish.folded is None and (wish.scale is None or count > _TRIED)):
            sheet = self._folded()
            if sheet is not None:
                return sheet
        if wish.scale is not None:
            return self._sheet(wish.scale, self._ordered().routed(wish.scale, self.cancelled))
        if count > PILL_LIMIT:
            return self._small()
        atlas = self._ordered().routed(Scale.PILL, self.cancelled)
        thicket = suggest_scale(count, atlas.maps[Scale.PILL].widest_channel).is_small
        return self._sheet(Scale.OVERVIEW if thicket else Scale.PILL, atlas)

    # -- with every task -------------------------------------------------------------------------------------

    def _ordered(self) -> Atlas:
        """In the order with few crossings."""
        if self.plain is None or self.plain.is_piled:
            labels = [self.ground.labels[task] for task in self.drawn]
            self.plain = _chart(self.model, [width(label) for label in labels], self._old(folded=False), self.cancelled)
        return self.plain

    def _old(self, *, folded: bool) -> Layout | None:
        """The layout on screen, if it is one of the same kind."""
        before, wish = self.before, self.wish
        if before is None or before.wish.level != wish.level or before.is_folded is not folded:
            return None
        if before.atlas.is_piled or (before.wish.focus is None) is not (wish.focus is None):
            return None
        return before.atlas.layout

    def _if_it_fits(self) -> Sheet | None:
        """Boxes, or else pills, if all of them fit the room or none can be folded."""
        columns, rows = self.wish.room
        for scale in (Scale.BOX, Scale.PILL) if self.model.size <= BOX_LIMIT else (Scale.PILL,):
            atlas = self.plain = self._ordered().routed(scale, self.cancelled)
            if atlas.maps[scale].width <= columns - 2 and atlas.maps[scale].height <= rows:
                return self._sheet(scale, atlas)
        return None

    def _small(self) -> Sheet:
        """An overview, or a wall if that would be too wide."""
        columns, rows = self.wish.room
        count = self.model.size
        if self.plain is not None and not self.plain.is_piled:
            atlas = self.plain
        elif count <= PILL_LIMIT:
            atlas = self._ordered()
        else:
            atlas = self._piled()
        layers = [len(atlas.layout.nodes_in(rank)) for rank in range(len(atlas.layout.layers))]
        if self.wish.scale is None and self.wish.halves and columns_of(layers, rows, halves=False) > columns:
            return self._wall()
        return self._sheet(Scale.OVERVIEW, atlas)

    def _piled(self) -> Atlas:
        if self.plain is None:
            labels = [self.ground.labels[task] for task in self.drawn]
            self.plain = _pile(self.model, [width(label) for label in labels], self.cancelled)
        return self.plain

    def _sheet(self, scale: Scale, atlas: Atlas) -> Sheet:
        """A node for each task."""
        self.plain, ground = atlas, self.ground
        every = self.drawn
        found = {
            node: Bundle(ground.names[task], ground.labels[task], ground.inside[task], is_level=True)
            for node, task in enumerate(every)
            if task in ground.inside
        } if ground.inside else {}  # fmt: skip
        return self._made(scale, atlas, every, {task: node for node, task in enumerate(every)}, found, folded=False)

    def _made(
        self, scale: Scale, atlas: Atlas, tasks: Sequence[int], nodes: Mapping[int, int], found: Mapping[int, Bundle],
        *, folded: bool,
    ) -> Sheet:  # fmt: skip
        return Sheet(
            wish=self.wish, scale=scale, depth=self.depth, ground=self.ground, drawn=self.drawn, atlas=atlas, tasks=tasks,
            nodes=nodes, bundles=found, plain=self.plain, is_folded=folded,
        )  # fmt: skip

    # -- with groups -----------------------------------------------------------------------------------------

    def _folded(self) -> Sheet | None:
        """Groups as one; None if there are none, or it is not worth it and nobody asked for it."""
        wish, ground, count = self.wish, self.ground, self.model.size
        keep = {node for node, task in enumerate(self.drawn) if task in ground.inside} if ground.inside else frozenset()
        if wish.focus is not None and wish.focus.task in self.drawn:
            keep = keep | {self.drawn.index(wish.focus.task)}
        names = [ground.names[task] for task in self.drawn]
        paths = ground.level is None and bool(ground.plan.nodes)
        if wish.folded is None and count <= (_TRIED if paths else _FEW):
            return None
        folded = fold_tasks(self.model, names, opened=wish.opened, keep=keep, paths=paths)
        least = 3 if wish.focus is None else 2
        if not folded.folds or (wish.folded is None and not least <= folded.model.size <= count * _WORTH):
            return None
        again = self.again
        if again is not None and again.is_folded and again.wish.opened == wish.opened:
            atlas = again.atlas
        else:
            atlas = _chart(
                folded.model, self._folded_widths(folded), self._old(folded=True), self.cancelled, _WIDEST_GROUP
            )
        scale, atlas = self._fitting(atlas)
        return self._bundled(scale, atlas, folded, folded=True)

    def _folded_widths(self, folded: Folded) -> list[int]:
        widths = []
        for node, members in enumerate(folded.members):
            if node in folded.folds:
                widths.append(width(folded.folds[node].label) + 2 + 2 * len(f"{len(members):,}"))
            else:
                widths.append(width(self.ground.labels[self.drawn[members[0]]]))
        return widths

    def _fitting(self, atlas: Atlas) -> tuple[Scale, Atlas]:
        wish, size = self.wish, atlas.model.size
        if wish.scale is not None:
            return wish.scale, atlas.routed(wish.scale, self.cancelled)
        columns, rows = wish.room
        if size <= BOX_LIMIT:
            atlas = atlas.routed(Scale.BOX, self.cancelled)
            boxes = atlas.maps[Scale.BOX]
            if boxes.width * boxes.height <= columns * rows * _SCREENS:
                return Scale.BOX, atlas
        return Scale.PILL, atlas.routed(Scale.PILL, self.cancelled)

    def _bundled(self, scale: Scale, atlas: Atlas, found: Folded, *, folded: bool) -> Sheet:
        drawn, ground = self.drawn, self.ground
        shown: dict[int, Bundle] = {}
        for node, members in enumerate(found.members):
            task = drawn[members[0]]
            if node in found.folds:
                group = found.folds[node]
                shown[node] = Bundle(group.key, group.label, tuple([drawn[member] for member in members]))
            elif task in ground.inside:
                shown[node] = Bundle(ground.names[task], ground.labels[task], ground.inside[task], is_level=True)
        tasks = [drawn[members[0]] for members in found.members]
        nodes = {drawn[member]: node for member, node in enumerate(found.node_of)}
        return self._made(scale, atlas, tasks, nodes, shown, folded=folded)

    def _wall(self) -> Sheet:
        """Half a cell for each task, or for as many as it takes for all to fit."""
        plain = self._piled()
        columns, rows = self.wish.room
        layout = plain.layout
        layers = [layout.nodes_in(rank) for rank in range(len(layout.layers))]
        each, sizes = 1, [len(layer) for layer in layers]
        while columns_of([-(-size // each) for size in sizes], rows, halves=self.wish.halves) > columns:
            if each > max(sizes):
                return self._sheet(Scale.WALL, plain)  # it is the layers that are too many
            each += 1
        if each == 1:
            return self._sheet(Scale.WALL, plain)
        groups = [
            Fold(key=f"\0{bundle[0]}", label=self._cell_label(bundle), members=tuple(bundle))
            for bundle in bundles(layers, each)
            if len(bundle) > 1
        ]
        found = fold(self.model, groups)
        atlas = _pile(found.model, [1] * found.model.size, self.cancelled)
        return self._bundled(Scale.WALL, atlas, found, folded=False)

    def _cell_label(self, bundle: Sequence[int]) -> str:
        labels = self.ground.labels
        return f"{labels[self.drawn[bundle[0]]]} and {len(bundle) - 1:,} more"


def _sizes(scale: Scale, widths: Sequence[int], limit: int = _WIDEST) -> Sizes:
    return replace(Sizes.of(scale, widths), label_limit=limit)


def _chart(
    model: GraphModel, widths: Sequence[int], old: Layout | None, cancelled: Callable[[], bool], limit: int = _WIDEST
) -> Atlas:
    layout = lay_out(model, _sizes(Scale.PILL, widths, limit), old, cancelled)
    return Atlas(model=model, widths=tuple(widths), layout=layout, limit=limit)


def _pile(model: GraphModel, widths: Sequence[int], cancelled: Callable[[], bool]) -> Atlas:
    layout = pile_up(model, _sizes(Scale.PILL, widths), cancelled)
    return Atlas(model=model, widths=tuple(widths), layout=layout, is_piled=True)
