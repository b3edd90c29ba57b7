"""Commands from other processes: taken once, by the session that they were meant for, and answered."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from dagtop.core import commands as cmd
from dagtop.core.events import CommandApplied, CommandRefused
from dagtop.errors import JournalError
from dagtop.journal import mail
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.sqlite import SqliteJournal
from dagtop.ports.journal import Journal, Posted, Reply
from journal_scene import Session, begin, chain, record_of, resume

PATIENCE = 30.0
GRAPH = chain("ab")


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagtop.journal.writer.LOOK_EVERY", 0.01)
    monkeypatch.setattr(mail, "LOOK_EVERY", 0.0)


@pytest.fixture(params=["sqlite", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    return MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path / "journal.db")


class Postman:
    """Posts from a thread of its own, as another process would."""

    def __init__(self, journal: Journal, command: cmd.Command, run: str = "r1", patience: float = PATIENCE) -> None:
        self._ended: SimpleQueue[Reply | JournalError] = SimpleQueue()

        def post() -> None:
            try:
                self._ended.put(journal.post(run, command, "eve@there", patience=patience))
            except JournalError as error:
                self._ended.put(error)

        threading.Thread(target=post, daemon=True).start()

    def answer(self) -> Reply | JournalError:
        return self._ended.get(timeout=PATIENCE)


def listening(journal: Journal) -> tuple[Session, SimpleQueue[Posted]]:
    session, taken = begin(journal, record_of("r1", GRAPH)), SimpleQueue[Posted]()
    session.start()
    session.writer.listen(taken.put)
    return session, taken


@pytest.fixture
def open_run(journal: Journal) -> Iterator[tuple[Session, SimpleQueue[Posted]]]:
    session, taken = listening(journal)
    yield session, taken
    session.writer.close()


def test_a_posted_command_arrives_with_who_gave_it_and_the_event_that_answers_it_is_its_answer(
    journal: Journal, open_run: tuple[Session, SimpleQueue[Posted]]
) -> None:
    session, taken = open_run
    command = cmd.ApproveTask("a", "looks right")
    postman = Postman(journal, command)
    posted = taken.get(timeout=PATIENCE)
    assert (posted.command, posted.by) == (command, "eve@there")
    assert posted.number < 0
    other = CommandRefused(1.0, cmd.PauseRun(), 7, "the console", "that is another command")
    session.record(other, CommandApplied(1.0, command, posted.number, posted.by, "a may go through its gate"))
    assert postman.answer() == Reply(applied=True, text="a may go through its gate")


def test_a_refusal_is_an_answer_too(journal: Journal, open_run: tuple[Session, SimpleQueue[Posted]]) -> None:
    session, taken = open_run
    postman = Postman(journal, cmd.RejectTask("b"))
    posted = taken.get(timeout=PATIENCE)
    session.record(CommandRefused(1.0, posted.command, posted.number, posted.by, "b does not stand at a gate"))
    assert postman.answer() == Reply(applied=False, text="b does not stand at a gate")


def test_several_commands_arrive_in_order_each_of_them_once(
    journal: Journal, open_run: tuple[Session, SimpleQueue[Posted]]
) -> None:
    session, taken = open_run
    for number in range(1, 6):
        postman = Postman(journal, cmd.SetMaxParallel(number))
        posted = taken.get(timeout=PATIENCE)
        assert posted.command == cmd.SetMaxParallel(number)
        session.record(CommandApplied(1.0, posted.command, posted.number, posted.by, f"now {number}"))
        assert postman.answer() == Reply(applied=True, text=f"now {number}")
    assert taken.empty()


def test_what_the_run_did_not_answer_before_its_end_is_refused(
    journal: Journal, open_run: tuple[Session, SimpleQueue[Posted]]
) -> None:
    session, taken = open_run
    postman = Postman(journal, cmd.PauseRun())
    taken.get(timeout=PATIENCE)
    session.writer.close()
    assert postman.answer() == Reply(applied=False, text="the run is over")


def test_nobody_gives_commands_to_a_run_that_is_over_or_was_never_there(journal: Journal) -> None:
    session, _ = listening(journal)
    session.finish()
    session.writer.close()
    with pytest.raises(JournalError, match="does not go on any more: it has succeeded"):
        journal.post("last", cmd.PauseRun(), "eve")
    with pytest.raises(JournalError, match="there is no run 'nope'"):
        journal.post("nope", cmd.PauseRun(), "eve")


def test_an_answer_that_does_not_come_in_time_is_an_error(
    journal: Journal, open_run: tuple[Session, SimpleQueue[Posted]]
) -> None:
    with pytest.raises(JournalError, match=r"no answer from the run r1: .*0\.2 s"):
        journal.post("r1", cmd.PauseRun(), "eve", patience=0.2)


class TestInTheFile:
    """What only a file has: processes that die, and mail that outlives them."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> SqliteJournal:
        return SqliteJournal(tmp_path / "journal.db")

    @staticmethod
    def rows(file: SqliteJournal, query: str = "SELECT session, command, taken_at, answer FROM mail") -> list[Any]:
        with closing(sqlite3.connect(file.path)) as connection:
            return connection.execute(query).fetchall()

    def test_a_command_that_nobody_takes_is_taken_back(self, file: SqliteJournal) -> None:
        session = begin(file, record_of("r1", GRAPH))  # it never listens, as a process that stands still
        with pytest.raises(JournalError, match="nothing was changed"):
            file.post("r1", cmd.PauseRun(), "eve", patience=0.0)
        assert self.rows(file) == []
        session.writer.close()

    def test_mail_for_a_session_that_died_is_never_given_to_the_one_that_resumes_the_run(
        self, file: SqliteJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dead = begin(file, record_of("r1", GRAPH))
        dead.start()
        dead.writer.close()
        with closing(sqlite3.connect(file.path, isolation_level=None)) as connection:
            connection.execute("UPDATE sessions SET closed_at = NULL")  # as if it had been killed
            mail.send(connection, "r1", 1, cmd.ApproveTask("a"), "eve")
            connection.execute("UPDATE sessions SET closed_at = 1")
        second, taken = resume(file, record_of("r1", GRAPH), 2), SimpleQueue[Posted]()
        second.writer.listen(taken.put)
        postman = Postman(file, cmd.ApproveTask("b"))
        posted = taken.get(timeout=PATIENCE)
        assert posted.command == cmd.ApproveTask("b")
        second.record(CommandApplied(9.0, posted.command, posted.number, posted.by, "done"))
        assert postman.answer() == Reply(applied=True, text="done")
        assert second.writer.close()
        assert taken.empty()
        assert [(session, taken_at) for session, _, taken_at, _ in self.rows(file)] == [(1, None)]

    def test_whoever_waits_hears_that_the_process_died(
        self, file: SqliteJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = begin(file, record_of("r1", GRAPH))
        lives = iter([True])
        monkeypatch.setattr("dagtop.journal.sqlite.is_alive", lambda process: next(lives, False))
        with pytest.raises(JournalError, match="the process that ran it ended before it answered"):
            file.post("r1", cmd.PauseRun(), "eve")
        session.writer.close()

    def test_a_command_that_is_old_is_refused_since_nobody_waits_for_it_any_more(
        self, file: SqliteJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session, taken = begin(file, record_of("r1", GRAPH)), SimpleQueue[Posted]()
        with closing(sqlite3.connect(file.path, isolation_level=None)) as connection:
            number = mail.send(connection, "r1", 1, cmd.ApproveTask("a"), "eve")
            connection.execute("UPDATE mail SET sent_at = sent_at - 100")
            session.writer.listen(taken.put)
            reply = mail.wait_for_answer(connection, number, lambda: True, PATIENCE)
        assert isinstance(reply, Reply)
        assert not reply.applied
        assert "nobody can be waiting for it" in reply.text
        session.writer.close()
        assert taken.empty()

    def test_mail_that_cannot_be_read_is_refused(self, file: SqliteJournal) -> None:
        session, taken = begin(file, record_of("r1", GRAPH)), SimpleQueue[Posted]()
        with closing(sqlite3.connect(file.path, isolation_level=None)) as connection:
            number = mail.send(connection, "r1", 1, cmd.ApproveTask("a"), "eve")
            connection.execute("UPDATE mail SET command = ?", (b'{"do":"format-disk"}',))
            session.writer.listen(taken.put)
            reply = mail.wait_for_answer(connection, number, lambda: True, PATIENCE)
        assert isinstance(reply, Reply)
        assert reply.text.startswith("it cannot be read")
        session.writer.close()
        assert taken.empty()

    def test_what_was_given_is_not_kept_in_the_mail(self, file: SqliteJournal) -> None:
        """The value of a `mark-succeeded` may be anybody's secret: outputs are where it is kept."""
        session, taken = listening(file)
        postman = Postman(file, cmd.MarkSucceeded("a", "secret"))
        taken.get(timeout=PATIENCE)
        session.writer.close()
        postman.answer()
        assert all(command == b"" for _, command, _, _ in self.rows(file))

    @pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}])
    def test_a_value_that_would_not_arrive_is_not_sent(self, file: SqliteJournal, value: Any) -> None:
        session = begin(file, record_of("r1", GRAPH))
        with pytest.raises(JournalError, match="the command mark-succeeded cannot be sent"):
            file.post("r1", cmd.MarkSucceeded("a", value), "eve")
        session.writer.close()
        assert self.rows(file) == []

    def test_names_that_are_no_valid_text_arrive_as_they_are(self, file: SqliteJournal) -> None:
        session, taken = listening(file)
        postman = Postman(file, cmd.CancelTask("\udcff"))
        posted = taken.get(timeout=PATIENCE)
        assert posted.command == cmd.CancelTask("\udcff")
        session.record(CommandRefused(1.0, posted.command, posted.number, posted.by, "there is no task \udcff"))
        assert postman.answer() == Reply(applied=False, text="there is no task \udcff")
        session.writer.close()

    def test_a_file_of_before_there_was_mail_takes_it(self, file: SqliteJournal) -> None:
        begin(file, record_of("r0", GRAPH)).writer.close()
        with closing(sqlite3.connect(file.path, isolation_level=None)) as connection:
            connection.executescript(
                "DROP TABLE checkpoints; DROP TABLE mail; DELETE FROM migrations WHERE version > 2; PRAGMA user_version = 2"
            )
        session, taken = listening(file)
        postman = Postman(file, cmd.PauseRun())
        posted = taken.get(timeout=PATIENCE)
        session.record(CommandApplied(1.0, posted.command, posted.number, posted.by, "paused"))
        assert postman.answer() == Reply(applied=True, text="paused")
        session.writer.close()
