"""What a run goes on with that an earlier process had begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan

if TYPE_CHECKING:
    from dagtop.journal.resume import Resumption


def check_resume(resume: object) -> None:
    """See that what a run is to go on with was made of a stored run.

    Raises
    ------
    ValueError: it was not.
    """
    if resume is not None and not hasattr(resume, "next_event"):
        raise ValueError(
            "resume takes what plan_resumption(journal.load(run), graph.validate(), graph.fingerprints()) gives, "
            f"not {resume!r}: "
            "by id, or as the latest one, `dagtop resume` goes on with a run, and a Reconciler with its own"
        )


def taken_up(resume: Resumption | None, plan: Plan, max_parallel: int) -> tuple[Ledger | None, list[Any]]:
    """(what the earlier process had finished, outputs by task index)."""
    outputs: list[Any] = [None] * len(plan)
    if resume is None:
        return None, outputs
    ledger = Ledger(plan, max_parallel)
    ledger.run, ledger.started_at = resume.run, resume.record.started_at
    ledger.escalations, ledger.acknowledged = list(resume.escalations), dict(resume.acknowledged)
    for index, name in enumerate(plan.names):
        done = name in resume.kept or name in resume.reruns
        ledger.seed(index, resume.attempts.get(name, 0), succeeded=done)
        if name in resume.kept:
            outputs[index] = resume.kept[name]
        if name in resume.notes:
            ledger.reason[index] = resume.notes[name]
    return ledger, outputs


def numbered(plan: Plan, told: Mapping[str, str]) -> tuple[tuple[int, str], ...]:
    """What is told of tasks, by index; without those that the graph does not have any more."""
    index_of = plan.index
    return tuple((index_of[name], why) for name, why in told.items() if name in index_of)
