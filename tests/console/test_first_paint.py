"""What is not needed for the first paint is not there yet. How long that takes: `benchmarks/console.py`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, cast

import pytest
from dagtop import DAGExecutor, Graph, Reconciler
from dagtop.core.snapshot import EMPTY
from dagtop.observe.story import Story
from dagtop.runtime.thread import EngineThread
from dagtop_app.launching.engine_to_be import EngineToBe
from dagtop_app.launching.kept_where import Kept
from dagtop_app.launching.runtime_kinds import DAG_EXECUTOR, as_executor, as_reconciler
from dagtop_app.logs.store import DeepLogs

#: What carries out a run, keeps it, and parses arguments.
LATER = ("dagtop.runtime.executor", "dagtop.runtime.reconciler", "dagtop.runtime.thread", "dagtop.core.machine",
         "dagtop.journal.sqlite", "sqlite3", "cyclopts", "importlib.metadata")  # fmt: skip


def test_a_graph_and_the_console_need_nothing_of_what_carries_out_a_run() -> None:
    code = f"import sys, dagtop_app.commands.watching, dagtop_app.console; print(*[n for n in {LATER!r} if n in sys.modules])"
    empty = "import sys, textual.app; print(*[n for n in ('importlib.metadata',) if n in sys.modules])"
    told, textuals = (
        set(subprocess.run([sys.executable, "-c", one], capture_output=True, text=True, check=True).stdout.split())
        for one in (code, empty)
    )
    assert told - textuals == set()


def test_executors_are_told_apart_by_what_they_are() -> None:
    graph = Graph("g")
    graph.add("a", lambda: 1)
    executor = DAGExecutor(graph)
    assert as_executor(executor) is executor
    assert as_executor(graph) is None
    assert as_reconciler(graph) is None
    assert isinstance(executor, DAG_EXECUTOR)
    assert (DAG_EXECUTOR.__name__, Reconciler.__name__) == ("DAGExecutor", "Reconciler")


def test_an_engine_is_made_once_when_it_is_needed() -> None:
    graph = Graph("g")
    graph.add("a", lambda: 1)
    made: list[DAGExecutor] = []
    story, logs = Story(), DeepLogs()

    def make() -> tuple[DAGExecutor, EngineThread]:
        made.append(DAGExecutor(graph))
        return made[-1], EngineThread(made[-1], story=story, logs=logs)

    engine = EngineToBe(make, story=story, logs=logs)
    engine.close()
    assert (engine.latest, engine.result, engine.error, dict(engine.usual)) == (EMPTY, None, None, {})
    assert not engine.join(0)
    assert made == []
    engine.start()
    assert engine.join(60)
    assert engine.result is not None
    assert [engine.executor] == made
    assert engine.latest.rows


def test_what_cannot_be_made_is_told_as_what_broke_the_engine_down() -> None:
    def make() -> Any:
        raise ValueError("no such thing")

    engine = EngineToBe(cast("Any", make), story=Story(), logs=DeepLogs())
    engine.start()
    assert str(engine.error) == "no such thing"
    assert not engine.join(0)


def test_the_history_is_opened_once_when_it_is_asked_for() -> None:
    opened: list[int] = []

    def nothing() -> None:
        opened.append(1)

    kept = Kept(nothing, "dagtop resume")
    assert opened == []
    assert (kept.journal, kept.again) == (None, "")
    assert opened == [1]


@pytest.mark.parametrize("name", ["DAGExecutor", "Reconciler"])
def test_a_file_that_defines_none_is_told_which_ones_there_are(name: str) -> None:
    from dagtop_app.launching.preparing import KINDS

    assert name in [kind.__name__ for kind in KINDS]
