"""A shell that waits for our end, and puts the terminal right if we could not: `kill -9`, a crash in C code, no memory left.

It is nobody's child and in a session of its own: it gets none of our signals, and no task that waits for children meets it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading

#: Turns off what would be left on: keyboard protocol, mouse, focus, paste, sizes, the other screen, the hidden cursor.
_OFF = (
    r"\033[<u\033[?1000l\033[?1003l\033[?1015l\033[?1006l\033[?1004l\033[?2004l\033[?2048l\033[?1049l\033[?25h\033[0m\r"
)
#: A background command has its stdin taken away, hence the other numbers.
_SCRIPT = f"""exec 3<&0 4>&1
(
read -r word <&3
[ "$word" = bye ] && exit
stty sane <&4
printf '{_OFF}' >&4
) 2>/dev/null &"""

#: Seconds that its start may take.
_PATIENCE = 10.0

_ours: set[int] = set()


def keep_from_children(*descriptors: int) -> None:
    """Have processes that tasks fork know nothing of them: one that outlives us would hold the terminal, and hide our end."""
    if not _forks_are_heard:
        os.register_at_fork(after_in_child=_let_go)
        _forks_are_heard.append(True)
    _ours.update(descriptors)


def let_children_have(*descriptors: int) -> None:
    """Their numbers are free again."""
    _ours.difference_update(descriptors)


_forks_are_heard: list[bool] = []


def _let_go() -> None:
    """In a forked child these numbers are of nothing. Were they closed, they might be closed again as something else."""
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in tuple(_ours):
            os.dup2(nothing, number, inheritable=False)
        os.close(nothing)
    _ours.clear()


class TerminalGuard:
    """Watches over a terminal from `start` to `end`.

    Parameters
    ----------
    terminal: a descriptor of it.
    """

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._pipe: int | None = None
        self._started: threading.Thread | None = None

    def start(self) -> None:
        """Begin. Does not wait for it."""
        self._started = threading.Thread(target=self._start, name="guards the terminal", daemon=True)
        self._started.start()

    def _start(self) -> None:
        reads, writes = os.pipe()
        keep_from_children(reads, writes)
        try:
            subprocess.run(
                ["/bin/sh", "-c", _SCRIPT],
                stdin=reads,
                stdout=self._terminal,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                check=False,
            )
            self._pipe = writes
        except OSError:  # no shell, or no process more: it goes without
            let_children_have(writes)
            os.close(writes)
        finally:
            let_children_have(reads)
            os.close(reads)

    def end(self) -> None:
        """The terminal is as it was: there is nothing to do."""
        if self._started is not None:
            self._started.join(timeout=_PATIENCE)  # one that is not told would put right what a shell has set since
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                os.write(self._pipe, b"bye\n")
            let_children_have(self._pipe)
            os.close(self._pipe)
            self._pipe = None
