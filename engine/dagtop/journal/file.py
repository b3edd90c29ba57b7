"""The journal's file: where it is, how it is made and opened, and what is said when that fails."""

from __future__ import annotations

import os
import secrets
import sqlite3
from pathlib import Path

from dagtop.errors import JournalError
from dagtop.journal import schema

#: How long one statement waits for another process to finish writing, in seconds.
BUSY_TIMEOUT = 5.0
#: Bytes up to which a whole file is looked through whenever a run begins in it: that takes some milliseconds.
CHEAP = 8 * 2**20


def default_path() -> Path:
    """Where runs are kept unless the user says otherwise. Nothing is made yet."""
    import platformdirs  # noqa: PLC0415 - not on the way of those who give a path

    return platformdirs.user_state_path("dagtop", appauthor=False) / "journal.sqlite3"


def locate(path: str | os.PathLike[str]) -> Path:
    """The path without symbolic links, so that two names of one file are one file.

    Raises
    ------
    JournalError: it cannot be a path.
    """
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise JournalError(f"the journal cannot be at {os.fspath(path)!r}: {error}; choose another file") from error


def open_to_write(path: Path, *, busy_timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """A connection that may write; the file, readable by its owner only, and the folders above it are made if missing.

    Raises
    ------
    JournalError: the file is not ours, damaged, of a newer dagtop, or cannot be opened.
    """
    if not _exists(path):
        _create(path)
    if _version(path) < schema.VERSION:
        _upgrade(path)
    return _connect(path, "rw", busy_timeout)


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """A connection that cannot write; None if there is no file.

    Raises
    ------
    JournalError: the file is not ours, damaged, of a newer dagtop, or cannot be opened.
    """
    if not _exists(path):
        return None
    version = _version(path)
    if version < schema.VERSION:
        try:
            _upgrade(path)
        except JournalError:
            if version < schema.READABLE:
                raise
    return _connect(path, "ro", BUSY_TIMEOUT)


def check(path: Path, *, limit: int | None = CHEAP) -> None:
    """See that the file is whole, unless it is larger than `limit` bytes. Nothing in it is changed.

    Raises
    ------
    JournalError: it is damaged, or cannot be read.
    """
    try:
        if not _exists(path) or (limit is not None and path.stat().st_size > limit):
            return
        connection = _connect(path, "ro", BUSY_TIMEOUT)
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise explain(path, error) from error
    if found != "ok":
        raise JournalError(f"{_subject(path)} {_EXPLANATIONS['damaged']}")


def explain(path: Path, error: sqlite3.Error | OSError) -> JournalError:
    """What to tell people about an error of the file, with the way out."""
    return JournalError(f"{_subject(path)} {_EXPLANATIONS.get(kind_of(error), str(error).lower())}")


def kind_of(error: sqlite3.Error | OSError) -> str:
    """The kind of an error: "busy", "full", "readonly", "damaged", "foreign", "disk" or "other"."""
    if isinstance(error, OSError):
        return "disk"
    # The lowest byte is the primary code: https://www.sqlite.org/rescode.html#pve
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "busy"
        case sqlite3.SQLITE_FULL:
            return "full"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return "readonly"
        case sqlite3.SQLITE_CORRUPT:
            return "damaged"
        case sqlite3.SQLITE_NOTADB:
            return "foreign"
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            return "disk"
        case _:
            return "other"


_PRAGMAS = (
    "synchronous = NORMAL",  # in WAL mode: a killed process loses nothing, a power cut the last moment, neither tears
    "journal_size_limit = 67108864",  # the log shrinks again after a reader has made it grow
    "foreign_keys = ON",
    "trusted_schema = OFF",
    "cell_size_check = ON",
)

_EXPLANATIONS = {
    "busy": "is locked by another process that has been writing for too long: end that process, or choose another file",
    "full": "cannot grow, the disk is full: free some space, or choose a file on another disk",
    "readonly": "cannot be written, it or its folder is read-only: allow writing, or choose another file",
    "damaged": (
        "is damaged and will not be used: move it away (with its -wal and -shm files), or choose another file; nothing in it "
        "was changed, and `sqlite3 FILE .recover` saves what can be read"
    ),
    "foreign": "is not a journal, or no longer one: choose another file",
    "disk": "cannot be read or written: check the disk and the rights of its folder, or choose another file",
}


def _subject(path: Path) -> str:
    return f"the journal {os.fsencode(path).decode('utf-8', 'backslashreplace')}"


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise explain(path, error) from error
    return True


def _create(path: Path) -> None:
    """Make the file complete under another name first: whoever finds it at `path` finds a journal."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            _lay_out(draft)
            os.link(draft, path)
        finally:
            for ending in ("", "-wal", "-shm"):
                draft.with_name(draft.name + ending).unlink(missing_ok=True)
    except FileExistsError:
        if not _exists(path):  # else another process was quicker, and its file is as good
            raise JournalError(
                f"{_subject(path)} cannot be made: a file is where a folder should be; choose another file"
            ) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise JournalError(f"{_subject(path)} cannot be made: {reason}; choose another file") from error
    except sqlite3.Error as error:
        raise explain(path, error) from error


def _lay_out(draft: Path) -> None:
    connection = _connect(draft, "rw", BUSY_TIMEOUT)
    try:
        # Both before the first table, or never. Chunks span many pages: larger ones cost a third less than 4 KB. The
        # other lets deleted runs give their space back bit by bit.
        connection.execute("PRAGMA page_size = 16384")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalError(
                f"{_subject(draft.parent)} cannot be kept there: the file system has no shared memory (is it a network "
                "disk?); choose a file on a local disk"
            )
        schema.migrate(connection)
        # Closing does this too, but does not tell if the disk is full: then the file would be a torn one without its log.
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise JournalError(f"{_subject(draft.parent)} cannot be made: somebody else has its draft open; try again")
    finally:
        connection.close()


def _version(path: Path) -> int:
    """The version of the file's tables. Looks without writing: the file may be somebody else's.

    The file is never opened but through SQLite: closing any other handle on it would drop the locks of all connections
    that this process has (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        if not path.is_file():
            raise JournalError(f"{_subject(path)} is not a file: choose another one")
        if path.stat().st_size == 0:
            raise JournalError(
                f"{_subject(path)} is empty, which a journal never is: remove it, or choose another file"
            )
        connection = _connect(path, "ro", BUSY_TIMEOUT)
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise explain(path, error) from error
    except OSError as error:
        raise explain(path, error) from error
    if application != schema.APPLICATION_ID:
        raise JournalError(f"{_subject(path)} is a database of another application: choose another file")
    if version > schema.VERSION:
        raise JournalError(
            f"{_subject(path)} was made by a newer dagtop (version {version} of its tables; this one knows "
            f"{schema.VERSION}): upgrade dagtop, or choose another file"
        )
    return int(version)


def _upgrade(path: Path) -> None:
    try:
        connection = _connect(path, "rw", BUSY_TIMEOUT)
        try:
            schema.migrate(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise explain(path, error) from error


def _connect(path: Path, mode: str, busy_timeout: float) -> sqlite3.Connection:
    try:
        # Autocommit, so that BEGIN and COMMIT stand where we put them. Threads are kept apart by the callers.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise explain(path, error) from error
    return connection
