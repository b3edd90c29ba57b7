"""`dagtop report`: a report of a run that was kept, told from its events."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan
from dagtop.core.policy import DEFAULT_POLICY
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.topology import topological_order
from dagtop.observe.report import ReportRecorder, check_report_path, collect_snapshot, write_report
from dagtop.ports.journal import Session, StoredRun
from dagtop.runtime.publisher import Publisher, SnapshotBox

from dagtop_app import settings
from dagtop_app.farewell import farewell
from dagtop_app.text import clean


def report_command(run: str, files: Sequence[Path], db: Path | None) -> int:
    """Write the reports; without a file tell the run in a few lines on stdout.

    Raises
    ------
    DagtopError: there is no such run, or a report cannot be written.
    """
    for file in files:
        check_report_path(file)
    stored = settings.journal_at(db).load(run)
    recorder = ReportRecorder()
    snapshot = snapshot_of(stored, recorder)
    if not files:
        print(farewell(snapshot))
        return 0
    record = stored.record
    report = collect_snapshot(snapshot, recorder=recorder, inputs=record.parameters, source=record.source)
    for file in files:
        print(f"report: {clean(str(write_report(report, file)))}", file=sys.stderr)
    return 0


def snapshot_of(stored: StoredRun, recorder: ReportRecorder) -> RunSnapshot:
    """The run as its last event left it; the recorder sees every event."""
    ledger = Ledger(plan_of(stored.record.graph, stored.sessions))
    box = SnapshotBox()
    publisher = Publisher(box)
    publisher.watch(ledger)
    at = 0.0
    for number, event in enumerate(stored.events(), 1):
        ledger.apply(event)
        batch = (event,)
        publisher.record(number, batch)
        recorder.record(number, batch)
        at = event.at
    publisher.publish(at)
    return box.latest


def plan_of(name: str, sessions: Sequence[Session]) -> Plan:
    """The graph as the run knew it: a task that a later session no longer had is there too, for the events name it."""
    needs: dict[str, tuple[str, ...]] = {}
    for session in sessions:
        record = session.record
        for task, upstream in zip(record.names, record.upstream, strict=True):
            needs[task] = tuple(record.names[number] for number in upstream)
    names = tuple(needs)
    index = {task: number for number, task in enumerate(names)}
    edges = [[index[needed] for needed in needs[task]] for task in names]
    downstream: list[list[int]] = [[] for _ in names]
    for place, sources in enumerate(edges):
        for source in sources:
            downstream[source].append(place)
    return Plan(
        name=name,
        names=names,
        index=index,
        upstream=edges,
        downstream=downstream,
        order=topological_order(edges, downstream),
        policies=[DEFAULT_POLICY] * len(names),
    )
