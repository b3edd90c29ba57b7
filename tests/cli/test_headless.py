"""What the main thread does while a run goes on, against a hand-written engine."""

from __future__ import annotations

import signal
import threading

import pytest
from dagtop.core.commands import AbandonRun, CancelRun
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import RunState, TaskState
from dagtop_app.launching.mailbox import Mailbox
from dagtop_app.plain.headless import NOBODY_READS, Watch, exit_code


class FakeEngine:
    """Ends when it is sent one of the commands that end it, or by `end`."""

    def __init__(self, *, ends_on: tuple[type, ...] = ()) -> None:
        self._over = threading.Event()
        self._ends_on = ends_on
        self.sent: list[tuple[object, str]] = []
        self.result = self.error = None
        self.latest = RunSnapshot(rows=(TaskRow(index=0, name="stuck", state=TaskState.CANCELLING),))

    def start(self) -> None: ...

    def end(self) -> None:
        self._over.set()

    def send(self, command: object, *, by: str) -> int:
        self.sent.append((command, by))
        if isinstance(command, self._ends_on):
            self.end()
        return len(self.sent)

    def close(self) -> None: ...

    def join(self, timeout: float | None = None) -> bool:
        return self._over.wait(timeout)


class FakePrinter:
    """Has everything printed the moment it is told that nothing more comes."""

    def record(self, first: int, batch: object) -> None: ...

    def start(self, engine: object, printed, nobody_reads) -> None:
        self._printed = printed
        self.nobody_reads = nobody_reads
        self.on_start()

    def on_start(self) -> None: ...

    def finish(self) -> None:
        self._printed()

    def give_up(self) -> None: ...


def watch_of(engine: FakeEngine, printer: FakePrinter | None = None, **options: float) -> tuple[Watch, list[str]]:
    said: list[str] = []
    return Watch(engine, printer or FakePrinter(), say=said.append, **options), said


def test_a_signal_is_never_slept_through():
    """A signal that came just before the wait was noticed only with the next message, and so never: the run went on.

    That instant cannot be hit at will. What can be seen is that the wait ends by the signal's own byte, and that the handler
    has had its turn by then.
    """
    mailbox: Mailbox[int] = Mailbox()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: mailbox.put(number))
    woken_by = signal.set_wakeup_fd(mailbox.wake, warn_on_full_buffer=False)
    try:
        for _ in range(100):
            signal.raise_signal(signal.SIGUSR1)
            assert mailbox.get() == signal.SIGUSR1
        assert mailbox.get(deadline=0.0) is None
    finally:
        signal.set_wakeup_fd(woken_by)
        signal.signal(signal.SIGUSR1, before)
        mailbox.close()


def test_what_comes_after_the_end_is_not_taken():
    mailbox: Mailbox[int] = Mailbox()
    mailbox.close()
    mailbox.put(1)
    mailbox.close()


def test_it_waits_for_the_engine_and_for_the_printer():
    engine = FakeEngine()
    watch, said = watch_of(engine)
    engine.end()
    watch.wait()
    assert (watch.code, watch.stuck, said, engine.sent) == (None, (), [], [])


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl+C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_the_first_signal_cancels_the_run(number, code, name):
    engine = FakeEngine(ends_on=(CancelRun,))
    watch, said = watch_of(engine)
    watch.signal(number)
    watch.wait()
    assert watch.code == code
    assert engine.sent == [(CancelRun(reason=f"interrupted by {name}"), name)]
    assert said[0].startswith(f"{name}: stopping what runs")


def test_what_does_not_stop_in_time_is_abandoned_and_named():
    engine = FakeEngine(ends_on=(AbandonRun,))
    watch, said = watch_of(engine, grace=0.0)
    watch.signal(signal.SIGTERM)
    watch.wait()
    assert [type(command) for command, _ in engine.sent] == [CancelRun, AbandonRun]
    assert watch.stuck == ("stuck",)
    assert "left behind: stuck" in said[-1]


def test_a_run_that_nobody_reads_is_cancelled():
    class Unread(FakePrinter):
        def on_start(self) -> None:
            self.nobody_reads()

    engine = FakeEngine(ends_on=(CancelRun,))
    watch, said = watch_of(engine, Unread())
    watch.wait()
    assert (watch.code, said) == (NOBODY_READS, [])
    assert engine.sent == [(CancelRun(reason="nobody reads the output any more"), "stdout")]


def test_the_exit_code_is_that_of_the_run_or_of_what_stopped_it():
    assert exit_code(RunState.SUCCEEDED, None) == 0
    assert exit_code(RunState.SUCCEEDED, 130) == 0, "it was over before the signal could stop anything"
    assert exit_code(RunState.FAILED, None) == 1
    assert exit_code(RunState.FAILED, 143) == 143
    assert exit_code(RunState.TIMED_OUT, None) == 124
    assert exit_code(RunState.CANCELLED, None) == 130


def test_a_run_that_is_over_and_stayed_open_is_left_by_a_signal_without_a_word() -> None:
    engine = FakeEngine()
    engine.latest = RunSnapshot(state=RunState.SUCCEEDED)
    engine.close = engine.end  # type: ignore[method-assign]
    watch, said = watch_of(engine)
    watch.signal(signal.SIGINT)
    watch.wait()
    assert (engine.sent, said, watch.code) == ([], [], 130)
    assert exit_code(RunState.SUCCEEDED, watch.code) == 0


@pytest.mark.parametrize("left", ["sys.stdout = None", "sys.stderr = None", "sys.excepthook = None"])
def test_what_tasks_leave_of_the_interpreter_is_not_the_end_of_a_run_that_succeeded(run, write, left: str) -> None:
    """The last flush, and the thread that looks after those left behind, failed: a traceback, and exit code 1."""
    write("etl.py", f"import sys\nfrom dagtop import Graph\ngraph = Graph('g')\n@graph.task\ndef a():\n    {left}\n")
    done = run("run", "--plain", "etl.py")
    assert done.returncode == 0, done.stderr
    assert "1 succeeded" in done.stdout
    assert "Traceback" not in done.stderr
