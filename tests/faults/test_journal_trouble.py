"""Trouble while a run is written: it is told, the run goes on, and what is stored is always its beginning without a gap."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest
from dagtop.core.events import RunResumed
from dagtop.errors import JournalError
from dagtop.journal.file import open_to_write
from dagtop.journal.groups import Group
from dagtop.journal.sqlite import SqliteJournal
from journal_scene import Session, Told, begin, chain, environ_for_children, ready, record_of, resume

GRAPH = chain(["a", "b"])


class Bell(Told):
    """Lets a test wait until the journal has told something."""

    def __init__(self) -> None:
        super().__init__()
        self._rung = threading.Condition()

    def __call__(self, task: str, message: str) -> None:
        with self._rung:
            self.problems.append((task, message))
            self._rung.notify_all()

    def wait_for(self, text: str) -> str:
        """The first message with this text in it."""
        with self._rung:
            assert self._rung.wait_for(lambda: any(text in message for message in self.messages), 30), self.messages
        return next(message for message in self.messages if text in message)


def begin_run(journal: SqliteJournal, run: str = "r1") -> tuple[Session, Bell]:
    bell = Bell()
    return Session(journal.begin(record_of(run, GRAPH), bell), bell), bell


def wait_until_committed(session: Session) -> None:
    while session.writer.statistics().queued:
        pass


def numbers_in(path: Path, run: str = "r1") -> list[float]:
    with closing(SqliteJournal(path)) as journal:
        return [event.at for event in journal.load(run).events()]


class Lock:
    """Another process's long write, as the journal sees it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._connection.close()


# -- a lock ------------------------------------------------------------------------------------------------------------


def test_a_lock_is_told_once_and_nothing_is_missing_when_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    session, bell = begin_run(SqliteJournal(path, patience=0.0))
    session.record(*ready(10))
    wait_until_committed(session)
    lock = Lock(path)
    session.record(*ready(10, 10))
    message = bell.wait_for("locked")
    assert message.endswith("the run goes on, and what is missing is written as soon as possible")
    session.succeed("a", "while locked")
    assert session.writer.committed == 10
    lock.release()
    bell.wait_for("can be written again; nothing is missing")
    session.record(*ready(10, 20))
    assert session.writer.close()
    with closing(SqliteJournal(path)) as journal:
        stored = journal.load("r1")
        assert len(list(stored.events())) == 33
        assert stored.output("a") == "while locked"
    assert len(bell.messages) == 2


def test_a_lock_that_does_not_last_is_not_worth_a_word(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    session, bell = begin_run(SqliteJournal(path))
    lock = Lock(path)
    session.record(*ready(10))
    closing_up = threading.Thread(target=session.writer.close, args=(30.0,))
    closing_up.start()
    lock.release()
    closing_up.join()
    assert session.writer.close()
    assert bell.messages == []
    assert numbers_in(path) == [float(n) for n in range(10)]


def test_closing_under_a_lock_says_that_not_all_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    session, bell = begin_run(SqliteJournal(path))
    session.record(*ready(10))
    wait_until_committed(session)
    lock = Lock(path)
    session.record(*ready(10, 10))
    assert not session.writer.close(0.05)
    lock.release()
    assert session.writer.statistics().queued == 10
    assert bell.wait_for("the journal of this run ends here: ")
    assert numbers_in(path) == [float(n) for n in range(10)]


def test_too_much_waiting_makes_the_journal_give_up_and_say_so_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    session, bell = begin_run(SqliteJournal(path, backlog_limit=50_000))
    session.record(*ready(10))
    wait_until_committed(session)
    lock = Lock(path)
    session.record(*ready(5000, 10))
    bell.wait_for("too much is waiting to be written")
    lock.release()
    session.record(*ready(10, 5010))
    session.succeed("a", "after the end")
    assert not session.writer.close()
    assert numbers_in(path) == [float(n) for n in range(10)]
    with closing(SqliteJournal(path)) as journal:
        [line] = journal.runs()
        assert line.state == "incomplete"
        assert "too much is waiting" in line.incomplete
        again = resume(journal, record_of("r1", GRAPH), 11)
        again.record(RunResumed(9.0, 0))
        assert again.writer.close()
        assert journal.runs()[0].state == "crashed"


def test_a_lock_at_the_very_beginning_is_an_error_of_whoever_begins(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    begin_run(SqliteJournal(path))[0].writer.close()
    lock = Lock(path)
    with pytest.raises(JournalError, match=r"locked by another process .*: end that process, or choose another file"):
        begin_run(SqliteJournal(path, busy_timeout=0.01), "r2")
    lock.release()


def test_readers_are_not_kept_out_by_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    session, _ = begin_run(SqliteJournal(path))
    session.record(*ready(10))
    session.writer.close()
    lock = Lock(path)
    assert numbers_in(path) == [float(n) for n in range(10)]
    lock.release()


# -- a full disk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> Path:
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                return ballast


def test_a_full_disk_is_told_once_and_nothing_is_missing_when_there_is_room_again(small_disk: Path) -> None:
    path = small_disk / "runs.db"
    session, bell = begin_run(SqliteJournal(path))
    session.record(*ready(10))
    wait_until_committed(session)
    ballast = fill(small_disk)
    for start in range(10, 2010, 100):
        session.record(*ready(100, start))
    session.succeed("a", "x" * 10_000)
    message = bell.wait_for("disk is full")
    assert "free some space" in message
    ballast.unlink()
    bell.wait_for("can be written again")
    assert session.writer.close()
    assert numbers_in(path)[:-3] == [float(n) for n in range(2010)]
    assert len(bell.messages) == 2


def test_a_disk_that_stays_full_leaves_the_beginning_of_the_run(small_disk: Path) -> None:
    path = small_disk / "runs.db"
    session, bell = begin_run(SqliteJournal(path, backlog_limit=3_000_000))
    for start in range(0, 100_000, 5000):
        session.record(*ready(5000, start))
    bell.wait_for("the journal of this run ends here: ")
    session.succeed("a", "too late")
    assert not session.writer.close()
    numbers = numbers_in(path)
    assert numbers == [float(n) for n in range(len(numbers))]
    assert len(numbers) == session.writer.committed < 100_000
    with closing(SqliteJournal(path)) as journal:
        assert not journal.load("r1").has_output("a")


def test_a_full_disk_at_the_very_beginning_is_an_error_of_whoever_begins(small_disk: Path) -> None:
    ballast = fill(small_disk)
    with pytest.raises(JournalError, match=r"full|no space"):
        begin_run(SqliteJournal(small_disk / "runs.db"))
    assert sorted(small_disk.iterdir()) == [ballast]


def test_a_disk_that_fills_up_while_the_file_is_made_leaves_no_torn_one(small_disk: Path) -> None:
    """The log of a draft could not be written back, and the draft became the journal without it: it could never be read."""
    path = small_disk / "runs.db"
    made: list[bool] = []
    for size in range(100, 1_000, 50):
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(small_disk)], check=True)
        told = ""
        try:
            begin(SqliteJournal(path), record_of("r1", GRAPH)).writer.close()
        except JournalError as error:
            told = str(error)
        made.append(path.exists())
        assert made[-1] or "full" in told or "no space" in told
        assert [file.name for file in small_disk.iterdir() if file.name.startswith(".")] == []
        if made[-1]:
            subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
            with closing(SqliteJournal(path)) as journal:
                journal.runs()  # it can be read
        for file in small_disk.iterdir():
            file.unlink()
    assert made[0] is False
    assert made[-1] is True


def test_a_file_that_may_not_grow_ends_the_journal_without_a_gap(tmp_path: Path) -> None:
    """The same for those who may not mount: SQLite itself is told to refuse."""
    path = tmp_path / "runs.db"
    session, bell = begin_run(SqliteJournal(path, backlog_limit=100_000))
    session.record(*ready(10))
    wait_until_committed(session)
    session.writer._connection.execute("PRAGMA max_page_count = 1")  # type: ignore[attr-defined] # the only way in
    for start in range(10, 20_010, 1000):
        session.record(*ready(1000, start))
    bell.wait_for("ends here")
    assert "disk is full" in bell.messages[0]
    assert not session.writer.close()
    numbers = numbers_in(path)
    assert numbers == [float(n) for n in range(len(numbers))]


# -- the file goes away ------------------------------------------------------------------------------------------------


def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    other = path.with_name("other")
    begin_run(SqliteJournal(other), "r9")[0].writer.close()
    other.replace(path)


def remove_the_log(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


def cut_to_nothing(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("harm", [remove, replace, remove_the_log, cut_to_nothing])
def test_a_file_that_goes_away_is_told_and_nothing_is_written_to_nowhere(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "runs.db"
    session, bell = begin_run(SqliteJournal(path))
    session.record(*ready(10))
    wait_until_committed(session)
    harm(path)
    session.record(*ready(10, 10))
    message = bell.wait_for("ends here")
    assert message.endswith("its file was removed, replaced or emptied while the run went on")
    session.record(*ready(10, 20))
    session.writer.output("a", 1, "x")
    assert not session.writer.close()
    assert session.writer.committed == 10
    assert len(bell.messages) == 1


def test_a_folder_that_goes_away_is_told(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "runs.db"
    session, bell = begin_run(SqliteJournal(path))
    shutil.rmtree(path.parent)
    session.record(*ready(10))
    bell.wait_for("ends here")
    assert not session.writer.close()


# -- somebody else -----------------------------------------------------------------------------------------------------


def test_a_run_that_another_process_goes_on_with_is_let_go(tmp_path: Path) -> None:
    """Processes in different containers do not see each other; the later one has the run."""
    path = tmp_path / "runs.db"
    session, bell = begin_run(SqliteJournal(path))
    session.record(*ready(10))
    wait_until_committed(session)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE sessions SET process = '1 2 elsewhere'")
        connection.commit()
    with closing(SqliteJournal(path)) as other:
        assert other.runs()[0].state == "crashed"
        later = resume(other, record_of("r1", GRAPH), 11)
        later.record(*ready(5, 100))
        session.record(*ready(5, 10))
        bell.wait_for("the run is being continued by another process")
        assert not session.writer.close()
        later.record(*ready(5, 105))
        assert later.writer.close()
    assert numbers_in(path) == [*map(float, range(10)), *map(float, range(100, 110))]


def test_a_run_that_was_deleted_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    session, bell = begin_run(SqliteJournal(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM runs")
        connection.commit()
    session.record(*ready(5))
    bell.wait_for("the run was deleted")
    assert not session.writer.close()
    with closing(SqliteJournal(path)) as journal:
        assert journal.runs() == ()


def test_many_runs_at_once_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"

    def run(name: str) -> None:
        session = begin(SqliteJournal(path), record_of(name, GRAPH))
        start = int(name) * 10_000
        for step in range(0, 3000, 7):
            session.record(*ready(7, start + step))
        session.succeed("a", name)
        assert session.writer.close(30.0)

    threads = [threading.Thread(target=run, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(SqliteJournal(path)) as journal:
        for number in range(4):
            stored = journal.load(str(number))
            assert [event.at for event in stored.events()][:-3] == [number * 10_000.0 + n for n in range(3003)]
            assert stored.output("a") == str(number)


def test_a_commit_that_reported_an_error_but_was_made_is_not_made_twice(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    session, _ = begin_run(SqliteJournal(path))
    session.writer.close()
    with closing(open_to_write(path)) as connection:
        group = Group(run=1, session=1, started_at=0.0, committed=0)
        group.add_events(ready(5))
        group.commit(connection)
        group.add_events(ready(5, 5))
        group.forget_what_is_stored(connection)
        group.commit(connection)
    assert numbers_in(path) == [float(n) for n in range(10)]


def test_a_forked_child_that_ends_leaves_its_parents_run_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    program = """
        import os, sys
        from journal_scene import begin, ready, record_of
        from dagtop.journal.sqlite import SqliteJournal

        session = begin(SqliteJournal(sys.argv[1]), record_of("r1", {}))
        session.record(*ready(100))
        child = os.fork()
        if child == 0:
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        session.record(*ready(100, 100))
        assert session.writer.close()
    """
    subprocess.run([sys.executable, "-c", dedent(program), str(path)], check=True, env=environ_for_children())
    assert numbers_in(path) == [float(n) for n in range(200)]
