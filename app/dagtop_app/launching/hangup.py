"""A run whose terminal has gone: it is cancelled, drained, or goes on to its end with nobody looking."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Protocol

from dagtop.core.commands import CancelRun, Command, DrainRun
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import RUN_OVER

from dagtop_app.commandline.options import OnHangup
from dagtop_app.commandline.signals import name_of_signal

#: Seconds between two looks at whether it has ended; signals are answered in between.
_LOOK = 0.2
BY = "SIGHUP"


class Engine(Protocol):
    """What is asked of an `EngineThread`."""

    def send(self, command: Command, *, by: str) -> int: ...
    def close(self) -> None: ...
    def join(self, timeout: float | None = None) -> bool: ...
    @property
    def latest(self) -> RunSnapshot: ...


def run_on(engine: Engine, how: OnHangup, *, grace: float) -> None:
    """Come back when the run has ended; when it was cancelled, by this or by a signal, after `grace` seconds at the latest."""
    deadline = [float("inf")]

    def stop(number: int, _: FrameType | None = None) -> None:
        if deadline[0] == float("inf"):
            deadline[0] = time.monotonic() + grace
            engine.send(CancelRun(reason=f"interrupted by {name_of_signal(number)}"), by=name_of_signal(number))

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it has gone already
    try:
        if engine.latest.state not in RUN_OVER:
            if how == "cancel":
                stop(signal.SIGHUP)
            elif how == "drain":
                engine.send(DrainRun(), by=BY)
        engine.close()
        while not engine.join(_LOOK) and time.monotonic() < deadline[0]:
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
