"""A journal in one SQLite file, which any number of processes may write and read at the same time."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager

from dagtop.core.commands import Command
from dagtop.core.events import AnyEvent
from dagtop.core.forecast import Usual
from dagtop.core.states import RunState
from dagtop.errors import JournalError
from dagtop.journal import checkpoints, chunks, mail, schema
from dagtop.journal.codec import Encoded
from dagtop.journal.durations import find_usual
from dagtop.journal.file import BUSY_TIMEOUT, check, default_path, explain, locate, open_to_read, open_to_write
from dagtop.journal.groups import Group
from dagtop.journal.liveness import is_alive, pid_of, this_process
from dagtop.journal.problems import Problems
from dagtop.journal.records import Packed, pack, unpack
from dagtop.journal.stored import BaseStoredRun, find_run, nobody_runs, still_open
from dagtop.journal.summaries import summaries_in
from dagtop.journal.writer import BACKLOG_LIMIT, PATIENCE, SqliteWriter
from dagtop.ports.journal import OnProblem, Reply, RunRecord, RunSummary, Session

#: How long one try of the writer's thread waits for another process, in seconds; it tries again and again.
_WRITER_TIMEOUT = 0.25

_SESSION = """
    SELECT closed_at, process FROM runs JOIN sessions ON sessions.run = runs.id WHERE runs.run = ? AND number = ?
"""


class SqliteJournal:
    """A `Journal` in the file at `path` (`default_path()` unless given), which is made when the first run begins."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        busy_timeout: float = BUSY_TIMEOUT,
        backlog_limit: int = BACKLOG_LIMIT,
        patience: float = PATIENCE,
    ) -> None:
        self.path = locate(default_path() if path is None else path)
        self._busy_timeout = busy_timeout
        self._backlog_limit = backlog_limit
        self._patience = patience
        self._stored: weakref.WeakSet[SqliteStoredRun] = weakref.WeakSet()

    def begin(self, record: RunRecord, on_problem: OnProblem) -> SqliteWriter:
        """Start keeping a new run.

        Raises
        ------
        JournalError: the file cannot be written, or has a run of that id.
        """
        problems = Problems(on_problem)
        packed = pack(record, problems)
        with self._transaction() as connection:
            row = (
                _checked_id(record.run),
                schema.key(record.graph),
                schema.key(record.source),
                record.started_at,
                len(record.names) - len(record.nodes),
                RunState.PENDING.value,
            )
            try:
                cursor = connection.execute(
                    "INSERT INTO runs (run, graph, source, started_at, tasks, state) VALUES (?, ?, ?, ?, ?, ?)", row
                )
            except sqlite3.IntegrityError as error:
                raise JournalError(f"there already is a run {record.run} in the journal: give it another id") from error
            run = int(cursor.lastrowid or 0)
            _add_session(connection, run, 1, 1, packed)
        return self._writer(connection, Group(run, 1, record.started_at, 0), problems, record)

    def resume(self, record: RunRecord, first: int, on_problem: OnProblem) -> SqliteWriter:
        """Go on with the stored run `record.run` as a new session; its next event has number `first`.

        Raises
        ------
        JournalError: there is no such run, a process still has it open, or `first` is not the next number.
        """
        problems = Problems(on_problem)
        packed = pack(record, problems)
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT id, started_at FROM runs WHERE run = ?", (_checked_id(record.run),)
            ).fetchone()
            if row is None:
                raise JournalError(f"there is no run {record.run} in the journal")
            run, started_at = row
            latest, process, closed_at = connection.execute(
                "SELECT number, process, closed_at FROM sessions WHERE run = ? ORDER BY number DESC", (run,)
            ).fetchone()
            if closed_at is None and is_alive(process):
                raise still_open(record.run, pid_of(process))
            (last,) = connection.execute("SELECT coalesce(max(last), 0) FROM chunks WHERE run = ?", (run,)).fetchone()
            if first != last + 1:
                raise JournalError(f"the run {record.run} has {last} events, it cannot go on with number {first}")
            _add_session(connection, run, latest + 1, first, packed)
            tasks = len(record.names) - len(record.nodes)
            connection.execute("UPDATE runs SET incomplete = '', tasks = ? WHERE id = ?", (tasks, run))
        return self._writer(connection, Group(run, latest + 1, started_at, last), problems, record)

    def load(self, run: str) -> SqliteStoredRun:
        """Read a run back. `run` is an id, the beginning of one, or "last".

        Raises
        ------
        JournalError: there is no such run, or the file cannot be read.
        """
        connection = open_to_read(self.path)
        if connection is None:
            raise JournalError(
                f"there is no journal at {self.path} yet: run a graph first, or give the path of another one"
            )
        try:
            with _explained(self):
                summaries = summaries_in(connection)
                chosen = find_run(run, list(summaries))
                stored = SqliteStoredRun(self, connection, summaries[chosen])
        except BaseException:
            connection.close()
            raise
        self._stored.add(stored)
        return stored

    def post(self, run: str, command: Command, by: str, *, patience: float = 10.0) -> Reply:
        """Give a command to a run that goes on in another process, and wait for its answer. `run` is as for `load`.

        Raises
        ------
        JournalError: there is no such run, nobody runs it, or there was no answer within `patience` seconds.
        """
        stored = self.load(run)
        try:
            summary, session = stored.summary, stored.sessions[-1].number
        finally:
            stored.close()
        if not summary.alive:
            raise nobody_runs(summary)
        with closing(open_to_write(self.path, busy_timeout=self._busy_timeout)) as connection, _explained(self):

            def still_alive() -> bool:
                row = connection.execute(_SESSION, (summary.run, session)).fetchone()
                return row is not None and row[0] is None and is_alive(row[1])

            number = mail.send(connection, summary.run, session, command, by)
            reply = mail.wait_for_answer(connection, number, still_alive, patience)
        if isinstance(reply, str):
            raise JournalError(f"no answer from the run {summary.run}: {reply}")
        return reply

    def runs(self) -> Sequence[RunSummary]:
        """All runs, latest first; none if there is no file yet.

        Raises
        ------
        JournalError: the file cannot be read.
        """
        connection = open_to_read(self.path)
        if connection is None:
            return ()
        with closing(connection), _explained(self):
            return tuple(summaries_in(connection).values())

    def usual(
        self, source: str, graph: str, names: Sequence[str], fingerprints: Sequence[str], *, before: str = ""
    ) -> dict[str, Usual]:
        """How long tasks took in the latest runs of the graph from that source, or of that name if it has none.

        `before` is the id of a run: then only those count that began before it.

        Raises
        ------
        JournalError: the file cannot be read.
        """
        connection = open_to_read(self.path)
        if connection is None:
            return {}
        with closing(connection), _explained(self):
            return find_usual(connection, schema.origin(source, graph), names, fingerprints, before)

    def close(self) -> None:
        """Let go of the file. Writers stay open: each is closed by whoever began it."""
        for stored in list(self._stored):
            stored.close()

    def _writer(
        self, connection: sqlite3.Connection, group: Group, problems: Problems, record: RunRecord
    ) -> SqliteWriter:
        connection.execute(f"PRAGMA busy_timeout = {int(_WRITER_TIMEOUT * 1000)}")
        return SqliteWriter(
            connection, self.path, group, problems, record, backlog_limit=self._backlog_limit, patience=self._patience
        )

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """A connection in a transaction that is committed at the end. It stays open, unless something is raised."""
        connection = open_to_write(self.path, busy_timeout=self._busy_timeout)
        try:
            check(self.path)
            with _explained(self):
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise


class SqliteStoredRun(BaseStoredRun):
    """A `StoredRun` with a connection of its own, which may be used by several threads."""

    def __init__(self, journal: SqliteJournal, connection: sqlite3.Connection, summary: RunSummary) -> None:
        self._journal = journal
        self._lock = threading.RLock()
        self._connection = connection
        self._id = summary.run
        self._outputs: dict[tuple[object, ...], int] = {}
        """Rows by session, task and attempt, as far as they are known."""
        self._last_output = 0
        (self._run,) = connection.execute("SELECT id FROM runs WHERE run = ?", (summary.run,)).fetchone()
        rows = connection.execute(
            "SELECT number, first, record, given_codec, given, crc FROM sessions WHERE run = ? ORDER BY number",
            (self._run,),
        )
        sessions: list[Session] = []
        for number, first, *packed, crc in rows:
            self._check(packed[0] + packed[2], crc, "the record")
            sessions.append(Session(number=number, first=first, record=unpack(Packed(*packed))))
        super().__init__(sessions, summary)
        self._finalizer = weakref.finalize(self, connection.close)

    @property
    def last(self) -> int:
        """Number of the last event that was committed; 0 if none was."""
        query = "SELECT coalesce(max(last), 0) FROM chunks WHERE run = ?"
        with self._lock, self._explained():
            (last,) = self._connection.execute(query, (self._run,)).fetchone()
        return int(last)

    def look(self) -> RunSummary:
        """Its line in the list of runs, as it is now."""
        with self._lock, self._explained():
            found = summaries_in(self._connection).get(self._id)
        if found is None:
            raise self._pruned()
        return found

    def batch(self, number: int) -> tuple[int, Sequence[AnyEvent]]:
        """The events that are kept together with event `number`, and the number of their first; none behind the last.

        Raises
        ------
        JournalError: events are missing or damaged, or the journal was closed.
        """
        # One chunk at a time: a reader that dawdles must not keep the writer from emptying its log.
        query = "SELECT first, last, format, crc, events FROM chunks WHERE run = ? AND last >= ? ORDER BY first LIMIT 1"
        with self._lock, self._explained():
            row = self._connection.execute(query, (self._run, number)).fetchone()
        if row is None:
            self._see_that_it_is_there()
            return number, ()
        start, last, form, crc, blob = row
        if start > number:
            raise JournalError(f"events are missing before number {start}: the journal is damaged")
        self._check(blob, crc, f"events {start} to {last}")
        batch = chunks.decode(form, blob)
        if len(batch) != last - start + 1:
            raise JournalError(f"events {start} to {last} are not {last - start + 1} events: the journal is damaged")
        return start, batch

    def checkpoints(self) -> Sequence[int]:
        """Numbers of the events after which a checkpoint is kept, ascending."""
        with self._lock, self._explained():
            return checkpoints.numbers(self._connection, self._run)

    def checkpoint(self, number: int) -> bytes | None:
        """What was kept as the checkpoint of that number; None if that is gone, or damaged."""
        with self._lock, self._explained():
            return checkpoints.read(self._connection, self._run, number)

    def keep_checkpoints(self, kept: Mapping[int, bytes]) -> bool:
        """Keep checkpoints, by number, in place of those that there are; False if the file cannot be written now."""
        return checkpoints.write(self._journal.path, self._run, self.sessions[-1].number, kept)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._finalizer()

    @contextmanager
    def _looking(self) -> Generator[None]:
        """One transaction around many looks: beginning one costs more than the look itself."""
        with self._lock, self._explained():
            self._find_outputs()
            self._connection.execute("BEGIN")
            try:
                self._see_that_it_is_there()
                yield
            finally:
                self._connection.rollback()

    def _encoded_output(self, session: int, task: str, attempt: int) -> Encoded | None:
        place = session, schema.key(task), attempt
        with self._lock, self._explained():
            if not self._connection.in_transaction:
                self._find_outputs()
            row_id = self._outputs.get(place)
            if row_id is None:
                if not self._connection.in_transaction:
                    self._see_that_it_is_there()  # what is gone was not None
                return None
            query = "SELECT codec, crc, value FROM outputs WHERE id = ?"
            row = self._connection.execute(query, (row_id,)).fetchone()
        if row is None:
            raise self._pruned()
        name, crc, blob = row
        self._check(blob, crc, f"the output of {task!r}")
        return Encoded(name, blob)

    def _find_outputs(self) -> None:
        """Take note of where the outputs are that came since the last time."""
        query = "SELECT id, session, task, attempt FROM outputs WHERE run = ? AND id > ? ORDER BY id"
        for row_id, *place in self._connection.execute(query, (self._run, self._last_output)):
            self._last_output = row_id
            self._outputs[tuple(place)] = row_id

    def _see_that_it_is_there(self) -> None:
        with self._lock, self._explained():
            kept = self._connection.execute("SELECT 1 FROM runs WHERE id = ?", (self._run,)).fetchone()
        if kept is None:
            raise self._pruned()

    def _pruned(self) -> JournalError:
        return JournalError(f"the run {self._id} is not kept any more: somebody has pruned it")

    @contextmanager
    def _explained(self) -> Generator[None]:
        if not self._finalizer.alive:
            raise JournalError("the journal was closed: load the run again")
        with _explained(self._journal):
            yield

    def _check(self, blob: bytes, crc: int, what: str) -> None:
        if zlib.crc32(blob) != crc:
            raise JournalError(
                f"{what} of run {self._id} cannot be read, the journal at {self._journal.path} is damaged"
            )


def _checked_id(run: str) -> str:
    try:
        run.encode()
    except UnicodeEncodeError:
        raise JournalError(f"the run's id {run!r} is not valid text: give another one") from None
    return run


def _add_session(connection: sqlite3.Connection, run: int, number: int, first: int, packed: Packed) -> None:
    connection.execute(
        "INSERT INTO sessions (run, number, first, process, began_at, record, given_codec, given, crc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (run, number, first, this_process(), time.time(), *packed, zlib.crc32(packed.record + packed.given)),
    )


@contextmanager
def _explained(journal: SqliteJournal) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explain(journal.path, error) from error
    except (ValueError, TypeError) as error:  # a column that does not hold what it should
        raise JournalError(f"the journal at {journal.path} is damaged: {error}; choose another file") from error
