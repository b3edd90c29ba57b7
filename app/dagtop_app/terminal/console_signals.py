"""Signals while the console is there: from before it takes the terminal until the engine behind it has ended.

Handlers of the event loop would go with it: whoever signals in the seconds after would kill the process, and what tasks clean
up at their end with it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from dagtop.core.commands import CancelRun, Command

from dagtop_app.commandline.signals import EXIT_CODES, ONCE, name_of_signal

#: Seconds between two looks at whether a run has ended.
_LOOK = 0.2

#: Textual takes these for itself, and does not give them back.
_TEXTUALS = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)


class Counted:
    """Which of several signals count: of one kind one in a while, see `ONCE`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last: dict[int, float] = {}

    def counts(self, number: int) -> bool:
        """Whether this one does."""
        at = self._now()
        if number in self._last and at - self._last[number] < ONCE:
            return False
        self._last[number] = at
        return True


@contextmanager
def answered(take: Callable[[int], None]) -> Generator[None]:
    """Meanwhile `take` is called with each signal that counts: in the main thread, and in the middle of anything.

    One that the parent process had ignored (`nohup`) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    counted = Counted()

    def heard(number: int, _: FrameType | None) -> None:
        if counted.counts(number):
            take(number)

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (*EXIT_CODES, *_TEXTUALS)}
    for number in EXIT_CODES:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, heard)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


class App(Protocol):
    """What is asked of the console."""

    terminated: int | None
    """The signal that told it to end, if one did."""

    def hear(self, number: int) -> bool:
        """A signal. False: it has gone by now."""
        ...


class Engine(Protocol):
    """What is asked of the engine behind it."""

    def send(self, command: Command, *, by: str) -> int: ...
    def join(self, timeout: float | None = None) -> bool: ...


class Late:
    """Signals that come when the console has gone, and what runs behind it has not ended yet.

    Parameters
    ----------
    grace: seconds that the run has to end.
    """

    def __init__(self, app: App, *, grace: float) -> None:
        self._app, self._grace = app, grace
        self._cancels = self._hurries = False

    def hear(self, number: int) -> None:
        """The first one cancels the run, the next one leaves it behind. In the middle of anything: it is only noted."""
        if self._app.hear(number):
            return
        if self._app.terminated is not None:
            self._hurries = True
        else:
            self._app.terminated, self._cancels = number, True

    def end(self, engine: Engine) -> bool:
        """Wait for the end of the run. False if it goes on."""
        deadline = time.monotonic() + self._grace
        while not (ended := engine.join(_LOOK)) and time.monotonic() < deadline and not self._hurries:
            if self._cancels and self._app.terminated is not None:
                self._cancels = False
                name = name_of_signal(self._app.terminated)
                engine.send(CancelRun(reason=f"interrupted by {name}"), by=name)
        return ended
