"""Escalations in a report of a run: what is kept of each, and what the page shows beside a failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from dagtop.core.escalation import EscalationReport
from dagtop.core.failure import Failure
from dagtop.observe.report.words import duration, plural
from dagtop.observe.visible import one_line, storable

#: How many are kept, the latest.
KEPT = 500


def without_tracebacks(report: EscalationReport) -> EscalationReport:
    """The escalation without what the report of the run tells with the task's attempts anyway."""
    kept = [
        past
        if past.failure is None or not past.failure.traceback
        else msgspec.structs.replace(past, failure=msgspec.structs.replace(past.failure, traceback=""))
        for past in report.attempts
    ]
    return msgspec.structs.replace(report, attempts=tuple(kept))


def writable(report: EscalationReport) -> EscalationReport:
    """The escalation as it can be written in UTF-8, whatever the texts are."""
    try:
        msgspec.json.encode(report)
    except UnicodeEncodeError:
        return msgspec.convert(_storable(msgspec.to_builtins(report)), EscalationReport)
    return report


def writable_failure(failure: Failure | None) -> Failure | None:
    """The same of a failure."""
    if failure is None:
        return None
    try:
        msgspec.json.encode(failure)
    except UnicodeEncodeError:
        return msgspec.convert(_storable(msgspec.to_builtins(failure)), Failure)
    return failure


def _storable(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case dict():
            return {storable(key): _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
        case _:
            return value


class CauseView(NamedTuple):
    """Why a task failed for good, as the page shows it."""

    cause: str
    summary: str
    evidence: tuple[str, ...]
    options: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    """(what, value): circuit, inputs, policy."""


def cause_view(report: EscalationReport) -> CauseView:
    """What the page shows of an escalation beside the failure."""
    facts: list[tuple[str, str]] = []
    if report.circuit:
        facts.append(("circuit", f"{report.circuit} ({report.circuit_state.replace('_', '-')})"))
    facts += [(f"input {name}", text) for name, text in report.inputs.items()]
    facts.append(("policy", ", ".join(f"{name} {text}" for name, text in report.policy.items())))
    return CauseView(
        cause=report.cause.words,
        summary=one_line(report.summary, 500),
        evidence=tuple(one_line(line, 400) for line in report.evidence),
        options=tuple(one_line(line, 400) for line in report.options),
        facts=tuple((one_line(what, 100), one_line(value, 400)) for what, value in facts),
    )


class PastView(NamedTuple):
    """An escalation of a task that did not stay failed, or was stopped: one line of a table."""

    at: str
    task: str
    cause: str
    summary: str
    tried: str


def past_views(reports: Iterable[EscalationReport], shown: Mapping[str, int]) -> list[PastView]:
    """Those that are not shown with the failure of a task: `shown` has, by task, the number of the escalation that is."""
    return [
        PastView(
            at=duration(one.at),
            task=one_line(one.task, 120),
            cause=one.cause.words,
            summary=one_line(one.summary, 300),
            tried=plural(one.attempt_count, "attempt"),
        )
        for one in reports
        if shown.get(one.task) != one.number
    ]
