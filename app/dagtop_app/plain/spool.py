"""Events on their way to a slow reader: the engine never waits for it, memory stays bounded, nothing is lost.

Batches wait in memory as they are. When too many wait, further ones are written, already encoded, to a temporary file
that has no name, until the reader has caught up.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence

from dagtop.core.events import AnyEvent

#: Events that wait in memory; at about 300 bytes each that is 6 MB.
MOST_IN_MEMORY = 20_000
_CHUNK = 256 * 1024

Encode = Callable[[int, Sequence[AnyEvent]], bytes]


class Spool:
    """A queue of batches of events that gives back bytes.

    Parameters
    ----------
    encode: called as `encode(first, batch)`, from the reader's thread, or from the writer's when memory is full.
    """

    def __init__(self, encode: Encode, *, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._encode = encode
        self._most = most_in_memory
        self._batches: deque[tuple[int, Sequence[AnyEvent]]] = deque()
        self._waiting = 0
        self._late: deque[tuple[int, Sequence[AnyEvent]]] = deque()
        """What came after the file could take no more."""
        self._file: int | None = None
        self._written = self._read = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def is_on_disk(self) -> bool:
        """Whether something waits in the file."""
        return self._written > self._read

    def put(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Add a batch. Never waits for the reader."""
        with self._changed:
            # What came later must not overtake what waits in the file.
            if not self._late and not self.is_on_disk and self._waiting + len(batch) <= self._most:
                self._batches.append((first, batch))
                self._waiting += len(batch)
            elif self._late or not self._put_on_disk(self._encode(first, batch)):
                self._late.append((first, batch))
            self._changed.notify()

    def close(self) -> None:
        """Nothing more will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def get(self) -> bytes:
        """The next bytes; waits for them. b"" when there will be no more."""
        while True:
            with self._changed:
                while not (self._batches or self.is_on_disk or self._late or self._closed):
                    self._changed.wait()
                if not self._batches and self.is_on_disk:
                    return self._get_from_disk()
                if not self._batches:
                    self._batches, self._late = self._late, self._batches
                    self._waiting = sum(len(batch) for _, batch in self._batches)
                if not self._batches:
                    self._let_go()
                    return b""
                first, batch = self._batches.popleft()
                self._waiting -= len(batch)
            if data := self._encode(first, batch):
                return data

    def _put_on_disk(self, data: bytes) -> bool:
        try:
            if self._file is None:
                with tempfile.TemporaryFile() as file:
                    self._file = os.dup(file.fileno())
            at = self._written
            while at < self._written + len(data):
                at += os.pwrite(self._file, data[at - self._written :], at)
        except OSError:
            return False
        self._written = at
        return True

    def _get_from_disk(self) -> bytes:
        assert self._file is not None
        data = os.pread(self._file, min(_CHUNK, self._written - self._read), self._read)
        self._read += len(data)
        if self._read == self._written:
            os.ftruncate(self._file, 0)
            self._read = self._written = 0
        return data

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
