"""The report as one HTML file: nothing is loaded from anywhere, and without JavaScript every fact is there.

Names, errors and outputs are foreign text: Jinja escapes them, and before that whatever is invisible is made visible.
A content security policy with the hash of our own script is a second lock on the same door.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from dagtop.core.topology import reach
from dagtop.observe.describe import Described
from dagtop.observe.report.commands import move_text
from dagtop.observe.report.escalations import CauseView, PastView, cause_view, past_views
from dagtop.observe.report.schema import Report, TaskReport
from dagtop.observe.report.timeline import ROW_HEIGHT, Timeline, timeline
from dagtop.observe.report.words import TASK_FACES, Face, duration, plural, run_face, task_face, verdict
from dagtop.observe.visible import block, one_line

ROWS = 10_000
"""Tasks in the table. The JSON report has all."""
FAILURES = 100
"""Failures with their tracebacks."""
PATH_STEPS = 60
MOVES = 300
"""Moves of circuit breakers."""
PICTURE = 1_000_000
"""Characters of the picture of the graph: a larger one is a file of its own, for `.svg`."""
_TRACEBACK = 12_000
_TRACEBACKS = 1_500_000
"""Characters of all tracebacks together."""
_LOG, _LOGS = 20_000, 1_000_000
"""Characters of the log of one task, and of all together."""
_BAD = frozenset({"failed", "timed_out"})
_NOT_RUN = frozenset({"skipped", "blocked", "cancelled"})


class FailureView(NamedTuple):
    """A task that failed for good."""

    number: int
    task: TaskReport
    face: Face
    traceback: str
    earlier: Sequence[str]
    """One line for each earlier attempt that failed otherwise or the same."""
    why: CauseView | None
    """What was told of it when it failed for good."""
    stopped: str
    """What did not run because of it, in words."""
    log: str
    log_title: str


class StepView(NamedTuple):
    """A step of the critical path."""

    name: str
    face: Face
    time: str
    share: float
    offset: float


def to_html(report: Report, picture: str = "") -> bytes:
    """The page, in UTF-8.

    Parameters
    ----------
    picture: an SVG of the graph, in which all foreign text is escaped.
    """
    return _template().render(_page(report, picture)).encode("utf-8", "backslashreplace")


@cache
def _template() -> Template:
    # Not `PackageLoader`: that imports much to find one file.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(line=one_line, block=block, duration=duration, value=_value)
    return environment.from_string(_file("report.html.j2"))


@cache
def _file(name: str) -> str:
    return resources.files("dagtop.observe.report").joinpath(name).read_text(encoding="utf-8")


def _page(report: Report, picture: str) -> dict[str, Any]:
    script = _file("report.js")
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    failures, left_out = _failures(report)
    past = _past(report, failures)
    drawn = timeline(report)
    steps = _steps(report)
    return {
        "report": report,
        "face": run_face(report.state),
        "verdict": verdict(report.state, report.counts, report.reason),
        "tiles": _tiles(report),
        "parts": [(task_face(s), s, n, 100 * n / report.task_count) for s, n in _by_weight(report.counts)],
        "failures": failures,
        "failures_left_out": left_out,
        "past": past,
        "past_left_out": report.escalations_left_out,
        "failure_of": {view.task.name: view.number for view in failures},
        "picture": Markup(picture) if len(picture) <= PICTURE else "",
        "moves": report.breakers[-MOVES:],
        "move_text": move_text,
        "timeline": drawn,
        "line_of": _line_of(report, drawn, steps),
        "parts_of_page": _parts(report, len(failures) + left_out, len(past), picture, drawn),
        "row_height": ROW_HEIGHT,
        "steps": steps,
        "steps_left_out": max(0, len(report.critical_path) - PATH_STEPS),
        "rows": report.tasks[:ROWS],
        "rows_left_out": max(0, len(report.tasks) - ROWS),
        "has_outputs": any(task.output is not None for task in report.tasks[:ROWS]),
        "why": _why,
        "task_face": task_face,
        # Neither file is foreign text, and neither has a "<" followed by "/s": a test looks.
        "style": Markup(_file("report.css")),
        "script": Markup(script),
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hashed}'",
        "plural": plural,
    }


def _parts(report: Report, failures: int, past: int, picture: str, drawn: Timeline) -> list[tuple[str, str, int]]:
    """(place, title, how many) of what the page has, for who wants to go there."""
    path = sum(task.on_critical_path for task in report.tasks)
    parts = [
        ("failures", "What failed", failures, failures),
        ("past", "Escalations", past, past),
        ("graph", "Graph", 0, len(picture) <= PICTURE and picture),
        ("timeline", "Timeline", 0, drawn.rows),
        ("path", "Critical path", 0, path > 1),
        ("tasks", "Tasks", report.task_count, True),
        ("breakers", "Circuit breakers", len(report.breakers) + report.breakers_left_out, report.breakers),
        ("commands", "Live edits", len(report.commands) + report.commands_left_out, report.commands),
        ("problems", "Problems", len(report.problems) + report.problems_left_out, report.problems),
        ("inputs", "Inputs", 0, report.inputs),
    ]
    return [(place, title, count) for place, title, count, there in parts if there]


def _line_of(report: Report, drawn: Timeline, steps: Sequence[StepView]) -> dict[str, int]:
    """By task that the timeline or the critical path shows: its line in the table, for links to it."""
    linked = {row.task.name for row in drawn.rows} | {step.name for step in steps}
    return {task.name: line for line, task in enumerate(report.tasks[:ROWS], 1) if task.name in linked}


def _by_weight(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Good first, then bad, then the rest: the order in which the bar is read."""
    order = ("succeeded", "cached", "failed", "timed_out", "cancelled", "skipped", *TASK_FACES)
    return sorted(counts.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    """(label, figure, remark)."""
    average = report.run_time / report.duration if report.duration else 0.0
    retried = sum(task.attempts > 1 for task in report.tasks)
    share = 100 * report.critical_path_time / report.duration if report.duration else 0.0
    limit = f", limit {report.max_parallel:,}" if report.max_parallel else ""
    return [
        ("Wall time", duration(report.duration), f"{duration(report.run_time)} of work in tasks"),
        ("Tasks", f"{report.task_count:,}", plural(len(report.critical_path), "step") + " on the critical path"),
        ("Attempts", f"{report.attempt_count:,}", f"{plural(retried, 'task')} more than once"),
        ("In parallel", f"{average:.1f}", f"on average; peak {report.peak_parallel:,}{limit}"),
        ("Critical path", duration(report.critical_path_time), f"{share:.0f} % of the wall time"),
    ]


# -- failures ---------------------------------------------------------------------------------------------------------


def _failures(report: Report) -> tuple[list[FailureView], int]:
    """Those shown, and how many are left out. What failed of itself comes before what failed because of an upstream."""
    bad = [task for task in report.tasks if task.state in _BAD]
    bad.sort(key=lambda task: (not task.timeline, task.ended_at if task.ended_at is not None else 0.0))
    told = {escalation.task: escalation for escalation in report.escalations}
    places, fed = _downstream(report) if bad else ({}, [])
    views: list[FailureView] = []
    budget, log_budget = _TRACEBACKS, _LOGS
    for number, task in enumerate(bad[:FAILURES], 1):
        traceback = block(task.failure.traceback, min(_TRACEBACK, budget)) if task.failure and budget > 0 else ""
        budget -= len(traceback)
        log, log_title = _log(task, min(_LOG, log_budget))
        log_budget -= len(log)
        views.append(
            FailureView(
                number=number,
                task=task,
                face=task_face(task.state),
                traceback=traceback,
                why=cause_view(told[task.name]) if task.name in told else None,
                earlier=_earlier(task),
                stopped=_stopped(report, fed, places[task.name]),
                log=log,
                log_title=log_title,
            )
        )
    return views, len(bad) - len(views)


def _log(task: TaskReport, most: int) -> tuple[str, str]:
    """The latest lines that a task wrote, with their time, and what stands above them."""
    lines: list[str] = []
    for line in reversed(task.log):
        level = f" {line.level}" if line.level else " stderr" if line.stream == "stderr" else ""
        told = f"{line.at:10.3f}{level}  {one_line(line.text, 1_000)}"
        most -= len(told) + 1
        if most < 0:
            break
        lines.append(told)
    left_out = task.log_left_out + len(task.log) - len(lines)
    title = f"The last {plural(len(lines), 'line')} of its log; {left_out:,} before" if left_out else "Its log"
    return "\n".join(reversed(lines)), title


def _past(report: Report, failures: Sequence[FailureView]) -> list[PastView]:
    """Escalations that are not shown with a failure, the latest first."""
    latest = {escalation.task: escalation.number for escalation in report.escalations}
    shown = {view.task.name: latest[view.task.name] for view in failures if view.task.name in latest}
    return past_views(report.escalations[::-1], shown)[:FAILURES]


def _downstream(report: Report) -> tuple[dict[str, int], list[list[int]]]:
    """Each task's place, and by place the places of the tasks right after it."""
    places = {task.name: place for place, task in enumerate(report.tasks)}
    fed: list[list[int]] = [[] for _ in report.tasks]
    for place, task in enumerate(report.tasks):
        for name in task.upstream:
            fed[places[name]].append(place)
    return places, fed


def _earlier(task: TaskReport) -> list[str]:
    lines: list[str] = []
    for attempt in task.timeline[:-1][-10:]:
        took = duration(attempt.ended_at - attempt.started_at)
        why = f": {attempt.failure.error}: {attempt.failure.message}" if attempt.failure else ""
        lines.append(one_line(f"Attempt {attempt.number}, {task_face(attempt.ending).word} after {took}{why}", 240))
    return lines


def _stopped(report: Report, fed: Sequence[Sequence[int]], place: int) -> str:
    """ "3 tasks after it did not run: a, b, c"."""
    after = [task for i in sorted(reach(fed, [place])) if (task := report.tasks[i]).state in _NOT_RUN]
    if not after:
        return ""
    listed = ", ".join(one_line(task.name, 60) for task in after[:6])
    more = f" and {len(after) - 6:,} more" if len(after) > 6 else ""
    return f"{plural(len(after), 'task')} after it did not run: {listed}{more}"


# -- the rest ---------------------------------------------------------------------------------------------------------


def _steps(report: Report) -> list[StepView]:
    path = [task for task in report.tasks if task.on_critical_path]
    order = {name: place for place, name in enumerate(report.critical_path)}
    path.sort(key=lambda task: order.get(task.name, 0))
    total = report.critical_path_time or 1.0
    steps: list[StepView] = []
    offset = 0.0
    for task in path[:PATH_STEPS]:
        share = 100 * task.elapsed / total
        steps.append(
            StepView(task.name, task_face(task.state), duration(task.elapsed), round(share, 2), round(offset, 2))
        )
        offset += share
    return steps


def _why(task: TaskReport) -> str:
    """Why a task is as it is: its reason, else its error."""
    if task.failure is not None:
        error = one_line(
            f"{task.failure.error}: {task.failure.message}" if task.failure.message else task.failure.error, 160
        )
        return f"{one_line(task.reason, 120)} · {error}" if task.reason else error
    return one_line(task.reason, 160)


def _value(told: Described | None) -> str:
    """What a value is, in words: "list of 120", "42"."""
    if told is None:
        return ""
    if told.size is not None and told.type != "str":
        return f"{one_line(told.type, 40)} of {told.size:,}"
    return one_line(told.text, 40) if told.text else one_line(told.type, 40)
