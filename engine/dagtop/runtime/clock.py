"""The engine's clock: the event loop's own, so that a virtual clock moves the engine too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sniffio


def loop_clock() -> Callable[[], float]:
    """The function behind `anyio.current_time()` of the running loop, without the look-up that each call of that makes."""
    if sniffio.current_async_library() == "trio":
        import trio  # noqa: PLC0415 - only there if the user runs on it

        return trio.current_time
    import asyncio  # noqa: PLC0415

    return asyncio.get_running_loop().time


def running_loop() -> Any:
    """The asyncio loop that runs here, or the root task of trio's: where all tasks of it are found from other threads."""
    if sniffio.current_async_library() == "trio":
        import trio  # noqa: PLC0415 - as above

        return trio.lowlevel.current_root_task()
    import asyncio  # noqa: PLC0415

    return asyncio.get_running_loop()
