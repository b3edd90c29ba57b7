"""`dagtop report`: a report of a run that was kept, told from its events."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from dagtop.core.snapshot import RunSnapshot
from dagtop.errors import DagtopError
from dagtop.observe.redact import redactor
from dagtop.observe.report import Report, ReportRecorder, check_report_path, collect_snapshot, form_of, write_report
from dagtop.observe.report.ticket import ticket
from dagtop.observe.report.write import replace_file
from dagtop.observe.secrets import secrets_in
from dagtop.ports.journal import StoredRun
from dagtop.runtime.past import Past
from dagtop.runtime.publisher import SnapshotBox

from dagtop_app.escalations.model import entries
from dagtop_app.escalations.texts import LOOKS
from dagtop_app.launching.farewell import farewell
from dagtop_app.reports.picturing import draw
from dagtop_app.settings import places as settings
from dagtop_app.text import clean, plural

#: Characters of a task's name in the name of a file.
_NAMED = 60


def report_command(run: str, files: Sequence[Path], db: Path | None, *, escalations: bool = False) -> int:
    """Write the reports; without a file tell the run in a few lines on stdout.

    Parameters
    ----------
    escalations: write each escalation to a file of its own; the one of `files` that is no report is the folder.

    Raises
    ------
    DagtopError: there is no such run, or a report cannot be written.
    """
    folders = [file for file in files if not form_of(file.name)] if escalations else []
    if len(folders) > 1:
        raise DagtopError(f"could not write the escalations: there are {len(folders)} folders for them; give one")
    files = [file for file in files if file not in folders]
    for file in files:
        check_report_path(file)
    stored = settings.journal_at(db).load(run)
    recorder = ReportRecorder()
    snapshot = snapshot_of(stored, recorder)
    record = stored.record
    if escalations:
        folder = folders[0] if folders else Path(f"escalations-{record.run}")
        written = write_escalations(snapshot, folder, record.parameters)
        told = f"{plural(written, 'escalation')} in {folder}" if written else "the run has none"
        print(f"escalations: {clean(told)}", file=sys.stderr)
    elif not files:
        print(farewell(snapshot))
        return 0
    if files:
        report = report_of(stored, snapshot, recorder)
        for file in files:
            print(f"report: {clean(str(write_report(report, file, draw=draw)))}", file=sys.stderr)
    return 0


def report_of(stored: StoredRun, snapshot: RunSnapshot, recorder: ReportRecorder) -> Report:
    """All that is kept of a run, its tasks' outputs too. `snapshot` and `recorder` are those of `snapshot_of`.

    Raises
    ------
    JournalError: it cannot be read.
    """
    from dagtop_app.reports.kept_outputs import outputs_of  # noqa: PLC0415 - only where a report is written

    record, outputs = stored.record, outputs_of(stored, snapshot)
    return collect_snapshot(
        snapshot, recorder=recorder, inputs=record.parameters, source=record.source, outputs=outputs
    )


def snapshot_of(stored: StoredRun, recorder: ReportRecorder) -> RunSnapshot:
    """The run as its last event left it, with all its escalations; the recorder sees every event."""
    box = SnapshotBox()
    past = Past(stored, box)
    past.watch_batches(recorder.record)
    while not past.forward():
        pass
    past.show(past.at)
    return msgspec.structs.replace(box.latest, escalations=tuple(past.ledger.escalations))


def write_escalations(snapshot: RunSnapshot, folder: Path, inputs: Mapping[str, Any]) -> int:
    """Each escalation as a file of Markdown, ready for a ticket. Returns how many there are.

    Raises
    ------
    DagtopError: one cannot be written.
    """
    tickets = list(tickets_of(snapshot, inputs))
    try:
        if tickets:
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in tickets:
            replace_file(folder / name, content)
    except OSError as error:
        raise DagtopError(f"could not write the escalations to {str(folder)!r}: {error.strerror or error}") from error
    return len(tickets)


def tickets_of(snapshot: RunSnapshot, inputs: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(name of the file, content) of each escalation, without what looks secret."""
    redacted = redactor(secrets_in(inputs, os.environ))
    for entry in entries(snapshot):
        told = ticket(entry.report, entry.owner, LOOKS[entry.status].word, redacted=redacted)
        yield _file_name(entry.report.number, redacted(entry.report.task)), told.encode("utf-8", "backslashreplace")


def _file_name(number: int, task: str) -> str:
    """A name that every file system takes."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", task).strip("-.")[:_NAMED]
    return f"ESC-{number}-{plain}.md" if plain else f"ESC-{number}.md"
