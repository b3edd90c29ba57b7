"""Runs made by hand, with the engine's own values: what `collect` is given, without an engine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.escalation import EscalationReport
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.states import RunState, TaskState
from dagtop.core.topology import topological_order
from dagtop.observe.report import Report, ReportRecorder, collect


def plan_of(name: str, needs: Mapping[str, Sequence[str]], places: Mapping[str, str] | None = None) -> Plan:
    """A plan from a table of who needs whom."""
    names = tuple(needs)
    index = {task: place for place, task in enumerate(names)}
    upstream = [tuple(index[n] for n in needs[task]) for task in names]
    downstream: list[list[int]] = [[] for _ in names]
    for place, above in enumerate(upstream):
        for i in above:
            downstream[i].append(place)
    return Plan(
        name=name,
        names=names,
        index=index,
        upstream=upstream,
        downstream=downstream,
        order=topological_order(upstream, downstream),
        policies=[TaskPolicy() for _ in names],
        places={index[task]: place for task, place in (places or {}).items()},
    )


@dataclass
class FakeTask:
    name: str
    state: TaskState = TaskState.SUCCEEDED
    output: Any = None
    attempts: int = 1
    ready_at: float | None = 0.0
    started_at: float | None = 0.0
    ended_at: float | None = 1.0
    failure: Failure | None = None
    history: Sequence[AttemptRecord] = ()
    reason: str = ""


@dataclass
class FakeRun:
    plan: Plan
    tasks: list[FakeTask]
    run: str = "20250102-030405-a1b2c3"
    graph: str = "orders"
    state: RunState = RunState.SUCCEEDED
    reason: str = ""
    started_at: float = 1_735_787_045.25
    duration: float = 1.0
    escalations: Sequence[EscalationReport] = ()
    removed: frozenset[str] = frozenset()
    extra: dict[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[FakeTask]:
        return iter(self.tasks)


def failure(error: str = "ValueError", message: str = "bad", *, lines: int = 4) -> Failure:
    frames = "".join(f'  File "etl.py", line {10 + n}, in step_{n}\n    call_{n}(row)\n' for n in range(lines))
    return Failure(
        error=error,
        message=message,
        traceback=f"Traceback (most recent call last):\n{frames}{error}: {message}\n",
        where="etl.py:12 in load",
    )


def skipped(name: str, why: str) -> FakeTask:
    return FakeTask(name, TaskState.SKIPPED, attempts=0, ready_at=None, started_at=None, ended_at=1.0, reason=why)


def failed(name: str, start: float, end: float, error: Failure, *, tries: int = 1) -> FakeTask:
    """Failed after `tries` attempts of equal length with gaps of a quarter between them."""
    step = (end - start) / (tries * 1.25 - 0.25)
    history = tuple(
        AttemptRecord(
            number=n + 1,
            started_at=start + n * step * 1.25,
            ended_at=start + n * step * 1.25 + step,
            ending="failed",
            failure=error,
        )
        for n in range(tries)
    )
    return FakeTask(
        name,
        TaskState.FAILED,
        attempts=tries,
        ready_at=history[-1].started_at,
        started_at=history[-1].started_at,
        ended_at=end,
        failure=error,
        history=history,
    )


def small_run() -> FakeRun:
    """extract, then two branches: `load` fails after three tries and what needs it is skipped."""
    needs = {"extract": [], "clean": ["extract"], "load": ["extract"], "join": ["clean", "load"], "notify": ["clean"]}
    error = failure("OperationalError", "database is locked")
    return FakeRun(
        plan_of("orders", needs, {"extract": "etl.py:5"}),
        [
            FakeTask("extract", output=[1, 2, 3], ready_at=0.0, started_at=0.1, ended_at=1.1),
            FakeTask("clean", output={"rows": 3}, ready_at=1.1, started_at=1.1, ended_at=2.6),
            failed("load", 1.1, 4.1, error, tries=3),
            skipped("join", "upstream load failed"),
            FakeTask("notify", output="sent", ready_at=2.6, started_at=2.6, ended_at=3.0),
        ],
        state=RunState.FAILED,
        duration=4.2,
    )


def big_run(count: int, *, bad: int = 0, width: int = 40, seed: int = 1) -> FakeRun:
    """A layered graph of `count` tasks with plausible times; every so often one fails."""
    dice = random.Random(seed)
    needs: dict[str, list[str]] = {}
    names = [f"layer_{n // width:03}.task_{n:05}" for n in range(count)]
    ends: list[float] = []
    tasks: list[FakeTask] = []
    every = count // bad if bad else 0
    for n, name in enumerate(names):
        above = [] if n < width else sorted({dice.randrange(n - width - n % width, n - n % width) for _ in range(2)})
        needs[name] = [names[i] for i in above]
        ready = max((ends[i] for i in above), default=0.0)
        start = ready + dice.random() * 0.02
        end = start + dice.expovariate(4.0)
        ends.append(end)
        if every and n % every == every - 1:
            tasks.append(failed(name, start, end, failure("RuntimeError", f"no luck with {n}", lines=12)))
        else:
            tasks.append(FakeTask(name, output=n, ready_at=ready, started_at=start, ended_at=end))
    return FakeRun(
        plan_of("big", needs),
        tasks,
        graph="big",
        state=RunState.FAILED if bad else RunState.SUCCEEDED,
        duration=max(ends) + 0.1,
    )


def steered_run() -> Report:
    """With an edit, a refusal, a breaker that opens, a pause, a problem and the log of the task that fails."""
    recorder = ReportRecorder()
    recorder.record(
        1,
        [
            ev.RunStarted(0.0, run="r", graph="orders", tasks=5, max_parallel=4, started_at=0.0),
            ev.TaskStarted(1.1, "load", 1),
            ev.Log(1.2, "load", 1, "stdout", "", "connecting to the database"),
            ev.Log(1.3, "clean", 1, "stdout", "", "this is not told"),
            ev.CommandApplied(1.5, cmd.SetMaxParallel(8), id=1, by="ana", effect="max_parallel is 8, was 4"),
            ev.CommandRefused(1.6, cmd.HoldTask("load"), id=2, by="ana", reason="it runs already"),
            ev.BreakerOpened(2.0, "api", "5 failures in a row", 30.0),
            ev.BreakerForced(2.5, "api", "forced by ana", "closed"),
            ev.RunPaused(2.6),
            ev.RunContinued(2.9),
            ev.Problem(3.0, source="journal", message="slow disk"),
        ],
    )
    return collect(small_run(), recorder=recorder)
