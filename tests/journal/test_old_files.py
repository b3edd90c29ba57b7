"""A journal file of every version that there ever was is read, brought up to date, and written on.

`old_files/version_N.sql` is what the dagtop of that version wrote, as SQL: one run of four tasks, of which one failed after a
retry and one was skipped. A new version adds a file, and changes none.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from dagtop import Graph, RunState, TaskState
from dagtop.core.events import RunFinished, TaskRetrying
from dagtop.journal import schema
from dagtop.journal.retention import Retention, prune
from dagtop.journal.sqlite import SqliteJournal
from dagtop.runtime.past import Past

FILES = {
    int(re.sub(r"\D", "", file.stem)): file for file in (Path(__file__).parent / "old_files").glob("version_*.sql")
}
COUNTS = {"succeeded": 2, "failed": 1, "skipped": 1}


def file_of(version: int, path: Path) -> Path:
    """A journal file as the dagtop of that version left it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FILES[version].read_text(encoding="utf-8"))
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    return path


@pytest.fixture(params=sorted(FILES))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteJournal]:
    with closing(SqliteJournal(file_of(request.param, tmp_path / "runs.db"))) as journal:
        yield journal


def shape_of(path: Path) -> dict[str, str]:
    """Tables and indices, without comments and spaces."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: re.sub(r"--.*|[\s\"]+", "", sql) for name, sql in rows}


def test_there_is_a_file_of_every_version_before_this_one() -> None:
    """If this fails, dump a file that the version before yours wrote."""
    assert set(FILES) >= set(range(1, schema.VERSION))


def test_its_runs_are_listed_and_read(old: SqliteJournal) -> None:
    (line,) = old.runs()
    assert (line.graph, line.state, dict(line.counts), line.tasks) == ("old orders", "failed", COUNTS, 4)
    stored = old.load("last")
    events = list(stored.events())
    assert [type(event) for event in (events[-1],)] == [RunFinished]
    assert sum(isinstance(event, TaskRetrying) for event in events) == 1
    assert dict(stored.outputs({"extract", "count"})) == {"extract": {"rows": [1, 2, 3]}, "count": 3}


def test_its_runs_are_replayed(old: SqliteJournal) -> None:
    past = Past(old.load("last"))
    while not past.forward():
        pass
    states = dict(zip(past.ledger.plan.names, past.ledger.state, strict=True))
    assert states == {
        "extract": TaskState.SUCCEEDED,
        "load": TaskState.FAILED,
        "report": TaskState.SKIPPED,
        "count": TaskState.SUCCEEDED,
    }
    assert past.ledger.run_state is RunState.FAILED


def test_it_becomes_a_file_of_today_in_which_new_runs_are_kept(old: SqliteJournal, tmp_path: Path) -> None:
    graph = Graph("new").add("a", lambda: 1)
    assert graph.run(journal=old).ok
    assert [line.graph for line in old.runs()] == ["new", "old orders"]
    with closing(SqliteJournal(tmp_path / "today.db")) as today:
        assert graph.run(journal=today).ok
    assert shape_of(old.path) == shape_of(tmp_path / "today.db")
    with closing(sqlite3.connect(old.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        versions = [version for (version,) in connection.execute("SELECT version FROM migrations ORDER BY version")]
    assert versions == list(range(1, schema.VERSION + 1))


def test_its_runs_can_be_pruned(old: SqliteJournal) -> None:
    assert [leaving.run.graph for leaving in prune(old, Retention(keep=0)).gone] == ["old orders"]
    assert old.runs() == ()


def test_what_stops_halfway_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last step fails: none of those before it is done, and the next dagtop finds the old file."""
    path = file_of(1, tmp_path / "runs.db")
    before = shape_of(path)
    with monkeypatch.context() as broken:
        broken.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE nowhere ADD COLUMN x;\n"))
        broken.setattr(schema, "VERSION", schema.VERSION + 1)
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as connection,
            pytest.raises(sqlite3.OperationalError),
        ):
            schema.migrate(connection)
    assert shape_of(path) == before
    with closing(SqliteJournal(path)) as journal:
        assert len(journal.runs()) == 1
