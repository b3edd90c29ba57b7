"""What the nodes of a drawing say while the run goes on: glyphs, labels, notes, bars of groups. Looked up when painted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from dagtop.core.guards import BreakerState
from dagtop.core.snapshot import EMPTY, RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, TaskState

from dagtop_app.faces import ASCII, GATE_FACE, TALLIES, drawn, face_of, glyph, glyph_of, is_at_gate, task_face
from dagtop_app.graph.loading import Bundle, Sheet
from dagtop_app.graphview import NodeTexts
from dagtop_app.lines import Span
from dagtop_app.text import bar, clock, cut, duration, fit, name_of, width

_S = TaskState
_SHORT = {state: tally.short[:5] for tally in TALLIES for state in tally.states} | {_S.TIMED_OUT: "late"}

#: The more urgent a state, the higher: what stands for several tasks has the colour of the most urgent one.
URGENCY = {
    state: place
    for place, state in enumerate(
        (
            _S.SUCCEEDED, _S.CACHED, _S.SKIPPED, _S.WAITING, _S.READY, _S.HELD, _S.RUNNING, _S.CANCELLING, _S.BACKOFF,
            _S.CANCELLED, _S.BLOCKED, _S.TIMED_OUT, _S.FAILED,
        )
    )
}  # fmt: skip
#: From left to right in the bar of a group; what is not there is the rest.
_IN_BAR = (
    (_S.SUCCEEDED, _S.CACHED), (_S.SKIPPED,), (_S.CANCELLED,), (_S.FAILED, _S.TIMED_OUT), (_S.BLOCKED,), (_S.BACKOFF,),
    (_S.RUNNING, _S.CANCELLING), (_S.HELD,), (_S.READY,),
)  # fmt: skip
_FILLINGS = {_S.SUCCEEDED: ("█", "="), _S.RUNNING: ("▓", ">"), _S.READY: ("░", "q")}
_REST = "." if ASCII else "·"
_BREAKERS = {BreakerState.OPEN: ("○", "o"), BreakerState.HALF_OPEN: ("◐", "%")}

Counts = dict[TaskState, int]


class NodeWords(NodeTexts):
    """The `NodeTexts` of a sheet."""

    def __init__(self, sheet: Sheet, snapshot: RunSnapshot = EMPTY) -> None:
        self._tasks, self._labels = sheet.tasks, sheet.labels
        self._bundles: Mapping[int, Bundle] = sheet.bundles
        self._sheet = sheet
        self._counts: dict[int, Counts] = {}
        self.snapshot = snapshot
        """The latest of the plan that is drawn."""

    def take(self, snapshot: RunSnapshot, moved: Sequence[tuple[TaskRow, TaskRow]] | None) -> None:
        """The run as it is now, and the rows (before, after) that are in another state; None: any may be."""
        self.snapshot = snapshot
        if moved is None:
            self._counts.clear()
            return
        if not self._counts:
            return
        for was, now in moved:
            if (node := self.node_of(now.index)) is None or (counts := self._counts.get(node)) is None:
                continue
            if now.index not in self._sheet.nodes or not self._bundles[node].is_level:  # the level itself is no task
                counts[was.state] -= 1
                counts[now.state] = counts.get(now.state, 0) + 1

    def node_of(self, task: int) -> int | None:
        """The node that tells of a task: its own, that of its group, or the level that it is in; None if none does."""
        node = self._sheet.nodes.get(task)
        return node if node is not None or not self._levels else self._levels.get(task)

    @cached_property
    def _levels(self) -> Mapping[int, int]:
        """The node of each task that is in one that is a level."""
        return {task: node for node, bundle in self._bundles.items() if bundle.is_level for task in bundle.tasks}

    # -- what a node is --------------------------------------------------------------------------------------

    def row(self, node: int) -> TaskRow | None:
        """The task of a node; of several the first."""
        rows, task = self.snapshot.rows, self._tasks[node]
        return rows[task] if task < len(rows) else None

    def counts(self, node: int) -> Mapping[TaskState, int]:
        """How many tasks of a group are in each state."""
        found = self._counts.get(node)
        if found is None:
            found = self._counts[node] = {}
            rows = self.snapshot.rows
            for task in self._bundles[node].tasks:
                state = rows[task].state if task < len(rows) else _S.WAITING
                found[state] = found.get(state, 0) + 1
        return found

    def state(self, node: int) -> TaskState:
        """The state of the node's task; of several the most urgent one."""
        bundle = self._bundles.get(node)
        if bundle is None or bundle.is_level:
            row = self.row(node)
            return row.state if row is not None else _S.WAITING
        return worst(self.states(node))

    def states(self, node: int) -> Sequence[TaskState]:
        """The states of all its tasks, each once."""
        bundle = self._bundles.get(node)
        if bundle is None or bundle.is_level:
            return (self.state(node),)
        return [state for state, count in self.counts(node).items() if count]

    def representative(self, node: int, selected: int | None) -> int:
        """The task that keys act on: of several the selected one, or else the most urgent."""
        bundle = self._bundles.get(node)
        if bundle is None or bundle.is_level:
            return self._tasks[node]
        if selected is not None and self._sheet.nodes.get(selected) == node:
            return selected
        rows, state = self.snapshot.rows, self.state(node)
        return next((task for task in bundle.tasks if task < len(rows) and rows[task].state is state), bundle.tasks[0])

    # -- NodeTexts -------------------------------------------------------------------------------------------

    def glyph(self, node: int) -> str:
        """The state, in one cell."""
        if node in self._bundles:
            return glyph(self.state(node))
        row = self.row(node)
        return glyph_of(row) if row is not None else glyph(_S.WAITING)

    def label(self, node: int, width: int) -> str:
        """The name of the task, or of the group with how many have ended."""
        bundle = self._bundles.get(node)
        if bundle is None:
            return fit(self._labels[self._tasks[node]], width)
        if bundle.is_level or self._sheet.is_boxed:
            return fit(bundle.label, width)
        count = self.done_text(node)
        return fit(f"{cut(bundle.label, width - len(count) - 1)} {count}", width)

    def note(self, node: int, width: int) -> str:
        """How long it takes or took, or its state in a word; right-aligned."""
        row = self.row(node)
        text = note_of(self.snapshot, row) if row is not None else ""
        return fit(cut(text, max(0, width - 1)), width, right=True)

    def stands_for_several(self, node: int) -> bool:
        """Whether the node is a group."""
        return node in self._bundles

    def bar(self, node: int, width: int) -> Sequence[Span]:
        """The states of a group, each as long as its share; what needs a person has a cell at least."""
        return bar_of(self.counts(node), width)

    def done_text(self, node: int) -> str:
        """ "88/100"."""
        counts = self.counts(node)
        return f"{sum(counts.get(state, 0) for state in GOOD):,}/{sum(counts.values()):,}"

    def inset(self, node: int, width: int) -> tuple[str, int]:
        """Of a group how much has ended well and how much has not; of a task its tries, its progress and its breaker."""
        if node in self._bundles:
            counts = self.counts(node)
            bad = sum(counts.get(state, 0) for state in BAD if state is not _S.BLOCKED)
            text = self.done_text(node)
            if bad:
                text = f"{bad:,}{glyph(_S.FAILED)} {text}"
            return _cells(text if len(text) <= width else text.rpartition(" ")[2], width)
        row = self.row(node)
        return _cells(inset_of(self.snapshot, row, width), width) if row is not None else ("", 0)


def _cells(text: str, room: int) -> tuple[str, int]:
    text = cut(text, room)
    return text, width(text)


def bar_of(counts: Mapping[TaskState, int], cells: int) -> list[Span]:
    """A bar of states, the rest of it still to come."""
    total = sum(counts.values())
    if not total or cells < 1:
        return [(" " * max(0, cells), "")]
    found = [(states[0], sum(counts.get(state, 0) for state in states)) for states in _IN_BAR]
    found = [(state, count) for state, count in found if count]
    taken = [max(1, int(count * cells / total)) for _, count in found]
    ended = sum(count for _, count in found) == total
    while sum(taken) > cells:
        taken[taken.index(max(taken))] -= 1
    if ended and taken and sum(taken) < cells:
        taken[max(range(len(found)), key=lambda place: found[place][1])] += cells - sum(taken)
    spans = [
        (_filling(state) * length, task_face(state).style) for (state, _), length in zip(found, taken, strict=True)
    ]
    return [*spans, (_REST * (cells - sum(taken)), "bar-rest")] if sum(taken) < cells else spans


def _filling(state: TaskState) -> str:
    return _FILLINGS[state][ASCII] if state in _FILLINGS else glyph(state)


def counted_spans(counts: Mapping[TaskState, int]) -> list[Span]:
    """ "✔9,801 ●8 ✖3", the most urgent first."""
    spans: list[Span] = []
    for state in sorted(counts, key=URGENCY.__getitem__, reverse=True):
        if counts[state]:
            spans += [(f"{glyph(state)}{counts[state]:,}", task_face(state).style), (" ", "")]
    return spans[:-1]


def note_of(snapshot: RunSnapshot, row: TaskRow) -> str:
    """A task in at most five cells."""
    if row.gone and row.state in FINAL:
        return "gone"
    if row.state is _S.RUNNING and row.serving:
        return "up"
    if row.state in ACTIVE and row.started_at is not None:
        if row.progress is not None and row.progress[1]:
            return f"{min(99, int(100 * _share(row.progress[0], row.progress[1])))}%"
        return clock(snapshot.at - row.started_at)
    if row.state is _S.BACKOFF and row.due_at is not None:
        return clock(max(0.0, row.due_at - snapshot.at))
    if row.state is _S.SUCCEEDED and row.started_at is not None and row.ended_at is not None:
        return duration(row.ended_at - row.started_at)
    if is_at_gate(row):
        return GATE_FACE.word.lower()
    return "" if row.state is _S.WAITING else _SHORT[row.state]


def _share(done: float, total: float) -> float:
    return min(1.0, max(0.0, done / total))  # a task may be beyond its own total


def inset_of(snapshot: RunSnapshot, row: TaskRow, cells: int) -> str:
    """What else there is to say of a task: the breaker that keeps it, its tries, how far it is. "" for most."""
    parts: list[str] = []
    if row.attempt > 1:
        allowed = row.policy.attempts_allowed
        parts.append(f"{row.attempt}/{allowed}" if row.attempt <= allowed else f"{row.attempt} tries")
    if row.policy.circuit and row.state not in FINAL and (sign := _breaker(snapshot, row.policy.circuit)):
        parts.append(sign)
    if row.state in ACTIVE and row.progress is not None and row.progress[1] and not parts:
        filled, rest = bar(_share(row.progress[0], row.progress[1]), cells)
        return f"{'=' * len(filled) if ASCII else filled}{rest}"
    text = " ".join(parts)
    return text if width(text) <= cells else parts[-1] if parts else ""


def _breaker(snapshot: RunSnapshot, name: str) -> str:
    view = next((it for it in snapshot.breakers if it.name == name), None)
    signs = _BREAKERS.get(view.state) if view is not None else None
    return f"{signs[ASCII]} {name_of(name, 40)}" if signs is not None else ""


def is_ticking(row: TaskRow) -> bool:
    """Whether the note of the task changes by itself, once a second."""
    return row.state in ACTIVE or row.state is _S.BACKOFF


def worst(states: Sequence[TaskState]) -> TaskState:
    """The most urgent of some states."""
    return max(states, key=URGENCY.__getitem__, default=_S.WAITING)


__all__ = ["URGENCY", "NodeWords", "bar_of", "counted_spans", "drawn", "face_of", "is_ticking", "note_of", "worst"]
