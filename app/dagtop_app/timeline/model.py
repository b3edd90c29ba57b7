"""The timeline's rows: which tasks in which order, and each of them as a line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

from dagtop.core.forecast import Usual
from dagtop.core.restart import RestartPolicy
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, RUN_OVER, TaskState
from dagtop.observe.load import Load
from dagtop.observe.spans import Kind
from dagtop.observe.spans import Span as Piece
from dagtop.observe.story import Story

from dagtop_app import faces
from dagtop_app.faces import face_of, glyph_of, is_at_gate
from dagtop_app.lines import Line, Span, fit_line
from dagtop_app.tasks import upkeep
from dagtop_app.tasks.grouping import Pack
from dagtop_app.tasks.grouping_texts import Rolled, figures
from dagtop_app.tasks.obstacles import breaker_of, obstacles
from dagtop_app.text import clean, clock, clock_left, cut, duration, fit
from dagtop_app.timeline.ahead import Ahead, lasts
from dagtop_app.timeline.bars import BRUSHES, FAILED, cells, glyph, inked
from dagtop_app.timeline.lens import Window
from dagtop_app.timeline.load import levels

_S = TaskState

#: Orders of the rows, in the order of their key, with what they do.
ORDERS: Mapping[str, str] = {
    "start": "by start: what began first is at the top",
    "table": "in the order of the table",
    "longest": "what ran longest is at the top",
}
#: What stands before the task's name: the cursor's bar, the glyph and a space.
LEAD = 3
_TIME, _NOTE = 6, 14
#: From so many times its usual duration on a task is slow.
SLOW = 1.5
_ALIKE = 0.03


class Columns(NamedTuple):
    """Widths in cells; 0: not shown."""

    name: int
    chart: int
    wait: int
    run: int
    note: int


class Scene(NamedTuple):
    """All that the rows of one drawing are made from."""

    snapshot: RunSnapshot
    story: Story
    usual: Mapping[int, Usual]
    ahead: Ahead
    window: Window
    columns: Columns
    critical: bool
    """Whether the critical path is shown."""

    @property
    def now(self) -> float | None:
        """Now, in a run that goes on."""
        return None if self.snapshot.state in RUN_OVER else self.snapshot.at


def columns(width_: int, longest_name: int) -> Columns:
    """The columns that fit: below 100 cells what is said of each task goes, and how long it waited."""
    note = _NOTE if width_ >= 96 else 0
    wait = _TIME if width_ >= 110 else 0
    name = min(max(longest_name, 14), 14 if width_ < 90 else max(16, width_ // 7))
    taken = LEAD + name + 1 + 2 + sum(size + 1 for size in (wait, _TIME, note) if size)
    return Columns(name, max(1, width_ - taken), wait, _TIME, note)


# -- order ---------------------------------------------------------------------------------------------------------------


#: Of what has not begun, and of which nobody knows when it will.
_NEVER_YET = 1e18


def ordered(order: str, shown: Sequence[int], snapshot: RunSnapshot, story: Story, ahead: Ahead) -> Sequence[int]:
    """The tasks of the table in another order; fast for 100,000 of them."""
    rows, names, at, track_of = snapshot.rows, snapshot.plan.names, snapshot.at, story.tracks.get
    keys: dict[int, float] = {}
    if order == "longest":
        for index in shown:
            track = track_of(names[index])
            if track is None:
                keys[index] = -_ran(rows[index], at)
            else:
                keys[index] = -track.ran if track.kind is not Kind.RUN else track.since - at - track.ran
    elif order == "start":
        comes = ahead.starts.get
        for index in shown:
            track, row = track_of(names[index]), rows[index]
            if track is not None:
                keys[index] = track.first
            else:  # of the many that wait nothing has begun
                keys[index] = comes(index, _NEVER_YET) if row.state is _S.WAITING else _begun(row, ahead)
    else:
        return shown
    return sorted(sorted(shown), key=keys.__getitem__)


def _begun(row: TaskRow, ahead: Ahead) -> float:
    for at in (row.ready_at, row.started_at, row.ended_at if row.state is _S.CACHED else None):
        if at is not None:
            return at
    return ahead.starts.get(row.index, inf if row.state in FINAL else _NEVER_YET)


def _ran(row: TaskRow, at: float) -> float:
    if row.started_at is None:
        return 0.0
    return (at if row.state in ACTIVE or row.ended_at is None else row.ended_at) - row.started_at


def span_of(snapshot: RunSnapshot, story: Story, ahead: Ahead, *, whole: bool = False) -> tuple[float, float]:
    """(when what is shown begins, when it ends): of a run that was gone on with, what the latest process did, unless all of it
    is wanted."""
    start = 0.0
    if len(story.sessions) > 1 and not whole:
        start = story.sessions[-1]
    end = max(snapshot.at, start)
    if ahead.end is not None and snapshot.state not in RUN_OVER:
        end = max(end, ahead.end)
    return start, max(end, start + 1e-3)


# -- rows ----------------------------------------------------------------------------------------------------------------


def row_line(scene: Scene, row: TaskRow, pieces: Sequence[Piece], *, cursor: bool, marked: bool, name: str) -> Line:
    """One task in one line."""
    cols, face = scene.columns, face_of(row)
    critical = scene.critical and row.index in scene.ahead.on_path
    quiet = (row.state in FINAL and row.state not in BAD) or row.state is _S.WAITING
    edge = (">" if faces.ASCII else "▌") if cursor else "*" if marked else " "
    drawn = cells(pieces, scene.window, critical=critical, ahead=coming(scene, row.index), now=scene.now)
    bound = "|" if faces.ASCII else "│"
    line: list[Span] = [
        (edge, "mark"),
        (f"{glyph_of(row)} ", face.style),
        (fit(name, cols.name) + " ", "strong" if cursor else "mark" if critical else "dim" if quiet else ""),
        (bound, "rule"),
        *inked(drawn),
        (bound, "rule"),
    ]
    if cols.wait:
        waited = sum(piece.seconds for piece in pieces if piece.kind is Kind.QUEUE)
        has = any(piece.kind is Kind.QUEUE for piece in pieces) or bool(pieces)
        line.append((" " + fit(clock(waited) if has else "-", cols.wait, right=True), "dim"))
    line.append((" " + fit(_run_text(scene, row, pieces), cols.run, right=True), "dim" if quiet else ""))
    if cols.note:
        text, style = note(scene, row, pieces)
        line.append((" " + fit(" " + text, cols.note), style))
    return tuple(line)


def group_line(
    scene: Scene,
    rolled: Rolled,
    load: Load,
    label: str,
    *,
    cursor: bool,
    marked: bool,
    failed: Sequence[float] = (),
    ahead: tuple[float, float] | None = None,
) -> Line:
    """A group of tasks in one line: how many of them ran at once, against the most that did. `failed`: when some did."""
    cols, window, snapshot = scene.columns, scene.window, scene.snapshot
    face = face_of(rolled.worst)
    over = rolled.done == rolled.total
    edge = (">" if faces.ASCII else "▌") if cursor else "*" if marked else " "
    bound = "|" if faces.ASCII else "│"
    name = cut(label, cols.name - 2) + f" {faces.ENTERED}"
    line: list[Span] = [
        (edge, "mark"),
        (f"{faces.drawn(face)} ", face.style),
        (fit(name, cols.name) + " ", "strong" if cursor else "dim" if over and rolled.worst.state not in BAD else ""),
        (bound, "rule"),
        *_levels_inked(scene, levels(load, window, snapshot.at, max(1, load.peak)), failed, ahead, done=over),
        (bound, "rule"),
    ]
    if cols.wait:
        line.append((" " + fit("", cols.wait), ""))
    took = "-"
    if rolled.begun is not None:
        took = clock(snapshot.at - rolled.begun) if rolled.ended is None else duration(rolled.ended - rolled.begun)
    line.append((" " + fit(took, cols.run, right=True), "dim" if over else ""))
    if cols.note:
        line += fit_line([("  ", ""), *figures(rolled.counts)], cols.note + 1)
    return tuple(line)


def failures(snapshot: RunSnapshot, pack: Pack) -> Sequence[float]:
    """When members of a group failed for good."""
    rows = [snapshot.rows[index] for index in pack.members]
    return [row.ended_at for row in rows if row.state in BAD and row.ended_at is not None]


def _levels_inked(
    scene: Scene, drawn: str, failed: Sequence[float], ahead: tuple[float, float] | None, *, done: bool
) -> Iterator[Span]:
    """Columns of a group, with what failed in front of them; where there is none now, and what is to come."""
    window = scene.window
    bad = {window.cell(at) for at in failed}
    beyond = cells((), window, ahead=ahead, now=scene.now)
    style = "ok" if done else "run"
    for place, char in enumerate(drawn):
        if place in bad:
            yield glyph(FAILED), BRUSHES[FAILED].style
        elif char == " " and beyond[place]:
            yield glyph(beyond[place]), BRUSHES[beyond[place]].style
        else:
            yield char, style


def empty_line(scene: Scene) -> Line:
    """A line without a task: the frame, and now."""
    bound = "|" if faces.ASCII else "│"
    drawn = inked(cells((), scene.window, now=scene.now))
    return ((" " * (LEAD + scene.columns.name + 1), ""), (bound, "rule"), *drawn, (bound, "rule"))


def coming(scene: Scene, *tasks: int) -> tuple[float, float] | None:
    """When these are likely to run from now on: from the first start to the last end."""
    ahead, at = scene.ahead, scene.snapshot.at
    ends = [end for task in tasks if (end := ahead.ends.get(task)) is not None]
    if not ends:
        return None
    end, start = max(ends), min(ahead.starts.get(task, at) for task in tasks if task in ahead.ends)
    return (max(start, at), max(end, start + scene.window.step))


def _run_text(scene: Scene, row: TaskRow, pieces: Sequence[Piece]) -> str:
    ran = [piece for piece in pieces if piece.kind is Kind.RUN]
    if ran:
        seconds = sum(piece.seconds for piece in ran)
        return clock(seconds) if row.state in ACTIVE else duration(seconds)
    ahead, index = scene.ahead, row.index
    if index in ahead.ends and index < len(ahead.seconds):
        is_node = index in scene.snapshot.plan.nodes  # it takes no time of its own, but what the tasks in it take
        return f"~{duration(ahead.ends[index] - ahead.starts.get(index, scene.snapshot.at) if is_node else ahead.seconds[index])}"
    return "-"


def note(scene: Scene, row: TaskRow, pieces: Sequence[Piece]) -> Span:
    """What matters most of a task in a few cells: against its usual duration, or what it waits for."""
    match row.state:
        case _S.RUNNING | _S.CANCELLING:
            return _running_note(scene, row)
        case _S.SUCCEEDED:
            tries = sum(piece.kind is Kind.RUN for piece in pieces)
            told = against_usual(scene.usual.get(row.index), seconds_taken(row))
            if row.policy.restart.is_on and tries > 1:
                return f"{tries:,} runs", "dim"
            return told or ((f"{tries} tries", "retry") if tries > 1 else ("-", "faint"))
        case _S.FAILED | _S.TIMED_OUT:
            if row.attempt > 1:
                return f"{row.attempt} tries", "fail"
            return clean(row.failure.error if row.failure else row.reason, 40) or "failed", "fail"
        case _S.BACKOFF:
            return _backoff_note(scene, row)
        case _S.READY:
            return _queued_note(scene.snapshot, row)
        case _S.HELD:
            return ("at its gate", "warn") if is_at_gate(row) else ("held", "held")
        case _S.WAITING:
            start = scene.ahead.starts.get(row.index)
            return (f"in ~{clock(start - scene.snapshot.at)}", "dim") if start is not None else ("-", "faint")
        case _S.CANCELLED if row.gone:
            return "removed", "dim"
        case _S.CANCELLED:
            return clean(row.reason, 40) or "stopped", "stop"
        case _S.SKIPPED:
            return "skipped", "dim"
        case _S.BLOCKED:
            return "blocked", "block"
        case _S.CACHED:
            return "cached", "dim"


def _running_note(scene: Scene, row: TaskRow) -> Span:
    at = scene.snapshot.at
    if row.state is _S.CANCELLING:
        return "stopping", "stop"
    if row.policy.restart.policy is RestartPolicy.ALWAYS or lasts(scene.snapshot, row.policy):
        up = upkeep.running_text(scene.snapshot, row)
        return (clean(up, 40) or str(row.policy.restart.policy), "dim" if row.serving else "warn")
    taken = at - (at if row.started_at is None else row.started_at)
    usual = scene.usual.get(row.index)
    if usual is not None and taken > usual.median * (1 + _ALIKE):
        return against_usual(usual, taken) or ("-", "faint")
    end = scene.ahead.ends.get(row.index)
    known = usual is not None or (row.progress is not None and row.progress[1])
    if end is not None and known:
        return f"~{clock(end - at)} left", "dim"
    full = (
        key for key, _ in _wants(row) if (limit := scene.snapshot.limits.get(key)) is not None and limit[0] >= limit[1]
    )
    held = next(full, "")
    return (f"holds {clean(held.partition(':')[2], 40)}", "dim") if held else ("-", "faint")


def _backoff_note(scene: Scene, row: TaskRow) -> Span:
    view = breaker_of(scene.snapshot, row.policy.circuit) if row.policy.circuit else None
    if view is not None and view.state.value != "closed":
        return f"{'%' if faces.ASCII else '◐'} {clean(view.name, 40)}", "warn"
    left = (row.due_at or scene.snapshot.at) - scene.snapshot.at
    return f"in {clock_left(left)}" if left > 0 else "now", "retry"


def _queued_note(snapshot: RunSnapshot, row: TaskRow) -> Span:
    for key, wanted in _wants(row):
        used, there = snapshot.limits.get(key, (0, wanted))
        if used + wanted > there:
            return f"{clean(key.partition(':')[2], 40)} {used}/{there}", "queue"
    return ("breaker open", "warn") if any(obstacles(snapshot, row)) else ("a slot", "dim")


def _wants(row: TaskRow) -> Iterator[tuple[str, int]]:
    if row.policy.pool:
        yield f"pool:{row.policy.pool}", 1
    for name, wanted in row.policy.resources.items():
        yield f"resource:{name}", wanted


def seconds_taken(row: TaskRow) -> float | None:
    """How long the latest attempt took."""
    return row.ended_at - row.started_at if row.started_at is not None and row.ended_at is not None else None


def against_usual(usual: Usual | None, seconds: float | None) -> Span | None:
    """How long something took compared with earlier runs: "+112% ▲"; None if that is not known."""
    if usual is None or seconds is None or usual.median <= 0:
        return None
    more = seconds / usual.median - 1
    if abs(more) <= _ALIKE or abs(seconds - usual.median) < 0.05:
        return "=", "dim"
    told = f"{more:+.0%}" if more < 9.995 else f"{more + 1:,.0f}×"
    if more >= SLOW - 1 and seconds > usual.p95:
        return f"{told} {'^' if faces.ASCII else '▲'}", "warn"
    return told, "dim" if more < 0 else ""
