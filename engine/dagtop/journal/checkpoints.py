"""Checkpoints of a stored run in a journal's file: what they hold is the business of whoever made them.

They are only worth something: where one cannot be read it is as if it were not there, and where they cannot be written,
nobody is told.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from dagtop.errors import JournalError
from dagtop.journal.file import open_to_write
from dagtop.journal.liveness import is_alive

#: How long writing waits for another process, in seconds: it is not worth more.
_PATIENCE = 0.2


def numbers(connection: sqlite3.Connection, run: int) -> Sequence[int]:
    """Those that are kept, ascending."""
    try:
        rows = connection.execute("SELECT number FROM checkpoints WHERE run = ? ORDER BY number", (run,)).fetchall()
    except sqlite3.Error:  # an earlier dagtop has made the file, and it cannot be changed
        return []
    return [int(number) for (number,) in rows]


def read(connection: sqlite3.Connection, run: int, number: int) -> bytes | None:
    """One of them; None if it is not there, or not what it was."""
    query = "SELECT crc, state FROM checkpoints WHERE run = ? AND number = ?"
    try:
        row = connection.execute(query, (run, number)).fetchone()
    except sqlite3.Error:
        return None
    if row is None or not isinstance(row[1], bytes) or zlib.crc32(row[1]) != row[0]:
        return None
    return row[1]


def write(path: Path, run: int, session: int, kept: Mapping[int, bytes]) -> bool:
    """Keep these in place of those that there are. False if the file cannot be written now, or the run goes on or is gone."""
    try:
        with closing(open_to_write(path, busy_timeout=_PATIENCE)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not _stands_still(connection, run, session):
                    connection.rollback()
                    return False
                connection.execute("DELETE FROM checkpoints WHERE run = ?", (run,))
                connection.executemany(
                    "INSERT INTO checkpoints (run, number, crc, state) VALUES (?, ?, ?, ?)",
                    [(run, number, zlib.crc32(state), state) for number, state in kept.items()],
                )
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
    except (sqlite3.Error, OSError, JournalError):
        return False
    return True


def _stands_still(connection: sqlite3.Connection, run: int, session: int) -> bool:
    """Whether the run is there, and nobody has it open or has gone on with it."""
    query = "SELECT number, closed_at, process FROM sessions WHERE run = ? ORDER BY number DESC LIMIT 1"
    row = connection.execute(query, (run,)).fetchone()
    return row is not None and row[0] == session and (row[1] is not None or not is_alive(row[2]))
