"""The caller's `cancel_event`: when it is set, the run is cancelled. Of whichever library it is, and on whichever loop."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import anyio
import sniffio

from dagtop.errors import DagtopError
from dagtop.runtime.failures import said_of

#: How often the thread that waits for a `threading.Event` looks whether the run is over, in seconds. It hears the event at
#: once; only the end of the run is nothing that such a wait can be woken by.
LOOK = 0.02

#: How long the end of the run waits for the thread, in seconds: an event of the user's own kind may wait longer than it is told.
PATIENCE = 1.0


class Kind(StrEnum):
    """How an event is waited for."""

    THREAD = "thread"
    """By blocking a thread."""
    ASYNCIO = "asyncio"
    """On asyncio's loop."""
    TRIO = "trio"
    """On trio's loop."""
    ANY = "any"
    """On either loop."""


def kind_of(event: Any) -> Kind:
    """How this event is waited for."""
    if not inspect.iscoroutinefunction(event.wait):
        return Kind.THREAD
    module = type(event).__module__
    if module.startswith("trio") or module.endswith("_trio"):
        return Kind.TRIO
    if module.startswith("asyncio") or module.endswith("_asyncio"):
        return Kind.ASYNCIO
    return Kind.ANY


class CallersEvent:
    """Waits for one event during one run.

    Parameters
    ----------
    event: whatever has `is_set` and `wait`.
    cancel: called at most once, when it is set; from any thread.
    tell: takes what goes wrong while waiting.
    """

    def __init__(self, event: Any, cancel: Callable[[], None], tell: Callable[[str, str], None]) -> None:
        self._event = event
        self._cancel = cancel
        self._tell = tell
        self._over = False
        self._thread: threading.Thread | None = None
        self._elsewhere: Callable[[], None] | None = None
        self.kind = kind_of(event)

    def wait_here(self) -> None:
        """Wait on the caller's loop, if one runs and the event belongs to it; the run has another one.

        Outside of every task group: a handle is no block that could have one. `end` stops it, and so does the loop's end.
        """
        library = library_here()
        if self.kind is Kind.THREAD or library is None:
            return
        self._check(library)
        if library == "trio":
            self._elsewhere = _in_trio(self._wait)
        else:
            self._elsewhere = _in_asyncio(self._wait)

    async def work(self) -> None:
        """Wait on the run's own loop, or in a thread; unless it is waited for elsewhere.

        Raises
        ------
        DagtopError: it is the event of another library.
        """
        if self._elsewhere is not None:
            return
        if self.kind is Kind.THREAD:
            self._thread = threading.Thread(target=self._wait_in_thread, name="dagtop:cancel_event", daemon=True)
            self._thread.start()
        else:
            await self._wait()

    def check(self) -> None:
        """Look, on the run's loop, whether it can be waited for here, and whether it is set already.

        Raises
        ------
        DagtopError: it is the event of another library.
        """
        library = library_here()
        if self._elsewhere is None and library is not None:
            self._check(library)
        try:
            is_set = self._event.is_set()
        except BaseException as error:  # noqa: BLE001 - the user's own kind of event
            self._broken(error)
            return
        if is_set:
            self._cancel()

    async def end(self) -> None:
        """The run is over: nobody waits any more when this returns, but for a thread that does not come back."""
        self._over = True
        if self._elsewhere is not None:
            self._elsewhere()
        with anyio.move_on_after(PATIENCE, shield=True):
            while self._thread is not None and self._thread.is_alive():  # noqa: ASYNC110 - it ends by looking, too
                await anyio.sleep(0.001)

    async def _wait(self) -> None:
        try:
            await self._event.wait()
        except (anyio.get_cancelled_exc_class(), GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - of another loop, or the user's own kind of event
            self._broken(error)
        else:
            self._cancel()

    def _wait_in_thread(self) -> None:
        try:
            while not self._over:
                if self._event.wait(LOOK) or self._event.is_set():
                    self._cancel()
                    return
        except BaseException as error:  # noqa: BLE001 - the user's own kind of event
            self._broken(error)

    def _broken(self, error: BaseException) -> None:
        self._tell("cancel_event", f"it cannot be waited for any more: {said_of(error)}"[:500])

    def _check(self, library: str) -> None:
        if self.kind in (Kind.ASYNCIO, Kind.TRIO) and self.kind != library:
            raise DagtopError(
                f"cancel_event belongs to {self.kind}, and here runs {library}; a threading.Event works everywhere"
            )


def library_here() -> str | None:
    """The async library that runs in this thread, if one does."""
    try:
        return sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return None


def _in_asyncio(wait: Callable[[], Any]) -> Callable[[], None]:
    import asyncio  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    task = loop.create_task(wait(), name="dagtop:cancel_event")

    def stop() -> None:
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # closed meanwhile, and the task with it
                return

    return stop


def _in_trio(wait: Callable[[], Any]) -> Callable[[], None]:
    import trio  # noqa: PLC0415 - only there if the user runs on it

    token, scope = trio.lowlevel.current_trio_token(), trio.CancelScope()

    async def in_scope() -> None:
        with scope:
            await wait()

    trio.lowlevel.spawn_system_task(in_scope, name="dagtop:cancel_event")

    def stop() -> None:
        try:
            token.run_sync_soon(scope.cancel)
        except trio.RunFinishedError:
            return

    return stop
