"""The tables of a journal file, and how an older file becomes one of today.

A run is a row of `runs`; each process that works on it is a row of `sessions`; its events are rows of `chunks`, many
events to a row, without gaps; what its tasks returned are rows of `outputs`; how long they took is a row of `durations`
for each session that came to its end. `cache` holds outputs for later runs, and belongs to none. `mail` holds commands that
other processes give to a session. `checkpoints` holds what replays of a run have found out, and can find out again.
Texts that may hold anything (task names, paths) are blobs of UTF-8 that lets lone surrogates pass, so that two names are
never one.
"""

from __future__ import annotations

import sqlite3
import time

#: "dagt": tells a journal from any other SQLite file.
APPLICATION_ID = 0x64616774

#: Each entry brings a file from the version before it to its own, beginning with an empty file. A released one never
#: changes.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE migrations (
        version INTEGER PRIMARY KEY,
        applied_at REAL NOT NULL
    );
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: a writer of a deleted run must not find another one
        run TEXT NOT NULL UNIQUE,
        graph BLOB NOT NULL,
        source BLOB NOT NULL,
        started_at REAL NOT NULL,
        tasks INTEGER NOT NULL,
        state TEXT NOT NULL,
        finished_at REAL,
        counts BLOB NOT NULL DEFAULT x'7b7d',
        incomplete TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE sessions (
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        first INTEGER NOT NULL,
        process TEXT NOT NULL,
        began_at REAL NOT NULL,
        closed_at REAL,
        record BLOB NOT NULL,
        given_codec TEXT NOT NULL,
        given BLOB NOT NULL,
        crc INTEGER NOT NULL,
        PRIMARY KEY (run, number)
    );
    CREATE TABLE chunks (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        format INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        events BLOB NOT NULL,
        UNIQUE (run, first)
    );
    CREATE TABLE outputs (
        id INTEGER PRIMARY KEY,  -- of two for one attempt the later one counts
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        session INTEGER NOT NULL,
        task BLOB NOT NULL,
        attempt INTEGER NOT NULL,
        codec TEXT NOT NULL,
        crc INTEGER NOT NULL,
        value BLOB NOT NULL
    );
    -- Not by task: names come in any order, and then each commit would touch pages all over the index.
    CREATE INDEX outputs_by_run ON outputs (run);
    """,
    """
    CREATE TABLE durations (
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        session INTEGER NOT NULL,
        origin BLOB NOT NULL,
        roster BLOB NOT NULL,
        marks BLOB NOT NULL,
        seconds BLOB NOT NULL,
        names BLOB,  -- those of the session's record unless given
        PRIMARY KEY (run, session)
    );
    CREATE INDEX durations_by_origin ON durations (origin, run, session);
    CREATE TABLE cache (
        id INTEGER PRIMARY KEY,
        origin BLOB NOT NULL,
        task BLOB NOT NULL,
        key BLOB NOT NULL,
        parts BLOB NOT NULL,
        run TEXT NOT NULL,
        stored_at REAL NOT NULL,
        used_at REAL NOT NULL,
        codec TEXT NOT NULL,
        size INTEGER NOT NULL,
        digest BLOB NOT NULL,
        value BLOB NOT NULL,
        UNIQUE (origin, task, key)
    );
    CREATE INDEX cache_by_use ON cache (used_at, size);
    """,
    """
    CREATE TABLE mail (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        session INTEGER NOT NULL,  -- no later one ever takes it
        sent_at REAL NOT NULL,
        sender BLOB NOT NULL,
        command BLOB NOT NULL,
        taken_at REAL,
        answered_at REAL,
        applied INTEGER,
        answer BLOB
    );
    CREATE INDEX mail_waiting ON mail (run, session) WHERE taken_at IS NULL;
    """,
    """
    CREATE TABLE checkpoints (
        run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,  -- of the event after which the run was so; 0 is the outline of all of it
        crc INTEGER NOT NULL,
        state BLOB NOT NULL,
        PRIMARY KEY (run, number)
    );
    """,
)

#: The version that this dagtop reads and writes.
VERSION = len(MIGRATIONS)
#: A file of this version, or a later one, can be read as it is, where it cannot be brought to today's.
READABLE = 3


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file of ours, or an empty one, to `VERSION`, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            for statement in script.split(";\n"):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (number, time.time()))
        # These two are part of the transaction: they live in the file's first page.
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def origin(source: str, graph: str) -> bytes:
    """What runs of one graph have in common: the file it is loaded from, or else the graph's name."""
    return key(source or f"\0{graph}")


def key(text: str) -> bytes:
    """A text that may hold anything, as a column holds it."""
    return text.encode("utf-8", "surrogatepass")


def text(stored: bytes) -> str:
    """The text that `key` was given."""
    return stored.decode("utf-8", "surrogatepass")
