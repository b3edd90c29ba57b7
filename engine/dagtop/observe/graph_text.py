"""A graph as text for programs that draw: mermaid, and dot for Graphviz. Pure; states are optional."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from dagtop.core.paths import SLASH
from dagtop.observe.report.words import task_face
from dagtop.observe.visible import one_line

States = Mapping[int, str]
"""By task: a `TaskState`."""
NONE: States = MappingProxyType({})
#: Characters of a name.
LABEL = 200
#: Characters that mean nothing to mermaid inside of quotes.
_HARMLESS = frozenset(" _-./:,()[]*+=")
#: Fill and edge by style class: of a light page, of a dark one.
COLOURS = {
    "wait": ("#eef0f3", "#8a93a1", "#1c2026", "#7d8794"), "queue": ("#dff3ef", "#2b8a7a", "#12312c", "#5fc7b4"),
    "run": ("#dcecff", "#1f6fd0", "#10294a", "#5ab0ff"), "retry": ("#fff0d9", "#b06a00", "#3a2708", "#ffb454"),
    "ok": ("#e0f4e0", "#2f8a3b", "#12301a", "#7fd088"), "fail": ("#ffe1e3", "#c62f3d", "#3d1116", "#ff6b78"),
    "block": ("#f1e4fa", "#8a45b5", "#2c1539", "#d29bf0"), "skip": ("#f2f2f2", "#8f8f8f", "#242424", "#9a9a9a"),
    "stop": ("#f7e8dd", "#9c5a2b", "#33200f", "#d79a6b"), "held": ("#e8e6f8", "#5e54b3", "#1d1a3b", "#a59df0"),
    "cached": ("#def1f4", "#00707f", "#0c2d32", "#4fc9d8"), "late": ("#fde3f1", "#a3266f", "#3a1029", "#f587c4"),
}  # fmt: skip


class Wired(Protocol):
    """What is drawn: a `Plan` is one."""

    @property
    def name(self) -> str: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def upstream(self) -> Sequence[Sequence[int]]: ...
    @property
    def nodes(self) -> Collection[int]: ...


class Wiring(NamedTuple):
    """A graph of which nothing else is known."""

    name: str
    names: Sequence[str]
    upstream: Sequence[Sequence[int]]
    nodes: Collection[int]


def shown(text: str, limit: int = LABEL) -> str:
    """A name as it is drawn: in one line, and never nothing."""
    return one_line(text, limit) if text.strip() else "␣" * min(len(text), 8) or "(no name)"


def mermaid(graph: Wired, states: States = NONE) -> Iterator[str]:
    """A flowchart, with a subgraph for each node of a graph of graphs."""
    yield "flowchart LR"
    yield from _nested(graph, states, _mermaid_task, '{pad}subgraph {id}["{label}"]', "{pad}end", _mermaid_text)
    for parent, child in _edges(graph):
        yield f"  n{parent} --> n{child}"
    used = {task_face(state).style for state in states.values()}
    for style in sorted(used):
        fill, edge, *_ = COLOURS[style]
        yield f"  classDef {style} fill:{fill},stroke:{edge},color:#111"


def dot(graph: Wired, states: States = NONE) -> Iterator[str]:
    """A digraph for Graphviz, with a cluster for each node of a graph of graphs."""
    yield f'digraph "{_dot_text(shown(graph.name, LABEL))}" {{'
    yield "  rankdir=LR;"
    yield '  node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="sans-serif"];'
    yield from _nested(
        graph, states, _dot_task, '{pad}subgraph "cluster_{id}" {{ label="{label}";', "{pad}}}", _dot_text
    )
    for parent, child in _edges(graph):
        yield f"  n{parent} -> n{child};"
    yield "}"


def _edges(graph: Wired) -> Iterator[tuple[int, int]]:
    return ((parent, child) for child, parents in enumerate(graph.upstream) for parent in parents)


def _nested(graph: Wired, states: States, task: Any, begin: str, end: str, text: Any) -> Iterator[str]:
    """Each task within the parts of the graph that it belongs to."""
    nodes = {graph.names[index] for index in graph.nodes}
    places = {graph.names[index]: index for index in graph.nodes}
    inside: dict[str, list[int]] = {}
    for index, name in enumerate(graph.names):
        home = name if index in graph.nodes else name.rpartition(SLASH)[0]
        while home and home not in nodes:
            home = home.rpartition(SLASH)[0]
        inside.setdefault(home, []).append(index)
    outer: dict[str, list[str]] = {}
    for path in sorted(nodes):
        around = path.rpartition(SLASH)[0]
        while around and around not in nodes:
            around = around.rpartition(SLASH)[0]
        outer.setdefault(around, []).append(path)
    yield from (task(graph, index, states, "  ") for index in inside.get("", ()))
    waiting = [(path, 1, False) for path in reversed(outer.get("", ()))]
    while waiting:
        path, depth, done = waiting.pop()
        pad = "  " * depth
        if done:
            yield end.format(pad=pad)
            continue
        label = text(shown(path.rpartition(SLASH)[2], LABEL))
        yield begin.format(pad=pad, id=f"g{places[path]}", label=label)
        yield from (task(graph, index, states, pad + "  ") for index in inside.get(path, ()))
        waiting.append((path, depth, True))
        waiting += [(inner, depth + 1, False) for inner in reversed(outer.get(path, ()))]


def _own_name(graph: Wired, index: int) -> str:
    name = graph.names[index]
    if index in graph.nodes:
        return "all of it"
    return shown(name.rpartition(SLASH)[2] if graph.nodes else name, LABEL)


def _mermaid_text(text: str) -> str:
    return "".join([char if char.isalnum() or char in _HARMLESS else f"#{ord(char)};" for char in text])


def _mermaid_task(graph: Wired, index: int, states: States, pad: str) -> str:
    state = states.get(index)
    label = _own_name(graph, index)
    style = ""
    if state is not None:
        label, style = f"{task_face(state).glyph} {label}", f":::{task_face(state).style}"
    left, right = ("[[", "]]") if index in graph.nodes else ("[", "]")
    return f'{pad}n{index}{left}"{_mermaid_text(label)}"{right}{style}'


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _dot_task(graph: Wired, index: int, states: States, pad: str) -> str:
    state = states.get(index)
    label = _own_name(graph, index)
    more = ", peripheries=2" if index in graph.nodes else ""
    if state is not None:
        fill, edge, *_ = COLOURS[task_face(state).style]
        label = f"{task_face(state).glyph} {label}"
        more += f', fillcolor="{fill}", color="{edge}", tooltip="{task_face(state).word.lower()}"'
    return f'{pad}n{index} [label="{_dot_text(label)}"{more}];'
