"""The drawing with half a cell per node: ten thousand on one screen. Layers stand side by side as blocks.

Lines are not drawn; what stands out shows what belongs together. Where half cells would tell by colour alone, each node
has a whole cell and its glyph.
"""

from __future__ import annotations

from bisect import bisect_right

from .canvas import BLANK
from .drawing import Emphasis, Line, NodeTexts, Part, Rect, Run
from .glyphs import UNICODE, Glyphs
from .highlight import Highlight
from .layout import Layout

_BOTH = "▀"


def columns_of(layers: list[int], rows: int, *, halves: bool = True) -> int:
    """How wide a wall of layers with so many nodes is if it is so many rows high."""
    column = rows * 2 if halves else rows
    blocks = sum([-(-nodes // column) for nodes in layers])
    return blocks + max(0, len(layers) - 1)


class Wall:
    """A layout as blocks of cells, `height` rows high."""

    def __init__(
        self, layout: Layout, height: int, texts: NodeTexts, glyphs: Glyphs = UNICODE, *, halves: bool = True
    ) -> None:
        self.layout = layout
        self.glyphs = glyphs
        self._texts = texts
        self._halves = halves
        self._highlight = Highlight()
        self._layers = [layout.nodes_in(rank) for rank in range(len(layout.layers))]
        most = max(map(len, self._layers), default=0)
        self._column = max(1, min(height * 2, most + most % 2) if halves else min(height, most))
        """Nodes in a column."""
        self._lefts: list[int] = []
        x = 0
        for layer in self._layers:
            self._lefts.append(x)
            x += -(-len(layer) // self._column) + 1
        self._width = max(0, x - 1)
        self._place = [(0, 0)] * layout.model.size
        for layer, left in zip(self._layers, self._lefts, strict=True):
            for index, node in enumerate(layer):
                column, row = divmod(index, self._column)
                self._place[node] = (left + column, row // 2 if halves else row)

    @property
    def width(self) -> int:
        """Columns of the whole drawing."""
        return self._width

    @property
    def height(self) -> int:
        """Rows of the whole drawing."""
        if not self._layers:
            return 0
        return -(-self._column // 2) if self._halves else self._column

    @property
    def highlight(self) -> Highlight:
        """What stands out."""
        return self._highlight

    @highlight.setter
    def highlight(self, highlight: Highlight) -> None:
        self._highlight = highlight

    def line(self, y: int, x0: int, x1: int) -> Line:
        """Row `y`, the columns x0 to x1 - 1 as far as the drawing goes."""
        x0, x1 = max(0, x0), min(x1, self.width)
        if not 0 <= y < self.height or x0 >= x1:
            return Line(x0, ())
        return Line(x0, tuple([self._cell(x, y) for x in range(x0, x1)]))

    def node_at(self, x: int, y: int) -> int | None:
        """The node drawn at a cell; of two the upper one."""
        nodes = self._nodes_at(x, y)
        return nodes[0] if nodes else None

    def rect_of(self, node: int) -> Rect:
        """The cell of a node."""
        x, y = self._place[node]
        return Rect(x, y, 1, 1)

    def lines_from(self, node: int) -> list[Rect]:
        """There are none."""
        return []

    def feeders(self, run: Run) -> tuple[int, ...]:
        """The node itself."""
        return () if run.owner == BLANK else (run.owner,)

    def _nodes_at(self, x: int, y: int) -> list[int]:
        if not (0 <= x < self.width and 0 <= y < self.height):
            return []
        rank = bisect_right(self._lefts, x) - 1
        start = (x - self._lefts[rank]) * self._column
        layer = self._layers[rank]
        if self._halves:
            return layer[start + 2 * y : start + min(2 * y + 2, self._column)]
        return layer[start + y : start + y + 1]

    def _cell(self, x: int, y: int) -> Run:
        nodes = self._nodes_at(x, y)
        if not nodes:
            return Run(" ", Part.BLANK, BLANK, Emphasis.NONE)
        first = nodes[0]
        emphasis = self._highlight.of_carrier(first)
        if not self._halves:
            return Run(self._texts.glyph(first), Part.GLYPH, first, emphasis)
        if len(nodes) == 1:
            return Run(_BOTH, Part.PAIR, first, emphasis)
        other = self._highlight.of_carrier(nodes[1])
        order = list(Emphasis)
        return Run(_BOTH, Part.PAIR, first, max(emphasis, other, key=order.index), "", nodes[1])
