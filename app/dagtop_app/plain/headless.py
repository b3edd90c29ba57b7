"""`dagtop run`: a run without the console. The main thread waits for the engine and for signals, a thread prints.

The main thread never writes while the run goes on, so neither a terminal that has stopped nor a reader that is slow
keeps a signal from being answered. The first signal cancels the run, and what does not stop within its
`cancel_grace` is abandoned; the second leaves at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, NoReturn, Protocol

from dagtop.core.commands import AbandonRun, CancelRun, Command, DrainRun
from dagtop.core.events import AnyEvent
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import ACTIVE, RUN_OVER, RunState

from dagtop_app.commandline.options import OnHangup
from dagtop_app.commandline.signals import EXIT_CODES, Signals, name_of_signal
from dagtop_app.launching import farewell
from dagtop_app.plain.saying import at_most_a_second, say
from dagtop_app.terminal.streams import flush_standard_streams

if TYPE_CHECKING:
    from dagtop.runtime.result import RunResult

    from dagtop_app.launching.mailbox import Mailbox

#: Seconds that tasks have to stop after a signal, clean-ups included.
GRACE = 10.0
#: Seconds that the engine then has to end the run without them.
LAST_WORDS = 2.0
#: As after SIGPIPE: whoever read our output has gone.
NOBODY_READS = 141


class Engine(Protocol):
    """What is asked of an `EngineThread`."""

    def start(self) -> None: ...
    def send(self, command: Command, *, by: str) -> int: ...
    def close(self) -> None: ...
    def join(self, timeout: float | None = None) -> bool: ...
    @property
    def latest(self) -> RunSnapshot: ...
    @property
    def result(self) -> RunResult | None: ...
    @property
    def error(self) -> BaseException | None: ...


class Printer(Protocol):
    """Shows a run while it goes on, on a thread of its own."""

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events; called by the engine, never waits."""
        ...

    def start(self, engine: Engine, printed: Callable[[], None], nobody_reads: Callable[[], None]) -> None:
        """Begin. `printed` is called when all is out after `finish`, `nobody_reads` when the reader has gone."""
        ...

    def finish(self) -> None:
        """No more events come."""
        ...

    def give_up(self) -> None:
        """Leave the terminal as it was, now; the process is about to end."""
        ...


class _Word(Enum):
    ENDED = auto()
    PRINTED = auto()
    NOBODY_READS = auto()


class Watch:
    """Waits for a run to end, for everything to be printed, and for signals; loses patience with what will not stop."""

    def __init__(self, engine: Engine, printer: Printer, *, say: Callable[[str], None], grace: float = GRACE) -> None:
        from dagtop_app.launching.mailbox import Mailbox  # noqa: PLC0415 - not to begin with

        self._engine = engine
        self._printer = printer
        self._say = say
        self._grace = grace
        self.mailbox: Mailbox[object] = Mailbox()
        self._deadline: float | None = None
        self._ended = False
        self.code: int | None = None
        """Exit code that stopped the run from outside, if something did."""
        self.stuck: tuple[str, ...] = ()
        """Tasks that were abandoned because they did not stop."""
        self.on_hangup: OnHangup = "cancel"

    def signal(self, number: int) -> None:
        """Take a signal; may be called from a handler."""
        self.mailbox.put(number)

    def wait(self) -> None:
        """Start the engine and come back when it has ended and everything is printed."""
        self._printer.start(
            self._engine,
            lambda: self.mailbox.put(_Word.PRINTED),
            lambda: self.mailbox.put(_Word.NOBODY_READS),
        )
        self._engine.start()
        threading.Thread(target=self._wait_for_engine, name="waits for the engine", daemon=True).start()
        while True:
            match self.mailbox.get(self._next_deadline()):
                case _Word.ENDED:
                    self._ended = True
                    # A slow reader gets everything, unless somebody wants us gone.
                    self._deadline = time.monotonic() + self._grace if self.code is not None else None
                    self._printer.finish()
                case _Word.PRINTED:
                    return
                case _Word.NOBODY_READS:
                    if not self._ended and self.code is None:
                        self._stop(NOBODY_READS, "nobody reads the output any more", by="stdout")
                case None if self._deadline is not None and time.monotonic() >= self._deadline:
                    self._too_long()
                case None:
                    self.look()
                case int() as number:
                    self._signalled(number)
                case other:
                    self.take(other)

    def _next_deadline(self) -> float | None:
        look = self.next_look()
        return min((moment for moment in (self._deadline, look) if moment is not None), default=None)

    def next_look(self) -> float | None:
        """When there is something to do even if nobody says anything."""
        return None

    def look(self) -> None:
        """That time has come."""

    def as_told(self, text: str) -> str:
        """What is told after the run, as the one who is told it reads."""
        return text

    def take(self, item: object) -> None:
        """Something else was put into the mailbox."""

    def _wait_for_engine(self) -> None:
        self._engine.join()
        self.mailbox.put(_Word.ENDED)

    def _signalled(self, number: int) -> None:
        code = EXIT_CODES[number]
        if number == signal.SIGHUP and self.on_hangup != "cancel" and not self._ended:
            if self.on_hangup == "drain":
                self._engine.send(DrainRun(), by=name_of_signal(number))
            self._say(f"SIGHUP: {'starting nothing new' if self.on_hangup == 'drain' else 'the run goes on'}")
            return
        if self._ended or (self.code is not None and self.code != NOBODY_READS):
            self.leave_at_once(self.code or code)
        name = name_of_signal(number)
        if self._engine.latest.state in RUN_OVER:  # it had stayed for what changes in its file
            self.code = code
            self._deadline = time.monotonic() + self._grace
            self._engine.close()
            return
        self._stop(code, f"interrupted by {name}", by=name)
        again = "; once more leaves at once" if code == 130 else ""
        self._say(f"{name}: stopping what runs, up to {self._grace:g} s for clean-up{again}")

    def _stop(self, code: int, reason: str, *, by: str) -> None:
        self.code = code
        self._deadline = time.monotonic() + self._grace
        self._engine.send(CancelRun(reason=reason), by=by)
        self._engine.close()  # it may have stayed open for what changes in its file

    def _too_long(self) -> None:
        from dagtop_app.plain.events import some  # noqa: PLC0415 - not to begin with

        if self.stuck or self._ended:
            self.leave_at_once(self.code or 1)
        self.stuck = self._active() or ("the engine",)
        self._say(f"did not stop within {self._grace:g} s, left behind: {some(self.stuck)}")
        self._deadline = time.monotonic() + LAST_WORDS
        self._engine.send(AbandonRun(), by="dagtop")

    def _active(self) -> tuple[str, ...]:
        return tuple(row.name for row in self._engine.latest.rows if row.state in ACTIVE)

    def leave_at_once(self, code: int) -> NoReturn:
        """End the process now, naming what still ran."""
        from dagtop_app.plain.events import some  # noqa: PLC0415 - not to begin with

        self._printer.give_up()
        active = self._active()
        if active and not self._ended:
            self._say(f"left at once; still running: {some(active)}")
        end_process(code)


def end_process(code: int) -> NoReturn:
    """End the process without waiting for threads, after what was printed is out."""
    at_most_a_second(flush_standard_streams)
    os._exit(code)


def end_process_soon(code: int, signals: Signals, *, seconds: float = GRACE) -> None:
    """Let the interpreter end by itself, but not wait longer than this for threads that go on."""

    def tell_and_leave() -> None:
        from dagtop_app.plain.events import some  # noqa: PLC0415 - not to begin with

        busy = [t.name for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
        what = f"left threads behind that did not end within {seconds:g} s: {some(busy)}"
        say(what if busy else f"what the file does at the end took longer than {seconds:g} s")
        end_process(code)

    signals.deliver_to(lambda _: os._exit(code))
    with contextlib.suppress(RuntimeError):  # too many threads, or a task has taken something away that they need
        timer = threading.Timer(seconds, tell_and_leave)
        timer.daemon = True
        timer.start()


def exit_code(state: RunState, stopped_with: int | None) -> int:
    """The exit code of a run that ended in `state`; `stopped_with` is the code of what stopped it from outside."""
    if stopped_with is not None and state is not RunState.SUCCEEDED:
        return stopped_with
    return farewell.exit_code(state)
