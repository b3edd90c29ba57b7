"""Who writes where: stdout carries only what was asked for, and nothing that a task prints reaches the screen raw.

`stdout_reserved` moves file descriptor 1 away, so that prints of tasks, of their children and of C code go to stderr.
`own_terminal` takes both descriptors: what arrives there comes back line by line, and nobody else draws on the terminal.
`held_terminal` takes them before the graph file is read, and passes on what it writes: what a child of it, or a copy of a
descriptor, writes later is kept off the terminal too.
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

from dagtop_app.terminal.guard import TerminalGuard, keep_from_children, let_children_have

#: A line is handed on at this length, whether it has ended or not.
LONGEST_LINE = 8 * 1024
_CHUNK = 64 * 1024
_NAMES = {1: "stdout", 2: "stderr"}

OnLine = Callable[[str, str], None]


#: With fewer descriptors there are none left for a run: its terminal, journal, event loops and pipes.
FEWEST_DESCRIPTORS = 32


def descriptors() -> int:
    """How many a process may have (`ulimit -n`)."""
    most = os.sysconf("SC_OPEN_MAX")
    return most if most >= 0 else sys.maxsize


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


def _copy_of(descriptor: int) -> TextIO | None:
    """Another descriptor of the same file."""
    try:
        return os.fdopen(os.dup(descriptor), encoding="utf-8", errors="replace", closefd=True)
    except OSError:
        return None


_shields: list[Callable[[], None]] = []


def shield_terminal() -> None:
    """From now on also what is written to `sys.__stdout__` and `sys.__stderr__` is kept off the terminal.

    Called once Textual has taken them: it draws on what it has taken.
    """
    if _shields:
        _shields[-1]()


class Terminal:
    """The terminal while descriptors 1 and 2 are ours. `restore` gives them back; calling it again does nothing.

    Parameters
    ----------
    real: the descriptor behind which it is.
    on_line: see `hand_on`; None: what is written is passed on as it is until there is somebody to hand it to.
    tough: what is drawn when the terminal has gone is lost in silence.
    """

    def __init__(self, real: int, *, on_line: OnLine | None = None, tough: bool = False) -> None:
        flush_standard_streams()
        kind = _Tough if tough else io.TextIOWrapper
        self.file: TextIO = kind(os.fdopen(os.dup(real), "wb"), encoding="utf-8", errors="replace", line_buffering=True)
        """Writes to the real terminal."""
        self.keyboard = _copy_of(0)
        """What is typed there, whatever becomes of descriptor 0; None if that was closed."""
        self._saved = {1: os.dup(1), 2: os.dup(2)}
        self._stop, self._stopped = os.pipe()
        pipes = {1: os.pipe(), 2: os.pipe()}
        self._ends = {read_end: number for number, (read_end, _) in pipes.items()}
        self._lines: dict[int, _Lines | _Passed] = {
            read_end: _Passed(number) if on_line is None else _Lines(_NAMES[number], on_line)
            for read_end, number in self._ends.items()
        }
        self._ours = [self.file.fileno(), self._stop, self._stopped, *self._ends, *self._saved.values()]
        keep_from_children(*self._ours)
        self._lock, self._taking = threading.Lock(), threading.Lock()
        for read_end in self._ends:
            os.set_blocking(read_end, False)
        self._reader = threading.Thread(target=self._read, name="output of the process", daemon=True)
        self._reader.start()
        for number, (_, write_end) in pipes.items():  # last: nothing is lost where one of the others cannot be had
            os.dup2(write_end, number)
            os.close(write_end)

    def hand_on(self, on_line: OnLine) -> None:
        """From now on what is written comes line by line, and nothing of it reaches the terminal."""
        flush_standard_streams()
        for read_end in self._ends:
            self._take(read_end)  # as much as there may be: what was written before is passed on still
        with self._taking:
            for read_end, number in self._ends.items():
                self._lines[read_end].end()
                self._lines[read_end] = _Lines(_NAMES[number], on_line)

    def restore(self) -> None:
        """Give descriptors 1 and 2 back, after what was written there has been handed on."""
        with self._lock:
            if not self._saved:
                return
            flush_standard_streams()
            let_children_have(*self._ours)
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
        if self.keyboard is not None:
            self.keyboard.close()
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
        with self._taking:
            for lines in self._lines.values():
                lines.end()

    def _take(self, descriptor: int) -> bool:
        """Read what is there. False if nothing is."""
        with self._taking:
            try:
                data = os.read(descriptor, _CHUNK)
            except BlockingIOError:
                return False
            self._lines[descriptor].feed(data)
            return bool(data)


class _Passed:
    """Passes what is written to a descriptor on to where it led."""

    def __init__(self, number: int) -> None:
        self._real = os.dup(number)
        self._has_ended = False
        keep_from_children(self._real)

    def feed(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            write_all(self._real, data)

    def end(self) -> None:
        if self._has_ended:  # the graph file may have led descriptors 1 and 2 elsewhere before we do
            return
        self._has_ended = True
        let_children_have(self._real)
        os.close(self._real)


class _Lines:
    """Cuts bytes into lines. Of a line that is redrawn with carriage returns the last state counts."""

    def __init__(self, stream: str, on_line: OnLine) -> None:
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
def _modes_kept(own: int) -> Generator[None, None, None]:
    """Afterwards a terminal has its modes again.

    Textual sees to that too, but takes what it finds after each SIGCONT for what was there before, and that is its own raw
    mode where nothing had put it back (`kill -STOP`, a container that is paused).
    """
    try:
        before = termios.tcgetattr(own)
    except termios.error:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            if termios.tcgetattr(own) != before:
                termios.tcsetattr(own, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _own_keyboard(keyboard: TextIO) -> Generator[None, None, None]:
    """Meanwhile what is typed is for the console only: who reads descriptor 0, a task or a child of it, finds its end at once."""
    before = sys.__stdin__
    keep_from_children(keyboard.fileno())
    nothing = os.open(os.devnull, os.O_RDONLY)
    if nothing:
        os.dup2(nothing, 0)
        os.close(nothing)
    else:  # the graph file has closed 0; a child of a task is to have one
        os.set_inheritable(0, True)
    sys.__stdin__ = keyboard  # type: ignore[assignment,misc]  # declared Final, but Textual reads there
    try:
        with _modes_kept(keyboard.fileno()):
            yield
    finally:
        sys.__stdin__ = before  # type: ignore[misc]  # as above
        let_children_have(keyboard.fileno())
        os.dup2(keyboard.fileno(), 0)


_held: list[Terminal] = []


@contextlib.contextmanager
def held_terminal() -> Generator[None, None, None]:
    """Hold the terminal for the console to come: meanwhile what is written is passed on as it is.

    A graph file may start children, or copy descriptors: they write to us, and `own_terminal` keeps them off the screen.
    """
    terminal = Terminal(1, tough=True)
    _held.append(terminal)
    try:
        yield
    finally:
        _held.clear()
        terminal.restore()


@contextlib.contextmanager
def own_terminal(on_line: OnLine, *, for_textual: bool = False) -> Generator[Terminal, None, None]:
    """Take descriptors 1 and 2: what is written there arrives, line by line, at `on_line(stream, line)`.

    `on_line` is called on a thread of its own and must not raise; while it waits, whoever prints waits. With
    `for_textual` the names that Textual draws on, asks the size of and reads, `sys.__stdout__`, `sys.__stderr__` and
    `sys.__stdin__`, are the terminal, and descriptor 0 has nothing to read.
    """
    if not for_textual:
        terminal = Terminal(2, on_line=on_line)
        try:
            yield terminal
        finally:
            terminal.restore()
        return
    if _held:
        terminal = _held.pop()
        terminal.hand_on(on_line)
    else:
        terminal = Terminal(1, on_line=on_line, tough=True)
    before, streams = (sys.__stdout__, sys.__stderr__), (sys.stdout, sys.stderr)
    guard = TerminalGuard(terminal.file.fileno())

    def shield() -> None:
        guard.start()
        # Textual has put streams there without a descriptor, for which children, faulthandler and others would fail.
        sys.stdout, sys.stderr = streams
        sys.__stdout__ = _Sized(before[0] or sys.stdout, terminal.file)  # type: ignore[assignment,misc]  # declared Final
        sys.__stderr__ = before[1]  # type: ignore[misc]  # as above

    sys.__stdout__ = sys.__stderr__ = terminal.file  # type: ignore[assignment,misc]  # declared Final, but Textual draws on them
    _shields.append(shield)
    try:
        with _own_keyboard(terminal.keyboard) if terminal.keyboard is not None else contextlib.nullcontext():
            yield terminal
    finally:
        guard.end()
        _shields.remove(shield)
        sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]  # as above
        terminal.restore()
