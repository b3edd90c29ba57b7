"""`dagtop runs`: the runs that were kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dagtop.observe.visible import storable
from dagtop.observe.wire import iso
from dagtop.ports.journal import RunSummary

from dagtop_app import settings
from dagtop_app.options import UsageError
from dagtop_app.plain import counts_text
from dagtop_app.problems import shorter
from dagtop_app.text import clean, duration, name_of, plural


def runs_command(db: Path | None, *, limit: int, as_json: bool) -> int:
    """Print the latest runs.

    Raises
    ------
    UsageError: the limit is no number of runs.
    JournalError: the file cannot be read.
    """
    if limit < 0:
        raise UsageError(f"--limit takes a number of runs, or 0 for all, not {limit}")
    journal = settings.journal_at(db)
    found = list(journal.runs())
    shown = found[:limit] if limit else found
    lines = [json_line(run) for run in shown] if as_json else run_lines(shown)
    for line in lines:
        print(line)
    if not as_json:
        if not found:
            print(f"no runs are kept in {clean(str(journal.path))}", file=sys.stderr)
        elif len(shown) < len(found):
            print(f"{plural(len(found) - len(shown), 'older run')} not shown; --limit 0 shows all", file=sys.stderr)
    return 0


def json_line(run: RunSummary) -> str:
    """One run as a JSON object."""
    value: dict[str, Any] = {
        "run": run.run,
        "graph": run.graph,
        "source": run.source,
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at) if run.finished_at is not None else None,
        "state": run.state,
        "tasks": run.tasks,
        "counts": dict(run.counts),
    }
    return storable(json.dumps(value, ensure_ascii=False))


def run_lines(runs: Sequence[RunSummary]) -> list[str]:
    """The runs in columns."""
    if not runs:
        return []
    rows = [("RUN", "STATE", "STARTED", "TOOK", "TASKS", "GRAPH", "ENDINGS", "FILE")]
    for run in runs:
        # Local time: that is the clock on the reader's wall.
        began = f"{datetime.fromtimestamp(run.started_at):%Y-%m-%d %H:%M:%S}"  # noqa: DTZ006
        took = duration(run.finished_at - run.started_at) if run.finished_at is not None else "-"
        endings, source = counts_text(dict(run.counts)) or "-", clean(shorter(run.source), 200) or "-"
        name, state, graph = clean(run.run, 100), clean(run.state, 20), name_of(run.graph, 60)
        rows.append((name, state, began, took, f"{run.tasks:,}", graph, endings, source))
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[7]]).rstrip()
        for row in rows
    ]
