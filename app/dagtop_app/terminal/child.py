"""Another program on our terminal for a while, a pager or a shell: it gets the keyboard and Ctrl+c, and the graph goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence

#: Seconds between two looks at whether it has ended.
_LOOK = 0.03
#: Seconds that it has to end when it is told to.
_GRACE = 1.0


def pager(environ: Mapping[str, str]) -> list[str]:
    """The command that shows a file."""
    with contextlib.suppress(ValueError):
        if wanted := shlex.split(environ.get("PAGER", "")):
            return wanted
    return ["less"] if shutil.which("less") else ["more"]


def shell(environ: Mapping[str, str]) -> list[str]:
    """The person's own shell."""
    return [environ.get("SHELL") or "/bin/sh"]


async def run_on_terminal(command: Sequence[str], environ: Mapping[str, str], *, note: str = "") -> int:
    """Run a command on the terminal; returns its exit code. Cancelled: it is told to end.

    It is a process group of its own, the terminal's foreground one: what the terminal sends for Ctrl+c goes to it, and neither
    to us nor to the processes of our tasks.

    Raises
    ------
    OSError: there is no terminal, or no such command.
    """
    terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    try:
        if note:
            os.write(terminal, note.encode())
        process = subprocess.Popen(  # noqa: ASYNC220 - it is not waited for: that is done a look at a time
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=dict(environ), process_group=0
        )
        with _in_front(terminal, process.pid):
            try:
                while (code := _ended(process)) is None:  # noqa: ASYNC110 - no event tells of a child that is stopped
                    await asyncio.sleep(_LOOK)
            finally:
                _end(process)
        return code
    finally:
        os.close(terminal)


@contextlib.contextmanager
def _in_front(terminal: int, group: int) -> Generator[None, None, None]:
    """Meanwhile the terminal is that group's."""
    before = os.tcgetpgrp(terminal)
    _put_in_front(terminal, group)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGCONT)  # it may have asked for the terminal before it was its own
    try:
        yield
    finally:
        _put_in_front(terminal, before)


def _put_in_front(terminal: int, group: int) -> None:
    # Who is not in front may not ask for it, unless this signal is blocked.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with contextlib.suppress(OSError):  # it has ended already, or the terminal is gone
            os.tcsetpgrp(terminal, group)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    """Its exit code once it has ended. Stopped (Ctrl+z in a pager) it is sent on: there is no shell to bring it back."""
    if process.returncode is None:
        try:
            pid, status = os.waitpid(process.pid, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:  # somebody else has waited for it
            process.returncode = 0
            return 0
        if pid and os.WIFSTOPPED(status):
            os.killpg(process.pid, signal.SIGCONT)
        elif pid:
            process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have it end, if it has not."""
    deadline = time.monotonic() + _GRACE
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
        if _ended(process) is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
    while _ended(process) is None:
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return
        time.sleep(_LOOK)
