"""The log of a replay: every line of the run is in a store on disk; as many are there as there were at the instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagtop.core.forecast import Usual
from dagtop.observe.logs import LogLine
from dagtop.ports.journal import StoredRun
from dagtop.runtime.logs_until import LogsUntil
from dagtop.runtime.replay import Replay

from dagtop_app.logs.store import BLOCK, DeepLogs, Kept, LogStore, Raw, mask_of

#: Blocks that are looked through for the latest lines of one task, so that it takes no time to speak of.
_BACK = 40


class StoreUntil(LogStore):
    """A store as far as some of its lines."""

    def __init__(self, whole: LogStore, logs: LogsUntil) -> None:
        super().__init__()
        self._whole, self._logs = whole, logs
        self.names = whole.names

    @property
    def count(self) -> int:
        """How many lines there are, up to the instant."""
        return min(self._logs.count, self._whole.count)

    @property
    def blocks(self) -> int:
        """How many blocks there are, with the one that is not full."""
        return self.count // BLOCK + 1

    def mask(self, block: int) -> int:
        """Which tasks may have lines in a block."""
        return self._whole.mask(block)

    def latest(self, block: int) -> float:
        """When the last line of a block was written; endless for the last block."""
        return self._whole.latest(block) if block < self.count // BLOCK else float("inf")

    def block(self, number: int) -> Sequence[Raw]:
        """The lines of a block, up to the instant."""
        self.first = self._whole.first
        return self._whole.block(number)[: max(0, self.count - number * BLOCK)]

    def line(self, number: int) -> Kept:
        """One line."""
        return self._whole.line(number)


class ReplayedLogs(LogsUntil):
    """What the console reads of the lines of a replay."""

    def __init__(self, logs: LogsUntil, book: DeepLogs) -> None:
        super().__init__(logs.lines, logs.until)
        self._book = book
        self._places: dict[str, int] = {}

    @property
    def store(self) -> LogStore:
        """All lines up to the instant; a new one for every look at another."""
        return StoreUntil(self._book.store, self)

    def tail(self, task: str | None, count: int) -> Sequence[LogLine]:
        """The latest `count` lines, oldest first; from the store if the book has let go of them."""
        found = super().tail(task, count)
        if len(found) >= count or not self._book.statistics().dropped:
            return found
        further = self._from_store(task, count)
        return further if len(further) > len(found) else found

    def _from_store(self, task: str | None, count: int) -> list[LogLine]:
        store, found = self._book.store, list[LogLine]()
        names = store.names
        for place in range(len(self._places), len(names)):
            self._places[names[place]] = place
        wanted = self._places.get(task) if task is not None else None
        if task is not None and wanted is None:
            return []
        mask, end = mask_of([wanted]) if wanted is not None else ~0, min(self.count, store.count)
        for block in range((end - 1) // BLOCK, max(-1, (end - 1) // BLOCK - _BACK), -1):
            if not mask & store.mask(block):
                continue
            lines = store.block(block)[: end - block * BLOCK]
            for place in range(len(lines) - 1, -1, -1):
                at, who, attempt, stream, level, text = lines[place]
                if wanted is None or who == wanted:
                    found.append(LogLine(block * BLOCK + place + 1, at, names[who], attempt, stream, level, text))
                    if len(found) == count:
                        return found[::-1]
        return found[::-1]


def replay_of(stored: StoredRun, *, at_end: bool, usual: Mapping[str, Usual]) -> Replay:
    """A replay of a run, with all of its lines."""
    book = DeepLogs()
    replay = Replay(stored, at_end=at_end, usual=usual, book=book)
    replay.logs = ReplayedLogs(replay.logs, book)
    return replay
