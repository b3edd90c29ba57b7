"""The log book: what it keeps, what it drops, and that it can be read while it is written."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest
from dagtop.core.events import AnyEvent, Log, RunPaused, TaskReady
from dagtop.observe.logs import LogBook, LogLine, LogStatistics
from hypothesis import given
from hypothesis import strategies as st


def log(task: str, text: str, at: float = 0.0) -> Log:
    return Log(at, task, 1, "stdout", "", text)


def filled(lines: Iterable[tuple[str, str]], book: LogBook | None = None) -> LogBook:
    book = book or LogBook()
    book.record(1, [log(task, text) for task, text in lines])
    return book


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


def test_it_takes_log_lines_and_nothing_else() -> None:
    book = LogBook()
    batch: list[AnyEvent] = [RunPaused(0.0), Log(1.5, "t", 2, "log", "INFO", "hello"), TaskReady(2.0, "t")]
    book.record(1, batch)
    book.record(4, [RunPaused(3.0)])
    assert book.tail(None, 10) == [LogLine(1, 1.5, "t", 2, "log", "INFO", "hello")]
    assert book.statistics() == LogStatistics(lines=1, bytes=5, tasks=1, received=1, dropped=0)


def test_the_tail_is_the_latest_lines_oldest_first() -> None:
    book = filled([("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("a", "5")])
    assert texts(book.tail(None, 3)) == ["3", "4", "5"]
    assert texts(book.tail("a", 2)) == ["3", "5"]
    assert texts(book.tail("a", 99)) == ["1", "3", "5"]
    assert book.tail("nobody", 5) == book.tail("a", 0) == book.tail("a", -1) == []
    assert (book.count(), book.count("a"), book.count("nobody")) == (5, 3, 0)


def test_a_reader_pages_on_from_the_last_number_it_saw() -> None:
    book = filled([("ab"[number % 2], str(number)) for number in range(1, 11)])
    assert texts(book.since(0, limit=3)) == ["1", "2", "3"]
    assert texts(book.since(3, limit=3)) == ["4", "5", "6"]
    assert texts(book.since(8)) == ["9", "10"]
    assert texts(book.since(3, "a")) == ["4", "6", "8", "10"]
    assert book.since(10) == book.since(99) == book.since(0, limit=0) == book.since(0, "nobody") == []


def test_lines_of_the_process_itself_have_no_task() -> None:
    book = filled([("", "process"), ("t", "task")])
    assert texts(book.tail("", 5)) == ["process"]


def test_a_task_keeps_its_latest_lines_and_the_others_theirs() -> None:
    book = filled([("quiet", "q"), *(("chatty", str(number)) for number in range(1005))])
    assert book.count("chatty") == 1000
    assert texts(book.tail("chatty", 2)) == ["1003", "1004"]
    assert texts(book.since(0, limit=2)) == ["q", "5"]
    assert book.statistics().dropped == 5


def test_of_all_lines_the_oldest_go_first() -> None:
    book = filled([(f"t{number}", str(number)) for number in range(10)], LogBook(lines=4))
    assert texts(book.tail(None, 10)) == ["6", "7", "8", "9"]
    assert book.statistics() == LogStatistics(lines=4, bytes=4, tasks=4, received=10, dropped=6)


def test_bytes_are_bounded_too() -> None:
    book = filled([("t", "éé"), ("t", "abcd"), ("t", "xyz")], LogBook(bytes_=8))
    assert texts(book.tail(None, 10)) == ["abcd", "xyz"]
    book.record(4, [log("t", "much too long for it")])
    assert book.statistics() == LogStatistics(lines=0, bytes=0, tasks=0, received=4, dropped=4)


@pytest.mark.parametrize("text", ["", "\ud800", "\0", "\x1b[2J", "[bold]", "x" * 100_000])
def test_hostile_text_is_kept_as_it_is(text: str) -> None:
    assert texts(filled([("t", text)]).tail("t", 1)) == [text]


def test_tasks_without_lines_cost_nothing() -> None:
    book = LogBook()
    book.record(1, [TaskReady(0.0, f"t{number}") for number in range(1000)])
    for number in range(1000):
        assert book.tail(f"t{number}", 10) == []
    assert book.statistics().tasks == 0


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "éé", "long text"])), max_size=60),
    st.integers(0, 70),
    st.integers(0, 70),
)
def test_it_equals_a_list_of_which_the_oldest_are_removed(
    lines: list[tuple[str, str]], number: int, limit: int
) -> None:
    book = LogBook(lines_per_task=5, lines=11, bytes_=40)
    kept: list[tuple[int, str, str]] = []
    for at, (task, text) in enumerate(lines, start=1):
        book.record(at, [log(task, text)])
        kept.append((at, task, text))
        own = [line for line in kept if line[1] == task]
        if len(own) > 5:
            kept.remove(own[0])
        while len(kept) > 11 or sum(len(line[2].encode()) for line in kept) > 40:
            kept.pop(0)
    for wanted in (None, "a", "b"):
        expected = [line[0] for line in kept if wanted in {None, line[1]}]
        assert [line.number for line in book.tail(wanted, limit)] == expected[max(0, len(expected) - limit) :]
        later = [n for n in expected if n > number]
        assert [line.number for line in book.since(number, wanted, limit)] == later[:limit]
        assert book.count(wanted) == len(expected)
    assert book.statistics().bytes == sum(len(line[2].encode()) for line in kept)


def test_it_may_be_read_while_it_is_written() -> None:
    book = LogBook(lines_per_task=50, lines=120)
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        last = 0
        while not done.is_set() or book.since(last):
            for line in book.since(last):
                seen.append(line.number)
                last = line.number
            book.tail("t1", 10)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2000):
        book.record(number, [log(f"t{number % 5}", str(number))])
    done.set()
    reader.join()
    assert seen == sorted(set(seen))
    assert seen[-1] == 2000
