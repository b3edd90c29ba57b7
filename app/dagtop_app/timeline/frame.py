"""What is around the timeline's rows: titles and times above, slots and the legend below. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from dagtop_app import faces
from dagtop_app.lines import Line, Span, fit_line, line_width
from dagtop_app.text import clean, clock, fit, name_of, plural, width
from dagtop_app.timeline.bars import BRUSHES, CRITICAL, LEGEND, LEGEND_TOO, glyph
from dagtop_app.timeline.lens import Lens, step_text, ticks
from dagtop_app.timeline.load import Gauge
from dagtop_app.timeline.model import LEAD, Scene


def head_lines(scene: Scene, order: str, *, axis: bool) -> list[Line]:
    """The titles with the times, and if there is room the axis with its marks."""
    cols, window = scene.columns, scene.window
    marks = list(ticks(window, 11 if cols.chart < 70 else 14))
    times = [" "] * cols.chart
    for mark in marks:
        if mark.cell + len(mark.text) <= cols.chart:
            times[mark.cell : mark.cell + len(mark.text)] = mark.text
    sign = "v" if faces.ASCII else "▾"
    name = f"TASK{sign}" if order == "table" else "TASK"
    line: list[Span] = [
        (" " * LEAD + fit(name, cols.name) + " ", "head"),
        (" ", ""),
        ("".join(times), "dim"),
        (" ", ""),
    ]
    if cols.wait:
        line.append((" " + fit("WAIT", cols.wait, right=True), "head"))
    line.append((" " + fit(f"RUN{sign}" if order == "longest" else "RUN", cols.run, right=True), "head"))
    if cols.note:
        line.append((" " + fit(" VS USUAL", cols.note), "head"))
    if not axis:
        return [tuple(line)]
    left, flat, right, up = ("+", "-", "+", "+") if faces.ASCII else ("├", "─", "┤", "┴")
    axis_cells: list[Span] = [(flat, "rule")] * cols.chart
    for tick in marks:
        axis_cells[tick.cell] = (up, "rule")
    for cell, happened in signs(scene).items():
        axis_cells[cell] = (happened.plain if faces.ASCII else happened.glyph, happened.style)
    lead: Span = (" " * (LEAD + cols.name + 1), "")
    return [tuple(line), (lead, (left, "rule"), *_joined(axis_cells), (right, "rule"))]


class Sign(NamedTuple):
    """What happened to the run at a moment, on its axis."""

    glyph: str
    plain: str
    style: str
    word: str


PAUSED = Sign("‖", '"', "held", "paused")
EDITED = Sign("◆", "*", "key", "live edit")
OPENED = Sign("▲", "^", "warn", "breaker opened")


def signs(scene: Scene) -> dict[int, Sign]:
    """What was done to the run, and what tripped, by cell; of several in one cell the gravest."""
    story, window = scene.story, scene.window
    found: dict[int, Sign] = {}
    pauses = [*story.pauses, *([(story.paused_at, scene.snapshot.at)] if story.paused_at is not None else [])]
    for start, end in pauses:
        for cell in range(max(0, window.cell(start)), min(window.cells - 1, window.cell(end)) + 1):
            found[cell] = PAUSED
    for edit in story.edits:
        if edit.applied:
            found[window.cell(edit.at)] = EDITED
    for turns in story.breakers.values():
        for turn in turns:
            if turn.state == "open" and not turn.forced:
                found[window.cell(turn.at)] = OPENED
    return {cell: sign for cell, sign in found.items() if 0 <= cell < window.cells}


def _joined(axis: Sequence[Span]) -> Iterator[Span]:
    """Neighbours of one style as one span."""
    for style, spans in groupby(axis, key=lambda span: span[1]):
        yield "".join(text for text, _ in spans), style


def edge_line(scene: Scene, *, last: bool) -> Line:
    """The line between the rows and the slots, or under them."""
    cols, window = scene.columns, scene.window
    left, flat, right, up = (
        ("+", "-", "+", "+") if faces.ASCII else ("╰", "─", "╯", "┴") if last else ("├", "─", "┤", "┴")
    )
    cells_ = [flat] * cols.chart
    if scene.now is not None and not last and 0 <= (cell := window.cell(scene.now)) < cols.chart:
        cells_[cell] = up
    return ((" " * (LEAD + cols.name + 1), ""), (left + "".join(cells_) + right, "rule"))


def gauge_line(scene: Scene, gauge: Gauge, style: str) -> Line:
    """How full something was over time."""
    cols = scene.columns
    room = sum(size + 1 for size in (cols.wait, cols.run, cols.note) if size) - 1
    bound = "|" if faces.ASCII else "│"
    said = next((one for one in gauge.notes if width(one) <= room), gauge.notes[0 if cols.note else -1])
    if not cols.note and width(said) > room:
        said = said.partition("/")[0]  # of how many stands in the title
    return (
        (" " * LEAD + fit(gauge.title, cols.name) + " ", "dim"),
        (bound, "rule"),
        (gauge.cells, style),
        (bound, "rule"),
        (" " + fit(said, room), "dim"),
    )


def legend_line(width_: int, told: Iterable[Sign] = ()) -> Line:
    """What the glyphs mean, as many as fit; those of the axis only if they are on it."""
    for brushes, short in (((*LEGEND, *LEGEND_TOO), False), (LEGEND, False), (LEGEND, True)):
        line = _legend(brushes, short=short)
        more: list[Span] = []
        for sign in told:
            more += [(f" {sign.plain if faces.ASCII else sign.glyph}", sign.style), (f" {sign.word} ", "dim")]
        if line_width(line) + line_width(more) <= width_:
            return (*line, *more)
    return fit_line(_legend(LEGEND, short=True), width_)


def _legend(brushes: Sequence[int], *, short: bool) -> list[Span]:
    line: list[Span] = []
    for brush in brushes:
        look = BRUSHES[brush]
        line += [
            (f" {glyph(brush)}", look.style),
            (f" {look.short if short else look.word}{'' if short else ' '}", "dim"),
        ]
    return line


def title(
    scene: Scene, lens: Lens, order: str, width_: int, *, reading: int, narrowed: Sequence[Span] = ()
) -> tuple[list[Span], list[Span]]:
    """The line above: (left, right). Where there is little room the least important goes; `narrowed` is the filter."""
    snapshot, ahead = scene.snapshot, scene.ahead
    left: list[Span] = [("Timeline", "title"), *narrowed]
    parts: list[tuple[int, Span]] = []
    if reading:
        parts.append((0, (f"reading {plural(reading, 'event')}", "warn")))
    elif ahead.end is not None and scene.now is not None:
        parts.append((1, (f"ends at ~{clock(ahead.end)}", "")))
    parts.append((3, (step_text(scene.window.step), "dim")))
    if scene.critical and ahead.path:
        parts.append((5, (f"critical path {glyph(CRITICAL)}", "mark")))
    if lens.following or lens.fitted:
        parts.append((2, ("follows now", "good") if lens.following else ("fit", "dim")))
    parts.append((4, ({"start": "by start", "table": "table's order"}.get(order, "longest first"), "dim")))
    right: list[Span] = []
    for most in range(5, -1, -1):
        right = []
        for weight, span in parts:
            if weight <= most:
                right += [(" · ", "dim")] if right else []
                right.append(span)
        if line_width(left) + line_width(right) + 10 <= width_:
            break
    run = f"  {name_of(snapshot.graph, 40)} · {clean(snapshot.run, 40)}"
    if snapshot.run and line_width(left) + line_width(right) + width(run) + 12 <= width_:
        left.append((run, "dim"))
    return left, right
