"""The graph beside a list of its nodes, one row each: lines that run down from a node to those that need it.

The order is a topological one, depth first, so that what belongs together stands together and few lines run at once. A
line begins below its node and ends at the last node that needs it, which takes its column. Above `most` columns lines are
left out; a row says so where one is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .glyphs import CROSSING, DOWN, LEFT, RIGHT, UNICODE, UP, Glyphs
from .model import GraphModel

STEP = 2
"""Cells from one column to the next."""


_NOTHING = (0, -1, -1)


@dataclass(frozen=True, slots=True)
class LaneRow:
    """What stands left of one node."""

    column: int
    """Where its glyph is."""
    bits: tuple[tuple[int, int, int], ...]
    """(sides, node whose line it is, node whose line goes across to the next column) of each column; -1 for none."""
    is_cut: bool
    """A line is left out here."""


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """Rows of a whole graph."""

    order: tuple[int, ...]
    place: tuple[int, ...]
    """By node: its row."""
    rows: tuple[LaneRow, ...]
    """From top to bottom."""
    columns: int

    @property
    def width(self) -> int:
        """Cells of the widest row."""
        return self.columns * STEP

    def cells(self, node: int, glyph: str, glyphs: Glyphs = UNICODE) -> list[tuple[str, int]]:
        """(text, node whose line it is) from left to right; of the glyph the node itself, of nothing -1."""
        row = self.rows[self.place[node]]
        runs: list[tuple[str, int]] = []
        for column in range(self.columns):
            bits, owner, across = row.bits[column] if column < len(row.bits) else _NOTHING
            own = column == row.column
            runs.append((glyph if own else glyphs.line(bits), node if own else owner))
            reaches = across >= 0
            if own and row.is_cut and not reaches:
                runs.append((glyphs.light[LEFT | RIGHT] if not glyphs.dots else "┄", -1))
            else:
                runs.append((glyphs.light[LEFT | RIGHT], across) if reaches else (" ", -1))
        return runs


def lay_lanes(model: GraphModel, nodes: Sequence[int] | None = None, most: int = 16) -> Lanes:
    """Lay the lines of a graph, or of some of its nodes that have no edges to others."""
    order = _depth_first(model, range(model.size) if nodes is None else nodes)
    place = [-1] * model.size
    lanes: list[int] = []
    column_of: dict[int, int] = {}
    left = [len(children) for children in model.children]
    rows: list[LaneRow] = []
    columns = 0
    for number, node in enumerate(order):
        place[node] = number
        row = _row(model, node, lanes, column_of, left, most)
        rows.append(row)
        columns = max(columns, row.column + 1, len(row.bits))
    return Lanes(tuple(order), tuple(place), tuple(rows), columns)


def _depth_first(model: GraphModel, nodes: Sequence[int]) -> list[int]:
    """Every parent before its children, and a child right after its last parent where that is possible."""
    missing = [len(parents) for parents in model.parents]
    waiting = [node for node in nodes if not missing[node]][::-1]
    order: list[int] = []
    while waiting:
        node = waiting.pop()
        order.append(node)
        free: list[int] = []
        for child in model.children[node]:
            missing[child] -= 1
            if not missing[child]:
                free.append(child)
        waiting.extend(reversed(free))
    return order


def _row(
    model: GraphModel, node: int, lanes: list[int], column_of: dict[int, int], left: list[int], most: int
) -> LaneRow:
    """Place one node; `lanes` are the nodes whose lines run on, by column, -1 for none."""
    parents = model.parents[node]
    for parent in parents:
        left[parent] -= 1
    above = sorted(column_of[parent] for parent in parents if parent in column_of)
    ending = [column for column in above if not left[lanes[column]]]
    column = ending[0] if ending else _free(lanes, above[-1] + 1 if above else 0)
    shown = min(column, most)
    low, high = min([shown, *above]), max([shown, *above])
    reach = max(len(lanes), high + 1)
    bits: list[tuple[int, int, int]] = []
    source = lanes[above[0]] if above else -1
    for here in range(reach):
        owner = lanes[here] if here < len(lanes) else -1
        across = source if low <= here < high else -1
        if here == shown:
            bits.append((0, -1, across))
            continue
        sides = 0
        if owner >= 0:
            sides = UP if here in ending else UP | DOWN
        within = low <= here <= high and low != high
        if within and here in above:
            sides |= RIGHT if here < shown else LEFT
            if low < here < high and (here > low if here < shown else here < high):
                sides |= LEFT | RIGHT
        elif within:
            sides |= LEFT | RIGHT | (CROSSING if sides else 0)
        bits.append((sides, owner if owner >= 0 else source if sides else -1, across))
    for gone in ending:
        column_of.pop(lanes[gone])
        lanes[gone] = -1
    cut = len(above) < len(parents)
    if left[node] and column < most:
        lanes.extend([-1] * (column + 1 - len(lanes)))
        lanes[column] = node
        column_of[node] = column
    elif left[node]:
        cut = True
    while lanes and lanes[-1] < 0:
        lanes.pop()
    return LaneRow(shown, tuple(bits), cut)


def _free(lanes: list[int], start: int) -> int:
    for column in range(start, len(lanes)):
        if lanes[column] < 0:
            return column
    return max(start, len(lanes))
