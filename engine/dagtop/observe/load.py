"""How many attempts went on at once, over time: found for any stretch of time without looking at what lies between."""

from __future__ import annotations

from array import array
from bisect import bisect_right

#: Changes that are kept at least.
CHANGES = 500_000


class Load:
    """A number that goes up and down, mostly by one, with the area under it.

    It is cheap to write down, and worked out when it is asked for: then `level[i]` is what it was after its i-th change, and
    `area[i]` the area up to then.

    Parameters
    ----------
    keep: changes that are kept at least.
    """

    __slots__ = ("_added", "_amounts", "_area", "_at", "_keep", "_last", "_level", "_now", "_peak", "dropped", "who")

    def __init__(self, keep: int = CHANGES) -> None:
        self.who: array[int] = array("i")
        """Whose change it was, from 1; below zero if it went down."""
        self.dropped = 0
        """Changes that are kept no more."""
        self._keep = keep
        self._amounts: dict[int, int] = {}
        """By number of the change: by how much, if not by one."""
        self._at: array[float] = array("d")
        self._level: array[int] = array("i")
        self._area: array[float] = array("d")
        self._added = self._last = 0.0
        self._now = self._peak = 0

    def step(self, at: float, who: int, amount: int = 1) -> None:
        """It goes up because of `who`, or down if that is below zero."""
        if amount != 1:
            self._amounts[self.dropped + len(self.who)] = amount
        self._at.append(at)
        self.who.append(who)

    def __len__(self) -> int:
        return len(self.who)

    @property
    def at(self) -> array[float]:
        """When it changed for the i-th time."""
        self.settle()
        return self._at

    @property
    def now(self) -> int:
        """What it is."""
        self.settle()
        return self._now

    @property
    def peak(self) -> int:
        """The most that it was."""
        self.settle()
        return self._peak

    def until(self, at: float) -> float:
        """The area up to a moment."""
        self.settle()
        place = bisect_right(self._at, at) - 1
        if place < 0:
            return self._area[0] if self._area else 0.0
        return self._area[place] + self._level[place] * (at - self._at[place])

    def mean(self, start: float, end: float) -> float:
        """What it was on average between two moments."""
        return (self.until(end) - self.until(start)) / (end - start) if end > start else float(self.level_at(start))

    def level_at(self, at: float) -> int:
        """What it was at a moment."""
        self.settle()
        place = bisect_right(self._at, at) - 1
        return self._level[place] if place >= 0 else 0

    def most(self, start: float, end: float) -> int:
        """The most that it was between two moments."""
        self.settle()
        first, last = bisect_right(self._at, start) - 1, bisect_right(self._at, end)
        return max(self._level[max(0, first) : last], default=0) if last > 0 else 0

    def settle(self) -> None:
        """Work out what was written down since the last time."""
        done, times, who = len(self._level), self._at, self.who
        if done == len(times):
            return
        now, last, area, peak = self._now, self._last, self._added, self._peak
        amounts, dropped = self._amounts, self.dropped
        add_level, add_area = self._level.append, self._area.append
        for place in range(done, len(times)):
            at = times[place]
            if at < last:
                at = times[place] = last
            area += now * (at - last)
            last = at
            by = amounts.pop(dropped + place, 1) if amounts else 1
            now += by if who[place] > 0 else -by
            if now > peak:  # noqa: PLR1730 - faster than max(), in a loop over all changes
                peak = now
            add_level(now)
            add_area(area)
        self._now, self._last, self._added, self._peak = now, last, area, peak
        if len(times) > 2 * self._keep:
            self._drop(len(times) - self._keep)

    def follow(self, other: Load, count: int) -> None:
        """Be as another one was after `count` of its changes, all of which it has, and has worked out."""
        done = len(self._level)
        if count <= done:
            return
        self.who += other.who[done:count]
        self._at += other._at[done:count]
        self._level += other._level[done:count]
        self._area += other._area[done:count]
        self._now, self._last, self._added = self._level[-1], self._at[-1], self._area[-1]
        most = max(self._level[done:count])
        self._peak = max(self._peak, most)

    def trim(self) -> None:
        """Let go of what is too old to be asked for."""
        if len(self.who) > 2 * self._keep:
            self.settle()

    def _drop(self, count: int) -> None:
        self.dropped += count
        del self._at[:count], self._level[:count], self._area[:count], self.who[:count]
