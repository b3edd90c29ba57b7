"""The graph beside a list of its nodes, one row each: lines that run down from a node to those that need it.

The order is a topological one, depth first, so that what belongs together stands together and few lines run at once. A
line begins below its node and ends at the last node that needs it, which takes its column. Nodes that all feed the same
nodes share one line: each but the first joins it with an arrow, to its right. Above `most` columns lines are left out; a
row says so where one is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dagtop.core.values import dataclass

from .glyphs import CROSSING, DOWN, LEFT, RIGHT, UNICODE, UP, Glyphs
from .model import GraphModel

STEP = 2
"""Cells from one column to the next."""
SHARED = 3
"""So many nodes that feed the same nodes share a line."""


_NOTHING = (0, -1, -1)


@dataclass(frozen=True, slots=True)
class LaneRow:
    """What stands left of one node."""

    column: int
    """Where its glyph is."""
    bits: tuple[tuple[int, int, int], ...]
    """(sides, node whose line it is, node whose line goes across to the next column) of each column; -1 for none. Of a
    shared line -2 minus the first node that it leads to."""
    is_cut: bool
    """A line is left out here."""
    joins: bool = False
    """Its own line goes right, into one that it shares with others."""


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
        """(text, owner of the line as in `LaneRow.bits`) from left to right; of the glyph the node itself, of nothing -1."""
        row = self.rows[self.place[node]]
        runs: list[tuple[str, int]] = []
        for column in range(self.columns):
            bits, owner, across = row.bits[column] if column < len(row.bits) else _NOTHING
            own = column == row.column
            runs.append((glyph if own else glyphs.line(bits), node if own else owner))
            reaches = across != -1
            if own and row.joins:
                runs.append((glyphs.arrow, across))
            elif own and row.is_cut and not reaches:
                runs.append((glyphs.light[LEFT | RIGHT] if not glyphs.dots else "┄", -1))
            else:
                runs.append((glyphs.light[LEFT | RIGHT], across) if reaches else (" ", -1))
        return runs


def lay_lanes(model: GraphModel, nodes: Sequence[int] | None = None, most: int = 16) -> Lanes:
    """Lay the lines of a graph, or of some of its nodes that have no edges to others."""
    order = _depth_first(model, range(model.size) if nodes is None else nodes)
    place = [-1] * model.size
    for number, node in enumerate(order):
        place[node] = number
    laying = _Laying(model, most)
    rows = tuple([laying.row(node) for node in order])
    columns = max((max(row.column + 1, len(row.bits)) for row in rows), default=0)
    return Lanes(tuple(order), tuple(place), rows, columns)


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


class _Laying:
    """The lines that run on below the rows laid so far. A line is known by the first node that feeds it."""

    def __init__(self, model: GraphModel, most: int) -> None:
        self._model, self._most = model, most
        self._lines: list[int] = []
        """By column, -1 for none."""
        self._column: dict[int, int] = {}
        """Of each line that runs."""
        self._line: dict[int, int] = {}
        """Of each node that has one."""
        self._left: dict[int, int] = {}
        """How many nodes each line still leads to."""
        counts = Counter(children for children in model.children if children)
        self._sharing = {children for children, count in counts.items() if count >= SHARED}
        self._shared: dict[tuple[int, ...], int] = {}
        self._trunks: dict[int, int] = {}
        """Owner of each shared line, see `LaneRow.bits`."""

    def row(self, node: int) -> LaneRow:
        """Place one node."""
        lines = dict.fromkeys(self._line.get(parent, -1) for parent in self._model.parents[node])
        cut = -1 in lines
        above = sorted(self._column[line] for line in lines if line >= 0)
        for line in lines:
            if line >= 0:
                self._left[line] -= 1
        ending = [column for column in above if not self._left[self._lines[column]]]
        column = ending[0] if ending else self._free(above[-1] + 1 if above else 0)
        shown = min(column, self._most)
        trunk = self._trunk(node, shown) if not above or above[-1] <= shown else None
        bits = self._bits(shown, above, ending, node, trunk)
        for gone in ending:
            del self._column[self._lines[gone]]
            self._lines[gone] = -1
        if self._model.children[node] and not self._begin(node, column, trunk):
            cut = True
        while self._lines and self._lines[-1] < 0:
            self._lines.pop()
        return LaneRow(shown, tuple(bits), cut, trunk is not None)

    def _trunk(self, node: int, shown: int) -> int | None:
        """The column of the line that the node shares with others; None if it has one of its own, or none."""
        children = self._model.children[node]
        if children not in self._sharing:
            return None
        line = self._shared.get(children)
        if line is not None:
            column = self._column.get(line, -1)
            return column if column > shown else None
        column = self._free(shown + 1)
        return column if column < self._most else None

    def _begin(self, node: int, column: int, trunk: int | None) -> bool:
        """Let the node's line run on. False if there is no room for it."""
        children = self._model.children[node]
        if trunk is not None:
            line = self._shared.setdefault(children, node)
            self._line[node] = line
            if line != node:
                return True
            self._trunks[node] = -2 - children[0]
            column = trunk
        elif column >= self._most:
            return False
        self._line[node] = node
        self._left[node] = len(children)
        self._lines.extend([-1] * (column + 1 - len(self._lines)))
        self._lines[column] = node
        self._column[node] = column
        return True

    def _owner(self, line: int) -> int:
        return self._trunks.get(line, line)

    def _bits(
        self, shown: int, above: Sequence[int], ending: Sequence[int], node: int, trunk: int | None
    ) -> list[tuple[int, int, int]]:
        low, high = min([shown, *above]), max([shown, *above])
        source = self._owner(self._lines[above[0]]) if above else -1
        out = -2 - self._model.children[node][0] if trunk is not None else -1
        reach = max(len(self._lines), high + 1, 0 if trunk is None else trunk + 1)
        bits: list[tuple[int, int, int]] = []
        for here in range(reach):
            line = self._lines[here] if here < len(self._lines) else -1
            owner = self._owner(line) if line >= 0 else -1
            sides = 0 if line < 0 else UP if here in ending else UP | DOWN
            across = source if low <= here < high else out if trunk is not None and shown <= here < trunk else -1
            if here == shown:
                bits.append((0, -1, across))
                continue
            if here == trunk:
                bits.append((sides | LEFT | DOWN, out, across))
                continue
            if low <= here <= high and here in above:
                sides |= RIGHT if here < shown else LEFT
                if low < here < high:
                    sides |= LEFT | RIGHT
            elif low <= here <= high or (trunk is not None and shown < here < trunk):
                sides |= LEFT | RIGHT | (CROSSING if sides else 0)
            bits.append((sides, owner if line >= 0 else across if sides else -1, across))
        return bits

    def _free(self, start: int) -> int:
        for column in range(start, len(self._lines)):
            if self._lines[column] < 0:
                return column
        return max(start, len(self._lines))
