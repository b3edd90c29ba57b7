"""The third line of the console: the views, each with its key. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dagtop_app.lines import Line, Span, line_width, sides
from dagtop_app.text import width

_HINTS: tuple[Span, ...] = (
    ("/", "key"),
    (" filter  ", "dim"),
    (":", "key"),
    (" command  ", "dim"),
    ("?", "key"),
    (" keys ", "dim"),
)


class Tab(NamedTuple):
    """One view, as the third line names it."""

    key: str
    name: str
    badge: str = ""
    """An alert, e.g. "▲2"."""
    short: str = ""
    """Its name where there is little room."""


def tab_line(tabs: Sequence[Tab], current: str, cells: int) -> Line:
    """The views. Where they do not fit they stand closer, then one name after the other is short: no more than is needed."""
    left: list[Span] = []
    for names, gap in _ladder(tabs, current):
        made = _tabs(tabs, names, current, gap)
        if line_width(made) <= cells:
            left = made
            break
    hints = list(_HINTS)
    return sides(left, hints if line_width(left) + line_width(hints) + 2 <= cells else [], cells)


def _ladder(tabs: Sequence[Tab], current: str) -> Iterator[tuple[Sequence[str], str]]:
    """The names and what stands between them, from the longest on; the name of the view that is shown is the last to go."""
    names = [tab.name for tab in tabs]
    yield names, " "
    yield names, ""
    shorts = [tab.short or tab.name for tab in tabs]
    on = [tab.key == current for tab in tabs]
    for shorter in (shorts, [short[:3] for short in shorts], [""] * len(tabs)):
        saved = [width(name) - width(other) for name, other in zip(names, shorter, strict=True)]
        for place in sorted(range(len(tabs)), key=lambda at, saved=saved: (on[at], -saved[at], at)):  # type: ignore[misc]
            if on[place] and shorter is not shorts:
                continue
            names = [*names[:place], shorter[place], *names[place + 1 :]]
            yield names, ""


def _tabs(tabs: Sequence[Tab], names: Sequence[str], current: str, gap: str) -> list[Span]:
    spans: list[Span] = [(" ", "")] if gap else []
    for tab, name in zip(tabs, names, strict=True):
        on = tab.key == current
        spans.append((f" {tab.key} ", "tab-on" if on else "key"))
        if name:
            spans.append((f"{name} ", "tab-on" if on else "tab"))
        if tab.badge:
            spans.append((f"{tab.badge} ", "fail"))
        if gap:
            spans.append((gap, ""))
    return spans
