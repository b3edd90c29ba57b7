"""A cache that lasts as long as its process: for graphs that are run more than once in it, without a file."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from dagtop.ports.cache import Entry

#: Bytes of outputs that the process keeps, of all graphs; the least recently used go first.
LIMIT = 64 * 2**20


class Shelf:
    """The entries of all graphs of a process."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[bytes, str, bytes], Entry] = OrderedDict()
        self._latest: dict[tuple[bytes, str], Mapping[str, str]] = {}
        self._size = 0

    def get(self, place: tuple[bytes, str, bytes], *, used: bool) -> Entry | None:
        """What lies at a place, and that it is used."""
        with self._lock:
            entry = self._entries.get(place)
            if entry is not None and used:
                self._entries.move_to_end(place)
            return entry

    def latest(self, origin: bytes, task: str) -> Mapping[str, str]:
        """The parts of a task's latest entry."""
        return self._latest.get((origin, task), {})

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._latest.clear()
            self._size = 0

    def put(self, origin: bytes, entry: Entry) -> None:
        """Keep an entry, and let go of others if there is no room."""
        place = origin, entry.task, entry.key
        with self._lock:
            before = self._entries.pop(place, None)
            self._size += len(entry.value) - (len(before.value) if before is not None else 0)
            self._entries[place] = entry
            self._latest[origin, entry.task] = entry.parts
            while self._size > self._limit:
                (from_origin, task, _), oldest = self._entries.popitem(last=False)
                self._size -= len(oldest.value)
                if self._latest.get((from_origin, task)) is oldest.parts:
                    del self._latest[from_origin, task]


#: That of this process.
SHELF = Shelf()


class MemoryCache:
    """A `Cache` on a shelf: that of the process unless given."""

    def __init__(self, origin: bytes, shelf: Shelf = SHELF) -> None:
        self._origin = origin
        self._shelf = shelf

    def open(self) -> None:
        """Do nothing: it is there."""

    def has(self, task: str, key: bytes) -> bool:
        """Whether there is an entry."""
        return self._shelf.get((self._origin, task, key), used=False) is not None

    def is_far(self, task: str, key: bytes) -> bool:
        """Never."""
        return False

    def get(self, task: str, key: bytes) -> Entry | None:
        """The entry; None if it is gone."""
        return self._shelf.get((self._origin, task, key), used=True)

    def latest(self, task: str) -> Mapping[str, str]:
        """The parts of what was put in last for a task; empty if nothing was."""
        return self._shelf.latest(self._origin, task)

    def put(self, entry: Entry) -> None:
        """Keep an entry from now on."""
        self._shelf.put(self._origin, entry)

    def close(self, timeout: float = 5.0) -> bool:
        """Do nothing: it stays there."""
        return True
