"""How states look: a glyph, a word, a colour class. State is never told by colour alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from dagtop.core.snapshot import TaskRow
from dagtop.core.states import FINAL, RunState, TaskState

from dagtop_app.settings import config


class Face(NamedTuple):
    """One state on the screen."""

    glyph: str
    """One cell wide, and never presented as an emoji."""
    plain: str
    """The same in ASCII."""
    word: str
    """In the table, at most 8 cells."""
    style: str
    """Style class, see `STYLES`."""


_T = TaskState

TASK_FACES: Mapping[TaskState, Face] = {
    _T.WAITING: Face("○", ".", "WAITING", "wait"),
    _T.READY: Face("◌", "q", "QUEUED", "queue"),
    _T.HELD: Face("‖", '"', "HELD", "held"),
    _T.RUNNING: Face("●", "R", "RUNNING", "run"),
    _T.BACKOFF: Face("↻", "~", "RETRY", "retry"),
    _T.CANCELLING: Face("◍", "X", "STOPPING", "stop"),
    _T.BLOCKED: Face("▽", "v", "BLOCKED", "block"),
    _T.SUCCEEDED: Face("✔", "+", "OK", "ok"),
    _T.CACHED: Face("◇", "=", "CACHED", "ok"),
    _T.FAILED: Face("✖", "!", "FAILED", "fail"),
    _T.TIMED_OUT: Face("✖", "!", "TIMEOUT", "fail"),
    _T.CANCELLED: Face("■", "x", "STOPPED", "stop"),
    _T.SKIPPED: Face("⊘", "-", "SKIPPED", "skip"),
}

#: A task that stands at its gate is HELD to the engine; here it has a face of its own, for nothing moves before a person speaks.
GATE_FACE = Face("◫", "?", "GATE", "alarm")

#: A task that was removed from the graph while the run went on: to the engine it was cancelled.
GONE_FACE = Face("□", "_", "REMOVED", "dim")

#: Of a run whose engine is gone.
BROKEN = Face("✖", "!", "BROKEN", "alarm")
#: Of a stored run whose process ended before it did.
CRASHED = Face("✖", "!", "CRASHED", "alarm")
RUN_FACES: Mapping[RunState, Face] = {
    RunState.PENDING: Face("○", ".", "STARTING", "wait"),
    RunState.RUNNING: Face("●", "R", "RUNNING", "run"),
    RunState.PAUSED: Face("‖", '"', "PAUSED", "held"),
    RunState.DRAINING: Face("▼", "v", "DRAINING", "retry"),
    RunState.CANCELLING: Face("◍", "X", "STOPPING", "stop"),
    RunState.SUCCEEDED: Face("✔", "+", "SUCCEEDED", "ok"),
    RunState.FAILED: Face("✖", "!", "FAILED", "fail"),
    RunState.CANCELLED: Face("■", "x", "STOPPED", "stop"),
    RunState.TIMED_OUT: Face("✖", "!", "TIMED OUT", "fail"),
}


class Tally(NamedTuple):
    """One figure of the header's second line."""

    states: tuple[TaskState, ...]
    word: str
    short: str
    gates: bool = False
    """Whether it counts the tasks that stand at their gate, which no state tells."""
    gone: bool = False
    """Whether it counts the tasks that were removed from the graph, which no state tells either."""

    @property
    def face(self) -> Face:
        """How those that it counts look."""
        return GATE_FACE if self.gates else GONE_FACE if self.gone else TASK_FACES[self.states[0]]


#: In the order of the header. What is zero is left out, but for the first.
TALLIES: tuple[Tally, ...] = (
    Tally((_T.RUNNING,), "running", "run"),
    Tally((), "at a gate", "gate", gates=True),
    Tally((_T.READY,), "queued", "queue"),
    Tally((_T.WAITING,), "waiting", "wait"),
    Tally((_T.BACKOFF,), "retry", "retry"),
    Tally((_T.SUCCEEDED,), "ok", "ok"),
    Tally((_T.CACHED,), "cached", "cached"),
    Tally((_T.FAILED, _T.TIMED_OUT), "failed", "fail"),
    Tally((_T.BLOCKED,), "blocked", "block"),
    Tally((_T.HELD,), "held", "held"),
    Tally((_T.CANCELLING,), "stopping", "stopg"),
    Tally((_T.SKIPPED,), "skipped", "skip"),
    Tally((_T.CANCELLED,), "stopped", "stop"),
    Tally((), "removed", "gone", gone=True),
)

#: Every style class that a view model may name; `dagtop_themes.inks` says how each looks.
STYLES: tuple[str, ...] = (
    *("run", "queue", "wait", "retry", "ok", "fail", "block", "skip", "stop", "held"),
    *("dim", "faint", "rule", "strong", "title", "head", "key", "off", "tab", "tab-on", "brand", "match"),
    *("good", "warn", "bad", "alarm", "error", "cursor", "cursor-idle", "mark", "bar-rest", "chip"),
)


def _wants_ascii() -> bool:
    set_so = config.current().config.ascii
    if set_so is None:
        return os.environ.get("TERM") == "linux" or bool(os.environ.get("DAGTOP_ASCII"))
    return set_so


#: Whether glyphs are ASCII: with `--ascii`, if the settings say so, or else on the Linux console, which has few others, and
#: when DAGTOP_ASCII is set.
ASCII = _wants_ascii()


#: Behind the name of a node, and between two levels.
ENTERED = ">" if ASCII else "▸"


def task_face(state: TaskState) -> Face:
    """The face of a task's state."""
    return TASK_FACES[state]


def glyph(state: TaskState) -> str:
    """The glyph of a task's state, in ASCII where that was asked for."""
    face = TASK_FACES[state]
    return face.plain if ASCII else face.glyph


def is_at_gate(row: TaskRow) -> bool:
    """Whether the task waits for a person to approve or reject it."""
    return row.gate is not None and row.state is TaskState.HELD


def face_of(row: TaskRow) -> Face:
    """The face of a task."""
    if row.gone and row.state in FINAL:
        return GONE_FACE
    return GATE_FACE if is_at_gate(row) else TASK_FACES[row.state]


def drawn(face: Face) -> str:
    """The glyph of a face, in ASCII where that was asked for."""
    return face.plain if ASCII else face.glyph


def glyph_of(row: TaskRow) -> str:
    """The glyph of a task, in ASCII where that was asked for."""
    return drawn(face_of(row))


def run_glyph(state: RunState) -> str:
    """The glyph of a run's state."""
    face = RUN_FACES[state]
    return face.plain if ASCII else face.glyph
