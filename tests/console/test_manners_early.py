"""On a real terminal: signals that come while the first screen is made, or while another program has the terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from console_terminal import on_terminal

COMES = """
    import os
    from pathlib import Path
    from dagtop import Graph
    from dagtop_app.screens.main import MainScreen

    graph = Graph("never")

    @graph.task
    def never():
        Path("ran").touch()

    compose = MainScreen.compose

    def told_to_end(self):
        os.kill(os.getpid(), %d)
        yield from compose(self)

    MainScreen.compose = told_to_end
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_before_the_first_screen_leaves_the_terminal_as_it_was(tmp_path: Path, number: int, code: int) -> None:
    """It killed the process, in the alternate screen and in raw mode."""
    with on_terminal(tmp_path, COMES % number, "--no-journal") as real:
        assert real.end() == code
        assert "?1049h" in real.raw
        real.check_that_all_is_restored()
        assert not (tmp_path / "ran").exists()


WAITS = """
    import anyio
    from dagtop import Graph

    graph = Graph("waits")

    @graph.task
    async def waits():
        await anyio.sleep(1000)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_while_a_shell_has_the_terminal_ends_both(tmp_path: Path, number: int, code: int) -> None:
    """SIGHUP ended the shell, and the console went on for ever."""
    with on_terminal(tmp_path, WAITS, "--no-journal") as real:
        real.until("RUNNING")
        real.press("\x1a")
        real.until("comes back to it")
        real.until("$ ")
        real.child.kill(number)
        assert real.end() == code
        real.check_that_all_is_restored()


NOISE = (
    b"\xff", b"\xf0\x9f", b"\x1b[97;5;9999999u", b"\x1b[97::;u", b"\x1b[55296u", b"\x1b[" + b"9" * 5000,
    b"\x1b[?2048;1$y\x1b[48;30;100;0;0t\x1b[<0;5;5M",  # a terminal that does not know how many pixels it has
)  # fmt: skip


@pytest.mark.parametrize("sent", NOISE)
def test_what_is_no_text_and_no_key_does_not_end_the_run(tmp_path: Path, sent: bytes) -> None:
    """A byte of another encoding, pasted or by a bad line, ended the console and cancelled the run."""
    with on_terminal(tmp_path, WAITS, "--no-journal") as real:
        real.until("RUNNING")
        os.write(real.child.child_fd, sent)
        for _ in range(5):
            real.look()
        real.press("\x1b")
        for _ in range(5):
            real.look()
        real.press_until("4", "Log of all tasks")
