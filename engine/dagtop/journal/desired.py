"""Which stored run a desired state goes on with when it is brought up again: after a crash, or after it was stopped."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dagtop.core.plan import Plan
from dagtop.core.states import RunState
from dagtop.journal.hidden import as_stored, names_of
from dagtop.journal.resume import Resumption, plan_resumption
from dagtop.ports.journal import Journal, RunSummary, StoredRun

#: How a run stands that was not brought to its end by its own tasks.
_GOES_ON = frozenset({"crashed", "incomplete", RunState.CANCELLED.value})


def latest_of(journal: Journal, source: str, graph: str) -> StoredRun | None:
    """The latest run of that graph from that file, if nobody has it open and its end was not that nothing could change any more.

    Raises
    ------
    JournalError: the journal cannot be read.
    """
    for summary in journal.runs():
        if (summary.source, summary.graph) == (source, graph):
            return journal.load(summary.run) if not summary.alive and summary.state in _GOES_ON else None
    return None


def open_elsewhere(journal: Journal, source: str, graph: str) -> RunSummary | None:
    """The run of that graph from that file that another process has open now, if one has.

    Raises
    ------
    JournalError: the journal cannot be read.
    """
    for summary in journal.runs():
        if (summary.source, summary.graph) == (source, graph) and summary.alive and summary.pid != os.getpid():
            return summary
    return None


def go_on_with(stored: StoredRun, plan: Plan, fingerprints: Sequence[str]) -> Resumption | None:
    """What is kept of it; None if it was of another graph altogether.

    Raises
    ------
    JournalError: somebody has it open by now, or it cannot be read.
    """
    seen = as_stored(plan, names_of(plan, stored.record))
    if len(plan) and stored.record.names and seen.index.keys().isdisjoint(stored.record.names):
        return None
    return plan_resumption(stored, plan, fingerprints, supervises=True)
