"""A graph as JSON and as a picture. Pure; states are optional."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any

from dagtop.core.plan import Plan
from dagtop.core.states import TaskState
from dagtop.core.topology import levels
from dagtop.observe.graph_text import COLOURS

from dagtop_app.faces import TASK_FACES
from dagtop_app.graphview import Layout, Routing
from dagtop_app.text import clean, cut

States = Mapping[int, TaskState]
_NONE: States = MappingProxyType({})
#: Characters of a name.
_LABEL = 200
#: Pixels of a cell of the drawing.
_WIDE, _HIGH = 8.4, 17


def as_json(plan: Plan, source: str = "", states: States = _NONE) -> str:
    """One object: the tasks with what they need, in the order of declaration."""
    ranks = levels(plan)
    tasks: list[dict[str, Any]] = []
    for index, name in enumerate(plan.names):
        task: dict[str, Any] = {
            "name": name,
            "needs": [plan.names[above] for above in plan.upstream[index]],
            "level": ranks[index],
        }
        if index in plan.nodes:
            task["node"] = True
        if place := plan.places.get(index):
            task["place"] = place
        if index in states:
            task["state"] = str(states[index])
        tasks.append(task)
    edges = sum(len(above) for above in plan.upstream)
    return json.dumps(
        {"v": 1, "graph": plan.name, "source": source, "levels": max(ranks, default=-1) + 1, "edges": edges, "tasks": tasks},
        ensure_ascii=False,
    )  # fmt: skip


# -- SVG -----------------------------------------------------------------------------------------------------


def svg(
    routing: Routing, labels: Sequence[str], title: str, states: States = _NONE, several: Sequence[int] = ()
) -> Iterator[str]:
    """A picture that is good on light and dark pages: boxes and lines as the console draws them.

    Parameters
    ----------
    labels: by node, cleaned.
    several: nodes that stand for several tasks.
    """
    layout = routing.layout
    wide, high = (routing.width + 2) * _WIDE, (routing.height + 2) * _HIGH
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dg" viewBox="0 0 {wide:.0f} {high:.0f}"'
        f' width="{wide:.0f}" height="{high:.0f}"'
        f' role="img" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">'
    )
    yield f"<title>{_xml(title)}</title>"
    yield f"<style>{sheet()}</style>"
    yield '<rect class="page" width="100%" height="100%"/>'
    pen = _Pen(routing)
    yield f'<path class="line" d="{"".join(pen.lines)}"/>'
    yield f'<path class="end" d="{"".join(pen.marks)}"/>'
    many = frozenset(several)
    for node, label in enumerate(labels):
        yield _box(routing, layout, node, label, states.get(node), several=node in many)
    yield "</svg>"


def _xml(text: str) -> str:
    return escape(clean(text, _LABEL)).replace("\ufffe", "�").replace("\uffff", "�")


def sheet() -> str:
    """The style of a picture, for light and dark pages."""
    rules = [
        ".dg .page{fill:#fff}.dg .line{fill:none;stroke:#98a2ae;stroke-width:1.4}.dg .end{fill:#98a2ae}",
        ".dg .t{stroke-width:1.4}.dg .l{fill:#14181d}",
    ]
    dark = [".dg .page{fill:#0c1017}.dg .line{stroke:#5d6875}.dg .end{fill:#5d6875}.dg .l{fill:#e6ebf2}"]
    for style, (fill, edge, dark_fill, dark_edge) in COLOURS.items():
        rules.append(f".dg .{style}{{fill:{fill};stroke:{edge}}}")
        dark.append(f".dg .{style}{{fill:{dark_fill};stroke:{dark_edge}}}")
    return "".join(rules) + "@media(prefers-color-scheme:dark){" + "".join(dark) + "}"


def _spot(x: float, y: float) -> str:
    return f"{(x + 1.5) * _WIDE:.1f} {(y + 1.5) * _HIGH:.1f}"


class _Pen:
    """Lines, the dots where lines branch, and the heads where they arrive."""

    def __init__(self, routing: Routing) -> None:
        self.lines: list[str] = []
        self.marks: list[str] = []
        self._routing = routing
        for rank in range(len(routing.channels)):
            self._channel(rank)
        layout, graph = routing.layout, routing.layout.graph
        for carrier in range(graph.node_count, graph.size):
            rank = graph.ranks[carrier]
            self._line(routing.lefts[rank] - 0.5, layout.rows[carrier], routing.right(rank) - 0.5, layout.rows[carrier])

    def _channel(self, rank: int) -> None:
        routing = self._routing
        channel, left = routing.channels[rank], routing.right(rank)
        for piece in channel.pieces:
            if piece.column < 0:
                self._arrive(rank, left - 0.5, piece.net, piece.low)
                continue
            x = left + piece.column
            rows = {*piece.sources, *piece.targets}
            self._line(x, min(rows), x, max(rows))
            for row in piece.sources:
                if row != piece.enters:
                    self._line(left - 0.5, row, x, row)
            for row in piece.targets:
                if row == piece.leaves:
                    other = next(it for it in channel.pieces if it.net == piece.net and it.enters == row)
                    self._line(x, row, left + other.column, row)
                else:
                    self._arrive(rank, x, piece.net, row)
            both = set(piece.sources) & set(piece.targets)
            self.marks += [_dot(x, row) for row in rows if min(rows) < row < max(rows) or row in both]

    def _arrive(self, rank: int, x: float, net: int, row: int) -> None:
        """A line to the right edge of a channel, or into the next line of its row."""
        routing = self._routing
        channel, left = routing.channels[rank], routing.right(rank)
        merge = channel.arrows.get((net, row))
        end = left + channel.width - 0.5 if merge is None else left + merge + 1.0
        self._line(x, row, end, row)
        target = next(it for it in channel.nets[net].targets if routing.layout.rows[it] == row)
        if merge is not None or target < routing.layout.graph.node_count:
            self.marks.append(f"M{_spot(end, row)}l-5 -3.2v6.4z")

    def _line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.lines.append(f"M{_spot(x0, y0)}L{_spot(x1, y1)}")


def _dot(x: float, y: float) -> str:
    return f"M{_spot(x, y)}m-2.2 0a2.2 2.2 0 1 0 4.4 0a2.2 2.2 0 1 0 -4.4 0z"


def _box(routing: Routing, layout: Layout, node: int, label: str, state: TaskState | None, *, several: bool) -> str:
    rank = layout.graph.ranks[node]
    left, wide = routing.lefts[rank], layout.column_width(rank)
    x, y = (left + 1) * _WIDE, (layout.rows[node] + 0.85) * _HIGH
    style = TASK_FACES[state].style if state is not None else "wait"
    word = f" ({TASK_FACES[state].word.lower()})" if state is not None else ""
    shown = cut(label, wide - 2 if state is None else wide - 4)
    if state is not None:
        shown = f"{TASK_FACES[state].glyph} {shown}"
    shape = f'<rect class="t {style}" x="{x:.1f}" y="{y:.1f}" width="{wide * _WIDE:.1f}" height="{1.3 * _HIGH:.1f}" rx="5"/>'
    behind = shape.replace(f'x="{x:.1f}" y="{y:.1f}"', f'x="{x + 3:.1f}" y="{y - 3:.1f}"') if several else ""
    text = f'<text class="l" x="{x + _WIDE:.1f}" y="{y + 0.92 * _HIGH:.1f}">{_xml(shown)}</text>'
    return f"<g><title>{_xml(label + word)}</title>{behind}{shape}{text}</g>"
