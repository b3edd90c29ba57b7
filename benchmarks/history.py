"""What looking back costs: the list of many runs, what is usual, and the comparison of two large runs.

    python benchmarks/history.py [--tasks 100000] [--runs 5000]

Seconds of processor time of this process, so that other work on the machine says little.
"""

from __future__ import annotations

import argparse
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
from dagtop import DAGExecutor, Graph
from dagtop.journal.sqlite import SqliteJournal
from dagtop_app.commands.comparing import compared
from dagtop_app.runs.filter import RunFilter
from dagtop_app.runs.list_model import columns, run_line, with_pasts


def graph_of(tasks: int) -> Graph:
    """A tree of tasks that do nothing."""
    graph = Graph("history", max_parallel=100)

    async def nothing() -> int:
        return 1

    for number in range(tasks):
        graph.add(f"t{number}", nothing, depends_on=[f"t{number // 2}"] if number > 3 else [])
    return graph


def measured(what: str, work: Callable[[], Any]) -> Any:
    """Do it and print what it took."""
    begun = time.process_time()
    found = work()
    print(f"{what:<58} {time.process_time() - begun:7.2f} s")
    return found


def multiplied(path: Path, runs: int) -> None:
    """The first run of a journal many times, in the list."""
    with closing(sqlite3.connect(path)) as connection:
        for table in ("runs", "sessions"):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            (row,) = connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()
            for number in range(1_000, 1_000 + runs):
                told = dict(zip(names, row, strict=True))
                told |= {"id": number, "run": f"many-{number}"} if table == "runs" else {"run": number}
                if table == "sessions" and "id" in told:
                    told["id"] = None
                connection.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(names))})", [*told.values()])
        connection.commit()


def main() -> None:
    """Make the runs, then look back at them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large, many = SqliteJournal(Path(folder, "large.db")), SqliteJournal(Path(folder, "many.db"))
        for journal, tasks in ((large, asked.tasks), (large, asked.tasks), (many, 1)):
            anyio.run(DAGExecutor(graph_of(tasks), journal=journal).run)
        later, earlier = (run.run for run in large.runs())
        record = large.load(later).record
        measured(f"what is usual of {asked.tasks:,} tasks", lambda: large.usual(
            record.source, record.graph, record.names, record.fingerprints, before=later
        ))  # fmt: skip
        measured(f"dagtop diff of two runs of {asked.tasks:,} tasks", lambda: compared(large, earlier, later))
        print(f"  most memory of this process so far: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
        multiplied(many.path, asked.runs)
        runs = measured(f"reading the list of {asked.runs:,} runs", many.runs)
        rows = measured("  what is usual of each", lambda: with_pasts(runs))
        wanted = RunFilter("state:succeeded history", time.time())
        measured("  filtering it", lambda: wanted.passing(rows, problems=False))
        measured("  drawing 40 of them", lambda: [run_line(row, columns(120, rows), 0.0) for row in rows[:40]])


if __name__ == "__main__":
    main()
