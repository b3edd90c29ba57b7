"""What is kept of a run while it goes on: in a journal, and in the cache of its tasks."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from dagtop.core.described import described_run, told_apart
from dagtop.core.events import TaskNotCached
from dagtop.errors import JournalError
from dagtop.ports.journal import Journal, JournalWriter, RunRecord

if TYPE_CHECKING:
    from dagtop.runtime.engine import Engine
    from dagtop.runtime.executor import DAGExecutor


class Kept(NamedTuple):
    """A run that is being written down."""

    journal: Journal
    writer: JournalWriter
    record: RunRecord


def keep(executor: DAGExecutor, engine: Engine) -> Kept | None:
    """Begin to write the run down. A journal that cannot be written is told, and a new run goes on without.

    Raises
    ------
    JournalError: a stored run cannot be gone on with: somebody else may be at it by now, and what is finished must not run again.
    """
    if executor.journal is None:
        return None

    def tell(task: str, message: str) -> None:
        engine.reports.problem("journal", message, task)

    resume = executor.resume
    try:
        journal, record = executor.open_journal(), record_of(executor, engine)
        writer = journal.begin(record, tell) if resume is None else journal.resume(record, resume.next_event, tell)
    except JournalError as error:
        if resume is not None:
            raise
        engine.reports.problem("journal", f"this run is not kept: {error}")
        return None
    return Kept(journal, writer, record)


def record_of(executor: DAGExecutor, engine: Engine) -> RunRecord:
    """The run as the journal has it from its beginning."""
    plan = executor.hiding.names.plan(executor.plan)
    policies, which = told_apart(plan.policies if plan.one_policy is None else (plan.one_policy,))
    return RunRecord(
        run=executor.run_id,
        graph=executor.hiding.names.outside(executor.graph.name),
        source=executor.source,
        started_at=engine.job.started_at,
        pid=os.getpid(),
        names=tuple(plan.names),
        upstream=tuple(tuple(needed) for needed in plan.upstream),
        fingerprints=executor.graph.fingerprints(executor.config),
        parameters=dict(executor.config.inputs),
        options=executor.options,
        policies=policies,
        policy=which,
        nodes=tuple(plan.nodes),
        setup=described_run(replace(executor.config.run_policy(), supervises=executor.supervises)),
        hidden=executor.hiding.names.digests(),
    )


async def open_cache(executor: DAGExecutor, engine: Engine, stack: ExitStack) -> None:
    """Open the cache of the run's tasks; the stack closes it."""
    from dagtop.runtime.cache_places import place_of  # noqa: PLC0415 - only where some task has a cache
    from dagtop.runtime.caching import Caching  # noqa: PLC0415 - as above

    cache = place_of(executor.config.cache, executor.journal, executor.graph, executor.source, engine.reports)
    takes = executor.config.cache is not False

    def not_kept(index: int, reason: str) -> None:
        engine.machine.note(TaskNotCached(engine.now(), engine.machine.plan.names[index], reason))

    caching = Caching(
        engine.job,
        engine.calls,
        engine.reports,
        cache,
        lambda: engine.machine.ledger,
        takes=takes,
        not_kept=not_kept,
    )
    stack.callback(caching.close)
    await caching.open()
    engine.calls.caching = caching
