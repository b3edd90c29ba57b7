"""The geometry of the timeline: which tasks it shows, and where their bars go. x is in percent, y in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from itertools import pairwise
from typing import NamedTuple

from dagtop.observe.axis import round_step
from dagtop.observe.report.schema import Report, TaskReport
from dagtop.observe.report.words import Face, duration, task_face

ROWS = 300
ROW_HEIGHT = 22
_BUCKETS = 240
_BARS = 60
"""Most bars in one row: what a task does more often cannot be told apart on paper."""


class Bar(NamedTuple):
    """Something that took time."""

    style: str
    x: float
    width: float
    tip: str


class Row(NamedTuple):
    """One task."""

    task: TaskReport
    face: Face
    y: int
    bars: tuple[Bar, ...]
    label: str
    label_x: float
    anchor: str
    """Where the label's text begins: "start" at label_x, or "end"."""


class Tick(NamedTuple):
    """A mark on the time axis."""

    x: float
    text: str


class Link(NamedTuple):
    """From a task on the critical path to the next: along `y1` to `x2`, then down or up to `y2`."""

    x1: float
    y1: int
    x2: float
    y2: int


class Timeline(NamedTuple):
    """All of it."""

    span: float
    """Seconds from the left edge to the right one."""
    rows: tuple[Row, ...]
    height: int
    ticks: tuple[Tick, ...]
    links: tuple[Link, ...]
    pauses: tuple[Bar, ...]
    left_out: int
    """Tasks that ran and are not shown."""
    never_ran: int
    load: str
    """Path of the number of running attempts over time, in a box of 100 by 100."""


def timeline(report: Report) -> Timeline:
    """The timeline of a report."""
    span = max([report.duration, *(a.ended_at for t in report.tasks for a in t.timeline)], default=0.0) or 1.0
    ran = [task for task in report.tasks if task.timeline]
    shown = sorted(_chosen(ran), key=_begin)
    rows = tuple([_row(task, place, span) for place, task in enumerate(shown)])
    return Timeline(
        span=span,
        rows=rows,
        height=len(rows) * ROW_HEIGHT,
        ticks=_ticks(span),
        links=_links(rows, span),
        pauses=tuple(
            [
                _bar("pause", p.started_at, p.ended_at, span, f"paused for {duration(p.ended_at - p.started_at)}")
                for p in report.pauses
            ]
        ),
        left_out=len(ran) - len(shown),
        never_ran=len(report.tasks) - len(ran),
        load=_load(ran, span),
    )


def _chosen(ran: Sequence[TaskReport]) -> Sequence[TaskReport]:
    """At most `ROWS` tasks: a third may be on the critical path, a third may have failed, the rest took longest."""
    if len(ran) <= ROWS:
        return ran
    third = ROWS // 3
    kept = {id(t): t for t in nlargest(third, (t for t in ran if t.on_critical_path), key=_length)}
    kept |= {id(t): t for t in nlargest(third, (t for t in ran if t.failure is not None), key=_length)}
    rest = (t for t in ran if id(t) not in kept)
    kept |= {id(t): t for t in nlargest(ROWS - len(kept), rest, key=_length)}
    return list(kept.values())


def _begin(task: TaskReport) -> tuple[float, float]:
    return task.timeline[0].started_at, task.timeline[-1].ended_at


def _length(task: TaskReport) -> float:
    return task.timeline[-1].ended_at - task.timeline[0].started_at


def _row(task: TaskReport, place: int, span: float) -> Row:
    bars: list[Bar] = []
    first = task.timeline[0]
    if task.ready_at is not None and task.ready_at < first.started_at:
        bars.append(
            _bar("queue", task.ready_at, first.started_at, span, f"queued {duration(first.started_at - task.ready_at)}")
        )
    attempts = task.timeline[-_BARS:]
    for before, after in pairwise(attempts):
        if after.started_at > before.ended_at:
            waited = duration(after.started_at - before.ended_at)
            bars.append(_bar("gap", before.ended_at, after.started_at, span, f"{waited} until the next attempt"))
    for attempt in attempts:
        face = task_face(attempt.ending)
        took = duration(attempt.ended_at - attempt.started_at)
        tip = f"attempt {attempt.number}: {face.word}, {took}" if task.attempts > 1 else f"{face.word}, {took}"
        bars.append(_bar(face.style, attempt.started_at, attempt.ended_at, span, tip))
    begin, end = min(bar.x for bar in bars), max(bar.x + bar.width for bar in bars)
    inside = end > 88 and begin < 12
    at_start = end > 88 and not inside
    return Row(
        task=task,
        face=task_face(task.state),
        y=place * ROW_HEIGHT,
        bars=tuple(bars),
        label="" if inside else duration(task.run_time),
        label_x=round(begin if at_start else end, 3),
        anchor="end" if at_start else "start",
    )


def _bar(style: str, start: float, end: float, span: float, tip: str) -> Bar:
    return Bar(style, round(100 * start / span, 3), round(100 * max(0.0, end - start) / span, 3), tip)


def _links(rows: Sequence[Row], span: float) -> tuple[Link, ...]:
    """Between neighbours of the critical path that are both shown."""
    path = [row for row in rows if row.task.on_critical_path]
    middle = ROW_HEIGHT // 2
    return tuple(
        [
            Link(
                x1=round(100 * a.task.timeline[-1].ended_at / span, 3),
                y1=a.y + middle,
                x2=round(100 * b.task.timeline[0].started_at / span, 3),
                y2=b.y + middle,
            )
            for a, b in pairwise(path)
            if a.task.name in b.task.upstream
        ]
    )


def _ticks(span: float) -> tuple[Tick, ...]:
    """Marks at round times, four to nine of them."""
    step = round_step(span / 9)
    marks = range(int(span / step * 1.0001) + 1)
    return tuple([Tick(round(100 * n * step / span, 3), _tick_text(n * step)) for n in marks])


def _tick_text(seconds: float) -> str:
    if seconds == 0:
        return "0"
    if seconds < 0.9995:
        return f"{seconds * 1000:g} ms"
    if seconds < 60:
        return f"{round(seconds, 3):g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{n} {unit}" for n, unit in parts if n)


def _load(ran: Sequence[TaskReport], span: float) -> str:
    """How many attempts ran, on average over each of `_BUCKETS` pieces of the time, as a path of steps."""
    steps: list[tuple[float, int]] = [(a.started_at, 1) for t in ran for a in t.timeline]
    steps += [(a.ended_at, -1) for t in ran for a in t.timeline]
    steps.sort()
    size = span / _BUCKETS
    areas = [0.0] * _BUCKETS
    running, since = 0, 0.0
    for at, step in [*steps, (span, 0)]:
        while running and since < at:
            bucket = min(int(since / size), _BUCKETS - 1)
            until = at if bucket == _BUCKETS - 1 else min(at, max((bucket + 1) * size, since + size * 1e-9))
            areas[bucket] += running * (until - since)
            since = until
        since, running = max(since, at), running + step
    levels = [area / size for area in areas]
    peak = max(levels, default=0.0)
    if not peak:
        return ""
    points: list[str] = []
    last = None
    for number, level in enumerate(levels):
        y = round(100 - 100 * level / peak, 1)
        if y != last:
            points.append(f"H{round(100 * number / _BUCKETS, 2):g}V{y:g}")
            last = y
    return f"M0 100{''.join(points)}H100V100Z"
