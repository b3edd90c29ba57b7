"""The near side of attempts in other processes: what is sent, and what becomes of what comes back."""

from __future__ import annotations

import codecs
import logging
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, assert_never

from dagtop.backends.packing import Packer
from dagtop.backends.process import ProcessPool
from dagtop.core.policy import BackendName
from dagtop.errors import RemoteError, TransferError
from dagtop.ports.backend import STOPPED, Backend, BackendStatistics, Errand, Item, Parcel, Reply
from dagtop.runtime.capture_sink import OWN_LOGGER
from dagtop.runtime.context import TaskContext
from dagtop.runtime.failures import as_told
from dagtop.runtime.remote import (
    RAISED,
    RETURNED,
    UNREADABLE,
    UNSENDABLE,
    ContextSlot,
    FarCall,
    Wanted,
    carry_out,
    levels_here,
)

Report: TypeAlias = Callable[[str, tuple[Any, ...]], None]


class Trip:
    """One attempt in another process: called in a thread, the rest is the loop's."""

    def __init__(
        self, task: str, call: FarCall, fn: Callable[..., Any], packer: Packer, scratch: Callable[[], Path]
    ) -> None:
        self._task = task
        self._call = call
        self._fn = fn
        self._packer = packer
        self._scratch = scratch
        self._errand: Errand

    @property
    def where(self) -> str:
        """Where it is now, in words."""
        return self._errand.where

    def begin(self, backend: Backend, hear: Callable[[Item], None]) -> None:
        """Say where it goes."""
        self._errand = backend.errand(self._task, self._pack, hear)

    def cancel(self) -> None:
        """Told to stop."""
        self._errand.cancel()

    def abandon(self) -> None:
        """Nobody waits any more."""
        self._errand.abandon()

    def __call__(self) -> Any:
        """Wait for it, and return or raise what it did."""
        return self._unpack(self._errand.carry_out())

    def _pack(self) -> Parcel:
        if self._call.wanted is not None:
            self._call.wanted.scratch = str(self._scratch())
        self._call.levels = levels_here()
        key, function = self._packer.function(self._task, self._fn)
        return Parcel(
            key=key, function=function, call=self._packer.call(self._task, self._fn, self._call, self._values)
        )

    def _values(self) -> Iterator[tuple[str, Any]]:
        call = self._call
        yield from ((f"argument {place}", value) for place, value in enumerate(call.args, 1))
        yield from ((f"argument {name!r}", value) for name, value in call.kwargs.items())
        if call.wanted is not None:
            yield from ((f"ctx.upstream[{name!r}]", value) for name, value in call.wanted.upstream.items())
            yield "ctx.resource", call.wanted.resource

    def _unpack(self, reply: Reply) -> Any:
        word, data = reply
        if word == RETURNED:
            try:
                return pickle.loads(data)
            except Exception as error:
                raise TransferError(
                    f"what task {self._task!r} returned cannot be read here: {type(error).__name__}: {error}"
                ) from error
        if word == STOPPED:
            return None
        if word == RAISED:
            raise _error_of(data)
        said = data.decode("utf-8", "replace")
        if word == UNSENDABLE:
            raise TransferError(
                f"what task {self._task!r} returned, {said}; return plain data, or leave backend out so that it runs in a thread"
            )
        assert word == UNREADABLE, word
        raise TransferError(f"the worker cannot read task {self._task!r}: {said}; what it imports must be there too")


def _error_of(data: bytes) -> BaseException:
    """The exception itself, or one that stands for it; either way with the failure that the far side made of it."""
    failure, kinds, itself = pickle.loads(data)
    error: BaseException | None = None
    if itself:
        with suppress(Exception):
            found: object = pickle.loads(itself)
            same = f"{type(found).__module__}.{type(found).__qualname__}" == kinds[0]
            error = found if same and isinstance(found, BaseException) else None
    if error is None:
        error = RemoteError(failure.message, kinds)
    return as_told(error, failure)


class Ear:
    """Hears what an attempt says, in the thread and the context that waits for it: what is printed here is captured."""

    def __init__(self, report: Report, context: TaskContext, note: Callable[[str], None]) -> None:
        self._report = report
        self._context = context
        self._note = note
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    def hear(self, item: Item) -> None:
        """Take one item. Whatever the user's handlers and streams do, the attempt goes on."""
        with suppress(Exception):
            match item:
                case ("line", stream, line):
                    self._print(stream, f"{line}\n")
                case ("bytes", stream, data):
                    decoder = self._decoders.get(stream)
                    if decoder is None:
                        decoder = self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("backslashreplace")
                    self._print(stream, decoder.decode(data))
                case ("log", fields):
                    self._log(logging.makeLogRecord(fields))
                case ("note", text):
                    self._note(text)
                case ("begun",):
                    self._report("begun", (self._context.attempt,))
                case (what, values):
                    self._report(what, values)
                case _:
                    pass

    def _print(self, stream: str, text: str) -> None:
        target = sys.stdout if stream == "stdout" else sys.stderr
        target.write(text)

    def _log(self, record: logging.LogRecord) -> None:
        own = f"{record.name}.".startswith(f"{OWN_LOGGER}.")
        (self._context.log if own else logging.getLogger(record.name)).handle(record)


class Elsewhere:
    """The places outside of this process that one run uses; each begins with its first task.

    Parameters
    ----------
    home: the file that defines the graph.
    dask: address of a Dask scheduler; "" starts a cluster on this machine.
    """

    def __init__(self, home: str, dask: str = "") -> None:
        self._packer = Packer(home)
        self._dask = dask
        self._lock = threading.Lock()
        self._places: dict[BackendName, Backend] = {}

    def trip(
        self,
        where: BackendName,
        task: str,
        attempt: int,
        call: partial[Any],
        near: TaskContext | None,
        given: tuple[str, ...],
        scratch: Callable[[], Path],
        ear: Ear,
    ) -> Trip:
        """An attempt that is to run there. `near` is its context here, `given` the names of what is before it."""
        far = FarCall(task, attempt, list(call.args), call.keywords, given)
        if near is not None and any(value is near for value in (*call.args, *call.keywords.values())):
            far.wanted = Wanted(dict(near.upstream), near.resource)
            far.args = [CONTEXT if value is near else value for value in call.args]
            far.kwargs = {name: CONTEXT if value is near else value for name, value in call.keywords.items()}
        trip = Trip(task, far, call.func, self._packer, scratch)
        trip.begin(self._place(where), ear.hear)
        return trip

    def _place(self, where: BackendName) -> Backend:
        place = self._places.get(where)
        if place is None:
            place = self._places[where] = self._make(where)
        return place

    def _make(self, where: BackendName) -> Backend:
        match where:
            case BackendName.PROCESS:
                return ProcessPool(carry_out)
            case BackendName.DASK:
                from dagtop.backends.dask import DaskBackend  # noqa: PLC0415 - only where a task wants it

                return DaskBackend(carry_out, self._dask)
            case BackendName.ASYNC | BackendName.THREAD:
                raise AssertionError("these run here")
            case _ as unreachable:
                assert_never(unreachable)

    def statistics(self) -> dict[BackendName, BackendStatistics]:
        """Of each place that is in use."""
        return {name: place.statistics() for name, place in self._places.items()}

    def close(self) -> None:
        """End what was started, and wait for it; in a thread."""
        for place in self._places.values():
            place.close()


#: Takes the context's place among the arguments.
CONTEXT = ContextSlot()
