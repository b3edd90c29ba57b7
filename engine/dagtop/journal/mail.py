"""Commands from other processes: rows of `mail`, each addressed to one session of a run, and taken at most once.

Whoever posts one waits for the row to be answered, and takes it back when nobody has taken it in time: so a command that was
given up is never carried out later. A session that died leaves its mail to nobody, since a resumed run is another session.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from dagtop.core.commands import Command
from dagtop.core.events import CommandApplied, CommandRefused
from dagtop.errors import JournalError
from dagtop.journal import chunks, schema
from dagtop.ports.journal import Posted, Reply

#: Seconds between two looks for mail, while the run is alive.
LOOK_EVERY = 0.5
#: Seconds after which a command is not carried out any more: whoever posted it must have died, or he had taken it back.
TOO_OLD = 60.0
#: Seconds between two looks for the answer.
_LOOK_FOR_ANSWER = 0.05


class Letterbox:
    """Takes the mail of one session, on the thread that its connection belongs to. (Time is the monotonic clock's there.)"""

    def __init__(self, run: int, session: int, take: Callable[[Posted], None]) -> None:
        self._place = run, session
        self._take = take
        self._next_look = 0.0
        self._seen_version = -1

    def look(self, connection: sqlite3.Connection) -> None:
        """Hand over what has come, unless the last look was a moment ago. What cannot be read now is found next time."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY
        with suppress(sqlite3.Error):
            # Changes when another connection has written: nearly always that is all there is to look at.
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != self._seen_version:
                for posted in self._fetch(connection):
                    self._take(posted)
                self._seen_version = version

    def _fetch(self, connection: sqlite3.Connection) -> list[Posted]:
        waiting = "FROM mail WHERE run = ? AND session = ? AND taken_at IS NULL"
        if connection.execute(f"SELECT 1 {waiting} LIMIT 1", self._place).fetchone() is None:
            return []
        now, found = time.time(), list[Posted]()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for number, sent_at, sender, command in connection.execute(
                f"SELECT id, sent_at, sender, command {waiting} ORDER BY id", self._place
            ).fetchall():
                connection.execute("UPDATE mail SET taken_at = ?, command = x'' WHERE id = ?", (now, number))
                posted, flaw = _read(number, sender, command)
                if now - sent_at > TOO_OLD:
                    flaw = f"it was given {now - sent_at:.0f} s ago, and nobody can be waiting for it any more"
                if posted is None or flaw:
                    write_answers(connection, self._place[0], [(False, flaw, -number)])
                else:
                    found.append(posted)
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        return found


def _read(number: int, sender: bytes, command: bytes) -> tuple[Posted | None, str]:
    try:
        given: Any = chunks.from_json(command, Command)
        return Posted(number=-number, command=given, by=schema.text(sender)), ""
    except (JournalError, ValueError) as error:
        return None, f"it cannot be read: {error}"


def answer_of(event: Any) -> tuple[bool, str, int] | None:
    """What an event says about a command that came by mail; None if it says nothing about one."""
    kind = type(event)
    if (kind is not CommandApplied and kind is not CommandRefused) or event.id >= 0:
        return None
    return (True, event.effect, event.id) if kind is CommandApplied else (False, event.reason, event.id)


def write_answers(connection: sqlite3.Connection, run: int, answers: Sequence[tuple[bool, str, int]]) -> None:
    """Answer mail, in the caller's transaction. The numbers are below 0, as they are in events.

    A command for many tasks has an answer for each of them: the first one tells of all.
    """
    now = time.time()
    connection.executemany(
        "UPDATE mail SET answered_at = ?, applied = ?, answer = ? WHERE id = ? AND run = ? AND answered_at IS NULL",
        [(now, applied, schema.key(text), -number, run) for applied, text, number in answers],
    )


def refuse_the_rest(connection: sqlite3.Connection, run: int, session: int) -> None:
    """Nobody will answer what has not been answered yet, in the caller's transaction."""
    connection.execute(
        "UPDATE mail SET taken_at = coalesce(taken_at, :at), answered_at = :at, applied = 0, answer = :why, command = x'' "
        "WHERE run = :run AND session = :session AND answered_at IS NULL",
        {"at": time.time(), "why": schema.key("the run is over"), "run": run, "session": session},
    )


def send(connection: sqlite3.Connection, run: str, session: int, command: Command, by: str) -> int:
    """Post a command to a session: the number of the row.

    Raises
    ------
    JournalError: there is no such run any more, or the command holds something that cannot be sent.
    """
    blob = b""
    try:
        blob = chunks.to_json(command)
        flaw = "" if chunks.from_json(blob, Command) == command else "it would not arrive as it was given"
    except (TypeError, ValueError, RecursionError, JournalError) as error:
        flaw = str(error)
    if flaw:
        raise JournalError(f"the command {command.verb} cannot be sent: {flaw}")
    cursor = connection.execute(
        "INSERT INTO mail (run, session, sent_at, sender, command) SELECT id, ?, ?, ?, ? FROM runs WHERE run = ?",
        (session, time.time(), schema.key(by), blob, run),
    )
    if cursor.rowcount != 1:
        raise JournalError(f"there is no run {run} in the journal")
    return int(cursor.lastrowid or 0)


def wait_for_answer(
    connection: sqlite3.Connection, number: int, still_alive: Callable[[], bool], patience: float
) -> Reply | str:
    """The answer, or why there is none. A command that nobody has taken is taken back."""
    deadline = time.monotonic() + patience
    while True:
        alive, late = still_alive(), time.monotonic() >= deadline
        row = connection.execute("SELECT answered_at, applied, answer FROM mail WHERE id = ?", (number,)).fetchone()
        if row is None:
            return "the run was deleted from the journal"
        answered_at, applied, answer = row
        if answered_at is not None:
            connection.execute("DELETE FROM mail WHERE id = ?", (number,))
            return Reply(applied=bool(applied), text=schema.text(answer))
        if not alive or late:
            withdrawn = (
                connection.execute("DELETE FROM mail WHERE id = ? AND taken_at IS NULL", (number,)).rowcount == 1
            )
            if not alive:
                return "the process that ran it ended before it answered"
            if withdrawn:
                return f"it took no command within {patience:g} s (does its process stand still?); nothing was changed"
            return f"it has taken the command and not answered within {patience:g} s; it may still carry it out"
        time.sleep(_LOOK_FOR_ANSWER)
