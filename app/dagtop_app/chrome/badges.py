"""What calls for attention in a view, shortly, for its tab. Pure; imported before the first paint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core.guards import BreakerState
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import BAD, TaskState

from dagtop_app import faces

if TYPE_CHECKING:
    from dagtop.core.escalation import EscalationReport


def alert(count: int) -> str:
    """ "▲2", or nothing."""
    return f"{'!' if faces.ASCII else '▲'}{count}" if count else ""


def breakers(snapshot: RunSnapshot) -> str:
    """How many breakers let nobody, or hardly anybody, through."""
    return alert(sum(view.state is not BreakerState.CLOSED for view in snapshot.breakers))


def escalations(snapshot: RunSnapshot) -> str:
    """How many escalations stand that nobody looks after."""
    if not snapshot.escalations:
        return ""
    latest = {report.task: report.number for report in snapshot.escalations}
    known = snapshot.acknowledged
    return alert(
        sum(
            report.number not in known and latest[report.task] == report.number and stands(snapshot, report)
            for report in snapshot.escalations
        )
    )


def stands(snapshot: RunSnapshot, report: EscalationReport) -> bool:
    """Whether the task of an escalation, its latest one, still is as bad as that says, and nobody runs it again."""
    index = snapshot.plan.index.get(report.task)
    if index is None or index >= len(snapshot.rows):
        return False
    row = snapshot.rows[index]
    if row.gone:
        return False
    if report.state == TaskState.BACKOFF.value and row.state not in BAD:  # a crash loop: it is started again and again
        return row.restarts > 0 and row.crashes > 0 and not row.serving and row.wanted
    return row.state in BAD or (row.state is TaskState.CANCELLED and report.state == TaskState.CANCELLED.value)
