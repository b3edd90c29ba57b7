"""How full the slots, pools and resources of a run were over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, RUN_OVER, TaskState
from dagtop.observe.load import Load
from dagtop.observe.story import Story

from dagtop_app.tasks.obstacles import slots
from dagtop_app.text import clean, name_of
from dagtop_app.timeline.bars import level_glyph
from dagtop_app.timeline.lens import Window

#: Changes of the load that are looked at in one drawing, so that none takes long.
_PIECE = 5_000


class Gauge(NamedTuple):
    """One line of it."""

    title: str
    cells: str
    notes: Sequence[str]
    """What is said of it, the longest first: the first that fits is shown."""


def amount(row: TaskRow, key: str) -> int:
    """How much of a pool ("pool:db") or resource ("resource:gpu") a task takes while it runs."""
    kind, _, name = key.partition(":")
    return int(row.policy.pool == name) if kind == "pool" else row.policy.resources.get(name, 0)


def _none(index: int) -> str:
    return ""


class Gauges:
    """Kept up with a story: pools, resources, and groups of tasks that are one row each."""

    def __init__(self) -> None:
        self._story: Story | None = None
        self._seen = 0
        """Changes of the story's load that were looked at, with those that it keeps no more."""
        self._loads: dict[str, Load] = {}
        self._groups: dict[str, Load] = {}
        self._folded: Collection[str] = ()

    def take(
        self, story: Story, snapshot: RunSnapshot, groups: Collection[str] = (), key_of: Callable[[int], str] = _none
    ) -> bool:
        """Look at what has changed; a bit at a time. True if nothing is left.

        Parameters
        ----------
        groups: keys of those that are one row.
        key_of: the group of a task by its place in the graph.
        """
        if story is not self._story or groups != self._folded:
            self._story, self._seen, self._loads, self._folded = story, 0, {}, groups
            self._groups = {key: Load() for key in groups}
        keys = list(snapshot.limits)
        if not keys and not groups:
            return True
        for key in keys:
            self._loads.setdefault(key, Load())
        load, index, rows = story.load, snapshot.plan.index, snapshot.rows
        when, who = load.at, load.who
        first = max(0, self._seen - load.dropped)
        last = min(len(who), first + _PIECE)
        for place in range(first, last):
            change = who[place]
            at = index.get(story.numbered(abs(change) - 1).name)
            if at is None or at >= len(rows):
                continue  # a task that has come since the snapshot was made
            if groups and (own := self._groups.get(key_of(at))) is not None:
                own.step(when[place], change)
            row = rows[at]
            if row.policy.pool or row.policy.resources:
                for key in keys:
                    if taken := amount(row, key):
                        self._loads[key].step(when[place], change, taken)
        self._seen = load.dropped + last
        return last == len(who)

    def group(self, key: str) -> Load:
        """How many tasks of a group ran at once."""
        return self._groups.get(key) or Load()

    def slots(self, story: Story, snapshot: RunSnapshot, window: Window) -> Gauge:
        """The slots of the run."""
        load, limit, at = story.load, max(1, slots(snapshot)), snapshot.at
        cells = levels(load, window, at, limit, _SlotLimits(story).at)
        since = story.sessions[-1] if story.sessions else 0.0
        idle = 1 - min(1.0, load.mean(since, at) / limit) if at > since else 0.0
        now = sum(snapshot.counts.get(state, 0) for state in ACTIVE)
        peak = f"peak {load.peak:,}"
        told = [f"now {now:,}", peak] if snapshot.state not in RUN_OVER else [peak]
        notes = (" · ".join([*told, f"idle {idle:.0%}"]), " · ".join(told), f"{now:,}/{limit:,}")
        return Gauge(f"slots of {limit:,}", cells, notes)

    def pools(self, snapshot: RunSnapshot, window: Window, most: int) -> list[Gauge]:
        """The pools and resources, of many the fullest, in the order in which they were declared."""
        keys = list(snapshot.limits)
        if len(keys) > most:
            share = {key: used / there if there else 0.0 for key, (used, there) in snapshot.limits.items()}
            fullest = sorted(keys, key=lambda key: (-share[key], key))[:most]
            keys = [key for key in keys if key in fullest]
        return [self._pool(snapshot, window, key) for key in keys]

    def _pool(self, snapshot: RunSnapshot, window: Window, key: str) -> Gauge:
        used, there = snapshot.limits[key]
        kind, _, name = key.partition(":")
        return Gauge(
            f"{'pool ' if kind == 'pool' else ''}{name_of(name, 60)} {there:,}",
            levels(self._loads.get(key) or Load(), window, snapshot.at, max(1, there)),
            (_who(snapshot, key) or f"{used:,} of {there:,}", f"{used:,}/{there:,}"),
        )


class _SlotLimits:
    """How many slots there were at any moment: `max_parallel`, or what an adaptive run allowed below that."""

    def __init__(self, story: Story) -> None:
        changes = [(one.at, False, one.limit) for one in story.limits.get("max_parallel", ())]
        changes += [(one.at, True, one.limit) for one in story.limits.get("window", ())]
        changes.sort()
        self._since: list[float] = []
        self._slots: list[int] = []
        most = window = 0
        for at, narrows, limit in changes:
            most, window = (most, limit) if narrows else (limit, limit)
            self._since.append(at)
            self._slots.append(min(most, window) if most else window)

    def at(self, moment: float) -> int | None:
        """At that moment; None if that is not known."""
        place = bisect_right(self._since, moment) - 1
        return self._slots[place] if place >= 0 else None


def levels(
    load: Load, window: Window, at: float, limit: int, limit_at: Callable[[float], int | None] | None = None
) -> str:
    """The mean of each cell, up to now, as a share of the limit, or of what that was then."""
    if not len(load):
        return " " * window.cells
    edges = [min(window.left + place * window.step, at) for place in range(window.cells + 1)]
    areas = [load.until(edge) for edge in edges]
    drawn: list[str] = []
    for place in range(window.cells):
        start, end = edges[place], edges[place + 1]
        if end <= start:
            drawn.append(" ")
            continue
        most = (limit_at(end) if limit_at is not None else None) or limit
        drawn.append(level_glyph((areas[place + 1] - areas[place]) / (end - start) / most))
    return "".join(drawn)


#: Where more tasks run than these it is not told who holds what.
_FEW = 2_000


def _who(snapshot: RunSnapshot, key: str) -> str:
    """Who holds a pool or resource, and who is next: "train_seg → train_ltv"; "" if that is too many."""
    counts = snapshot.counts
    if (
        counts.get(TaskState.READY, 0) + sum(counts.get(state, 0) for state in ACTIVE) > _FEW
        or len(snapshot.rows) > 20_000
    ):
        return ""
    holds: list[str] = []
    waits: list[TaskRow] = []
    for row in snapshot.rows:
        if row.state in ACTIVE and amount(row, key):
            holds.append(clean(row.name, 60))
        elif row.state is TaskState.READY and amount(row, key):
            waits.append(row)
    if not holds or len(holds) > 2:
        return ""
    told = ", ".join(holds)
    if waits:
        first = min(waits, key=lambda row: (row.ready_at or 0.0, row.index))
        told += f" → {name_of(first.name, 60)}" + (f" +{len(waits) - 1}" if len(waits) > 1 else "")
    return told
