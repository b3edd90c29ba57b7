"""`dagtop replay`: the console in front of a run that was kept."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from dagtop.core.events import Log
from dagtop.runtime.replay import Replay

from dagtop_app import settings
from dagtop_app.log_store import DeepLogs
from dagtop_app.options import UsageError
from dagtop_app.replayed_logs import ReplayedLogs
from dagtop_app.signals import Signals
from dagtop_app.terminal import own_terminal
from dagtop_app.text import clean, name_of


def replay_command(run: str, signals: Signals, db: Path | None, *, from_start: bool) -> int:
    """Show a stored run until the user leaves. Nothing of it runs, and nothing is changed.

    Raises
    ------
    UsageError: there is no terminal to show it on.
    JournalError: there is no such run, or it cannot be read.
    """
    if not settings.wants_console(stdin=sys.stdin.isatty(), stdout=sys.stdout.isatty()):
        raise UsageError("replay needs a terminal; `dagtop report RUN` tells of a run without one")
    journal = settings.journal_at(db)
    stored = journal.load(run)
    record = stored.record
    usual = journal.usual(record.source, record.graph, record.names, record.fingerprints, before=record.run)
    book = DeepLogs()
    replay = Replay(stored, at_end=not from_start, usual=usual, book=book)
    replay.logs = ReplayedLogs(replay.logs, book)
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
