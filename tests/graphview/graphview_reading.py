"""Reads the characters of a drawing back to edges, as a person would: along the lines, never to the left.

Without emphasis `┼` is a crossing, `╋` and every three-way character a junction, `▸` a merge into the next line to
the right.
"""

from __future__ import annotations

from collections.abc import Callable

from dagtop_app.graphview.canvas import Canvas
from dagtop_app.graphview.drawing import Emphasis
from dagtop_app.graphview.glyphs import DOWN, LEFT, RIGHT, UNICODE, UP
from graphview_shapes import full_text

SIDES = {character: bits for bits, character in enumerate(UNICODE.light)} | {"┼": LEFT | RIGHT | UP | DOWN}

_STEP = {"right": (1, 0), "merge": (1, 0), "up": (0, -1), "down": (0, 1)}
_ENTRY = {"right": LEFT, "merge": 0, "up": DOWN, "down": UP}

Allowed = Callable[[int, int, int], bool]
"""May a reader at (x, y) leave or enter by this side?"""


def read_edges(canvas: Canvas, allowed: Allowed = lambda x, y, side: True) -> set[tuple[int, int]]:
    """The edges the light characters of `canvas` show; `canvas` must have no highlight."""
    text = full_text(canvas)
    nodes = range(canvas.layout.model.size)
    ports = {(canvas.rect_of(node).x, canvas.layout.rows[node]): node for node in nodes}
    found: set[tuple[int, int]] = set()
    for node in nodes:
        if canvas.layout.model.children[node]:
            rect = canvas.rect_of(node)
            for port in _follow(text, rect.x + rect.width, canvas.layout.rows[node], ports, allowed):
                found.add((node, ports[port]))
    return found


def _follow(
    text: list[str], x: int, y: int, ports: dict[tuple[int, int], int], allowed: Allowed
) -> set[tuple[int, int]]:
    reached: set[tuple[int, int]] = set()
    waiting = [(x, y, "right")]
    seen: set[tuple[int, int, str]] = set()
    while waiting:
        state = waiting.pop()
        if state in seen:
            continue
        seen.add(state)
        x, y, heading = state
        if heading == "right" and (x, y) in ports:
            reached.add((x, y))
            continue
        character = text[y][x] if x < len(text[y]) else " "
        for way in _ways(character, heading):
            side = {"right": RIGHT, "merge": RIGHT, "up": UP, "down": DOWN}[way]
            if allowed(x, y, side) and (_ENTRY[heading] == 0 or allowed(x, y, _ENTRY[heading])):
                across, along = _STEP[way]
                waiting.append((x + across, y + along, way))
    return reached


def _ways(character: str, heading: str) -> list[str]:
    if character == "▸":
        return ["merge"] if heading == "right" else []
    bits = SIDES.get(character, 0)
    if heading == "merge":
        return ["right"] if bits & RIGHT else []
    if not bits & _ENTRY[heading]:
        return []
    if character == "┼":
        return [heading]
    ways = ["right"] if bits & RIGHT else []
    if bits & UP and heading != "down":
        ways.append("up")
    if bits & DOWN and heading != "up":
        ways.append("down")
    return ways


_HEAVY = {
    character: sum(
        side for place, side in zip((1, 3, 9, 27), (LEFT, RIGHT, UP, DOWN), strict=True) if n // place % 3 == 2
    )
    for n, character in enumerate(UNICODE.mixed)
}


def heavy_sides(canvas: Canvas, wanted: set[Emphasis]) -> Allowed:
    """Allows only heavy sides of cells with one of these emphases; `canvas` has the highlight."""
    cells: list[list[tuple[str, Emphasis]]] = []
    for y in range(canvas.height):
        line = canvas.line(y, 0, canvas.width)
        cells.append([(character, run.emphasis) for run in line.runs for character in run.text])

    def allowed(x: int, y: int, side: int) -> bool:
        character, emphasis = cells[y][x]
        heavy = LEFT | RIGHT if character == "▸" else _HEAVY.get(character, 0)
        return emphasis in wanted and bool(heavy & side)

    return allowed
