"""The report as Markdown: for a pull request, a ticket, a wiki. No text of the user's can change the form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from dagtop.core.states import BAD
from dagtop.observe.report.commands import move_text
from dagtop.observe.report.schema import Report, TaskReport
from dagtop.observe.report.ticket import code, text
from dagtop.observe.report.words import duration, plural, run_face, task_face, verdict
from dagtop.observe.visible import block, one_line

#: How many are told of each; the JSON report has all.
FAILURES, TASKS, STEPS, EDITS, MOVES, PROBLEMS, ESCALATIONS = 50, 1_000, 60, 200, 200, 50, 50
_TRACEBACK = 4_000
#: Lines of a failed task's log.
_LINES = 40
_NAMED = 120
_BAD = frozenset(str(state) for state in BAD)


def to_markdown(report: Report) -> bytes:
    """The report, in UTF-8."""
    return ("\n".join(_lines(report)).rstrip("\n") + "\n").encode("utf-8", "backslashreplace")


def _lines(report: Report) -> Iterator[str]:
    face = run_face(report.state)
    yield f"# {face.glyph} {_name(report.graph)}: {face.word.lower()}"
    yield ""
    yield text(verdict(report.state, report.counts, report.reason))
    yield ""
    yield from _facts(report)
    yield from _failures(report)
    yield from _escalations(report)
    yield from _path(report)
    yield from _tasks(report)
    yield from _edits(report)
    yield from _breakers(report)
    yield from _problems(report)
    if report.inputs:
        yield from _head("Inputs")
        yield from (
            f"- `{code(name)}`: `{code(told.text or told.type) or ' '}`" for name, told in report.inputs.items()
        )
    yield ""
    yield f"*{text(report.made_by)} · {text(report.schema)}*"


def _name(name: str) -> str:
    return text(one_line(name, _NAMED)) if name.strip() else "(no name)"


def _head(title: str) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A head that begins with ">" is of a column of figures."""
    yield f"| {' | '.join(head.removeprefix('>') for head in heads)} |"
    yield f"| {' | '.join('---:' if head.startswith('>') else '---' for head in heads)} |"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _more(left_out: int, noun: str) -> Iterator[str]:
    if left_out > 0:
        yield ""
        yield f"{plural(left_out, noun)} more in the JSON report."


def _facts(report: Report) -> Iterator[str]:
    limit = f", limit {report.max_parallel:,}" if report.max_parallel else ""
    counts = ", ".join(f"{count:,} {task_face(state).word.lower()}" for state, count in report.counts.items())
    yield f"- run: `{code(report.run)}`"
    if report.source:
        yield f"- file: `{code(report.source)}`"
    yield f"- from {text(report.started[:19].replace('T', ' '))} to {text(report.finished[:19].replace('T', ' '))} UTC"
    yield f"- wall time {duration(report.duration)}, of work in tasks {duration(report.run_time)}"
    yield f"- {plural(report.task_count, 'task')}: {counts or 'none'}"
    yield f"- {plural(report.attempt_count, 'attempt')}; at most {report.peak_parallel:,} at once{limit}"


def _failures(report: Report) -> Iterator[str]:
    bad = [task for task in report.tasks if task.state in _BAD]
    bad.sort(key=lambda task: (not task.timeline, task.ended_at if task.ended_at is not None else 0.0))
    if not bad:
        return
    yield from _head(f"What failed ({len(bad):,})")
    why = {one.task: one for one in report.escalations}
    for task in bad[:FAILURES]:
        yield f"### {_name(task.name)}"
        yield ""
        yield from _failure(task)
        if task.name in why:
            one = why[task.name]
            yield ""
            yield f"**{text(one.cause.words)}.** {text(one.summary)}"
            yield from (f"- {text(line)}" for line in one.options)
        if task.failure is not None and task.failure.traceback:
            yield from fenced("Traceback", task.failure.traceback, _TRACEBACK)
        if task.log:
            shown = task.log[-_LINES:]
            left = task.log_left_out + len(task.log) - len(shown)
            title = f"The last {len(shown):,} lines of its log" if left else "Its log"
            yield from fenced(title, "\n".join(one_line(line.text, 500) for line in shown), 20_000)
        yield ""
    yield from _more(len(bad) - FAILURES, "failure")


def _failure(task: TaskReport) -> Iterator[str]:
    failure = task.failure
    if failure is None:
        yield f"{task_face(task.state).word.capitalize()}{f': {text(task.reason)}' if task.reason else ''}."
        return
    error = f"{failure.error}: {failure.message}" if failure.message else failure.error
    yield f"- error: `{code(error)}`"
    if failure.root:
        yield f"- comes from: `{code(failure.root)}`"
    if failure.where:
        yield f"- at: `{code(failure.where)}`"
    yield f"- {plural(task.attempts, 'attempt')}, {duration(task.run_time)} in all"


def fenced(title: str, content: str, limit: int) -> Iterator[str]:
    """A block of text that folds, in which nothing is Markdown."""
    shown = block(content, limit).expandtabs(4).rstrip("\n")
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", shown))])
    yield ""
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield f"{fence}text"
    yield from shown.split("\n")
    yield fence
    yield ""
    yield "</details>"


def _escalations(report: Report) -> Iterator[str]:
    if not report.escalations:
        return
    yield from _head(f"Escalations ({len(report.escalations) + report.escalations_left_out:,})")
    yield from _table(
        [">no.", ">at", "task", "cause", "what was told"],
        (
            [str(one.number), duration(one.at), _name(one.task), text(one.cause.words), text(one.summary)]
            for one in report.escalations[-ESCALATIONS:]
        ),
    )
    yield from _more(len(report.escalations) - ESCALATIONS, "escalation")


def _path(report: Report) -> Iterator[str]:
    if len(report.critical_path) < 2:
        return
    tasks = {task.name: task for task in report.tasks if task.on_critical_path}
    steps = [tasks[name] for name in report.critical_path if name in tasks]
    total = report.critical_path_time or 1.0
    yield from _head(f"Critical path ({duration(report.critical_path_time)})")
    yield from (
        f"{number}. {_name(task.name)}: {duration(task.elapsed)} ({100 * task.elapsed / total:.0f} %)"
        for number, task in enumerate(steps[:STEPS], 1)
    )
    yield from _more(len(steps) - STEPS, "step")


def _tasks(report: Report) -> Iterator[str]:
    yield from _head(f"Tasks ({report.task_count:,})")
    yield from _table(
        ["state", "task", ">attempts", ">started", ">queued", ">ran", "why"],
        (
            [
                f"{task_face(task.state).glyph} {task_face(task.state).word}",
                f"{_name(task.name)}{' ◆' if task.on_critical_path else ''}",
                str(task.attempts or ""),
                f"{task.started_at:.3f}" if task.started_at is not None else "",
                duration(task.queue_time) if task.queue_time is not None else "",
                duration(task.run_time) if task.timeline else "",
                text(one_line(task.failure.error if task.failure else task.reason, 160)),
            ]
            for task in report.tasks[:TASKS]
        ),
    )
    yield ""
    yield "Started: seconds since the run began. ◆ on the critical path."
    yield from _more(len(report.tasks) - TASKS, "task")


def _edits(report: Report) -> Iterator[str]:
    if not report.commands:
        return
    yield from _head(f"Live edits ({len(report.commands) + report.commands_left_out:,})")
    yield from _table(
        [">at", "by", "asked", "answer"],
        (
            [
                duration(edit.at),
                text(one_line(edit.by, 60)),
                text(one_line(edit.command, 200)),
                f"{'✔' if edit.applied else '✖ refused:'} {text(one_line(edit.answer, 300))}",
            ]
            for edit in report.commands[-EDITS:]
        ),
    )


def _breakers(report: Report) -> Iterator[str]:
    if not report.breakers:
        return
    yield from _head(f"Circuit breakers ({len(report.breakers) + report.breakers_left_out:,} moves)")
    yield from _table(
        [">at", "breaker", "to", "why"],
        (
            [duration(move.at), _name(move.breaker), move_text(move.state, forced=move.forced), text(move.reason)]
            for move in report.breakers[-MOVES:]
        ),
    )


def _problems(report: Report) -> Iterator[str]:
    if not report.problems:
        return
    yield from _head(f"Problems around the run ({len(report.problems) + report.problems_left_out:,})")
    for problem in report.problems[-PROBLEMS:]:
        task = f" {_name(problem.task)}:" if problem.task else ""
        yield f"- {duration(problem.at)} **{text(problem.source)}**{task} {text(one_line(problem.message, 400))}"
