"""What the console does with runs that were kept: read the list, open one, compare two, tell of one. For threads of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dagtop.core.commands import CancelRun
from dagtop.core.forecast import Usual
from dagtop.errors import DagtopError
from dagtop.ports.journal import Reply, RunSummary, StoredRun

from dagtop_app.bridge import BY
from dagtop_app.commandline.problems import shorter
from dagtop_app.runs.list_model import Kept, with_pasts
from dagtop_app.text import clean, plural

if TYPE_CHECKING:
    from dagtop.core.commands import Command
    from dagtop.journal.compare import Comparison
    from dagtop.journal.compare_facts import Facts
    from dagtop.runtime.replay import Replay


class History(Protocol):
    """What is asked of a journal."""

    def runs(self) -> Sequence[RunSummary]: ...
    def load(self, run: str) -> StoredRun: ...
    def post(self, run: str, command: Command, by: str, *, patience: float = 10.0) -> Reply: ...
    def usual(
        self, source: str, graph: str, names: Sequence[str], fingerprints: Sequence[str], *, before: str = ""
    ) -> Mapping[str, Usual]: ...


class Opened(NamedTuple):
    """A run that can be played."""

    stored: StoredRun
    replay: Replay

    def close(self) -> None:
        """Let go of it, once nobody looks at it any more. This waits for its threads."""
        self.replay.close()
        self.replay.join(5.0)
        let_go(self.stored)


class Compared(NamedTuple):
    """Two runs, and what is different in the later one."""

    before: Facts
    after: Facts
    found: Comparison


def let_go(stored: StoredRun) -> None:
    """Close what reads a run, where it is to be closed."""
    close: Callable[[], object] | None = getattr(stored, "close", None)
    if close is not None:
        close()


def place_of(journal: History) -> str:
    """Where it keeps them, for people; "" if that is no file."""
    path = getattr(journal, "path", None)
    return clean(shorter(str(path)), 200) if path is not None else ""


def stamp_of(journal: History) -> object:
    """Another one whenever something may have been written; None if that cannot be told."""
    path = getattr(journal, "path", None)
    if path is None:
        return None
    found: list[tuple[int, int]] = []
    for file in (str(path), f"{path}-wal"):
        try:
            seen = os.stat(file)
        except OSError:
            found.append((0, 0))
        else:
            found.append((seen.st_mtime_ns, seen.st_size))
    return tuple(found)


def read(journal: History) -> list[Kept]:
    """All runs, latest first.

    Raises
    ------
    JournalError: it cannot be read.
    """
    return with_pasts(journal.runs())


def open_replay(journal: History, run: str) -> Opened:
    """A run at its end, ready to be played.

    Raises
    ------
    JournalError: there is no such run any more, or it cannot be read.
    """
    from dagtop_app.logs.replayed import replay_of  # noqa: PLC0415 - only where one is played

    stored = journal.load(run)
    record = stored.record
    usual = journal.usual(record.source, record.graph, record.names, record.fingerprints, before=record.run)
    return Opened(stored, replay_of(stored, at_end=True, usual=usual))


def compare_runs(journal: History, one: str, other: str) -> Compared:
    """What is different in the one of both runs that began later.

    Raises
    ------
    JournalError: one of them cannot be read.
    """
    from dagtop_app.commands.comparing import compared  # noqa: PLC0415 - only where runs are compared

    before, after = sorted((one, other), key=lambda run: _began(journal, run))
    return Compared(*compared(journal, before, after))


def redactor_of(compared: Compared) -> Callable[[str], str]:
    """What takes secrets out of the texts of a comparison."""
    from dagtop_app.commands.comparing import redactor_for  # noqa: PLC0415 - as above

    return redactor_for(compared.before, compared.after)


def _began(journal: History, run: str) -> float:
    return next((found.started_at for found in journal.runs() if found.run == run), 0.0)


def write_report_of(journal: History, run: str, form: str, folder: Path) -> str:
    """Write a report of a kept run and say where it is.

    Raises
    ------
    DagtopError: it cannot be read, or written.
    """
    from dagtop.observe.report import ReportRecorder, write_report  # noqa: PLC0415 - only where a report is wanted

    from dagtop_app.commands.reporting import report_of, snapshot_of, write_escalations  # noqa: PLC0415 - as above
    from dagtop_app.reports.picturing import draw  # noqa: PLC0415 - as above

    stored = journal.load(run)
    try:
        recorder = ReportRecorder()
        snapshot = snapshot_of(stored, recorder)
        if form == "tickets":
            target = folder / f"escalations-{run}"
            count = write_escalations(snapshot, target, stored.record.parameters)
            told = f"wrote {plural(count, 'ticket')} into {target.name}, in {folder}"
            return told if count else f"run {run} has no escalations"
        report = report_of(stored, snapshot, recorder)
        return f"wrote {write_report(report, folder / f'report-{run}.{form}', draw=draw).name} into {folder}"
    finally:
        let_go(stored)


def cancel(journal: History, run: str) -> str:
    """Have the process that runs it cancel it, and say what it answered.

    Raises
    ------
    DagtopError: nobody runs it, it did not answer, or it refused.
    """
    reply = journal.post(run, CancelRun(reason="cancelled from the list of runs"), BY)
    if not reply.applied:
        raise DagtopError(f"run {run} refused to be cancelled: {reply.text}")
    return f"run {run}: {reply.text}"


def in_order(runs: Iterable[str], rows: Sequence[Kept]) -> list[str]:
    """Those of the runs that are in the list, the earlier ones first."""
    wanted = set(runs)
    return [row.run for row in reversed(rows) if row.run in wanted]


def previous_of(row: Kept, rows: Sequence[Kept]) -> str:
    """The run of the same graph that began before it; "" if there is none."""
    seen = False
    for one in rows:
        if seen and (one.summary.source, one.summary.graph) == (row.summary.source, row.summary.graph):
            return one.run
        seen = seen or one.run == row.run
    return ""
