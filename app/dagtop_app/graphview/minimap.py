"""All of a drawing in a few cells: a dot for each node, and which part of it is in the window."""

from __future__ import annotations

from typing import NamedTuple

from .braille import braille
from .drawing import Drawing, Rect

#: Dots of a cell: across, down, and their bits by column from top to bottom.
_ACROSS, _DOWN = 2, 4
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


class MapCell(NamedTuple):
    """One cell of the map."""

    text: str
    nodes: tuple[int, ...]
    """The nodes whose dots are in it."""
    in_window: bool


class Minimap:
    """A map of a drawing in `width` x `height` cells."""

    def __init__(self, drawing: Drawing, width: int, height: int, *, dots: bool = True) -> None:
        self.width, self.height = max(1, width), max(1, height)
        self._whole = (max(1, drawing.width), max(1, drawing.height))
        self._bits: dict[tuple[int, int], int] = {}
        self._dots = dots
        nodes: dict[tuple[int, int], list[int]] = {}
        for node in range(drawing.layout.model.size):
            rect = drawing.rect_of(node)
            x = self._dot(rect.x + rect.width / 2, 0, _ACROSS * self.width)
            y = self._dot(rect.y + rect.height / 2, 1, _DOWN * self.height)
            cell = (x // _ACROSS, y // _DOWN)
            self._bits[cell] = self._bits.get(cell, 0) | _DOTS[x % _ACROSS][y % _DOWN]
            nodes.setdefault(cell, []).append(node)
        self._nodes = {cell: tuple(found) for cell, found in nodes.items()}

    def _dot(self, cells: float, axis: int, dots: int) -> int:
        return min(dots - 1, int(cells * dots / self._whole[axis]))

    def line(self, y: int, window: Rect) -> list[MapCell]:
        """One row, with what is in the window of the drawing."""
        wide, high = self._whole
        left, right = _span(window.x, window.width, wide, self.width)
        top, bottom = _span(window.y, window.height, high, self.height)
        row: list[MapCell] = []
        for x in range(self.width):
            bits = self._bits.get((x, y), 0)
            text = " " if not bits else braille(bits) if self._dots else ":"
            inside = left <= x < right and top <= y < bottom
            row.append(MapCell(text, self._nodes.get((x, y), ()), inside))
        return row


def _span(start: int, length: int, whole: int, cells: int) -> tuple[int, int]:
    """The cells of the map that so much of the drawing covers, one at least."""
    first = min(cells - 1, max(0, round(start * cells / whole)))
    return first, max(first + 1, round((start + length) * cells / whole))
