"""What went wrong around a run, and what is merely good to know of it. Pure."""

from __future__ import annotations

from dagtop.core.events import Problem
from dagtop.core.snapshot import RunSnapshot

from dagtop_app.text import clean, name_of, plural


def trouble(snapshot: RunSnapshot) -> tuple[int, Problem | None]:
    """(how much went wrong, the latest of it): of what may be told of every task only the first was counted."""
    notices = sum(problem.is_notice for problem in snapshot.problems)
    last = next((problem for problem in reversed(snapshot.problems) if not problem.is_notice), None)
    return max(0, snapshot.problem_count - notices), last


def trouble_text(snapshot: RunSnapshot) -> str:
    """ "2 problems around the run, the latest: journal: disk full"; "" if nothing went wrong."""
    count, last = trouble(snapshot)
    told = f", the latest: {clean(last.source, 40)}: {clean(last.message, 200)}" if last is not None else ""
    return f"{plural(count, 'problem')} around the run{told}" if count else ""


def notice_text(snapshot: RunSnapshot) -> str:
    """ "not every output can be kept: on resume words[0] runs again (it is a set)"; "" if all are."""
    notice = next((problem for problem in snapshot.problems if problem.is_notice), None)
    if notice is None:
        return ""
    why = clean(notice.message, 200).partition(";")[0]
    return f"not every output can be kept: on resume {name_of(notice.task, 60)} runs again ({why})"
