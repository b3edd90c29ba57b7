"""What is told of the selected task below the timeline: its attempts, the critical path around it, why it is as it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop.core.snapshot import TaskRow
from dagtop.core.states import BAD, FINAL, TaskState
from dagtop.observe.spans import Kind
from dagtop.observe.spans import Span as Piece

from dagtop_app import faces
from dagtop_app.faces import face_of, glyph_of
from dagtop_app.lines import Line, Span, fit_line, line_width
from dagtop_app.tasks.grouping_texts import Rolled, figures
from dagtop_app.tasks.why import share_bar, why
from dagtop_app.text import bar, clean, clock, cut, duration, name_of, plural, width
from dagtop_app.timeline.model import Scene, seconds_taken

_S = TaskState

#: From this width on it is told of an attempt also when it ended.
_WIDE = 120


def detail_title(scene: Scene, row: TaskRow | None) -> tuple[list[Span], list[Span]]:
    """The line above what is told of the selected task."""
    if row is None:
        return [("no task", "dim")], []
    face = face_of(row)
    tries = f" {row.attempt}/{max(row.attempt, row.policy.attempts_allowed)}" if row.attempt else ""
    left: list[Span] = [
        (cut(name_of(row.name), 40), "title"),
        ("  ", ""),
        (f"{glyph_of(row)} {face.word}{tries}", face.style),
    ]
    right: list[Span] = []
    last = seconds_taken(row)
    if last is not None and row.state in FINAL:
        right.append((f"{duration(last)} last attempt" if row.attempt > 1 else f"took {duration(last)}", "dim"))
    usual = scene.usual.get(row.index)
    if usual is not None:
        right += [(" · ", "dim")] if right else []
        right.append((f"usual {duration(usual.median)} of {plural(usual.runs, 'run')}", "dim"))
    rows, below = scene.snapshot.rows, scene.snapshot.plan.downstream[row.index]
    waiting = [rows[index] for index in below if rows[index].state in {_S.WAITING, _S.BLOCKED, _S.SKIPPED}]
    if waiting and row.state is not _S.SUCCEEDED:
        names = ", ".join(name_of(one.name, 24) for one in waiting[:2])
        more = f" +{len(waiting) - 2}" if len(waiting) > 2 else ""
        right += [(" · ", "dim")] if right else []
        right.append((f"blocks {names}{more}", "block" if row.state in BAD else "dim"))
    return left, right


def detail_lines(scene: Scene, row: TaskRow | None, pieces: Sequence[Piece], width_: int, height: int) -> list[Line]:
    """Its attempts, the critical path, and why it is as it is."""
    if row is None:
        return []
    lines = [attempts_line(pieces, width_, dropped=_dropped(scene, row))]
    path = path_line(scene, row, width_)
    if path:
        lines.append(path)
    told = why(scene.snapshot, row)
    if told.share is not None:
        percent, filled, rest = share_bar(told.share, 20)
        now = [(percent.lstrip(), "strong"), (filled, "run"), (rest, "bar-rest"), (f" {told.text}", "")]
        lines.append(fit_line([(" now      ", "head"), *now], width_))
    elif told.text:
        lines.append(fit_line([(" why      ", "head"), (told.text, told.style)], width_))
    return lines[:height]


def _dropped(scene: Scene, row: TaskRow) -> int:
    track = scene.story.track(row.name)
    return track.dropped if track is not None else 0


def attempts_line(pieces: Sequence[Piece], width_: int, *, dropped: int = 0) -> Line:
    """The latest attempts, as many as fit."""
    attempts = [piece for piece in pieces if piece.kind is Kind.RUN]
    if not attempts:
        waited = [piece for piece in pieces if piece.kind is not Kind.POINT]
        if waited:
            first = waited[0].start
            return ((" attempts ", "head"), (f"none yet; ready since {_moment(first)}", "dim"))
        return ((" attempts ", "head"), ("none", "dim"))
    told: list[list[Span]] = []
    room = width_ - 10
    for attempt in reversed(attempts):
        spans = _attempt(attempt, whole=width_ >= _WIDE)
        room -= line_width(spans) + 3
        if told and room < (12 if len(told) < len(attempts) - 1 else 0):
            break
        told.insert(0, spans)
    line: list[Span] = [(" attempts ", "head")]
    left_out = len(attempts) - len(told)
    if left_out or dropped:
        line.append((f"{left_out:,}{'+' if dropped else ''} before   ", "faint"))
    for place, spans in enumerate(told):
        line += [("   ", "")] if place else []
        line += spans
    return fit_line(line, width_)


def _attempt(attempt: Piece, *, whole: bool) -> list[Span]:
    until = f" {'->' if faces.ASCII else '→'} {_moment(attempt.end)}" if whole else ""
    brush = {"succeeded": _S.SUCCEEDED, "running": _S.RUNNING, "cancelled": _S.CANCELLED, "lost": _S.CANCELLED}.get(
        attempt.ending, _S.FAILED
    )
    face = faces.TASK_FACES[brush]
    what = clean(attempt.note, 40) or {"timed_out": "timeout", "lost": "lost with its process"}.get(
        attempt.ending, attempt.ending
    )
    if attempt.ending == "timed_out" and attempt.note:
        what = f"timeout {what}"
    return [
        (f"{attempt.attempt}  ", "strong"),
        (f"{_moment(attempt.start)}{until}  {duration(attempt.seconds)} ", "dim"),
        (f"{faces.glyph(brush)} {'' if attempt.ending == 'succeeded' else what}".rstrip(), face.style),
    ]


def _moment(at: float) -> str:
    return clock(at) if at >= 10 else f"{at:.1f}s"


def path_line(scene: Scene, row: TaskRow, width_: int) -> Line:
    """The critical path around the selected task; of one that is not on it, how much longer it may take."""
    ahead, rows = scene.ahead, scene.snapshot.rows
    if not ahead.path:
        return ()
    head: list[Span] = [(" critical ", "head")]
    tail: list[Span] = []
    if row.index not in ahead.on_path and row.index < len(ahead.slack) and row.index not in scene.snapshot.plan.nodes:
        tail = [("   ", ""), (f"slack {duration(ahead.slack[row.index])}", "ok")]
    arrow = " -> " if faces.ASCII else " → "
    steps: list[list[Span]] = []
    for index in ahead.path:
        if index >= len(rows):
            continue
        one = rows[index]
        taken = ahead.seconds[index]
        said = duration(taken) if one.state in FINAL else f"~{duration(taken)}"
        style = "strong" if index == row.index else ""
        steps.append([(f"{glyph_of(one)} ", face_of(one).style), (name_of(one.name, 24), style), (f" {said}", "dim")])
    here = ahead.path.index(row.index) if row.index in ahead.on_path else _next_on_path(scene)
    first, last = _around(steps, here, width_ - 10 - line_width(tail) - 4, width(arrow))
    line = list(head)
    if first:
        line.append((f"…{arrow}", "faint"))
    for place in range(first, last):
        line += [(arrow, "faint")] if place > first else []
        line += steps[place]
    if last < len(steps):
        line.append((f"{arrow}…", "faint"))
    return fit_line([*line, *tail], width_)


def _next_on_path(scene: Scene) -> int:
    """The place on the path that has been reached."""
    rows = scene.snapshot.rows
    for place, index in enumerate(scene.ahead.path):
        if index < len(rows) and rows[index].state not in FINAL:
            return place
    return max(0, len(scene.ahead.path) - 1)


def _around(steps: Sequence[Sequence[Span]], here: int, room: int, gap: int) -> tuple[int, int]:
    """The steps around one that fit: (first, behind the last)."""
    first = last = min(here, max(0, len(steps) - 1))
    if not steps:
        return 0, 0
    room -= line_width(steps[first])
    last += 1
    while True:
        grown = False
        if last < len(steps) and (cost := line_width(steps[last]) + gap) <= room - 8:
            room, last, grown = room - cost, last + 1, True
        if first > 0 and (cost := line_width(steps[first - 1]) + gap) <= room - 8:
            room, first, grown = room - cost, first - 1, True
        if not grown:
            return first, last


def group_lines(rolled: Rolled, width_: int) -> list[Line]:
    """How a group stands."""
    filled, rest = bar(rolled.done / max(1, rolled.total), max(8, min(60, width_ - 30)))
    return [
        fit_line(
            [(" done     ", "head"), (filled, "ok"), (rest, "bar-rest"), (f" {rolled.done:,}/{rolled.total:,}", "")],
            width_,
        ),
        fit_line([(" tasks    ", "head"), *figures(rolled.counts)], width_),
    ]
