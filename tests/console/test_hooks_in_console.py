"""Hooks and plugins of a run that is watched in the console: they are called as without it, also when a task is run again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from console_pilot import Clock, Seen
from console_terminal import on_terminal
from dagtop import DAGExecutor, Graph, Plugin, RunState
from dagtop.ports.plugin import RunInfo, RunOutcome, TaskOutcome
from dagtop.runtime.thread import EngineThread
from dagtop_app.console import ConsoleApp

pytestmark = pytest.mark.anyio

#: Looks at the screen before it is given up; nothing waits for so long unless something is broken.
_LOOKS = 3000


class Heard(Plugin):
    """A plugin that writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def before_run(self, run: RunInfo) -> None:
        self.calls.append("before run")

    def after_run(self, run: RunOutcome) -> None:
        self.calls.append(f"after run {run.state.value}")

    def after_task(self, task: TaskOutcome) -> None:
        self.calls.append(f"after {task.task} {task.state.value}")


def watched(graph: Graph, **options: Any) -> tuple[ConsoleApp, EngineThread]:
    engine = EngineThread(DAGExecutor(graph, **options), hold_open=True)
    return ConsoleApp(engine, title="hooked.py", now=lambda: 0.0, begin=engine.start), engine


async def until(seen: Seen, holds: Callable[[], bool]) -> None:
    for _ in range(_LOOKS):
        await seen.settle()
        if holds():
            return
        await anyio.sleep(0.005)
    raise AssertionError(f"never so:\n{seen.text}")


async def test_hooks_of_the_graph_and_plugins_hear_of_a_run_in_the_console_while_it_is_open() -> None:
    graph, heard, hooked = Graph("hooked"), Heard(), list[str]()
    graph.add("first", lambda: 1)
    graph.hooks.before_run(lambda run: hooked.append("before run"))
    graph.hooks.after_run(lambda run: hooked.append(f"after run {run.state.value}"))
    app, engine = watched(graph, plugins=[heard])
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Seen(app, pilot, engine, Clock())  # type: ignore[arg-type]  # it is asked for nothing that this has not
        # Each hook has a thread of its own: which of two comes first is not said.
        await until(seen, lambda: "after run succeeded" in heard.calls and len(hooked) >= 2)
        assert heard.calls == ["before run", "after first succeeded", "after run succeeded"]
        assert sorted(hooked) == ["after run succeeded", "before run"]
    engine.close()
    assert engine.join(20)
    assert len(hooked) == 2


async def test_a_run_that_goes_on_by_a_key_is_told_as_one_again() -> None:
    fails = [True]
    graph, heard = Graph("again"), Heard()

    @graph.task
    def first() -> None:
        if fails.pop() if fails else False:
            raise OSError("once")

    app, engine = watched(graph, plugins=[heard])
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Seen(app, pilot, engine, Clock())  # type: ignore[arg-type]  # as above
        # The key is about what is shown: of a task that still runs it would ask first.
        await until(seen, lambda: "after run failed" in heard.calls and app.main.snapshot.state is RunState.FAILED)
        await seen.press("r")
        await until(seen, lambda: "after run succeeded" in heard.calls)
        after = heard.calls[heard.calls.index("after run failed") + 1 :]
        assert after[-2:] == ["after first succeeded", "after run succeeded"]
    engine.close()
    assert engine.join(20)


FILE = """
    from pathlib import Path
    from dagtop import Graph

    graph = Graph("hooked")

    def note(line):
        with Path("told.txt").open("a") as file:
            file.write(f"{line}\\n")

    @graph.hooks.before_run
    def before(run):
        note("before run")

    @graph.hooks.after_run
    def after(run):
        note(f"after run {run.state.value}")

    @graph.task
    def first():
        return 1
"""


def test_in_a_real_terminal_they_have_been_called_when_the_console_is_left(tmp_path: Path) -> None:
    with on_terminal(tmp_path, FILE) as real:
        real.until("SUCCEEDED 0:")  # not only the task
        real.press("q")
        assert real.end() == 0
    assert (tmp_path / "told.txt").read_text().splitlines() == ["before run", "after run succeeded"]
