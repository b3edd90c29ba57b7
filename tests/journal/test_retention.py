"""Which runs a journal lets go of: only those that it was asked to, never one that is open, and the file becomes smaller."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from dagtop.errors import JournalError
from dagtop.journal.retention import Retention, choose, prune, size_on_disk
from dagtop.journal.sqlite import SqliteJournal
from dagtop.ports.journal import RunSummary
from journal_scene import begin, chain, record_of

GRAPH = chain(["a", "b"])
DAY = 86_400.0


def summary(run: str, opened_at: float, *, alive: bool = False, finished_at: float | None = None) -> RunSummary:
    return RunSummary(
        run=run,
        graph="g",
        source="",
        started_at=0.0,
        state="running" if alive else "succeeded",
        finished_at=finished_at,
        opened_at=opened_at,
        alive=alive,
    )


def chosen(wanted: Retention, runs: list[RunSummary], now: float = 10 * DAY, size: int = 100) -> list[str]:
    return [run.run for run, _ in choose(runs, wanted, now, lambda _: size)]


def test_the_latest_are_kept_by_when_they_were_taken_up_last() -> None:
    runs = [summary("c", 3.0), summary("b", 2.0), summary("a", 9.0)]
    assert chosen(Retention(keep=2), runs) == ["b"]
    assert chosen(Retention(keep=0), runs) == ["b", "c", "a"]
    assert chosen(Retention(keep=3), runs) == []


def test_a_run_is_as_old_as_its_end() -> None:
    runs = [summary("long", DAY, finished_at=9 * DAY), summary("short", DAY, finished_at=DAY)]
    assert chosen(Retention(older_than=2 * DAY), runs) == ["short"]


def test_the_oldest_go_until_the_rest_is_small_enough_and_open_ones_count_but_stay() -> None:
    runs = [summary("d", 4.0), summary("c", 3.0), summary("b", 2.0), summary("a", 1.0, alive=True)]
    assert chosen(Retention(max_size=250), runs) == ["b", "c"]
    assert chosen(Retention(keep=0, older_than=0.0, max_size=0), runs) == ["b", "c", "d"]


def test_any_of_them_lets_a_run_go_and_the_reason_is_told() -> None:
    runs = [summary("c", 9 * DAY), summary("b", 8 * DAY), summary("a", DAY)]
    wanted = Retention(keep=2, older_than=1.5 * DAY)
    assert [(run.run, why) for run, why in choose(runs, wanted, 10 * DAY, lambda _: 0)] == [
        ("a", "not among the latest 2"),
        ("b", "too old"),
    ]
    assert not Retention().asks
    assert chosen(Retention(), runs) == []


def fill(path: Path, runs: int = 4, **changes: object) -> SqliteJournal:
    journal = SqliteJournal(path)
    for number in range(runs):
        session = begin(journal, record_of(f"r{number}", GRAPH, **changes))
        session.start(f"r{number}", 2)
        session.succeed("a", [number] * 60_000)
        session.succeed("b", number)
        session.finish(succeeded=2)
        assert session.writer.close()
    return journal


def test_a_pruned_file_is_smaller_whole_and_has_the_rest_as_it_was(tmp_path: Path) -> None:
    with closing(fill(tmp_path / "runs.db")) as journal:
        before = [list(journal.load("r3").events()), journal.load("r3").output("a")]
        journal.close()
        only_told = prune(journal, Retention(keep=1), dry=True)
        assert len(journal.runs()) == 4
        pruned = prune(journal, Retention(keep=1))
        assert [one.run.run for one in pruned.gone] == [one.run.run for one in only_told.gone] == ["r0", "r1", "r2"]
        assert all(one.size > 100_000 for one in pruned.gone)
        assert pruned.after == size_on_disk(journal.path) < pruned.before - 300_000
        assert [run.run for run in journal.runs()] == ["r3"]
        assert [list(journal.load("r3").events()), journal.load("r3").output("a")] == before
        with closing(sqlite3.connect(journal.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_what_is_small_enough_is_left_alone(tmp_path: Path) -> None:
    with closing(fill(tmp_path / "runs.db")) as journal:
        assert prune(journal, Retention(max_size=10**9)).gone == ()
        assert [one.run.run for one in prune(journal, Retention(max_size=300_000)).gone] == ["r0", "r1"]


def test_a_run_that_is_open_stays_and_is_written_on(tmp_path: Path) -> None:
    with closing(fill(tmp_path / "runs.db")) as journal:
        session = begin(journal, record_of("open", GRAPH))
        session.start("open", 2)
        assert [one.run.run for one in prune(journal, Retention(keep=0)).gone] == ["r0", "r1", "r2", "r3"]
        session.succeed("a", 1)
        session.finish()
        assert session.writer.close()
        assert session.told.problems == []
        assert journal.load("open").output("a") == 1


def test_the_latest_desired_state_of_a_file_stays_since_the_next_start_goes_on_with_it(tmp_path: Path) -> None:
    with closing(fill(tmp_path / "runs.db", setup={"supervises": True})) as journal:
        pruned = prune(journal, Retention(keep=0))
        assert [one.run.run for one in pruned.gone] == ["r0", "r1", "r2"]
        assert [(run.run, why) for run, why in pruned.spared] == [
            ("r3", "the next start of its services goes on with it")
        ]


def test_a_reader_of_a_run_that_goes_is_told_so(tmp_path: Path) -> None:
    with closing(fill(tmp_path / "runs.db")) as journal:
        stored = journal.load("r0")
        assert stored.output("a")[0] == 0
        prune(journal, Retention(keep=1))
        with pytest.raises(JournalError, match="r0 is not kept any more: somebody has pruned it"):
            list(stored.events())
        with pytest.raises(JournalError, match="r0 is not kept any more"):
            stored.output("a")


def test_what_a_pruned_run_had_returned_is_an_error_and_not_none(tmp_path: Path) -> None:
    """A reader had the events, and looked for the outputs when they were gone: it took them for None."""
    with closing(fill(tmp_path / "runs.db")) as journal:
        one, all_of_them = journal.load("r0"), journal.load("r0")
        for stored in (one, all_of_them):
            stored.history()
        prune(journal, Retention(keep=1))
        for look in (lambda: one._encoded_output(1, "a", 1), lambda: all_of_them._looking().__enter__()):
            with pytest.raises(JournalError, match="r0 is not kept any more"):
                look()


def test_there_is_nothing_to_do_without_a_file(tmp_path: Path) -> None:
    pruned = prune(SqliteJournal(tmp_path / "runs.db"), Retention(keep=0))
    assert (pruned.gone, list(tmp_path.iterdir())) == ((), [])


def tear(path: Path) -> bytes:
    """Make one page in the middle unreadable; returns the file as it is then."""
    with path.open("r+b") as file:
        file.seek(16384 * 3)
        file.write(b"\xa5" * 4000)
    return path.read_bytes()


def test_B38_a_damaged_file_is_told_with_the_way_out_before_a_run_begins_in_it_and_stays_as_it_is(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runs.db"
    fill(path).close()
    torn = tear(path)
    with closing(SqliteJournal(path)) as journal:
        with pytest.raises(JournalError, match=r"damaged .* move it away .* choose another file; .* \.recover"):
            begin(journal, record_of("r9", GRAPH))
        with pytest.raises(JournalError, match="damaged"):
            prune(journal, Retention(keep=1))
    assert path.read_bytes() == torn
