"""Checkpoints in a journal's file: kept once a run stands still, and never in the way of anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from dagtop import DAGExecutor, Graph
from dagtop.core.events import RunFinished, RunStarted
from dagtop.core.states import RunState
from dagtop.errors import JournalError
from dagtop.journal import file as files
from dagtop.journal import schema
from dagtop.journal.resume import plan_resumption
from dagtop.journal.retention import Retention, prune
from dagtop.journal.sqlite import SqliteJournal, SqliteStoredRun
from dagtop.ports.journal import RunRecord
from dagtop.runtime.past import Past
from dagtop.runtime.reel import Reel
from dagtop.runtime.replay_index import Index
from dagtop.runtime.shelf import Shelf

RECORD = RunRecord(
    run="r1", graph="g", source="", started_at=0.0, pid=1, names=("a",), upstream=((),), fingerprints=("f",)
)


def loaded(journal: SqliteJournal) -> SqliteStoredRun:
    return journal.load("last")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """With one run, which is over."""
    made = SqliteJournal(tmp_path / "runs.db")
    writer = made.begin(RECORD, lambda task, message: None)
    writer.record(1, [RunStarted(0.0, "r1", "g", 0.0, 1, 4), RunFinished(1.0, RunState.SUCCEEDED, {})])
    assert writer.close()
    yield made
    made.close()


def do(journal: SqliteJournal, script: str) -> None:
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as connection:
        connection.executescript(script)


def test_what_is_kept_is_found_again_and_takes_the_place_of_what_was(journal: SqliteJournal) -> None:
    stored = loaded(journal)
    assert list(stored.checkpoints()) == []
    assert stored.checkpoint(0) is None
    assert stored.keep_checkpoints({0: b"outline", 5: b"five", 2: b"two"})
    again = loaded(journal)
    assert list(again.checkpoints()) == [0, 2, 5]
    assert again.checkpoint(5) == b"five"
    assert again.keep_checkpoints({7: b"seven"})
    assert list(stored.checkpoints()) == [7]


def test_none_are_kept_of_a_run_that_goes_on(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "runs.db")
    writer = journal.begin(RECORD, lambda task, message: None)
    stored = loaded(journal)
    assert not stored.keep_checkpoints({1: b"one"})
    writer.close()
    assert stored.keep_checkpoints({1: b"one"})
    journal.close()


def test_none_are_kept_if_another_process_has_gone_on_with_the_run_since(journal: SqliteJournal) -> None:
    stored = loaded(journal)
    writer = journal.resume(RECORD, 3, lambda task, message: None)
    assert not stored.keep_checkpoints({1: b"one"})
    writer.close()
    assert not stored.keep_checkpoints({1: b"one"})
    assert loaded(journal).keep_checkpoints({1: b"one"})


def test_none_are_kept_while_another_process_writes(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagtop.journal.checkpoints._PATIENCE", 0.0)
    stored = loaded(journal)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not stored.keep_checkpoints({1: b"one"})
        other.rollback()
    assert stored.keep_checkpoints({1: b"one"})


def test_a_damaged_one_is_none(journal: SqliteJournal) -> None:
    stored = loaded(journal)
    stored.keep_checkpoints({0: b"outline", 2: b"two"})
    do(
        journal,
        "UPDATE checkpoints SET state = x'00' WHERE number = 2; UPDATE checkpoints SET state = 5 WHERE number = 0",
    )
    assert stored.checkpoint(2) is None
    assert stored.checkpoint(0) is None


def test_they_go_with_their_run(journal: SqliteJournal) -> None:
    stored = loaded(journal)
    stored.keep_checkpoints({2: b"two"})
    stored.close()
    prune(journal, Retention(keep=0))
    with closing(sqlite3.connect(journal.path)) as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone() == (0,)


def test_a_file_of_before_there_were_checkpoints_gets_them(journal: SqliteJournal) -> None:
    do(journal, "DROP TABLE checkpoints; DELETE FROM migrations WHERE version = 4; PRAGMA user_version = 3")
    stored = loaded(journal)
    assert [type(event) for event in stored.events()] == [RunStarted, RunFinished]
    assert stored.keep_checkpoints({2: b"two"})
    assert list(stored.checkpoints()) == [2]


def test_one_that_cannot_be_changed_is_read_as_it_is(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    do(journal, "DROP TABLE checkpoints; DELETE FROM migrations WHERE version = 4; PRAGMA user_version = 3")

    def refuse(path: Path) -> None:
        raise JournalError("it is read-only")

    monkeypatch.setattr(files, "_upgrade", refuse)
    stored = loaded(journal)
    assert stored.last == 2
    assert list(stored.checkpoints()) == []
    assert stored.checkpoint(0) is None
    assert not stored.keep_checkpoints({2: b"two"})
    monkeypatch.setattr(schema, "READABLE", 4)
    with pytest.raises(JournalError, match="read-only"):
        loaded(journal)


def test_what_was_kept_holds_for_a_run_that_was_resumed_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagtop.runtime.replay_index.WORTH", 1)
    fail = True

    def second(first: int) -> int:
        if fail:
            raise OSError("the first time")
        return first

    def make() -> Graph:
        return Graph("g").add("first", lambda: 1).add("second", second)

    path = tmp_path / "runs.db"
    DAGExecutor(make(), journal=path).start().wait()
    journal = SqliteJournal(path)
    before = loaded(journal)
    plan = Past(before).first_plan
    Index(Reel(before), plan, Shelf(before, plan, spacing=3))._run()
    assert before.checkpoints()
    fail = False
    graph = make()
    resumption = plan_resumption(loaded(journal), graph.validate(), graph.fingerprints(), trust_changes=True)
    DAGExecutor(graph, journal=path, resume=resumption).start().wait()
    after = loaded(journal)
    plan = Past(after).first_plan
    shelf = Shelf(after, plan, spacing=3)
    index = Index(Reel(after), plan, shelf)
    assert not index.knows_all
    index._run()
    assert index.knows_all
    assert after.checkpoints()[-1] == after.last
    past, plain = Past(after, plan=plan), Past(after)
    found = shelf.before(after.last)
    assert found is not None
    past.back_to(found)
    while not plain.forward():
        pass
    assert [*past.ledger.state] == [*plain.ledger.state]
    journal.close()
