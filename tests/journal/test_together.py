"""Several processes at one file at the same time: four that write runs, and one that reads them and lets them go."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from textwrap import dedent

from dagtop.core.events import RunFinished, TaskSucceeded
from dagtop.errors import JournalError
from dagtop.journal.retention import Retention, prune
from dagtop.journal.sqlite import SqliteJournal
from journal_scene import environ_for_children

WRITERS, ROUNDS, TASKS = 4, 6, 40

#: Writes run after run, as fast as it can, each while the others write theirs; says which ones are whole and safe.
WRITER = f"""
    import sys
    from journal_scene import begin, record_of
    from dagtop.journal.sqlite import SqliteJournal

    journal = SqliteJournal(sys.argv[1])
    sys.stdin.readline()
    for number in range({ROUNDS}):
        run = f"w{{sys.argv[2]}}-{{number}}"
        session = begin(journal, record_of(run, dict.fromkeys([f"t{{n}}" for n in range({TASKS})], ())))
        session.start(run, {TASKS})
        for n in range({TASKS}):
            session.succeed(f"t{{n}}", [run, n, "x" * 300])
        session.finish(succeeded={TASKS})
        assert session.writer.close(60), session.told.problems
        assert session.told.problems == [], session.told.problems
        print(run, flush=True)
"""


def test_B38_four_writers_a_reader_and_one_who_prunes_share_one_file_and_nothing_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", dedent(WRITER), str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ_for_children(),
        )
        for number in range(WRITERS)
    ]
    pruned: set[str] = set()
    with closing(SqliteJournal(path)) as journal:
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        looks = 0
        while any(writer.poll() is None for writer in writers):
            looks += read_all(journal)
            pruned |= {one.run.run for one in prune(journal, Retention(keep=12), whole_check=False).gone}
        told = [writer.communicate() for writer in writers]
        assert [errors for _, errors in told] == [""] * WRITERS
        safe = {run for out, _ in told for run in out.split()}
        assert len(safe) == WRITERS * ROUNDS
        assert looks > 0
        assert {run.run for run in journal.runs()} == safe - pruned
        assert all(run.state == "succeeded" for run in journal.runs())
        read_all(journal)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def read_all(journal: SqliteJournal) -> int:
    """What is there is whole, as far as it has come, or was pruned before one's eyes; returns how many runs were read."""
    read = 0
    for run in journal.runs()[:3]:
        try:
            stored = journal.load(run.run)
            events = list(stored.events())
            done = [event.task for event in events if isinstance(event, TaskSucceeded)]
            assert done == [f"t{number}" for number in range(len(done))]
            assert stored.outputs(done) == {name: [run.run, number, "x" * 300] for number, name in enumerate(done)}
            if events and isinstance(events[-1], RunFinished):
                assert len(done) == TASKS
            read += 1
        except JournalError as error:
            if not any(
                text in str(error) for text in ("somebody has pruned it", "there is no run", "there are no runs")
            ):
                raise
    return read
