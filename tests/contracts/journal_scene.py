"""What the tests of the journal have in common: records, plans and events of small runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagtop
from dagtop.core.events import AnyEvent, RunFinished, RunStarted, TaskReady, TaskStarted, TaskSucceeded
from dagtop.core.plan import Plan
from dagtop.core.policy import DEFAULT_POLICY
from dagtop.core.states import RunState
from dagtop.core.topology import topological_order
from dagtop.ports.journal import Journal, JournalWriter, RunRecord

#: Names that are legal, and that a careless journal breaks on or takes for each other.
HOSTILE = (
    "",
    "a\x00b",
    "a",
    "\ud800",
    "\udcff",
    "\ud83d\ude00",
    "😀",
    "\\ud800",
    "x\ny",
    "'; DROP TABLE runs; --",
    "é" * 5000,
)

Graph = Mapping[str, Sequence[str]]
"""Task -> what it needs."""


def plan_of(graph: Graph, name: str = "g") -> Plan:
    """A plan, the tasks in the order of the mapping."""
    names = tuple(graph)
    index = {task: place for place, task in enumerate(names)}
    upstream = [tuple(index[task] for task in needed) for needed in graph.values()]
    downstream: list[list[int]] = [[] for _ in names]
    for place, needed in enumerate(upstream):
        for other in needed:
            downstream[other].append(place)
    order = topological_order(upstream, downstream)
    policies = (DEFAULT_POLICY,) * len(names)
    return Plan(
        name=name, names=names, index=index, upstream=upstream, downstream=downstream, order=order, policies=policies
    )


def record_of(run: str, shape: Graph, fingerprints: Sequence[str] = (), **changes: Any) -> RunRecord:
    """A record of a run of a graph of this shape, begun at 1000.0."""
    plan = plan_of(shape)
    fields: dict[str, Any] = {
        "run": run,
        "graph": "g",
        "source": "/somewhere/g.py",
        "started_at": 1000.0,
        "pid": os.getpid(),
        "names": tuple(plan.names),
        "upstream": tuple(map(tuple, plan.upstream)),
        "fingerprints": tuple(fingerprints) or ("f",) * len(plan),
    }
    return RunRecord(**{**fields, **changes})


@dataclass
class Told:
    """Takes what a journal says about itself."""

    problems: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, task: str, message: str) -> None:
        self.problems.append((task, message))

    @property
    def messages(self) -> list[str]:
        return [message for _, message in self.problems]


@dataclass
class Session:
    """One process's part of a run, as an executor would record it."""

    writer: JournalWriter
    told: Told
    next: int = 1
    at: float = 0.0

    def record(self, *events: AnyEvent) -> None:
        self.writer.record(self.next, list(events))
        self.next += len(events)

    def start(self, run: str = "r1", tasks: int = 0) -> None:
        self.record(RunStarted(0.0, run, "g", 1000.0, tasks, 4))

    def succeed(self, task: str, output: Any = None, attempt: int = 1) -> None:
        self.at += 1.0
        self.record(TaskReady(self.at, task), TaskStarted(self.at, task, attempt))
        self.writer.output(task, attempt, output)
        self.record(TaskSucceeded(self.at + 0.5, task, attempt))

    def finish(self, state: RunState = RunState.SUCCEEDED, **counts: int) -> None:
        self.at += 1.0
        self.record(RunFinished(self.at, state, counts))


def begin(journal: Journal, record: RunRecord) -> Session:
    """A new run."""
    told = Told()
    return Session(journal.begin(record, told), told)


def resume(journal: Journal, record: RunRecord, first: int) -> Session:
    """A further session of a run."""
    told = Told()
    return Session(journal.resume(record, first, told), told, next=first, at=float(first))


def ready(count: int, start: int = 0) -> list[AnyEvent]:
    """Events that are easy to tell apart."""
    return [TaskReady(float(number), f"task_{number}") for number in range(start, start + count)]


def chain(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Each task needs the one before it."""
    graph: dict[str, tuple[str, ...]] = {}
    previous: tuple[str, ...] = ()
    for name in names:
        graph[name] = previous
        previous = (name,)
    return graph


def environ_for_children() -> dict[str, str]:
    """The environment of processes that use dagtop and this module."""
    roots = [Path(dagtop.__file__).parent.parent, Path(__file__).parent]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots))}
