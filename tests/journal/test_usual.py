"""How long tasks usually take, as journals remember it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from dagtop.core.events import RunStarted, TaskStarted, TaskSucceeded
from dagtop.journal import schema
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.sqlite import SqliteJournal
from dagtop.journal.usual import FEWEST, RUNS, runs_to_look_at, timings_of, usual_of
from dagtop.ports.journal import Journal
from journal_scene import HOSTILE, Told, record_of

GRAPH = {"a": (), "b": ("a",)}
OLD, NEW = "0" * 16, "1" * 16


@pytest.fixture(params=["sqlite", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    return SqliteJournal(tmp_path / "runs.db") if request.param == "sqlite" else MemoryJournal()


def keep(
    journal: Journal,
    run: str,
    seconds: Sequence[float],
    fingerprints: Sequence[str] = (OLD, OLD),
    names: Sequence[str] = ("a", "b"),
    **record: object,
) -> None:
    writer = journal.begin(
        record_of(run, dict.fromkeys(names[: len(fingerprints)], ()), fingerprints, **record), Told()
    )
    writer.took(names, fingerprints, seconds)
    assert writer.close()


def asked(journal: Journal, *marks: str, names: Sequence[str] = ("a", "b")) -> dict[str, tuple[float, float, int]]:
    found = journal.usual("/somewhere/g.py", "g", names, marks or (OLD,) * len(names))
    return {name: (round(usual.median, 4), round(usual.p95, 4), usual.runs) for name, usual in found.items()}


def test_nothing_is_known_before_the_first_run_has_ended(journal: Journal) -> None:
    assert asked(journal) == {}
    writer = journal.begin(record_of("r1", GRAPH), Told())
    assert asked(journal) == {}
    writer.close()
    assert asked(journal) == {}


def test_B8_the_median_and_p95_of_the_runs_are_told_with_their_number(journal: Journal) -> None:
    for number, seconds in enumerate([1.0, 9.0, 2.0, 4.0]):
        keep(journal, f"r{number}", [seconds, -1.0])
    assert asked(journal) == {"a": (3.0, 9.0, 4)}


def test_B8_runs_with_the_same_fingerprint_decide(journal: Journal) -> None:
    keep(journal, "r1", [1.0, 1.0], (OLD, OLD))
    keep(journal, "r2", [2.0, 3.0], (OLD, OLD))
    keep(journal, "r3", [10.0, 5.0], (NEW, OLD))
    assert asked(journal, NEW, OLD) == {"a": (10.0, 10.0, 1), "b": (3.0, 5.0, 3)}
    assert asked(journal, OLD, OLD) == {"a": (1.5, 2.0, 2), "b": (3.0, 5.0, 3)}


def test_B8_without_a_run_of_that_fingerprint_all_of_them_count(journal: Journal) -> None:
    keep(journal, "r1", [1.0, -1.0], (OLD, OLD))
    keep(journal, "r2", [3.0, 7.0], (OLD, OLD))
    assert asked(journal, NEW, NEW) == {"a": (2.0, 3.0, 2), "b": (7.0, 7.0, 1)}


def test_B8_only_the_latest_runs_count(journal: Journal) -> None:
    for number in range(RUNS + 5):
        keep(journal, f"r{number:02}", [float(number), 1.0])
    assert asked(journal) == {"a": (14.5, 23.0, RUNS), "b": (1.0, 1.0, RUNS)}


def test_tasks_are_found_by_name_when_the_graph_has_others_now(journal: Journal) -> None:
    keep(journal, "r1", [1.0, 2.0])
    keep(journal, "r2", [5.0, 3.0, 4.0], (OLD,) * 3, ("new", "b", "a"))
    assert asked(journal, names=("b", "other", "a")) == {"b": (2.5, 3.0, 2), "a": (2.5, 4.0, 2)}


def test_tasks_that_came_while_the_run_went_on_are_remembered(journal: Journal) -> None:
    keep(journal, "r1", [1.0, 2.0, 8.0], (OLD, OLD), ("a", "b", "spawned"))
    assert asked(journal, names=("spawned",)) == {"spawned": (8.0, 8.0, 1)}


def test_graphs_of_other_files_have_their_own_figures(journal: Journal) -> None:
    keep(journal, "r1", [1.0, 1.0], source="/elsewhere/g.py")
    keep(journal, "r2", [2.0, 2.0], source="", graph="by hand")
    keep(journal, "r3", [3.0, 3.0], source="", graph="g")
    assert asked(journal) == {}
    assert journal.usual("", "by hand", ("a",), (OLD,))["a"].median == 2.0
    assert journal.usual("/elsewhere/g.py", "another name", ("a",), (OLD,))["a"].median == 1.0


def test_hostile_names_are_told_apart(journal: Journal) -> None:
    keep(journal, "r1", [float(at) for at in range(len(HOSTILE))], (OLD,) * len(HOSTILE), HOSTILE)
    reversed_names = tuple(reversed(HOSTILE))
    assert {name: found[0] for name, found in asked(journal, names=reversed_names).items()} == {
        name: float(at) for at, name in enumerate(HOSTILE)
    }


def test_any_text_is_a_fingerprint(journal: Journal) -> None:
    keep(journal, "r1", [1.0, 2.0], ("f", ""))
    keep(journal, "r2", [3.0, 4.0], ("é" * 16, "\ud800"))
    assert asked(journal, "f", "\ud800") == {"a": (1.0, 1.0, 1), "b": (4.0, 4.0, 1)}


def test_a_resumed_run_adds_what_its_second_session_did(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "runs.db")
    keep(journal, "r1", [1.0, -1.0])
    writer = journal.resume(record_of("r1", GRAPH, (OLD, OLD)), 1, Told())
    writer.took(("a", "b"), (OLD, OLD), [-1.0, 6.0])
    assert writer.close()
    assert asked(journal) == {"a": (1.0, 1.0, 1), "b": (6.0, 6.0, 1)}


def test_a_deleted_run_takes_its_figures_with_it(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "runs.db")
    keep(journal, "r1", [1.0, 2.0])
    with closing(sqlite3.connect(journal.path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM runs")
    assert asked(journal) == {}


@pytest.mark.parametrize("damage", ["seconds = x'00'", "marks = x'00'", "marks = x'', seconds = x''"])
def test_a_damaged_row_is_no_figure_and_no_error(tmp_path: Path, damage: str) -> None:
    journal = SqliteJournal(tmp_path / "runs.db")
    keep(journal, "r1", [1.0, 2.0])
    keep(journal, "r2", [3.0, 4.0])
    with closing(sqlite3.connect(journal.path)) as connection, connection:
        connection.execute(f"UPDATE durations SET {damage} WHERE run = 1")
    assert asked(journal) == {"a": (3.0, 3.0, 1), "b": (4.0, 4.0, 1)}


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = SqliteJournal(tmp_path / "runs.db")
    with monkeypatch.context() as before:
        before.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        before.setattr(schema, "VERSION", 1)
        journal.begin(record_of("r1", GRAPH), Told()).close()
    assert asked(journal) == {}
    keep(journal, "r2", [1.0, 2.0])
    assert asked(journal) == {"a": (1.0, 1.0, 1), "b": (2.0, 2.0, 1)}
    assert [run.run for run in journal.runs()] == ["r2", "r1"]


def test_B8_of_a_run_that_was_killed_or_of_an_older_file_the_events_tell(tmp_path: Path) -> None:
    for source, graph in (("/somewhere/g.py", "g"), ("", "by hand")):
        journal = SqliteJournal(tmp_path / f"{graph}.db")
        writer = journal.begin(record_of("r1", GRAPH, (OLD, NEW), source=source, graph=graph), Told())
        events = [
            RunStarted(0.0, "r1", "g", 1000.0, 2, 1),
            TaskStarted(1.0, "a", 1),
            TaskSucceeded(3.5, "a", 1),
            TaskStarted(4.0, "b", 1),
        ]
        writer.record(1, events)
        writer.close()
        found = journal.usual(source, graph, ("a", "b"), (OLD, NEW))
        assert found == {"a": (2.5, 2.5, 1)}
        keep(journal, "r2", [1.0, 2.0], source=source, graph=graph)
        assert journal.usual(source, graph, ("a",), (OLD,)) == {"a": (1.0, 1.0, 1)}


def test_of_a_large_graph_fewer_runs_are_looked_at() -> None:
    assert [runs_to_look_at(tasks) for tasks in (0, 10, 5_000, 10_000, 10**6)] == [RUNS, RUNS, RUNS, 10, FEWEST]


def test_seconds_that_are_0_are_known() -> None:
    timings = timings_of(("a",), (OLD,), [0.0])
    assert usual_of(("a",), (OLD,), [(timings, tuple)])["a"] == (0.0, 0.0, 1)
