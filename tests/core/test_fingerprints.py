"""B39: a hash of what decides a result; the same in every process, another when code, options or inputs change."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dagtop import ExecutorConfig, Graph, Retry

_SCRIPT = """
from dagtop import Graph

def helper(x, seen={"b", "a", "c"}):
    return x in {"one", "two", "three"}

graph = Graph("g", inputs={"n": {"z": 1, "a": {3, 1, 2}}})

@graph.task(trigger="all_done")
def first(n, tags=("x", "y")):
    return helper(n)

graph.add("second", lambda first: first)
specs = Graph.from_specs("s", tasks={"a": {"k": 1}, "b": [1, 2]}, dependencies={"b": ["a"]}, run=helper)
print(*graph.fingerprints(), *specs.fingerprints())
"""


def test_B39_they_are_the_same_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(_SCRIPT)
    paths = os.pathsep.join(path for path in sys.path if path)
    printed = {
        subprocess.run(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(printed) == 1
    marks = printed.pop().split()
    assert len(set(marks)) == 4


def _of(build: Callable[[Graph], object], **options: Any) -> str:
    graph = Graph("g", **options)
    graph.add("up", _up)
    build(graph)
    return graph.fingerprints()[1]


def _up() -> int:
    return 1


def _one(up: int) -> int:
    return up + 1


def _two(up: int) -> int:
    return up + 2


def _closing_over(n: int) -> Callable[..., int]:
    def task(up: int) -> int:
        return up + n

    return task


def test_B39_another_function_or_closure_is_another_fingerprint() -> None:
    marks = [
        _of(lambda g: g.add("t", _one)),
        _of(lambda g: g.add("t", _two)),
        _of(lambda g: g.add("t", _closing_over(1))),
        _of(lambda g: g.add("t", _closing_over(2))),
        _of(lambda g: g.add("t", _up)),
    ]
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize("options", [{"trigger": "all_done"}, {"on_upstream_failure": "run"}])
def test_B39_options_that_decide_what_a_task_is_given_count(options: dict[str, Any]) -> None:
    assert _of(lambda g: g.add("t", _one, **options)) != _of(lambda g: g.add("t", _one))


@pytest.mark.parametrize(
    "options", [{"retries": Retry()}, {"timeout": 5}, {"priority": 3}, {"cost": 9}, {"tags": "x"}, {"description": "y"}]
)
def test_B39_options_that_only_decide_how_it_is_run_do_not(options: dict[str, Any]) -> None:
    assert _of(lambda g: g.add("t", _one, **options)) == _of(lambda g: g.add("t", _one))


def test_B39_an_input_counts_for_the_tasks_that_take_it() -> None:
    graph = Graph("g").add("takes", lambda n: n).add("does_not", _up)
    one, two = (graph.fingerprints(ExecutorConfig(inputs={"n": n})) for n in (1, 2))
    assert one[0] != two[0]
    assert one[1] == two[1]


def test_B39_a_spec_counts_for_its_task_alone() -> None:
    one, two = (
        Graph.from_specs("g", tasks={"a": a, "b": {"x": 1}}, run=lambda task, spec: spec).fingerprints() for a in (1, 2)
    )
    assert one[0] != two[0]
    assert one[1] == two[1]


@pytest.mark.parametrize("value", [object(), {1, "a"}, lambda: 1, float("nan"), b"\xff", "\ud800", {(1, 2): 3}])
def test_B39_whatever_a_spec_holds_there_is_a_fingerprint(value: Any) -> None:
    graph = Graph.from_specs("g", tasks={"a": value}, run=lambda task, spec: spec)
    assert graph.fingerprints() == graph.fingerprints()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Path("a.csv"), Path("b.csv")),
        ({"file": Path("a.csv")}, {"file": Path("b.csv")}),
        ({(1, 2): 3}, {(1, 2): 4}),
        ({1, "a"}, {2, "a"}),
        (re.compile("a"), re.compile("b")),
        (2**70, 2**71),
    ],
)
def test_B39_a_value_that_json_has_no_words_for_counts_too(before: Any, after: Any) -> None:
    """Two paths once had one fingerprint: a resumed run kept the results of the wrong file."""

    def of_spec(value: Any) -> tuple[str, ...]:
        return Graph.from_specs("g", tasks={"a": value}, run=lambda task, spec: spec).fingerprints()

    graph = Graph("g")
    graph.add("task", lambda value: value)

    def of_input(value: Any) -> tuple[str, ...]:
        return graph.fingerprints(ExecutorConfig(inputs={"value": value}))

    assert of_spec(before) != of_spec(after)
    assert of_input(before) != of_input(after)
    assert of_spec(before) == of_spec(copy.deepcopy(before))
