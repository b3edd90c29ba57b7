"""The user's `on_event`: sync ones on a thread of their own, async ones on the loop, so that a slow one slows nothing."""

from __future__ import annotations

import inspect
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import anyio
import anyio.lowlevel

from dagtop.core.events import AnyEvent, Problem
from dagtop.runtime.failures import text_of

#: How long the end of a run waits for callbacks that have not caught up, in seconds.
PATIENCE = 10.0


class Tell(Protocol):
    """Takes a problem: (source, message)."""

    def __call__(self, source: str, message: str) -> None: ...


def is_async_callback(callback: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await."""
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(getattr(callback, "__call__", None))  # noqa: B004


class ThreadCallback:
    """Calls a plain function with every event, in order, on a thread of its own."""

    def __init__(self, callback: Callable[[AnyEvent], Any], tell: Tell) -> None:
        self._callback = callback
        self._tell = tell
        self._queue: queue.SimpleQueue[Sequence[AnyEvent] | None] = queue.SimpleQueue()
        # A callback that hangs must not keep the process: a daemon, and the one bare thread outside thread.py.
        self._thread = threading.Thread(target=self._work, name="dagtop:on_event", daemon=True)
        self._thread.start()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        self._queue.put(batch)

    async def finish(self) -> bool:
        """Wait until it has caught up; False if that took too long."""
        self._queue.put(None)
        with anyio.move_on_after(PATIENCE, shield=True):
            while self._thread.is_alive():  # noqa: ASYNC110 - a thread that may hang for good has no event to set
                await anyio.sleep(0.001)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (batch := self._queue.get()) is not None:
            for event in batch:
                try:
                    self._callback(event)
                except BaseException as error:  # noqa: BLE001 - the user's: it becomes an event (B16)
                    _complain(self._tell, event, error)


class AsyncCallback:
    """Awaits a coroutine function with every event, in order, in a task of its own on the engine's loop."""

    def __init__(self, callback: Callable[[AnyEvent], Awaitable[Any]], tell: Tell) -> None:
        self._callback = callback
        self._tell = tell
        self._send, self._receive = anyio.create_memory_object_stream[Sequence[AnyEvent]](float("inf"))
        self._done = anyio.Event()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        self._send.send_nowait(batch)

    async def work(self) -> None:
        """Call back until `finish`."""
        try:
            with self._receive:
                async for batch in self._receive:
                    for event in batch:
                        await self._call(event)
        finally:
            self._done.set()

    async def _call(self, event: AnyEvent) -> None:
        try:
            await self._callback(event)
        except anyio.get_cancelled_exc_class() as error:
            await anyio.lowlevel.checkpoint_if_cancelled()
            # Nobody has cancelled us: it is the callback's own, of something that it awaited.
            _complain(self._tell, event, error)
        except BaseException as error:  # noqa: BLE001 - the user's: it becomes an event (B16)
            _complain(self._tell, event, error)

    async def finish(self) -> bool:
        """Wait until it has caught up; False if that took too long."""
        self._send.close()
        with anyio.move_on_after(PATIENCE, shield=True):
            await self._done.wait()
        return self._done.is_set()


def _complain(tell: Tell, event: AnyEvent, error: BaseException) -> None:
    if not isinstance(event, Problem):  # or a callback that fails at problems would never come to an end
        tell("on_event", f"{type(error).__name__}: {text_of(error)}"[:500])
