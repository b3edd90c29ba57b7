"""The graph of a report that is too large for boxes: a square for each task, level by level from left to right. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from typing import NamedTuple
from xml.sax.saxutils import escape

from dagtop.core.states import TaskState
from dagtop.observe.report.graph import wiring_of
from dagtop.observe.report.schema import Report

from dagtop_app.commands.showing_formats import sheet
from dagtop_app.faces import TASK_FACES
from dagtop_app.text import clean, plural

#: Pixels: a square with the room around it, the square, between levels, of the picture's breadth, around all of it.
_STEP, _SIDE, _GAP, _BROAD, _EDGE = 9, 7, 8, 1050, 12
#: Squares one above the other.
_LOW, _HIGH = 12, 80
#: Tasks that are not well are squares of their own, with their names; so many of them.
_NAMED = 1_000
_SHEET = ".dg .way{fill:none;stroke:#b8860b;stroke-width:2;stroke-opacity:.8}.dg .x{stroke-width:3.5}"
_BAD = frozenset({TaskState.FAILED, TaskState.TIMED_OUT, TaskState.BLOCKED})


class Spot(NamedTuple):
    """The upper left corner of a task's square."""

    x: int
    y: int


def lines(report: Report) -> Iterator[str]:
    """The SVG, line by line."""
    spots = place(levels_of(wiring_of(report).upstream))
    broad = max(spot.x for spot in spots) + _STEP + _EDGE
    high = max(spot.y for spot in spots) + _STEP + _EDGE + 22
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dg" viewBox="0 0 {broad} {high}" width="{broad}" height="{high}"'
        ' role="img" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">'
    )
    yield f"<title>{_xml(report.graph)}</title>"
    yield f"<style>{sheet()}{_SHEET}</style>"
    yield '<rect class="page" width="100%" height="100%"/>'
    yield from _squares(report, spots)
    way = [spots[at] for at in _critical(report)]
    if len(way) > 1:
        yield f'<path class="way" d="{_line(way)}" pointer-events="none"/>'
    words = "each square is a task, each block a level, from left to right" + (
        "; the line is the critical path" if way else ""
    )
    yield f'<text class="l" x="{_EDGE}" y="{high - _EDGE}" font-family="sans-serif" font-size="12">{words}</text>'
    yield "</svg>"


def levels_of(upstream: Sequence[Sequence[int]]) -> list[list[int]]:
    """Tasks by the number of tasks on the longest way to them."""
    waits = [len(above) for above in upstream]
    below: list[list[int]] = [[] for _ in upstream]
    for task, above in enumerate(upstream):
        for before in above:
            below[before].append(task)
    found: list[list[int]] = []
    level = [task for task, count in enumerate(waits) if not count]
    while level:
        found.append(level)
        level = sorted(after for task in level for after in below[task] if _last(waits, after))
    return found


def _last(waits: list[int], task: int) -> bool:
    waits[task] -= 1
    return not waits[task]


def place(levels: Sequence[Sequence[int]]) -> list[Spot]:
    """Where each task's square is. Levels that do not fit beside the others begin a new line."""
    count = sum(map(len, levels))
    rows = min(_HIGH, max(_LOW, ceil(sqrt(count / 2))))
    spots = [Spot(0, 0)] * count
    x = top = _EDGE
    tallest = 0
    for level in levels:
        columns = ceil(len(level) / rows)
        if x > _EDGE and x + columns * _STEP > _BROAD:
            x, top, tallest = _EDGE, top + tallest * _STEP + 2 * _GAP, 0
        most = max(1, min(columns, (_BROAD - x) // _STEP))
        for at, task in enumerate(level):
            column, row = divmod(at, max(rows, ceil(len(level) / most)))
            spots[task] = Spot(x + column * _STEP, top + row * _STEP)
        tallest = max(tallest, min(len(level), max(rows, ceil(len(level) / most))))
        x += most * _STEP + (_GAP if columns > 1 else 2)
    return spots


def _squares(report: Report, spots: Sequence[Spot]) -> Iterator[str]:
    """One path for all tasks of a state; those that are not well are squares with their names, above the others."""
    states = [TaskState(task.state) for task in report.tasks]
    named = [at for at, state in enumerate(states) if state in _BAD][:_NAMED]
    apart = frozenset(named)
    for state, number in Counter(states).items():
        ways = "".join(
            f"M{spots[at].x} {spots[at].y}h{_SIDE}v{_SIDE}h-{_SIDE}z"
            for at, its in enumerate(states)
            if its is state and at not in apart
        )
        face = TASK_FACES[state]
        if ways:
            told = f"{plural(number, 'task')}: {face.word.lower()}"
            yield f'<g><title>{told}</title><path class="t {face.style}" stroke-width="1" d="{ways}"/></g>'
    for at in named:
        face, spot = TASK_FACES[states[at]], spots[at]
        yield (
            f"<g><title>{_xml(report.tasks[at].name)} ({face.word.lower()})</title>"
            f'<rect class="t x {face.style}" x="{spot.x}" y="{spot.y}" width="{_SIDE}" height="{_SIDE}"/></g>'
        )


def _critical(report: Report) -> list[int]:
    places = {task.name: at for at, task in enumerate(report.tasks)}
    return [places[name] for name in report.critical_path]


def _line(way: Sequence[Spot]) -> str:
    """Through the middles of the squares; lifted where a new line of levels begins."""
    told: list[str] = []
    last = _BROAD + _EDGE
    for spot in way:
        told.append(f"{'L' if spot.x >= last else 'M'}{spot.x + _SIDE // 2} {spot.y + _SIDE // 2}")
        last = spot.x
    return "".join(told)


def _xml(text: str) -> str:
    return escape(clean(text, 120)).replace("\ufffe", "�").replace("\uffff", "�")
