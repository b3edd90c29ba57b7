"""A graph in formats that other programs draw: mermaid, dot, JSON, SVG. Pure; states are optional."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any

from dagtop.core.levels import SLASH
from dagtop.core.plan import Plan
from dagtop.core.states import TaskState
from dagtop.core.topology import levels

from dagtop_app.faces import TASK_FACES
from dagtop_app.graphview import Layout, Routing
from dagtop_app.text import clean, cut, name_of

States = Mapping[int, TaskState]
_NONE: States = MappingProxyType({})
#: Characters of a name.
_LABEL = 200
#: Characters that mean nothing to mermaid inside of quotes.
_HARMLESS = frozenset(" _-./:,()[]*+=")
#: Pixels of a cell of the drawing.
_WIDE, _HIGH = 8.4, 17
#: Fill and edge by style class: of a light page, of a dark one.
_COLOURS = {
    "wait": ("#eef0f3", "#8a93a1", "#1c2026", "#7d8794"), "queue": ("#dff3ef", "#2b8a7a", "#12312c", "#5fc7b4"),
    "run": ("#dcecff", "#1f6fd0", "#10294a", "#5ab0ff"), "retry": ("#fff0d9", "#b06a00", "#3a2708", "#ffb454"),
    "ok": ("#e0f4e0", "#2f8a3b", "#12301a", "#7fd088"), "fail": ("#ffe1e3", "#c62f3d", "#3d1116", "#ff6b78"),
    "block": ("#f1e4fa", "#8a45b5", "#2c1539", "#d29bf0"), "skip": ("#f2f2f2", "#8f8f8f", "#242424", "#9a9a9a"),
    "stop": ("#f7e8dd", "#9c5a2b", "#33200f", "#d79a6b"), "held": ("#e8e6f8", "#5e54b3", "#1d1a3b", "#a59df0"),
}  # fmt: skip


def mermaid(plan: Plan, states: States = _NONE) -> Iterator[str]:
    """A flowchart, with a subgraph for each node of a graph of graphs."""
    yield "flowchart LR"
    yield from _nested(plan, states, _mermaid_task, '{pad}subgraph {id}["{label}"]', "{pad}end", _mermaid_text)
    for parent, child in _edges(plan):
        yield f"  n{parent} --> n{child}"
    used = {TASK_FACES[state].style for state in states.values()}
    for style in sorted(used):
        fill, edge, *_ = _COLOURS[style]
        yield f"  classDef {style} fill:{fill},stroke:{edge},color:#111"


def dot(plan: Plan, states: States = _NONE) -> Iterator[str]:
    """A digraph for Graphviz, with a cluster for each node of a graph of graphs."""
    yield f'digraph "{_dot_text(name_of(plan.name, _LABEL))}" {{'
    yield "  rankdir=LR;"
    yield '  node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="sans-serif"];'
    yield from _nested(
        plan, states, _dot_task, '{pad}subgraph "cluster_{id}" {{ label="{label}";', "{pad}}}", _dot_text
    )
    for parent, child in _edges(plan):
        yield f"  n{parent} -> n{child};"
    yield "}"


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


def _edges(plan: Plan) -> Iterator[tuple[int, int]]:
    return ((parent, child) for child, parents in enumerate(plan.upstream) for parent in parents)


def _nested(plan: Plan, states: States, task: Any, begin: str, end: str, text: Any) -> Iterator[str]:
    """Each task within the parts of the graph that it belongs to."""
    nodes = {plan.names[index] for index in plan.nodes}
    inside: dict[str, list[int]] = {}
    for index, name in enumerate(plan.names):
        home = name if index in plan.nodes else name.rpartition(SLASH)[0]
        while home and home not in nodes:
            home = home.rpartition(SLASH)[0]
        inside.setdefault(home, []).append(index)
    outer: dict[str, list[str]] = {}
    for path in sorted(nodes):
        around = path.rpartition(SLASH)[0]
        while around and around not in nodes:
            around = around.rpartition(SLASH)[0]
        outer.setdefault(around, []).append(path)
    yield from (task(plan, index, states, "  ") for index in inside.get("", ()))
    waiting = [(path, 1, False) for path in reversed(outer.get("", ()))]
    while waiting:
        path, depth, done = waiting.pop()
        pad = "  " * depth
        if done:
            yield end.format(pad=pad)
            continue
        label = text(name_of(path.rpartition(SLASH)[2], _LABEL))
        yield begin.format(pad=pad, id=f"g{plan.index[path]}", label=label)
        yield from (task(plan, index, states, pad + "  ") for index in inside.get(path, ()))
        waiting.append((path, depth, True))
        waiting += [(inner, depth + 1, False) for inner in reversed(outer.get(path, ()))]


def _own_name(plan: Plan, index: int) -> str:
    name = plan.names[index]
    if index in plan.nodes:
        return "all of it"
    return name_of(name.rpartition(SLASH)[2] if plan.nodes else name, _LABEL)


def _mermaid_text(text: str) -> str:
    return "".join([char if char.isalnum() or char in _HARMLESS else f"#{ord(char)};" for char in text])


def _mermaid_task(plan: Plan, index: int, states: States, pad: str) -> str:
    state = states.get(index)
    label = _own_name(plan, index)
    style = ""
    if state is not None:
        label, style = f"{TASK_FACES[state].glyph} {label}", f":::{TASK_FACES[state].style}"
    left, right = ("[[", "]]") if index in plan.nodes else ("[", "]")
    return f'{pad}n{index}{left}"{_mermaid_text(label)}"{right}{style}'


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _dot_task(plan: Plan, index: int, states: States, pad: str) -> str:
    state = states.get(index)
    label = _own_name(plan, index)
    more = ", peripheries=2" if index in plan.nodes else ""
    if state is not None:
        fill, edge, *_ = _COLOURS[TASK_FACES[state].style]
        label = f"{TASK_FACES[state].glyph} {label}"
        more += f', fillcolor="{fill}", color="{edge}", tooltip="{TASK_FACES[state].word.lower()}"'
    return f'{pad}n{index} [label="{_dot_text(label)}"{more}];'


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
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" width="{wide:.0f}" height="{high:.0f}"'
        f' role="img" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">'
    )
    yield f"<title>{_xml(title)}</title>"
    yield f"<style>{_sheet()}</style>"
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


def _sheet() -> str:
    rules = [
        ".page{fill:#fff}.line{fill:none;stroke:#98a2ae;stroke-width:1.4}.end{fill:#98a2ae}",
        "rect.t{stroke-width:1.4}.l{fill:#14181d}",
    ]
    dark = [".page{fill:#0c1017}.line{stroke:#5d6875}.end{fill:#5d6875}.l{fill:#e6ebf2}"]
    for style, (fill, edge, dark_fill, dark_edge) in _COLOURS.items():
        rules.append(f".{style}{{fill:{fill};stroke:{edge}}}")
        dark.append(f".{style}{{fill:{dark_fill};stroke:{dark_edge}}}")
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
