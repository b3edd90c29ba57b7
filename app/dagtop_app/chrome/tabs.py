"""The third line of the console: the views, each with its key. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dagtop_app.lines import Line, Span, line_width, sides

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
    left = _fitting(tabs, current, cells)
    hints = list(_HINTS)
    return sides(left, hints if line_width(left) + line_width(hints) + 2 <= cells else [], cells)


def _fitting(tabs: Sequence[Tab], current: str, cells: int) -> Sequence[Span]:
    """The tabs with names as long as there is room for; [] if there is none for the keys. What is shown is cut last."""
    names = [tab.name for tab in tabs]
    for gap in (" ", ""):
        if line_width(made := _tabs(tabs, names, current, gap)) <= cells:
            return made
    shorts = [tab.short or tab.name for tab in tabs]
    on = [tab.key == current for tab in tabs]
    for shorter in (shorts, [short[:3] for short in shorts], [""] * len(tabs)):
        longer = [*names]
        for place in sorted(range(len(tabs)), key=on.__getitem__):
            if on[place] and shorter is not shorts:
                continue
            names[place] = shorter[place]
            if line_width(_tabs(tabs, names, current, "")) <= cells:
                return _tabs(tabs, _longest(tabs, names, longer, current, cells), current, "")
    return []


def _longest(tabs: Sequence[Tab], names: list[str], longer: Sequence[str], current: str, cells: int) -> list[str]:
    """Names that fit, and those of them longer that could have stayed so, the last ones first."""
    for place in reversed(range(len(names))):
        other = [*names[:place], longer[place], *names[place + 1 :]]
        if line_width(_tabs(tabs, other, current, "")) <= cells:
            names = other
    return names


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
