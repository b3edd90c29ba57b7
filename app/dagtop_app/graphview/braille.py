"""Straight lines of braille dots: two across and four down in each cell."""

from __future__ import annotations

from collections.abc import Iterator

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of the left and right column of dots from top to bottom (Unicode 2800)."""


def braille(bits: int) -> str:
    """The character with these dots."""
    return chr(0x2800 + bits)


def dotted_line(x0: int, y0: int, x1: int, y1: int) -> Iterator[tuple[int, int, int]]:
    """The cells (x, y, dots) of a line from the left edge of cell (x0, y0) to the right edge of cell (x1, y1)."""
    first, last = 2 * x0, 2 * x1 + 1
    top, rise = 4 * y0 + 1, 4 * (y1 - y0)
    steps = last - first
    before = top
    for step in range(steps + 1):
        here = top + round(rise * step / steps) if steps else top + rise
        low, high = (min(before, here), max(before, here)) if step else (here, here)
        column = _DOTS[(first + step) & 1]
        for y in range(low >> 2, (high >> 2) + 1):
            dots = 0
            for dot in range(max(low, 4 * y), min(high, 4 * y + 3) + 1):
                dots |= column[dot & 3]
            yield (first + step) >> 1, y, dots
        before = here
