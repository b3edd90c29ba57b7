"""The rows that tell how long tasks took, read back; where there are none, worked out from the events of the latest runs.

Runs of a file of the first version have no such rows, nor has a run that was killed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from dagtop.core.events import TaskStarted, TaskSucceeded
from dagtop.core.forecast import Usual
from dagtop.journal import chunks
from dagtop.journal.usual import UNKNOWN, Timings, runs_to_look_at, timings_of, usual_of

#: So many events are looked at for want of better, at most: it takes 50 ms.
EVENTS = 40_000


class _Names(msgspec.Struct):
    """The part of a session's record that is needed here: what is not decoded costs next to nothing."""

    names: tuple[str, ...]
    fingerprints: tuple[str, ...] = ()


def find_usual(
    connection: sqlite3.Connection, origin: bytes, names: Sequence[str], fingerprints: Sequence[str], before: str = ""
) -> dict[str, Usual]:
    """What the latest sessions of a graph say, or the latest ones before a run. See `Journal.usual`.

    Raises
    ------
    sqlite3.Error: the file cannot be read.
    JournalError: it is damaged.
    """
    rosters: dict[bytes, Sequence[str]] = {}

    def names_of(run: int, session: int, roster: bytes) -> Sequence[str]:
        if roster not in rosters:
            query = (
                "SELECT names, record FROM durations JOIN sessions ON sessions.run = durations.run AND number = session "
                "WHERE durations.run = ? AND session = ?"
            )
            given, record = connection.execute(query, (run, session)).fetchone()
            own = chunks.from_json(record, _Names).names if given is None else chunks.from_json(given, tuple[str, ...])
            rosters[roster] = own
        return rosters[roster]

    rows = connection.execute(
        "SELECT run, session, roster, marks, seconds FROM durations WHERE origin = ? "
        "AND run < coalesce((SELECT id FROM runs WHERE run = ?), 9223372036854775807) ORDER BY run DESC, session DESC LIMIT ?",
        (origin, before, runs_to_look_at(len(names))),
    ).fetchall()
    if not rows and not before:
        return usual_of(names, fingerprints, _from_events(connection, origin))
    sessions = [
        (Timings(roster, marks, seconds), partial(names_of, run, session, roster))
        for run, session, roster, marks, seconds in rows
    ]
    return usual_of(names, fingerprints, sessions)


def _from_events(connection: sqlite3.Connection, origin: bytes) -> list[tuple[Timings, Callable[[], Sequence[str]]]]:
    """What the latest runs of a graph took, as far as so few events tell."""
    column, value = ("graph", origin[1:]) if origin.startswith(b"\0") else ("source", origin)
    runs = connection.execute(
        f"SELECT runs.id, record, (SELECT max(last) FROM chunks WHERE run = runs.id) FROM runs "
        f"JOIN sessions ON sessions.run = runs.id AND number = 1 WHERE {column} = ? ORDER BY runs.id DESC LIMIT 3",
        (value,),
    ).fetchall()
    found: list[tuple[Timings, Callable[[], Sequence[str]]]] = []
    left = EVENTS
    for run, blob, events in runs:
        left -= events or 0
        if left < 0:
            break
        record = chunks.from_json(blob, _Names)
        taken = _taken(connection, run)
        seconds = [taken.get(name, UNKNOWN) for name in record.names]
        if taken:
            found.append(
                (timings_of(record.names, record.fingerprints, seconds), partial(tuple[str, ...], record.names))
            )
    return found


def _taken(connection: sqlite3.Connection, run: int) -> dict[str, float]:
    """By task: how long its latest attempt that succeeded took."""
    begun: dict[str, float] = {}
    taken: dict[str, float] = {}
    for form, blob in connection.execute("SELECT format, events FROM chunks WHERE run = ? ORDER BY first", (run,)):
        for event in chunks.decode(form, blob):
            if type(event) is TaskStarted:
                begun[event.task] = event.at
            elif type(event) is TaskSucceeded and not event.note and event.task in begun:
                taken[event.task] = event.at - begun[event.task]
    return taken
