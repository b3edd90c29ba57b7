"""`dagtop show`: the graph of a file as tree, boxes, pills, mermaid, dot, JSON or SVG. No task runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from dagtop.core.plan import Plan
from dagtop.observe import graph_text
from dagtop.observe.graph_text import Wired

from dagtop_app.commandline.options import GraphOptions
from dagtop_app.commands import showing_formats as formats
from dagtop_app.faces import ASCII as IN_ASCII
from dagtop_app.graph.folding import fold_tasks
from dagtop_app.graphview import ASCII, UNICODE, Canvas, GraphModel, NodeTexts, Routing, Scale, Sizes, lay_out, route
from dagtop_app.graphview.sizes import BOX_LIMIT
from dagtop_app.launching.preparing import prepare
from dagtop_app.terminal.streams import stdout_reserved, write_all
from dagtop_app.text import fit, name_of, plural, width

Form = Literal["tree", "boxes", "pills", "mermaid", "dot", "json", "svg"]

#: Formats for people, in which groups of a larger graph are one.
_DRAWN = frozenset({"tree", "boxes", "pills", "svg"})
#: Cells of a label at most.
_WIDEST = 40
_LABEL = 200
#: Other tasks that are needed too, of which so many are named.
_NAMED = 4
_BRANCH, _LAST, _ON, _NOTHING = ("|- ", "`- ", "|  ", "   ") if IN_ASCII else ("├─ ", "╰─ ", "│  ", "   ")


class Shape:
    """What is shown: the tasks, or groups of them."""

    def __init__(self, plan: Wired, *, folded: bool | None) -> None:
        edges = [(parent, task) for task, parents in enumerate(plan.upstream) for parent in parents]
        self.model = GraphModel.from_indices(plan.names, edges)
        self.labels: Sequence[str] = [name_of(name, _LABEL) for name in plan.names]
        self.several: Mapping[int, int] = {}
        """How many tasks a node stands for, of those that stand for several."""
        self.members: Sequence[Sequence[int]] = [(task,) for task in range(len(plan.names))]
        """By node: the tasks that it stands for."""
        if folded is False or (folded is None and len(plan.names) <= BOX_LIMIT):
            return
        found = fold_tasks(self.model, plan.names, paths=bool(plan.nodes))
        if not found.folds or (folded is None and found.model.size < 3):
            return
        whole = self.labels
        self.model = found.model
        self.labels = [
            found.folds[node].label if node in found.folds else whole[members[0]]
            for node, members in enumerate(found.members)
        ]
        self.members = found.members
        self.several = {node: len(found.members[node]) for node in found.folds}

    def text(self, node: int) -> str:
        """What a node is called, with how many it stands for."""
        count = self.several.get(node)
        return self.labels[node] if count is None else f"{self.labels[node]}  ({plural(count, 'task')})"


def tree_lines(shape: Shape) -> Iterator[str]:
    """Each task once, below the one that it waits for longest; what else it needs and is not above it is named beside it."""
    model = shape.model
    above = [max(parents, key=lambda p: (model.ranks[p], -p)) if parents else None for parents in model.parents]
    below: list[list[int]] = [[] for _ in model.names]
    for node, parent in enumerate(above):
        if parent is not None:
            below[parent].append(node)
    roots = [node for node, parent in enumerate(above) if parent is None]
    waiting = [(root, "", "") for root in reversed(roots)]
    while waiting:
        node, lead, indent = waiting.pop()
        more = [shape.labels[parent] for parent in _elsewhere(model, above, node)]
        also = ""
        if more:
            named = ", ".join(more[:_NAMED])
            also = f"   (and {named}{f' and {len(more) - _NAMED:,} more' if len(more) > _NAMED else ''})"
        yield f"{lead}{shape.text(node)}{also}"
        inner = below[node]
        for place in range(len(inner) - 1, -1, -1):
            last = place == len(inner) - 1
            step = (indent + (_LAST if last else _BRANCH), indent + (_NOTHING if last else _ON))
            waiting.append((inner[place], *step))


def _elsewhere(model: GraphModel, above: Sequence[int | None], node: int) -> Sequence[int]:
    """What a node needs that is not above it in the tree."""
    if len(model.parents[node]) < 2:
        return ()
    there: set[int] = set()
    here = above[node]
    while here is not None:
        there.add(here)
        here = above[here]
    return [parent for parent in model.parents[node] if parent not in there]


class _Words(NodeTexts):
    """The nodes of a graph of which nothing has run."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def glyph(self, node: int) -> str:
        """Nothing is known of it yet."""
        return "." if IN_ASCII else "○"

    def label(self, node: int, width: int) -> str:
        """Its name."""
        return fit(self._shape.labels[node], width)

    def note(self, node: int, width: int) -> str:
        """Nothing."""
        return " " * width

    def stands_for_several(self, node: int) -> bool:
        """A group."""
        return node in self._shape.several

    def bar(self, node: int, width: int) -> Sequence[tuple[str, str]]:
        """How many there are of it."""
        return ((fit(f" {plural(self._shape.several[node], 'task')}", width), ""),)


def routed(shape: Shape, scale: Scale) -> Routing:
    """The graph laid out."""
    sizes = Sizes.of(scale, [width(label) for label in shape.labels])
    return route(lay_out(shape.model, replace(sizes, label_limit=_WIDEST, note=0)))


def drawn_lines(shape: Shape, scale: Scale) -> Iterator[str]:
    """Boxes or pills, and the lines between them."""
    canvas = Canvas(routed(shape, scale), _Words(shape), ASCII if IN_ASCII else UNICODE)
    for y in range(canvas.height):
        yield canvas.line(y, 0, canvas.width).text.rstrip()


def lines_of(plan: Plan, form: Form, *, source: str = "", folded: bool | None = None) -> Iterator[str]:
    """The graph in one of the forms, line by line."""
    if form == "json":
        yield formats.as_json(plan, source)
        return
    if form == "mermaid":
        yield from graph_text.mermaid(plan)
        return
    if form == "dot":
        yield from graph_text.dot(plan)
        return
    shape = Shape(plan, folded=folded)
    if form == "svg":
        yield from formats.svg(routed(shape, Scale.BOX), shape.labels, plan.name, several=tuple(shape.several))
        return
    edges = sum(len(needed) for needed in plan.upstream)
    yield f"{name_of(plan.name, 100)}: {plural(len(plan), 'task')}, {plural(edges, 'edge')}{_folded_text(shape, folded)}"
    yield ""
    yield from tree_lines(shape) if form == "tree" else drawn_lines(shape, Scale.BOX if form == "boxes" else Scale.PILL)


def _folded_text(shape: Shape, folded: bool | None) -> str:
    if not shape.several:
        return ""
    hint = "" if folded else "; --all shows each task"
    return f" ({plural(len(shape.several), 'group')} folded{hint})"


def show_command(
    where: str, options: GraphOptions, parameters: Mapping[str, Any], form: Form, *, every: bool = False
) -> int:
    """Load, check, draw.

    Raises
    ------
    DagtopError: the file or the graph is not right.
    """
    with stdout_reserved() as out:
        prepared = prepare(where, options, parameters)
        plan = prepared.seen()
        lines = lines_of(plan, form, source=prepared.source, folded=False if every else None)
        write_all(out, "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    return 0
