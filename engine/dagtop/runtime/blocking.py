"""Running a graph from code that is not async, also where a loop runs already (a notebook)."""

from __future__ import annotations

from pathlib import Path

import anyio

from dagtop.errors import JournalError
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.runnable import Runnable
from dagtop.runtime.caller_event import library_here
from dagtop.runtime.executor import DAGExecutor
from dagtop.runtime.result import RunResult


def run_blocking(
    graph: Runnable, config: ExecutorConfig | None = None, *, journal: str | Path | None = None
) -> RunResult:
    """Run a graph to its end and return the result."""
    executor = DAGExecutor(graph, config, journal=journal)
    if library_here() is None:
        return anyio.run(executor.run)
    from dagtop.runtime.handle import Run  # noqa: PLC0415 - only where a loop is in the way

    run = Run(executor)  # its cancel_event is waited for on its own loop: the one that runs here stands still
    run.begin()
    with run:
        return run.wait()


def usual_seconds(graph: Runnable, config: ExecutorConfig, journal: str | Path) -> dict[int, float]:
    """By task index: how long it usually took in the runs that a journal keeps of this graph.

    Raises
    ------
    JournalError: there is no such file, or it cannot be read.
    """
    from dagtop.journal.sqlite import SqliteJournal  # noqa: PLC0415 - only where one is wanted

    if not Path(journal).exists():
        raise JournalError(
            f"there is no journal at {journal}: give the path that runs are kept at, or leave journal out until there is one"
        )
    kept = SqliteJournal(Path(journal))
    try:
        plan = graph.validate(config)
        found = kept.usual("", graph.name, plan.names, graph.fingerprints(config))
    finally:
        kept.close()
    return {plan.index[name]: usual.median for name, usual in found.items()}
