"""`dagtop report`: a report of a run that was kept, told from its events."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from dagtop.core.snapshot import RunSnapshot
from dagtop.observe.report import ReportRecorder, check_report_path, collect_snapshot, write_report
from dagtop.ports.journal import StoredRun
from dagtop.runtime.past import Past
from dagtop.runtime.publisher import SnapshotBox

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
    box = SnapshotBox()
    past = Past(stored, box)
    past.watch_batches(recorder.record)
    while not past.forward():
        pass
    past.show(past.at)
    return box.latest
