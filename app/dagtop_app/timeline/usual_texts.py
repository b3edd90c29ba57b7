"""How long a task usually takes, in words: for the inspector and the detail. Pure."""

from __future__ import annotations

from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import TaskState

from dagtop_app.lines import Span
from dagtop_app.tasks.table_columns import SLOW, slow_word, times_usual
from dagtop_app.text import duration, plural


def usual_spans(snapshot: RunSnapshot, row: TaskRow, usual: Usual | None) -> list[Span]:
    """ "usual 1:52 · 95 of 100 within 2:20 · 12 runs", and how this one compares; nothing if it is not known."""
    if usual is None:
        return []
    spans: list[Span] = [("usual ", "dim"), (duration(usual.median), "")]
    if usual.runs > 1:
        spans.append((f" · p95 {duration(usual.p95)}", "dim"))
    spans.append((f" · {plural(usual.runs, 'run')}", "dim"))
    times = times_usual(snapshot, row, {row.index: usual})
    if slow := slow_word(snapshot, row, {row.index: usual}):
        spans += [("  ", ""), (slow, "warn")]
    elif times is not None and row.state is TaskState.SUCCEEDED and (times >= SLOW or times <= 1 / SLOW):
        spans.append((f"  this time {times:.1f}×", "dim"))
    return spans
