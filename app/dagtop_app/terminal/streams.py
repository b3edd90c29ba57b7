"""Who writes where: stdout carries only what was asked for, and nothing that a task prints reaches the screen raw.

`stdout_reserved` moves file descriptor 1 away, so that prints of tasks, of their children and of C code go to stderr.
`own_terminal` takes both descriptors: what arrives there comes back line by line, and nobody else draws on the terminal.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
import termios
import threading
from collections.abc import Callable, Generator
from typing import Any, TextIO

from dagtop_app.terminal.guard import TerminalGuard

#: A line is handed on at this length, whether it has ended or not.
LONGEST_LINE = 8 * 1024
_CHUNK = 64 * 1024


def open_missing_descriptors() -> None:
    """Point closed standard descriptors to /dev/null, so that no file we open becomes stdout by accident."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given, which is this one.
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as the process lives


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write everything, also where the descriptor does not block.

    Raises
    ------
    BrokenPipeError: nobody reads any more.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


def give_up_stderr_if_it_cannot_be_written() -> None:
    """Let go of what stderr still holds: Python would try again at its end, and change the exit code to 120."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    except (ValueError, AttributeError):
        return  # a task closed it, or put something else there


def tell(text: str, file: TextIO | None = None) -> None:
    """Lines for people, on stderr; where that cannot be written they are lost, and what was to be told stays as it is."""
    from dagtop.observe.redact import seen  # noqa: PLC0415 - only once there is something to tell

    with contextlib.suppress(OSError, ValueError, AttributeError):
        line = f"{seen(text)}\n"
        (file if file is not None else sys.stderr).write(line)  # in one piece: other threads write there too


def flush_standard_streams() -> None:
    """Write what Python still holds for stdout and stderr; what cannot be written is lost in silence."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


@contextlib.contextmanager
def stdout_reserved() -> Generator[int, None, None]:
    """Descriptor of the real standard output. Meanwhile descriptor 1, whoever writes to it, is standard error."""
    flush_standard_streams()
    real = os.dup(1)
    os.dup2(2, 1)
    try:
        yield real
    finally:
        flush_standard_streams()
        os.dup2(real, 1)
        os.close(real)


class _Tough(io.TextIOWrapper):
    """Loses what cannot be written: the terminal has gone, and who draws on it is told so in another way."""

    def write(self, text: str, /) -> int:
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


class _Sized:
    """What `sys.__stdout__` is while the console draws: writes go where standard output goes, its size is the terminal's."""

    def __init__(self, stream: TextIO, terminal: TextIO) -> None:
        self._stream, self._terminal = stream, terminal

    def fileno(self) -> int:
        """That of the terminal: it is asked for its size."""
        return self._terminal.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_shields: list[Callable[[], None]] = []


def shield_terminal() -> None:
    """From now on also what is written to `sys.__stdout__` and `sys.__stderr__` is kept off the terminal.

    Called once Textual has taken them: it draws on what it has taken.
    """
    if _shields:
        _shields[-1]()


class Terminal:
    """The terminal while descriptors 1 and 2 are ours. `restore` gives them back; calling it again does nothing."""

    def __init__(self, on_line: Callable[[str, str], None], real: int, *, tough: bool = False) -> None:
        flush_standard_streams()
        kind = _Tough if tough else io.TextIOWrapper
        self.file: TextIO = kind(os.fdopen(os.dup(real), "wb"), encoding="utf-8", errors="replace", line_buffering=True)
        """Writes to the real terminal."""
        self._saved = {1: os.dup(1), 2: os.dup(2)}
        self._stop, self._stopped = os.pipe()
        pipes = {1: os.pipe(), 2: os.pipe()}
        self._lines = {pipes[number][0]: _Lines(name, on_line) for number, name in ((1, "stdout"), (2, "stderr"))}
        for number, (read_end, write_end) in pipes.items():
            os.set_blocking(read_end, False)
            os.dup2(write_end, number)
            os.close(write_end)
        self._reader = threading.Thread(target=self._read, name="output of the process", daemon=True)
        self._reader.start()
        self._lock = threading.Lock()

    def restore(self) -> None:
        """Give descriptors 1 and 2 back, after what was written there has been handed on."""
        with self._lock:
            if not self._saved:
                return
            flush_standard_streams()
            for number, saved in self._saved.items():
                os.dup2(saved, number)
                os.close(saved)
            self._saved = {}
        os.write(self._stopped, b".")
        # A child that outlives us may hold the other end: what has come by now is all that is waited for.
        self._reader.join(timeout=2.0)
        if not self._reader.is_alive():
            for descriptor in (self._stop, self._stopped, *self._lines):
                os.close(descriptor)
        with contextlib.suppress(OSError):
            self.file.close()

    def _read(self) -> None:
        open_ends = set(self._lines)
        while open_ends:
            ready, _, _ = select.select([self._stop, *open_ends], [], [])
            for descriptor in ready:
                if descriptor != self._stop and not self._take(descriptor):
                    open_ends.discard(descriptor)
            if self._stop in ready:
                for descriptor in list(open_ends):
                    while self._take(descriptor):
                        pass
                break
        for lines in self._lines.values():
            lines.end()

    def _take(self, descriptor: int) -> bool:
        """Read what is there. False if nothing is."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        self._lines[descriptor].feed(data)
        return bool(data)


class _Lines:
    """Cuts bytes into lines. Of a line that is redrawn with carriage returns the last state counts."""

    def __init__(self, stream: str, on_line: Callable[[str, str], None]) -> None:
        self._stream = stream
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._open = ""

    def feed(self, data: bytes) -> None:
        *full, self._open = (self._open + self._decoder.decode(data)).split("\n")
        for line in full:
            self._hand_on(line)
        while len(self._open) > LONGEST_LINE:
            self._hand_on(self._open[:LONGEST_LINE])
            self._open = self._open[LONGEST_LINE:]

    def end(self) -> None:
        self.feed(b"")
        if self._open:
            self._hand_on(self._open)
            self._open = ""

    def _hand_on(self, line: str) -> None:
        line = line.rstrip("\r").rpartition("\r")[2]
        for start in range(0, max(1, len(line)), LONGEST_LINE):
            self._on_line(self._stream, line[start : start + LONGEST_LINE])


@contextlib.contextmanager
def _modes_kept() -> Generator[None, None, None]:
    """Afterwards the terminal behind standard input has its modes again.

    Textual sees to that too, but takes what it finds after each SIGCONT for what was there before, and that is its own raw
    mode where nothing had put it back (`kill -STOP`, a container that is paused).
    """
    try:
        own = os.dup(0)  # a task may close 0
    except OSError:
        yield
        return
    try:
        before = termios.tcgetattr(own)
    except termios.error:
        os.close(own)
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            if termios.tcgetattr(own) != before:
                termios.tcsetattr(own, termios.TCSADRAIN, before)
        os.close(own)


@contextlib.contextmanager
def own_terminal(on_line: Callable[[str, str], None], *, for_textual: bool = False) -> Generator[Terminal, None, None]:
    """Take descriptors 1 and 2: what is written there arrives, line by line, at `on_line(stream, line)`.

    `on_line` is called on a thread of its own and must not raise; while it waits, whoever prints waits. With
    `for_textual` the names that Textual draws on and asks the size of, `sys.__stdout__` and `sys.__stderr__`, are the
    terminal behind standard output.
    """
    terminal = Terminal(on_line, real=1 if for_textual else 2, tough=for_textual)
    before, streams = (sys.__stdout__, sys.__stderr__), (sys.stdout, sys.stderr)

    guard = TerminalGuard(terminal.file.fileno())

    def shield() -> None:
        guard.start()
        # Textual has put streams there without a descriptor, for which children, faulthandler and others would fail.
        sys.stdout, sys.stderr = streams
        sys.__stdout__ = _Sized(before[0] or sys.stdout, terminal.file)  # type: ignore[assignment,misc]  # declared Final
        sys.__stderr__ = before[1]  # type: ignore[misc]  # as above

    if for_textual:
        sys.__stdout__ = sys.__stderr__ = terminal.file  # type: ignore[assignment,misc]  # declared Final, but Textual draws on them
        _shields.append(shield)
    try:
        with _modes_kept() if for_textual else contextlib.nullcontext():
            yield terminal
    finally:
        if for_textual:
            guard.end()
            _shields.remove(shield)
            sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]  # as above
        terminal.restore()
