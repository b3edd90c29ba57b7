"""The log of a replay: what was written up to an event, however many lines the run has."""

from __future__ import annotations

from dagtop.core import events as ev
from dagtop.core.events import AnyEvent
from dagtop.runtime.logs_until import Lines, LogsUntil
from dagtop_app.logs.replayed import ReplayedLogs
from dagtop_app.logs.sieve import Sieve
from dagtop_app.logs.store import BLOCK, DeepLogs

COUNT = 3 * BLOCK + 100


class Recording:
    """Every second event is a line; every tenth of the lines is of b, the others are of a."""

    def __init__(self) -> None:
        self.number = 0
        self.book = DeepLogs()
        lines = Lines(self.book)
        self.logs = ReplayedLogs(LogsUntil(lines, lambda: self.number), self.book)
        batch: list[AnyEvent] = []
        for place in range(COUNT):
            batch.append(ev.TaskProgress(float(place), "a", place))
            batch.append(ev.Log(float(place), "b" if place % 10 == 0 else "a", 1, "stdout", "", f"line {place}"))
        for first in range(0, len(batch), 77):
            lines.record(first + 1, batch[first : first + 77])


def test_there_are_as_many_lines_as_there_were_at_the_instant() -> None:
    it = Recording()
    for number, count in ((0, 0), (1, 0), (2, 1), (3, 1), (2 * BLOCK + 6, BLOCK + 3), (2 * COUNT, COUNT)):
        it.number = number
        store = it.logs.store
        assert store.count == it.logs.count == count
        assert store.blocks == count // BLOCK + 1
        assert sum(len(store.block(block)) for block in range(store.blocks)) == count
        if count:
            assert store.line(count - 1).text == f"line {count - 1}"


def test_what_is_looked_for_ends_at_the_instant_too() -> None:
    it = Recording()
    it.number = 2 * (BLOCK + 11)
    sieve = Sieve(it.logs.store, task=lambda task: task == "b")
    while not sieve.is_through:
        sieve.step(200)
    assert len(sieve.found) == (BLOCK + 11 + 9) // 10


def test_lines_that_the_book_has_let_go_of_are_found_in_the_store() -> None:
    it = Recording()
    it.number = 2 * BLOCK
    logs = ReplayedLogs(LogsUntil(it.logs.lines, lambda: it.number), it.book)
    before = [line.text for line in logs.tail("b", 3)]
    with it.book._lock:
        while len(it.book._lines) > 5:
            it.book._drop(next(iter(it.book._lines.values())))
    logs = ReplayedLogs(LogsUntil(it.logs.lines, lambda: it.number), it.book)
    assert [line.text for line in logs.tail("b", 3)] == before
    assert [line.text for line in logs.tail(None, 2)] == [f"line {BLOCK - 2}", f"line {BLOCK - 1}"]
    assert list(logs.tail("nobody", 3)) == []


def test_a_line_that_is_not_the_run_s_stands_behind_those_that_were_read() -> None:
    it = Recording()
    it.number = 2 * COUNT
    it.logs.lines.note(ev.Log(0.0, "", 0, "stderr", "", "the console's own"))
    assert it.logs.tail("", 5)[-1].text == "the console's own"
    assert it.logs.store.count == COUNT + 1
