"""What is said of settings that are in each other's way: shortly above the footer, at length among the keys. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop_app.lines import Line
from dagtop_app.text import cut, width, wrap


def in_one_line(problems: Sequence[str], cells: int, help_key: str) -> str:
    """The first of them, and where the rest is; that is said to the end however long the first one is."""
    more = len(problems) - 1
    tail = f" · {help_key} tells {more} more" if more else ""
    if width(problems[0]) + width(tail) <= cells:
        return problems[0] + tail
    tail = tail or f" · {help_key} tells all"
    return cut(problems[0], max(1, cells - width(tail))) + tail


def at_length(problems: Sequence[str], cells: int) -> list[Line]:
    """All of them, as a part of the help; [] if there are none."""
    if not problems:
        return []
    lines: list[Line] = [(("IN YOUR SETTINGS", "head"),)]
    for problem in problems:
        first, *rest = wrap(problem, max(20, cells - 2))
        lines += [((first, "warn"),), *(((f"  {part}", "warn"),) for part in rest)]
    return [*lines, ()]
