"""`dagtop runs`: which ones are listed, which ones are let go of, and what the settings say about that."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from dagtop.core.events import RunFinished, RunStarted
from dagtop.core.states import RunState
from dagtop.journal.sqlite import SqliteJournal
from dagtop.ports.journal import RunRecord
from dagtop_app.commandline.options import UsageError
from dagtop_app.commands.history import moment_of
from dagtop_app.commands.pruning import age_of, bytes_of, size_text

HOUR = 3600.0


def keep_run(
    path: Path, run: str, graph: str = "etl", *, ago: float = 0.0, state: RunState = RunState.SUCCEEDED
) -> None:
    """One run in the file, which began so long ago."""
    began = time.time() - ago
    record = RunRecord(
        run=run,
        graph=graph,
        source=f"/somewhere/{graph}.py",
        started_at=began,
        pid=0,
        names=("a",),
        upstream=((),),
        fingerprints=("f",),
    )
    with closing(SqliteJournal(path)) as journal:
        writer = journal.begin(record, lambda task, message: None)
        counts = {state.value: 1}
        writer.record(1, [RunStarted(0.0, run, graph, began, 1, 4), RunFinished(1.0, state, counts)])
        assert writer.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:  # it was taken up then, not now
        connection.execute("UPDATE sessions SET began_at = ? WHERE run = (SELECT max(id) FROM runs)", (began,))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    keep_run(path, "r1", ago=50 * HOUR)
    keep_run(path, "r2", "etl_eu", ago=3 * HOUR, state=RunState.FAILED)
    keep_run(path, "r3", "crawl", ago=HOUR)
    return path


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], ["r3", "r2", "r1"]),
        (["--graph", "etl"], ["r1"]),
        (["--graph", "etl*"], ["r2", "r1"]),
        (["--state", "failed"], ["r2"]),
        (["--state", "failed", "--state", "succeeded", "--graph", "etl*"], ["r2", "r1"]),
        (["--since", "2d"], ["r3", "r2"]),
        (["--since", "1h30m"], ["r3"]),
        (["--since", "2000-01-01"], ["r3", "r2", "r1"]),
        (["CRAWL.py"], ["r3"]),
        (["etl", "1 failed"], ["r2"]),
        (["etl", "--limit", "1"], ["r2"]),
    ],
)
def test_only_the_runs_that_are_asked_for_are_listed(dagtop_here, kept, arguments, found):
    told = dagtop_here("runs", "--json", *arguments)
    assert [json.loads(line)["run"] for line in told.out.splitlines()] == found
    assert told.code == 0


def test_it_is_said_when_no_run_is_so(dagtop_here, kept):
    told = dagtop_here("runs", "--graph", "nothing")
    assert (told.code, told.out) == (0, "")
    assert "none of the 3 runs in " in told.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--state", "faild"], "there is no state 'faild'; did you mean 'failed'?"),
        (["--since", "soon"], "--since takes a date such as 2025-11-20"),
        (["prune", "--older-than", "30"], "--older-than takes an age such as 12h, 30d or 2w, not '30'"),
        (["prune", "--max-size", "much"], "--max-size takes a size such as 500MB or 2GB, not 'much'"),
        (["prune", "--keep", "-1"], "--keep takes a number of runs, not -1"),
        (["prune"], "nothing says which runs go: give --keep N"),
    ],
)
def test_a_slip_of_the_pen_is_told_in_a_line_and_nothing_goes(dagtop_here, kept, monkeypatch, arguments, expected):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(kept.parent / "none"))
    told = dagtop_here("runs", *arguments)
    assert told.code == 2
    assert expected in told.err
    assert len(SqliteJournal(kept).runs()) == 3


def test_ages_sizes_and_moments_are_read_as_people_write_them():
    assert [age_of(text) for text in ("90s", "12h", "1d12h", "2w")] == [90, 12 * HOUR, 36 * HOUR, 14 * 24 * HOUR]
    assert [bytes_of(text) for text in ("0", "812B", "200k", "1.5 GB", "2MiB")] == [
        0,
        812,
        200_000,
        1_500_000_000,
        2 << 20,
    ]
    assert [size_text(count) for count in (0, 999, 1000, 12_400_000, 999_600_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "12 MB",
        "1.0 GB",
    ]
    noon = 1_763_726_400.0
    assert moment_of("2h", noon) == noon - 2 * HOUR
    assert 0 <= noon - moment_of("today", noon) < 24 * HOUR
    assert 23 * HOUR <= moment_of("today", noon) - moment_of("yesterday", noon) <= 25 * HOUR
    with pytest.raises(UsageError):
        moment_of("2d ago", noon)


def test_prune_lets_go_and_says_what_it_frees(dagtop_here, kept):
    would = dagtop_here("runs", "prune", "--keep", "1", "--dry-run")
    assert len(SqliteJournal(kept).runs()) == 3
    assert "2 runs would go" in would.err
    told = dagtop_here("runs", "prune", "--keep", "1")
    assert told.out == would.out
    first, second = told.out.splitlines()
    assert first.split()[:2] == ["r1", "succeeded"]
    assert second.split()[:2] == ["r2", "failed"]
    assert "(not among the latest 1)" in second
    assert "2 runs pruned, 1 of them could have been resumed; " in told.err
    assert " freed, " in told.err
    assert [run.run for run in SqliteJournal(kept).runs()] == ["r3"]
    assert "no run is to go; " in dagtop_here("runs", "prune", "--keep", "1").err


def test_prune_tells_the_same_as_json(dagtop_here, kept):
    found = json.loads(dagtop_here("runs", "prune", "--max-size", "0", "--json").out)
    assert [(run["run"], run["graph"], run["state"], run["reason"]) for run in found["pruned"]] == [
        ("r1", "etl", "succeeded", "too much in all"),
        ("r2", "etl_eu", "failed", "too much in all"),
        ("r3", "crawl", "succeeded", "too much in all"),
    ]
    assert (found["dry_run"], found["spared"]) == (False, [])
    assert found["bytes_after"] <= found["bytes_before"]


# -- by the settings ---------------------------------------------------------------------------------------------------

GRAPH = "from dagtop import Graph\ngraph = Graph('g').add('a', lambda: 1)\n"


def ids(path: Path) -> int:
    with closing(SqliteJournal(path)) as journal:
        return len(journal.runs())


def test_the_settings_say_how_many_runs_are_kept_when_one_ends(dagtop_here, kept, write):
    write("g.py", GRAPH)
    write("mine.toml", "[journal]\nkeep = 2\n")
    assert dagtop_here("run", "g.py", "--config", "mine.toml").code == 0
    with closing(SqliteJournal(kept)) as journal:
        assert [run.graph for run in journal.runs()] == ["g", "crawl"]
    assert dagtop_here("run", "g.py").code == 0
    assert ids(kept) == 3


def test_a_journal_that_the_file_names_itself_is_the_files_to_keep(dagtop_here, tmp_path, write):
    executor = "from dagtop import DAGExecutor\nexecutor = DAGExecutor(graph, journal='own.db')\ndel graph\n"
    write("g.py", GRAPH + executor)
    write("mine.toml", "[journal]\nkeep = 1\n")
    for _ in range(2):
        assert dagtop_here("run", "g.py", "--config", "mine.toml").code == 0
    assert ids(tmp_path / "own.db") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[journal]\nkeep = -1\n", "mine.toml:2: journal.keep takes a number of runs, not -1"),
        ('[journal]\n\nolder-than = "old"\n', 'mine.toml:3: journal.older-than takes an age such as "30d", not "old"'),
        ('[journal]\nmax-size = "big"\n', 'mine.toml:2: journal.max-size takes a size such as "500MB", not "big"'),
        ("[journal]\nkep = 1\n", "mine.toml:2: there is no setting 'kep' in [journal]; did you mean 'keep'?"),
    ],
)
def test_settings_that_cannot_be_followed_are_told_before_anything_runs(dagtop_here, kept, write, text, expected):
    write("g.py", GRAPH)
    write("mine.toml", text)
    told = dagtop_here("run", "g.py", "--config", "mine.toml", "--plain")
    assert (told.code, told.out) == (2, "")
    assert expected in told.err
    assert ids(kept) == 3


def test_settings_that_nobody_reads_before_the_run_let_nothing_go_when_they_cannot_be_followed(
    dagtop_here, kept, write, monkeypatch
):
    write("g.py", GRAPH)
    write("mine.toml", "[journal]\nkeep = -1\n")
    monkeypatch.setenv("DAGTOP_CONFIG", "mine.toml")
    told = dagtop_here("run", "g.py", "--plain")
    assert told.code == 0
    assert "no run was pruned: mine.toml:2: journal.keep takes a number of runs, not -1" in told.err
    assert ids(kept) == 4


def test_prune_without_options_does_what_the_settings_say(dagtop_here, kept, write, monkeypatch):
    write("mine.toml", '[journal]\nolder-than = "1d"\n')
    monkeypatch.setenv("DAGTOP_CONFIG", "mine.toml")
    assert [line.split()[0] for line in dagtop_here("runs", "prune").out.splitlines()] == ["r1"]
    assert ids(kept) == 2
