"""The report in Chrome's trace event format, for Perfetto and chrome://tracing: the slots are threads, attempts are slices.

See https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. Times are microseconds since the run began.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

import msgspec

from dagtop.observe.report.schema import Attempt, Report, TaskReport
from dagtop.observe.report.words import task_face
from dagtop.observe.visible import one_line

#: Processes of the trace: what ran, and what happened around it.
_SLOTS, _RUN = 1, 2
_EDITS, _BREAKERS, _PROBLEMS, _PAUSES = 1, 2, 3, 4
#: Colours that the viewers know.
_COLOURS = {
    "succeeded": "good",
    "failed": "terrible",
    "timed_out": "bad",
    "cancelled": "grey",
    "running": "thread_state_running",
}
_NAME = 200


def to_trace(report: Report) -> bytes:
    """One JSON object, with one event on each line."""
    head = {
        "displayTimeUnit": "ms",
        "otherData": {
            "run": report.run,
            "graph": one_line(report.graph, _NAME),
            "state": report.state,
            "started": report.started,
            "made_by": report.made_by,
        },
    }
    encode = msgspec.json.encode
    lines = b",\n".join(encode(event) for event in _events(report))
    return encode(head)[:-1] + b',"traceEvents":[\n' + lines + b"\n]}\n"


def _events(report: Report) -> Iterator[dict[str, Any]]:
    graph = one_line(report.graph, _NAME) or "(no name)"
    yield _meta("process_name", _SLOTS, 0, f"{graph}: slots")
    yield _meta("process_name", _RUN, 0, f"{graph}: run")
    places, slots = _slots(report)
    for slot in range(slots):
        yield _meta("thread_name", _SLOTS, slot + 1, f"slot {slot + 1}")
    yield from _attempts(report, places)
    yield from _running(report)
    yield from _around(report)


def _meta(what: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": process, "tid": thread, "args": {"name": name}}


def _us(seconds: float) -> float:
    return round(seconds * 1_000_000, 3)


def _by_start(report: Report) -> list[tuple[float, float, int, int]]:
    """(start, end, task, place in its timeline) of every attempt."""
    return sorted(
        (attempt.started_at, attempt.ended_at, number, place)
        for number, task in enumerate(report.tasks)
        for place, attempt in enumerate(task.timeline)
    )


def _slots(report: Report) -> tuple[dict[tuple[int, int], int], int]:
    """The slot of each attempt: the lowest that is free, so that no two in one slot overlap. And how many there are."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    places: dict[tuple[int, int], int] = {}
    count = 0
    for start, end, task, place in _by_start(report):
        while busy and busy[0][0] <= start:
            heappush(free, heappop(busy)[1])
        if free:
            slot = heappop(free)
        else:
            slot, count = count, count + 1
        places[task, place] = slot
        heappush(busy, (max(start, end), slot))
    return places, count


def _attempts(report: Report, places: dict[tuple[int, int], int]) -> Iterator[dict[str, Any]]:
    where = {task.name: number for number, task in enumerate(report.tasks)}
    for number, task in enumerate(report.tasks):
        for place, attempt in enumerate(task.timeline):
            slot = places[number, place] + 1
            yield _slice(task, attempt, slot)
            if place == 0 and task.on_critical_path:
                yield from _arrows(report, where, places, task, attempt, slot)


def _slice(task: TaskReport, attempt: Attempt, slot: int) -> dict[str, Any]:
    args: dict[str, Any] = {"attempt": attempt.number, "ending": task_face(attempt.ending).word.lower()}
    if task.queue_time is not None:
        args["queued (ms)"] = round(task.queue_time * 1000, 3)
    if attempt.failure is not None:
        args["error"] = one_line(f"{attempt.failure.error}: {attempt.failure.message}", 500)
    if task.upstream:
        args["needs"] = [one_line(name, _NAME) for name in task.upstream[:20]]
    if task.on_critical_path:
        args["critical path"] = True
    name = one_line(task.name, _NAME) or "(no name)"
    return {
        "ph": "X",
        "cat": f"task,{attempt.ending}",
        "name": name if task.attempts < 2 else f"{name} #{attempt.number}",
        "pid": _SLOTS,
        "tid": slot,
        "ts": _us(attempt.started_at),
        "dur": max(0.0, _us(attempt.ended_at - attempt.started_at)),
        "cname": _COLOURS.get(attempt.ending, "generic_work"),
        "args": args,
    }


def _arrows(
    report: Report,
    where: dict[str, int],
    places: dict[tuple[int, int], int],
    task: TaskReport,
    attempt: Attempt,
    slot: int,
) -> Iterator[dict[str, Any]]:
    """From the task before it on the critical path."""
    for name in task.upstream:
        before = report.tasks[where[name]]
        if not (before.on_critical_path and before.timeline):
            continue
        last = len(before.timeline) - 1
        both = {"cat": "critical path", "name": "critical path", "id": where[task.name] + 1, "pid": _SLOTS}
        from_slot = places[where[name], last] + 1
        yield {**both, "ph": "s", "tid": from_slot, "ts": _us(before.timeline[last].started_at)}
        yield {**both, "ph": "f", "bp": "e", "tid": slot, "ts": _us(max(attempt.started_at, 0.0))}


def _running(report: Report) -> Iterator[dict[str, Any]]:
    """How many attempts ran at each moment."""
    steps: dict[float, int] = {}
    for start, end, *_ in _by_start(report):
        steps[start] = steps.get(start, 0) + 1
        steps[end] = steps.get(end, 0) - 1
    running = 0
    for at in sorted(steps):
        if steps[at]:
            running += steps[at]
            yield {"ph": "C", "name": "running", "pid": _RUN, "ts": _us(at), "args": {"attempts": running}}


def _around(report: Report) -> Iterator[dict[str, Any]]:
    """What was asked of the run, its breakers, problems and pauses."""
    rows = {_EDITS: "live edits", _BREAKERS: "circuit breakers", _PROBLEMS: "problems", _PAUSES: "paused"}
    for row, name in rows.items():
        yield _meta("thread_name", _RUN, row, name)
    for edit in report.commands:
        answer = f"{'done' if edit.applied else 'refused'}: {edit.answer}"
        yield _moment(_EDITS, edit.at, edit.command, {"by": one_line(edit.by, 60), "answer": one_line(answer, 500)})
    for move in report.breakers:
        name = f"{move.breaker}: {move.state.replace('_', '-') or 'settings'}{' (held)' if move.forced else ''}"
        yield _moment(_BREAKERS, move.at, name, {"why": one_line(move.reason, 500)})
    for problem in report.problems:
        yield _moment(_PROBLEMS, problem.at, problem.source, {"message": one_line(problem.message, 500)})
    for one in report.escalations:
        yield _moment(_PROBLEMS, one.at, f"escalation: {one.task}", {"told": one_line(one.summary, 500)})
    for pause in report.pauses:
        span = {"ts": _us(pause.started_at), "dur": max(0.0, _us(pause.ended_at - pause.started_at))}
        yield {"ph": "X", "cat": "run", "name": "paused", "pid": _RUN, "tid": _PAUSES, **span, "args": {}}


def _moment(row: int, at: float, name: str, args: dict[str, Any]) -> dict[str, Any]:
    named = {"ph": "i", "s": "t", "cat": "run", "name": one_line(name, _NAME), "pid": _RUN, "tid": row, "ts": _us(at)}
    return {**named, "args": args}
