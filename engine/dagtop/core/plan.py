"""A checked graph as the machine sees it: tasks are numbers, and who depends on whom never changes again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from dagtop.core.policy import BackendName, TaskPolicy
from dagtop.core.values import dataclass


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plan:
    """A graph that passed every check. A task is its index, its place in the order of declaration.

    `upstream[i]` and `downstream[i]` are the indices of the tasks that task i needs and feeds, without doubles, and the
    graph has no cycle.
    """

    name: str
    names: Sequence[str]
    index: Mapping[str, int]
    upstream: Sequence[Sequence[int]]
    downstream: Sequence[Sequence[int]]
    order: Sequence[int]
    """Every index, upstream before downstream."""
    policies: Sequence[TaskPolicy]
    places: Mapping[int, str] = field(default_factory=dict)
    """Where a task was declared, as "file.py:12", where that is known."""

    backends: Mapping[int, BackendName] = field(default_factory=dict)
    """Tasks whose code runs outside of the engine's process."""

    one_policy: TaskPolicy | None = None
    """The policy of every task, where all share one object: then nobody need look at all of them."""

    asks: Collection[int] = frozenset()
    """Tasks about which the runtime is asked before they start: they have a `when` or a cache."""
    cleans_up: Collection[int] = frozenset()
    """Tasks that have a setup or a teardown."""
    kinds: Sequence[int] | None = None
    """By task: a number that tasks share if they run the same function; None if all do, or if nobody asks."""
    nodes: Collection[int] = frozenset()
    """Tasks that stand for a node of a graph of graphs: they never run, see `dagtop.core.levels`."""
    sets_up: bool = False
    """Whether something must be set up before the first task starts."""
    winds_down: bool = False
    """Whether there is something to close when every task has ended."""

    def __len__(self) -> int:
        return len(self.names)


EMPTY_PLAN = Plan(name="", names=(), index={}, upstream=(), downstream=(), order=(), policies=())
