"""How long tasks usually take: what is kept of each session, and what follows from the latest of them.

A session is three columns by task: names (only their digest, most sessions of a graph have the same), a number for each
fingerprint, and the seconds that the successful attempt took. Columns of one roster lie side by side as they are, so that
ten runs of ten thousand tasks are compared in some 12 ms.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from math import ceil
from typing import NamedTuple

from dagtop.core.forecast import Usual

#: So many runs are looked at.
RUNS = 20
#: Of large graphs only so many that no more figures than this are looked at; but always so many runs.
FIGURES, FEWEST = 100_000, 3
#: Stands for "not known" among the seconds.
UNKNOWN = -1.0


class Timings(NamedTuple):
    """How long the tasks of one session took."""

    roster: bytes
    """Digest of the tasks' names, in order."""
    marks: bytes
    """8 bytes by task, from its fingerprint."""
    seconds: bytes
    """A 32-bit float by task; `UNKNOWN` for one without success. Both columns are little-endian."""


def timings_of(names: Sequence[str], fingerprints: Sequence[str], seconds: Iterable[float]) -> Timings:
    """Pack what one session took. Fingerprints may be missing for the last tasks."""
    marks = _marks(fingerprints) + bytes(8 * (len(names) - len(fingerprints)))
    return Timings(_roster(names), marks, _little(array("f", seconds)).tobytes())


def runs_to_look_at(tasks: int) -> int:
    """How many of the latest sessions are worth their time, for a graph of so many tasks."""
    return max(FEWEST, min(RUNS, FIGURES // max(1, tasks)))


def usual_of(
    names: Sequence[str],
    fingerprints: Sequence[str],
    sessions: Iterable[tuple[Timings, Callable[[], Sequence[str]]]],
) -> dict[str, Usual]:
    """What each task usually takes, for those of which that is known.

    Sessions in which the task had its present fingerprint decide; without any, all of them do.

    Parameters
    ----------
    sessions: timings, and how to find the names that they are of: asked for only where they are not `names`.
    """
    reader = _Reader(names, fingerprints)
    every: list[Sequence[float]] = []
    alike: list[Sequence[float]] = []
    for timings, names_of in sessions:
        columns = reader.columns(timings, names_of)
        if columns is not None:
            every.append(columns[0])
            alike.append(columns[1])
    usual: dict[str, Usual] = {}
    for index, (name, seconds) in enumerate(zip(names, zip(*alike, strict=True), strict=False)):
        known = sorted(seconds)
        if known[-1] < 0:
            known = sorted([column[index] for column in every])
            if known[-1] < 0:
                continue
        if known[0] < 0:
            del known[: bisect_left(known, 0.0)]
        n = len(known)
        usual[name] = Usual((known[(n - 1) // 2] + known[n // 2]) / 2, known[ceil(n * 0.95) - 1], n)
    return usual


class _Reader:
    """Brings sessions into the order of one graph's tasks. What many sessions have in common is worked out once."""

    def __init__(self, names: Sequence[str], fingerprints: Sequence[str]) -> None:
        self._names = names
        self._own = timings_of(names, fingerprints, ())
        self._order: dict[bytes, list[int] | None] = {}
        """By roster: where each of our tasks is in it, its length for one that it lacks; None if it is damaged."""
        self._changed: dict[tuple[bytes, bytes], list[int]] = {}
        """By roster and marks: our tasks that had another fingerprint."""

    def columns(
        self, timings: Timings, names_of: Callable[[], Sequence[str]]
    ) -> tuple[Sequence[float], Sequence[float]] | None:
        """(seconds by task, the same without tasks that had another fingerprint); None if the row is damaged."""
        n = len(timings.seconds) // 4
        if len(timings.seconds) != 4 * n or len(timings.marks) != 8 * n:
            return None  # a guess is not worth an error
        seconds: Sequence[float] = _little(array("f", timings.seconds))
        if timings.roster != self._own.roster:
            order = self._order_in(timings.roster, n, names_of)
            if order is None:
                return None
            theirs = [*seconds, UNKNOWN]
            seconds = [theirs[at] for at in order]
        elif n != len(self._names):
            return None
        if timings.marks == self._own.marks and timings.roster == self._own.roster:
            return seconds, seconds
        alike = list(seconds)
        for index in self._changed_in(timings):
            alike[index] = UNKNOWN
        return seconds, alike

    def _order_in(self, roster: bytes, n: int, names_of: Callable[[], Sequence[str]]) -> list[int] | None:
        if roster not in self._order:
            place = {name: index for index, name in enumerate(names_of())}
            self._order[roster] = [place.get(name, n) for name in self._names] if len(place) == n else None
        return self._order[roster]

    def _changed_in(self, timings: Timings) -> list[int]:
        key = timings.roster, timings.marks
        changed = self._changed.get(key)
        if changed is None:
            ours = memoryview(self._own.marks).cast("Q").tolist()
            theirs = [*memoryview(timings.marks).cast("Q").tolist(), 0]
            order = self._order.get(timings.roster) or range(len(ours))
            changed = [index for index, at in enumerate(order) if theirs[at] != ours[index]]
            self._changed[key] = changed
        return changed


def _roster(names: Sequence[str]) -> bytes:
    lengths = array("Q", map(len, names)).tobytes()
    return hashlib.blake2b("".join(names).encode("utf-8", "surrogatepass") + lengths, digest_size=16).digest()


def _marks(fingerprints: Sequence[str]) -> bytes:
    """Ours are 16 hexadecimal digits each; others (and a "" for none) are hashed down to that."""
    try:
        if set(map(len, fingerprints)) <= {16}:
            return bytes.fromhex("".join(fingerprints))
    except ValueError:
        pass
    return b"".join([hashlib.blake2b(one.encode("utf-8", "replace"), digest_size=8).digest() for one in fingerprints])


def _little(column: array[float]) -> array[float]:
    if sys.byteorder == "big":
        column.byteswap()
    return column
