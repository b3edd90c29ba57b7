"""An escalation as Markdown, ready to paste into a ticket. Pure; no text of the user's can change the form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dagtop.core.escalation import EscalationReport
from dagtop.core.events import EscalationAcknowledged
from dagtop.core.failure import Failure
from dagtop.observe.redact import redactor
from dagtop.observe.report.words import duration, plural
from dagtop.observe.veil import changed
from dagtop.observe.visible import block, one_line

#: Lines of a traceback that a ticket has room for; the middle is left out.
TRACEBACK = 60
#: Attempts, and tasks that cannot run, that are told one by one.
ATTEMPTS, BLOCKED = 20, 20
_SPECIAL = frozenset("\\`*_{}[]<>#|~&")


def ticket(
    report: EscalationReport,
    acknowledged: EscalationAcknowledged | None = None,
    status: str = "",
    *,
    redacted: Callable[[str], str] | None = None,
) -> str:
    """All that a person needs to know who does not see the run.

    Parameters
    ----------
    acknowledged: who looks after it.
    status: what has become of it, in a few words.
    redacted: takes secrets out of a text; without it what looks like one is taken out.
    """
    change = redacted if redacted is not None else redactor()
    report = changed(report, change)
    acknowledged = changed(acknowledged, change) if acknowledged is not None else None
    return "\n".join(_lines(report, acknowledged, status)).rstrip("\n") + "\n"


def _lines(report: EscalationReport, acknowledged: EscalationAcknowledged | None, status: str) -> Iterator[str]:
    failure = report.attempts[-1].failure if report.attempts else None
    yield f"## ESC-{report.number}: {text(report.task)} {text(report.state.replace('_', ' '))}"
    yield ""
    yield f"**{text(report.cause.words)}.** {text(report.summary)}"
    yield ""
    if failure is not None:
        yield f"- error: `{code(f'{failure.error}: {failure.message}' if failure.message else failure.error)}`"
        if failure.root:
            yield f"- comes from: `{code(failure.root)}`"
        if failure.where:
            yield f"- at: `{code(failure.where)}`"
    yield f"- run: {text(report.run)} of {text(report.graph)}, {text(report.escalated_at)}"
    if report.circuit:
        yield f"- circuit breaker: {text(report.circuit)}, {text(report.circuit_state.replace('_', '-'))} then"
    if status:
        yield f"- now: {text(status)}"
    if acknowledged is not None:
        note = f": {text(acknowledged.note)}" if acknowledged.note else ""
        yield f"- looked after by {text(acknowledged.by)}{note}"
    yield from _tried(report)
    yield from _section("What it was told from", report.evidence)
    yield from _blocked(report)
    yield from _section("What can be done", report.options)
    yield from _section("What it was given", [f"{name}: {value}" for name, value in report.inputs.items()])
    yield from _section("Policy", [f"{name}: {value}" for name, value in report.policy.items()])
    if failure is not None and failure.traceback:
        yield from _traceback(failure)


def _tried(report: EscalationReport) -> Iterator[str]:
    if not report.attempts:
        return
    yield ""
    yield f"### What was tried ({plural(report.attempt_count, 'attempt')})"
    yield ""
    yield "| attempt | from | took | ended | error |"
    yield "| ---: | ---: | ---: | --- | --- |"
    for past in report.attempts[-ATTEMPTS:]:
        error = f"{past.failure.error}: {past.failure.message}" if past.failure is not None else ""
        took = duration(past.ended_at - past.started_at)
        yield f"| {past.number} | {past.started_at:.1f} s | {took} | {text(past.ending.replace('_', ' '))} | {text(error)} |"


def _blocked(report: EscalationReport) -> Iterator[str]:
    if report.blocks_count:
        more = report.blocks_count - len(report.blocks[:BLOCKED])
        names = ", ".join(map(text, report.blocks[:BLOCKED]))
        yield ""
        yield f"### What cannot run because of it ({plural(report.blocks_count, 'task')})"
        yield ""
        yield f"{names}{f' and {more:,} more' if more > 0 else ''}"


def _section(title: str, lines: tuple[str, ...] | list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield f"### {title}"
        yield ""
        yield from (f"- {text(line)}" for line in lines)


def _traceback(failure: Failure) -> Iterator[str]:
    lines = block(failure.traceback).expandtabs(4).rstrip("\n").split("\n")
    if len(lines) > TRACEBACK:
        half = TRACEBACK // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half:,} lines left out …", *lines[-half:]]
    longest = max((len(run) for line in lines for run in _runs(line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield ""
    yield "### Traceback"
    yield ""
    yield f"{fence}text"
    yield from lines
    yield fence


def _runs(line: str) -> list[str]:
    """Backticks that stand side by side."""
    return re.findall("`+", line)


def text(value: str) -> str:
    """A text of the user's in one line, in which nothing is Markdown."""
    shown = "".join(f"\\{char}" if char in _SPECIAL else char for char in one_line(value))
    return f"\\{shown}" if shown[:1] in ("-", "+", "=") else shown


def code(value: str) -> str:
    """A text of the user's between single backticks."""
    return one_line(value).replace("`", "'")
