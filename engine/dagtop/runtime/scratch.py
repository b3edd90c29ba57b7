"""The directories in which tasks may put what they like: made when first asked for, removed after the run.

A process that is killed removes nothing. Each run therefore has a lock in its folder that ends with the process, and the first
directory that a later process makes has what nobody holds any more removed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":  # there what was left stays
    import fcntl

_PREFIX = "dagtop-"
#: Of a folder that has no lock yet: nobody touches it.
_UNLOCKED = "new-dagtop-"
_LOCK = ".dagtop-scratch"


class Scratch:
    """The directories of one run. May be asked from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._root: Path | None = None
        self._held: int | None = None

    def path(self, index: int, task: str) -> Path:
        """Where a task's directory is, or is to be; the folder above it is there."""
        with self._lock:
            if self._root is None:
                self._root, self._held = _made()
                folder = self._root.parent
                threading.Thread(target=remove_what_is_left, args=(folder,), name="dagtop:removes", daemon=True).start()
            root = self._root
        return root / f"{index}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', task)[:40]}"

    def clear_away(self) -> None:
        """The run is over: remove them."""
        with self._lock:
            root, held, self._root, self._held = self._root, self._held, None, None
        if root is not None:
            shutil.rmtree(root, ignore_errors=True)
        if held is not None:
            os.close(held)


def _made() -> tuple[Path, int | None]:
    root = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
    if sys.platform == "win32":
        return root, None
    held = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with suppress(OSError):  # a file system without locks: nobody else takes one there either
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        root = root.rename(root.with_name(root.name.replace(_UNLOCKED, _PREFIX, 1)))
    return root, held


def remove_what_is_left(folder: Path) -> None:
    """Remove the directories of runs whose process ended before they did. Those of others, of people too, are left alone."""
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_left(Path(entry.path))


def _remove_if_left(root: Path) -> None:
    """Raises OSError if somebody holds its lock, or it has none."""
    if sys.platform == "win32" or root.stat().st_uid != os.getuid():
        return
    held = os.open(root / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(root, ignore_errors=True)
    finally:
        os.close(held)
