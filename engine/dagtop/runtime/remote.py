"""The far side of an attempt in another process: the call is read, made with its output caught, and how it ended is told."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import tempfile
import threading
import traceback
from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import field
from pathlib import Path
from types import CoroutineType, MappingProxyType
from typing import Any, NoReturn

from dagtop.backends.packing import describe, pack_output
from dagtop.backends.thread import end_child
from dagtop.core.values import dataclass
from dagtop.errors import NOT_AWAITED, TaskError
from dagtop.ports.backend import STOPPED, Channel, Item, Reply, Stopped
from dagtop.runtime import capture
from dagtop.runtime.capture import AttemptSink, Captured, current, task_logger
from dagtop.runtime.context import TaskContext
from dagtop.runtime.failures import failure_of

#: The words of replies, besides `STOPPED`.
RETURNED, RAISED, UNSENDABLE, UNREADABLE = "returned", "raised", "unsendable", "unreadable"

#: Longest message of a log record, in characters.
_LOGGED = 256 * 1024

#: Loggers of the machinery under a Dask worker: their levels are not the user's business.
_NOT_THEIRS = ("distributed", "dask", "tornado", "bokeh", "asyncio")


@dataclass(slots=True)
class ContextSlot:
    """Where the task's context belongs among the arguments."""


@dataclass(slots=True)
class Wanted:
    """What the near side knows for a `TaskContext`."""

    upstream: dict[str, Any]
    resource: Any = None
    scratch: str = ""
    """Path of the task's directory; the folder above it is there, if the worker is on the same machine."""


@dataclass(slots=True)
class FarCall:
    """One call, as it is sent."""

    task: str
    attempt: int
    args: list[Any]
    kwargs: dict[str, Any]
    given: tuple[str, ...] = ()
    """Names of the tasks before it."""
    wanted: Wanted | None = None
    levels: dict[str, int] = field(default_factory=dict)
    """Of the near side's loggers, the root's under ""."""


def levels_here() -> dict[str, int]:
    """The levels that the user has given to loggers."""
    found = {"": logging.root.level}
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and logger.level and name.partition(".")[0] not in _NOT_THEIRS:
            found[name] = logger.level
    return found


def carry_out(function: Any, data: bytes, channel: Channel) -> Reply:
    """Make the call in `data`, see `ports.backend.Entry`."""
    try:
        if isinstance(function, Exception):
            raise function
        call: FarCall = pickle.loads(data)
    except Exception as error:  # noqa: BLE001 - reading imports modules of the user's
        return UNREADABLE, f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")
    return _Attempt(call, channel).carry_out(function)


class _Attempt:
    def __init__(self, call: FarCall, channel: Channel) -> None:
        self._call = call
        self._channel = channel
        self._sink = _FarSink(call.task, call.attempt, channel)
        self._scratch_made = ""

    def carry_out(self, function: Any) -> Reply:
        context = copy_context()
        context.run(current.set, self._sink)
        args, kwargs = self._arguments()
        here = os.getpid()
        output: Any = None
        raised: BaseException | None = None
        _LEVELS.take(self._call.levels)
        capture.install(tee=False)
        try:
            output = context.run(function, *args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - the user's: it becomes an outcome
            raised = error
        finally:
            if os.getpid() != here:
                end_child(raised)
            self._sink.close()
            capture.uninstall()
            _LEVELS.give_back()
            self._clear_away()
        return self._reply(output, raised)

    def _reply(self, output: Any, raised: BaseException | None) -> Reply:
        if isinstance(raised, Stopped):
            return STOPPED, b""
        if raised is None and type(output) is CoroutineType:
            output.close()
            raised = TypeError(NOT_AWAITED)
        if raised is not None:
            return RAISED, pack_error(raised, self._given())
        try:
            return RETURNED, pack_output(output)
        except Exception as error:  # noqa: BLE001 - the user's objects decide how they are pickled
            return UNSENDABLE, describe(output, error).encode("utf-8", "backslashreplace")

    # -- its context --------------------------------------------------------------------------------------------------

    def _arguments(self) -> tuple[list[Any], dict[str, Any]]:
        call = self._call
        if call.wanted is None:
            return call.args, call.kwargs
        made = TaskContext(
            task=call.task,
            attempt=call.attempt,
            upstream=MappingProxyType(call.wanted.upstream),
            report=lambda what, values: self._channel.send((what, values)),
            make_log=lambda: task_logger(self._sink, call.task),
            scratch=self._scratch,
            find_service=_no_service,
        )
        made.resource = call.wanted.resource
        self._channel.on_stop(made.cancel)
        args = [made if type(value) is ContextSlot else value for value in call.args]
        return args, {name: made if type(value) is ContextSlot else value for name, value in call.kwargs.items()}

    def _scratch(self, task: str) -> Path:
        assert self._call.wanted is not None, "only a context asks"
        path = Path(self._call.wanted.scratch)
        if path.parent.is_dir():
            path.mkdir(exist_ok=True)
            return path
        if not self._scratch_made:  # on another machine
            self._scratch_made = tempfile.mkdtemp(prefix="dagtop-")
        return Path(self._scratch_made)

    def _given(self) -> Mapping[str, Any]:
        """What the tasks before it gave, by name."""
        call = self._call
        outputs = {name: call.kwargs[name] for name in call.given if name in call.kwargs}
        if call.wanted is not None:
            outputs |= call.wanted.upstream
        for value in call.args:
            if type(value) is dict and type(value.get("_dep_outputs")) is dict:
                outputs |= value["_dep_outputs"]
        return outputs

    def _clear_away(self) -> None:
        if self._scratch_made:
            shutil.rmtree(self._scratch_made, ignore_errors=True)


def _no_service(name: str) -> NoReturn:
    raise TaskError(
        f"the service {name!r} is open in the engine's process: let the task run in a thread, or open what it needs inside it"
    )


def pack_error(error: BaseException, given: Mapping[str, Any]) -> bytes:
    """All that is told of an exception: its failure, its kinds, and itself if it can be packed."""
    failure = failure_of(error, given)
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type.mro(type(error))]
    try:
        itself = pack_output(error)
    except Exception:  # noqa: BLE001 - as above
        itself = b""
    return pickle.dumps((failure, kinds, itself))


# -- what it prints and logs ----------------------------------------------------------------------------------------------


class _FarSink(AttemptSink):
    """Sends lines as they are complete; log records go as records, so that the near side's handlers get them."""

    __slots__ = ("_channel",)

    def __init__(self, task: str, attempt: int, channel: Channel) -> None:
        super().__init__(task, attempt, self._hand_over)
        self._channel = channel

    def _hand_over(self, captured: Captured) -> None:
        note = captured.stream == "log"
        self._channel.send(("note", captured.line) if note else ("line", captured.stream, captured.line))

    def log(self, record: logging.LogRecord) -> None:
        self.flush_partial()
        self._channel.send(_as_item(record))


def _as_item(record: logging.LogRecord) -> Item:
    """A record without anything of the user's in it."""
    try:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            text = f"{text}\n{''.join(traceback.format_exception(*record.exc_info)).rstrip()}"
        if record.stack_info:
            text = f"{text}\n{record.stack_info}"
    except Exception as error:  # noqa: BLE001 - logging does not raise into the task either
        text = f"{record.msg if isinstance(record.msg, str) else type(record.msg).__name__} "
        text += f"(could not be formatted: {type(error).__name__})"
    plain: dict[str, Any] = {
        name: value
        for name, value in vars(record).items()
        if type(value) in {str, int, float, bool} and name not in {"message", "exc_text"}
    }
    return "log", {**plain, "msg": text[:_LOGGED], "args": None}


class _Levels:
    """The near side's log levels, as long as some attempt of ours runs here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before: dict[str, int] = {}

    def take(self, levels: Mapping[str, int]) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                for name, level in levels.items():
                    logger = logging.getLogger(name or None)
                    if logger.level != level:
                        self._before[name] = logger.level
                        logger.setLevel(level)

    def give_back(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                for name, level in self._before.items():
                    logging.getLogger(name or None).setLevel(level)
                self._before.clear()


_LEVELS = _Levels()
