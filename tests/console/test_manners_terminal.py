"""On a real terminal: nothing prints over the screen, other programs get it and give it back, and it is as it was at the end."""

from __future__ import annotations

import os
import signal
import termios
import time
from pathlib import Path

import pytest
from console_terminal import PATIENCE, on_terminal

WAITS = """
    import anyio
    from pathlib import Path
    from dagtop import Graph

    graph = Graph("waits")

    @graph.task
    async def waits():
        try:
            for n in range(100_000):
                Path("ticks").write_text(str(n))
                await anyio.sleep(0.01)
                if Path("enough").exists():
                    break
        finally:
            Path("cleaned").touch()
        Path("done").touch()
"""

PRINTS = """
    import ctypes, faulthandler, logging, os, subprocess, sys, warnings
    import anyio
    from dagtop import Graph

    early = logging.StreamHandler()
    logging.getLogger("early").addHandler(early)
    graph = Graph("prints")
    printed, errors = sys.__stdout__, sys.__stderr__

    @graph.task
    def prints():
        os.write(1, b"BY-FD-1\\n")
        os.write(2, b"BY-FD-2\\n")
        os.system("echo BY-SYSTEM; echo BY-SYSTEM-ERR >&2")
        subprocess.run(["sh", "-c", "echo BY-CHILD; printf '\\\\033[2J\\\\033[HBY-CLEAR\\\\n' >&2"])
        libc = ctypes.CDLL(None)
        libc.puts(b"BY-C")
        libc.fflush(None)
        faulthandler.dump_traceback(all_threads=False)
        warnings.warn("BY-WARNING")
        logging.getLogger("early").warning("BY-HANDLER")
        for name, stream in (("NOW", sys.__stderr__), ("NOW-OUT", sys.__stdout__), ("EARLY", errors), ("EARLY-OUT", printed)):
            stream.write(f"BY-STREAM-{name}\\n")
            stream.flush()
        print("BY-PRINT")
        print("\\x1b[2J\\x1b]0;BY-TITLE\\x07")

    @graph.task(depends_on=["prints"])
    async def waits():
        await anyio.sleep(1000)
"""

WAYS = (
    "FD-1", "FD-2", "SYSTEM", "SYSTEM-ERR", "CHILD", "CLEAR", "C", "WARNING", "HANDLER", "STREAM-NOW", "STREAM-NOW-OUT",
    "STREAM-EARLY", "STREAM-EARLY-OUT", "PRINT",
)  # fmt: skip


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was never made"
        time.sleep(0.01)


def test_nothing_prints_over_the_screen_and_all_of_it_is_in_the_logs(tmp_path: Path) -> None:
    with on_terminal(tmp_path, PRINTS, "--no-journal", size=(110, 20)) as real:
        real.until("1/2")
        real.until("waits")
        for _ in range(10):
            real.look()
        assert "BY-" not in real.raw
        real.resize(110, 45)
        real.press("4")
        real.until("BY-TITLE")
        for way in WAYS:
            assert f"BY-{way}" in real.text, way
        assert "␛[2J␛[HBY-CLEAR" in real.text
        assert "\x1b]0;BY-TITLE" not in real.raw
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        real.check_that_all_is_restored()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_leaves_the_terminal_as_it_was_and_tasks_clean_up(tmp_path: Path, number: int, code: int) -> None:
    with on_terminal(tmp_path, WAITS, "--no-journal") as real:
        real.until("RUNNING")
        wait_for(tmp_path / "ticks")
        real.child.kill(number)
        assert real.end() == code
        real.check_that_all_is_restored()
        assert (tmp_path / "cleaned").exists()


def test_after_a_kill_that_nobody_survives_the_terminal_is_put_right(tmp_path: Path) -> None:
    with on_terminal(tmp_path, WAITS, "--no-journal") as real:
        real.until("RUNNING")
        wait_for(tmp_path / "ticks")
        real.child.kill(signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while "\x1b[?1049l" not in real.raw or real.raw.rfind("\x1b[?25h") < real.raw.rfind("\x1b[?25l"):
            real.look()
            assert time.monotonic() < deadline
        modes = termios.tcgetattr(real.child.child_fd)
        assert modes[3] & termios.ECHO
        assert modes[3] & termios.ICANON
        assert modes[3] & termios.ISIG


def test_a_console_that_breaks_down_leaves_the_terminal_as_it_was_and_cancels_the_run(tmp_path: Path) -> None:
    breaks = """
    import dagtop_app.screens.main as main
    polls = []
    poll = main.MainScreen.poll
    def broken(self):
        polls.append(1)
        if len(polls) > 10 and Path("ticks").exists():
            raise RuntimeError("a bug in the console")
        poll(self)
    main.MainScreen.poll = broken
    """
    with on_terminal(tmp_path, WAITS + breaks, "--no-journal") as real:
        assert real.end() == 1
        real.check_that_all_is_restored()
        assert "a bug in the console" in real.raw
        assert (tmp_path / "cleaned").exists()


def test_an_engine_that_breaks_down_is_told_and_the_terminal_is_as_it_was(tmp_path: Path) -> None:
    breaks = """
    from dagtop.runtime import engine
    def broken(self, *args, **options):
        raise RuntimeError("a bug in the engine")
    engine.Engine.send = broken
    from dagtop.core import machine
    machine.RunMachine.handle = broken
    """
    with on_terminal(tmp_path, WAITS + breaks, "--no-journal") as real:
        real.until("the engine broke down")
        real.press("q")
        assert real.end() == 1
        real.check_that_all_is_restored()


def test_a_child_that_is_killed_leaves_the_console_alone(tmp_path: Path) -> None:
    graph = """
    import os, signal, subprocess, sys
    import anyio
    from dagtop import Graph

    graph = Graph("kills")

    @graph.task
    def kills():
        subprocess.run([sys.executable, "-c", "import os; print('BEFORE', flush=True); os.kill(os.getpid(), 9)"])

    @graph.task(depends_on=["kills"])
    async def waits():
        await anyio.sleep(1000)
    """
    with on_terminal(tmp_path, graph, "--no-journal") as real:
        real.until("1/2")
        assert "BEFORE" not in real.raw
        real.press("4")
        real.until("BEFORE")
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        real.check_that_all_is_restored()


@pytest.mark.parametrize("how", ["cancel", "drain", "run-on"])
def test_a_terminal_that_goes_away(tmp_path: Path, how: str) -> None:
    with on_terminal(tmp_path, WAITS, "--no-journal", "--on-hangup", how) as real:
        real.until("RUNNING")
        wait_for(tmp_path / "ticks")
        # As a window that is closed: the system sends SIGHUP, and nothing can be written any more.
        real.child.ptyproc.fileobj.close()
        real.child.ptyproc.closed = real.child.closed = True
        if how != "cancel":
            ticks = (tmp_path / "ticks").read_text()
            while (tmp_path / "ticks").read_text() in {ticks, ""}:
                time.sleep(0.01)
            assert not (tmp_path / "cleaned").exists()
            (tmp_path / "enough").touch()
        wait_for(tmp_path / "cleaned")
        _, status = os.waitpid(real.child.pid, 0)
        real.child.ptyproc.terminated = True
        assert os.waitstatus_to_exitcode(status) == (129 if how == "cancel" else 0)
        assert (tmp_path / "done").exists() is (how != "cancel")


def test_a_terminal_that_goes_away_where_its_signal_is_ignored(tmp_path: Path) -> None:
    """Nothing told the console, as where it was started by nohup: it looked for keys all the time, and never ended."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        terminal = on_terminal(tmp_path, WAITS, "--no-journal")
        real = terminal.__enter__()
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        real.until("RUNNING")
        wait_for(tmp_path / "ticks")
        real.child.ptyproc.fileobj.close()
        real.child.ptyproc.closed = real.child.closed = True
        ticks = (tmp_path / "ticks").read_text()
        while (tmp_path / "ticks").read_text() in {ticks, ""}:
            time.sleep(0.01)
        (tmp_path / "enough").touch()
        _, status = os.waitpid(real.child.pid, 0)
        real.child.ptyproc.terminated = True
        assert os.waitstatus_to_exitcode(status) == 0
        assert (tmp_path / "done").exists()
    finally:
        terminal.__exit__(None, None, None)


def test_a_shell_while_the_run_goes_on_has_ctrl_c_for_itself(tmp_path: Path) -> None:
    with on_terminal(tmp_path, WAITS, "--no-journal") as real:
        real.until("RUNNING")
        real.press("\x1a")
        real.until("comes back to it")
        real.press("echo in-$DAGTOP_SHELL; sleep 1000\r")
        real.until("in-1")
        ticks = (tmp_path / "ticks").read_text()
        while (tmp_path / "ticks").read_text() in {ticks, ""}:
            time.sleep(0.01)
        real.press("\x03")
        real.press("echo out-$?\r")
        real.until("out-130")
        real.press("exit\r")
        real.until("Tasks 1")
        assert not (tmp_path / "cleaned").exists()
        real.press("\x1a")
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        real.check_that_all_is_restored()


def test_the_log_in_a_pager_while_the_run_goes_on(tmp_path: Path) -> None:
    graph = WAITS.replace("try:", 'print("first \\x1b[31mline")\n        try:', 1)
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\ncp "$1" paged; echo "PAGED $(cat "$1")"; read answer; echo "GONE"\n')
    pager.chmod(0o755)
    with on_terminal(tmp_path, graph, "--no-journal", PAGER=f"{pager} ") as real:
        real.until("RUNNING")
        real.press("4")
        real.until("first ␛[31mline")
        real.press("o")
        real.until("PAGED")
        assert "first ␛[31mline" in (tmp_path / "paged").read_text()
        real.press("\r")
        real.until("Log of all tasks")
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        real.check_that_all_is_restored()


def test_title_and_progress_are_told_and_taken_back(tmp_path: Path) -> None:
    with on_terminal(tmp_path, WAITS, "--no-journal", TERM_PROGRAM="ghostty") as real:
        real.until("RUNNING")
        while "\x1b]2;● waits 0%" not in real.raw:
            assert real.look()
        assert "\x1b[22;2t" in real.raw
        assert "\x1b]9;4;1;0\a" in real.raw
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        assert real.raw.rfind("\x1b]9;4;0;0\a") > real.raw.rfind("\x1b]9;4;1;")
        assert "\x1b[23;2t" in real.raw
