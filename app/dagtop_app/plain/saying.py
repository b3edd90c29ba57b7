"""Lines for people on stderr, whatever has become of the terminal."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable

from dagtop.observe.redact import seen


def say(text: str) -> None:
    """A line for people, on stderr. Never waits longer than a second: the terminal may have stopped."""

    def write_line() -> None:
        # Nobody may be left to tell.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"dagtop: {seen(text)}\n")  # in one piece: other threads write there too
            sys.stderr.flush()

    at_most_a_second(write_line)


def at_most_a_second(work: Callable[[], None]) -> None:
    """Do something that writes to a terminal, which may have stopped: then it is left to its fate."""
    worker = threading.Thread(target=work, daemon=True)
    try:
        worker.start()
    except RuntimeError:  # the interpreter is about to end, or there are too many threads
        work()
    else:
        worker.join(timeout=1.0)
