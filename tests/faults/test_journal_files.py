"""Files that are not what they should be: each is a clear error with a way out, and none is touched."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from dagtop.errors import JournalError
from dagtop.journal import schema
from dagtop.journal.file import default_path
from dagtop.journal.sqlite import SqliteJournal
from journal_scene import begin, chain, ready, record_of, resume

GRAPH = chain(["a", "b"])


def a_journal(path: Path, events: int = 20_000) -> SqliteJournal:
    """A file with one run that spans many pages."""
    journal = SqliteJournal(path)
    session = begin(journal, record_of("r1", GRAPH))
    session.succeed("a", b"x" * 100_000)
    session.record(*ready(events))
    assert session.writer.close()
    return journal


def test_the_file_and_its_folders_are_made_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "runs.db"
    mask = os.umask(0)
    try:
        session = begin(SqliteJournal(path), record_of("r1", GRAPH))
        session.record(*ready(10))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        session.writer.close()
    finally:
        os.umask(mask)
    assert modes == {"runs.db": 0o600, "runs.db-wal": 0o600, "runs.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


def test_reading_makes_no_file(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "none" / "runs.db")
    assert journal.runs() == ()
    with pytest.raises(JournalError, match=r"there is no journal at .*runs\.db yet"):
        journal.load("last")
    assert list(tmp_path.iterdir()) == []


def test_the_default_place_is_the_users_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path().name == "journal.sqlite3"
    assert SqliteJournal().path == default_path()


def test_strange_paths_are_only_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "file:x?mode=memory", "a b#c?d%20e", "ü\udcff.db", "-wal"):
        a_journal(Path(name), events=10)
        assert (tmp_path / name).is_file()
        with closing(SqliteJournal(name)) as journal:
            assert len(list(journal.load("last").events())) == 13
    with pytest.raises(JournalError, match="cannot be at"):
        SqliteJournal("a\x00b")


def test_a_link_to_a_file_that_is_not_there_yet_leads_to_the_file(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "there" / "real.db")
    a_journal(link, events=10)
    assert (tmp_path / "there" / "real.db").stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()


def foreign_text(path: Path) -> None:
    path.write_text("not a database, but somebody's diary\n" * 100)


def foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (diary TEXT)")


def foreign_log(path: Path) -> None:
    """Another application's, which it has open in WAL mode."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA application_id = 1234")
        connection.execute("CREATE TABLE runs (diary TEXT)")


def empty(path: Path) -> None:
    path.touch()


def folder(path: Path) -> None:
    path.mkdir()


def newer(path: Path) -> None:
    a_journal(path, events=10)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")


def without_its_end(path: Path) -> None:
    a_journal(path)
    os.truncate(path, path.stat().st_size // 2)


def only_its_beginning(path: Path) -> None:
    a_journal(path)
    os.truncate(path, 1000)


def with_another_beginning(path: Path) -> None:
    a_journal(path)
    overwrite(path, 0, b"\xff" * 100)


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (foreign_text, "is not a journal, or no longer one: choose another file"),
        (foreign_database, "is a database of another application: choose another file"),
        (foreign_log, "is a database of another application: choose another file"),
        (empty, "is empty, which a journal never is: remove it, or choose another file"),
        (folder, "is not a file: choose another one"),
        (newer, f"made by a newer dagtop .version {schema.VERSION + 1} .*: upgrade dagtop, or choose another file"),
        (without_its_end, "is damaged and will not be used: move it away .*, or choose another file"),
        (only_its_beginning, "is (damaged|not a journal)"),
        (with_another_beginning, "is not a journal, or no longer one: choose another file"),
    ],
)
def test_B38_a_torn_or_foreign_file_is_a_clear_error_and_stays_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "runs.db"
    make(path)
    before = None if path.is_dir() else path.read_bytes()
    with closing(SqliteJournal(path)) as journal:
        for use in (
            journal.runs,
            lambda: journal.load("last"),
            lambda: begin(journal, record_of("r9", GRAPH)),
            lambda: resume(journal, record_of("r1", GRAPH), 1),
        ):
            with pytest.raises(JournalError, match=message):
                use()
    assert before is None or path.read_bytes() == before


def test_B38_bytes_that_changed_on_the_disk_are_an_error_and_never_a_wrong_result(tmp_path: Path) -> None:
    """One place after the other is overwritten: whatever can still be read is what was recorded."""
    path = tmp_path / "runs.db"
    a_journal(path, events=500).close()
    whole = path.read_bytes()
    expected = read_all(path)
    assert not isinstance(expected, str)
    damaged = 0
    for start in range(0, len(whole), 1500):
        overwrite(path, start, b"\x00" * 8 if start % 2 else b"\xa5" * 8)
        found = read_all(path)
        damaged += isinstance(found, str)
        assert isinstance(found, str) or found == expected
        overwrite(path, start, whole[start : start + 8])
    assert damaged > 50


def read_all(path: Path) -> object:
    """Everything that a journal tells of its only run; the error's text if it cannot."""
    with closing(SqliteJournal(path)) as journal:
        try:
            stored = journal.load("r1")
            return stored.record, list(stored.events()), stored.output("a")
        except JournalError as error:
            return str(error)


def test_events_that_are_missing_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    journal = a_journal(path, events=10_000)
    with closing(sqlite3.connect(path)) as connection:
        firsts = [first for (first,) in connection.execute("SELECT first FROM chunks ORDER BY first")]
        assert len(firsts) >= 3  # one more where the writer looked before all had come
        connection.execute("DELETE FROM chunks WHERE first = ?", (firsts[1],))
        connection.commit()
    stored = journal.load("r1")
    with pytest.raises(JournalError, match=f"events are missing before number {firsts[2]}"):
        list(stored.events())
    with pytest.raises(JournalError, match="events are missing"):
        stored.output("a")
    journal.close()
    with pytest.raises(JournalError, match="the journal was closed"):
        list(stored.events())


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"cannot be made: .*; choose another file"):
        begin(SqliteJournal(tmp_path / "file" / "runs.db"), record_of("r1", GRAPH))
    assert SqliteJournal(tmp_path / "file" / "runs.db").runs() == ()


def test_a_folder_without_the_right_to_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("root may write everywhere")
        with pytest.raises(JournalError, match="permission denied"):
            begin(SqliteJournal(tmp_path / "runs.db"), record_of("r1", GRAPH))
    finally:
        tmp_path.chmod(0o700)


def test_an_older_file_is_brought_up_to_date_without_losing_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.db"
    a_journal(path, events=10)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE runs ADD COLUMN mood TEXT;\n"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with closing(SqliteJournal(path)) as journal:
        assert [line.run for line in journal.runs()] == ["r1"]
        assert len(list(journal.load("r1").events())) == 13
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT max(version) FROM migrations").fetchone() == (schema.VERSION,)
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_the_pages_of_deleted_runs_can_be_given_back(tmp_path: Path) -> None:
    """What retention will need: ids are not given twice, everything of a run goes with it, the file can shrink."""
    path = tmp_path / "runs.db"
    a_journal(path)
    size = path.stat().st_size
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM runs")
        connection.commit()
        for table in ("runs", "sessions", "chunks", "outputs"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        connection.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page only
    assert path.stat().st_size < size / 4
    a_journal(path, events=10)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id FROM runs").fetchall() == [(2,)]
