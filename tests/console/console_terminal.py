"""The real console in a real pseudo-terminal, and its screen as a person sees it."""

from __future__ import annotations

import os
import sys
import termios
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import dagtop
import dagtop_app
import dagtop_themes
import pexpect
import pyte

#: Nothing waits so long unless something is broken.
PATIENCE = 60.0

ROOTS = os.pathsep.join(str(Path(it.__file__ or "").parent.parent) for it in (dagtop, dagtop_app, dagtop_themes))


class Real:
    """A console on a terminal."""

    def __init__(self, child: pexpect.spawn[str], size: tuple[int, int]) -> None:
        self.child = child
        self.raw = ""
        """All that came from it."""
        self.screen = pyte.Screen(*size)
        self._stream = pyte.Stream(self.screen)
        self.modes: Any = modes_at_first()

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.screen.display)

    def look(self, seconds: float = 0.05) -> bool:
        """Take what came. False if it has ended."""
        try:
            data = self.child.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        # What pyte does not know: titles on a stack, colours of the keyboard's protocol.
        self._stream.feed(data)
        return True

    def until(self, text: str) -> None:
        """Wait until it is on the screen."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.text:
            alive = self.look()
            assert alive or text in self.text, f"{text!r} never came:\n{self.text}\n{self.raw[-3000:]!r}"
            assert time.monotonic() < deadline, f"{text!r} never came:\n{self.text}"

    def press(self, keys: str) -> None:
        """Send what a keyboard sends."""
        self.child.send(keys)

    def press_until(self, keys: str, text: str) -> None:
        """Press, and again until it is on the screen: right behind an Esc a key is one with Alt."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.text:
            self.press(keys)
            for _ in range(10):
                assert self.look(), self.raw[-3000:]
            assert time.monotonic() < deadline, f"{text!r} never came:\n{self.text}"

    def resize(self, wide: int, high: int) -> None:
        """As a person does with the window."""
        self.child.setwinsize(high, wide)
        self.screen.resize(high, wide)

    def end(self) -> int | None:
        """Wait for its end; returns the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.look():
            assert time.monotonic() < deadline, self.text
        self.child.wait()
        return self.child.exitstatus

    def check_that_all_is_restored(self) -> None:
        """The terminal is as it was, whatever has happened."""
        assert termios.tcgetattr(self.child.child_fd) == self.modes
        for mode in ("1049", "1000", "1003", "1006", "2004", "1004"):
            on, off = self.raw.rfind(f"\x1b[?{mode}h"), self.raw.rfind(f"\x1b[?{mode}l")
            assert on < off, f"mode {mode} is left on"
        assert self.raw.rfind("\x1b[?25l") < self.raw.rfind("\x1b[?25h"), "the cursor is left hidden"


def modes_at_first() -> Any:
    """Those of any new terminal: by the time that this one is looked at, the console may have changed them."""
    ours, theirs = os.openpty()
    try:
        return termios.tcgetattr(ours)
    finally:
        os.close(ours)
        os.close(theirs)


def end(child: pexpect.spawn[str]) -> None:
    """Have it end, if it is there still; pexpect gives what it has killed a tenth of a second, and raises then."""
    try:
        child.close(force=True)
    except pexpect.ExceptionPexpect:
        with suppress(ChildProcessError):
            os.waitpid(child.pid, 0)
        child.ptyproc.terminated = True


@contextmanager
def on_terminal(
    folder: Path, graph: str, *arguments: str, size: tuple[int, int] = (100, 30), **environ: str
) -> Generator[Real, None, None]:
    """`dagtop` on a graph file of this text."""
    (folder / "it.py").write_text(dedent(graph))
    known = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "DAGTOP_DB": str(folder / "runs.db"), "PYTHONPATH": ROOTS,
        "LANG": "C.UTF-8", "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none", "PS1": "$ ", "SHELL": "/bin/sh",
    }  # fmt: skip
    child = pexpect.spawn(
        sys.executable, ["-m", "dagtop_app", "it.py", *arguments], cwd=str(folder), env=known | environ,
        encoding="utf-8", codec_errors="replace", timeout=PATIENCE, dimensions=(size[1], size[0]),
    )  # fmt: skip
    try:
        yield Real(child, size)
    finally:
        end(child)
