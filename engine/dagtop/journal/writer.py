"""One run's way into the file: a queue, and a thread that commits what is in it, in order and in groups.

The engine's thread only appends to the queue (and encodes outputs, which downstream tasks may change afterwards). The
writer's thread takes all that is there, commits it in one transaction, and lets a moment pass before the next one. When
a commit fails, the same data is tried again before anything newer, so that the file never has a gap. When it cannot
succeed, or what waits reaches `backlog_limit`, the journal gives up: it says so, marks the run as incomplete if it can,
and stores nothing more.
"""

from __future__ import annotations

import atexit
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from dagtop.core.events import AnyEvent
from dagtop.errors import JournalError
from dagtop.journal import chunks, codec, schema
from dagtop.journal.file import explain, kind_of
from dagtop.journal.groups import CHUNK, Group, TakenOverError, check_ownership
from dagtop.journal.mail import LOOK_EVERY, Letterbox, refuse_the_rest
from dagtop.journal.problems import Problems
from dagtop.journal.usual import Timings, timings_of
from dagtop.ports.journal import JournalStatistics, Posted, RunRecord

#: Shortest time from one commit to the next, in seconds: under load, what comes in meanwhile is committed at once.
PACE = 0.012
#: Events in one commit below which it is a trickle, not a flood.
FEW = 200
#: Bytes after which a group is committed although more is there: whoever is faster than the disk must not starve it.
GROUP = 8 * 2**20
#: Longest time between two tries of a commit that fails, in seconds.
RETRY = 1.0
#: Bytes that may wait for a file that cannot be written before the journal gives up.
BACKLOG_LIMIT = 128 * 2**20
#: How long another process may lock the file before that is told, in seconds.
PATIENCE = 5.0


class _Output(NamedTuple):
    """In the queue: what a task returned."""

    task: str
    attempt: int
    value: codec.Encoded


class _Took(NamedTuple):
    """In the queue: how long tasks took, and their names if they are not those of the record."""

    timings: Timings
    names: bytes | None


class _GiveUpError(Exception):
    """The journal cannot go on. `mark` says whether the file may still be touched."""

    def __init__(self, reason: str, *, mark: bool) -> None:
        super().__init__(reason)
        self.mark = mark


class _Stop:
    """In the queue: the last thing there. `reason` says why the run is cut off here, if it is."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason


class SqliteWriter:
    """A `JournalWriter` with a thread of its own. Made by `SqliteJournal`.

    The connection belongs to the thread from now on. (Time is the monotonic clock's here, since this thread runs no
    event loop to ask.)
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        group: Group,
        problems: Problems,
        record: RunRecord,
        *,
        backlog_limit: int = BACKLOG_LIMIT,
        patience: float = PATIENCE,
    ) -> None:
        self._connection = connection
        self._record = record
        self._path = path
        self._group = group
        self._problems = problems
        self._backlog_limit = backlog_limit
        self._patience = patience
        self._queue: SimpleQueue[Sequence[AnyEvent] | _Output | _Took | _Stop] = SimpleQueue()
        self._next = group.last + 1
        self._committed = group.last
        self._bytes = 0
        self._gave_up = ""
        self._closed = False
        self._complete = False
        """Everything was committed, and nothing more will come."""
        self._closing = threading.Event()
        self._deadline = math.inf
        self._failing_since: float | None = None
        self._told_of_failure = False
        self._letterbox: Letterbox | None = None
        self._pid = os.getpid()
        self._identity = _identity(path)
        # A daemon: a disk that hangs must not keep the process from ending. What was not committed then is lost, whole.
        self._thread = threading.Thread(target=self._work, name="dagtop-journal", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no room for its stack, or too many of them
            connection.close()
            raise JournalError(f"the journal {path} has no thread that writes it: {error}") from error
        atexit.register(self.close)

    # -- on the engine's thread ----------------------------------------------------------------------------------------

    @property
    def committed(self) -> int:
        """Number of the last event that is safe: it outlives a `kill -9`."""
        return self._committed

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events number `first`, `first` + 1 …

        Raises
        ------
        JournalError: it was closed, or events before these are missing: then nothing more is stored.
        """
        if self._closed:
            raise JournalError("the journal of this run is closed")
        if first != self._next:
            missing = f"event {self._next} never reached the journal (event {first} came instead)"
            self._queue.put(_Stop(missing))
            raise JournalError(missing)
        self._next += len(batch)
        if not self._gave_up and batch:
            self._queue.put(batch)

    def output(self, task: str, attempt: int, value: Any, *, given: bool = False) -> None:
        """Take what a task returned, as it is at this moment. Never raises."""
        # A success without a row returned None. Attempt 0, a cached result, may come twice, so it always has a row.
        if self._closed or self._gave_up or (value is None and attempt > 0 and not given):
            return
        encoded = codec.encode(value)
        if not encoded.storable:
            self._problems.tell_unstorable(task, encoded)
        self._queue.put(_Output(task, attempt, encoded))

    def took(self, names: Sequence[str], fingerprints: Sequence[str], seconds: Sequence[float]) -> None:
        """Store how long the successful attempt of each task took. Never raises."""
        if not self._closed and not self._gave_up:
            own = tuple(names) == self._record.names
            self._queue.put(
                _Took(timings_of(names, fingerprints, seconds), None if own else chunks.to_json(tuple(names)))
            )

    def listen(self, take: Callable[[Posted], None]) -> None:
        """From now on have `take` called, on this journal's thread, with commands that other processes post."""
        self._letterbox = Letterbox(self._group.run, self._group.session, take)
        self._queue.put(())  # whoever waits for events alone waits for mail too from now on

    def statistics(self) -> JournalStatistics:
        """The numbers as they are now."""
        committed = self._committed
        return JournalStatistics(
            queued=self._next - 1 - committed, committed=committed, bytes=self._bytes, problems=self._problems.count
        )

    def close(self, timeout: float = 5.0) -> bool:
        """Write what is left and stop. False if that took too long or could not be done."""
        if os.getpid() != self._pid:  # a forked child on its way out: the run is its parent's
            return False
        if not self._closed:
            self._deadline = time.monotonic() + timeout
            self._closed = True
            atexit.unregister(self.close)
            self._queue.put(_Stop())
            self._closing.set()
        # A try that is under way at the deadline takes a moment to end.
        self._thread.join(timeout + 0.5)
        return self._complete

    # -- on the writer's thread ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._commit_all()
            self._complete = True
            while not self._mark_closed() and time.monotonic() < self._deadline:
                time.sleep(PACE)
        except _GiveUpError as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours here must not go unnoticed, nor end the run
            self._give_up(_GiveUpError(f"failed with {type(error).__name__}: {error}", mark=True))
        finally:
            self._connection.close()

    def _commit_all(self) -> None:
        """Commit until the queue says stop, and everything before that.

        Raises
        ------
        _GiveUpError: that is not possible.
        """
        stop: _Stop | None = None
        while stop is None or self._group:
            if self._letterbox is not None:
                self._letterbox.look(self._connection)
            if stop is None:
                stop = self._take()
            if not self._group:
                continue
            begun, before = time.monotonic(), self._committed
            if self._try_commit():
                # A trickle of events is committed almost at once, so that a kill loses little; a flood at its own pace.
                few = self._committed - before < FEW
                self._closing.wait(min(PACE, 5 * (time.monotonic() - begun)) if few else PACE)
            else:
                self._wait_to_retry()
        if stop.reason:
            raise _GiveUpError(stop.reason, mark=True)

    def _take(self) -> _Stop | None:
        """Move everything from the queue to the group; wait for something, or for mail, if the group is empty."""
        events: list[AnyEvent] = []
        stop: _Stop | None = None
        wait = not self._group
        enough = self._group.size + GROUP
        timeout = LOOK_EVERY if wait and self._letterbox is not None else None
        while stop is None:
            try:
                item = self._queue.get(wait, timeout)
            except Empty:
                break
            wait = False
            if isinstance(item, _Stop):
                stop = item
            elif isinstance(item, _Output):
                self._group.add_output(item.task, item.attempt, item.value)
            elif isinstance(item, _Took):
                origin = schema.origin(self._record.source, self._record.graph)
                self._group.took = (origin, *item.timings, item.names)
            else:
                events.extend(item)
                if len(events) >= CHUNK:
                    self._group.add_events(events)
                    events = []
            if self._group.size > enough:
                break
        self._group.add_events(events)
        return stop

    def _try_commit(self) -> bool:
        """Commit the group. False if that failed and may succeed later.

        Raises
        ------
        _GiveUpError: it never will.
        """
        group = self._group
        try:
            self._check_place()
            if self._failing_since is not None:
                group.forget_what_is_stored(self._connection)
            group.commit(self._connection)
        except TakenOverError as error:
            raise _GiveUpError(f"the run {error}", mark=False) from error
        except sqlite3.Error as error:
            self._note_failure(error)
            return False
        if group.replaced:
            message = "an event held something that is not plain data, and a note of that was stored in its place"
            self._problems.tell("replaced", message)
        if self._failing_since is not None:
            self._failing_since = None
            if self._told_of_failure:
                self._problems.tell("recovered", "the journal can be written again; nothing is missing")
        self._bytes += group.size
        self._committed = group.last
        group.clear()
        return True

    def _check_place(self) -> None:
        """See that the file is still the one that was opened: SQLite would go on writing to one that nobody can find.

        Raises
        ------
        _GiveUpError: it is not.
        """
        found = _identity(self._path)
        if not found or found != self._identity:
            raise _GiveUpError("its file was removed, replaced or emptied while the run went on", mark=False)

    def _note_failure(self, error: sqlite3.Error) -> None:
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        kind = kind_of(error)
        message = str(explain(self._path, error))
        if kind in {"damaged", "foreign", "other"}:
            raise _GiveUpError(message, mark=kind == "other") from error
        if self._closed and now >= self._deadline:
            raise _GiveUpError(message, mark=True) from error
        if self._group.size > self._backlog_limit:
            raise _GiveUpError(f"{message}; too much is waiting to be written", mark=True) from error
        if kind != "busy" or now - self._failing_since >= self._patience:
            self._told_of_failure = True
            self._problems.tell(kind, f"{message}; the run goes on, and what is missing is written as soon as possible")

    def _wait_to_retry(self) -> None:
        if self._closed:
            time.sleep(PACE)  # `_closing` would not wait any more
        else:
            self._closing.wait(min(RETRY, time.monotonic() - (self._failing_since or 0.0) + PACE))

    def _mark_closed(self) -> bool:
        """Say in the file that nobody has the run open any more."""
        group = self._group
        statement = "UPDATE sessions SET closed_at = ? WHERE run = ? AND number = ?"
        return self._update(statement, time.time(), group.run, group.session, closing=True)

    def _give_up(self, error: _GiveUpError) -> None:
        """Store nothing more, say so, and note it in the file as soon as that is possible."""
        self._gave_up = str(error)
        self._group.clear()
        self._problems.tell("gave up", f"the journal of this run ends here: {error}")
        marked = not error.mark
        while not self._closing.is_set():
            marked = marked or self._mark_incomplete()
            self._closing.wait(None if marked else RETRY)
        if error.mark and (marked or self._mark_incomplete()):
            self._mark_closed()

    def _mark_incomplete(self) -> bool:
        return self._update("UPDATE runs SET incomplete = ? WHERE id = ?", self._gave_up, self._group.run)

    def _update(self, statement: str, *values: object, closing: bool = False) -> bool:
        """Whether the statement could be carried out on this session's run."""
        try:
            self._check_place()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                check_ownership(self._connection, self._group.run, self._group.session)
                self._connection.execute(statement, values)
                if closing:
                    refuse_the_rest(self._connection, self._group.run, self._group.session)
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise
        except (sqlite3.Error, TakenOverError, _GiveUpError):
            return False
        return True


def _identity(path: Path) -> tuple[int, ...]:
    """What tells the file and its log from others of the same names; () if one is missing or the file is empty."""
    try:
        main, log = path.stat(), path.with_name(path.name + "-wal").stat()
    except OSError:
        return ()
    return (main.st_dev, main.st_ino, log.st_ino) if main.st_size else ()
