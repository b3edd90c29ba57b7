"""Rules for the tests themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
#: Clocks that only a measurement needs: how fast something is, is a question for `benchmarks/`.
STOPWATCHES = frozenset({"perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "thread_time", "timeit"})


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name, attribute and import, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case _:
                pass


def measures_a_time(node: ast.AST) -> bool:
    """Whether it asserts on a difference of clock readings. A deadline for losing patience is no measurement."""
    return isinstance(node, ast.Assert) and any(
        isinstance(part, ast.BinOp)
        and isinstance(part.op, ast.Sub)
        and any(name == "monotonic" for _, name in names_in(part))
        for part in ast.walk(node.test)
    )


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_of_ours_depends_on_how_fast_the_machine_is(path):
    tree = ast.parse(path.read_text())
    watches = [f"line {line}: {name}" for line, name in names_in(tree) if name in STOPWATCHES]
    clocks = [f"line {node.lineno}: asserts on a time" for node in ast.walk(tree) if measures_a_time(node)]
    assert not watches + clocks
