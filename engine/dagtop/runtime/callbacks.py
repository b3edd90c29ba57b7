"""The user's `on_event`: sync ones on a thread of their own, async ones on the loop, so that a slow one slows nothing."""

from __future__ import annotations

import inspect
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import anyio
import anyio.lowlevel

from dagtop.core.events import AnyEvent, Log, Problem
from dagtop.runtime.failures import text_of

#: How long the end of a run waits for callbacks that have not caught up, in seconds.
PATIENCE = 10.0

#: How many events a callback may be behind before it gets no more lines of output.
BACKLOG = 100_000


class Tell(Protocol):
    """Takes a problem: (source, message)."""

    def __call__(self, source: str, message: str) -> None: ...


def is_async_callback(callback: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await."""
    return inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(getattr(callback, "__call__", None))  # noqa: B004


class _Backlog:
    """How far a callback is behind. Past `BACKLOG` events it gets no lines of output: only they can be without bound."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._given = 0
        self._told = False
        self.handled = 0
        """Counted up by whoever calls back."""

    def admit(self, batch: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        """What of the batch the callback gets."""
        if self._given - self.handled > BACKLOG:
            if not self._told:
                self._told = True
                self._tell(
                    "on_event", f"it is {BACKLOG:,} events behind; it gets no lines of output until it has caught up"
                )
            batch = [event for event in batch if type(event) is not Log]
        self._given += len(batch)
        return batch


class ThreadCallback:
    """Calls a plain function with every event, in order, on a thread of its own."""

    def __init__(self, callback: Callable[[AnyEvent], Any], tell: Tell) -> None:
        self._callback = callback
        self._tell = tell
        self._backlog = _Backlog(tell)
        self._queue: queue.SimpleQueue[Sequence[AnyEvent] | None] = queue.SimpleQueue()
        # A callback that hangs must not keep the process: a daemon, and the one bare thread outside thread.py.
        self._thread = threading.Thread(target=self._work, name="dagtop:on_event", daemon=True)
        self._thread.start()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        self._queue.put(self._backlog.admit(batch))

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
            self._backlog.handled += len(batch)


class AsyncCallback:
    """Awaits a coroutine function with every event, in order, in a task of its own on the engine's loop."""

    def __init__(self, callback: Callable[[AnyEvent], Awaitable[Any]], tell: Tell) -> None:
        self._callback = callback
        self._tell = tell
        self._backlog = _Backlog(tell)
        self._send, self._receive = anyio.create_memory_object_stream[Sequence[AnyEvent]](float("inf"))
        self._done = anyio.Event()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        self._send.send_nowait(self._backlog.admit(batch))

    async def work(self) -> None:
        """Call back until `finish`."""
        try:
            with self._receive:
                async for batch in self._receive:
                    for event in batch:
                        await self._call(event)
                    self._backlog.handled += len(batch)
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
