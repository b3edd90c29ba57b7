"""Child processes that end with what started them, for the samples."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.abc
from anyio.streams.text import TextReceiveStream

#: Seconds that a child has for its own clean-up.
GRACE = 2.0

#: What each begins with: when its standard input is at its end, whoever started it is gone, however that came.
WATCH = """
import os, sys, threading
def watch():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
"""


@asynccontextmanager
async def child(program: str, *arguments: object) -> AsyncGenerator[anyio.abc.Process]:
    """A Python program in a process of its own. However one leaves, it is gone then; and also when this process is killed."""
    command = [sys.executable, "-I", "-c", WATCH + program, *map(str, arguments)]
    process = await anyio.open_process(command, stdin=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                process.terminate()
            with anyio.move_on_after(GRACE):
                await process.wait()
            if process.returncode is None:
                process.kill()
            await process.aclose()


async def said_by(process: anyio.abc.Process) -> AsyncGenerator[str]:
    """The lines that a process prints."""
    assert process.stdout is not None
    rest = ""
    async for text in TextReceiveStream(process.stdout):
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line
