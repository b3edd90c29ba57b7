"""Track numbers for the vertical runs of a channel.

Hard orders are kept as given. Soft orders (of two runs side by side, the order with fewer crossings) come on top: in
a small channel heaviest first while they close no cycle, in a large one by a greedy linear order in the manner of
Eades, Lin and Smyth ("A fast and effective heuristic for the feedback arc set problem", 1993). Tracks are then
longest-path numbers; pairs that do not care only have to differ.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Protocol, TypeVar

from dagtop.core.values import dataclass

SMALL = 120
"""Up to this many runs soft orders are weighed one by one."""


class Run(Protocol):
    """A vertical run from row `low` to row `high`."""

    low: int
    high: int

    def crosses(self: R, right: R) -> int:
        """Crossings if this run stands left of `right`."""
        ...


R = TypeVar("R", bound=Run)


@dataclass(frozen=True, slots=True)
class _Wish:
    weight: int
    left: int
    right: int


def number_tracks(runs: Sequence[R], lefts: Sequence[set[int]]) -> list[int]:
    """A track for each run; `lefts`, what must stand left of it, has no cycle."""
    rights: list[list[int]] = [[] for _ in runs]
    for index, before in enumerate(lefts):
        for other in sorted(before):
            rights[other].append(index)
    apart, wishes = _weigh_pairs(runs, lefts)
    wishes.sort(key=lambda wish: -wish.weight)
    if len(runs) <= SMALL:
        _grant_one_by_one(rights, apart, wishes)
    else:
        place = _linear_order(rights, wishes)
        for wish in wishes:
            left, right = sorted((wish.left, wish.right), key=place.__getitem__)
            rights[left].append(right)
    return _longest_path(rights, apart)


def _weigh_pairs(runs: Sequence[R], lefts: Sequence[set[int]]) -> tuple[list[list[int]], list[_Wish]]:
    """Pairs of runs that share a row: those that only have to differ, and those with a preferred order."""
    apart: list[list[int]] = [[] for _ in runs]
    wishes: list[_Wish] = []
    active: list[int] = []
    for index in sorted(range(len(runs)), key=lambda index: runs[index].low):
        run = runs[index]
        active = [other for other in active if runs[other].high >= run.low]
        for other in active:
            if other in lefts[index] or index in lefts[other]:
                continue
            gain = runs[other].crosses(run) - run.crosses(runs[other])
            if gain > 0:
                wishes.append(_Wish(gain, index, other))
            elif gain < 0:
                wishes.append(_Wish(-gain, other, index))
            else:
                apart[index].append(other)
                apart[other].append(index)
        active.append(index)
    return apart, wishes


def _grant_one_by_one(rights: list[list[int]], apart: list[list[int]], wishes: Sequence[_Wish]) -> None:
    """Add each wish that closes no cycle; the others only have to differ. `after` is the transitive closure as bit
    sets."""
    after = [0] * len(rights)
    for left, targets in enumerate(rights):
        for right in targets:
            _close(after, left, right)
    for wish in wishes:
        if after[wish.right] >> wish.left & 1:
            apart[wish.left].append(wish.right)
            apart[wish.right].append(wish.left)
        else:
            rights[wish.left].append(wish.right)
            _close(after, wish.left, wish.right)


def _close(after: list[int], left: int, right: int) -> None:
    gained = after[right] | 1 << right
    if after[left] & gained == gained:
        return
    for index, bits in enumerate(after):
        if index == left or bits >> left & 1:
            after[index] = bits | gained


def _linear_order(rights: Sequence[Sequence[int]], wishes: Sequence[_Wish]) -> list[int]:
    """The place of each run in a line that keeps the hard orders and puts first what would rather be left."""
    pull = [0] * len(rights)
    for wish in wishes:
        pull[wish.left] -= 1
        pull[wish.right] += 1
    missing = _count_before(rights)
    ready = [(pull[index], index) for index, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    place = [0] * len(rights)
    number = 0
    while ready:
        _, index = heapq.heappop(ready)
        place[index] = number
        number += 1
        for other in rights[index]:
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(ready, (pull[other], other))
    return place


def _longest_path(rights: Sequence[Sequence[int]], apart: Sequence[Sequence[int]]) -> list[int]:
    missing = _count_before(rights)
    lowest = [0] * len(rights)
    tracks = [-1] * len(rights)
    ready = [index for index, count in enumerate(missing) if not count]
    for index in ready:
        track = lowest[index]
        taken = {tracks[other] for other in apart[index]}
        while track in taken:
            track += 1
        tracks[index] = track
        for other in rights[index]:
            lowest[other] = max(lowest[other], track + 1)
            missing[other] -= 1
            if not missing[other]:
                ready.append(other)
    return tracks


def _count_before(rights: Sequence[Sequence[int]]) -> list[int]:
    missing = [0] * len(rights)
    for targets in rights:
        for other in targets:
            missing[other] += 1
    return missing
