"""`report html FILE` typed in `--plain`: what a report needs is kept while the run goes on, a bounded amount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from dagtop.core.events import AnyEvent
from dagtop.core.snapshot import RunSnapshot
from dagtop.errors import DagtopError
from dagtop.observe.report.recorder import ReportRecorder

from dagtop_app.text import clean
from dagtop_app.words.parsing import WordError
from dagtop_app.words.reports import FORMS, report_asked

if TYPE_CHECKING:
    from dagtop_app.bridge import Logs


class ReportKeeper:
    """A recorder of what reports tell, to be read by another thread than the one that records."""

    def __init__(self, inputs: Mapping[str, Any] | None = None, source: str = "") -> None:
        self._inputs, self._source = inputs or {}, source
        self._kept, self._lock = ReportRecorder(), Lock()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take the next events."""
        with self._lock:
            self._kept.record(first, batch)

    def answer(self, asked: str, snapshot: RunSnapshot, logs: Logs) -> str:
        """Write the report that is asked for, and tell where it is; without a form tell which there are.

        Raises
        ------
        WordError: there is no such form, or the report cannot be written.
        """
        from dagtop_app.reports.exporting import Export  # noqa: PLC0415 - seldom needed

        form, target = report_asked(asked)
        if not form:
            return f"say which: report {', report '.join(FORMS)}; a FILE may follow"
        if not snapshot.rows:
            raise WordError("there is no run yet to be told of")
        export = Export(snapshot, self._copy(), logs, self._inputs, self._source)
        try:
            return export.write(form, Path.cwd(), target)
        except DagtopError as error:
            raise WordError(clean(str(error), 400)) from None

    def _copy(self) -> ReportRecorder:
        with self._lock:
            kept, copy = self._kept, ReportRecorder()
            for name in ("commands", "problems", "escalations", "pauses", "moves"):
                getattr(copy, name).extend(getattr(kept, name))
            for name in (
                "command_count",
                "problem_count",
                "escalation_count",
                "paused_at",
                "max_parallel",
                "move_count",
            ):
                setattr(copy, name, getattr(kept, name))
            copy.attempts = {task: list(attempts) for task, attempts in kept.attempts.items()}
            return copy  # logs come from where all of them are
