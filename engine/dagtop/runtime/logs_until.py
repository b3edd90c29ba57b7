"""The lines of a stored run as far as one of its events."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence

from dagtop.core.events import AnyEvent, Log
from dagtop.observe.logs import LINES, LogBook, LogLine


class Lines:
    """A book of all lines, and from which event each of them is. Filled by one thread; others may look."""

    def __init__(self, book: LogBook | None = None) -> None:
        self.book = book or LogBook(lines_per_task=LINES)
        self._numbers: array[int] = array("q")
        """By number of a line, from 1: the event that it is from."""

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take the lines among the events."""
        self.book.record(first, batch)
        self._numbers.extend([number for number, event in enumerate(batch, first) if type(event) is Log])

    def note(self, line: Log) -> None:
        """Take a line that is not the run's."""
        self.book.record(0, [line])
        self._numbers.append(self._numbers[-1] if self._numbers else 0)

    def count(self, number: int) -> int:
        """How many lines there are up to an event."""
        return bisect_right(self._numbers, number)


class LogsUntil:
    """What a console reads of a book, up to an event; `until` says which that is."""

    def __init__(self, lines: Lines, until: Callable[[], int]) -> None:
        self.lines = lines
        self.until = until
        """Number of the event up to which they are seen."""
        self._copies: dict[str | None, tuple[int, list[LogLine]]] = {}
        """By task: how many lines there were in all, and its own."""

    @property
    def count(self) -> int:
        """How many lines of all tasks there are."""
        return self.lines.count(self.until())

    def tail(self, task: str | None, count: int) -> Sequence[LogLine]:
        """The latest `count` lines, oldest first, of one task or of all (None)."""
        lines, end = self._of(task)
        return lines[max(0, end - count) : end]

    def since(self, number: int, task: str | None = None, limit: int = 1000) -> Sequence[LogLine]:
        """Up to `limit` lines with a number above `number`, oldest first."""
        lines, end = self._of(task)
        begin = bisect_right(lines, number, key=_number)
        return lines[begin : min(end, begin + limit)]

    def _of(self, task: str | None) -> tuple[Sequence[LogLine], int]:
        """Lines of a task, and how many of them there are."""
        count = self.count
        known = self._copies.get(task)
        if known is None or known[0] < count:
            if len(self._copies) > 20:
                self._copies.clear()
            received = self.lines.book.statistics().received
            known = self._copies[task] = received, self.lines.book.tail(task, LINES)
        return known[1], bisect_right(known[1], count, key=_number)


def _number(line: LogLine) -> int:
    return line.number
