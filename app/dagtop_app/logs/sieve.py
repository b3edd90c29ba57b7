"""Which of a store's lines are wanted, found a slice at a time: what is new first, then back from the latest. Pure."""

from __future__ import annotations

import operator
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from dagtop_app.logs.store import BLOCK, LogStore, Raw, mask_of

#: Numbers that a sieve remembers; of more, the oldest are forgotten.
MOST = 1_000_000


class Numbers:
    """Numbers in rising order that grow at both ends."""

    def __init__(self) -> None:
        self._low = array("Q")
        """Those below the others, the largest first."""
        self._high = array("Q")

    def __len__(self) -> int:
        return len(self._low) + len(self._high)

    def __getitem__(self, place: int) -> int:
        low = len(self._low)
        if place < 0:
            place += len(self)
        return self._low[low - 1 - place] if place < low else self._high[place - low]

    def copy(self) -> Sequence[int]:
        """As they are now."""
        return array("Q", reversed(self._low)) + self._high

    def append(self, number: int) -> None:
        """Add one above all."""
        self._high.append(number)

    def prepend(self, number: int) -> None:
        """Add one below all."""
        self._low.append(number)

    def place(self, number: int) -> int:
        """Where the first is that is not below `number`."""
        if not self._low or number > self._low[0]:
            return len(self._low) + bisect_left(self._high, number)
        # They fall: as negative numbers they rise.
        return len(self._low) - bisect_right(self._low, -number, key=operator.neg)

    def forget(self, count: int) -> None:
        """Leave the lowest `count` out."""
        low = min(count, len(self._low))
        if low:
            del self._low[len(self._low) - low :]
        if count > low:
            del self._high[: count - low]


class Sieve:
    """The lines that are wanted.

    Parameters
    ----------
    wants: whether a line is.
    task: whether lines of a task are; asked once for each. None: those of all tasks.
    since: lines before that moment are not.
    """

    def __init__(
        self,
        store: LogStore,
        wants: Callable[[Raw], bool] | None = None,
        *,
        task: Callable[[str], bool] | None = None,
        since: float = float("-inf"),
        most: int = MOST,
    ) -> None:
        self.found = Numbers()
        self._store, self._wants, self._task, self._since, self._most = store, wants, task, since, most
        self._up = self._down = store.count
        self._known = self._mask = 0
        self._passes: list[bool] = []

    @property
    def is_through(self) -> bool:
        """Whether it has looked at every line there is now."""
        return self._up >= self._store.count and self._is_at_the_beginning

    @property
    def _is_at_the_beginning(self) -> bool:
        return self._down <= self._store.first or len(self.found) >= self._most

    @property
    def left(self) -> int:
        """Lines that it has not looked at, in the past."""
        return 0 if self._is_at_the_beginning else self._down - self._store.first

    def step(self, limit: int) -> int:
        """Look at some `limit` lines; says how many were found before all others."""
        limit -= self._go_up(limit)
        return self._go_down(limit) if limit > 0 else 0

    def _learn_names(self) -> None:
        names = self._store.names
        if self._task is not None and len(names) != self._known:
            self._passes += [self._task(name) for name in names[self._known :]]
            self._known = len(self._passes)
            self._mask = mask_of(place for place, passes in enumerate(self._passes) if passes)

    def _may_have(self, block: int) -> bool:
        self._learn_names()
        return self._task is None or bool(self._mask & self._store.mask(block))

    def _is_wanted(self, raw: Raw) -> bool:
        if self._task is not None and (raw[1] >= self._known or not self._passes[raw[1]]):
            return False
        return raw[0] >= self._since and (self._wants is None or self._wants(raw))

    def _go_up(self, limit: int) -> int:
        looked, store = 0, self._store
        while looked < limit and self._up < store.count:
            block, place = divmod(self._up, BLOCK)
            lines = store.block(block) if self._may_have(block) else None
            end = block * BLOCK + (len(lines) if lines is not None else min(BLOCK, store.count - block * BLOCK))
            if end <= self._up:  # what was in it is lost
                end = min((block + 1) * BLOCK, store.count)
            self._learn_names()
            for number, raw in enumerate(lines[place:] if lines is not None else (), self._up):
                if self._is_wanted(raw):
                    self.found.append(number)
            looked += end - self._up
            self._up = end
        if len(self.found) > self._most * 1.1:
            self.found.forget(len(self.found) - self._most)
        return looked

    def _go_down(self, limit: int) -> int:
        looked = added = 0
        store = self._store
        while looked < limit and not self._is_at_the_beginning:
            block = (self._down - 1) // BLOCK
            begin = block * BLOCK
            if store.latest(block) < self._since:
                self._down = store.first
                break
            if self._may_have(block):
                lines = store.block(block)
                self._learn_names()
                for place in range(min(len(lines), self._down - begin) - 1, -1, -1):
                    if self._is_wanted(lines[place]):
                        self.found.prepend(begin + place)
                        added += 1
                looked += self._down - begin
            else:
                looked += 16  # as quick as so many lines
            self._down = begin
        return added
