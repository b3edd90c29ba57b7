"""What is committed at once: events and outputs as rows, and the one transaction that writes them."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import field
from typing import Any

from dagtop.core.events import AnyEvent, CommandApplied, CommandRefused
from dagtop.core.values import dataclass
from dagtop.journal import chunks, schema
from dagtop.journal.codec import Encoded
from dagtop.journal.mail import answer_of, write_answers
from dagtop.journal.standing import RUN_EVENTS, Standing, standing_after

#: Most events in one chunk: encoding one holds the interpreter's lock, and the engine waits for it.
CHUNK = 4096

_ANSWERS: frozenset[type] = frozenset({CommandApplied, CommandRefused})


class TakenOverError(Exception):
    """The run was deleted, or another process went on with it: this one may not write it any more."""


@dataclass(slots=True)
class Group:
    """Rows in the order of the run, encoded and not yet committed."""

    run: int
    """Key of the run's row."""
    session: int
    started_at: float
    committed: int
    """Number of the last event before these."""
    last: int = field(init=False)
    """Number of the last of these events."""
    size: int = 0
    """Bytes of all blobs."""
    replaced: int = 0
    """Events that could not be stored."""
    chunks: list[tuple[Any, ...]] = field(default_factory=list)
    outputs: list[tuple[Any, ...]] = field(default_factory=list)
    took: tuple[Any, ...] | None = None
    """How long tasks took, as a row of `durations` behind run and session."""
    answers: list[tuple[bool, str, int]] = field(default_factory=list)
    """(whether it was applied, in words, its number) of commands that came from other processes."""
    standing: Standing | None = None
    """Where the run stands after these events, if they changed that."""

    def __post_init__(self) -> None:
        self.last = self.committed

    def __bool__(self) -> bool:
        return bool(self.chunks or self.outputs or self.took)

    def add_output(self, task: str, attempt: int, output: Encoded) -> None:
        """Take what a task returned."""
        row = (self.run, self.session, schema.key(task), attempt, output.codec, zlib.crc32(output.blob), output.blob)
        self.outputs.append(row)
        self.size += len(output.blob)

    def add_events(self, events: Sequence[AnyEvent]) -> None:
        """Take events; the first of them comes right after the last one taken."""
        for start in range(0, len(events), CHUNK):
            part = events[start : start + CHUNK]
            kinds = set(map(type, part))
            chunk = chunks.encode(part, kinds)
            first, self.last = self.last + 1, self.last + len(part)
            row = (self.run, first, self.last, chunk.format, zlib.crc32(chunk.blob), chunk.blob)
            self.chunks.append(row)
            self.size += len(chunk.blob)
            self.replaced += chunk.replaced
            if not RUN_EVENTS.isdisjoint(kinds):
                for event in part:
                    self.standing = standing_after(event, self.started_at) or self.standing
            if not _ANSWERS.isdisjoint(kinds):
                self.answers += filter(None, map(answer_of, part))

    def commit(self, connection: sqlite3.Connection) -> None:
        """Write all of it in one transaction, or nothing.

        Raises
        ------
        sqlite3.Error: nothing was written.
        TakenOverError: nothing was written, and this session never may again.
        """
        connection.execute("BEGIN IMMEDIATE")
        try:
            check_ownership(connection, self.run, self.session)
            connection.executemany(
                "INSERT INTO chunks (run, first, last, format, crc, events) VALUES (?, ?, ?, ?, ?, ?)", self.chunks
            )
            connection.executemany(
                "INSERT INTO outputs (run, session, task, attempt, codec, crc, value) VALUES (?, ?, ?, ?, ?, ?, ?)",
                self.outputs,
            )
            if self.took is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO durations (run, session, origin, roster, marks, seconds, names) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (self.run, self.session, *self.took),
                )
            if self.answers:
                write_answers(connection, self.run, self.answers)
            if self.standing is not None:
                state, finished_at, counts = self.standing
                connection.execute(
                    "UPDATE runs SET state = ?, finished_at = ?, counts = ? WHERE id = ?",
                    (state.value, finished_at, chunks.to_json(counts), self.run),
                )
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise

    def forget_what_is_stored(self, connection: sqlite3.Connection) -> None:
        """Leave out what a commit wrote although it reported an error. (Outputs do no harm if they are there twice.)"""
        (last,) = connection.execute("SELECT coalesce(max(last), 0) FROM chunks WHERE run = ?", (self.run,)).fetchone()
        self.chunks = [row for row in self.chunks if row[1] > last]

    def clear(self) -> None:
        """Begin the next group, after this one was committed or dropped."""
        self.committed = self.last
        self.size = 0
        self.replaced = 0
        self.chunks.clear()
        self.outputs.clear()
        self.took = None
        self.answers.clear()
        self.standing = None


def check_ownership(connection: sqlite3.Connection, run: int, session: int) -> None:
    """Refuse to write a run that has gone on elsewhere.

    Raises
    ------
    TakenOverError: it has.
    """
    (latest,) = connection.execute("SELECT max(number) FROM sessions WHERE run = ?", (run,)).fetchone()
    if latest != session:
        raise TakenOverError("was deleted" if latest is None else "is being continued by another process")
