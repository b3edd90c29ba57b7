"""Lines as view models make them: pieces of cleaned text, each with the name of a style class. No terminal here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from dagtop_app.text import cut, width

Span: TypeAlias = tuple[str, str]
"""A cleaned text and its style class, "" for plain."""
Line: TypeAlias = tuple[Span, ...]
"""One line of the screen, left to right."""

BETWEEN: Span = (" · ", "dim")
"""What stands between the parts of a note."""


def line_width(line: Iterable[Span]) -> int:
    """Cells that a line takes."""
    return sum(width(text) for text, _ in line)


def fit_line(line: Sequence[Span], cells: int) -> Line:
    """A line in exactly `cells` cells: cut with "…" or padded."""
    fitted: list[Span] = []
    left = cells
    for place, (text, style) in enumerate(line):
        taken = width(text)
        if taken > left or (taken == left and any(rest for rest, _ in line[place + 1 :])):
            fitted.append((cut(text + " …" if taken <= left else text, left), style))
            left -= width(fitted[-1][0])
            break
        fitted.append((text, style))
        left -= taken
    if left > 0:
        fitted.append((" " * left, ""))
    return tuple(fitted)


def sides(left: Sequence[Span], right: Sequence[Span], cells: int, filler: Span = (" ", "")) -> Line:
    """`left` and `right` at the two ends of a line of `cells` cells; where both do not fit, the left one is cut."""
    space = cells - line_width(right)
    if space < 4:
        return fit_line(left, cells)
    taken = line_width(left)
    if taken > space:
        return (*fit_line(left, space), *right)
    return (*left, (filler[0] * (space - taken), filler[1]), *right)


def rule(title: Sequence[Span], note: Sequence[Span], cells: int) -> Line:
    """── title ──────── note ──; where there is too little room, parts of the note go, the first ones first."""
    left: list[Span] = [("── ", "rule"), *title, (" ", "rule")] if title else [("──", "rule")]
    kept, right = list(note), list[Span]()
    while kept:
        right = [(" ", "rule"), *kept, (" ──", "rule")]
        if line_width(left) + line_width(right) + 1 <= cells:
            break
        kept, right = kept[kept.index(BETWEEN) + 1 :] if BETWEEN in kept else [], []
    return sides(left, right, cells, ("─", "rule"))


def joined(parts: Iterable[Sequence[Span]], between: str = "  ") -> list[Span]:
    """Parts in a row with a gap between them."""
    row: list[Span] = []
    for part in parts:
        if row:
            row.append((between, ""))
        row.extend(part)
    return row
