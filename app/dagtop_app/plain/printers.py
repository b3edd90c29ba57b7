"""Lines to a stream while a run goes on: NDJSON or text for people, through a spool, on a thread."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence

from dagtop.core.events import AnyEvent, RunStarted
from dagtop.core.snapshot import Blocked
from dagtop.observe.wire import encode_batch

from dagtop_app.plain.events import PlainLines, blocked_sentence
from dagtop_app.plain.headless import Engine
from dagtop_app.plain.saying import say
from dagtop_app.plain.spool import Encode, Spool
from dagtop_app.terminal.streams import tell, write_all

#: DEL and the C1 controls in UTF-8, which JSON lets through and some terminals obey.
_CONTROLS = re.compile(b"\x7f|\xc2([\x80-\x9f])")


class Wire:
    """Encodes a run's events as NDJSON.

    Parameters
    ----------
    run, started_at: of a run that is resumed; a new run tells its own with its first event.
    for_terminal: escape the control characters that JSON itself leaves as they are.
    """

    def __init__(self, *, run: str = "", started_at: float = 0.0, for_terminal: bool = False) -> None:
        self.run = run
        self.started_at = started_at
        self._for_terminal = for_terminal

    def encode(self, first: int, batch: Sequence[AnyEvent]) -> bytes:
        """The lines of a batch."""
        lines = encode_batch(first, batch, run=self.run, started_at=self.started_at)
        return _CONTROLS.sub(_escape, lines) if self._for_terminal else lines


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % (match[1][0] if match[1] else 0x7F)


class StreamPrinter:
    """Prints every event to a file descriptor.

    Parameters
    ----------
    stops_the_run: whether the run is of no use once nobody reads the stream.
    """

    def __init__(self, descriptor: int, lines: Wire | PlainLines, *, stops_the_run: bool) -> None:
        self._descriptor = descriptor
        self._lines = lines
        self._stops_the_run = stops_the_run
        self._begun = False
        encode: Encode = lines.encode
        self._spool = Spool(encode)

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events; the first of a run tells its clock."""
        if not self._begun and batch:
            self._begun = True
            if isinstance(start := batch[0], RunStarted):
                self._lines.started_at = start.started_at
                if isinstance(self._lines, Wire):
                    self._lines.run = start.run
        self._spool.put(first, batch)

    def loop_blocked(self, blocked: Blocked) -> None:
        """Say at once what keeps the engine: no event can come meanwhile."""
        say(blocked_sentence(blocked))

    def start(self, engine: Engine, printed: Callable[[], None], nobody_reads: Callable[[], None]) -> None:
        """Begin to print."""

        def print_all() -> None:
            reads = True
            while data := self._spool.get():
                if not reads:
                    continue  # the spool must not fill up
                try:
                    write_all(self._descriptor, data)
                except OSError as error:
                    reads = False
                    if not isinstance(error, BrokenPipeError):
                        tell(f"dagtop: the output cannot be written: {error.strerror}")
                    if self._stops_the_run:
                        nobody_reads()
            printed()

        threading.Thread(target=print_all, name="prints events", daemon=True).start()

    def finish(self) -> None:
        """No more events come."""
        self._spool.close()

    def give_up(self) -> None:
        """Nothing to put back."""


def is_terminal(descriptor: int) -> bool:
    """Whether a person sits at the other end."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False
