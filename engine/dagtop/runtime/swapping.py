"""Another version of the graph for a run that goes on: what is different, and how the calls of tasks are renumbered."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dagtop.core import inputs as inp
from dagtop.core.machine import RunMachine
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.values import dataclass
from dagtop.errors import GraphError
from dagtop.graph.binding import Call, FromTask, Item, Source
from dagtop.graph.check import Checked
from dagtop.graph.declare import Graph
from dagtop.graph.options import ExecutorConfig
from dagtop.graph.surroundings import Surroundings
from dagtop.runtime.job import Job


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a graph, checked."""

    checked: Checked
    fingerprints: Sequence[str]
    """By task index of that version."""
    graph: Any = None
    """The `Graph` itself, if it may be scaled."""


@dataclass(frozen=True, slots=True)
class Swap:
    """What becomes of a run that goes on with another version."""

    change: inp.GraphChange
    calls: Mapping[str, Call]
    """How each task of the new version is called, with the numbers of the run."""
    around: Surroundings
    """What stands around them, with the numbers of the run."""
    specs: Mapping[str, Any]


def obstacle(job: Job, new: Checked) -> str:
    """Why a run cannot go on with another version; "" if it can."""
    old = job.checked
    if set(old.around.services) != set(new.around.services):
        return "it has other services: those of a run stay as they are"
    for what in ("setup", "teardown"):
        if (getattr(old.around, what) is None) is not (getattr(new.around, what) is None):
            return (
                f"it has {'no' if getattr(new.around, what) is None else 'a'} {what} of the graph, other than this run"
            )
    if (old.specs is None) is not (new.specs is None):
        return "one of the two is a graph of from_specs, and the other is not"
    return ""


def difference(machine: RunMachine, declared: Plan, before: Sequence[str], version: Version) -> Swap:
    """What is different between the run's graph and another version of it.

    Tasks that came while the run went on stay, unless the new version has one of that name.

    Parameters
    ----------
    declared: the plan of the version of now, and `before` its fingerprints.
    """
    live, new = machine.plan, version.checked.plan
    old_prints = dict(zip(declared.names, before, strict=True))
    new_prints = dict(zip(new.names, version.fingerprints, strict=True))
    added = [name for name in new.names if name not in live.index]
    removed = tuple(name for name in declared.names if name not in new.index)
    numbers = {name: len(live) + place for place, name in enumerate(added)}
    number_of = [numbers[name] if name in numbers else live.index[name] for name in new.names]
    upstream = {name: tuple(new.names[i] for i in new.upstream[index]) for name, index in new.index.items()}
    there = [name for name in new.names if name in live.index]
    gone = set(removed)
    others = [(i, name) for i, name in enumerate(live.names) if name not in new.index]
    change = inp.GraphChange(
        added=[_new_task(new, name, upstream[name]) for name in added],
        removed=removed,
        rewired=_rewired(live, upstream, there, gone),
        policies=_policies(declared, new, there),
        changed=tuple(name for name in there if old_prints.get(name) != new_prints[name]),
        asks=(*(new.names[i] for i in new.asks), *(name for i, name in others if i in live.asks)),
        cleans_up=(*(new.names[i] for i in new.cleans_up), *(name for i, name in others if i in live.cleans_up)),
        nodes=tuple(new.names[i] for i in new.nodes) if new.nodes or live.nodes else None,
        backends={
            **{name: live.backends[i] for i, name in others if i in live.backends},
            **{new.names[i]: backend for i, backend in new.backends.items()},
        },
    )
    shared = version.checked.specs is not None
    calls = {
        name: _renumbered(version.checked.calls[0 if shared else index], number_of) for name, index in new.index.items()
    }
    return Swap(change, calls, _around(version.checked.around, number_of), version.checked.specs or {})


def _new_task(new: Plan, name: str, upstream: tuple[str, ...]) -> inp.NewTask:
    index = new.index[name]
    return inp.NewTask(
        name, upstream, new.policies[index], index in new.asks, index in new.cleans_up, new.backends.get(index)
    )


def _rewired(
    live: Plan, upstream: Mapping[str, tuple[str, ...]], there: Sequence[str], gone: set[str]
) -> dict[str, tuple[str, ...]]:
    rewired: dict[str, tuple[str, ...]] = {}
    for name in there:
        before = {live.names[i] for i in live.upstream[live.index[name]]}
        came = before - upstream.keys() - gone  # tasks for which it was told to wait while the run went on
        after = {*upstream[name], *came}
        if before != after:
            rewired[name] = tuple(after)
    for index, name in enumerate(live.names):
        if name not in upstream:
            before = {live.names[i] for i in live.upstream[index]}
            if name in gone and before:
                rewired[name] = ()
            elif before & gone:
                rewired[name] = tuple(before - gone)
    return rewired


def _policies(declared: Plan, new: Plan, there: Sequence[str]) -> dict[str, TaskPolicy]:
    """Those that the new version says otherwise; what a person has changed meanwhile stays, where it says the same."""
    found: dict[str, TaskPolicy] = {}
    for name in there:
        policy = new.policies[new.index[name]]
        index = declared.index.get(name)
        if index is None or declared.policies[index] != policy:
            found[name] = policy
    return found


def _renumbered(call: Call, number_of: Sequence[int]) -> Call:
    def of(source: Source) -> Source:
        match source:
            case FromTask(index=index):
                return FromTask(number_of[index])
            case Item(owner=owner, place=place):
                return Item(number_of[owner], place)
            case _:
                return source

    return replace(call, arguments=tuple((parameter, of(source)) for parameter, source in call.arguments))


def _around(around: Surroundings, number_of: Sequence[int]) -> Surroundings:
    def calls(found: Mapping[int, Call]) -> dict[int, Call]:
        return {number_of[index]: _renumbered(call, number_of) for index, call in found.items()}

    def perhaps(found: Mapping[int, Call | None]) -> dict[int, Call | None]:
        return {number_of[i]: None if call is None else _renumbered(call, number_of) for i, call in found.items()}

    return replace(
        around,
        whens=perhaps(around.whens),
        caches=perhaps(around.caches),
        setups=calls(around.setups),
        teardowns=calls(around.teardowns),
        readies=calls(around.readies),
        alives=calls(around.alives),
        needs={number_of[index]: names for index, names in around.needs.items()},
        maps={number_of[index]: mapped for index, mapped in around.maps.items()},
    )


class Versions:
    """The versions of a run's graph that were handed in, each under a number of its own.

    Parameters
    ----------
    before: makes the fingerprints of the graph that the run began with, by task index.
    """

    def __init__(self, declared: Plan, before: Callable[[], Sequence[str]]) -> None:
        self._declared = declared
        self._prints = before
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Version] = {}
        self.graph: Any = None
        """The `Graph` that the run goes on with, if that is one."""
        self.scales: dict[str, tuple[int, int]] = {}
        """By task: the replicas that were declared, and those that there are instead."""
        self._asked: dict[str, tuple[int, int]] = {}
        """The latest scale, until the run goes on with it."""

    def hand_in(self, version: Version) -> int:
        """From any thread: the number under which a command asks for it."""
        number = next(self._numbers)
        self._waiting[number] = version
        return number

    def scaled(self, task: str, replicas: int, config: ExecutorConfig) -> Version:
        """The version of now with another number of replicas of a task.

        Raises
        ------
        GraphError: it has no replicas.
        """
        if not isinstance(self.graph, Graph):
            raise GraphError("only the tasks of a Graph are scaled")
        graph = self.graph.scaled(task, replicas)
        declared, _ = self.scales.get(task, (self.graph.replicated[task].count, 0))
        self._asked = {task: (declared, replicas)}
        return Version(graph.checked(config), graph.fingerprints(config), graph)

    def as_scaled(self, version: Version) -> Version:
        """With as many replicas as they were scaled to, of tasks of which the version says the same number as before."""
        graph = version.graph
        for task, (declared, replicas) in self.scales.items():
            if isinstance(graph, Graph) and task in graph.replicated and graph.replicated[task].count == declared:
                graph = graph.scaled(task, replicas)
        if graph is version.graph:
            return version
        config = version.checked.config
        return Version(graph.checked(config), graph.fingerprints(config), graph)

    def take(self, number: int) -> Version | None:
        """The version of this number, once."""
        return self._waiting.pop(number, None)

    def difference(self, machine: RunMachine, version: Version) -> Swap:
        """What is different between the run's graph and that version."""
        return difference(machine, self._declared, self._prints(), version)

    def now(self) -> tuple[Plan, Sequence[str]]:
        """The plan of the version that the run goes on with now, and its fingerprints, which are kept from here on."""
        declared, prints = self._declared, self._prints()
        if self._declared is declared:
            self._prints = lambda: prints
        return declared, prints

    def settled(self, version: Version) -> None:
        """The run goes on with this version."""
        self.graph = version.graph
        counts = {name: one.count for name, one in getattr(version.graph, "replicated", {}).items()}
        scales, self._asked = {**self.scales, **self._asked}, {}
        self.scales = {task: scale for task, scale in scales.items() if counts.get(task) == scale[1] != scale[0]}
        self._declared = version.checked.plan
        self._prints = lambda: version.fingerprints
