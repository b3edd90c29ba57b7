"""Lanes beside the table: the lines of the graph left of the names, in an order in which few of them run at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from dagtop.core.plan import Plan
from dagtop.core.snapshot import TaskRow
from dagtop.core.states import FINAL, TaskState

from dagtop_app.faces import ASCII as IN_ASCII
from dagtop_app.faces import face_of, glyph_of
from dagtop_app.graph.level_parts import part_of
from dagtop_app.graphview.glyphs import ASCII, UNICODE
from dagtop_app.graphview.lanes import STEP, Lanes, lay_lanes
from dagtop_app.graphview.model import GraphModel
from dagtop_app.lines import Span

#: A graph of more tasks has no lanes: they would be worked out where keys wait.
LARGEST = 20_000
#: Cells of the table for each column of lanes there may be.
_SHARE = 9
_DASHES = str.maketrans("─│", "┄┆")


@lru_cache(maxsize=2)
def _lanes(plan: Plan, level: str | None, most: int) -> Lanes:
    if level is None:
        edges = [(parent, task) for task, parents in enumerate(plan.upstream) for parent in parents]
        return lay_lanes(GraphModel.from_indices(plan.names, edges), most=most)
    part = part_of(plan, level)
    return lay_lanes(GraphModel.from_indices(plan.names, part.edges), part.members, most)


def lanes_of(plan: Plan, level: str | None, cells: int = 160) -> Lanes | None:
    """The lanes of a plan, or of one level of it; as many columns as a table of so many cells has room for."""
    if not len(plan) or len(plan) > LARGEST:
        return None
    return _lanes(plan, level, max(3, cells // _SHARE))


def places_of(plan: Plan, level: str | None) -> Sequence[int]:
    """By task: its row in the order of lanes, or of declaration where there are none."""
    lanes = lanes_of(plan, level)
    return range(len(plan)) if lanes is None else lanes.place


def lane_spans(lanes: Lanes, rows: Sequence[TaskRow], row: TaskRow) -> list[Span]:
    """What stands left of a task's name: lines in the colour of the task that they come from, dashed while it is not over."""
    spans: list[Span] = []
    for text, owner in lanes.cells(row.index, glyph_of(row), ASCII if IN_ASCII else UNICODE):
        if owner == row.index:
            spans.append((text, face_of(row).style))
        elif owner < -1:  # a line that many share
            goal = rows[-2 - owner] if -2 - owner < len(rows) else row
            waits = goal.state is TaskState.WAITING and not IN_ASCII
            spans.append((text.translate(_DASHES) if waits else text, "faint" if waits else "dim"))
        elif owner < 0 or owner >= len(rows):
            spans.append((text, "faint"))
        elif rows[owner].state in FINAL:
            spans.append((text, face_of(rows[owner]).style))
        else:
            spans.append((text if IN_ASCII else text.translate(_DASHES), "faint"))
    return spans


__all__ = ["LARGEST", "STEP", "Lanes", "lane_spans", "lanes_of", "places_of"]
