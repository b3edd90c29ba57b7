"""The names of one node of a graph of graphs, as its tasks use them, and what they are called in the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from dagtop.core.levels import FAIL_FAST
from dagtop.core.paths import SLASH
from dagtop.core.policy import RunPolicy, TaskPolicy
from dagtop.core.values import dataclass
from dagtop.graph.additions import Task
from dagtop.graph.binding import Call, FromInput, FromNode, FromService, FromTask, Source
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.surroundings import Service, Surroundings

#: The task that runs the `setup` of a node's graph, and its `teardown` in the end.
SETUP = "(setup)"


class UpstreamNode:
    """Stands among the inputs that a node's graph is checked with for the output of a node before it."""

    def __repr__(self) -> str:
        return "the output of a node"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scope:
    """What the names in one node mean."""

    path: str
    """Of the node, such as "nightly/ingest"."""
    config: ExecutorConfig
    """What its tasks are checked with."""
    policy: RunPolicy
    """The pools and resources that they may name, with the limits of now."""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """The paths of the nodes before it, by the names that its tasks may use."""
    by_function: Mapping[int, str] = field(default_factory=dict)
    """By the id of a function: what its task is called in the whole."""
    services: Mapping[str, Service] = field(default_factory=dict)
    """By the names that its tasks use."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """By the names that its tasks use: what each is called in the whole."""
    pools: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """By name: what the pool is called in the whole, and the resources that stand for limits of that name further out."""
    resources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By name: what the resource is called at each level that has it."""
    slots: tuple[str, ...] = ()
    """The resources of which every task in it takes one."""
    fail_fast: tuple[str, ...] = ()
    """The nodes around it that start nothing more once something in them has failed."""

    def full(self, name: str) -> str:
        """What a task of it is called in the whole."""
        return f"{self.path}{SLASH}{name}"

    def own(self, name: str) -> str | None:
        """What a task is called in it; None if it is elsewhere."""
        prefix = self.path + SLASH
        return name[len(prefix) :] if name.startswith(prefix) else None

    # -- lifting ----------------------------------------------------------------------------------------------------

    def call(self, call: Call, number: Callable[[int], int] = int, *, spec: Any = None) -> Call:
        """A call with the names, and numbers, of the whole."""

        def of(source: Source) -> Source:
            match source:
                case FromTask(index=index):
                    return FromTask(number(index))
                case FromInput(name=name):
                    node = self.nodes.get(name)
                    return FromNode(node) if node is not None else FromInput(self.inputs.get(name, name))
                case FromService(name=name):
                    return FromService(self.full(name))
                case _:
                    return source

        arguments = tuple((parameter, of(source)) for parameter, source in call.arguments)
        return replace(call, arguments=arguments, scope=self, spec=spec if call.by_spec else call.spec)

    def around(self, around: Surroundings, number: Callable[[int], int] = int) -> Surroundings:
        """What stands around tasks, with the names, and numbers, of the whole. Maps and what is the graph's own are left out."""

        def calls(found: Mapping[int, Call]) -> dict[int, Call]:
            return {number(i): self.call(call, number) for i, call in found.items()}

        def perhaps(found: Mapping[int, Call | None]) -> dict[int, Call | None]:
            return {number(i): None if call is None else self.call(call, number) for i, call in found.items()}

        return Surroundings(
            whens=perhaps(around.whens),
            caches=perhaps(around.caches),
            setups=calls(around.setups),
            teardowns=calls(around.teardowns),
            readies=calls(around.readies),
            alives=calls(around.alives),
            needs={number(i): tuple(map(self.full, names)) for i, names in around.needs.items()},
            maps={number(i): mapped for i, mapped in around.maps.items()},
        )

    def limits(self, policy: TaskPolicy) -> TaskPolicy:
        """A policy with the pools and resources of the whole, and with the limits of every level."""
        amounts: dict[str, int] = dict.fromkeys(self.slots, 1)
        for name, amount in policy.resources.items():
            for full in self.resources.get(name, (name,)):
                amounts[full] = amounts.get(full, 0) + amount
        pool = policy.pool
        if pool in self.pools:
            pool, further = self.pools[pool]
            amounts.update(dict.fromkeys(further, 1))
        extra = {**policy.extra, FAIL_FAST: self.fail_fast} if self.fail_fast else policy.extra
        if not amounts and pool == policy.pool and extra is policy.extra:
            return policy
        return replace(policy, pool=pool, resources=amounts, extra=extra)

    def index(self, whole: Mapping[str, int]) -> Mapping[str, int]:
        """The numbers of tasks by the names that its tasks use; the names of the whole go too."""
        return _Index(self, whole)

    def task(self, task: Task, whole: Mapping[str, int]) -> Task:
        """A task that is to come into the node: the node waits for it."""
        given = task.options.get("before", ())
        if isinstance(given, str) or callable(given):
            given = (given,)
        if not isinstance(task.name, str) or not isinstance(given, Iterable):
            return task  # which is told of where it is checked
        before = [self.by_function.get(id(one), one) if callable(one) else one for one in given]
        before = [self.full(one) if isinstance(one, str) and self.full(one) in whole else one for one in before]
        name = task.name if self.own(task.name) is not None else self.full(task.name)
        return Task(name, task.fn, **{**task.options, "before": [*before, self.path]})


class _Index(Mapping[str, int]):
    def __init__(self, scope: Scope, whole: Mapping[str, int]) -> None:
        self._scope, self._whole = scope, whole

    def __getitem__(self, name: str) -> int:
        found = self._whole.get(self._scope.full(name))
        if found is None:
            found = self._whole[name] if SLASH in name else None
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (own for name in self._whole if (own := self._scope.own(name)) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
