"""Where runs are kept, and how one that is kept is gone on with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from dagtop.errors import JournalError

from dagtop_app.commandline.options import JournalOptions, KeepOptions
from dagtop_app.launching.preparing import Prepared
from dagtop_app.settings import places as settings

if TYPE_CHECKING:
    from dagtop.ports.journal import Journal


class Kept:
    """Where a run is kept, opened when that is first asked for: importing SQLite and the journal takes as long as the table's
    first paint.

    Parameters
    ----------
    open: gives the journal; None if nothing is kept.
    again: what goes on with a run of it, without the run's id.
    """

    def __init__(self, open: Callable[[], Journal | None], again: str) -> None:  # noqa: A002 - what it does
        self._open = open
        self._again = again

    @classmethod
    def of(cls, prepared: Prepared, keep: KeepOptions) -> Kept:
        """Where the options and the graph's file say.

        Raises
        ------
        JournalError: the file that was asked for cannot be written.
        """
        kept = cls(lambda: open_journal(prepared, keep), resume_command(keep))
        if keep.db is not None or prepared.journal is not None:
            _ = kept.journal
        return kept

    @cached_property
    def journal(self) -> Journal | None:
        """The journal; None if nothing is kept."""
        return self._open()

    @cached_property
    def again(self) -> str:
        """What goes on with a run of it, without the run's id; "" if nothing does."""
        return self._again if can_be_resumed(self.journal) else ""


def open_journal(prepared: Prepared, keep: KeepOptions) -> Journal | None:
    """Where the run will be kept. A file that was asked for is seen to be writable.

    One that was not, the user's own history, does not stand in the way: the engine tells that it cannot be written, and the
    run goes on.

    Raises
    ------
    JournalError: the file that was asked for cannot be written.
    """
    if keep.no_journal:
        return None
    own = prepared.journal if keep.db is None else keep.db
    if own is not None and not isinstance(own, (str, PathLike)):
        return own
    journal = settings.journal_at(own)
    if own is not None:
        settings.check_writable(journal)
    return journal


def can_be_resumed(journal: Journal | None) -> bool:
    """Whether a run that is begun in it now is kept there."""
    if journal is None:
        return False
    from dagtop.journal.sqlite import SqliteJournal  # noqa: PLC0415 - loaded already if there is one

    if not isinstance(journal, SqliteJournal):
        return True
    try:
        settings.check_writable(journal)
    except JournalError:
        return False
    return True


def file_of(journal: Journal | None) -> Path | None:
    """The file of a journal, if another terminal has to be told which one it is."""
    path = getattr(journal, "path", None)
    return path if path is not None and path != settings.journal_at(environ={}).path else None


def resume_command(keep: JournalOptions) -> str:
    """What goes on with a run, as it is typed, without the run's id."""
    if not keep.db:
        return "dagtop resume"
    import shlex  # noqa: PLC0415 - not to begin with

    return f"dagtop resume --db {shlex.quote(str(keep.db))}"
