"""The list of the runs in a journal's file."""

from __future__ import annotations

import sqlite3

from dagtop.core.states import RunState
from dagtop.journal import chunks, schema
from dagtop.journal.liveness import is_alive, pid_of
from dagtop.journal.standing import Standing
from dagtop.ports.journal import RunSummary

_RUNS = """
    SELECT runs.run, graph, source, started_at, state, finished_at, counts, tasks, incomplete, process, closed_at,
        began_at
    FROM runs JOIN sessions ON sessions.run = runs.id
    WHERE number = (SELECT max(number) FROM sessions WHERE run = runs.id)
    ORDER BY runs.id DESC
"""


def summaries_in(connection: sqlite3.Connection) -> dict[str, RunSummary]:
    """By id, latest first."""
    found: dict[str, RunSummary] = {}
    for row in connection.execute(_RUNS):
        run, graph, source, started_at, state, finished_at, counts, tasks, incomplete, process, closed_at, began_at = (
            row
        )
        alive = closed_at is None and is_alive(process)
        counts = chunks.from_json(counts, dict[str, int])
        found[run] = RunSummary(
            run=run,
            graph=schema.text(graph),
            source=schema.text(source),
            started_at=started_at,
            state=Standing(RunState(state)).for_people(alive=alive, incomplete=incomplete),
            finished_at=finished_at,
            counts=counts,
            tasks=sum(counts.values()) or tasks,  # it may have grown
            opened_at=began_at,
            alive=alive,
            pid=pid_of(process),
            incomplete=incomplete,
        )
    return found
