"""What a task that went well came to, in words: how long it took, at which attempt, and what it returned. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dagtop.core.snapshot import TaskRow
from dagtop.core.states import TaskState

from dagtop_app.lines import Line, Span
from dagtop_app.text import clean, duration, wrap

#: Lines of what was returned.
_MOST = 6


def took_text(row: TaskRow) -> str:
    """ "in 3.0s, at attempt 2"; "" of one that did not run."""
    if row.state is not TaskState.SUCCEEDED or row.started_at is None or row.ended_at is None:
        return ""
    tries = row.attempt - row.attempts_before
    at = f", at attempt {tries}" if tries > 1 else ""
    return f"in {duration(max(0.0, row.ended_at - row.started_at))}{at}"


def gave_spans(returned: str, cells: int = 300) -> list[Span]:
    """What it returned, in a line: its type apart from the value."""
    kind, colon, value = clean(returned, max(1, cells)).partition(": ")
    return [(kind, ""), (f"  {value}", "dim")] if colon else [(kind, "dim")]


def outcome_lines(row: TaskRow, returned: str, cells: int) -> Iterator[Line]:
    """How it went, and what it returned, as many lines as that needs."""
    if took := took_text(row):
        yield (("  succeeded ", "ok"), (took, ""))
    if returned:
        kind, _, value = clean(returned, 1000).partition(": ")
        yield (("  returned ", "dim"), (kind, "strong"))
        for line in wrap(value, max(10, cells - 5))[:_MOST] if value else ():
            yield (("    ", ""), (line, "dim"))
