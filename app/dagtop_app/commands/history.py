"""`dagtop runs`: the runs that were kept, all or those that are asked for."""

from __future__ import annotations

import fnmatch
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dagtop.core.nearest import nearest
from dagtop.core.states import RunState
from dagtop.core.values import dataclass
from dagtop.observe.visible import storable
from dagtop.observe.wire import iso
from dagtop.ports.journal import RunSummary

from dagtop_app.commandline.options import UsageError
from dagtop_app.commandline.problems import shorter
from dagtop_app.plain.events import counts_text
from dagtop_app.settings import places as settings
from dagtop_app.text import clean, duration, name_of, plural

#: How a run may stand, as people know it.
STATES = (*(state.value for state in RunState), "crashed", "incomplete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """Which runs are asked for: those that pass all of it."""

    graph: str = ""
    """A graph's name, or a pattern of names."""
    states: tuple[str, ...] = ()
    since: float | None = None
    """Wall clock: those that began then or later."""
    words: tuple[str, ...] = ()
    """Each is somewhere in the run's line: its id, state, graph, endings or file."""

    def lets(self, run: RunSummary) -> bool:
        """Whether it passes."""
        if self.graph and run.graph != self.graph and not fnmatch.fnmatchcase(run.graph, self.graph):
            return False
        if self.states and run.state not in self.states:
            return False
        if self.since is not None and run.started_at < self.since:
            return False
        line = " ".join((run.run, run.state, run.graph, counts_text(dict(run.counts)), run.source)).casefold()
        return all(word.casefold() in line for word in self.words)


def sieve_of(graph: str, states: Sequence[str], since: str, words: Sequence[str]) -> Sieve:
    """What the options ask for.

    Raises
    ------
    UsageError: one is not understood.
    """
    for state in states:
        if state not in STATES:
            hint = nearest(state, STATES) or f"; there are {', '.join(STATES)}"
            raise UsageError(f"there is no state {state!r}{hint}")
    began = moment_of(since, time.time()) if since else None
    return Sieve(graph=graph, states=tuple(states), since=began, words=tuple(words))


def filter_of(graph: str, states: Sequence[str], since: str, words: Sequence[str]) -> str:
    """The same as the filter of the console's list of runs.

    Raises
    ------
    UsageError: one is not understood.
    """
    sieve_of(graph, states, since, words)
    asked = [f"graph:{graph}" if graph else "", f"state:{','.join(states)}" if states else ""]
    return " ".join([*filter(None, asked), *([f"since:{since}"] if since else []), *words])


def moment_of(text: str, now: float) -> float:
    """The wall clock of a date, of "today" or "yesterday", or of so long ago: 2025-11-20, 2025-11-20T08:30, 3d, 12h.

    Raises
    ------
    UsageError: it is none.
    """
    from dagtop_app.commands.pruning import age_of  # noqa: PLC0415 - only where it is asked for

    try:
        return now - age_of(text)
    except ValueError:
        pass
    today = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)  # noqa: DTZ006 - the reader's
    if text in ("today", "yesterday"):
        return (today - timedelta(days=text == "yesterday")).timestamp()
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--since takes a date such as 2025-11-20 or 2025-11-20T08:30, today, yesterday, or an age such as 12h or 3d, "
            f"not {text!r}"
        ) from None


def runs_command(db: Path | None, *, limit: int, as_json: bool, sieve: Sieve | None = None) -> int:
    """Print the latest runs that are asked for.

    Raises
    ------
    UsageError: the limit is no number of runs.
    JournalError: the file cannot be read.
    """
    if limit < 0:
        raise UsageError(f"--limit takes a number of runs, or 0 for all, not {limit}")
    journal = settings.journal_at(db)
    every = journal.runs()
    found = [run for run in every if sieve is None or sieve.lets(run)]
    shown = found[:limit] if limit else found
    lines = [json_line(run) for run in shown] if as_json else run_lines(shown)
    for line in lines:
        print(line)
    if not as_json:
        if not every:
            print(f"no runs are kept in {clean(str(journal.path))}", file=sys.stderr)
        elif not found:
            print(f"none of the {plural(len(every), 'run')} in {clean(str(journal.path))} is so", file=sys.stderr)
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
