"""How much of the processor one thread has had, and how long it has waited for it, where the system tells (Linux)."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path


class Processor:
    """The processor time of one thread of this process. Elsewhere than on Linux it is never told: 0."""

    __slots__ = ("_clock", "_delay", "_seen", "_statistics")

    def __init__(self, native_id: int) -> None:
        # The clock that pthread_getcpuclockid() gives, made from the number, which may be that of a thread long gone.
        self._clock = (~native_id << 3) | 6 if sys.platform == "linux" else None
        self._statistics = f"/proc/self/task/{native_id}/schedstat"
        self._delay = 0.0
        self._seen = self._used()

    def look(self) -> None:
        """`ran` counts from now on."""
        self._seen = self._used()

    def ran(self, seconds: float) -> bool:
        """Whether the thread itself ran for most of so many seconds since the last `look`."""
        return self._clock is not None and self._used() - self._seen >= 0.8 * seconds

    def mark(self) -> None:
        """`waited` counts from now on."""
        self._delay = self._delays()

    def waited(self) -> float:
        """Seconds since `mark` in which it could have run, but the machine had others to run."""
        return max(0.0, self._delays() - self._delay)

    def _used(self) -> float:
        if self._clock is None:
            return 0.0
        try:
            return time.clock_gettime(self._clock)
        except OSError:  # the thread has ended
            return 0.0

    def _delays(self) -> float:
        if self._clock is None:
            return 0.0
        try:
            return int(Path(self._statistics).read_text(encoding="ascii").split()[1]) / 1e9
        except (OSError, IndexError, ValueError):  # not every kernel keeps these
            return 0.0


class ThreadPlace:
    """A thread that runs an attempt; made in that thread."""

    __slots__ = ("ident", "processor")

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self.processor = Processor(threading.get_native_id())
