"""The rows that tell how long tasks took, read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

import msgspec

from dagtop.core.forecast import Usual
from dagtop.journal import chunks
from dagtop.journal.usual import Timings, runs_to_look_at, usual_of


class _Names(msgspec.Struct):
    """The part of a session's record that is needed here: what is not decoded costs next to nothing."""

    names: tuple[str, ...]


def find_usual(
    connection: sqlite3.Connection, origin: bytes, names: Sequence[str], fingerprints: Sequence[str]
) -> dict[str, Usual]:
    """What the latest sessions of a graph say. See `Journal.usual`.

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
        "SELECT run, session, roster, marks, seconds FROM durations WHERE origin = ? ORDER BY run DESC, session DESC LIMIT ?",
        (origin, runs_to_look_at(len(names))),
    ).fetchall()
    sessions = [
        (Timings(roster, marks, seconds), partial(names_of, run, session, roster))
        for run, session, roster, marks, seconds in rows
    ]
    return usual_of(names, fingerprints, sessions)
