"""Plain functions in worker threads: they never block the engine, and are let go of only when nobody waits any more."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import traceback
from collections.abc import Callable
from contextvars import Context
from typing import Any, NoReturn

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

        here = os.getpid()

        def guarded() -> tuple[Any, BaseException | None]:
            output: Any = None
            raised: BaseException | None = None
            try:
                output = context.run(fn)
            except BaseException as error:  # noqa: BLE001 - the user's: it becomes an outcome
                raised = error
            if os.getpid() != here:
                end_child(raised)
            return output, raised

        return await anyio.to_thread.run_sync(guarded, abandon_on_cancel=True, limiter=self._limiter)


def end_child(raised: BaseException | None) -> NoReturn:
    """A child that the function forked has come back out of it. It would wait for work for ever, and who waits for it too."""
    code = 0
    with contextlib.suppress(BaseException):
        if isinstance(raised, SystemExit):
            code = raised.code if isinstance(raised.code, int) else int(raised.code is not None)
        elif raised is not None:
            code = 1
            traceback.print_exception(raised)
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
