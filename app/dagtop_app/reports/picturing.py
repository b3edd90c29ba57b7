"""The graph of a report as a picture, each task in the colour and with the sign of its state.

Groups of a larger one are one box, and one that is still too large for boxes is a wall of squares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dagtop.core.states import TaskState
from dagtop.observe.report.graph import wiring_of
from dagtop.observe.report.schema import Report

from dagtop_app.commands import showing_formats
from dagtop_app.commands.showing import Shape, routed
from dagtop_app.faces import TASK_FACES
from dagtop_app.graphview import Scale
from dagtop_app.reports import wall_picture

#: Nodes of a picture that can still be looked at.
MOST = 1_000
#: Of a group: the state that tells most is that of all.
_TELLING: Sequence[TaskState] = (
    *(TaskState.FAILED, TaskState.TIMED_OUT, TaskState.BLOCKED, TaskState.CANCELLED, TaskState.CANCELLING),
    *(TaskState.BACKOFF, TaskState.RUNNING, TaskState.HELD, TaskState.READY, TaskState.WAITING, TaskState.SKIPPED),
    *(TaskState.SUCCEEDED, TaskState.CACHED),
)


def draw(report: Report) -> str:
    """An SVG; "" if the graph has no tasks."""
    shape = Shape(wiring_of(report), folded=None)
    if shape.model.size > MOST:
        return "\n".join(wall_picture.lines(report)) + "\n"
    if not shape.model.size:
        return ""
    states = {node: _state(report, members) for node, members in enumerate(shape.members)}
    shape.labels = [_label(report, shape, node) for node in range(shape.model.size)]
    lines = showing_formats.svg(routed(shape, Scale.BOX), shape.labels, report.graph, states, tuple(shape.several))
    return "\n".join(lines) + "\n"


def _state(report: Report, members: Sequence[int]) -> TaskState:
    found = {report.tasks[member].state for member in members}
    return next((state for state in _TELLING if state in found), TaskState.WAITING)


def _label(report: Report, shape: Shape, node: int) -> str:
    """Its name; of a group, with how many of it are in which state."""
    if node not in shape.several:
        return shape.labels[node]
    counts = Counter(report.tasks[member].state for member in shape.members[node])
    told = ", ".join(f"{counts[state]:,} {TASK_FACES[state].word.lower()}" for state in _TELLING if counts[state])
    return f"{shape.labels[node]} · {told}"
