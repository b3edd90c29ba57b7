"""Routing between two layers: which column each vertical run takes, and where the horizontal runs end.

This is the channel routing problem (Hashimoto and Stevens 1971; doglegs: Deutsch 1976), with one more aim: the
characters must read back to the same edges. What makes that certain:

* Carriers with equal target sets are one net; a net has one vertical run, or two if it takes a dogleg.
* *Hard order*: where the row of a source of A is the row of a target of B, A's run stands left of B's, else the two
  horizontals would lie on each other. A cycle of such orders is broken by a dogleg through a row nobody uses, if need
  be below the drawing.
* *Soft order*: of two runs side by side the cheaper order by crossings, as long as it fits the hard orders.
* Where several nets end in one row, each but the last ends in an arrow right before the next net's run: a merge, not
  a junction. The arrow needs a cell without a vertical; if there is none, the channel gets a spare column.

So a cell holds at most one horizontal and one vertical of different nets, and that is a crossing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import field
from itertools import count, pairwise

from dagtop.core.values import dataclass

from .tracks import number_tracks

STUB = 1
"""Free columns at either side of a channel."""


@dataclass(frozen=True, slots=True)
class Net:
    """A bus between two layers: every carrier on the left feeds every target on the right."""

    carriers: tuple[int, ...]
    targets: tuple[int, ...]
    source_rows: tuple[int, ...]
    target_rows: tuple[int, ...]
    """Both sorted."""


@dataclass(slots=True)
class Piece:
    """One vertical run of a net with the horizontals that end at it."""

    net: int
    sources: Sequence[int]
    """Rows of the horizontals on the left, sorted; for the second half of a dogleg the row it comes in on."""
    targets: Sequence[int]
    low: int = field(init=False)
    high: int = field(init=False)
    enters: int | None = None
    """The row shared with the first half of a dogleg."""
    leaves: int | None = None
    """The row shared with the second half of a dogleg."""
    column: int = -1
    """-1 for a straight line, which has no vertical run."""

    def __post_init__(self) -> None:
        self.low = min(self.sources[0], self.targets[0])
        self.high = max(self.sources[-1], self.targets[-1])

    def crosses(self, right: Piece) -> int:
        """Crossings if this run stands left of the run `right`."""
        ending = bisect_left(self.targets, right.high) - bisect_right(self.targets, right.low)
        starting = bisect_left(right.sources, self.high) - bisect_right(right.sources, self.low)
        return ending + starting


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """A routed channel; columns count from its left edge."""

    nets: tuple[Net, ...]
    pieces: tuple[Piece, ...]
    width: int
    arrows: dict[tuple[int, int], int]
    """(net, target row) -> column of the merge arrow; rows that run to the right edge are not listed."""
    doglegs: int
    unresolved: int
    """Runs that break a hard order. A count of what was drawn, not of what was meant: it should be 0."""


def route_channel(nets: Sequence[Net], height: int) -> Channel:
    """Route one channel; doglegs use rows below `height` only if all above are taken."""
    pieces = [Piece(number, net.source_rows, net.target_rows) for number, net in enumerate(nets)]
    bent = [piece for piece in pieces if piece.low != piece.high]
    straight = [piece for piece in pieces if piece.low == piece.high]
    if not bent:
        return Channel(tuple(nets), tuple(straight), 2 * STUB, {}, 0, 0)  # straight lines share no row
    used = {row for net in nets for rows in (net.source_rows, net.target_rows) for row in rows}
    lefts = _hard_order(bent)
    doomed = _break_cycles(bent, lefts)
    for index in doomed:
        piece = bent[index]
        row = _free_row(piece, used, height)
        used.add(row)
        bent[index] = Piece(piece.net, piece.sources, (row,), leaves=row)
        bent.append(Piece(piece.net, (row,), piece.targets, enters=row))
    if doomed:
        lefts = _hard_order(bent)
    tracks = number_tracks(bent, lefts)
    landings = _landings(straight, bent, tracks)
    columns = _space_out(bent, tracks, landings)
    for piece, track in zip(bent, tracks, strict=True):
        piece.column = columns[track]
    arrows = {
        (net, row): columns[following[0]] - 1
        for row, ends in landings.items()
        for (_, net), following in pairwise(ends)
    }
    unresolved = sum(1 for i, before in enumerate(lefts) if any(tracks[j] >= tracks[i] for j in before))
    return Channel(tuple(nets), (*straight, *bent), columns[-1] + 1 + STUB, arrows, len(doomed), unresolved)


def _hard_order(pieces: Sequence[Piece]) -> list[set[int]]:
    """For each piece those that must stand left of it."""
    by_source = {row: index for index, piece in enumerate(pieces) for row in piece.sources}
    lefts: list[set[int]] = [set() for _ in pieces]
    for index, piece in enumerate(pieces):
        for row in piece.targets:
            other = by_source.get(row)
            if other is None or other == index:
                continue
            if pieces[other].net != piece.net:
                lefts[index].add(other)
            elif row == piece.leaves:
                lefts[other].add(index)
    return lefts


def _break_cycles(pieces: Sequence[Piece], lefts: Sequence[set[int]]) -> list[int]:
    """Pieces without which the hard order has no cycle, short ones preferred (Kahn, restarted after each removal)."""
    rights: list[list[int]] = [[] for _ in pieces]
    for index, before in enumerate(lefts):
        for other in before:
            rights[other].append(index)
    missing = [len(before) for before in lefts]
    done = [False] * len(pieces)
    waiting = [index for index, count in enumerate(missing) if not count]
    doomed: list[int] = []
    start = 0
    while True:
        while waiting:
            index = waiting.pop()
            done[index] = True
            for other in rights[index]:
                missing[other] -= 1
                if not missing[other] and not done[other]:
                    waiting.append(other)
        while start < len(pieces) and done[start]:
            start += 1
        if start == len(pieces):
            return doomed
        cycle = _walk_to_cycle(start, lefts, done)
        victim = min(cycle, key=lambda index: (pieces[index].high - pieces[index].low, index))
        doomed.append(victim)
        waiting.append(victim)


def _walk_to_cycle(start: int, lefts: Sequence[set[int]], done: Sequence[bool]) -> list[int]:
    place: dict[int, int] = {}
    index = start
    while index not in place:
        place[index] = len(place)
        index = min(other for other in lefts[index] if not done[other])
    return list(place)[place[index] :]


def _free_row(piece: Piece, used: set[int], height: int) -> int:
    """The unused row nearest to the middle of the piece; if there is none, the first one below the drawing."""
    middle = (piece.low + piece.high) // 2
    for distance in range(height):
        for row in (middle - distance, middle + distance):
            if 0 <= row < height and row not in used:
                return row
    return next(row for row in count(height) if row not in used)


def _landings(
    straight: Sequence[Piece], bent: Sequence[Piece], tracks: Sequence[int]
) -> dict[int, list[tuple[int, int]]]:
    """Target row -> (track, net) of the nets that end in it, from left to right; a straight line has track -1."""
    landings: dict[int, list[tuple[int, int]]] = {}
    for piece in straight:
        landings.setdefault(piece.low, []).append((-1, piece.net))
    for piece, track in zip(bent, tracks, strict=True):
        for row in piece.targets:
            if row != piece.leaves:
                landings.setdefault(row, []).append((track, piece.net))
    for ends in landings.values():
        ends.sort()
    return landings


def _space_out(bent: Sequence[Piece], tracks: Sequence[int], landings: dict[int, list[tuple[int, int]]]) -> list[int]:
    """The column of each track, with a spare one before a track where an arrow would hit a vertical run."""
    runs: list[list[Piece]] = [[] for _ in range(max(tracks) + 1)]
    for piece, track in zip(bent, tracks, strict=True):
        runs[track].append(piece)
    spare = [False] * len(runs)
    for row, ends in landings.items():
        for track, _ in ends[1:]:
            if track > 0 and not spare[track]:
                spare[track] = any(run.low <= row <= run.high for run in runs[track - 1])
    columns: list[int] = []
    column = STUB - 1
    for wide in spare:
        column += 2 if wide else 1
        columns.append(column)
    return columns
