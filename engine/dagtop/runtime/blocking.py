"""Running a graph from code that is not async, also where a loop runs already (a notebook)."""

from __future__ import annotations

from pathlib import Path

import anyio
import sniffio

from dagtop.core.commands import CancelRun
from dagtop.graph.declare import Graph
from dagtop.graph.options import ExecutorConfig
from dagtop.runtime.executor import DAGExecutor
from dagtop.runtime.result import RunResult


def run_blocking(graph: Graph, config: ExecutorConfig | None = None, *, journal: str | Path | None = None) -> RunResult:
    """Run a graph to its end and return the result."""
    executor = DAGExecutor(graph, config, journal=journal)
    if not _inside_a_loop():
        return anyio.run(executor.run)
    from dagtop.runtime.thread import EngineThread  # noqa: PLC0415 - only where a loop is in the way

    thread = EngineThread(executor)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        thread.send(CancelRun(reason="interrupted"), by="the keyboard")
        thread.join()
        raise
    if thread.error is not None:
        raise thread.error
    assert thread.result is not None, "a thread that ended without error has a result"
    return thread.result


def _inside_a_loop() -> bool:
    try:
        sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return False
    return True
