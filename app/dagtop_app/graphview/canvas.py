"""The drawing with boxes or pills: any row of it, as runs of text that say what they belong to.

The cost of a row is that of the columns asked for: each channel is cut into tiles of a few rows, made when first seen
and forgotten when not seen for long.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import groupby

from .drawing import Emphasis, Line, NodeTexts, Part, Rect, Run
from .glyphs import LEFT, RIGHT, UNICODE, Glyphs
from .highlight import Highlight
from .ink import BAND, ChannelInk, heavy_tile
from .router import Routing
from .sizes import Scale

TILES = 2_000
"""Tiles kept; a screen of 200x60 shows about thirty."""

BLANK = -1
"""Owner of nothing."""

TileRows = list[tuple[Run, ...] | None]


class Canvas:
    """A routed layout, painted line by line; not safe for use by several threads at once."""

    def __init__(self, routing: Routing, texts: NodeTexts, glyphs: Glyphs = UNICODE, tiles: int = TILES) -> None:
        self.routing = routing
        self.layout = routing.layout
        self.glyphs = glyphs
        self._texts = texts
        self._limit = tiles
        self._highlight = Highlight()
        self._graph = self.layout.graph
        self._inks: dict[int, ChannelInk] = {}
        self._columns: dict[int, dict[int, int]] = {}
        self._tiles: OrderedDict[tuple[int, int], TileRows] = OrderedDict()
        self._feeders: dict[tuple[Part, int], tuple[int, ...]] = {}

    @property
    def width(self) -> int:
        """Columns of the whole drawing."""
        return self.routing.width

    @property
    def height(self) -> int:
        """Rows of the whole drawing."""
        return self.routing.height

    @property
    def highlight(self) -> Highlight:
        """What stands out."""
        return self._highlight

    @highlight.setter
    def highlight(self, highlight: Highlight) -> None:
        self._highlight = highlight
        self._tiles.clear()

    @property
    def tile_count(self) -> int:
        """Tiles held just now."""
        return len(self._tiles)

    def line(self, y: int, x0: int, x1: int) -> Line:
        """Row `y`, covering at least the columns x0 to x1 - 1 as far as the drawing goes."""
        routing = self.routing
        if not (0 <= y < self.height and x0 < min(x1, self.width)):
            return Line(x0, ())
        rank = routing.layer_at(x0)
        start = routing.lefts[rank]
        if x0 >= routing.right(rank):
            start = routing.right(rank)
        runs: list[Run] = []
        x = start
        while x < x1 and rank < len(routing.lefts):
            if x == routing.lefts[rank]:
                runs.extend(self._column_runs(rank, y))
                x = routing.right(rank)
            if x < x1 and rank < len(routing.channels):
                runs.extend(self._channel_runs(rank, y))
                x += routing.channels[rank].width
            rank += 1
        return Line(start, tuple(runs))

    def node_at(self, x: int, y: int) -> int | None:
        """The node drawn at a cell."""
        if not 0 <= x < self.width:
            return None
        rank = self.routing.layer_at(x)
        carrier = self._column(rank).get(y)
        if carrier is None or carrier >= self._graph.node_count or x >= self.routing.right(rank):
            return None
        return carrier

    def rect_of(self, node: int) -> Rect:
        """The cells of a node."""
        rank, rows = self._graph.ranks[node], self.layout.sizes.rows
        top = self.layout.rows[node] - rows // 2
        return Rect(self.routing.lefts[rank], top, self.layout.column_width(rank), rows)

    def lines_from(self, node: int) -> list[Rect]:
        """Cells to paint anew if the lines of a node change their colour; their bounding boxes, in no order."""
        rects: list[Rect] = []
        if not self.layout.model.children[node]:
            return rects
        for carrier in self._graph.trunk_of(node):
            rank = self._graph.ranks[carrier]
            channel = self.routing.channels[rank]
            left, right = self.routing.lefts[rank], self.routing.right(rank)
            rects.append(Rect(left, self.layout.rows[carrier], right - left, 1))
            runs = self._ink(rank).pieces_of(carrier)
            rects += [Rect(right, run.low, channel.width, run.high - run.low + 1) for run in runs]
        return rects

    def feeders(self, run: Run) -> tuple[int, ...]:
        """The nodes a line or trunk comes from, or the node a run is part of."""
        if run.owner == BLANK:
            return ()
        if run.part is not Part.LINE and run.part is not Part.TRUNK:
            return (run.owner,)
        key = (run.part, run.owner)
        found = self._feeders.get(key)
        if found is None:
            found = self._feeders[key] = self._find_feeders(*key)
        return found

    def edges_of(self, run: Run) -> frozenset[tuple[int, int]]:
        """The (parent, child) edges a line or trunk stands for: all of its feeders lead to all of its targets."""
        if run.part is not Part.LINE and run.part is not Part.TRUNK:
            return frozenset()
        targets = self._graph.targets(run.owner)
        return frozenset((parent, child) for parent in self.feeders(run) for child in targets)

    def _find_feeders(self, part: Part, owner: int) -> tuple[int, ...]:
        if part is Part.TRUNK:
            return tuple(self._graph.sources(owner))
        net = self._ink(self._graph.ranks[owner]).net_of(owner)
        return tuple(sorted({node for carrier in net.carriers for node in self._graph.sources(carrier)}))

    def _ink(self, rank: int) -> ChannelInk:
        ink = self._inks.get(rank)
        if ink is None:
            ink = self._inks[rank] = ChannelInk(self.routing.channels[rank])
        return ink

    def _column(self, rank: int) -> dict[int, int]:
        """Row -> carrier of a layer."""
        column = self._columns.get(rank)
        if column is None:
            column = self._columns[rank] = {}
            half = self.layout.sizes.rows // 2
            for carrier in self.layout.layers[rank]:
                row, reach = self.layout.rows[carrier], half if carrier < self._graph.node_count else 0
                column.update(dict.fromkeys(range(row - reach, row + reach + 1), carrier))
        return column

    def _column_runs(self, rank: int, y: int) -> Iterator[Run]:
        carrier = self._column(rank).get(y)
        width = self.layout.column_width(rank)
        if carrier is None:
            yield Run(" " * width, Part.BLANK, BLANK, Emphasis.NONE)
            return
        emphasis = self._highlight.of_carrier(carrier)
        if carrier >= self._graph.node_count:
            yield self._trunk(carrier, width, emphasis)
        elif self.layout.sizes.scale is Scale.BOX:
            yield from self._box_runs(carrier, rank, y - self.layout.rows[carrier], width, emphasis)
        else:
            yield from self._pill_runs(carrier, rank, emphasis)

    def _box_runs(self, node: int, rank: int, offset: int, width: int, emphasis: Emphasis) -> Iterator[Run]:
        heavy = emphasis is Emphasis.SELECTED or emphasis is Emphasis.CRITICAL
        several = self._texts.stands_for_several(node)
        glyphs = self.glyphs
        frame = glyphs.double_frame if several else glyphs.heavy_frame if heavy else glyphs.light_frame
        left, filling, right = frame[offset + 1]
        if offset:
            yield from self._edge_runs(node, (left, filling, right), width, emphasis, top=offset < 0, several=several)
            return
        if self._graph.up[node]:
            left = glyphs.ports[4 if several else 1 if heavy else 0]
        if self._graph.down[node]:
            right = glyphs.ports[5 if several else 3 if heavy else 2]
        yield Run(left, Part.FRAME, node, emphasis)
        if several:
            for text, tone in self._texts.bar(node, width - 2):
                yield Run(text, Part.BAR, node, emphasis, tone)
        else:
            yield from self._text_runs(node, self.layout.label_widths[rank], emphasis)
        yield Run(right, Part.FRAME, node, emphasis)

    def _edge_runs(
        self, node: int, frame: tuple[str, str, str], width: int, emphasis: Emphasis, *, top: bool, several: bool
    ) -> Iterator[Run]:
        """The upper or lower edge of a box, with what stands in it."""
        left, filling, right = frame
        room = width - 6  # corners, and a bit of the edge and a space at either side
        if top and several:
            room -= 2
            label = min(room, max(1, self.layout.sizes.labels[node]))
            yield Run(left + filling + " ", Part.FRAME, node, emphasis)
            yield Run(self._texts.glyph(node) + " ", Part.GLYPH, node, emphasis)
            text = self._texts.label(node, label)
            shown = text.rstrip(" ")
            yield Run(f"{shown} ", Part.LABEL, node, emphasis)
            yield Run(filling * (room - label + len(text) - len(shown) + 1) + right, Part.FRAME, node, emphasis)
            return
        inset, cells = ("", 0) if top or room < 1 else self._texts.inset(node, room)
        if not inset:
            yield Run(left + filling * (width - 2) + right, Part.FRAME, node, emphasis)
            return
        yield Run(left + filling * (room - cells + 1), Part.FRAME, node, emphasis)
        yield Run(f" {inset} ", Part.INSET, node, emphasis)
        yield Run(filling + right, Part.FRAME, node, emphasis)

    def _pill_runs(self, node: int, rank: int, emphasis: Emphasis) -> Iterator[Run]:
        """A pill is as long as its label; what is left of the column is the beginning of its line."""
        room = self.layout.label_widths[rank]
        label = min(room, max(1, self.layout.sizes.labels[node]))
        yield Run(" ", Part.FRAME, node, emphasis)
        yield from self._text_runs(node, label, emphasis)
        yield Run(" ", Part.FRAME, node, emphasis)
        if label < room and self._graph.down[node]:
            onward = Emphasis.DOWNSTREAM if emphasis is Emphasis.SELECTED else emphasis
            yield self._trunk(node, room - label, onward)
        elif label < room:
            yield Run(" " * (room - label), Part.BLANK, BLANK, Emphasis.NONE)

    def _text_runs(self, node: int, width: int, emphasis: Emphasis) -> Iterator[Run]:
        note = self.layout.sizes.note
        yield Run(self._texts.glyph(node) + " ", Part.GLYPH, node, emphasis)
        yield Run(self._texts.label(node, width), Part.LABEL, node, emphasis)
        if note:
            yield Run(self._texts.note(node, note), Part.NOTE, node, emphasis)

    def _trunk(self, carrier: int, width: int, emphasis: Emphasis) -> Run:
        glyph = self.glyphs.line(LEFT | RIGHT, 0 if emphasis is Emphasis.NONE else LEFT | RIGHT)
        return Run(glyph * width, Part.TRUNK, carrier, emphasis)

    def _channel_runs(self, rank: int, y: int) -> tuple[Run, ...]:
        key = (rank, y // BAND)
        rows = self._tiles.get(key)
        if rows is None:
            rows = self._tiles[key] = self._make_tile(*key)
            if len(self._tiles) > self._limit:
                self._tiles.popitem(last=False)
        else:
            self._tiles.move_to_end(key)
        runs = rows[y % BAND] if rows else None
        if runs is None:
            return (Run(" " * self.routing.channels[rank].width, Part.BLANK, BLANK, Emphasis.NONE),)
        return runs

    def _make_tile(self, rank: int, band: int) -> TileRows:
        ink = self._ink(rank)
        tile = ink.tile(band)
        if tile is None:
            return []
        layers: list[tuple[Emphasis, list[dict[int, int]]]] = []
        if not self._highlight.is_empty:
            for emphasis, strokes in self._highlight.strokes(ink, band):
                layers.append((emphasis, heavy_tile(tile, strokes, band)))
        rows: TileRows = []
        for y, (bits, nets) in enumerate(zip(tile.bits, tile.nets, strict=True)):
            if not any(bits):
                rows.append(None)
                continue
            heavy: dict[int, int] = {}
            reasons: dict[int, Emphasis] = {}
            for emphasis, cells in layers:
                for x, sides in cells[y].items():
                    heavy[x] = heavy.get(x, 0) | sides
                    reasons[x] = emphasis
            rows.append(self._join(ink, bits, nets, heavy, reasons))
        return rows

    def _join(
        self, ink: ChannelInk, bits: list[int], nets: list[int], heavy: dict[int, int], reasons: dict[int, Emphasis]
    ) -> tuple[Run, ...]:
        """Neighbouring cells of one net with one emphasis become one run."""
        runs: list[Run] = []
        whose = [(net, reasons.get(x, Emphasis.NONE)) for x, net in enumerate(nets)]
        for (net, emphasis), cells in groupby(range(len(bits)), key=whose.__getitem__):
            text = "".join([self.glyphs.line(bits[x], heavy.get(x, 0)) for x in cells])
            if net < 0:
                runs.append(Run(text, Part.BLANK, BLANK, Emphasis.NONE))
            else:
                runs.append(Run(text, Part.LINE, ink.channel.nets[net].carriers[0], emphasis))
        return tuple(runs)
