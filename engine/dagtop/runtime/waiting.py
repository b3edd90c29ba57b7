"""Waiting, on any thread and on any loop, for something that the engine's thread does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio
import anyio.lowlevel

from dagtop.runtime.inbox import Doorbell


class Bell:
    """Wakes all who wait when something has changed. Ringing it costs next to nothing while nobody waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sleepers = 0
        self._doorbells: dict[object, Doorbell] = {}

    def ring(self) -> None:
        """Something has changed. From any thread, after the change."""
        if self._sleepers:
            with self._changed:
                self._changed.notify_all()
        if self._doorbells:
            for doorbell in list(self._doorbells.values()):
                doorbell.ring()

    def wait(self, ready: Callable[[], bool], timeout: float | None = None) -> bool:
        """Block this thread until `ready()`, at most `timeout` seconds; whether it is."""
        with self._changed:
            self._sleepers += 1
            try:
                return self._changed.wait_for(ready, timeout)
            finally:
                self._sleepers -= 1

    async def hear(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready()` without keeping the loop."""
        if ready():
            await anyio.lowlevel.checkpoint()
            return
        event = anyio.Event()
        doorbell = Doorbell(lambda: event.set())  # noqa: PLW0108 - the event is another one after each ring
        doorbell.bind()
        key = object()
        self._doorbells[key] = doorbell
        try:
            while not ready():
                await event.wait()
                event = anyio.Event()
        finally:
            del self._doorbells[key]
