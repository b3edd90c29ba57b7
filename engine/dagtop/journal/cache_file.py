"""The cache in a journal's SQLite file: what belongs to one graph is found when a run begins, and written by a thread.

Small outputs are read at once with all the rest; large ones when they are asked for. Any number of processes may use the
file: each sees what was there when its run began, and its own.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from dagtop.errors import JournalError
from dagtop.journal import chunks, schema
from dagtop.journal.file import explain, locate, open_to_read, open_to_write
from dagtop.ports.cache import Entry

#: Bytes of outputs that one file keeps, of all graphs; the least recently used go first.
LIMIT = 512 * 2**20
#: Entries of one task: so many different inputs can be gone back to.
VERSIONS = 4
#: Outputs up to this size are read when the run begins, as long as all of them together are not larger than `NEAR`.
SMALL, NEAR = 16 * 2**10, 64 * 2**20
#: How old a note of when an entry was last used may be, in seconds, before it is written anew.
USED = 3600.0
#: Shortest time from one commit to the next, in seconds.
PACE = 0.05


class _Place(NamedTuple):
    """Where an entry lies, and what of it is known."""

    row: int
    parts: bytes
    run: str
    codec: str
    digest: bytes
    value: bytes | None
    used_at: float


class SqliteCache:
    """A `Cache` in the file at `path`; `origin` says whose entries (see `schema.origin`).

    Parameters
    ----------
    on_problem: told, from any thread and at most once, when nothing can be written any more.
    limit: bytes of outputs that the file keeps.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        origin: bytes,
        on_problem: Callable[[str], None],
        *,
        limit: int = LIMIT,
        versions: int = VERSIONS,
    ) -> None:
        self.path: Path = locate(path)
        self._origin = origin
        self._on_problem = on_problem
        self._limit = limit
        self._versions = versions
        self._places: dict[tuple[str, bytes], _Place] = {}
        self._mine: dict[tuple[str, bytes], Entry] = {}
        """Put in by this process, and not in the file yet."""
        self._latest: dict[str, tuple[float, bytes | Mapping[str, str]]] = {}
        """By task: when its latest entry was stored, and its parts."""
        self._used: set[int] = set()
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._failed = False
        self._pid = os.getpid()

    # -- reading ------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Find what is there. May wait for a disk.

        Raises
        ------
        JournalError: the file cannot be read.
        """
        connection = open_to_read(self.path)
        if connection is None:
            return
        try:
            with closing(connection):
                self._find(connection)
        except sqlite3.Error as error:
            raise explain(self.path, error) from error
        except (TypeError, ValueError) as error:
            raise JournalError(f"the cache in {self.path} is damaged: {error}; choose another file") from error

    def _find(self, connection: sqlite3.Connection) -> None:
        sizes = "SELECT coalesce(sum(size), 0) FROM cache WHERE origin = ? AND size <= ?"
        (near,) = connection.execute(sizes, (self._origin, SMALL)).fetchone()
        rows = connection.execute(
            "SELECT task, key, stored_at, id, parts, run, codec, digest, CASE WHEN size <= ? THEN value END, used_at "
            "FROM cache WHERE origin = ?",
            (SMALL if near <= NEAR else -1, self._origin),
        )
        for task, key, stored_at, *place in rows:
            name = schema.text(task)
            found = self._places[name, key] = _Place(*place)
            known = self._latest.get(name)
            if known is None or known[0] <= stored_at:
                self._latest[name] = stored_at, found.parts

    def has(self, task: str, key: bytes) -> bool:
        """Whether there is an entry; at once."""
        return (task, key) in self._mine or (task, key) in self._places

    def is_far(self, task: str, key: bytes) -> bool:
        """Whether `get` may wait for a disk."""
        place = self._places.get((task, key))
        return place is not None and place.value is None and (task, key) not in self._mine

    def get(self, task: str, key: bytes) -> Entry | None:
        """The entry; None if it is gone. May wait for a disk if it is far.

        Raises
        ------
        JournalError: it is damaged, or the file cannot be read.
        """
        mine = self._mine.get((task, key))
        if mine is not None:
            return mine
        place = self._places.get((task, key))
        if place is None:
            return None
        value = place.value if place.value is not None else self._fetch(place.row)
        if value is None:
            del self._places[task, key]
            return None
        if digest_of(self._origin, task, key, place.codec, value) != place.digest:
            del self._places[task, key]
            raise JournalError("what is stored is damaged")
        if place.used_at < time.time() - USED:  # the wall clock: processes share it
            self._used.add(place.row)
        return Entry(task=task, key=key, parts={}, run=place.run, codec=place.codec, value=value)

    def _fetch(self, row: int) -> bytes | None:
        connection = open_to_read(self.path)
        if connection is None:
            return None
        try:
            with closing(connection):
                found = connection.execute("SELECT value FROM cache WHERE id = ?", (row,)).fetchone()
        except sqlite3.Error as error:
            raise explain(self.path, error) from error
        return bytes(found[0]) if found is not None else None

    def latest(self, task: str) -> Mapping[str, str]:
        """The parts of what was put in last for a task; empty if nothing was, or that cannot be read."""
        known = self._latest.get(task)
        if known is None:
            return {}
        if not isinstance(known[1], bytes):
            return known[1]
        try:
            parts: dict[str, str] = chunks.from_json(known[1], dict[str, str])
        except JournalError:
            return {}
        return parts

    # -- writing ------------------------------------------------------------------------------------------------------

    def put(self, entry: Entry) -> None:
        """Keep an entry from now on; at once, it is written later. Never raises."""
        self._mine[entry.task, entry.key] = entry
        self._latest[entry.task] = time.time(), entry.parts
        if not self._failed:
            self._queue.put(entry)
            self._begin()

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left. False if that took too long or could not be done."""
        if os.getpid() != self._pid:  # a forked child: the run is its parent's
            return False
        if self._used:
            self._begin()
        if self._thread is not None:
            self._queue.put(None)
            self._closing.set()
            self._thread.join(timeout)
            return not self._thread.is_alive() and not self._failed
        return not self._failed

    def _begin(self) -> None:
        if self._thread is None:
            # A daemon, like the journal's: a disk that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._work, name="dagtop-cache", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        try:
            with closing(open_to_write(self.path)) as connection:
                more = True
                while more:
                    batch, more = self._take()
                    self._write(connection, batch)
                    if more:
                        self._closing.wait(PACE)
                self._tidy(connection)
        except Exception as error:  # noqa: BLE001 - a bug of ours here must not go unnoticed, nor end the run
            told = explain(self.path, error) if isinstance(error, (sqlite3.Error, OSError)) else error
            self._failed = True
            self._on_problem(f"what tasks return is not cached any more: {told}")

    def _take(self) -> tuple[list[Entry], bool]:
        """Everything that waits, and whether more may come."""
        batch: list[Entry] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _write(self, connection: sqlite3.Connection, batch: list[Entry]) -> None:
        if not batch:
            return
        written: list[tuple[Entry, _Place]] = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            written += [(entry, self._insert(connection, entry)) for entry in batch]
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        for entry, place in written:
            self._places[entry.task, entry.key] = place
            if self._mine.get((entry.task, entry.key)) is entry:
                del self._mine[entry.task, entry.key]

    def _insert(self, connection: sqlite3.Connection, entry: Entry) -> _Place:
        now, task, value = time.time(), schema.key(entry.task), entry.value
        digest = digest_of(self._origin, entry.task, entry.key, entry.codec, value)
        parts = chunks.to_json(dict(entry.parts))
        row = connection.execute(
            "INSERT OR REPLACE INTO cache "
            "(origin, task, key, parts, run, stored_at, used_at, codec, size, digest, value) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._origin, task, entry.key, parts, entry.run, now, now, entry.codec, len(value), digest, value),
        ).lastrowid
        connection.execute(
            "DELETE FROM cache WHERE origin = :origin AND task = :task AND id NOT IN (SELECT id FROM cache "
            "WHERE origin = :origin AND task = :task ORDER BY used_at DESC, id DESC LIMIT :versions)",
            {"origin": self._origin, "task": task, "versions": self._versions},
        )
        near = value if len(value) <= SMALL else None
        return _Place(row or 0, parts, entry.run, entry.codec, digest, near, now)

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """Note what was used, and make room."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            now = time.time()
            connection.executemany("UPDATE cache SET used_at = ? WHERE id = ?", [(now, row) for row in self._used])
            (size,) = connection.execute("SELECT coalesce(sum(size), 0) FROM cache").fetchone()
            if size > self._limit:
                room = 0
                for row, length in connection.execute("SELECT id, size FROM cache ORDER BY used_at, id").fetchall():
                    connection.execute("DELETE FROM cache WHERE id = ?", (row,))
                    room += length
                    if size - room <= self._limit * 0.8:  # so that not every run has to
                        break
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        if size > self._limit:
            connection.execute("PRAGMA incremental_vacuum").fetchall()


def digest_of(origin: bytes, task: str, key: bytes, codec: str, value: bytes) -> bytes:
    """What tells an entry that is as it was from any other."""
    name = schema.key(task)
    head = b"%d %d %b %d %b %b %b\n" % (len(origin), len(name), origin, len(key), name, key, codec.encode())
    return hashlib.blake2b(head + value, digest_size=16).digest()
