"""How much of a drawing lies outside of its window, on each side. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from dagtop_app.graphview import Drawing, Rect


class Hidden(NamedTuple):
    """How many nodes lie wholly outside a window, on each side."""

    left: int
    right: int
    above: int
    below: int


class Extents:
    """Where all nodes of a drawing begin and end, sorted, to count those outside a window quickly."""

    def __init__(self, drawing: Drawing) -> None:
        layout = drawing.layout
        rects: list[Rect] = [drawing.rect_of(node) for node in range(layout.model.size)]
        self._lefts = sorted([rect.x for rect in rects])
        self._rights = sorted([rect.x + rect.width for rect in rects])
        self._tops = sorted([rect.y for rect in rects])
        self._bottoms = sorted([rect.y + rect.height for rect in rects])

    def outside(self, window: Rect) -> Hidden:
        """Those outside `window`; one in a corner counts on both sides."""
        return Hidden(
            bisect_right(self._rights, window.x),
            len(self._lefts) - bisect_left(self._lefts, window.x + window.width),
            bisect_right(self._bottoms, window.y),
            len(self._tops) - bisect_left(self._tops, window.y + window.height),
        )
