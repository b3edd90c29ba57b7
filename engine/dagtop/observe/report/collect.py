"""From a run to its `Report`: pure functions of what the engine tells."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from math import inf
from typing import Any

from dagtop.core import events as ev
from dagtop.core.plan import Plan
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import GOOD, TaskState
from dagtop.core.topology import critical_path
from dagtop.observe.describe import Described, describe, describe_all
from dagtop.observe.redact import redactor
from dagtop.observe.report.commands import command_text
from dagtop.observe.report.ended import EndedRun, EndedTask
from dagtop.observe.report.escalations import writable, writable_failure
from dagtop.observe.report.recorder import ReportRecorder, SeenAttempt
from dagtop.observe.report.schema import (
    Attempt,
    BreakerMove,
    CommandReport,
    LogLine,
    Pause,
    ProblemReport,
    Report,
    TaskReport,
)
from dagtop.observe.secrets import secrets_in
from dagtop.observe.veil import changed
from dagtop.observe.visible import storable
from dagtop.observe.wire import iso

_GOES_ON = "running"
_MOVES: Mapping[type[ev.BreakerEvent], str] = {
    ev.BreakerOpened: "open",
    ev.BreakerHalfOpened: "half_open",
    ev.BreakerClosed: "closed",
}
#: Tasks of which the report has what they wrote.
_WITH_LOG = frozenset(
    {TaskState.FAILED, TaskState.TIMED_OUT, TaskState.BACKOFF, TaskState.BLOCKED, TaskState.CANCELLED}
)


def collect(
    result: EndedRun,
    *,
    recorder: ReportRecorder | None = None,
    inputs: Mapping[str, Any] | None = None,
    source: str = "",
) -> Report:
    """The report of a run that has ended.

    Parameters
    ----------
    recorder: what listened to the run; without it the report has no commands, problems and pauses, but its escalations.
    inputs: the graph's inputs; values whose name looks secret are left out.
    source: the graph's file.
    """
    at = result.duration
    if recorder is None:
        recorder = _recorder_of_result(result)
    stale: dict[str, bool] = {}
    rows = {task.name: _row_of(task, gone=task.name in result.removed) for task in result}
    outputs = {task.name: describe(task.output) for task in result if task.state in GOOD}
    tasks = _tasks(result.plan, rows, outputs, stale, at, recorder)
    return _report(
        tasks,
        plan=result.plan,
        recorder=recorder,
        at=at,
        head={"run": result.run, "graph": result.graph, "state": str(result.state), "reason": result.reason},
        started_at=result.started_at,
        inputs=inputs,
        source=source,
    )


def collect_snapshot(
    snapshot: RunSnapshot,
    *,
    recorder: ReportRecorder | None = None,
    inputs: Mapping[str, Any] | None = None,
    source: str = "",
    outputs: Mapping[str, Described] | None = None,
) -> Report:
    """The report of a run as it is now; `outputs` of its tasks are told if they are given. Parameters as of `collect`."""
    rows = {row.name: row for row in snapshot.rows}
    stale = {row.name: True for row in snapshot.rows if row.stale}
    tasks = _tasks(snapshot.plan, rows, outputs or {}, stale, snapshot.at, recorder)
    return _report(
        tasks,
        plan=snapshot.plan,
        recorder=recorder if recorder is not None else _recorder_of(snapshot),
        at=snapshot.at,
        head={"run": snapshot.run, "graph": snapshot.graph, "state": str(snapshot.state), "reason": snapshot.reason},
        started_at=snapshot.started_at,
        inputs=inputs,
        source=source,
    )


def _row_of(task: EndedTask, *, gone: bool) -> TaskRow:
    return TaskRow(
        index=0,
        name=task.name,
        state=task.state,
        attempt=task.attempts,
        ready_at=task.ready_at,
        started_at=task.started_at,
        ended_at=task.ended_at,
        reason=task.reason,
        failure=task.failure,
        history=tuple(task.history),
        gone=gone,
    )


def _recorder_of_result(result: EndedRun) -> ReportRecorder:
    """What a result itself keeps of escalations."""
    kept = ReportRecorder(attempts=0)
    kept.record(1, [ev.TaskEscalated(one.at, one.task, one) for one in result.escalations])
    return kept


def _recorder_of(snapshot: RunSnapshot) -> ReportRecorder:
    """What a snapshot itself keeps of commands and problems."""
    kept = ReportRecorder(attempts=0)
    kept.record(1, [*snapshot.answers, *snapshot.problems])
    kept.problem_count = snapshot.problem_count
    kept.max_parallel = snapshot.max_parallel
    return kept


# -- tasks ------------------------------------------------------------------------------------------------------------


def _succeeded_at(row: TaskRow) -> float:
    return row.ended_at if row.state in GOOD and row.ended_at is not None else inf


def _tasks(
    plan: Plan,
    rows: Mapping[str, TaskRow],
    outputs: Mapping[str, Described],
    stale: Mapping[str, bool],
    at: float,
    recorder: ReportRecorder | None,
) -> list[TaskReport]:
    seen = recorder.attempts if recorder is not None else {}
    logs = recorder.logs if recorder is not None else {}
    timelines = [_timeline(rows[name], seen.get(name, ()), at) for name in plan.names]
    times = [_elapsed(timeline) for timeline in timelines]
    ends = [_succeeded_at(rows[name]) for name in plan.names]
    on_path = frozenset(i for i in critical_path(plan, times, ends) if timelines[i])
    names = [storable(name) for name in plan.names]
    tasks: list[TaskReport] = []
    for index, name in enumerate(plan.names):
        row, timeline, policy = rows[name], timelines[index], plan.policies[index]
        log = logs.get(name) if row.state in _WITH_LOG else None
        tasks.append(
            TaskReport(
                name=names[index],
                state=row.state.value,
                reason=storable(row.reason),
                attempts=max(row.attempt, len(timeline)),
                ready_at=row.ready_at,
                started_at=timeline[0].started_at if timeline else None,
                ended_at=row.ended_at,
                queue_time=_queue_time(row.ready_at, timeline),
                run_time=sum(attempt.ended_at - attempt.started_at for attempt in timeline),
                elapsed=times[index],
                on_critical_path=index in on_path,
                upstream=tuple([names[i] for i in plan.upstream[index]]),
                timeline=timeline,
                failure=None if row.state in GOOD else writable_failure(row.failure),
                output=outputs.get(name),
                description=storable(policy.description),
                tags=tuple(storable(tag) for tag in policy.tags),
                place=plan.places.get(index, ""),
                stale=stale.get(name, False),
                is_node=index in plan.nodes,
                removed=row.gone,
                log=_lines(log.lines) if log is not None else (),
                log_left_out=log.total - len(log.lines) if log is not None else 0,
            )
        )
    return tasks


def _lines(lines: Iterable[ev.Log]) -> tuple[LogLine, ...]:
    return tuple(
        LogLine(
            at=line.at,
            text=storable(line.line),
            attempt=line.attempt,
            stream=line.stream,
            level=storable(line.level),
        )
        for line in lines
    )


def _timeline(row: TaskRow, seen: Sequence[SeenAttempt], at: float) -> tuple[Attempt, ...]:
    """The task's attempts: what the recorder saw end, what the history tells of failures, and the latest one."""
    found = {
        s.number: Attempt(number=s.number, started_at=s.started_at, ended_at=s.ended_at, ending=s.ending) for s in seen
    }
    for past in row.history:
        found[past.number] = Attempt(
            number=past.number,
            started_at=past.started_at,
            ended_at=past.ended_at,
            ending=str(past.ending),
            failure=writable_failure(past.failure),
        )
    if row.attempt not in found and row.started_at is not None:
        if row.state is TaskState.SUCCEEDED and row.ended_at is not None:
            found[row.attempt] = Attempt(
                number=row.attempt, started_at=row.started_at, ended_at=row.ended_at, ending="succeeded"
            )
        elif row.state in {TaskState.RUNNING, TaskState.CANCELLING}:
            found[row.attempt] = Attempt(
                number=row.attempt, started_at=row.started_at, ended_at=max(at, row.started_at), ending=_GOES_ON
            )
    return tuple([found[number] for number in sorted(found)]) if len(found) > 1 else tuple(found.values())


def _elapsed(timeline: Sequence[Attempt]) -> float:
    """From the first attempt after the last success that was thrown away, to the end of the last attempt."""
    if not timeline:
        return 0.0
    first = len(timeline) - 1
    while first and timeline[first - 1].ending != "succeeded":
        first -= 1
    return timeline[-1].ended_at - timeline[first].started_at


def _queue_time(ready_at: float | None, timeline: Sequence[Attempt]) -> float | None:
    if ready_at is None:
        return None
    return next((a.started_at - ready_at for a in timeline if a.started_at >= ready_at), None)


# -- the run ----------------------------------------------------------------------------------------------------------


def _report(
    tasks: list[TaskReport],
    *,
    plan: Plan,
    recorder: ReportRecorder | None,
    at: float,
    head: Mapping[str, str],
    started_at: float,
    inputs: Mapping[str, Any] | None,
    source: str,
) -> Report:
    heard = recorder if recorder is not None else ReportRecorder(attempts=0)
    told = [task for task in tasks if not (task.is_node or task.removed)]
    counts = Counter(task.state for task in told)
    path = [tasks[i] for i in plan.order if tasks[i].on_critical_path]
    report = Report(
        run=head["run"],
        graph=storable(head["graph"]),
        source=storable(source),
        state=head["state"],
        reason=storable(head["reason"]),
        started=iso(started_at),
        finished=iso(started_at + at),
        duration=at,
        counts={state.value: counts[state.value] for state in TaskState if state.value in counts},
        task_count=len(told),
        attempt_count=sum(task.attempts for task in tasks if not task.is_node),
        run_time=sum(task.run_time for task in tasks if not task.is_node),
        peak_parallel=_peak(tasks),
        max_parallel=heard.max_parallel,
        critical_path=tuple([task.name for task in path]),
        critical_path_time=sum(task.elapsed for task in path),
        inputs={storable(name): told for name, told in describe_all(inputs or {}).items()},
        tasks=tuple(tasks),
        commands=tuple([_command(answer) for answer in heard.commands]),
        commands_left_out=heard.command_count - len(heard.commands),
        problems=tuple([_problem(problem, heard.notice_count) for problem in heard.problems]),
        problems_left_out=max(0, heard.problem_count - len(heard.problems)),
        escalations=tuple([writable(one) for one in heard.escalations]),
        escalations_left_out=heard.escalation_count - len(heard.escalations),
        pauses=_pauses(heard, at),
        breakers=tuple([_move(move) for move in heard.moves]),
        breakers_left_out=heard.move_count - len(heard.moves),
        made_by=_versions(),
    )
    return without_secrets(report, secrets_in(inputs or {}, os.environ))


def without_secrets(report: Report, known: Iterable[str] = ()) -> Report:
    """The report without what looks like a secret, and without those values. The same text is changed the same way everywhere."""
    return changed(report, redactor(known))


def _move(event: ev.BreakerEvent) -> BreakerMove:
    return BreakerMove(
        at=event.at,
        breaker=storable(event.breaker),
        state=event.state if isinstance(event, ev.BreakerForced) else _MOVES.get(type(event), ""),
        reason=storable(event.reason),
        forced=isinstance(event, ev.BreakerForced),
    )


def _peak(tasks: Sequence[TaskReport]) -> int:
    """Most attempts at one time. One that ends as another starts is over."""
    steps = [(a.started_at, 1) for task in tasks for a in task.timeline]
    steps += [(a.ended_at, -1) for task in tasks for a in task.timeline]
    now = peak = 0
    for _, step in sorted(steps):
        now += step
        peak = max(peak, now)
    return peak


def _pauses(heard: ReportRecorder, at: float) -> tuple[Pause, ...]:
    spans = [*heard.pauses, *([(heard.paused_at, at)] if heard.paused_at is not None else [])]
    return tuple(Pause(started_at=start, ended_at=max(start, end)) for start, end in spans)


def _problem(problem: ev.Problem, notices: int) -> ProblemReport:
    said = problem.message
    if problem.is_notice and notices > 1:
        said += f"; so it is with {notices - 1:,} more"
    return ProblemReport(
        at=problem.at, source=storable(problem.source), message=storable(said), task=storable(problem.task)
    )


def _command(answer: ev.CommandApplied | ev.CommandRefused) -> CommandReport:
    applied = isinstance(answer, ev.CommandApplied)
    return CommandReport(
        at=answer.at,
        by=storable(answer.by),
        command=storable(command_text(answer.command)),
        applied=applied,
        answer=storable(answer.effect if isinstance(answer, ev.CommandApplied) else answer.reason),
    )


@cache
def _versions() -> str:
    try:
        version = metadata.version("dagtop")
    except metadata.PackageNotFoundError:
        version = "(not installed)"
    return f"dagtop {version}, {platform.python_implementation()} {platform.python_version()}"
