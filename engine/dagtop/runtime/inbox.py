"""Messages into the engine from any thread. Putting one never waits for the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import anyio
import sniffio

T = TypeVar("T")


class Alarm:
    """Wakes the one who waits for it, on the loop's own thread; ringing it again before it was set again costs nothing."""

    __slots__ = ("_event", "rung")

    def __init__(self) -> None:
        self.rung = True
        """Whether it has rung since it was set. True before the first time: nobody waits yet."""
        self._event: anyio.Event | None = None

    def set_again(self) -> None:
        """From now on a ring is heard. On the loop."""
        self.rung, self._event = False, anyio.Event()

    def ring(self) -> None:
        """Wake whoever waits."""
        if not self.rung:
            self.rung = True
            if self._event is not None:
                self._event.set()

    async def wait(self) -> None:
        """Until it rings."""
        if self._event is not None:
            await self._event.wait()


class Doorbell:
    """Calls a function on the loop's thread soon, from any thread; further rings before it is answered cost nothing.

    Bound to the loop by `bind`; what rings before that or after the loop has gone is not heard, and need not be.
    """

    def __init__(self, answer: Callable[[], None]) -> None:
        self._answer = answer
        self._rung = False
        self._call_soon: Callable[[Callable[[], None]], object] | None = None

    def bind(self) -> None:
        """Take the running loop."""
        if sniffio.current_async_library() == "trio":
            import trio  # noqa: PLC0415 - only there if the user runs on it

            self._call_soon = trio.lowlevel.current_trio_token().run_sync_soon
        else:
            import asyncio  # noqa: PLC0415 - the one thread-safe way to wake a loop without waiting for it

            self._call_soon = asyncio.get_running_loop().call_soon_threadsafe
        if self._rung:
            self._rung = False
            self.ring()

    def ring(self) -> None:
        """Have the function called soon. Returns at once; safe in any thread."""
        if self._rung:
            return
        self._rung = True
        call_soon = self._call_soon
        if call_soon is not None:
            try:
                call_soon(self._heard)
            except RuntimeError:
                # The loop has closed (trio.RunFinishedError is a RuntimeError too): nobody is left to hear it.
                return

    def _heard(self) -> None:
        self._rung = False
        self._answer()


class Inbox(Generic[T]):
    """A queue whose one reader is woken by a `Doorbell`."""

    def __init__(self, doorbell: Doorbell) -> None:
        self._items: deque[T] = deque()
        self._doorbell = doorbell

    def put(self, item: T) -> None:
        """Add an item; returns at once; safe in any thread."""
        self._items.append(item)
        self._doorbell.ring()

    def put_all(self, items: Sequence[T]) -> None:
        """Add items that the reader finds all at once; returns at once; safe in any thread."""
        self._items.extend(items)
        self._doorbell.ring()

    def take(self) -> T | None:
        """The oldest item, or None."""
        try:
            return self._items.popleft()
        except IndexError:
            return None
