"""The checkpoints of a replay: those that were found in the journal, and those that it has made itself."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from itertools import pairwise

from dagtop.core.plan import Plan
from dagtop.ports.journal import StoredRun
from dagtop.runtime.checkpoint_codec import Codec
from dagtop.runtime.checkpoint_told import Outline
from dagtop.runtime.checkpoints import Checkpoint

#: Events between two checkpoints at first, and about how many rows all of them together may have.
SPACING, ROWS = 10_000, 4_000_000
#: Fewest and most checkpoints, whatever the number of tasks.
FEWEST, MOST = 12, 100
#: Events of a run from which on it is worth keeping them for the next replay.
WORTH = 20_000
#: Of those in the journal, how many are held in memory once they were read.
_READ = 6


class Shelf:
    """One thread puts checkpoints on it, another one takes them."""

    def __init__(self, stored: StoredRun, plan: Plan, *, spacing: int = SPACING) -> None:
        self._stored = stored
        self._codec = Codec(plan)
        self._made: dict[int, Checkpoint] = {}
        self._read: OrderedDict[int, Checkpoint] = OrderedDict()
        self._numbers: list[int] = []
        self.spacing = spacing
        """Events between two."""
        self._most = max(FEWEST, min(MOST, ROWS // max(1, len(plan))))
        self.outline: Outline | None = None
        """What was found out of the whole run, if that was kept."""
        self._open()

    def _open(self) -> None:
        numbers = [number for number in self._stored.checkpoints() if number > 0]
        kept = self._stored.checkpoint(0) if numbers else None
        last = self._stored.checkpoint(numbers[-1]) if numbers else None
        if kept is None or last is None:
            return
        outline = Outline.read(kept)
        final = self._codec.base_on(last)
        if outline is None or final is None:
            return
        self.outline, self._numbers = outline, numbers
        self.spacing = max(self.spacing, *(after - before for before, after in pairwise([0, *numbers])))
        self._made[final.number] = final

    @property
    def last(self) -> int:
        """Number of the last checkpoint; 0 if there is none."""
        return self._numbers[-1] if self._numbers else 0

    def wants(self, number: int) -> bool:
        """Whether it is time for one after that event."""
        return number - self.last >= self.spacing

    def before(self, number: int) -> Checkpoint | None:
        """The last one that is not behind event `number`."""
        while place := bisect_right(self._numbers, number):
            at = self._numbers[place - 1]
            found = self._made.get(at) or self._read.get(at) or self._fetch(at)
            if found is not None:
                return found
            self._numbers = [one for one in self._numbers if one != at]  # damaged, or gone
        return None

    def reach(self, number: int) -> int:
        """Number of the last one that is not behind event `number`; 0 if there is none."""
        place = bisect_right(self._numbers, number)
        return self._numbers[place - 1] if place else 0

    def put(self, checkpoint: Checkpoint) -> None:
        """Put one on it. If there are too many then, every second one goes."""
        self._made[checkpoint.number] = checkpoint
        numbers = list(self._numbers)
        if checkpoint.number not in numbers:
            insort(numbers, checkpoint.number)
        if len(numbers) > self._most:
            gone = set(numbers[-2::-2])
            numbers = [number for number in numbers if number not in gone]
            self.spacing *= 2
        self._numbers = numbers
        for number in [number for number in self._made if number not in numbers]:
            del self._made[number]

    def keep(self, outline: Outline) -> bool:
        """Keep them for the next replay. False if they cannot be kept."""
        all_of_them = [self._made.get(number) or self._fetch(number) for number in self._numbers]
        told = self._codec.encode_all([one for one in all_of_them if one is not None])
        return told is not None and self._stored.keep_checkpoints({0: outline.told(), **told})

    def _fetch(self, number: int) -> Checkpoint | None:
        kept = self._stored.checkpoint(number)
        found = self._codec.decode(kept) if kept is not None else None
        if found is None or found.number != number:
            return None
        self._read[number] = found
        if len(self._read) > _READ:
            self._read.popitem(last=False)
        return found
