"""Every line of a run on disk, found again by number, by task, by time: blocks, masks, files that are given up."""

from __future__ import annotations

import errno
import os
import random
from typing import Any

import pytest
from dagtop.core.events import Log
from dagtop.observe.logs import LogBook
from dagtop_app.logs.roll import Choice, LogRoll, Subject, of_tasks, pattern_of, rank
from dagtop_app.logs.sieve import Numbers, Sieve
from dagtop_app.logs.store import BLOCK, DeepLogs, LogStore, Source


def log(number: int, task: str = "load", **more: Any) -> Log:
    given: dict[str, Any] = {
        "at": float(number),
        "attempt": 1,
        "stream": "stdout",
        "level": "",
        "line": f"line {number}",
    }
    return Log(task=task, **(given | more))


def through(sieve: Sieve, limit: int = 700) -> list[int]:
    while not sieve.is_through:
        sieve.step(limit)
    return [sieve.found[place] for place in range(len(sieve.found))]


class TestStore:
    def test_lines_are_found_by_number_on_disk_and_in_the_open_block(self) -> None:
        store = LogStore()
        store.add(log(n) for n in range(3 * BLOCK + 7))
        assert store.count == 3 * BLOCK + 7
        for n in (0, BLOCK - 1, BLOCK, 3 * BLOCK - 1, 3 * BLOCK, 3 * BLOCK + 6):
            assert store.line(n).text == f"line {n}"
            assert store.line(n).number == n

    def test_any_text_is_kept(self) -> None:
        texts = ["", "\ud800lone", "\x1b[2J", "漢字" * 5_000, "x" * 100_000, "\x00", "🔥"]
        store = LogStore()
        store.add(log(n, line=texts[n % len(texts)]) for n in range(BLOCK + 1))
        assert store.line(1).text in {"\ud800lone", "\\ud800lone"}
        assert store.line(4).text == "x" * 100_000

    def test_memory_does_not_grow_with_the_lines(self) -> None:
        store = LogStore()
        for n in range(0, 200_000, BLOCK):
            store.add(log(n + m, line="y" * 80) for m in range(BLOCK))
        assert len(store._open) < BLOCK
        assert len(store._near) == len(store._held) == 0
        for n in range(0, store.count, 997):
            store.line(n)
        assert len(store._near) <= 32

    def test_the_oldest_file_is_given_up_when_there_are_too_many(self) -> None:
        store = LogStore(file_size=20_000, most_bytes=60_000)
        for n in range(20 * BLOCK):
            store.add([log(n)])
        assert 0 < store.first < store.count
        assert store.first % BLOCK == 0
        assert store.line(store.first).text == f"line {store.first}"
        assert "could not be kept" in store.line(0).text

    def test_where_the_disk_takes_no_more_the_latest_lines_are_kept_in_memory(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        store = LogStore()
        store.add(log(n) for n in range(200 * BLOCK))
        assert store.line(200 * BLOCK - 1).text == f"line {200 * BLOCK - 1}"
        assert "could not be kept" in store.line(0).text
        assert len(store._held) == 128
        assert through(Sieve(store, lambda raw: True))[-1] == 200 * BLOCK - 1

    def test_a_deep_log_book_has_in_its_store_what_the_book_has_forgotten(self) -> None:
        logs = DeepLogs()
        for n in range(3_000):
            logs.record(n, [log(n)])
        assert logs.count("load") == 1_000
        assert Source(logs).store is logs.store
        assert logs.store.line(0).text == "line 0"

    def test_of_an_engine_without_a_store_what_the_book_has_is_taken_at_every_look(self) -> None:
        book = LogBook(lines_per_task=100_000)
        source = Source(book)
        book.record(0, [log(n) for n in range(30_000)])
        source.look()
        assert source.store.count == 20_000
        source.look()
        assert source.store.count == 30_000
        assert source.store.line(29_999).text == "line 29999"


class TestNumbers:
    def test_they_grow_at_both_ends_and_are_found(self) -> None:
        for low, high in ((0, 5), (5, 0), (4, 4), (1, 1)):
            numbers = Numbers()
            for n in range(high):
                numbers.append(100 + 10 * n)
            for n in range(low):
                numbers.prepend(90 - 10 * n)
            expected = [90 - 10 * n for n in reversed(range(low))] + [100 + 10 * n for n in range(high)]
            assert [numbers[place] for place in range(len(numbers))] == expected
            assert numbers[-1] == expected[-1]
            for number in range(40, 150):
                assert numbers.place(number) == sum(it < number for it in expected), (low, high, number)

    def test_the_lowest_are_forgotten(self) -> None:
        numbers = Numbers()
        for n in range(5):
            numbers.append(10 + n)
            numbers.prepend(9 - n)
        numbers.forget(3)
        assert [numbers[place] for place in range(len(numbers))] == [8, 9, 10, 11, 12, 13, 14]
        numbers.forget(4)
        assert [numbers[place] for place in range(len(numbers))] == [12, 13, 14]


class TestSieve:
    def test_it_finds_what_a_scan_of_all_lines_finds_whatever_the_slices_and_whatever_comes_meanwhile(self) -> None:
        chance = random.Random(7)
        store, told = LogStore(), []
        sieves: list[Sieve] = []
        for n in range(6_000):
            task = f"task-{chance.choice([chance.randrange(3), chance.randrange(600)])}"
            told.append(task)
            store.add([log(n, task)])
            if n in {0, 1_000, 4_500}:
                sieves.append(Sieve(store, task=lambda name: name in {"task-1", "task-599"}))
            if n % 100 == 0:
                for sieve in sieves:
                    sieve.step(chance.randrange(1, 400))
        expected = [n for n, task in enumerate(told) if task in {"task-1", "task-599"}]
        for sieve in sieves:
            assert through(sieve, 333) == expected

    def test_lines_before_a_moment_are_not_even_looked_at(self) -> None:
        store = LogStore()
        store.add(log(n) for n in range(10 * BLOCK))
        assert through(Sieve(store, since=9.5 * BLOCK)) == list(range(int(9.5 * BLOCK), 10 * BLOCK))

    def test_it_remembers_so_many_and_no_more(self) -> None:
        store = LogStore()
        store.add(log(n) for n in range(5_000))
        sieve = Sieve(store, most=1_000)
        through(sieve)
        for n in range(5_000, 9_000):
            store.add([log(n)])
            sieve.step(10_000)
        assert 1_000 <= len(sieve.found) <= 1_100
        assert sieve.found[-1] == 8_999


class TestRoll:
    def roll(self) -> LogRoll:
        store = LogStore()
        store.add([
            log(0, "a", stream="log", level="DEBUG", line="looks"), log(1, "b", line="prints"),
            log(2, "a", stream="stderr", line="moans"), log(3, "a", stream="log", level="ERROR", line="fails [1]", attempt=2),
            log(4, "n/c", line="inside"), log(5, "", line="process"),
        ])  # fmt: skip
        roll = LogRoll()
        roll.read(store)
        return roll

    def shown(self, roll: LogRoll) -> list[str]:
        return [roll.line(place).text for place in range(len(roll))]

    @pytest.mark.parametrize(
        ("choice", "texts"),
        [
            (Choice(), ["looks", "prints", "moans", "fails [1]", "inside", "process"]),
            (Choice(subject=of_tasks(("a",), "")), ["looks", "moans", "fails [1]"]),
            (Choice(subject=of_tasks(("a", "b"), "")), ["looks", "prints", "moans", "fails [1]"]),
            (Choice(subject=of_tasks((), "")), []),
            (Choice(subject=Subject(node="n")), ["inside"]),
            (Choice(level="INFO"), ["prints", "moans", "fails [1]", "inside", "process"]),
            (Choice(level="WARNING"), ["moans", "fails [1]"]),
            (Choice(level="ERROR"), ["fails [1]"]),
            (Choice(stream="log"), ["looks", "fails [1]"]),
            (Choice(stream="stderr"), ["moans"]),
            (Choice(since=60.0), ["fails [1]", "inside", "process"]),
            (Choice(only="s"), ["looks", "prints", "moans", "fails [1]", "inside", "process"]),
            (Choice(only="[1]"), ["fails [1]"]),
            (Choice(only="/^[lm]/"), ["looks", "moans"]),
        ],
    )
    def test_what_is_shown(self, choice: Choice, texts: list[str]) -> None:
        roll = self.roll()
        roll.choose(choice, 63.0)
        assert self.shown(roll) == texts

    def test_a_search_goes_round(self) -> None:
        roll = self.roll()
        roll.search("S")
        assert roll.match_count == 6
        roll.search("IN")
        assert roll.match_count == 2
        assert roll.match(0, 1) == 1
        assert roll.match(1, 1) == 4
        assert roll.match(4, 1) == 1
        assert roll.match(1, -1) == 4
        roll.search("&in")
        assert self.shown(roll) == ["prints", "inside"]
        roll.search("")
        assert len(roll) == 6
        assert roll.match(0, 1) is None

    def test_a_search_stays_within_what_is_shown(self) -> None:
        roll = self.roll()
        roll.choose(Choice(subject=of_tasks(("a",), "")), 10.0)
        roll.search("o")
        assert roll.match_count == 2

    @pytest.mark.parametrize("text", ["/[/", "/(?P<a/", "/*/", "/", "//"])
    def test_an_expression_that_is_none_yet_finds_nothing_and_breaks_nothing(self, text: str) -> None:
        roll = self.roll()
        roll.search(text)
        assert roll.match_count == 0
        assert len(roll) == 6
        assert pattern_of("/x+/") is not None

    def test_marks_stand_where_they_were_drawn_whatever_is_shown(self) -> None:
        roll = self.roll()
        mark = roll.mark(5.0, 0.0)
        roll.store.add([log(6, "a", line="later")])
        assert roll.marks_after(5) == [mark]
        assert roll.marks_after(6) == []
        roll.choose(Choice(subject=of_tasks(("a",), "")), 7.0)
        assert [roll.marks_after(place) for place in range(len(roll))] == [[], [], [mark], []]

    def test_how_grave_a_line_is(self) -> None:
        assert [rank("log", it) for it in ("DEBUG", "info", "WARN", "ERROR", "CRITICAL", "made up")] == [
            0,
            1,
            2,
            3,
            4,
            1,
        ]
        assert rank("stdout", "") == 1
        assert rank("stderr", "") == 2
