"""Where things are kept, and what the environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagtop.journal.sqlite import SqliteJournal

#: The history's file, if `--db` gives no other.
DB_VARIABLE = "DAGTOP_DB"


def journal_at(given: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ) -> SqliteJournal:
    """The history: in the file that `--db` gives, else DAGTOP_DB, else the user's own place. Nothing is made yet."""
    from dagtop.journal.sqlite import SqliteJournal  # noqa: PLC0415 - SQLite only where it is needed

    from dagtop_app.commandline.safety import take_safety  # noqa: PLC0415 - what is in there is shown

    take_safety(environ)
    chosen = given or environ.get(DB_VARIABLE)
    return SqliteJournal(Path(chosen) if chosen else None)


def check_writable(journal: SqliteJournal) -> None:
    """Make the file if it is not there, and see that it is ours and can be written.

    Raises
    ------
    JournalError: it cannot.
    """
    from dagtop.journal.file import open_to_write  # noqa: PLC0415 - as above

    open_to_write(journal.path).close()


def wants_console(*, stdin: bool, stdout: bool, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `dagtop FILE` opens the console: on a terminal that can be drawn on, and not in a CI job."""
    return stdin and stdout and can_draw(environ)


def can_draw(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether lines may be redrawn."""
    ci = environ.get("CI", "").lower() not in ("", "0", "false", "no")
    return environ.get("TERM", "") not in ("", "dumb") and not ci
