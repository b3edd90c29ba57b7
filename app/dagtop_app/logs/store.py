"""Every line of a run, however many: on disk in a file that has no name, with a small index in memory.

Lines are written in blocks of `BLOCK`; a block is found by its number, and skipped by a mask of the tasks in it. Memory grows
by some 50 bytes a block, that is by a tenth of a byte a line.
"""

from __future__ import annotations

import os
import tempfile
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec
from dagtop.core.events import AnyEvent, Log
from dagtop.observe.logs import LogBook

if TYPE_CHECKING:
    from dagtop_app.bridge import LogLine, Logs

#: Lines of one block.
BLOCK = 512
#: Blocks that are kept in memory once they have been read: those around what is on the screen.
_NEAR = 32
#: Blocks that wait in memory where the disk takes no more.
_HELD = 128
#: Bytes of one file; and of all, before the oldest file is given up.
_FILE = 128 * 1024 * 1024
MOST_BYTES = 4 * 1024 * 1024 * 1024
_BITS = 256

Raw: TypeAlias = tuple[float, int, int, str, str, str]
"""at, place of the task in `names`, attempt, stream, level, text."""

_decode = msgspec.msgpack.Decoder(list[Raw]).decode
_encode = msgspec.msgpack.Encoder().encode


class Kept(NamedTuple):
    """One line, as it was written."""

    number: int
    """From 0, in the order of arrival."""
    at: float
    task: str
    attempt: int
    stream: str
    level: str
    text: str


class LogStore:
    """Lines by number. One thread at a time may add; any thread may read."""

    def __init__(self, *, file_size: int = _FILE, most_bytes: int = MOST_BYTES) -> None:
        self.names: list[str] = []
        """The tasks that have lines, in the order in which they had the first."""
        self.first = 0
        """The number of the oldest line that is still there."""
        self._file_size, self._most = file_size, most_bytes
        self._ids: dict[str, int] = {}
        self._open: list[Raw] = []
        self._mask = 0
        self._masks: list[int] = []
        self._latest = array("d")
        self._where: OrderedDict[int, tuple[int, int, int]] = OrderedDict()
        """By block: (descriptor, offset, length)."""
        self._held: OrderedDict[int, bytes] = OrderedDict()
        self._files: list[int] = []
        self._end = 0
        self._near: OrderedDict[int, Sequence[Raw]] = OrderedDict()
        self._lock = threading.Lock()

    def __del__(self) -> None:
        for file in self._files:
            os.close(file)

    @property
    def count(self) -> int:
        """The number that the next line will have."""
        return len(self._masks) * BLOCK + len(self._open)

    @property
    def blocks(self) -> int:
        """How many blocks there are, with the one that is not full."""
        return len(self._masks) + 1

    def add(self, lines: Iterable[Log | LogLine]) -> None:
        """Take more lines."""
        with self._lock:
            for line in lines:
                text = line.line if isinstance(line, Log) else line.text
                name = line.task
                place = self._ids.get(name)
                if place is None:
                    place = self._ids[name] = len(self.names)
                    self.names.append(name)
                self._open.append((line.at, place, line.attempt, line.stream, line.level, text))
                self._mask |= 1 << place % _BITS
                if len(self._open) >= BLOCK:
                    self._close_block()

    def mask(self, block: int) -> int:
        """Which tasks may have lines in a block, see `mask_of`."""
        return self._masks[block] if block < len(self._masks) else self._mask

    def latest(self, block: int) -> float:
        """When the last line of a block was written; endless for the block that is not full."""
        return self._latest[block] if block < len(self._latest) else float("inf")

    def block(self, number: int) -> Sequence[Raw]:
        """The lines of a block; without those that could not be kept."""
        with self._lock:
            if number >= len(self._masks):
                return tuple(self._open) if number == len(self._masks) else ()
            if number in self._near:
                return self._near[number]
            return self._read(number)

    def line(self, number: int) -> Kept:
        """One line. The blocks around what was asked last are at hand."""
        block, place = divmod(number, BLOCK)
        lines = self.block(block)
        with self._lock:
            if block < len(self._masks):
                self._near[block] = lines
                self._near.move_to_end(block)
                if len(self._near) > _NEAR:
                    self._near.popitem(last=False)
        if place >= len(lines):
            return Kept(number, 0.0, "", 0, "log", "WARNING", "(this line could not be kept: no room on the disk)")
        at, task, attempt, stream, level, text = lines[place]
        return Kept(number, at, self.names[task], attempt, stream, level, text)

    # -- on disk ---------------------------------------------------------------------------------------------

    def _close_block(self) -> None:
        block, lines = len(self._masks), self._open
        try:
            data = _encode(lines)
        except UnicodeEncodeError:  # a lone surrogate
            data = _encode([(*line[:-1], line[-1].encode("utf-8", "backslashreplace").decode()) for line in lines])
        self._masks.append(self._mask)
        self._latest.append(max(line[0] for line in lines))
        self._open, self._mask = [], 0
        try:
            self._write(block, data)
        except OSError:
            self._held[block] = data
            if len(self._held) > _HELD:
                self._held.popitem(last=False)

    def _write(self, block: int, data: bytes) -> None:
        if not self._files or self._end + len(data) > self._file_size:
            with tempfile.TemporaryFile(prefix="dagtop-logs-") as file:
                self._files.append(os.dup(file.fileno()))
            self._end = 0
            self._let_go()
        file_, at = self._files[-1], self._end
        while at < self._end + len(data):
            at += os.pwrite(file_, data[at - self._end :], at)
        self._where[block] = file_, self._end, len(data)
        self._end = at

    def _let_go(self) -> None:
        """Give up the oldest file, if there are too many."""
        if len(self._files) * self._file_size <= self._most or len(self._files) < 2:
            return
        old = self._files.pop(0)
        while self._where and next(iter(self._where.values()))[0] == old:
            block, _ = self._where.popitem(last=False)
            self.first = (block + 1) * BLOCK
        os.close(old)

    def _read(self, block: int) -> Sequence[Raw]:
        data = self._held.get(block)
        if data is None:
            if block not in self._where:
                return ()
            file, offset, length = self._where[block]
            try:
                data = os.pread(file, length, offset)
                return _decode(data)
            except (OSError, msgspec.DecodeError):
                return ()
        return _decode(data)


def mask_of(places: Iterable[int]) -> int:
    """What a block's mask has of these tasks, by their places in `names`."""
    mask = 0
    for place in places:
        mask |= 1 << place % _BITS
    return mask


class DeepLogs(LogBook):
    """A log book that forgets nothing: what it keeps in memory is bounded as ever, and its `store` has every line."""

    def __init__(self, make: Callable[[], LogStore] = LogStore) -> None:
        super().__init__()
        self.store = make()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        super().record(first, batch)
        if logs := [event for event in batch if type(event) is Log]:
            self.store.add(logs)


#: Lines that are taken from a log book at one look, and at most in one go.
_BATCH, _LOOK = 2_000, 20_000


class Source:
    """The lines of an engine: those of its store, or, where it has none, what its book had at every look."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        found = getattr(logs, "store", None)
        self.store: LogStore = found if found is not None else LogStore()
        self._drains = found is None
        self._number = 0

    def look(self) -> None:
        """Take what is new."""
        if not self._drains:
            return
        for _ in range(0, _LOOK, _BATCH):
            new = self._logs.since(self._number, None, _BATCH)
            if new:
                self._number = new[-1].number
                self.store.add(new)
            if len(new) < _BATCH:
                return
