"""Code of the user's that does its worst: the engine lives, and every task comes to its one end."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from dagtop import DAGExecutor, Graph
from dagtop.core.invariants import check_invariants
from dagtop.runtime.result import RunResult

pytestmark = pytest.mark.anyio


async def run(graph: Graph) -> RunResult:
    executor = DAGExecutor(graph, capture=False)
    result = await executor.run()
    check_invariants(executor.prepared.machine)
    return result


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__qualname__", "__module__", "__mro__"):
            raise SystemExit(name)
        return type.__getattribute__(cls, name)


class MonsterError(Exception, metaclass=Meta):
    """Wherever one looks at it, it ends the program."""

    def __str__(self) -> str:
        raise SystemExit

    @property
    def __dict__(self) -> NoReturn:  # type: ignore[override]
        raise SystemExit

    @property
    def __class__(self) -> NoReturn:  # type: ignore[override]
        raise SystemExit


def raises() -> NoReturn:
    raise MonsterError


async def raises_later() -> NoReturn:
    raise MonsterError


async def test_an_exception_that_exits_when_it_is_looked_at_is_a_failure_like_any_other() -> None:
    """Its `__dict__` and its `__class__` were asked for, and what they raised ended the engine."""
    graph = Graph("g")
    graph.add("thread", raises).add("loop", raises_later)
    graph.add("set_up", lambda: 1, setup=raises)
    graph.add("torn_down", lambda: 1, teardown=raises_later)
    graph.add("asked", lambda: 1, when=raises)
    graph.add("cached", lambda: 1, cache=raises)
    graph.add("served", lambda broken: broken)
    graph.service(raises, name="broken")
    graph.hooks.before_task(lambda _: raises())
    graph.on_event(lambda _: raises())
    result = await run(graph)
    failed = {task.name for task in result if task.state == "failed"}
    assert failed == {"thread", "loop", "set_up", "asked", "served"}
    assert [failure.of for failure in result.teardown_failures] == ["task 'torn_down'"]
