"""The drawing with one cell per node, for graphs that do not fit as boxes or pills.

Layers stand side by side as columns. A layer that fits the height keeps its shape, scaled; a taller one is filled
column by column into a block. Where there is room between the columns, the edges are drawn as straight lines of
braille dots.
"""

from __future__ import annotations

from itertools import groupby

from .braille import braille, dotted_line
from .canvas import BLANK
from .coordinates import fit_in_order
from .drawing import Emphasis, Line, NodeTexts, Part, Rect, Run
from .glyphs import UNICODE, Glyphs
from .highlight import Highlight
from .layout import Layout

WIDEST_GAP = 8
"""Columns between two layers, at most."""
NARROWEST_GAP = 2
"""Columns between two layers for lines to be drawn at all."""
CROWD = 2
"""Lines per row and gap; with more the dots only make a cloud, and are left out."""

Cell = tuple[int, int, int]
"""Column, row, braille dots."""

Ink = tuple[int, Emphasis, int]
"""Carrier, emphasis, braille dots."""


class Overview:
    """A layout fitted to a screen of `width` x `height`; wider than that only if it cannot be helped."""

    def __init__(self, layout: Layout, width: int, height: int, texts: NodeTexts, glyphs: Glyphs = UNICODE) -> None:
        self.layout = layout
        self.glyphs = glyphs
        self._texts = texts
        self._highlight = Highlight()
        self._height = max(1, min(height, layout.height)) if layout.layers else 0
        self._lefts, self._gap = self._place_columns(width)
        self._place = self._place_nodes()
        self._nodes = {place: node for node, place in enumerate(self._place)}
        self._lines: list[dict[int, Ink]] | None = None

    @property
    def width(self) -> int:
        """Columns of the whole drawing."""
        return self._lefts[-1]

    @property
    def height(self) -> int:
        """Rows of the whole drawing."""
        return self._height

    @property
    def highlight(self) -> Highlight:
        """What stands out."""
        return self._highlight

    @highlight.setter
    def highlight(self, highlight: Highlight) -> None:
        self._highlight = highlight
        self._lines = None

    @property
    def has_lines(self) -> bool:
        """There is room for edges."""
        segments = sum(map(len, self.layout.graph.down))
        room = CROWD * self._height * max(0, len(self.layout.layers) - 1)
        return self.glyphs.dots and self._gap >= NARROWEST_GAP and segments <= room

    def line(self, y: int, x0: int, x1: int) -> Line:
        """Row `y`, the columns x0 to x1 - 1 as far as the drawing goes."""
        x0, x1 = max(0, x0), min(x1, self.width)
        if not 0 <= y < self._height or x0 >= x1:
            return Line(x0, ())
        if self._lines is None:
            self._lines = self._draw_lines()
        dots = self._lines[y]
        runs: list[Run] = []
        cells = [self._cell(x, y, dots) for x in range(x0, x1)]
        for (part, owner, emphasis), group in groupby(cells, key=lambda cell: cell[1:]):
            runs.append(Run("".join([cell[0] for cell in group]), part, owner, emphasis))
        return Line(x0, tuple(runs))

    def node_at(self, x: int, y: int) -> int | None:
        """The node drawn at a cell."""
        return self._nodes.get((x, y))

    def rect_of(self, node: int) -> Rect:
        """The cell of a node."""
        x, y = self._place[node]
        return Rect(x, y, 1, 1)

    def lines_from(self, node: int) -> list[Rect]:
        """Cells to paint anew if the lines of a node change their colour; their bounding boxes, in no order."""
        rects: list[Rect] = []
        for carrier in self.layout.graph.trunk_of(node) if self.has_lines else ():
            for other in self.layout.graph.down[carrier]:
                (x0, y0), (x1, y1) = self._spot(carrier), self._spot(other)
                rects.append(Rect(x0, min(y0, y1), x1 - x0, abs(y1 - y0) + 1))
        return rects

    def feeders(self, run: Run) -> tuple[int, ...]:
        """The nodes a line comes from, or the node itself."""
        if run.owner == BLANK:
            return ()
        return tuple(self.layout.graph.sources(run.owner))

    def _cell(self, x: int, y: int, dots: dict[int, Ink]) -> tuple[str, Part, int, Emphasis]:
        node = self._nodes.get((x, y))
        if node is not None:
            return self._texts.glyph(node), Part.GLYPH, node, self._highlight.of_carrier(node)
        cell = dots.get(x)
        if cell is None:
            return " ", Part.BLANK, BLANK, Emphasis.NONE
        carrier, emphasis, bits = cell
        return braille(bits), Part.TRUNK, carrier, emphasis

    def _place_columns(self, width: int) -> tuple[list[int], int]:
        """First column of each layer and the end of the drawing; and the columns between two layers."""
        layers = range(len(self.layout.layers))
        blocks = [max(1, -(-len(self.layout.nodes_in(rank)) // self._height)) for rank in layers]
        room = width - sum(blocks)
        gaps = len(blocks) - 1
        gap = min(WIDEST_GAP, room // gaps) if gaps > 0 and room >= 0 else 1
        lefts: list[int] = []
        x = 0
        for block in blocks:
            lefts.append(x)
            x += block + gap
        return [*lefts, max(0, x - gap)], gap

    def _place_nodes(self) -> list[tuple[int, int]]:
        place = [(0, 0)] * self.layout.model.size
        for rank in range(len(self.layout.layers)):
            nodes = self.layout.nodes_in(rank)
            if len(nodes) > self._height:
                for index, node in enumerate(nodes):
                    place[node] = (self._lefts[rank] + index // self._height, index % self._height)
                continue
            wanted = [self._scaled(self.layout.rows[node]) for node in nodes]
            rows = fit_in_order(wanted, [1.0] * len(nodes), range(len(nodes)))
            for index, (node, row) in enumerate(zip(nodes, rows, strict=True)):
                place[node] = (self._lefts[rank], max(index, min(row, self._height - len(nodes) + index)))
        return place

    def _scaled(self, row: int) -> float:
        return row * (self._height - 1) / max(1, self.layout.height - 1)

    def _draw_lines(self) -> list[dict[int, Ink]]:
        """Plain lines first, so that what stands out lies on top."""
        rows: list[dict[int, Ink]] = [{} for _ in range(self._height)]
        if not self.has_lines:
            return rows
        graph = self.layout.graph
        segments = [
            (self._highlight.of_segment(carrier, other), carrier, other)
            for layer in self.layout.layers
            for carrier in layer
            for other in graph.down[carrier]
        ]
        if not self._highlight.is_empty:
            order = list(Emphasis)
            segments.sort(key=lambda segment: order.index(segment[0]))
        for emphasis, carrier, other in segments:
            for x, y, dots in self._cells_between(carrier, other):
                row = rows[y]
                row[x] = (carrier, emphasis, dots | row[x][2] if x in row else dots)
        return rows

    def _cells_between(self, carrier: int, other: int) -> list[Cell]:
        """The cells (x, y, dots) of a segment, and those of the trunk through the layer it starts from."""
        (x0, y0), (x1, y1) = self._spot(carrier), self._spot(other)
        cells: list[Cell] = []
        if carrier >= self.layout.graph.node_count:
            end = self._lefts[self.layout.graph.ranks[carrier] + 1] - self._gap
            cells = [(x0 + x, y0, dots) for x, _, dots in dotted_line(end - x0, 0)]
            x0 = end - 1
        cells += [(x0 + 1 + x, y0 + y, dots) for x, y, dots in dotted_line(x1 - x0 - 1, y1 - y0)]
        return cells

    def _spot(self, carrier: int) -> tuple[int, int]:
        if carrier < self.layout.graph.node_count:
            return self._place[carrier]
        return self._lefts[self.layout.graph.ranks[carrier]], round(self._scaled(self.layout.rows[carrier]))
