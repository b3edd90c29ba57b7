"""The latest lines of every task, for the console to read while the engine writes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile

import msgspec

from dagtop.core.events import AnyEvent, Log
from dagtop.core.values import dataclass

LINES_PER_TASK = 1_000
LINES = 200_000
BYTES = 64 * 1024 * 1024


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """One line. The text is as the task wrote it: hostile, until a widget has made it harmless."""

    number: int
    """Counts from 1 in the order of arrival, over all tasks."""
    at: float
    task: str
    attempt: int
    stream: str
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatistics:
    """How full a book is, and what it no longer has."""

    lines: int
    bytes: int
    """UTF-8 bytes of the texts."""
    tasks: int
    """Tasks that have lines."""
    received: int
    """Lines that ever came; also the number of the latest."""
    dropped: int
    """Lines that made room for later ones."""


class LogBook:
    """A recorder that keeps the latest lines: of each task so many, and of all tasks so many lines and bytes.

    The oldest go first. It may be read from any thread; the engine waits at most while some thousand lines are copied.
    """

    def __init__(self, *, lines_per_task: int = LINES_PER_TASK, lines: int = LINES, bytes_: int = BYTES) -> None:
        self._lines_per_task = lines_per_task
        self._max_lines = lines
        self._max_bytes = bytes_
        self._lock = threading.Lock()
        # An OrderedDict takes from its front in constant time however much was deleted there; a dict, small and in one
        # piece, is enough for a task's lines.
        self._lines: OrderedDict[int, LogLine] = OrderedDict()
        self._by_task: dict[str, dict[int, LogLine]] = {}
        self._bytes = 0
        self._received = 0

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take the log lines among the events."""
        logs = [event for event in batch if type(event) is Log]  # faster than isinstance, for events without end
        if logs:
            with self._lock:
                for log in logs:
                    self._add(log)

    def tail(self, task: str | None, count: int) -> list[LogLine]:
        """The latest `count` lines of a task, or of all (None), oldest first."""
        with self._lock:
            return _reversed(islice(reversed(self._of(task).values()), max(0, count)))

    def since(self, number: int, task: str | None = None, limit: int = 1000) -> list[LogLine]:
        """The first `limit` lines after line `number` of a task, or of all (None), oldest first.

        Lines that are no longer there are left out: the first one returned may be far from `number` + 1.
        """
        with self._lock:
            lines = self._of(task)
            oldest = next(iter(lines), self._received + 1)
            if number < oldest or number - oldest < self._received - number:
                after: Iterator[LogLine] = (line for line in lines.values() if line.number > number)
            else:
                after = iter(_reversed(takewhile(lambda line: line.number > number, reversed(lines.values()))))
            return list(islice(after, max(0, limit)))

    def count(self, task: str | None = None) -> int:
        """How many lines of a task, or of all (None), it has."""
        with self._lock:
            return len(self._of(task))

    def statistics(self) -> LogStatistics:
        """How full it is."""
        with self._lock:
            return LogStatistics(
                lines=len(self._lines),
                bytes=self._bytes,
                tasks=len(self._by_task),
                received=self._received,
                dropped=self._received - len(self._lines),
            )

    def _of(self, task: str | None) -> dict[int, LogLine]:
        return self._lines if task is None else self._by_task.get(task, _NO_LINES)

    def _add(self, log: Log) -> None:
        self._received += 1
        line = LogLine(self._received, log.at, log.task, log.attempt, log.stream, log.level, log.line)
        self._lines[line.number] = line
        own = self._by_task.setdefault(line.task, {})
        own[line.number] = line
        self._bytes += _size(line)
        if len(own) > self._lines_per_task:
            self._drop(next(iter(own.values())))
        while len(self._lines) > self._max_lines or self._bytes > self._max_bytes:
            self._drop(next(iter(self._lines.values())))

    def _drop(self, line: LogLine) -> None:
        del self._lines[line.number]
        own = self._by_task[line.task]
        del own[line.number]
        if not own:
            del self._by_task[line.task]
        self._bytes -= _size(line)


_NO_LINES: dict[int, LogLine] = {}


def _reversed(lines: Iterable[LogLine]) -> list[LogLine]:
    return list(lines)[::-1]


def _size(line: LogLine) -> int:
    text = line.text
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
