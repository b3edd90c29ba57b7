"""On a Dask worker: one attempt, in the thread that Dask gives it.

Dask starts a task again when the worker that ran it has died. Here that is for dagtop to decide, so an attempt enters itself on
the scheduler before it begins, and one that finds itself entered does not begin.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from distributed import get_worker
from distributed.utils import sync

from dagtop.backends.dask_words import AGAIN, BEGUN, LAST, REPLY, SENT
from dagtop.ports.backend import Entry, Item

#: How long what an attempt says is collected before it is sent, in seconds.
COLLECT = 0.05

#: Replies above so many bytes go the way of Dask's results, which does not lead through the scheduler's queues.
BIG = 1024 * 1024

_couriers: dict[str, Courier] = {}
"""Of the attempts that run on this worker, by key."""


def attempt(queue: str, key: str, entry: Entry, function: bytes, call: bytes) -> tuple[str, bytes, int, list[Item]]:
    """Run one attempt: (word and data of the reply, how many batches of items were sent, what was not sent any more).

    A reply that is not big goes to the engine at once: if it stayed on this worker it would be lost with it.
    """
    courier = Courier(get_worker(), queue, key)
    _couriers[key] = courier
    try:
        if not courier.enter():
            return AGAIN, b"", 0, []
        try:
            fn: Any = pickle.loads(function)
        except Exception as error:  # noqa: BLE001 - reading it imports modules of the user's
            fn = error
        word, data = entry(fn, call, courier)
    finally:
        del _couriers[key]
    batches, items = courier.finish()
    if len(data) <= BIG:
        try:
            courier.deliver([*items, (REPLY, word, data, batches)])
        except Exception:  # noqa: BLE001 - the scheduler is gone, or the engine: the task's own result tells who is left
            return word, data, batches, items
        return SENT, b"", 0, []
    return word, data, batches, items


def stop(key: str) -> None:
    """Tell an attempt on this worker to stop; the engine calls this there."""
    courier = _couriers.get(key)
    if courier is not None:
        courier.stop()


class Courier:
    """Takes what an attempt says to the run's queue on the scheduler, in batches."""

    def __init__(self, worker: Any, queue: str, key: str) -> None:
        self._worker = worker
        self._queue = queue
        self._key = key
        self._lock = threading.Lock()
        self._items: list[Item] = []
        self._batches = 0
        self._on_its_way = False
        self._finished = False
        self._stopped = False
        self._told: Callable[[], None] | None = None

    def send(self, item: Item) -> None:
        with self._lock:
            if self._finished:
                return
            self._items.append(item)
            if self._on_its_way:
                return
            self._on_its_way = True
        self._worker.loop.add_callback(self._collect)

    def on_stop(self, told: Callable[[], None]) -> None:
        self._told = told
        if self._stopped:
            told()

    def stop(self) -> None:
        """Raise the flag."""
        self._stopped = True
        if self._told is not None:
            self._told()

    def enter(self) -> bool:
        """Enter the attempt on the scheduler and say where it is. False: it was entered before."""
        return bool(sync(self._worker.loop, self._enter))

    def finish(self) -> tuple[int, list[Item]]:
        """(how many batches were sent, what was not)."""
        with self._lock:
            self._finished = True
            return self._batches, self._items

    def deliver(self, items: list[Item]) -> None:
        """Send the last of it, and wait until it is there."""
        sync(self._worker.loop, self._put, LAST, items)

    async def _enter(self) -> bool:
        scheduler = self._worker.scheduler
        if await scheduler.event_is_set(name=self._key):
            return False
        await scheduler.event_set(name=self._key)
        await self._put(0, [(BEGUN, self._worker.address)])
        return True

    async def _collect(self) -> None:
        await asyncio.sleep(COLLECT)
        with self._lock:
            self._on_its_way = False
            if self._finished:
                return
            items, self._items = self._items, []
            self._batches += 1
            number = self._batches
        with suppress(Exception):  # the scheduler is gone, or nobody listens any more
            await self._put(number, items)

    async def _put(self, number: int, items: list[Item]) -> None:
        await self._worker.scheduler.queue_put(name=self._queue, data=pickle.dumps((self._key, number, items)))
