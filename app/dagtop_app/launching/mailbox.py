"""What the main thread waits on: messages from threads, and signals, neither of which is ever slept through."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A queue whose reader also wakes up for signals.

    A queue of the standard library is not enough: a signal that arrives between the interpreter's last look for signals and
    the wait for the queue's lock is noticed only when something else is put. A byte in a pipe is not lost that way, and
    `signal.set_wakeup_fd` writes one for each signal.
    """

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._read, self.wake = os.pipe()
        """`wake` is the descriptor for `signal.set_wakeup_fd`."""
        self._closed = False
        # Held only over what never waits, and re-entrant, because a handler may put in the middle of a put.
        self._open = threading.RLock()
        os.set_blocking(self._read, False)
        os.set_blocking(self.wake, False)

    def put(self, item: T) -> None:
        """Add an item. Safe in any thread and in a signal handler; never waits. After `close` nothing is taken."""
        with self._open:
            if self._closed:
                return
            self._items.append(item)
            with contextlib.suppress(BlockingIOError):  # full: then there is something to wake up for already
                os.write(self.wake, b".")

    def get(self, deadline: float | None = None) -> T | None:
        """The oldest item; waits for it until `deadline` on the clock `time.monotonic`, and then gives None."""
        while not self._items:
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._read], [], [], timeout)
            if not ready:
                return None
            # A signal's handler runs after this, before the items are looked at again.
            os.read(self._read, 4096)
        return self._items.popleft()

    def close(self) -> None:
        """Let go of the pipe."""
        with self._open:
            if not self._closed:
                self._closed = True
                os.close(self._read)
                os.close(self.wake)
