"""Plain functions in worker threads: they never block the engine, and are let go of only when nobody waits any more."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import Context
from typing import Any

import anyio
import anyio.to_thread
import sniffio


class ThreadBackend:
    """Runs plain functions in the loop's own pool of worker threads, without a limit: `max_parallel` is the limit.

    Belongs to the loop that it is made on.
    """

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(math.inf)

    async def run(self, context: Context, fn: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        """(what it returned, what it raised). Cancelling this lets go of the thread; the function goes on unheard."""

        # In the thread no loop runs: the function may start one of its own.
        context.run(sniffio.current_async_library_cvar.set, None)

        def guarded() -> tuple[Any, BaseException | None]:
            try:
                return context.run(fn), None
            except BaseException as error:  # noqa: BLE001 - the user's: it becomes an outcome
                return None, error

        return await anyio.to_thread.run_sync(guarded, abandon_on_cancel=True, limiter=self._limiter)
