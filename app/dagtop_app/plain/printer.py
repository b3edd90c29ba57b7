"""What `--plain` on a terminal writes: the lines of a run, and between them the answers to what is typed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence

from dagtop.core.events import AnyEvent, CommandApplied, CommandRefused, GateWaiting, Problem, RunFinished, RunStarted
from dagtop.core.snapshot import Blocked

from dagtop_app.bridge import BY
from dagtop_app.plain.answers import quoted
from dagtop_app.plain.events import PlainLines, blocked_sentence
from dagtop_app.plain.headless import Engine
from dagtop_app.plain.spool import Spool
from dagtop_app.terminal.streams import write_all


class _Note(Problem, frozen=True, tag="note"):
    """A line of ours that must not overtake those of the run."""


class OurLines(PlainLines):
    """The lines of a run, without the answers to what is typed here: those come at once. Of a gate they say what to type."""

    def lines(self, event: AnyEvent) -> list[str]:
        return [event.message] if isinstance(event, _Note) else super().lines(event)

    def sentence(self, event: AnyEvent) -> str:
        if isinstance(event, (CommandApplied, CommandRefused)) and event.by == BY:
            return ""
        told = super().sentence(event)
        if isinstance(event, GateWaiting):
            name = quoted(event.task)
            return f"{told} Type: approve {name}, or reject {name}."
        return told


class TalkPrinter:
    """Writes the lines of a run, and between them what is answered. Two threads: neither keeps the other back for long.

    Parameters
    ----------
    descriptor: of the terminal.
    on_over: called on the engine's thread when the run is over.
    """

    def __init__(self, descriptor: int, lines: PlainLines, on_over: Callable[[], None]) -> None:
        self._descriptor, self._lines, self._on_over = descriptor, lines, on_over
        self._spool = Spool(lines.encode)
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._free = threading.Event()
        self._free.set()
        self._writing = threading.Lock()
        self._begun = False

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events; called by the engine, never waits."""
        if not self._begun and batch and isinstance(start := batch[0], RunStarted):
            self._lines.started_at = start.started_at
        self._begun = True
        self._spool.put(first, batch)
        for event in batch:
            if isinstance(event, RunFinished):
                self._on_over()

    def loop_blocked(self, blocked: Blocked) -> None:
        """Say at once what keeps the engine: no event can come meanwhile."""
        self.say([blocked_sentence(blocked)])

    def start(self, engine: Engine, printed: Callable[[], None], nobody_reads: Callable[[], None]) -> None:
        """Begin to write."""

        def print_events() -> None:
            while data := self._spool.get():
                self._free.wait()
                self._write(data, nobody_reads)
            self._answers.put(None)

        def print_answers() -> None:
            while (data := self._answers.get()) is not None:
                self._write(data, nobody_reads)
            printed()

        for work in (print_events, print_answers):
            threading.Thread(target=work, name=work.__name__.replace("_", " "), daemon=True).start()

    def _write(self, data: bytes, nobody_reads: Callable[[], None]) -> None:
        with self._writing:
            try:
                write_all(self._descriptor, data)
            except OSError:
                nobody_reads()

    def say(self, lines: Iterable[str], end: str = "\n") -> None:
        """Write an answer; never waits."""
        text = "\n".join(lines)
        if text:
            self._answers.put(f"{text}{end}".encode("utf-8", "replace"))

    def note(self, line: str) -> None:
        """Write a line after those of the run so far."""
        self._spool.put(0, [_Note(0.0, "dagtop", line)])

    def hold(self) -> None:
        """Keep the lines of the run back from now on."""
        self._free.clear()

    def release(self) -> None:
        """Let them go."""
        self._free.set()

    def finish(self) -> None:
        """No more events come."""
        self.release()
        self._spool.close()

    def give_up(self) -> None:
        """Nothing to put back."""
