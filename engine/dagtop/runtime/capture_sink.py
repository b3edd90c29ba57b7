"""Where the output of one attempt goes: into lines, within limits, to whoever asked for them.

`current` says whose output it is. It is set in the attempt's own context, so tasks and threads that were started with a
copy of that context write to the same sink.

Nothing here raises into the task, and `deliver` is called without a lock: one writer at a time hands on what all of
them left in the queue. A signal handler or a finaliser that prints in the middle of a write finds the lock re-entrant,
and its text is taken up right after.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

import msgspec

from dagtop.core.values import dataclass
from dagtop.runtime.capture_line import OpenLine, chunks, utf8_size

ATTEMPT_BYTES = 1024 * 1024
ATTEMPT_LINES = 10_000
"""An attempt's output beyond so many bytes or lines is counted and not kept."""

OPEN_LINES = 64
"""So many threads of one attempt may be in the middle of a line; the oldest of more is delivered as it is."""

OWN_LOGGER = "dagtop.task"
"""Records of this logger and its children carry no name in front of their text."""


class Captured(msgspec.Struct, frozen=True, gc=False):
    """A line of a task's output, or a note of ours about it."""

    task: str
    attempt: int
    stream: str
    """"stdout", "stderr" or "log"."""
    level: str
    """The name of a log record's level; "" for what was printed."""
    line: str


class Sink(Protocol):
    """Takes what is written in its context, from any thread, and never raises."""

    def write(self, stream: str, text: str) -> None:
        """Take printed text."""
        ...

    def write_bytes(self, stream: str, data: memoryview) -> None:
        """Take bytes written to `sys.stdout.buffer`."""
        ...

    def log(self, record: logging.LogRecord) -> None:
        """Take a log record."""
        ...


current: ContextVar[Sink | None] = ContextVar("dagtop_sink", default=None)
"""Who gets what is printed here; None: the terminal, as ever."""


class Muted:
    """Forgets what is written: what the user's handlers print of a log record that is captured already."""

    def write(self, stream: str, text: str) -> None:
        """Forget it."""

    def write_bytes(self, stream: str, data: memoryview) -> None:
        """Forget it."""

    def log(self, record: logging.LogRecord) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureStatistics:
    """What became of one attempt's output so far."""

    lines: int = 0
    """Lines delivered, our notes not counted."""
    bytes: int = 0
    dropped_lines: int = 0
    """Lines beyond the limits."""
    dropped_bytes: int = 0
    cut_bytes: int = 0
    """Missing from lines that were too long; those lines say so."""
    held_characters: int = 0
    """Of lines that are not complete yet."""
    failed_deliveries: int = 0
    """How often `deliver` raised; the line is lost."""
    echoes: int = 0
    """Writes by `deliver` itself, which would never end; they are forgotten."""


class AttemptSink:
    """The sink of one attempt. It costs nothing to speak of before the first write."""

    __slots__ = ("_deliver", "_output", "attempt", "task")

    def __init__(self, task: str, attempt: int, deliver: Callable[[Captured], None]) -> None:
        self.task = task
        self.attempt = attempt
        self._deliver = deliver
        self._output: _Output | None = None

    def goes_to(self, deliver: Callable[[Captured], None]) -> bool:
        """Whether this is who gets what it captures."""
        return self._deliver == deliver

    def write(self, stream: str, text: str) -> None:
        """Take printed text. Complete lines are delivered at once."""
        (self._output or self._open()).take_text(stream, text)

    def write_bytes(self, stream: str, data: memoryview) -> None:
        """Take bytes; they are read as UTF-8."""
        (self._output or self._open()).take_bytes(stream, data)

    def log(self, record: logging.LogRecord) -> None:
        """Take a log record; each line of its text carries its level."""
        level, text = _level_and_text(record)
        (self._output or self._open()).take_record(level, text)

    def close(self) -> None:
        """The attempt ended: deliver lines that have no newline yet, and one that says how much was dropped.

        What threads that were left behind write later is still taken. May be called again for that.
        """
        if self._output is not None:
            self._output.flush_partial()
            self._output.tell_drops()

    def flush_partial(self) -> None:
        """Deliver lines that have no newline yet."""
        if self._output is not None:
            self._output.flush_partial()

    def statistics(self) -> CaptureStatistics:
        """What became of the output so far."""
        return CaptureStatistics() if self._output is None else self._output.statistics()

    def _open(self) -> _Output:
        with _opening:
            if self._output is None:
                self._output = _Output(self.task, self.attempt, self._deliver)
            return self._output


class _Output:
    """What an `AttemptSink` needs once something is written."""

    def __init__(self, task: str, attempt: int, deliver: Callable[[Captured], None]) -> None:
        self._task = task
        self._attempt = attempt
        self._deliver = deliver
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._busy = False
        self._postponed: deque[tuple[Callable[..., None], tuple[object, ...]]] = deque()
        self._queue: deque[Captured] = deque()
        self._deliverer: int | None = None
        """The thread that hands on what is in the queue."""
        self._open: dict[tuple[str, int], OpenLine] = {}
        self._lines = self._bytes = 0
        self._full = False
        self._dropped_lines = self._dropped_bytes = 0
        self._drop_is_open = False
        """What was dropped last had no newline: it is a line that is not counted yet."""
        self._told = (0, 0)
        self._cut_bytes = self._failed_deliveries = self._echoes = 0

    def take_text(self, stream: str, text: str) -> None:
        self._change(self._add_text, stream, text)

    def take_bytes(self, stream: str, data: memoryview) -> None:
        self._change(self._add_bytes, stream, data)

    def take_record(self, level: str, text: str) -> None:
        self._change(self._add_record, level, text)

    def flush_partial(self) -> None:
        self._change(self._end_open_lines)

    def tell_drops(self) -> None:
        self._change(self._add_drop_note)

    def statistics(self) -> CaptureStatistics:
        with self._lock:
            return CaptureStatistics(
                lines=self._lines,
                bytes=self._bytes,
                dropped_lines=self._dropped_lines + self._drop_is_open,
                dropped_bytes=self._dropped_bytes,
                cut_bytes=self._cut_bytes,
                held_characters=sum(line.held for line in self._open.values()),
                failed_deliveries=self._failed_deliveries,
                echoes=self._echoes,
            )

    # -- one at a time ------------------------------------------------------------------------------------------------

    def _change(self, change: Callable[..., None], *arguments: object) -> None:
        me = threading.get_ident()
        if self._deliverer == me:
            self._echoes += 1
            return
        if (
            self._process != os.getpid()
        ):  # a fork: nobody listens there, and the lock may be held by a thread that is gone
            return
        with self._lock:
            if self._busy:  # this very thread is in the middle of a write, below a signal handler or a finaliser
                self._postponed.append((change, arguments))
                return
            self._busy = True
            try:
                change(*arguments)
                while self._postponed:
                    postponed, arguments = self._postponed.popleft()
                    postponed(*arguments)
            finally:
                self._busy = False
        if self._queue:
            self._hand_on(me)

    def _hand_on(self, me: int) -> None:
        """Deliver the queue, in order, without the lock: `deliver` may wait for a thread that prints."""
        try:
            with self._lock:
                if self._deliverer is not None:  # that thread looks at the queue once more before it stops
                    return
                self._deliverer = me
            while self._has_more():
                captured = self._queue.popleft()
                try:
                    self._deliver(captured)
                except Exception:  # noqa: BLE001 - the task must not suffer from whoever listens to it
                    self._failed_deliveries += 1
        finally:
            if self._deliverer == me:  # KeyboardInterrupt in between: the next writer goes on
                self._deliverer = None

    def _has_more(self) -> bool:
        """Whether the queue has lines; if not, whoever fills it next is to deliver them."""
        if self._queue:
            return True
        with self._lock:
            if not self._queue:
                self._deliverer = None
            return bool(self._queue)

    # -- under the lock -----------------------------------------------------------------------------------------------

    def _add_text(self, stream: str, text: str) -> None:
        if self._full:
            self._drop(text, 0)
        else:
            self._add_lines(self._open_line(stream), stream, "", text)

    def _add_bytes(self, stream: str, data: memoryview) -> None:
        for chunk in chunks(data):
            if self._full:
                raw = bytes(chunk)
                self._count_drop(raw.count(b"\n"), len(raw), is_open=not raw.endswith(b"\n"))
            else:
                line = self._open_line(stream)
                self._add_lines(line, stream, "", line.decode(bytes(chunk)))

    def _add_record(self, level: str, text: str) -> None:
        line = OpenLine(redraws=False)
        self._add_lines(line, "log", level, text)
        if not self._full:
            self._end_line(line, "log", level)
        elif self._drop_is_open:
            self._count_drop(1, 1, is_open=False)

    def _open_line(self, stream: str) -> OpenLine:
        key = (stream, threading.get_ident())
        line = self._open.get(key)
        if line is None:
            if len(self._open) >= OPEN_LINES:
                oldest = next(iter(self._open))
                self._end_partial(oldest[0], self._open.pop(oldest))
            line = self._open[key] = OpenLine()
        return line

    def _add_lines(self, line: OpenLine, stream: str, level: str, text: str) -> None:
        start = 0
        while not self._full:
            end = text.find("\n", start)
            if end < 0:
                line.feed(text, start, len(text))
                return
            line.feed(text, start, end)
            self._end_line(line, stream, level)
            start = end + 1
        self._drop(text, start)

    def _end_line(self, line: OpenLine, stream: str, level: str) -> None:
        text, size, cut = line.take()
        if self._full:
            self._count_drop(1, size + cut + 1, is_open=False)
            return
        if self._lines >= ATTEMPT_LINES or self._bytes + size + 1 > ATTEMPT_BYTES:
            self._full = True
            self._count_drop(1, size + cut + 1, is_open=False)
            self._note(
                f"output limit reached ({ATTEMPT_LINES:,} lines or {ATTEMPT_BYTES:,} bytes per attempt): "
                "what follows is counted and not kept"
            )
            return
        self._lines += 1
        self._bytes += size + 1
        self._cut_bytes += cut
        self._queue.append(Captured(self._task, self._attempt, stream, level, text))

    def _end_partial(self, stream: str, line: OpenLine) -> None:
        line.finish_bytes()
        if line.is_worth_showing:
            self._end_line(line, stream, "")

    def _end_open_lines(self) -> None:
        partial = self._open
        self._open = {}
        for (stream, _), line in partial.items():
            self._end_partial(stream, line)

    def _drop(self, text: str, start: int) -> None:
        if start < len(text):
            self._count_drop(text.count("\n", start), utf8_size(text, start), is_open=not text.endswith("\n"))

    def _count_drop(self, lines: int, size: int, *, is_open: bool) -> None:
        self._dropped_lines += lines
        self._dropped_bytes += size
        self._drop_is_open = is_open

    def _add_drop_note(self) -> None:
        self._count_drop(self._drop_is_open, 0, is_open=False)
        lines, size = self._dropped_lines - self._told[0], self._dropped_bytes - self._told[1]
        if lines:
            self._told = (self._dropped_lines, self._dropped_bytes)
            self._note(f"{lines:,} lines ({size:,} bytes) of output were dropped")

    def _note(self, text: str) -> None:
        self._queue.append(Captured(self._task, self._attempt, "log", "WARNING", text))


def _level_and_text(record: logging.LogRecord) -> tuple[str, str]:
    """A record's level and its text, whatever the user's arguments raise when they are formatted."""
    try:
        return record.levelname[:32], _text_of(record)
    except Exception as error:  # noqa: BLE001 - logging does not raise into the task either
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        return "ERROR", f"{template} (could not be formatted: {type(error).__name__})"


def _text_of(record: logging.LogRecord) -> str:
    """A record's text with its traceback. Level and time are kept elsewhere, so the user's own format is not needed."""
    text = record.getMessage()
    if not (record.name == "root" or f"{record.name}.".startswith(f"{OWN_LOGGER}.")):
        text = f"{record.name}: {text}"
    if record.exc_info and record.exc_info[0] is not None:
        text = f"{text}\n{record.exc_text or _formatter.formatException(record.exc_info)}"
    if record.stack_info:
        text = f"{text}\n{record.stack_info}"
    return text


_formatter = logging.Formatter()
_opening = threading.RLock()


def _after_fork() -> None:
    """Let a forked process print as ever: nobody there reads what would be captured."""
    global _opening  # noqa: PLW0603 - the lock may have been held by a thread that does not exist here
    _opening = threading.RLock()
    current.set(None)


os.register_at_fork(after_in_child=_after_fork)
