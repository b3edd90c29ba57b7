"""The guide's examples of code that starts and steers runs are true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from dagtop import DAGExecutor, Graph, Run, RunState, TaskState
from dagtop.core.events import AnyEvent
from dagtop.runtime.commanding import Commanding

PAGE = (Path(__file__).parents[2] / "docs" / "guide" / "from-code.md").read_text(encoding="utf-8")
SECTION, TESTING = (
    PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0] for title in ("Runs from code", "Tests of your graphs")
)
EVENT_TYPES = {kind.__struct_config__.tag for kind in get_args(AnyEvent)}
EXAMPLES = re.findall(r"```py\n(.*?)```", SECTION + TESTING, re.DOTALL)


def run_example(number: int) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(EXAMPLES[number], f"the guide, example {number} from code", "exec", dont_inherit=True), names)
    return names


def test_a_run_is_started_steered_and_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    names = run_example(0)
    assert names["run"].result["publish"].output == 7
    plan, *_ = capsys.readouterr().out.splitlines()
    (told,) = re.findall(r"# (ExecutionPlan.*?)…", EXAMPLES[0])
    assert plan.startswith(told)


def test_callbacks_hear_of_it_and_an_event_cancels(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_example(1)["result"]
    assert result.state in (RunState.CANCELLED, RunState.FAILED)
    assert result["load_orders"].state is TaskState.FAILED
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_a_graph_is_rehearsed() -> None:
    run_example(2)
    assert len(EXAMPLES) == 3


def test_what_a_run_shows_is_told_as_it_is() -> None:
    run = DAGExecutor(Graph("g").add("load", lambda: print("a line")), capture=True).start()
    run.wait(20)
    assert "`run.snapshot.rows`" in SECTION
    assert "`run.snapshot.counts`" in SECTION
    assert [(row.name, row.state) for row in run.snapshot.rows] == [("load", TaskState.SUCCEEDED)]
    assert run.snapshot.counts[TaskState.SUCCEEDED] == 1
    assert '`run.logs.tail("load", 50)`' in SECTION
    assert [line.text for line in run.logs.tail("load", 50)] == ["a line"]
    assert run.logs.tail(None, 50) == run.logs.tail("load", 50)


def test_every_command_is_told() -> None:
    commands = {name for name, value in vars(Commanding).items() if callable(value) and not name.startswith("_")}
    assert [name for name in commands - {"send"} if f"`{name}`" not in SECTION] == []
    told = {name for name in re.findall(r"`run\.(\w+)", SECTION) if f"run.{name}" not in EVENT_TYPES}
    assert [name for name in told if not hasattr(Run, name)] == []
