"""A worker process: takes one call after the other from its socket, runs each in the main thread, and ends with its parent.

It belongs to a session of its own, so nothing typed on a terminal reaches it, and its stdin is empty. What C code or
children write to its stdout and stderr goes through pipes to the near side; what Python prints is caught before that.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import pickle
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from dagtop.backends.frames import BEGUN, CALL, ENTRY, FUNCTION, ITEM, REPLY, Frames
from dagtop.ports.backend import STOPPED, Entry, Item, Reply, Stopped


class SocketChannel:
    """Sends each item at once: what a task said before it crashed is worth the most."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._process = os.getpid()
        self._told: Callable[[], None] | None = None
        self.stopped = False
        """Whether it was told to end."""
        self.in_task = False
        """Whether the main thread is in the task's code, which may be interrupted."""
        self._in_send = False
        self._interrupt_later = False

    def send(self, item: Item) -> None:
        """Say something. A child that was forked has nothing to say. In the main thread it is not interrupted half way."""
        if os.getpid() != self._process:
            return
        main = threading.current_thread() is threading.main_thread()
        if main:
            self._in_send = True
        try:
            with suppress(OSError):
                self._frames.send(ITEM, pickle.dumps(item))
        finally:
            if main:
                self._in_send = False
        if main and self._interrupt_later:
            self._interrupt_later = False
            raise Stopped(128 + signal.SIGTERM)

    def on_stop(self, told: Callable[[], None]) -> None:
        self._told = told
        if self.stopped:
            told()

    def stop(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM: interrupt the task, once."""
        if os.getpid() != self._process:
            os._exit(128 + number)
        if self.stopped:
            return
        self.stopped = True
        if self._told is not None:
            self._told()
        if self.in_task and self._in_send:
            self._interrupt_later = True
        elif self.in_task:
            raise Stopped(128 + number)


class _Reader:
    """Reads the socket beside the main thread, so that the end of the parent is noticed while a task runs."""

    def __init__(self, frames: Frames, channel: SocketChannel, grace: float) -> None:
        self._frames = frames
        self._channel = channel
        self._grace = grace
        self.inbox: queue.SimpleQueue[tuple[bytes, bytearray] | None] = queue.SimpleQueue()

    def run(self) -> None:
        while (message := self._frames.receive()) is not None:
            self.inbox.put(message)
        self.inbox.put(None)
        if not self._channel.in_task:  # it was sent home
            time.sleep(self._grace)
            _end_all()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(self._grace)
        _end_all()


def _end_all() -> NoReturn:
    """End this process and what it has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def main(fd: int, grace: float) -> None:
    """Work until the socket is closed."""
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)
    faulthandler.enable()  # a crash says where
    frames = Frames(sock)
    channel = SocketChannel(frames)
    signal.signal(signal.SIGTERM, channel.stop)
    reader = _Reader(frames, channel, grace)
    threading.Thread(target=reader.run, name="dagtop:reader", daemon=True).start()
    _serve(reader, frames, channel)
    if channel.stopped:
        _end_all()


def _serve(reader: _Reader, frames: Frames, channel: SocketChannel) -> None:
    entry: Entry | None = None
    functions: dict[bytes, Any] = {}
    while not channel.stopped and (message := reader.inbox.get()) is not None:
        kind, body = message
        if kind == ENTRY:
            entry, sys.argv = pickle.loads(body)
        elif kind == FUNCTION:
            functions[bytes(body[:8])] = _function(memoryview(body)[8:])
        elif kind == CALL:
            assert entry is not None, "the entry comes first"
            try:
                frames.send(BEGUN)
                word, data = _attempt(entry, functions[bytes(body[:8])], body, channel)
                _flush()
                frames.send(REPLY, word.encode() + b"\n", data)
            except ConnectionError:  # the engine is gone
                _end_all()
            except OSError:  # the task has closed the socket: the engine is there, and would wait for ever
                os._exit(os.EX_IOERR)


def _attempt(entry: Entry, function: Any, body: bytearray, channel: SocketChannel) -> Reply:
    try:
        channel.in_task = True
        if channel.stopped:
            return STOPPED, b""
        return entry(function, memoryview(body)[8:], channel)  # type: ignore[arg-type]  # pickle reads any buffer
    except Stopped:  # in what the entry does around the task's code
        return STOPPED, b""
    finally:
        channel.in_task = False


def _function(data: memoryview) -> Any:
    """The function, or what kept it from being read: that is told when it is called."""
    try:
        return pickle.loads(data)
    except Exception as error:  # noqa: BLE001 - reading it imports modules of the user's
        return error


def _flush() -> None:
    """Let out what Python and C hold back, so that it belongs to this attempt."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)
