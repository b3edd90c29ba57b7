"""Straight lines of braille dots: two across and four down in each cell."""

from __future__ import annotations

from functools import lru_cache

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of the left and right column of dots from top to bottom (Unicode 2800)."""

# From dot a to dot b of one column, a <= b.
_SPANS = tuple(
    tuple(tuple(sum(column[first : last + 1]) for last in range(4)) for first in range(4)) for column in _DOTS
)


def braille(bits: int) -> str:
    """The character with these dots."""
    return chr(0x2800 + bits)


@lru_cache(maxsize=4096)
def dotted_line(width: int, rise: int) -> tuple[tuple[int, int, int], ...]:
    """The cells (x, y, dots) of a line over `width` cells that ends `rise` cells lower than it starts, from (0, 0)."""
    steps = 2 * width - 1
    bits: dict[tuple[int, int], int] = {}
    before = 1
    for step in range(steps + 1):
        here = 1 + round(4 * rise * step / steps) if steps else 1
        low, high = (before, here) if before <= here else (here, before)
        spans = _SPANS[step & 1]
        x = step >> 1
        for y in range(low >> 2, (high >> 2) + 1):
            first = low & 3 if y == low >> 2 else 0
            last = high & 3 if y == high >> 2 else 3
            bits[x, y] = bits.get((x, y), 0) | spans[first][last]
        before = here
    return tuple((x, y, dots) for (x, y), dots in bits.items())
