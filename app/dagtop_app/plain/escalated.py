"""An escalation report in a few lines of plain text. Pure; every foreign text is cleaned."""

from __future__ import annotations

from dagtop.core.escalation import Cause, EscalationReport

from dagtop_app.text import clean, name_of

#: How much of a report a line-by-line log has room for; all of it is in the reports and the journal.
EVIDENCE, OPTIONS, NAMES = 3, 3, 3
#: Causes that the line of the task's ending has told already.
_TOLD = frozenset({Cause.UPSTREAM})


def headline(report: EscalationReport) -> str:
    """ "load: intermittent. It fails in changing ways …"."""
    return f"{name_of(report.task)}: {report.cause.words}. {clean(report.summary, 600)}"


def details(report: EscalationReport) -> list[str]:
    """What comes below the headline: what it was told from, what it holds up, what can be done."""
    if report.cause in _TOLD:
        return []
    lines = [f"- {clean(line, 300)}" for line in report.evidence[:EVIDENCE]]
    if report.blocks:
        shown = ", ".join(name_of(name, 80) for name in report.blocks[:NAMES])
        more = report.blocks_count - len(report.blocks[:NAMES])
        lines.append(f"- Will not run because of it: {shown}{f' and {more:,} more' if more > 0 else ''}.")
    return lines + [f"→ {clean(line, 300)}" for line in report.options[:OPTIONS]]
