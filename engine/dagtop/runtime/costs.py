"""What earlier runs tell a run that begins, and what it leaves for later ones: how long tasks take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core.ledger import Ledger
from dagtop.core.looking_ahead import rerank
from dagtop.core.states import TaskState
from dagtop.errors import JournalError
from dagtop.journal.usual import UNKNOWN
from dagtop.ports.journal import Journal, JournalWriter, RunRecord

if TYPE_CHECKING:
    from dagtop.runtime.engine import Engine


def learn(engine: Engine, journal: Journal, record: RunRecord) -> None:
    """Let the machine know how long tasks usually take, before the run begins: ready ones start in another order then."""
    try:
        found = journal.usual(record.source, record.graph, record.names, record.fingerprints)
    except JournalError as error:
        engine.reports.problem("journal", f"how long tasks usually take is not known: {error}")
        return
    if found:
        index = engine.machine.plan.index
        inside = engine.hiding.names.inside
        engine.job.usual.update({index[inside(name)]: usual for name, usual in found.items()})
        engine.machine.usual = {own: usual.median for own, usual in engine.job.usual.items()}
        rerank(engine.machine)


def leave(ledger: Ledger, writer: JournalWriter, record: RunRecord) -> None:
    """Have the journal remember how long the tasks that ran to success in this process took."""
    seconds = seconds_of(ledger)
    if any(taken >= 0 for taken in seconds):
        writer.took(ledger.plan.names, record.fingerprints, seconds)


def seconds_of(ledger: Ledger) -> list[float]:
    """By task: how long its successful attempt took; UNKNOWN if it had none in this process, or a person marked it."""
    marked = ledger.reason
    return [
        ended - begun
        if state is TaskState.SUCCEEDED and begun is not None and ended is not None and index not in marked
        else UNKNOWN
        for index, (state, begun, ended) in enumerate(
            zip(ledger.state, ledger.attempt_started, ledger.ended_at, strict=True)
        )
    ]
