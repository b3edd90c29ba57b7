"""A Dask cluster as a place to run tasks: one that is there, by its address, or one of two workers on this machine.

Retries, timeouts and cancel are the engine's: Dask is told never to try again. It does so all the same when a worker dies, see
`dask_far`. A task on a Dask worker is in a thread of it, with others beside it: told to stop, it sees `ctx.cancelled`; one that
waits for its turn on the cluster is withdrawn.
"""

from __future__ import annotations

import logging
import pickle
import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from dagtop.backends.dask_cluster import LocalDask
from dagtop.backends.dask_words import AGAIN, BEGUN, LAST, SENT
from dagtop.errors import BackendError, WorkerDiedError
from dagtop.ports.backend import STOPPED, BackendStatistics, Entry, Item, Parcel, Reply

#: How long a scheduler may take to answer, in seconds.
CONNECT = 10.0

#: How long an attempt that was told to stop is waited for, in seconds: a thread of another process cannot be ended.
STUCK = 5.0

#: How long what an attempt said last may be behind its end, in seconds.
STRAGGLE = 2.0

_SAME_VERSION = "dagtop must be installed, in this version, where the scheduler and the workers run"

_LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado.application")


class _Link:
    """The client of one run, and who waits for what. The client's loop has a thread of its own, so any loop may be ours."""

    def __init__(self, address: str) -> None:
        first = "distributed" not in sys.modules
        distributed: Any = import_module("distributed")  # an extra, and slow to import
        if first:  # it would write to the terminal, which is not its own; what matters fails a task and is told there
            for name in _LOGGERS:
                logging.getLogger(name).setLevel(logging.CRITICAL)
        self._inboxes: dict[str, queue.SimpleQueue[tuple[Any, ...]]] = {}
        self.lost: set[str] = set()
        """Workers that have left the cluster."""
        self.client: Any = distributed.Client.__new__(distributed.Client)
        try:  # in two steps, because a client that finds no scheduler leaves its loop running
            self.client.__init__(address, timeout=CONNECT, set_as_default=False, name="dagtop")
            self.queue = f"dagtop-{uuid.uuid4().hex}"
            self._queue: Any = distributed.Queue(self.queue, client=self.client)
            self.client.subscribe_topic("all", self._hear_of_cluster)
            self.client.loop.add_callback(self._listen)
        except BaseException:
            self.close()
            raise

    @property
    def works(self) -> bool:
        """Whether the scheduler is still there."""
        return bool(self.client.status in {"running", "connecting"})

    def submit(
        self, task: str, entry: Entry, parcel: Parcel, inbox: queue.SimpleQueue[tuple[Any, ...]]
    ) -> tuple[str, Any]:
        """Send an attempt: (its key, its future)."""
        from dagtop.backends.dask_far import attempt  # noqa: PLC0415 - an extra

        dask: Any = import_module("dask")
        key = f"{task[:80]}-{uuid.uuid4().hex}"
        self._inboxes[key] = inbox
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            future = self.client.submit(
                attempt, self.queue, key, entry, parcel.function, parcel.call, key=key, pure=False, retries=0
            )
        self.client.loop.add_callback(self._follow, future, inbox)
        return key, future

    def forget(self, key: str, *, entered: bool) -> None:
        """The attempt is over. If it is `entered` and may be started again, its entry stays until the run is over."""
        self._inboxes.pop(key, None)
        if not entered:
            self.client.loop.add_callback(self._quietly, "event_clear", key)

    def withdraw(self, key: str, future: Any) -> None:
        """Have an attempt never begin, if it has not."""
        self.client.loop.add_callback(self._quietly, "event_set", key)
        self.cancel(future)

    def cancel(self, future: Any) -> None:
        """Nobody wants to know."""
        with suppress(Exception):
            self.client.cancel([future], force=True)

    def raise_flag(self, key: str, worker: str) -> None:
        """Tell an attempt to stop, where it runs."""
        self.client.loop.add_callback(self._raise_flag, key, worker)

    def close(self) -> None:
        """Leave the cluster."""
        with suppress(Exception):
            self._queue.close()
        with suppress(Exception):
            self.client.close(timeout=CONNECT)
        with suppress(Exception):
            self.client._loop_runner.stop()

    # -- on the client's loop -----------------------------------------------------------------------------------------

    async def _follow(self, future: Any, inbox: queue.SimpleQueue[tuple[Any, ...]]) -> None:
        try:
            inbox.put(("over", await future.result()))
        except BaseException as error:  # noqa: BLE001 - whatever it is: it is what came of the attempt
            inbox.put(("failed", error))

    async def _listen(self) -> None:
        with suppress(Exception):  # the scheduler is gone: futures tell of that
            while self.client.status != "closed":
                for data in [await self._queue.get(), *await self._queue.get(batch=True)]:
                    key, number, items = pickle.loads(data)
                    inbox = self._inboxes.get(key)
                    if inbox is not None:
                        inbox.put(("items", number, items))
                    elif items and items[0][0] == BEGUN:  # withdrawn a moment too late
                        await self._raise_flag(key, items[0][1])

    def _hear_of_cluster(self, event: tuple[float, Any]) -> None:
        _, message = event
        if isinstance(message, dict) and message.get("action") == "remove-worker":
            worker = str(message.get("worker"))
            self.lost.add(worker)
            for inbox in list(self._inboxes.values()):
                inbox.put(("lost", worker))

    async def _raise_flag(self, key: str, worker: str) -> None:
        from dagtop.backends.dask_far import stop  # noqa: PLC0415 - an extra

        with suppress(Exception):
            await self.client.run(stop, key, workers=[worker], on_error="ignore")

    async def _quietly(self, order: str, key: str) -> None:
        with suppress(Exception):
            await getattr(self.client.scheduler, order)(name=key)


class DaskErrand:
    """One attempt on the cluster."""

    def __init__(self, place: DaskBackend, task: str, pack: Callable[[], Parcel], hear: Callable[[Item], None]) -> None:
        self._place = place
        self._task = task
        self._pack = pack
        self._hear = hear
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._told = False
        self._worker = ""
        self._sent = False
        self._give_up_at: float | None = None
        """When nobody waits any longer for what was told to stop and has not."""
        self._entered_for_ever = False
        self._batches = 0

    @property
    def where(self) -> str:
        if self._worker:
            return f"on the Dask worker {self._worker}"
        return "queued at the Dask cluster: no worker has begun it" if self._sent else "on its way to the Dask cluster"

    def cancel(self) -> None:
        self._told = True
        self._inbox.put(("stop",))

    def abandon(self) -> None:
        self._told = True
        self._inbox.put(("abandon",))

    def carry_out(self) -> Reply:
        parcel = self._pack()
        link = self._place.link()
        if self._told:
            return STOPPED, b""
        try:
            key, future = link.submit(self._task, self._place.entry, parcel, self._inbox)
        except Exception as error:
            raise BackendError(
                f"task {self._task!r} cannot be sent to Dask: {type(error).__name__}: {error}"
            ) from error
        self._sent = True
        with self._place.counting():
            try:
                return self._wait(link, key, future)
            finally:
                link.forget(key, entered=self._entered_for_ever)

    def _wait(self, link: _Link, key: str, future: Any) -> Reply:
        while True:
            match self._next():
                case ("items", number, items):
                    self._take(link, key, number, items)
                    if number == LAST:
                        return self._last_words(link, key, items)
                case ("stop",) if self._worker:
                    self._give_up_at = time.monotonic() + STUCK
                    link.raise_flag(key, self._worker)
                case ("stuck",):
                    self._entered_for_ever = True
                    link.cancel(future)
                    self._hear(("note", self._kept_busy()))
                    return STOPPED, b""
                case ("stop",) | ("abandon",):
                    self._entered_for_ever = True
                    link.withdraw(key, future)
                    if self._worker:
                        link.raise_flag(key, self._worker)
                    return STOPPED, b""
                case ("lost", worker) if worker == self._worker:
                    if (reply := self._overtaken(link, key)) is not None:
                        return reply
                    self._entered_for_ever = True
                    link.cancel(future)
                    return self._died("was lost", None)
                case ("over", (word, data, batches, items)):
                    if word == AGAIN:
                        return self._died("was lost", None)
                    if word != SENT:
                        self._wait_for_stragglers(link, key, batches)
                        for item in items:
                            self._hear(item)
                        return word, data
                case ("failed", error):
                    return self._failed(error)
                case _:
                    pass

    def _next(self) -> tuple[Any, ...]:
        """What comes next; ("stuck",) when it was told to stop long ago."""
        if self._give_up_at is None:
            return self._inbox.get()
        try:
            return self._inbox.get(timeout=max(0.0, self._give_up_at - time.monotonic()))
        except queue.Empty:
            return ("stuck",)

    def _kept_busy(self) -> str:
        return (
            f"it was told to stop and had not after {STUCK:g} s: it is let go of, "
            f"and keeps a thread of the Dask worker {self._worker} busy until it ends there"
        )

    def _last_words(self, link: _Link, key: str, items: list[Item]) -> Reply:
        """What an attempt said last, the reply at its end; what it said before may come after that."""
        _, word, data, batches = items[-1]
        self._wait_for_stragglers(link, key, batches)
        for item in items[:-1]:
            self._hear(item)
        return word, data

    def _overtaken(self, link: _Link, key: str) -> Reply | None:
        """The reply of an attempt whose worker is gone, if it is on its way: bad news travels faster."""
        deadline = time.monotonic() + STRAGGLE / 4
        while True:
            try:
                came = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if came[0] == "items":
                self._take(link, key, came[1], came[2])
                if came[1] == LAST:
                    return self._last_words(link, key, came[2])

    def _take(self, link: _Link, key: str, number: int, items: list[Item]) -> None:
        if number == 0:
            self._worker = items[0][1]
            self._hear(("begun",))
            if self._worker in link.lost:  # that news was faster
                self._inbox.put(("lost", self._worker))
            if self._told:
                self._give_up_at = time.monotonic() + STUCK
                link.raise_flag(key, self._worker)
            return
        if number == LAST:
            return
        self._batches += 1
        for item in items:
            self._hear(item)

    def _wait_for_stragglers(self, link: _Link, key: str, batches: int) -> None:
        deadline = time.monotonic() + STRAGGLE
        while self._batches < batches:
            try:
                came = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if came[0] == "items":
                self._take(link, key, came[1], came[2])

    def _died(self, how: str, cause: BaseException | None) -> Reply:
        if self._told:
            return STOPPED, b""
        self._place.lost_one()
        worker = f"the Dask worker {self._worker}" if self._worker else "a Dask worker"
        raise WorkerDiedError(f"{worker} {how} while it ran task {self._task!r}") from cause

    def _failed(self, error: BaseException) -> Reply:
        if self._told:
            return STOPPED, b""
        said = f"{type(error).__name__}: {error}"
        if type(error).__name__ == "KilledWorker":
            return self._died(f"died ({said})", error)
        hint = f"; {_SAME_VERSION}" if isinstance(error, ImportError) else ""
        raise BackendError(f"Dask could not run task {self._task!r}: {said[:1000]}{hint}") from error


class DaskBackend:
    """One run's use of a Dask cluster.

    Parameters
    ----------
    entry: what a worker calls with each attempt; pickled by reference.
    address: of the scheduler; "" starts a cluster on this machine.
    """

    def __init__(self, entry: Entry, address: str = "") -> None:
        self.entry = entry
        self._address = address
        self._local: LocalDask | None = None
        self._link: _Link | None = None
        self._linking = threading.Lock()
        self._counts = threading.Lock()
        self._busy = self._died = 0

    def errand(self, task: str, parcel: Callable[[], Parcel], hear: Callable[[Item], None]) -> DaskErrand:
        return DaskErrand(self, task, parcel, hear)

    def link(self) -> _Link:
        """The way to the cluster, made when it is first wanted, and again when it was lost.

        Raises
        ------
        BackendError: there is no cluster.
        """
        with self._linking:
            if self._link is not None and not self._link.works:
                self._leave()
            if self._link is None:
                address = self._address
                if not address:
                    self._local = LocalDask()
                    address = self._local.address
                try:
                    self._link = _Link(address)
                except Exception as error:
                    self._leave()
                    raise BackendError(f"the Dask scheduler at {address} cannot be reached: {error}") from error
            return self._link

    def counting(self) -> _Counting:
        """Counts an attempt for as long as it lasts."""
        return _Counting(self)

    def count(self, busy: int) -> None:
        """One more or less."""
        with self._counts:
            self._busy += busy

    def lost_one(self) -> None:
        """A worker died."""
        with self._counts:
            self._died += 1

    def statistics(self) -> BackendStatistics:
        with self._counts:
            return BackendStatistics(
                started=self._local.workers if self._local is not None else 0, busy=self._busy, died=self._died
            )

    def close(self) -> None:
        with self._linking:
            self._leave()

    def _leave(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._local is not None:
            self._local.close()
            self._local = None


class _Counting:
    def __init__(self, place: DaskBackend) -> None:
        self._place = place

    def __enter__(self) -> None:
        self._place.count(1)

    def __exit__(self, *exc_info: object) -> None:
        self._place.count(-1)
