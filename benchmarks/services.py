"""Simulated services in virtual time for `adaptive.py`: what comes of an attempt, and when, given how many there are at once."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass(frozen=True)
class Job:
    """One attempt, as the service sees it. `work` is how long it takes when nothing is in its way."""

    kind: int
    work: float


def steady(seconds: float, kinds: int = 1) -> Callable[[random.Random], Job]:
    """Every job takes the same."""
    return lambda dice: Job(dice.randrange(kinds) if kinds > 1 else 0, seconds)


def spread(*seconds: float, sigma: float) -> Callable[[random.Random], Job]:
    """Kinds with these medians, log-normal around them."""

    def draw(dice: random.Random) -> Job:
        kind = dice.randrange(len(seconds))
        return Job(kind, seconds[kind] * math.exp(dice.gauss(0, sigma)))

    return draw


class Fixed:
    """Takes any load. The times of `slow` make it slower by a factor: [(from, to, factor)]."""

    def __init__(self, slow: list[tuple[float, float, float]] | None = None) -> None:
        self.slow = slow or []
        self.ends: list[tuple[float, int, bool]] = []
        self.dice = random.Random(7)

    def start(self, number: int, job: Job, at: float) -> None:
        factor = math.prod(f for begin, end, f in self.slow if begin <= at < end)
        heappush(self.ends, (at + job.work * factor, number, True))

    def next_end(self) -> float:
        return self.ends[0][0] if self.ends else math.inf

    def pop(self) -> tuple[int, bool]:
        _, number, ok = heappop(self.ends)
        return number, ok


class Buggy(Fixed):
    """Takes any load; a share of the jobs fails at their end, whatever the load."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def start(self, number: int, job: Job, at: float) -> None:
        heappush(self.ends, (at + job.work, number, self.dice.random() >= self.share))


@dataclass
class Capacity:
    """How many it can do at once, over time: [(from, k), …]."""

    steps: list[tuple[float, int]] = field(default_factory=list)

    def at(self, at: float) -> int:
        return [k for begin, k in self.steps if begin <= at][-1]


class Queueing(Fixed):
    """k servers and a queue before them, first come first served: beyond k it only takes longer."""

    def __init__(self, capacity: Capacity) -> None:
        super().__init__()
        self.capacity = capacity
        self.queue: list[tuple[int, Job]] = []

    def start(self, number: int, job: Job, at: float) -> None:
        self.queue.append((number, job))
        self._serve(at)

    def _serve(self, at: float) -> None:
        while self.queue and len(self.ends) < self.capacity.at(at):
            number, job = self.queue.pop(0)
            heappush(self.ends, (at + job.work, number, True))

    def pop(self) -> tuple[int, bool]:
        at, number, ok = heappop(self.ends)
        self._serve(at)
        return number, ok


class Sharing:
    """All jobs share k processors evenly, as threads share a lock or a disk: beyond k each is slower by in-flight / k."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.ends: list[tuple[float, int]] = []
        self.done = 0.0
        self.at = 0.0

    def _advance(self, at: float) -> None:
        self.done += (at - self.at) * self._speed()
        self.at = at

    def _speed(self) -> float:
        return min(1.0, self.capacity.at(self.at) / max(len(self.ends), 1))

    def start(self, number: int, job: Job, at: float) -> None:
        self._advance(at)
        heappush(self.ends, (self.done + job.work, number))

    def next_end(self) -> float:
        return self.at + (self.ends[0][0] - self.done) / self._speed() if self.ends else math.inf

    def pop(self) -> tuple[int, bool]:
        self._advance(self.next_end())
        return heappop(self.ends)[1], True


class Failing(Fixed):
    """Does k at once; what comes on top fails after `after` seconds (a refusal is quick, a timeout slow)."""

    def __init__(self, capacity: Capacity, after: float) -> None:
        super().__init__()
        self.capacity, self.after = capacity, after
        self.good = 0

    def start(self, number: int, job: Job, at: float) -> None:
        ok = self.good < self.capacity.at(at)
        self.good += ok
        heappush(self.ends, (at + (job.work if ok else self.after), number, ok))

    def pop(self) -> tuple[int, bool]:
        number, ok = super().pop()
        self.good -= ok
        return number, ok


class Crowded(Fixed):
    """Does k at once; when there are more, every one that starts fails after `after` seconds."""

    def __init__(self, capacity: Capacity, after: float) -> None:
        super().__init__()
        self.capacity, self.after = capacity, after

    def start(self, number: int, job: Job, at: float) -> None:
        ok = len(self.ends) < self.capacity.at(at)
        heappush(self.ends, (at + (job.work if ok else self.after), number, ok))


class Down(Fixed):
    """Fails everything from one time to another."""

    def __init__(self, begin: float, end: float, after: float) -> None:
        super().__init__()
        self.begin, self.end, self.after = begin, end, after

    def start(self, number: int, job: Job, at: float) -> None:
        ok = not self.begin <= at < self.end
        heappush(self.ends, (at + (job.work if ok else self.after), number, ok))
