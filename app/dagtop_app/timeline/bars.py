"""One task's time as a row of cells: queued, running, ended how, backing off, predicted. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, GOOD, TaskState
from dagtop.observe.spans import Kind, Span
from dagtop.observe.story import Story

from dagtop_app import faces
from dagtop_app.lines import Span as Ink
from dagtop_app.timeline.lens import Window

_S = TaskState


class Brush(NamedTuple):
    """How a cell looks that stands for something."""

    glyph: str
    plain: str
    """In ASCII."""
    style: str
    word: str
    """In the legend."""
    short: str


#: By strength: where several are in one cell, the later one is seen. What failed is never hidden.
BRUSHES: tuple[Brush, ...] = (
    Brush(" ", " ", "", "", ""),
    Brush("┊", "|", "warn", "now", "now"),
    Brush("╌", "-", "faint", "predicted", "predicted"),
    Brush("·", ".", "retry", "backoff", "backoff"),
    Brush("░", ":", "queue", "queued", "queued"),
    Brush("‖", '"', "held", "held", "held"),
    Brush("◫", "?", "warn", "at its gate", "gate"),
    Brush("◇", "*", "ok", "cached or given", "cached"),
    Brush("█", "=", "ok", "ok", "ok"),
    Brush("▉", "=", "ok", "", ""),
    Brush("═", "%", "mark", "ok on the critical path", "critical"),
    Brush("▓", "#", "run", "running", "run"),
    Brush("■", "x", "stop", "cancelled", "stopped"),
    Brush("╳", "X", "skip", "lost with its process", "lost"),
    Brush("✖", "!", "fail", "failed attempt", "failed"),
)
(BLANK, NOW, AHEAD, BACKOFF, QUEUE, HELD, GATE, POINT, OK, OK_END, CRITICAL, RUN, STOPPED, LOST, FAILED) = range(
    len(BRUSHES)
)
#: What the legend tells, in its order.
LEGEND = (QUEUE, RUN, OK, CRITICAL, FAILED, BACKOFF, STOPPED, AHEAD, NOW)
#: Told only where there is room.
LEGEND_TOO = (HELD, GATE, POINT, LOST)

_WAITS = {Kind.QUEUE: QUEUE, Kind.BACKOFF: BACKOFF, Kind.HELD: HELD, Kind.GATE: GATE, Kind.POINT: POINT}
_ENDS = {
    "succeeded": OK, "running": RUN, "failed": FAILED, "timed_out": FAILED, "cancelled": STOPPED, "lost": LOST,
}  # fmt: skip


def glyph(brush: int) -> str:
    """Its glyph, in ASCII where that was asked for."""
    look = BRUSHES[brush]
    return look.plain if faces.ASCII else look.glyph


def spans_of(story: Story, snapshot: RunSnapshot, row: TaskRow) -> Sequence[Span]:
    """The spans of a task up to now: as they were told, or else what its row knows of them.

    The row of a node of a graph of graphs knows of all that is in it.
    """
    at = snapshot.at
    track = story.track(row.name) if row.index not in snapshot.plan.nodes else None
    return list(track.until(at)) if track is not None else list(_from_row(row, at))


def _from_row(row: TaskRow, at: float) -> Iterator[Span]:
    """What is known of a task of which nothing was told: a node of a graph of graphs, or a run of which the past is not there."""
    before: float | None = None
    for one in row.history:
        if before is not None and one.started_at > before:
            yield Span(Kind.BACKOFF, before, one.started_at, one.number)
        yield Span(
            Kind.RUN,
            one.started_at,
            one.ended_at,
            one.number,
            str(one.ending),
            one.failure.error if one.failure else "",
        )
        before = one.ended_at
    begun = row.started_at
    told = bool(row.history) and row.history[-1].number == row.attempt
    if begun is not None and not told and row.attempt >= 0:
        if before is None and row.ready_at is not None and row.ready_at < begun:
            yield Span(Kind.QUEUE, row.ready_at, begun)
        elif before is not None and begun > before:
            yield Span(Kind.BACKOFF, before, begun, row.attempt)
        going_on = row.state in ACTIVE or row.ended_at is None
        ending = "running" if going_on else "succeeded" if row.state in GOOD else _ending_of(row)
        end = at if going_on or row.ended_at is None else row.ended_at
        yield Span(Kind.RUN, begun, max(begun, end), row.attempt, ending)
    elif row.state is _S.CACHED and row.ended_at is not None:
        yield Span(Kind.POINT, row.ended_at, row.ended_at, 0, "cached")
    if row.state is _S.READY and row.ready_at is not None:
        yield Span(Kind.QUEUE, row.ready_at, max(at, row.ready_at), row.attempt)
    elif row.state is _S.BACKOFF and before is not None:
        yield Span(Kind.BACKOFF, before, max(at, before), row.attempt)
    elif row.gate is not None and row.state is _S.HELD:
        yield Span(Kind.GATE, row.gate.at, max(at, row.gate.at), row.attempt)


def _ending_of(row: TaskRow) -> str:
    return {_S.CANCELLED: "cancelled", _S.SKIPPED: "cancelled", _S.TIMED_OUT: "timed_out"}.get(row.state, "failed")


def cells(
    spans: Sequence[Span],
    window: Window,
    *,
    critical: bool = False,
    ahead: tuple[float, float] | None = None,
    now: float | None = None,
) -> bytearray:
    """What each cell of a row shows.

    Parameters
    ----------
    critical: whether the task is on the critical path.
    ahead: from when to when it is likely to run.
    now: where now is; None in a run that is over.
    """
    drawn = bytearray(window.cells)
    left, right = window.left, window.right
    if ahead is not None:
        _fill(drawn, window, *ahead, AHEAD, least=0.5)
    last = -1
    """The last cell of the attempt before, if nothing came after it."""
    for place in range(bisect_left(spans, left, key=_end_of), len(spans)):
        span = spans[place]
        if span.start > right:
            break
        if span.kind is not Kind.RUN:
            point = span.kind is Kind.POINT
            _fill(drawn, window, span.start, span.end, _WAITS[span.kind], least=0.0 if point else 0.5)
            continue
        brush = _ENDS.get(span.ending, FAILED)
        first = window.cell(span.start)
        if critical and brush == OK:
            brush = CRITICAL
        if 0 <= last < len(drawn) and last == first - 1 and drawn[last] == OK and last > 0:
            drawn[last] = OK_END  # a hair's breadth between two attempts
        last = _fill(drawn, window, span.start, span.end, brush)
    if now is not None:
        cell = window.cell(now)
        if 0 <= cell < len(drawn) and drawn[cell] in {BLANK, AHEAD}:
            drawn[cell] = NOW
    return drawn


def _end_of(span: Span) -> float:
    return span.end


def _fill(drawn: bytearray, window: Window, start: float, end: float, brush: int, least: float = 0.0) -> int:
    """Fill the cells between two moments with a brush, where nothing stronger is; returns the last one.

    At the two edges a cell is filled if at least a share of `least` of it is meant; with 0 one cell is filled at any rate.
    """
    if not least:
        first = window.cell(start)
        last = max(first, window.cell(end - window.step * 0.25))
    else:
        first = window.cell(start + window.step * least)
        last = window.cell(end - window.step * least)
    for cell in range(max(0, first), min(len(drawn) - 1, last) + 1):
        drawn[cell] = max(drawn[cell], brush)
    return last


def inked(drawn: Iterable[int]) -> list[Ink]:
    """Cells as spans of a line."""
    line: list[Ink] = []
    for brush, run in groupby(drawn):
        line.append((glyph(brush) * len(list(run)), BRUSHES[brush].style))
    return line


#: Eight levels, in eighths of a cell.
_LEVELS, _PLAIN_LEVELS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"


def level_glyph(share: float) -> str:
    """A share of 0 to 1 as a column of that height; anything above nothing is seen."""
    levels = _PLAIN_LEVELS if faces.ASCII else _LEVELS
    if share <= 0:
        return levels[0]
    return levels[max(1, min(8, round(share * 8)))]
