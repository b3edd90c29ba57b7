"""A circuit breaker drawn as what it is: three states, what leads from one to the next, and where it is now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dagtop.core.breakers import BreakerView
from dagtop.core.guards import Breaker, BreakerState

from dagtop_app import faces
from dagtop_app.lines import Line, Span
from dagtop_app.text import clock_left, plural, seconds_of, width

_S = BreakerState


class Face(NamedTuple):
    """A state of a breaker on the screen."""

    glyph: str
    plain: str
    """The same in ASCII."""
    word: str
    style: str


FACES: Mapping[BreakerState, Face] = {
    _S.CLOSED: Face("●", "=", "closed", "ok"),
    _S.HALF_OPEN: Face("◐", "~", "HALF-OPEN", "retry"),
    _S.OPEN: Face("○", "!", "OPEN", "fail"),
}

#: Corners and lines of the box of the state in force, of any other, and of what joins them.
_HEAVY, _LIGHT = tuple("╔╗╚╝═║"), tuple("╭╮╰╯─│")
_PLAIN_HEAVY, _PLAIN_LIGHT = tuple("####=#"), tuple("++++-|")
_NAMES = {_S.CLOSED: "closed", _S.OPEN: "open", _S.HALF_OPEN: "half-open"}


def glyph(state: BreakerState) -> str:
    """Its glyph, in ASCII where that was asked for."""
    return FACES[state].plain if faces.ASCII else FACES[state].glyph


def trips_at(spec: Breaker, *, short: bool = False) -> str:
    """What opens it: "5 failures in a row", "5 failures in 60s, 50% of all"."""
    count = f"fail {spec.failure_threshold}" if short else plural(spec.failure_threshold, "failure")
    if spec.window is None:
        return count if short else f"{count} in a row"
    rate = f", {spec.failure_rate:.0%}{'' if short else ' of all'}" if spec.failure_rate is not None else ""
    return f"{count} in {seconds_of(spec.window)}{rate}"


def probe_text(view: BreakerView, at: float) -> str:
    """When its first probe comes: "30s", or "in 12s" while it is open."""
    whole = seconds_of(view.spec.recovery_timeout)
    if view.computed is _S.OPEN and view.probe_due_at is not None:
        left = view.probe_due_at - at
        return f"in {clock_left(left)} of {whole}" if left > 0 else f"{whole} are over"
    return whole


def succeeds_text(view: BreakerView) -> str:
    """What closes it again."""
    wanted = view.spec.success_threshold
    if view.computed is _S.HALF_OPEN and wanted > 1:
        return f"{view.successes} of {wanted} probes succeeded"
    return "a probe succeeds" if wanted == 1 else f"{wanted} probes succeed"


class _Canvas:
    """Characters with styles, drawn over each other."""

    def __init__(self, cells: int, height: int) -> None:
        self._chars = [[" "] * cells for _ in range(height)]
        self._styles = [[""] * cells for _ in range(height)]
        self.cells = cells

    def put(self, x: int, y: int, text: str, style: str) -> None:
        for place, char in enumerate(text, x):
            if 0 <= place < self.cells:
                self._chars[y][place] = char
                self._styles[y][place] = style

    def lines(self) -> list[Line]:
        return [_spans(chars, styles) for chars, styles in zip(self._chars, self._styles, strict=True)]


def _spans(chars: list[str], styles: list[str]) -> Line:
    spans: list[Span] = []
    for char, style in zip(chars, styles, strict=True):
        if spans and spans[-1][1] == style:
            spans[-1] = (spans[-1][0] + char, style)
        else:
            spans.append((char, style))
    return tuple(spans)


class Drawing:
    """The three boxes and the ways between them, as wide as what stands on the ways."""

    def __init__(self, view: BreakerView, at: float, *, tall: bool, cells: int) -> None:
        self.view = view
        self.tall = tall
        spec = view.spec
        self._opens, self._probes = trips_at(spec, short=not tall or cells < 76), probe_text(view, at)
        self._fails = "the probe fails"
        self._first = max(width(self._opens), 9) + 2
        self._second = max(width(self._probes), width(self._fails) if tall else 9) + 2
        self._canvas = _Canvas(self.cells, 7 if tall else 4)

    @property
    def cells(self) -> int:
        """How wide it is."""
        return 2 + 10 + 1 + self._first + 1 + 8 + 1 + self._second + 1 + 13

    def lines(self) -> list[Line]:
        """Draw it."""
        closed, opened = 2, 2 + 10 + 1 + self._first + 1
        half = opened + 8 + 1 + self._second + 1
        for state, x in ((_S.CLOSED, closed), (_S.OPEN, opened), (_S.HALF_OPEN, half)):
            self._box(x, 1, state)
        way = self._way
        way(closed + 11, 1, self._first, on=self.view.computed is _S.CLOSED)
        way(opened + 9, 1, self._second, on=self.view.computed is _S.OPEN)
        way(opened + 9, 3, self._second, on=self.view.computed is _S.HALF_OPEN, back=True)
        label = self._canvas.put
        label(closed + 11 + (self._first - width(self._opens)) // 2, 0, self._opens, "dim")
        label(opened + 9 + (self._second - width(self._probes)) // 2, 0, self._probes, "dim")
        if self.tall:
            label(opened + 9 + (self._second - width(self._fails)) // 2, 4, self._fails, "dim")
            self._way_home(closed + 5, half + 6)
        return self._canvas.lines()

    def _box(self, x: int, y: int, state: BreakerState) -> None:
        view = self.view
        in_force = view.state is state
        heavy, light = (_PLAIN_HEAVY, _PLAIN_LIGHT) if faces.ASCII else (_HEAVY, _LIGHT)
        parts = heavy if in_force else light
        name = _NAMES[state]
        edge = FACES[state].style if in_force else "dim" if view.computed is state else "faint"
        inside = "strong" if in_force else "held" if view.computed is state else "dim"
        top_left, top_right, low_left, low_right, flat, side = parts
        row = flat * (len(name) + 2)
        self._canvas.put(x, y, f"{top_left}{row}{top_right}", edge)
        self._canvas.put(x, y + 1, f"{side} {name} {side}", edge)
        self._canvas.put(x + 2, y + 1, name, inside)
        self._canvas.put(x, y + 2, f"{low_left}{row}{low_right}", edge)

    def _way(self, x: int, y: int, cells: int, *, on: bool, back: bool = False) -> None:
        line, right, left = ("-", ">", "<") if faces.ASCII else ("─", "▶", "◀")
        text = left + line * (cells - 1) if back else line * (cells - 1) + right
        self._canvas.put(x, y, text, "key" if on else "faint")

    def _way_home(self, to: int, start: int) -> None:
        style = "key" if self.view.computed is _S.HALF_OPEN else "faint"
        up, side, low_left, low_right, flat = tuple("^|++-" if faces.ASCII else "▲│╰╯─")
        self._canvas.put(to, 4, up, style)
        self._canvas.put(start, 4, side, style)
        self._canvas.put(to, 5, low_left + flat * (start - to - 1) + low_right, style)
        text = f" {succeeds_text(self.view)} "
        self._canvas.put(to + (start - to - width(text)) // 2, 5, text, "dim")


def drawing(view: BreakerView, at: float, cells: int, *, tall: bool) -> list[Line]:
    """The machine in at most `cells` cells: six lines, or four without the way back to closed, which is told beside them."""
    made = Drawing(view, at, tall=tall, cells=cells)
    if made.cells > cells:
        return []
    lines = made.lines()
    if tall:
        return lines[:6]
    ends = (f"{succeeds_text(view)} → closed", "the probe fails → open again")
    style = "" if view.computed is _S.HALF_OPEN else "faint"
    if made.cells + 3 + max(map(len, ends)) <= cells:
        lines[1] = (*lines[1], (f"   {ends[0]}", style))
        lines[2] = (*lines[2], (f"   {ends[1]}", style))
    return lines
