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


class TestWhatATaskIsMadeOf:
    """Another result is another fingerprint, wherever in the user's code the difference is."""

    _MODULE = """
import functools, json
LIMIT = {limit}

def deep(x):
    return x {sign} 1

class Helper:
    def work(self, x):
        return deep(x)

    def __call__(self, up):
        return up {call} 2

def helper(x):
    return Helper().work(x)

def wrapped(n):
    def decorate(fn):
        @functools.wraps(fn)
        def inner(up):
            return fn(up) * n
        return inner
    return decorate

def make(fn):
    def task(up):
        return fn(up)
    return task

def plain(up):
    return [helper(x) for x in up], json.dumps(up)

@wrapped({times})
def decorated(up):
    return up

chosen = make(lambda up: up {chosen} 3)
called = Helper()
method = Helper().work
limited = lambda up: up[:LIMIT]
"""

    def marks(self, tmp_path: Path, **changes: object) -> dict[str, tuple[str, str]]:
        """By task (fingerprint, the cache's mark) of a module with changes."""
        from dagtop.graph.fingerprint import code_mark

        given = {"limit": 5, "sign": "+", "call": "+", "times": 2, "chosen": "+"} | changes
        path = tmp_path / f"module_{'_'.join(map(str, given.values())).translate({43: 'p', 45: 'm'})}.py"
        path.write_text(self._MODULE.format(**given))
        scope: dict[str, Any] = {"__name__": "somewhere"}
        exec(compile(path.read_text(), str(path), "exec"), scope)
        found = {}
        for name in ("plain", "decorated", "chosen", "called", "method", "limited"):
            graph = Graph("g").add("up", _up).add(name, scope[name], depends_on=["up"]) if name != "method" else None
            policy = Graph("g").add("up", _up).validate().policies[0]
            own = graph.fingerprints()[1] if graph is not None else code_mark(scope[name], policy)
            found[name] = own, code_mark(scope[name], policy, values=True)
        return found

    @pytest.mark.parametrize(
        ("change", "tasks"),
        [
            ({}, set()),
            ({"sign": "-"}, {"plain", "method"}),
            ({"times": 3}, {"decorated"}),
            ({"chosen": "-"}, {"chosen"}),
            ({"call": "-"}, {"called", "plain"}),
        ],
    )
    def test_B39_a_change_is_seen_in_what_a_task_calls_wraps_and_closes_over(
        self, tmp_path: Path, change: dict[str, object], tasks: set[str]
    ) -> None:
        before, after = self.marks(tmp_path), self.marks(tmp_path, **change)
        assert {name for name in before if before[name] != after[name]} >= tasks
        if not change:
            assert before == after

    def test_a_plain_global_counts_for_the_cache_and_not_for_resuming(self, tmp_path: Path) -> None:
        before, after = self.marks(tmp_path)["limited"], self.marks(tmp_path, limit=6)["limited"]
        assert before[0] == after[0]
        assert before[1] != after[1]

    @pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, ValueError])
    def test_B26_an_object_that_exits_the_program_when_it_is_looked_at_does_not(
        self, kind: type[BaseException]
    ) -> None:
        from dagtop.graph.source import source_of, stable_text

        class Exits:
            def __getattribute__(self, name: str) -> Any:
                raise kind

            def __eq__(self, other: object) -> bool:
                raise kind

            __hash__ = None  # type: ignore[assignment]

        exits = Exits()
        assert "Exits" in stable_text(exits)
        assert "Exits" in source_of(lambda: exits, values=True)

    def test_the_state_of_an_object_counts_for_the_cache(self) -> None:
        from dagtop.graph.source import source_of

        class Owner:
            def __init__(self, n: int) -> None:
                self.n = n

            def work(self) -> int:
                return self.n

        assert source_of(Owner(1).work) == source_of(Owner(2).work)
        assert source_of(Owner(1).work, values=True) != source_of(Owner(2).work, values=True)
        assert source_of(Owner(1).work, values=True) == source_of(Owner(1).work, values=True)

    def test_code_without_a_text_is_told_apart_by_what_it_does(self) -> None:
        from dagtop.graph.source import source_of

        texts = [source_of(eval(f"lambda: [(lambda: {n})() for _ in 'a']")) for n in (1, 2, 1)]
        assert texts[0] != texts[1]
        assert texts[0] == texts[2]
        assert " at 0x" not in texts[0]

    def test_whatever_an_object_does_when_it_is_looked_at_it_has_a_text(self) -> None:
        from dagtop.graph.source import source_of

        class Hostile:
            def __getattribute__(self, name: str) -> Any:
                raise RuntimeError("no")

            __call__ = None

        assert source_of(Hostile(), values=True)  # type: ignore[arg-type]
