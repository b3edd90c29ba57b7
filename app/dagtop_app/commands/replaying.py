"""`dagtop replay`: the console in front of a run that was kept."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dagtop.core.events import Log
from dagtop.core.forecast import Usual
from dagtop.errors import JournalError
from dagtop.journal.sqlite import SqliteJournal, SqliteStoredRun
from dagtop.runtime.stream import StreamRun, read_stream

from dagtop_app.commandline.options import UsageError
from dagtop_app.commandline.signals import Signals
from dagtop_app.launching import later
from dagtop_app.logs.replayed import replay_of
from dagtop_app.settings import places as settings
from dagtop_app.terminal.streams import own_terminal
from dagtop_app.text import clean, name_of


def replay_command(run: str, signals: Signals, db: Path | None, *, from_start: bool) -> int:
    """Show a stored run until the user leaves. Nothing of it runs, and nothing is changed.

    Raises
    ------
    UsageError: there is no terminal to show it on.
    UsageError: it is a file of events, and a line of it is none.
    JournalError: there is no such run, or it cannot be read.
    """
    if not settings.wants_console(stdin=sys.stdin.isatty(), stdout=sys.stdout.isatty()):
        raise UsageError("replay needs a terminal; `dagtop report RUN` tells of a run without one")
    journal, stored, usual = _found(run, db)
    record = stored.record
    replay = replay_of(stored, at_end=not from_start, usual=usual)
    later.put_off()
    from dagtop_app.console import run_console  # noqa: PLC0415 - Textual only when there is something to show

    def to_the_logs(stream: str, line: str) -> None:
        replay.note(Log(at=replay.latest.at, task="", attempt=0, stream=stream, level="", line=line))

    def begin() -> None:
        gc.freeze()
        gc.enable()
        replay.start()

    gc.disable()
    signals.restore()
    title = (
        f"replay of {clean(Path(record.source).name, 60)}" if record.source else f"replay of {name_of(record.graph)}"
    )
    with own_terminal(to_the_logs, for_textual=True):
        run_console(replay, begin=begin, title=title, inputs=record.parameters, source=record.source, journal=journal)
    signals.end_with(0)
    replay.join(2.0)
    stored.close()
    if replay.error is not None:
        raise replay.error
    return 0


def _found(run: str, db: Path | None) -> tuple[SqliteJournal, SqliteStoredRun | StreamRun, Mapping[str, Usual]]:
    """The run, where it is kept, and how long its tasks usually take. `run` may be a file of events too."""
    journal = settings.journal_at(db)
    if is_stream(run):
        try:
            return journal, read_stream(Path(run).expanduser()), {}
        except JournalError as error:
            raise UsageError(clean(str(error), 500)) from error
    stored = journal.load(run)
    record = stored.record
    usual = journal.usual(record.source, record.graph, record.names, record.fingerprints, before=record.run)
    return journal, stored, usual


def is_stream(run: str) -> bool:
    """Whether it names a file of events, as `dagtop run --json` prints them, and no run of the journal."""
    return run.lower().endswith((".ndjson", ".jsonl", ".json")) or os.sep in run
