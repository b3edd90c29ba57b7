"""`replicas=N`: several tasks that do the same, and one that is there when all of them are."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dagtop.core.checks import MOST_REPLICAS, is_count
from dagtop.core.values import dataclass
from dagtop.errors import Flaw, GraphError
from dagtop.graph.mapping import element

if TYPE_CHECKING:
    from dagtop.graph.declare import Graph
    from dagtop.runtime.context import TaskContext

#: Options that the task which stands for all of them has too; the others are those of each replica.
_OF_ALL = ("tags", "description", "priority")


@dataclass(frozen=True, slots=True, eq=False)
class Replicated:
    """How a task with replicas was declared."""

    fn: Callable[..., Any]
    count: int
    options: Mapping[str, Any]
    place: str


def tasks_of(name: str, replicated: Replicated) -> Iterator[tuple[str, Callable[..., Any], Mapping[str, Any]]]:
    """(name, function, options) of each replica and of the task that stands for all, which comes last."""
    names = [element(name, number) for number in range(replicated.count)]
    for one in names:
        yield one, replicated.fn, replicated.options
    own = {option: value for option, value in replicated.options.items() if option in _OF_ALL}
    yield name, _all_of(replicated.fn), {**own, "depends_on": names, "restart": "no", "timeout": None}


def _all_of(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Succeeds once all replicas are ready, or have succeeded; gives the list of what they gave."""

    async def gather(ctx: TaskContext) -> list[Any]:
        found: list[Any] = []
        while (task := element(ctx.task, len(found))) in ctx.upstream:
            found.append(ctx.upstream[task])
        return found

    gather.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    )
    return gather


def scaled(graph: Graph, name: str, count: int) -> Graph:
    """See `Graph.scaled`."""
    found = graph.replicated.get(name)
    if found is None:
        raise GraphError([Flaw(f"{name} was not declared with replicas", graph.place)])
    if not is_count(count):
        raise GraphError(
            [Flaw(f"replicas must be a whole number from 0 to {MOST_REPLICAS}, not {count!r}", graph.place)]
        )
    before = {task for task, *_ in tasks_of(name, found)}
    other = copy.copy(graph)
    old = graph._columns
    other._columns = replace(old, names=[], fns=[], options=[], places={})
    other._by_function, other._checked, other.replicated = dict(graph._by_function), None, dict(graph.replicated)
    done = False
    for index, task in enumerate(old.names):
        if task not in before:
            other._declare(task, old.fns[index], old.options[index], old.places[index])
        elif not done:
            done = True
            other._replicate(name, replace(found, count=count))
    return other
