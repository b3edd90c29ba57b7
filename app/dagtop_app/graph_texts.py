"""What the graph view says in words: labels and notes of the nodes, the line above the drawing and the one below it."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop.core.levels import SLASH
from dagtop.core.snapshot import EMPTY, RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, FINAL, TaskState

from dagtop_app.faces import ASCII, ENTERED, GATE_FACE, TALLIES, face_of, glyph, glyph_of, is_at_gate
from dagtop_app.graph_loading import Hidden, Sheet
from dagtop_app.graphview import Scale
from dagtop_app.lines import Line, Span, line_width, sides
from dagtop_app.text import clock, cut, duration, fit, name_of, plural

_S = TaskState
_SHORT = {state: tally.short[:5] for tally in TALLIES for state in tally.states} | {_S.TIMED_OUT: "late"}
_SCALES = {Scale.BOX: "boxes", Scale.PILL: "pills", Scale.OVERVIEW: "overview"}

#: The more urgent a state, the higher: a line that several tasks feed has the colour of the most urgent one.
URGENCY = {
    state: place
    for place, state in enumerate(
        (
            _S.SUCCEEDED, _S.CACHED, _S.SKIPPED, _S.WAITING, _S.READY, _S.HELD, _S.RUNNING, _S.CANCELLING, _S.BACKOFF,
            _S.CANCELLED, _S.BLOCKED, _S.TIMED_OUT, _S.FAILED,
        )
    )
}  # fmt: skip


class NodeWords:
    """The `NodeTexts` of a sheet: looks states up when the drawing is painted."""

    def __init__(self, sheet: Sheet) -> None:
        self.snapshot: RunSnapshot = EMPTY
        """The latest of the plan that is drawn."""
        self._tasks = sheet.tasks
        self._labels = sheet.labels

    def state(self, node: int) -> TaskState:
        """The state of the node's task."""
        rows = self.snapshot.rows
        return rows[self._tasks[node]].state if rows else _S.WAITING

    def glyph(self, node: int) -> str:
        """The state, in one cell."""
        rows = self.snapshot.rows
        return glyph_of(rows[self._tasks[node]]) if rows else glyph(_S.WAITING)

    def label(self, node: int, width: int) -> str:
        """The name of the task."""
        return fit(self._labels[self._tasks[node]], width)

    def note(self, node: int, width: int) -> str:
        """How long it takes or took, or its state in a word; right-aligned."""
        rows = self.snapshot.rows
        text = note_of(self.snapshot, rows[self._tasks[node]]) if rows else ""
        return fit(cut(text, max(0, width - 1)), width, right=True)


def note_of(snapshot: RunSnapshot, row: TaskRow) -> str:
    """A task in at most five cells."""
    if row.gone and row.state in FINAL:
        return "gone"
    if row.state is _S.RUNNING and row.serving:
        return "up"
    if row.state in ACTIVE and row.started_at is not None:
        if row.progress is not None and row.progress[1]:
            share = min(1.0, max(0.0, row.progress[0] / row.progress[1]))  # a task may be beyond its own total
            return f"{min(99, int(100 * share))}%"
        return clock(snapshot.at - row.started_at)
    if row.state is _S.BACKOFF and row.due_at is not None:
        return clock(max(0.0, row.due_at - snapshot.at))
    if row.state is _S.SUCCEEDED and row.started_at is not None and row.ended_at is not None:
        return duration(row.ended_at - row.started_at)
    if is_at_gate(row):
        return GATE_FACE.word.lower()
    return "" if row.state is _S.WAITING else _SHORT[row.state]


def is_ticking(row: TaskRow) -> bool:
    """Whether the note of the task changes by itself, once a second."""
    return row.state in ACTIVE or row.state is _S.BACKOFF


def title(
    sheet: Sheet | None, graph: str, pending: int | None, critical: float | None
) -> tuple[list[Span], list[Span]]:
    """What the line above the drawing says: (left, right).

    `pending` is the number of tasks that are being laid out, `critical` the seconds that the critical path takes.
    """
    left: list[Span] = [("Graph ", "title")]
    if sheet is not None and sheet.wish.focus is not None:
        sign = "+-" if ASCII else "±"
        left += [
            ("around ", "dim"),
            (cut(sheet.labels[sheet.wish.focus.task], 24), ""),
            (f" {sign}{sheet.depth}", "key"),
        ]
    else:
        inside = sheet.wish.level if sheet is not None else None
        path = "".join(f" {ENTERED} {name_of(name, 40)}" for name in inside.split(SLASH)) if inside else ""
        left.append((f"{cut(graph, 32)}{path}", ""))
    if pending is not None:
        return left, [(f"laying out {plural(pending, 'task')}…", "warn")]
    if sheet is None:
        return left, []
    drawn, total = len(sheet.tasks), len(sheet.labels)
    count = plural(total, "task") if drawn == total else f"{drawn:,} of {plural(total, 'task')}"
    deep = plural(len(sheet.layout.layers), "level")
    if sheet.wish.level is not None:
        count, deep = f"{drawn:,} at this level", plural(len(sheet.layout.layers), "step")
    right: list[Span] = []
    if critical is not None:
        right = [(f"critical path {duration(critical)}", "key"), (" · ", "dim")]
    right.append((f"{count} · {deep} · ", "dim"))
    right.append((_SCALES[sheet.scale], ""))
    right.append((" · fit" if sheet.wish.scale is None else " · = fits", "dim"))
    return left, right


def foot(
    hidden: Hidden, scale: Scale | None, selected: TaskRow | None, label: str, *, critical: bool, cells: int
) -> Line:
    """The line below the drawing: what the lines mean, or which task a cell is, and how much lies outside."""
    right = _outside(hidden)
    room = cells - line_width(right) - 3
    left: list[Span] = [(" ", "")]
    if scale is Scale.OVERVIEW and selected is not None:
        face = face_of(selected)
        left += [
            (f"{glyph_of(selected)} ", face.style),
            (cut(label, max(8, room - 12)), "strong"),
            (f" {face.word}", face.style),
        ]
    elif scale is not None:
        for entry in _legend(critical=critical):
            if line_width(left) + line_width(entry) + 2 <= room:
                left += [*entry, ("  ", "")]
    return sides(left, right, cells)


def _legend(*, critical: bool) -> list[list[Span]]:
    thick = "=" if ASCII else "━"
    entries: list[list[Span]] = []
    if critical:
        entries.append([(thick, "key"), (" critical path", "dim")])
    entries.append([(thick, "strong"), (" before", "dim")])
    entries.append([(thick, "block"), (" after the selected", "dim")])
    if not ASCII:
        entries.append([("─", "ok"), (" done", "dim")])
        entries.append([("┄", "wait"), (" not yet", "dim")])
    return entries


def _outside(hidden: Hidden) -> list[Span]:
    arrows = "<>^v" if ASCII else "◀▶▲▼"
    parts: list[Span] = []
    for arrow, count in zip(arrows, hidden, strict=True):
        if count:
            parts += [(f" {arrow} ", "key"), (f"{count:,} ", "dim")]
    return parts


def worst(states: Sequence[TaskState]) -> TaskState:
    """The most urgent of some states."""
    return max(states, key=URGENCY.__getitem__)
