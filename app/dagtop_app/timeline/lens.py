"""Which part of a run's time the timeline shows: zoom, pan, fit, follow. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from math import floor, inf
from typing import NamedTuple

from dagtop.observe.axis import round_step

from dagtop_app.text import clock

#: Seconds that one cell may stand for, ascending. A fitted timeline takes the next one when it has grown out of the last: so it
#: stands still in between, and every one is a round number.
STEPS: tuple[float, ...] = (
    *(m * 10.0**e for e in range(-4, 1) for m in (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)),
    *(10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 450.0, 600.0, 900.0, 1200.0, 1800.0, 2700.0),
    *(3600.0, 5400.0, 7200.0, 10800.0, 14400.0, 21600.0, 28800.0, 43200.0),
    *(86400.0 * m * 10.0**e for e in range(5) for m in (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)),
)
#: Steps that one key of zooming takes: about twice as much, or half.
_KEY = 2
#: Where a moment that is followed stands, as a share of the width.
_AHEAD = 0.8


class Window(NamedTuple):
    """A stretch of time as cells."""

    left: float
    """When the first cell begins."""
    step: float
    """Seconds in a cell."""
    cells: int

    @property
    def right(self) -> float:
        """When the last cell ends."""
        return self.left + self.step * self.cells

    def cell(self, at: float) -> int:
        """The cell that a moment is in; below zero, or as large as `cells` and more, outside of it."""
        return floor((at - self.left) / self.step + 1e-9)


class Tick(NamedTuple):
    """A mark on the axis."""

    cell: int
    text: str


class Lens:
    """What a person wants to see of it."""

    def __init__(self) -> None:
        self.fitted = True
        """All of it, however long it takes."""
        self.following = False
        """Now stays where it is, and the past moves."""
        self.step = 1.0
        self.left = 0.0

    def window(self, start: float, now: float, end: float, cells: int, *, over: bool = False) -> Window:
        """What is seen of a run that began at `start`, and will go on to `end`; one that is over fills the width."""
        cells = max(1, cells)
        if self.fitted:
            self.step = (end - start) / cells if over else fitting(end - start, cells)
            self.left = start if over else _whole(start, self.step)
        elif self.following:
            self.left = max(_whole(start, self.step), _whole(now - self.step * cells * _AHEAD, self.step))
        else:
            self.left = min(max(self.left, start - self.step * cells / 2), max(start, end - self.step * cells / 4))
            self.left = _whole(self.left, self.step)
        return Window(self.left, self.step, cells)

    def zoom(self, keys: int, window: Window, anchor: float) -> bool:
        """Closer (1) or farther (-1); `anchor` stays where it is, if it is seen. False if that is as far as it goes."""
        place = bisect_left(STEPS, window.step * (1 - 1e-9))
        if place < len(STEPS) and window.step < STEPS[place] * (1 - 1e-9) and keys < 0:
            place -= 1  # of a step between two the next one is nearer
        wanted = max(0, min(len(STEPS) - 1, place - keys * _KEY))
        if STEPS[wanted] == window.step:
            return False
        if not window.left <= anchor <= window.right:
            anchor = (window.left + window.right) / 2
        self.step = STEPS[wanted]
        self.left = anchor - (anchor - window.left) / window.step * self.step
        self.fitted = False
        return True

    def pan(self, cells: int, window: Window) -> None:
        """To the right, or to the left if that is below zero."""
        self.left = window.left + cells * window.step
        self.step = window.step
        self.fitted = self.following = False

    def fit(self) -> None:
        """All of it."""
        self.fitted, self.following = True, False

    def follow(self, window: Window) -> None:
        """Let the past move, or stand still."""
        if self.fitted:
            self.fitted, self.following = False, True
            self.step = window.step
        else:
            self.following = not self.following


def fitting(seconds: float, cells: int) -> float:
    """Seconds per cell with which so many seconds fit into so many cells."""
    return next((step for step in STEPS if step * cells >= seconds), STEPS[-1])


def ticks(window: Window, gap: int) -> Iterator[Tick]:
    """Marks at round times, at least `gap` cells apart."""
    step = round_step(gap * window.step)
    number = max(0, -floor(-window.left / step + 1e-9))
    last = -inf
    while (at := number * step) < window.right:
        cell = window.cell(at)
        if last < cell < window.cells:
            yield Tick(cell, tick_text(at, step))
            last = cell
        number += 1


def tick_text(at: float, step: float) -> str:
    """A moment, as precise as its neighbours are far."""
    if step >= 1:
        return clock(at + 1e-6)
    digits = 1 if step >= 0.1 else 2 if step >= 0.01 else 3 if step >= 0.001 else 4
    minutes, seconds = divmod(at, 60)
    if minutes:
        return f"{int(minutes)}:{seconds:0{digits + 3}.{digits}f}"
    return f"{seconds:.{digits}f}s"


def step_text(step: float) -> str:
    """How much a cell is: "3s/cell"."""
    if step < 1:
        return f"{step * 1000:.3g}ms/cell"
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "m")):
        if step >= size and (step / size).is_integer():
            return f"{step / size:g}{unit}/cell"
    return f"{step:.3g}s/cell" if step < 90 else f"{clock(step)}/cell"


def _whole(at: float, step: float) -> float:
    """The last whole cell before: what moves on moves by whole cells."""
    return floor(at / step + 1e-9) * step
