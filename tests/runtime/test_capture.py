"""What `install` does to print, logging and warnings, and that `uninstall` undoes it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO, TypeVar

import pytest
from dagtop.runtime.capture import AttemptSink, Captured, current, install, is_installed, task_logger, uninstall

T = TypeVar("T")

PROGRAM = """
import contextvars, logging, sys, warnings
from dagtop.runtime.capture import AttemptSink, current, install, task_logger, uninstall
logging.basicConfig(level=logging.INFO)
captured = []
sink = AttemptSink("t", 1, captured.append)
def task():
    current.set(sink)
    print("printed")
    warnings.warn_explicit("mind the gap", UserWarning, "task.py", 10)
    logging.info("logged")
    task_logger(sink).debug("ctx.log")
install(False)
contextvars.copy_context().run(task)
print("of the process")
logging.info("of the process")
uninstall()
print("captured:", *(f"{c.stream} {c.level} {c.line}" for c in captured), sep="\\n", file=sys.stderr)
"""


@pytest.fixture(autouse=True)
def _everything_is_undone() -> Iterator[None]:
    before = sys.stdout, sys.stderr, logging.Logger.callHandlers, list(logging.root.handlers)
    yield
    assert not is_installed()
    assert before == (sys.stdout, sys.stderr, logging.Logger.callHandlers, list(logging.root.handlers))
    assert current.get() is None


@contextlib.contextmanager
def capturing(*, tee: bool = False) -> Iterator[None]:
    install(tee)
    try:
        yield
    finally:
        uninstall()


class Attempt:
    """Runs code as an attempt of a task would."""

    def __init__(self, task: str = "t") -> None:
        self.captured: list[Captured] = []
        self.sink = AttemptSink(task, 1, self.captured.append)
        self.context = contextvars.copy_context()
        self.context.run(current.set, self.sink)

    def run(self, function: Callable[..., T], *args: object) -> T:
        return self.context.run(function, *args)

    @property
    def lines(self) -> list[str]:
        self.sink.close()
        return [captured.line for captured in self.captured]


def captured_lines(function: Callable[[], object]) -> list[str]:
    attempt = Attempt()
    with capturing():
        attempt.run(function)
    return attempt.lines


class TestStreams:
    def test_a_task_s_print_goes_to_its_sink_and_not_to_the_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        attempt = Attempt("extract")
        with capturing():
            attempt.run(print, "hello", "world")
            print("not a task's")
            print("an error", file=sys.stderr)
        assert attempt.captured == [Captured("extract", 1, "stdout", "", "hello world")]
        assert capsys.readouterr() == ("not a task's\n", "an error\n")

    def test_with_tee_it_goes_to_both(self, capsys: pytest.CaptureFixture[str]) -> None:
        attempt = Attempt()

        def task() -> None:
            print("text", flush=True)
            sys.stderr.buffer.write(b"bytes\n")

        with capturing(tee=True):
            attempt.run(task)
        assert attempt.lines == ["text", "bytes"]
        assert capsys.readouterr() == ("text\n", "bytes\n")

    def test_tee_to_a_stream_that_fails_does_not_fail_the_task(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        closed = io.StringIO()
        closed.close()
        monkeypatch.setattr(sys, "stdout", ascii_only)
        monkeypatch.setattr(sys, "stderr", closed)
        attempt = Attempt()

        def task() -> None:
            print("né \ud800", flush=True)
            print("gone", file=sys.stderr, flush=True)
            sys.stderr.buffer.write(b"gone too\n")

        with capturing(tee=True):
            attempt.run(task)
        assert attempt.lines == ["né \ud800", "gone", "gone too"]
        ascii_only.flush()
        assert ascii_only.buffer.getvalue() == b"n\\xe9 \\ud800\n"

    def test_a_captured_stream_behaves_like_a_text_stream(self) -> None:
        def task() -> None:
            out: Any = sys.stdout
            assert out.write("four\n") == 5
            out.writelines(["a\n", "b\n"])
            out.flush()
            assert not out.isatty()
            assert out.writable()
            assert not out.readable()
            assert not out.seekable()
            assert not out.closed
            assert issubclass(type(out), io.TextIOBase)
            assert issubclass(type(out.buffer), io.BufferedIOBase)
            assert out.encoding == "utf-8"
            "\ud800".encode(out.encoding, out.errors or "")
            out.reconfigure(encoding="ascii", line_buffering=True)
            out.close()
            with out:
                print("still open")
            with pytest.raises(TypeError, match="must be str, not bytes"):
                out.write(b"bytes")
            with pytest.raises(AttributeError):
                out.no_such_thing  # noqa: B018

        assert captured_lines(task) == ["four", "a", "b", "still open"]

    def test_outside_of_tasks_it_is_the_original(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Terminal(io.StringIO):
            encoding = "koi8-r"
            errors = "strict"

            def isatty(self) -> bool:
                return True

        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        with capturing():
            assert sys.stdout.isatty()
            assert sys.stdout.encoding == "koi8-r"
            assert sys.stdout.errors == "strict"
            assert sys.stdout.getvalue() == ""  # type: ignore[union-attr] # the original is a StringIO
            with pytest.raises(io.UnsupportedOperation):
                sys.stdout.fileno()
            sys.stdout.buffer.write("ж".encode("koi8-r"))
            sys.stdout.close()
            print("!")
        assert terminal.getvalue() == "ж!\n"

    def test_a_program_without_streams_can_be_captured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdout", None)
        attempt = Attempt()
        with capturing():
            print("into the void", flush=True)
            sys.stdout.buffer.write(b"too")
            assert not sys.stdout.isatty()
            with pytest.raises(io.UnsupportedOperation):
                sys.stdout.fileno()
            attempt.run(print, "seen")
        assert attempt.lines == ["seen"]
        assert sys.stdout is None

    def test_bytes_are_captured_in_order_with_the_text(self) -> None:
        def task() -> None:
            sys.stdout.write("text, ")
            sys.stdout.buffer.write("naïve ".encode())
            sys.stdout.buffer.writelines([bytearray(b"\xff"), memoryview(b"\n")])
            sys.stdout.flush()

        assert captured_lines(task) == ["text, naïve \\xff"]

    def test_scripts_that_wrap_the_buffer_are_captured_and_do_no_harm(self) -> None:
        def task() -> None:
            for stream in (sys.stdout.buffer, sys.stdout.detach()):  # type: ignore[union-attr] # typeshed
                with io.TextIOWrapper(stream, encoding="utf-8", write_through=True) as wrapper:
                    print("wrapped", file=wrapper)
            print("and on")

        assert captured_lines(task) == ["wrapped", "wrapped", "and on"]

    def test_redirect_stdout_in_a_task_gets_the_text(self) -> None:
        attempt = Attempt()

        def task() -> str:
            print("before")
            with contextlib.redirect_stdout(io.StringIO()) as text:
                print("redirected")
            print("after")
            return text.getvalue()

        with capturing():
            assert attempt.run(task) == "redirected\n"
        assert attempt.lines == ["before", "after"]

    def test_a_child_process_writes_to_the_real_descriptor(self, capfd: pytest.CaptureFixture[str]) -> None:
        command = [sys.executable, "-c", "print('from the child')"]
        assert captured_lines(lambda: subprocess.run(command, stdout=sys.stdout, check=True)) == []
        assert capfd.readouterr().out == "from the child\n"

    def test_in_a_plain_program_nothing_of_a_task_reaches_the_terminal(self) -> None:
        """Without pytest, which records warnings and has root handlers of its own."""
        command = [sys.executable, "-c", PROGRAM]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        program = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert program.stdout == "of the process\n"
        lines = program.stderr.splitlines()
        assert lines[:2] == ["INFO:root:of the process", "captured:"]
        assert [line.rpartition("stderr  ")[2] for line in lines[2:]] == [
            "stdout  printed",
            "task.py:10: UserWarning: mind the gap",
            "log INFO logged",
            "log DEBUG ctx.log",
        ]


class TestContexts:
    def test_tasks_on_one_loop_do_not_mix_and_their_children_are_theirs(self) -> None:
        attempts = [Attempt(f"task {number}") for number in range(5)]

        async def child(name: str) -> None:
            await asyncio.sleep(0)
            print(f"{name} child")
            await asyncio.to_thread(print, f"{name} thread")

        async def body(name: str) -> None:
            sys.stdout.write(f"{name} ")
            await asyncio.sleep(0)
            print("body")
            await asyncio.create_task(child(name))

        async def main() -> None:
            await asyncio.gather(
                *(asyncio.create_task(body(a.sink.task), context=a.context) for a in attempts),
            )

        with capturing():
            asyncio.run(main())
        for attempt in attempts:
            name = attempt.sink.task
            assert attempt.lines == [f"{name} body", f"{name} child", f"{name} thread"]

    def test_threads_do_not_mix(self) -> None:
        attempts = [Attempt(f"task {number}") for number in range(8)]
        barrier = threading.Barrier(8)

        def body(name: str) -> None:
            barrier.wait()
            for number in range(100):
                print(name, number)

        with capturing():
            threads = [threading.Thread(target=a.run, args=(body, a.sink.task)) for a in attempts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for attempt in attempts:
            assert attempt.lines == [f"{attempt.sink.task} {number}" for number in range(100)]

    def test_a_thread_left_behind_is_still_captured_after_the_end(self) -> None:
        attempt = Attempt()
        ended = threading.Event()

        def stray() -> None:
            ended.wait()
            print("late")

        with capturing():
            thread = threading.Thread(target=attempt.run, args=(stray,))
            thread.start()
            attempt.sink.close()
            ended.set()
            thread.join()
        assert attempt.lines == ["late"]


class TestInstallation:
    def test_the_last_of_several_runs_restores_the_streams(self) -> None:
        original = sys.stdout
        install(tee=False)
        stand_in = sys.stdout
        install(tee=False)
        assert sys.stdout is stand_in
        uninstall()
        assert sys.stdout is stand_in
        uninstall()
        assert sys.stdout is original
        uninstall()
        assert sys.stdout is original

    def test_runs_may_begin_and_end_in_many_threads_at_once(self) -> None:
        original = sys.stdout
        barrier = threading.Barrier(8)

        def run() -> None:
            barrier.wait()
            for _ in range(50):
                with capturing():
                    assert is_installed()

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sys.stdout is original

    def test_who_replaced_stdout_meanwhile_is_left_alone_and_may_put_our_stand_in_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original, theirs = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", original)
        install(tee=False)
        stand_in = sys.stdout
        sys.stdout = theirs
        uninstall()
        assert sys.stdout is theirs
        sys.stdout = stand_in
        print("passed through")
        assert original.getvalue() == "passed through\n"
        attempt = Attempt()
        with capturing():
            assert sys.stdout is stand_in
            attempt.run(print, "captured")
        assert attempt.lines == ["captured"]
        assert sys.stdout is original

    def test_a_stream_that_leads_back_to_an_older_stand_in_does_not_double_lines(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = io.StringIO()
        monkeypatch.setattr(sys, "stdout", original)
        install(tee=False)
        stand_in = sys.stdout

        class Wrapper(io.StringIO):
            def write(self, text: str) -> int:
                return stand_in.write(text)

        monkeypatch.setattr(sys, "stdout", Wrapper())
        uninstall()
        attempt = Attempt()
        with capturing(tee=True):
            attempt.run(print, "once")
        assert attempt.lines == ["once"]
        assert original.getvalue() == "once\n"

    def test_tee_ends_with_the_last_run(self, capsys: pytest.CaptureFixture[str]) -> None:
        with capturing(), capturing(tee=True):
            Attempt().run(print, "shown")
        with capturing():
            Attempt().run(print, "not shown")
        assert capsys.readouterr().out == "shown\n"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of the user's that does not reach pytest's handlers."""
    logger = logging.Logger("crawler", logging.INFO)  # noqa: LOG001 - must not reach the handlers of pytest
    yield logger
    logger.handlers.clear()


def handler_to(stream: TextIO | None) -> logging.StreamHandler[Any]:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("user's own: %(message)s"))
    return handler


class TestLogging:
    def test_records_carry_their_level_and_the_logger_s_name(self, logger: logging.Logger) -> None:
        attempt = Attempt()
        with capturing():
            attempt.run(logger.warning, "slow: %d s", 3)
            attempt.run(logger.debug, "the user's level does not let this through")
            attempt.run(logging.root.error, "from the root")
        assert [(c.stream, c.level, c.line) for c in attempt.captured] == [
            ("log", "WARNING", "crawler: slow: 3 s"),
            ("log", "ERROR", "from the root"),
        ]

    def test_a_handler_made_before_does_not_double_the_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As `logging.basicConfig()` does at import: the handler holds the old sys.stderr, not ours."""
        terminal = io.StringIO()
        monkeypatch.setattr(sys, "stderr", terminal)
        logger = logging.getLogger("test_capture.before")
        handler = handler_to(terminal)
        logger.addHandler(handler)
        attempt = Attempt()
        try:
            with capturing():
                attempt.run(logger.error, "of the task")
                logger.error("of the process")
            assert handler.stream is terminal
            logger.error("afterwards")
        finally:
            logger.removeHandler(handler)
        assert attempt.lines == ["test_capture.before: of the task"]
        assert terminal.getvalue() == "user's own: of the process\nuser's own: afterwards\n"

    def test_a_handler_made_in_the_task_does_not_double_the_line(
        self, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def task() -> None:
            logger.addHandler(handler_to(None))
            logger.info("once")

        assert captured_lines(task) == ["crawler: once"]
        assert capsys.readouterr() == ("", "")

    def test_with_tee_the_terminal_looks_as_ever(
        self, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        attempt = Attempt()

        def task() -> None:
            logger.addHandler(handler_to(None))
            logger.info("once")

        with capturing(tee=True):
            attempt.run(task)
        assert attempt.lines == ["crawler: once"]
        assert capsys.readouterr().err == "user's own: once\n"

    def test_a_user_s_file_still_gets_every_record(self, logger: logging.Logger) -> None:
        file = io.StringIO()
        logger.addHandler(handler_to(file))
        assert captured_lines(lambda: logger.info("kept twice")) == ["crawler: kept twice"]
        assert file.getvalue() == "user's own: kept twice\n"

    def test_basic_config_in_a_task_works_as_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A root handler of ours would make it do nothing, and the task's INFO lines would be lost."""
        monkeypatch.setattr(logging.root, "handlers", [])
        monkeypatch.setattr(logging.root, "level", logging.WARNING)

        def task() -> None:
            logging.basicConfig(level=logging.INFO)
            logging.info("configured")  # noqa: LOG015

        logging.root.manager._clear_cache()  # type: ignore[attr-defined]
        assert captured_lines(task) == ["configured"]
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]

    def test_a_warning_outside_of_tasks_still_reaches_stderr(self, capsys: pytest.CaptureFixture[str]) -> None:
        lonely = logging.Logger("lonely")  # noqa: LOG001 - must not reach the handlers of pytest
        with capturing():
            lonely.warning("nobody configured logging")
        assert capsys.readouterr().err == "nobody configured logging\n"

    def test_who_wrapped_the_logging_after_us_keeps_working(self, monkeypatch: pytest.MonkeyPatch) -> None:
        heard: list[str] = []
        install(tee=False)
        ours = logging.Logger.callHandlers

        def theirs(logger: logging.Logger, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())
            ours(logger, record)

        with monkeypatch.context() as patch:
            patch.setattr(logging.Logger, "callHandlers", theirs)
            uninstall()
            attempt = Attempt()
            with capturing():
                attempt.run(logging.Logger("x").error, "once")  # noqa: LOG001 - must not reach the handlers of pytest
            assert attempt.lines == ["x: once"]
            assert heard == ["once"]
            assert logging.Logger.callHandlers is theirs
        logging.Logger.callHandlers = CALL_HANDLERS  # type: ignore[method-assign]

    def test_the_task_s_own_logger_is_captured_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        attempt = Attempt()

        def task() -> None:
            root = logging.getLogger("dagtop.task")
            handler = handler_to(None)
            root.addHandler(handler)
            task_logger(attempt.sink, "t").error("ctx.log")
            root.removeHandler(handler)

        with capturing():
            attempt.run(task)
        assert attempt.lines == ["ctx.log"]
        assert capsys.readouterr() == ("", "")


CALL_HANDLERS = logging.Logger.callHandlers
