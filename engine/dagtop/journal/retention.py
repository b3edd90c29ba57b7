"""Which runs a journal's file lets go of, and how it gives their space back.

A run that a process has open is never touched, nor is the latest run of a graph that is kept up (a `Reconciler`): it holds what
people have decided about the services. The cache belongs to no run, and has a limit of its own.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from dagtop.core.values import dataclass
from dagtop.errors import JournalError
from dagtop.journal import chunks
from dagtop.journal.file import check, explain, open_to_read, open_to_write
from dagtop.journal.liveness import is_alive
from dagtop.journal.sqlite import SqliteJournal
from dagtop.ports.journal import RunSummary

#: Pages given back in one transaction, so that the runs that go on can write in between.
_STEP = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is kept. None asks for nothing; a run goes if any of them says so."""

    keep: int | None = None
    """So many of the latest runs."""
    older_than: float | None = None
    """Seconds since a run ended, or was taken up last."""
    max_size: int | None = None
    """Bytes of events and outputs of all runs together; the oldest go first."""

    @property
    def asks(self) -> bool:
        """Whether it says anything."""
        return (self.keep, self.older_than, self.max_size) != (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A run that goes, and why."""

    run: RunSummary
    reason: str
    size: int
    """Bytes of its events and outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was let go of."""

    gone: tuple[Leaving, ...] = ()
    spared: tuple[tuple[RunSummary, str], ...] = ()
    """Runs that would have gone, and why they did not."""
    before: int = 0
    """Bytes of the file with its log."""
    after: int = 0


def choose(
    runs: Sequence[RunSummary], wanted: Retention, now: float, size_of: Callable[[str], int]
) -> list[tuple[RunSummary, str]]:
    """The runs that go, with the reason, oldest first. Open ones count, and stay."""
    latest_first = sorted(runs, key=lambda run: run.opened_at, reverse=True)
    going: dict[str, str] = {}
    for place, run in enumerate(latest_first):
        if wanted.keep is not None and place >= wanted.keep:
            going[run.run] = f"not among the latest {wanted.keep}"
        elif wanted.older_than is not None and now - last_touched(run) > wanted.older_than:
            going[run.run] = "too old"
    if wanted.max_size is not None:
        left = sum(size_of(run.run) for run in runs if run.run not in going)
        for run in reversed(latest_first):
            if left <= wanted.max_size:
                break
            if run.run not in going and not run.alive:
                going[run.run] = "too much in all"
                left -= size_of(run.run)
    return [(run, going[run.run]) for run in reversed(latest_first) if run.run in going and not run.alive]


def last_touched(run: RunSummary) -> float:
    """When it ended, or else when somebody took it up last; wall clock."""
    return max(run.opened_at, run.finished_at or 0.0)


def prune(journal: SqliteJournal, wanted: Retention, *, dry: bool = False, whole_check: bool = True) -> Pruned:
    """Let runs go, and give the space back. May take long; other processes go on reading and writing meanwhile.

    Parameters
    ----------
    dry: only say what would go.
    whole_check: read the whole file first, to see that it is whole: what is damaged should not be changed.

    Raises
    ------
    JournalError: the file cannot be read or written, or is damaged.
    """
    path = journal.path
    before = size_on_disk(path)
    connection = open_to_read(path)
    if connection is None:
        return Pruned()
    with closing(connection), _explained(path):
        runs = journal.runs()
        sizes: Mapping[str, int] = {}
        if wanted.max_size is not None and _in_use(connection) > wanted.max_size:
            sizes = _sizes(connection, [run.run for run in runs])
        chosen = choose(runs, wanted, time.time(), lambda run: sizes.get(run, 0))
        if not chosen:
            return Pruned(before=before, after=before)
        spared = _desired(connection, runs, [run for run, _ in chosen])
        going = [(run, reason) for run, reason in chosen if run.run not in spared]
        sizes = sizes or _sizes(connection, [run.run for run, _ in going])
    kept = [(run, spared[run.run]) for run, _ in chosen if run.run in spared]
    leaving = [Leaving(run=run, reason=reason, size=sizes.get(run.run, 0)) for run, reason in going]
    if dry or not leaving:
        return Pruned(gone=tuple(leaving), spared=tuple(kept), before=before, after=before)
    if whole_check:
        check(path, limit=None)
    gone: list[Leaving] = []
    with closing(open_to_write(path)) as connection, _explained(path):
        for one in leaving:
            if _delete(connection, one.run.run):
                gone.append(one)
            else:
                kept.append((one.run, "somebody has taken it up meanwhile"))
        _give_back(connection)
    return Pruned(gone=tuple(gone), spared=tuple(kept), before=before, after=size_on_disk(path))


def size_on_disk(path: Path) -> int:
    """Bytes of the file and its log."""
    total = 0
    for one in (path, path.with_name(path.name + "-wal")):
        try:
            total += one.stat().st_size
        except OSError:
            continue
    return total


def _in_use(connection: sqlite3.Connection) -> int:
    """Bytes of all that is in the file: more than its runs can be."""
    (pages,), (free,), (size,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _sizes(connection: sqlite3.Connection, runs: Iterable[str]) -> dict[str, int]:
    """Bytes of events and outputs by run. The lengths stand in front of the blobs, which are not read."""
    query = (
        "SELECT (SELECT coalesce(sum(length(events)), 0) FROM chunks WHERE chunks.run = runs.id) "
        "+ (SELECT coalesce(sum(length(value)), 0) FROM outputs WHERE outputs.run = runs.id) "
        "+ (SELECT coalesce(sum(length(record) + length(given)), 0) FROM sessions WHERE sessions.run = runs.id) "
        "FROM runs WHERE run = ?"
    )
    found = {run: connection.execute(query, (run,)).fetchone() for run in runs}
    return {run: row[0] for run, row in found.items() if row is not None}


class _Setup(msgspec.Struct):
    """The part of a session's record that is needed here."""

    setup: dict[str, object] = {}


def _desired(connection: sqlite3.Connection, runs: Sequence[RunSummary], going: Sequence[RunSummary]) -> dict[str, str]:
    """Which of those that go hold a desired state that the next start goes on with, and that this is why they stay."""
    latest: dict[tuple[str, str], str] = {}
    for run in runs:  # latest first, as who goes on with them finds them
        latest.setdefault((run.source, run.graph), run.run)
    found: dict[str, str] = {}
    for run in going:
        if latest[run.source, run.graph] != run.run:
            continue
        query = (
            "SELECT record FROM sessions JOIN runs ON runs.id = sessions.run WHERE runs.run = ? ORDER BY number DESC"
        )
        row = connection.execute(query, (run.run,)).fetchone()
        try:
            supervises = row is not None and chunks.from_json(row[0], _Setup).setup.get("supervises")
        except JournalError:
            supervises = False
        if supervises:
            found[run.run] = "the next start of its services goes on with it"
    return found


def _delete(connection: sqlite3.Connection, run: str) -> bool:
    """Let one run go; False if somebody has it open by now."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        row = connection.execute(
            "SELECT runs.id, process, closed_at FROM runs JOIN sessions ON sessions.run = runs.id "
            "WHERE runs.run = ? ORDER BY number DESC",
            (run,),
        ).fetchone()
        is_open = row is not None and row[2] is None and is_alive(row[1])
        if row is not None and not is_open:
            connection.execute("DELETE FROM runs WHERE id = ?", (row[0],))
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return not is_open


def _give_back(connection: sqlite3.Connection) -> None:
    """Make the file smaller by what is free in it, bit by bit, and empty its log if nobody reads it."""
    while True:
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        if not free:
            break
        connection.execute(f"PRAGMA incremental_vacuum({_STEP})").fetchall()
        if connection.execute("PRAGMA freelist_count").fetchone()[0] >= free:
            break
    connection.execute("PRAGMA busy_timeout = 200")  # who reads for long is not waited for: the log shrinks later
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explain(path, error) from error
