"""The cells of one channel in one band of rows: which sides each cell touches, and whose it is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from dagtop.core.values import dataclass

from .channels import Channel, Net, Piece
from .glyphs import ARROW, CROSSING, DOWN, LEFT, RIGHT, UP

BAND = 32
"""Rows of a tile."""

ACROSS = LEFT | RIGHT
ALONG = UP | DOWN


@dataclass(frozen=True, slots=True)
class Stroke:
    """Cells in a straight line: from (x, y) over `length` cells to the right or down, with the bits of both ends."""

    net: int
    x: int
    y: int
    length: int
    first: int
    last: int
    down: bool


@dataclass(slots=True)
class Tile:
    """Cells of a band of a channel, row by row."""

    bits: list[list[int]]
    nets: list[list[int]]
    """Net of each cell, -1 for none; at a crossing the one that goes down."""


class ChannelInk:
    """Draws the bands of one channel; knows which pieces touch which band."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._by_band: dict[int, list[Piece]] = {}
        self._by_net: dict[int, list[Piece]] = {}
        self._numbers = {carrier: number for number, net in enumerate(channel.nets) for carrier in net.carriers}
        for piece in channel.pieces:
            self._by_net.setdefault(piece.net, []).append(piece)
            for band in range(piece.low // BAND, piece.high // BAND + 1):
                self._by_band.setdefault(band, []).append(piece)

    def pieces(self, band: int) -> list[Piece]:
        """The pieces with a cell in the band."""
        return self._by_band.get(band, [])

    def net_of(self, carrier: int) -> Net:
        """The bus a carrier feeds."""
        return self.channel.nets[self._numbers[carrier]]

    def pieces_of(self, carrier: int) -> list[Piece]:
        """The pieces of the bus a carrier feeds."""
        return self._by_net[self._numbers[carrier]]

    def tile(self, band: int) -> Tile | None:
        """The cells of a band, or nothing if it is empty."""
        pieces = self.pieces(band)
        if not pieces:
            return None
        width, top = self.channel.width, band * BAND
        tile = Tile([[0] * width for _ in range(BAND)], [[-1] * width for _ in range(BAND)])
        strokes = [s for piece in pieces for s in self.strokes(piece, piece.sources, piece.targets, band)]
        # Downward strokes first: what comes across an untouched `│` of another net is a crossing.
        for stroke in strokes:
            if stroke.down:
                _draw_down(tile, stroke, top)
        for stroke in strokes:
            if not stroke.down:
                _draw_across(tile, stroke, top)
        for piece in pieces:
            for row in _within(piece.targets, band):
                arrow = self.channel.arrows.get((piece.net, row))
                if arrow is not None and row != piece.leaves:
                    tile.bits[row - top][arrow] |= ARROW
        return tile

    def strokes(
        self, piece: Piece, sources: Sequence[int], targets: Sequence[int], band: int, *, tails: bool = False
    ) -> Iterator[Stroke]:
        """A piece, or the part of it between some of its rows, in a band. `tails` follows merges to the right edge."""
        net, column, end = piece.net, piece.column, self.channel.width - 1
        arrows = self.channel.arrows
        if column < 0:
            stop = end if tails else arrows.get((net, piece.low), end)
            yield Stroke(net, 0, piece.low, stop + 1, ACROSS, ACROSS, False)
            return
        top, bottom = min(sources[0], targets[0]), max(sources[-1], targets[-1])
        low, high = max(top, band * BAND), min(bottom, band * BAND + BAND - 1)
        if low <= high:
            first = ALONG if low > top else DOWN
            last = ALONG if high < bottom else UP
            yield Stroke(net, column, low, high - low + 1, first, last, True)
        for row in _within(sources, band):
            if row == piece.enters:
                continue
            yield Stroke(net, 0, row, column + 1, ACROSS, LEFT, False)
        for row in _within(targets, band):
            if row == piece.leaves:
                stop = self._second_half(piece).column
                yield Stroke(net, column, row, stop - column + 1, RIGHT, LEFT, False)
                continue
            stop = end if tails else arrows.get((net, row), end)
            yield Stroke(net, column, row, stop - column + 1, RIGHT, ACROSS, False)

    def _second_half(self, piece: Piece) -> Piece:
        return next(p for p in self._by_net[piece.net] if p.enters == piece.leaves)


def heavy_tile(tile: Tile, strokes: Iterable[Stroke], band: int) -> list[dict[int, int]]:
    """For each row the cells the strokes cover and the sides they cover there, no more than `tile` has."""
    rows: list[dict[int, int]] = [{} for _ in range(BAND)]
    top = band * BAND
    for stroke in strokes:
        for step in range(stroke.length):
            bits = stroke.first if not step else ALONG if stroke.down else ACROSS
            if step == stroke.length - 1:
                bits = stroke.last if stroke.length > 1 else stroke.first & stroke.last
            x = stroke.x if stroke.down else stroke.x + step
            y = stroke.y - top + (step if stroke.down else 0)
            covered = bits & tile.bits[y][x]
            if covered:
                rows[y][x] = rows[y].get(x, 0) | covered
    return rows


def _within(rows: Sequence[int], band: int) -> Sequence[int]:
    return rows[bisect_left(rows, band * BAND) : bisect_right(rows, band * BAND + BAND - 1)]


def _draw_down(tile: Tile, stroke: Stroke, top: int) -> None:
    end = stroke.y - top + stroke.length - 1
    for y in range(stroke.y - top, end + 1):
        bits = ALONG
        if y == stroke.y - top:
            bits &= stroke.first
        if y == end:
            bits &= stroke.last
        tile.bits[y][stroke.x] |= bits
        tile.nets[y][stroke.x] = stroke.net


def _draw_across(tile: Tile, stroke: Stroke, top: int) -> None:
    bits_row, net_row = tile.bits[stroke.y - top], tile.nets[stroke.y - top]
    end = stroke.x + stroke.length - 1
    for x in range(stroke.x, end + 1):
        bits = ACROSS
        if x == stroke.x:
            bits &= stroke.first
        if x == end:
            bits &= stroke.last
        if net_row[x] < 0:
            net_row[x] = stroke.net
        elif net_row[x] != stroke.net and bits == ACROSS and bits_row[x] == ALONG:
            bits |= CROSSING
        bits_row[x] |= bits
