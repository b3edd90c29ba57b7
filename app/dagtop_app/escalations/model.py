"""The escalations of a run as an inbox: which stand, who looks after them, what is known around them. No terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from dagtop.core import commands as do
from dagtop.core.blast import blast_radii
from dagtop.core.escalation import Cause, EscalationReport
from dagtop.core.events import EscalationAcknowledged
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import BAD, FINAL, GOOD, TaskState
from dagtop.core.topology import reach
from dagtop.observe.spans import Kind
from dagtop.observe.story import Edit, Story

from dagtop_app.chrome.badges import stands
from dagtop_app.graph.critical import durations

#: Seconds before an escalation in which something else may have to do with it.
NEAR = 60.0
#: With more tasks than this it is not estimated how long a restart would take.
MOST = 20_000
_NOTHING: Mapping[int, Usual] = {}
#: Tasks up a chain of failures.
_CHAIN = 8


class Status(StrEnum):
    """How an escalation stands."""

    OPEN = "open"
    """Nobody looks after it."""
    ACKED = "acked"
    """Somebody does."""
    AGAIN = "again"
    """Its task runs again, or is about to."""
    RESOLVED = "resolved"
    """Its task has come to a good end since, or is skipped, or gone."""
    REPEATED = "repeated"
    """Its task has failed for good once more: another escalation tells of that."""


class Severity(StrEnum):
    """How bad it is."""

    HIGH = "HIGH"
    """Other tasks cannot run because of it."""
    WARN = "WARN"
    """Nothing needs it."""
    NOTE = "NOTE"
    """It is as a person wanted it, or the fault of another task."""


_NO_FAULT = frozenset({Cause.BY_HAND, Cause.REJECTED, Cause.UPSTREAM})
_RANK = {Status.OPEN: 0, Status.ACKED: 1, Status.AGAIN: 2, Status.RESOLVED: 3, Status.REPEATED: 4}


class Entry(NamedTuple):
    """One escalation, as it stands."""

    report: EscalationReport
    status: Status
    severity: Severity
    row: TaskRow | None
    """Its task as it is now; None if there is no such task any more."""
    owner: EscalationAcknowledged | None
    """Who looks after it, since when and why."""

    @property
    def name(self) -> str:
        """ "ESC-2"."""
        return f"ESC-{self.report.number}"


def entries(snapshot: RunSnapshot) -> list[Entry]:
    """All that are known: what stands first, the worst and newest of it first."""
    latest = {report.task: report.number for report in snapshot.escalations}
    made = [entry_of(snapshot, report, latest[report.task]) for report in snapshot.escalations]
    severities = list(Severity)
    return sorted(
        made,
        key=lambda entry: (
            _RANK[entry.status],
            severities.index(entry.severity) if _RANK[entry.status] < 2 else 0,
            -entry.report.number,
        ),
    )


def entry_of(snapshot: RunSnapshot, report: EscalationReport, latest: int) -> Entry:
    """One of them; `latest` is the number of its task's latest."""
    index = snapshot.plan.index.get(report.task)
    row = snapshot.rows[index] if index is not None and index < len(snapshot.rows) else None
    owner = snapshot.acknowledged.get(report.number)
    severity = Severity.NOTE if report.cause in _NO_FAULT else Severity.WARN
    if report.blocks_count and severity is Severity.WARN:
        severity = Severity.HIGH
    return Entry(report, _status(snapshot, report, row, owner, latest), severity, row, owner)


def _status(
    snapshot: RunSnapshot,
    report: EscalationReport,
    row: TaskRow | None,
    owner: EscalationAcknowledged | None,
    latest: int,
) -> Status:
    if latest != report.number:
        return Status.REPEATED
    if row is None or row.gone:
        return Status.RESOLVED
    if stands(snapshot, report):
        return Status.OPEN if owner is None else Status.ACKED
    over = (
        row.state in GOOD
        or row.serving
        or row.state in FINAL
        or (report.state == TaskState.BACKOFF and not row.restarts)
    )
    return Status.RESOLVED if over else Status.AGAIN


class Tally(NamedTuple):
    """How many there are of each kind."""

    open: int
    acked: int
    resolved: int
    """Also those that are told by a later one, and whose task runs again."""


def tally(known: Sequence[Entry]) -> Tally:
    """The figures for the title."""
    opened = sum(entry.status is Status.OPEN for entry in known)
    acked = sum(entry.status is Status.ACKED for entry in known)
    return Tally(opened, acked, len(known) - opened - acked)


# -- what was tried ------------------------------------------------------------------------------------------------------


class Try(NamedTuple):
    """One attempt, beside the one before."""

    record: AttemptRecord
    same: bool
    """Whether it ended with the same error, at the same place, as the one before."""


def tries(report: EscalationReport) -> list[Try]:
    """What was tried."""
    told: list[Try] = []
    before: Failure | None = None
    for record in report.attempts:
        told.append(Try(record, before is not None and _is_same(before, record.failure)))
        before = record.failure
    return told


def _is_same(one: Failure, other: Failure | None) -> bool:
    return other is not None and (one.error, one.where, one.message) == (other.error, other.where, other.message)


VERDICTS = {
    Cause.REPEATED: "always the same",
    Cause.FAILED_ONCE: "seen once",
    Cause.INTERMITTENT: "comes and goes",
    Cause.TIMEOUT: "out of time",
    Cause.UNAVAILABLE: "a service is away",
    Cause.BAD_INPUT: "bad input",
    Cause.EXHAUSTED: "something gave out",
    Cause.UNWELL: "not well",
    Cause.UPSTREAM: "not its own fault",
    Cause.REJECTED: "rejected",
    Cause.BY_HAND: "by hand",
}


def last_failure(entry: Entry) -> Failure | None:
    """What it ended with."""
    attempts = entry.report.attempts
    if attempts and attempts[-1].failure is not None:
        return attempts[-1].failure
    return entry.row.failure if entry.row is not None and entry.status in (Status.OPEN, Status.ACKED) else None


def chain(snapshot: RunSnapshot, entry: Entry) -> list[str]:
    """What it comes from: its error, that one's root, the task that gave it its input, and failed tasks before it."""
    failure, told = last_failure(entry), list[str]()
    if failure is not None:
        told = [failure.error, *([failure.root] if failure.root else [])]
        if failure.given_by:
            told.append(f"output of {failure.given_by}")
        if failure.service:
            told.append(f"service {failure.service}")
    row = entry.row
    while row is not None and len(told) < _CHAIN:
        bad = [it for i in snapshot.plan.upstream[row.index] if (it := snapshot.rows[i]).state in BAD]
        row = bad[0] if bad else None
        if row is not None:
            error = row.failure.error if row.failure is not None else row.state.value
            told.append(f"{row.name}: {error}")
    return told


# -- what is near --------------------------------------------------------------------------------------------------------


def near(snapshot: RunSnapshot, story: Story, entry: Entry) -> Iterator[str]:
    """What else happened about then and may have to do with it, then what its cause was told from."""
    report = entry.report
    failure = last_failure(entry)
    if failure is not None:
        others = [
            one.task
            for one in snapshot.escalations
            if one.task != report.task and abs(one.at - report.at) <= NEAR and _error_of(one) == failure.error
        ]
        names = list(dict.fromkeys(others))
        if names:
            more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
            yield f"{failure.error} also in {', '.join(names[:3])}{more} within a minute"
    row = entry.row
    away = report.cause in (Cause.UNAVAILABLE, Cause.TIMEOUT)
    for name, turns in story.breakers.items():
        if not away and (row is None or row.policy.circuit != name):
            continue
        opened = next((turn for turn in reversed(turns) if turn.state == "open" and turn.at <= report.at), None)
        if opened is not None and report.at - opened.at <= NEAR:
            yield f"breaker {name} opened {_ago(report.at - opened.at)}"
    for edit in _edits_before(story, report):
        who = "you" if edit.by in ("console", "hand") else edit.by
        yield f"{_ago(report.at - edit.at)} by {who}: {edit.text}"
    ran_again = [record for record in report.attempts if record.ending == "succeeded"]
    if ran_again:
        yield f"attempt {ran_again[-1].number} had succeeded"
    yield from report.evidence


def _error_of(report: EscalationReport) -> str:
    failure = report.attempts[-1].failure if report.attempts else None
    return failure.error if failure is not None else ""


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s before" if seconds >= 1 else "just before"


def _edits_before(story: Story, report: EscalationReport) -> list[Edit]:
    """Live edits of the minute before, of the task itself or of no task."""
    found: list[Edit] = []
    for edit in reversed(story.edits):
        if edit.at < report.at - NEAR or len(found) == 3:
            break
        about = getattr(edit.command, "task", "")
        if edit.applied and edit.at <= report.at and about in ("", report.task):
            found.append(edit)
    return found[::-1]


# -- what can be done ----------------------------------------------------------------------------------------------------


class Deed(NamedTuple):
    """One thing that a key does about it, with what it would do now."""

    key: str
    what: str
    radius: do.BlastRadius


def deeds(snapshot: RunSnapshot, entry: Entry) -> list[Deed]:
    """What the keys would do; the whole snapshot is gone through for it."""
    if entry.row is None or entry.row.gone:
        return []
    task = entry.report.task
    made: list[tuple[str, str, do.Command]] = [
        ("R", "restart with everything after it", do.RestartTask(task=task, downstream=True)),
        ("r", "restart it alone", do.RestartTask(task=task)),
        ("m", "take it as succeeded", do.MarkSucceeded(task)),
        ("m", "skip it", do.SkipTask(task)),
    ]
    radii = blast_radii(snapshot, [command for _, _, command in made])
    return [Deed(key, what, radius) for (key, what, _), radius in zip(made, radii, strict=True)]


class Way(NamedTuple):
    """What a restart with all that is downstream comes to."""

    tasks: tuple[str, ...]
    """In the order in which they could run."""
    seconds: float | None
    """About how long that takes; None if nobody knows."""


def way(snapshot: RunSnapshot, entry: Entry, usual: Mapping[int, Usual] = _NOTHING) -> Way | None:
    """The tasks that a restart runs, and about how long they take; None if it is not possible, or too large to tell.

    Parameters
    ----------
    usual: how long tasks took in earlier runs, by index.
    """
    row = entry.row
    if row is None or len(snapshot.rows) > MOST:
        return None
    plan = snapshot.plan
    after = {index for index in reach(plan.downstream, [row.index]) if not snapshot.rows[index].gone}
    chosen = [index for index in plan.order if index == row.index or index in after]
    took = durations(snapshot, usual)
    ran = [one.index for one in snapshot.rows if one.started_at is not None]
    cost = sum(plan.policies[index].weight for index in ran)
    unit = sum(took[index] for index in ran) / cost if cost else 0.0
    for index in chosen:
        if snapshot.rows[index].started_at is None:
            known = usual.get(index)
            took[index] = known.median if known is not None else plan.policies[index].weight * unit
    ends: dict[int, float] = {}
    for index in chosen:
        ends[index] = took[index] + max((ends.get(above, 0.0) for above in plan.upstream[index]), default=0.0)
    return Way(tuple(plan.names[index] for index in chosen), max(ends.values()) if ran or usual else None)


def resolved_at(story: Story, entry: Entry) -> float | None:
    """When its task succeeded after it; None if it did not, or that is not known any more."""
    track = story.track(entry.report.task)
    if track is None:
        return None
    for span in track.spans:
        ok = span.kind is Kind.POINT or (span.kind is Kind.RUN and span.ending == "succeeded")
        if ok and span.end >= entry.report.at:
            return span.end
    return None
