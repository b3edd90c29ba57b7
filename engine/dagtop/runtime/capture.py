"""Who printed what: while it is installed, `print`, `logging` and `warnings` of a task go to the sink of its attempt.

Rules that are not obvious:

- *Whose output.* `current` decides, so what a task starts with a copy of its context (asyncio tasks, `to_thread`) is
  captured; a bare `threading.Thread` starts with an empty context before Python 3.14, and prints as ever.
- *Streams.* Whatever `sys.stdout` was at the first `install` is what is passed through to. Who replaces it later
  (`redirect_stdout`, pytest, a console) gets what is written, ours included, and is not disturbed by `uninstall`.
- *Logging.* `Logger.callHandlers` is wrapped instead of giving the root logger a handler: with one, `basicConfig` in a
  task would silently do nothing, warnings outside of tasks would no longer reach stderr, and loggers that do not
  propagate would be missed. Levels are the user's: what his loggers do not let through is not captured (`ctx.log` is
  ours and lets everything through).
- *No double lines.* The user's handlers still get each record (a file, a collector), but what they print meanwhile is
  muted: the record is captured already. `logging.StreamHandler`s made before, as by `basicConfig` at import, hold the
  old stream object: `setStream` points them at the stand-in until `uninstall`. Out of reach are handlers in other
  threads (`QueueListener`) and streams that other libraries hold: these write to the terminal as ever.
- *Warnings* are printed to `sys.stderr` by Python, and are captured there.
- *tee.* Everything is shown as if nothing was captured, too. With several runs at once it is on when one wants it.
- *Forks* print to the terminal again: in the child nobody reads what is captured.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO, TypeAlias, cast

from dagtop.runtime.capture_sink import (
    OWN_LOGGER,
    AttemptSink,
    Captured,
    CaptureStatistics,
    Muted,
    Sink,
    current,
)
from dagtop.runtime.capture_stream import CapturedStream

__all__ = [
    "AttemptSink",
    "CaptureStatistics",
    "Captured",
    "Sink",
    "current",
    "install",
    "is_installed",
    "task_logger",
    "uninstall",
]

CallHandlers: TypeAlias = Callable[[logging.Logger, logging.LogRecord], None]

_NAMES = ("stdout", "stderr")
_MUTED = Muted()


def install(tee: bool) -> None:
    """Start to capture, or count one user more. With `tee`, what is captured is shown as well."""
    with _lock:
        _installation.users += 1
        if _installation.users == 1:
            _installation.begin()
        if tee:
            _installation.set_tee(True)


def uninstall() -> None:
    """One user less; after the last one everything is as it was. Does nothing if nothing is installed."""
    with _lock:
        if _installation.users == 0:
            return
        _installation.users -= 1
        if _installation.users == 0:
            _installation.end()


def is_installed() -> bool:
    """Whether somebody wants output captured."""
    return _installation.users > 0


def task_logger(sink: Sink, task: str = "") -> logging.Logger:
    """A logger for `ctx.log`: it lets every level through to `sink`, whether anything is installed or not.

    Its records then go to the handlers of the logger "dagtop.task" and of those above it, as far as their levels allow.
    """
    return _TaskLogger(sink, f"{OWN_LOGGER}.{task}" if task else OWN_LOGGER)


class _TaskLogger(logging.Logger):
    """Not known to `getLogger`, so it goes away with its task."""

    def __init__(self, sink: Sink, name: str) -> None:
        super().__init__(name)
        self._sink = sink

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """Whatever `logging.disable` says: the lines are the task's, not the process's."""
        return level >= self.level

    def getEffectiveLevel(self) -> int:  # noqa: N802 - logging's name
        """Its own level; it has no parent."""
        return self.level

    def handle(self, record: logging.LogRecord) -> None:
        """Give the record to the sink, then to the user's handlers."""
        passed: object = self.filter(record)
        if not passed:
            return
        if isinstance(passed, logging.LogRecord):  # since Python 3.12 a filter may give another record
            record = passed
        self._sink.log(record)
        if not _channel.isEnabledFor(record.levelno):
            return
        token = current.set(None if _installation.tee else _MUTED)
        try:
            _channel.handle(record)
        finally:
            current.reset(token)


class _Installation:
    """What was replaced, and by what. Its methods run under `_lock`."""

    def __init__(self) -> None:
        self.users = 0
        self.tee = False
        self._stand_ins: dict[str, CapturedStream] = {}
        self._pointed: list[tuple[logging.StreamHandler[Any], CapturedStream]] = []
        self._call_handlers_before: CallHandlers = logging.Logger.callHandlers
        self._call_handlers: CallHandlers = self._call_handlers_before

    def begin(self) -> None:
        for name in _NAMES:
            found: TextIO | CapturedStream | None = getattr(sys, name)
            # Who had replaced our stand-in of an earlier run may have put it back: then it serves again.
            stand_in = found if isinstance(found, CapturedStream) else CapturedStream(name, found)
            self._stand_ins[name] = stand_in
            setattr(sys, name, stand_in)
        self._point_handlers()
        self._call_handlers_before = logging.Logger.callHandlers
        self._call_handlers = _capturing(self._call_handlers_before)
        _set_call_handlers(self._call_handlers)

    def end(self) -> None:
        self.set_tee(False)
        if logging.Logger.callHandlers is self._call_handlers:  # else somebody wrapped ours, which passes records on
            _set_call_handlers(self._call_handlers_before)
        for handler, stand_in in self._pointed:
            if handler.stream is stand_in:
                _point(handler, stand_in.original)
        for name, stand_in in self._stand_ins.items():
            if getattr(sys, name) is stand_in:
                setattr(sys, name, stand_in.original)
        self._pointed.clear()
        self._stand_ins.clear()

    def set_tee(self, tee: bool) -> None:
        self.tee = tee
        for stand_in in [*self._stand_ins.values(), *(stand_in for _, stand_in in self._pointed)]:
            stand_in.tee = tee

    def _point_handlers(self) -> None:
        """Point log handlers that hold the terminal's streams at stand-ins for just these."""
        by_stream = {id(stand_in.original): stand_in for stand_in in self._stand_ins.values()}
        for name in _NAMES:
            stream: TextIO | None = getattr(sys, f"__{name}__")
            by_stream.setdefault(id(stream), CapturedStream(name, stream))
        for handler in _stream_handlers():
            stand_in = by_stream.get(id(handler.stream))
            if stand_in is not None and handler.stream is not None and _point(handler, cast("TextIO", stand_in)):
                self._pointed.append((handler, stand_in))


def _stream_handlers() -> Iterator[logging.StreamHandler[Any]]:
    loggers = [logging.root, *list(logging.root.manager.loggerDict.values())]
    for logger in loggers:
        if isinstance(logger, logging.Logger):
            yield from [handler for handler in logger.handlers if isinstance(handler, logging.StreamHandler)]


def _point(handler: logging.StreamHandler[Any], stream: TextIO | None) -> bool:
    """Give the handler another stream. Not every handler that is a StreamHandler lets itself be told."""
    try:
        handler.setStream(stream)
    except (AttributeError, ValueError, OSError):  # a property; or the old stream is closed and cannot be flushed
        return False
    return True


def _set_call_handlers(function: CallHandlers) -> None:
    setattr(logging.Logger, "callHandlers", function)  # noqa: B010 - type checkers refuse the plain assignment


def _capturing(wrapped: CallHandlers) -> CallHandlers:
    """`Logger.callHandlers` that gives records of captured contexts to their sink first."""

    def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
        sink = current.get()
        if sink is None:
            wrapped(logger, record)
            return
        sink.log(record)
        token = current.set(None if _installation.tee else _MUTED)
        try:
            wrapped(logger, record)
        finally:
            current.reset(token)

    return call_handlers


_lock = threading.Lock()
_channel = logging.getLogger(OWN_LOGGER)
_installation = _Installation()
