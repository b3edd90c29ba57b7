"""What attempts have shown: how long they take and how many fail, and how far that may be chance."""

from __future__ import annotations

import math

#: Latency samples that are the least to decide by.
FEW = 10
#: Seconds that are added to every latency before they are compared: what is a millisecond more of nothing is not slower.
GRAIN = 0.002


class Usual:
    """How long the tasks of one kind take, as a logarithm; learned from its first attempts."""

    __slots__ = ("begun", "count", "first", "known", "learned", "log", "seconds")

    def __init__(self, begun: float) -> None:
        self.begun, self.count, self.log, self.seconds = begun, 0, 0.0, 0.0
        self.first = 0.0
        self.known = self.learned = False

    def learn(self, at: float, seconds: float, shift: float) -> None:
        """Those that end first are the quick ones: it is known when eight times their time has passed."""
        self.count += 1
        self.log += (math.log(seconds + GRAIN) - shift - self.log) / self.count
        self.seconds += (seconds - self.seconds) / self.count
        if self.count == FEW:
            self.first = self.log
        self.known = self.known or (self.count >= FEW and at >= self.begun + 8 * self.seconds)
        self.learned = at >= self.begun + 16 * self.seconds


class Sums:
    """Number, mean and spread of what was added."""

    __slots__ = ("n", "squares", "total")

    def __init__(self) -> None:
        self.n, self.total, self.squares = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.squares += value * value

    @property
    def mean(self) -> float:
        return self.total / self.n if self.n else 0.0

    @property
    def spread(self) -> float:
        """Standard deviation, never quite 0."""
        if self.n < 2:
            return 1.0
        return max(0.05, math.sqrt(max(0.0, (self.squares - self.total * self.mean) / (self.n - 1))))

    @property
    def error(self) -> float:
        """Of the mean."""
        return self.spread / math.sqrt(max(self.n, 1))


def at_most(share: float, tried: int) -> float:
    """So many failures of `tried` that chance explains them: the mean, three standard deviations, and one."""
    return share * tried + 3 * math.sqrt(tried * share * (1 - share)) + 1


def upper(failed: int, tried: int) -> float:
    """What the share may really be if so many of `tried` failed: two standard deviations more (Agresti and Coull 1998)."""
    share = (failed + 2) / (tried + 4)
    return share + 2 * math.sqrt(share * (1 - share) / (tried + 4))
