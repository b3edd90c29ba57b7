"""A graph file read again while what it gave before still runs: on a thread of its own, with a deadline, and as if it had never
been touched when it is broken.

The file and the modules from its own folder run anew; other modules are those that are loaded. Functions that an earlier
reading gave keep the globals that they had.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Generic, TypeVar

from dagtop.errors import DagtopError, LoadError
from dagtop.loaders.problems import exception_text
from dagtop.loaders.python import own_modules, put_back

T = TypeVar("T")

#: Seconds in which a file must come to its end.
PATIENCE = 10.0


class _GaveUpError(BaseException):
    """Thrown into a thread that still reads when nobody waits for it any more."""


def read_again(path: str, read: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """What `read` gives, which loads the file at `path`. Whatever comes of it, `sys.modules` and tracebacks know the version that
    was read last without a fault.

    Raises
    ------
    DagtopError: the file is broken, or does not come to its end within `patience` seconds.
    """
    from dagtop.ports.read_again import READ_AGAIN  # noqa: PLC0415 - not to begin with

    with _one_at_a_time:
        before = _Known(path)
        reading = _Reading(read)
        reading.start()
        if not reading.over.wait(patience):
            place = reading.give_up(path)
            before.restore()
            raise LoadError(
                f"it has not come to its end within {patience:g} s, and was given up: what takes long belongs into a task",
                place=place,
            )
        if reading.error is not None:
            before.restore()
            raise reading.error
        READ_AGAIN.update(own_modules(path))
        return reading.gave


_one_at_a_time = threading.Lock()


class _Reading(Generic[T]):
    """A thread that reads. One that hangs is told to stop, and left behind."""

    gave: T

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._thread = threading.Thread(target=self._run, name="dagtop:reads the file again", daemon=True)
        self.over = threading.Event()
        self.error: DagtopError | None = None

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            self.gave = self._read()
        except DagtopError as error:
            self.error = error
        except BaseException as error:  # noqa: BLE001 - it is the file's own, or nobody waits any more
            self.error = LoadError(exception_text(error))
        finally:
            self.over.set()

    def give_up(self, path: str) -> str:
        """Stop it if it runs Python code; where it was."""
        ident = self._thread.ident
        frame = sys._current_frames().get(ident) if ident is not None else None
        place = _place(path, frame)
        if ident is not None and self._thread.is_alive():
            import ctypes  # noqa: PLC0415 - only for a file that hangs

            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(_GaveUpError))
        return place


def _place(path: str, frame: FrameType | None) -> str:
    while frame is not None and frame.f_code.co_filename != path:
        frame = frame.f_back
    return f"{path}:{frame.f_lineno}" if frame is not None else path


class _Known:
    """What the process knows of a file and the modules beside it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._modules: dict[str, ModuleType] = {name: sys.modules[name] for name in own_modules(path)}
        self._lines = {file: linecache.cache[file] for file in files_of(path) if file in linecache.cache}
        self._argv = sys.argv
        for module in self._modules.values():
            # Compiled code is known by the second and the size of its source: an edit within that second would not be seen.
            compiled = getattr(module, "__cached__", None)
            if isinstance(compiled, str):
                with contextlib.suppress(OSError):
                    os.unlink(compiled)

    def restore(self) -> None:
        """Forget what was read since."""
        put_back(self._path, self._modules)
        sys.argv = self._argv
        linecache.cache.update(self._lines)


def files_of(path: str) -> list[str]:
    """The file, and those of the modules that it brought along from its own folder."""
    found = {path: None}
    for name in own_modules(path):
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str):
            found[file] = None
    return list(found)
