"""Lines, limits and threads of one attempt's sink, without any stream replaced."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from dagtop.runtime.capture import AttemptSink, Captured, CaptureStatistics, current, task_logger
from dagtop.runtime.capture_line import LINE_BYTES, utf8_size
from dagtop.runtime.capture_sink import ATTEMPT_BYTES, ATTEMPT_LINES, OPEN_LINES
from hypothesis import given
from hypothesis import strategies as st


class Seen(list[Captured]):
    """What was delivered."""

    @property
    def lines(self) -> list[str]:
        return [captured.line for captured in self]


class Interrupted(str):
    """A text that calls `by` while a sink is in the middle of reading it, its lock held."""

    by: Callable[[], None] | None

    def __new__(cls, text: str, *, by: Callable[[], None]) -> Interrupted:
        self = super().__new__(cls, text)
        self.by = by
        return self

    def find(self, *args: Any) -> int:
        call, self.by = self.by, None
        if call is not None:
            call()
        return super().find(*args)


def make_sink() -> tuple[AttemptSink, Seen]:
    seen = Seen()
    return AttemptSink("extract", 2, seen.append), seen


def written(*texts: str) -> list[str]:
    """The lines that come of writing these texts to stdout."""
    sink, seen = make_sink()
    for text in texts:
        sink.write("stdout", text)
    sink.close()
    return seen.lines


class TestLines:
    def test_a_line_is_delivered_when_its_newline_comes(self) -> None:
        sink, seen = make_sink()
        sink.write("stdout", "one")
        assert seen == []
        sink.write("stdout", " and a half\ntwo\nthr")
        assert seen == [
            Captured("extract", 2, "stdout", "", "one and a half"),
            Captured("extract", 2, "stdout", "", "two"),
        ]

    def test_the_last_line_needs_no_newline_when_the_attempt_ends(self) -> None:
        assert written("a\nb") == ["a", "b"]

    def test_empty_lines_are_lines_and_an_empty_rest_is_none(self) -> None:
        assert written("\n", "\n", "", "x\n") == ["", "", "x"]

    def test_streams_do_not_run_into_each_other(self) -> None:
        sink, seen = make_sink()
        sink.write("stdout", "out")
        sink.write("stderr", "err\n")
        sink.write("stdout", "put\n")
        assert [(c.stream, c.line) for c in seen] == [("stderr", "err"), ("stdout", "output")]

    @pytest.mark.parametrize(
        "text", ["\ud800 lone", "nul\0", "\x1b[31mred\x1b]0;title\x07", "[bold]markup", "\u200b", "\x85\u2028"]
    )
    def test_hostile_text_is_kept_as_it_is(self, text: str) -> None:
        assert written(text + "\n") == [text]

    def test_a_closed_sink_still_takes_what_a_forgotten_thread_writes(self) -> None:
        sink, seen = make_sink()
        sink.close()
        sink.write("stdout", "late\nlater")
        assert seen.lines == ["late"]
        sink.close()
        sink.close()
        assert seen.lines == ["late", "later"]

    def test_a_sink_that_nobody_wrote_to_has_nothing_to_tell(self) -> None:
        sink, seen = make_sink()
        sink.close()
        assert seen == []
        assert sink.statistics() == CaptureStatistics()

    def test_a_text_of_a_subclass_of_str_is_taken(self) -> None:
        class Odd(str):
            __slots__ = ()

        assert written(Odd("odd\n")) == ["odd"]


class TestCarriageReturns:
    def test_a_progress_bar_becomes_its_last_state(self) -> None:
        bar = [f"\r{percent:3d}%|{'#' * (percent // 10):10}|" for percent in range(101)]
        assert written(*bar) == ["100%|##########|"]
        assert written(*bar, "\n", "done\n") == ["100%|##########|", "done"]
        assert written("".join(bar) + "\ndone\n") == ["100%|##########|", "done"]

    def test_a_return_at_the_end_keeps_the_line_until_new_text_comes(self) -> None:
        assert written("50%\r", "100%\r") == ["100%"]
        assert written("50%\r\r\r") == ["50%"]

    def test_windows_line_ends_are_line_ends(self) -> None:
        assert written("a\r\nb\r", "\nc\r\n") == ["a", "b", "c"]

    def test_a_bar_that_was_wiped_out_leaves_nothing(self) -> None:
        assert written("\r 10%", "\r      \r") == []
        assert written("\r 10%", "\r      \r", "message\n", "\r 20%") == ["message", " 20%"]

    def test_spaces_that_were_printed_on_purpose_stay(self) -> None:
        assert written("   ") == ["   "]

    @given(st.lists(st.text(alphabet="ab\r\n", max_size=12), max_size=8))
    def test_it_does_not_matter_how_the_text_was_cut_into_writes(self, texts: list[str]) -> None:
        assert written(*texts) == written("".join(texts)) == written(*"".join(texts))

    @given(st.text(alphabet="ab\r\n"))
    def test_a_line_is_the_last_piece_with_text_between_its_returns(self, text: str) -> None:
        lines = [next((p for p in reversed(line.split("\r")) if p), "") for line in text.split("\n")]
        if not lines[-1]:
            lines.pop()
        assert written(text) == lines

    def test_a_mass_of_returns_costs_nothing(self) -> None:
        assert written("x" + "\r" * 1_000_000) == ["x"]
        assert written("\r" * 1_000_000 + "x") == ["x"]


class TestLimits:
    @pytest.mark.parametrize("letter", ["x", "é", "€", "😀", "\ud800"])
    def test_a_long_line_is_cut_and_says_how_much_is_missing(self, letter: str) -> None:
        sink, seen = make_sink()
        sink.write("stdout", letter * 20_000 + "\n")
        [line] = seen.lines
        kept, note = line.split(" … ")
        missing = int(note.removesuffix(" bytes cut").replace(",", ""))
        assert set(kept) == {letter}
        assert utf8_size(kept) + missing == utf8_size(letter) * 20_000
        assert LINE_BYTES - 48 < utf8_size(line) <= LINE_BYTES
        assert sink.statistics().cut_bytes == missing

    def test_a_line_of_just_the_limit_is_whole(self) -> None:
        assert written("x" * LINE_BYTES + "\n") == ["x" * LINE_BYTES]

    def test_a_line_of_many_small_pieces_is_cut_like_one(self) -> None:
        assert written(*["xyz"] * 10_000) == written("xyz" * 10_000)

    def test_after_too_many_lines_one_line_says_so_and_the_rest_is_counted(self) -> None:
        sink, seen = make_sink()
        for number in range(ATTEMPT_LINES + 500):
            sink.write("stdout", f"{number:05}\n")
        assert len(seen) == ATTEMPT_LINES + 1
        assert seen[-1].stream == "log"
        assert seen[-1].level == "WARNING"
        assert "output limit reached" in seen[-1].line
        sink.write("stderr", "no newline")
        sink.close()
        assert seen[ATTEMPT_LINES + 1 :] == [
            Captured("extract", 2, "log", "WARNING", "501 lines (3,010 bytes) of output were dropped")
        ]
        assert sink.statistics() == CaptureStatistics(
            lines=ATTEMPT_LINES, bytes=6 * ATTEMPT_LINES, dropped_lines=501, dropped_bytes=3_010
        )

    def test_what_is_dropped_after_the_end_is_told_by_the_next_close_only(self) -> None:
        sink, seen = make_sink()
        sink.write("stdout", "\n" * (ATTEMPT_LINES + 3))
        sink.close()
        sink.close()
        sink.write("stdout", "stray\n")
        sink.close()
        assert seen.lines[ATTEMPT_LINES + 1 :] == [
            "3 lines (3 bytes) of output were dropped",
            "1 lines (6 bytes) of output were dropped",
        ]

    def test_too_many_bytes_end_it_as_well_and_log_records_count_too(self) -> None:
        sink, seen = make_sink()
        for _ in range(ATTEMPT_BYTES // 1000):
            sink.write("stdout", "x" * 999 + "\n")
        task_logger(sink).info("%s\nlast", "y" * 999)
        sink.close()
        assert sum(utf8_size(line) + 1 for line in seen.lines[:-2]) <= ATTEMPT_BYTES
        assert "output limit reached" in seen[-2].line
        assert seen[-1].line == "2 lines (1,005 bytes) of output were dropped"

    @pytest.mark.parametrize(
        ("unit", "repeat"), [("x", 1000), ("x\n", 500), ("é\r", 500)], ids=["no newline", "lines", "returns"]
    )
    def test_twenty_megabytes_take_next_to_no_memory(self, unit: str, repeat: int) -> None:
        piece = unit * repeat
        count = 20_000_000 // len(piece)
        sink = AttemptSink("t", 1, lambda captured: None)
        gc.collect()
        tracemalloc.start()
        try:
            for _ in range(count):
                sink.write("stdout", piece)
            assert tracemalloc.get_traced_memory()[1] < 300_000
        finally:
            tracemalloc.stop()
        assert sink.statistics().held_characters <= LINE_BYTES

    @pytest.mark.parametrize("unit", ["x", "x\n", "x\r", "é"])
    def test_one_text_of_twenty_megabytes_is_not_copied(self, unit: str) -> None:
        text = unit * (20_000_000 // len(unit))
        sink = AttemptSink("t", 1, lambda captured: None)
        tracemalloc.start()
        try:
            sink.write("stdout", text)
            sink.write_bytes("stderr", memoryview(b"y\n" * 1_000_000))
            sink.close()
            assert tracemalloc.get_traced_memory()[1] < 3_000_000
        finally:
            tracemalloc.stop()
        known = sink.statistics()
        if unit == "x\n":
            assert known.lines + known.dropped_lines == 11_000_000
            assert known.bytes + known.dropped_bytes == 22_000_000

    def test_threads_that_leave_half_lines_behind_do_not_pile_up(self) -> None:
        sink, seen = make_sink()
        barrier = threading.Barrier(OPEN_LINES + 10)

        def leave(number: int) -> None:
            barrier.wait()  # all alive at once, so no two have one ident
            sink.write("stdout", f"half {number}")
            barrier.wait()

        run_threads(leave, OPEN_LINES + 10)
        assert len(seen) == 10
        sink.close()
        assert sorted(seen.lines) == sorted(f"half {number}" for number in range(OPEN_LINES + 10))


class TestBytes:
    def test_a_character_may_be_split_between_writes(self) -> None:
        sink, seen = make_sink()
        for byte in "naïve €\n".encode():
            sink.write_bytes("stdout", memoryview(bytes([byte])))
        assert seen.lines == ["naïve €"]

    def test_what_is_no_utf8_is_shown_as_escapes(self) -> None:
        sink, seen = make_sink()
        sink.write_bytes("stdout", memoryview(b"\x89PNG\r\n\x00\xff\n\xe2\x82"))
        sink.close()
        assert seen.lines == ["\\x89PNG", "\0\\xff", "\\xe2\\x82"]


class TestDelivery:
    def test_a_listener_that_raises_does_not_harm_the_task(self) -> None:
        def refuse(captured: Captured) -> None:
            raise OSError(captured.line)

        sink = AttemptSink("t", 1, refuse)
        sink.write("stdout", "one\ntwo\n")
        sink.close()
        assert sink.statistics().failed_deliveries == 2

    def test_a_listener_that_prints_does_not_call_itself_for_ever(self) -> None:
        seen = Seen()

        def echo(captured: Captured) -> None:
            seen.append(captured)
            sink.write("stdout", f"got {captured.line}\n")
            sink.close()

        sink = AttemptSink("t", 1, echo)
        sink.write("stdout", "one\ntwo\n")
        assert seen.lines == ["one", "two"]
        assert sink.statistics().echoes == 6

    def test_an_interrupt_in_a_listener_rises_and_the_next_write_goes_on(self) -> None:
        seen = Seen()
        interrupts = [KeyboardInterrupt()]

        def listen(captured: Captured) -> None:
            if interrupts:
                raise interrupts.pop()
            seen.append(captured)

        sink = AttemptSink("t", 1, listen)
        with pytest.raises(KeyboardInterrupt):
            sink.write("stdout", "lost\nkept\n")
        sink.write("stdout", "next\n")
        assert seen.lines == ["kept", "next"]

    def test_a_listener_may_wait_for_a_thread_that_prints(self) -> None:
        """No lock is held while a line is delivered: this one would wait for ever."""
        seen = Seen()

        def listen(captured: Captured) -> None:
            seen.append(captured)
            if captured.line == "first":
                run_threads(lambda _: sink.write("stdout", "second\n"), 1)

        sink = AttemptSink("t", 1, listen)
        sink.write("stdout", "first\n")
        assert seen.lines == ["first", "second"]

    def test_what_is_printed_in_the_middle_of_a_write_comes_after_it(self) -> None:
        """A finaliser or a signal handler may run anywhere, in the thread that holds the lock."""
        sink, seen = make_sink()
        sink.write("stdout", Interrupted("one\ntwo\n", by=lambda: sink.write("stderr", "finalised\n")))
        assert seen.lines == ["one", "two", "finalised"]

    def test_every_line_of_many_threads_arrives_once_whole_and_in_its_thread_s_order(self) -> None:
        sink, seen = make_sink()

        def chatter(thread: int) -> None:
            for number in range(200):
                sink.write("stdout", f"{thread} ")
                sink.write("stdout", f"{number}")
                sink.write("stdout", "\n")

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            run_threads(chatter, 8)
        finally:
            sys.setswitchinterval(interval)
        for thread in range(8):
            assert [line for line in seen.lines if line.startswith(f"{thread} ")] == [
                f"{thread} {n}" for n in range(200)
            ]
        assert len(seen) == 1600

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    def test_a_forked_process_is_not_captured_and_not_blocked(self) -> None:
        sink, seen = make_sink()
        held, release = threading.Event(), threading.Event()
        sink.write("stdout", "before\n")

        def hold_the_lock() -> None:
            held.set()
            release.wait()

        thread = threading.Thread(target=sink.write, args=("stdout", Interrupted("held\n", by=hold_the_lock)))
        thread.start()
        held.wait()
        token = current.set(sink)
        child = os.fork()
        if child == 0:
            sink.write("stdout", "in the child\n")
            os._exit(0 if current.get() is None and seen.lines == ["before"] else 1)
        current.reset(token)
        release.set()
        thread.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        sink.write("stdout", "after\n")
        assert seen.lines == ["before", "held", "after"]


class TestTaskLogger:
    def test_every_level_goes_through_with_its_name(self) -> None:
        sink, seen = make_sink()
        log = task_logger(sink, "extract")
        log.debug("%d rows", 3)
        log.info("100%")
        log.warning("odd\nvery")
        log.critical("bad")
        assert [(c.stream, c.level, c.line) for c in seen] == [
            ("log", "DEBUG", "3 rows"),
            ("log", "INFO", "100%"),
            ("log", "WARNING", "odd"),
            ("log", "WARNING", "very"),
            ("log", "CRITICAL", "bad"),
        ]

    def test_an_exception_brings_its_traceback(self) -> None:
        sink, seen = make_sink()
        try:
            raise ValueError("no\x1b[2J")
        except ValueError:
            task_logger(sink).exception("could not load")
        assert seen.lines[:2] == ["could not load", "Traceback (most recent call last):"]
        assert seen.lines[-1] == "ValueError: no\x1b[2J"
        assert {c.level for c in seen} == {"ERROR"}

    def test_arguments_that_cannot_be_formatted_do_not_raise(self) -> None:
        class Hostile:
            def __repr__(self) -> str:
                raise RuntimeError

        sink, seen = make_sink()
        task_logger(sink).info("%d rows of %s", "three")
        task_logger(sink).info("%r", Hostile())
        task_logger(sink).info(Hostile())
        assert seen.lines == [
            "%d rows of %s (could not be formatted: TypeError)",
            "%r (could not be formatted: RuntimeError)",
            "Hostile (could not be formatted: RuntimeError)",
        ]

    def test_a_return_in_a_record_hides_nothing(self) -> None:
        sink, seen = make_sink()
        task_logger(sink).info("rm -rf\rharmless")
        assert seen.lines == ["rm -rf\rharmless"]

    def test_the_user_s_handlers_get_the_records_that_their_levels_allow(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        sink, _ = make_sink()
        caplog.set_level(logging.INFO)
        task_logger(sink, "extract").debug("quiet")
        task_logger(sink, "extract").info("heard")
        assert caplog.record_tuples == [("dagtop.task.extract", logging.INFO, "heard")]

    def test_logging_disable_does_not_silence_a_task(self) -> None:
        sink, seen = make_sink()
        logging.disable(logging.CRITICAL)
        try:
            task_logger(sink).info("still here")
        finally:
            logging.disable(logging.NOTSET)
        assert seen.lines == ["still here"]


def run_threads(target: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=target, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
