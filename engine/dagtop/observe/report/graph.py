"""The graph of a report with its states, as mermaid and as dot."""

from __future__ import annotations

from collections.abc import Iterable

from dagtop.observe.graph_text import Wiring, dot, mermaid
from dagtop.observe.report.schema import Report


def wiring_of(report: Report) -> Wiring:
    """The graph, with tasks as numbers."""
    places = {task.name: place for place, task in enumerate(report.tasks)}
    return Wiring(
        name=report.graph,
        names=[task.name for task in report.tasks],
        upstream=[[places[name] for name in task.upstream] for task in report.tasks],
        nodes=frozenset(place for place, task in enumerate(report.tasks) if task.is_node),
    )


def to_mermaid(report: Report) -> bytes:
    """A flowchart."""
    return _text(mermaid(wiring_of(report), _states(report)))


def to_dot(report: Report) -> bytes:
    """A digraph for Graphviz."""
    return _text(dot(wiring_of(report), _states(report)))


def _states(report: Report) -> dict[int, str]:
    return {place: task.state for place, task in enumerate(report.tasks)}


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
