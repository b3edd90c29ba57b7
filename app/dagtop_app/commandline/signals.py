"""SIGINT, SIGTERM, SIGHUP and SIGQUIT: what they mean at each stage of the command line, and the exit code each one leaves.

While a graph file loads they interrupt it like Ctrl+C. While a run goes on they are handed to whoever watches the run.
A signal that the parent process had ignored (`nohup`, a shell's background job) stays ignored.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

EXIT_CODES: Mapping[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGQUIT: 131}


#: Signals of one kind within so many seconds count once: `timeout -s INT` signals its child and then the whole group.
ONCE = 0.5


def name_of_signal(number: int) -> str:
    """The signal as people know it."""
    return "Ctrl+C" if number == signal.SIGINT else signal.Signals(number).name


class Signals:
    """The handlers, from `install` to `restore`. Main thread only."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.received: list[int] = []
        """All that counted, in order."""
        self._now = now
        self._last: dict[int, float] = {}
        self._deliver: Callable[[int], None] = _interrupt
        self._before: dict[int, Any] = {}

    @property
    def exit_code(self) -> int | None:
        """The exit code that the first signal asks for; None if none came."""
        return EXIT_CODES[self.received[0]] if self.received else None

    def deliver_to(self, take: Callable[[int], None], *, wake: int = -1) -> None:
        """From now on call `take` with each signal, in the main thread and in the middle of anything: it must be quick,
        and must not wait for a lock. A byte is written to the descriptor `wake` the moment a signal arrives."""
        self._deliver = take
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def install(self) -> None:
        """Take the signals over."""
        for number in EXIT_CODES:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._handle)

    def end_with(self, code: int) -> None:
        """Take the signals over: from now on each one ends the process at once, with this code. All is done but to leave."""
        self._deliver = lambda _: os._exit(code)
        if not self._before:
            self.install()

    def restore(self) -> None:
        """Put the handlers back that were there before."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        at = self._now()
        if number in self._last and at - self._last[number] < ONCE:
            return
        self._last[number] = at
        self.received.append(number)
        if (
            self._deliver is _interrupt and len(self.received) > 1
        ):  # the first one may have nobody left to catch another
            os._exit(EXIT_CODES[self.received[0]])
        self._deliver(number)


def _interrupt(number: int) -> None:
    raise KeyboardInterrupt
