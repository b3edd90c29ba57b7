"""What a task that is ready waits for besides a slot: a breaker, its pool, a resource, a rate. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from dagtop.core.guards import BreakerState
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, TaskState

from dagtop_app.text import clean, clock_left

if TYPE_CHECKING:
    from dagtop.core.breakers import BreakerView

#: With more ready tasks than this it is not looked which of them has the first claim.
_LONGEST_LINE = 500

#: A state of a breaker as it is said in a sentence.
WORDS = {BreakerState.CLOSED: "closed", BreakerState.OPEN: "open", BreakerState.HALF_OPEN: "half-open"}


def busy(snapshot: RunSnapshot) -> int:
    """How many slots are taken."""
    return sum(snapshot.counts.get(state, 0) for state in ACTIVE)


def slots(snapshot: RunSnapshot) -> int:
    """How many slots there are now: `max_parallel`, or what an adaptive run allows below that."""
    return min(snapshot.window, snapshot.max_parallel) if snapshot.window else snapshot.max_parallel


def is_narrowed(snapshot: RunSnapshot) -> bool:
    """Whether an adaptive run allows less than `max_parallel` now."""
    return slots(snapshot) < snapshot.max_parallel


def slots_text(snapshot: RunSnapshot) -> str:
    """How the slots are taken: "8/8 slots busy"."""
    told = f"{busy(snapshot)}/{slots(snapshot)} slots busy"
    return f"{told} (adaptive, {snapshot.max_parallel} at most)" if is_narrowed(snapshot) else told


def breaker_of(snapshot: RunSnapshot, name: str) -> BreakerView | None:
    """The breaker of that name, if the run has one."""
    return next((view for view in snapshot.breakers if view.name == name), None)


def breaker_text(snapshot: RunSnapshot, view: BreakerView) -> str:
    """A breaker that is not closed, and when that changes: "breaker api is open: first probe in 12s"."""
    said = f"breaker {clean(view.name, 80)} is {WORDS[view.state]}"
    if view.forced is not None:
        return f"{said}: {forced_by(view)}"
    if view.state is BreakerState.OPEN and view.probe_due_at is not None:
        left = view.probe_due_at - snapshot.at
        return f"{said}: first probe {f'in {clock_left(left)}' if left > 0 else 'now'}"
    if view.state is BreakerState.HALF_OPEN:
        return f"{said}: {'one probe is under way' if view.probing else 'the next attempt is its probe'}"
    return said


def forced_by(view: BreakerView) -> str:
    """Who holds it, as the engine tells it."""
    reason = next((moved.reason for moved in reversed(view.recent) if moved.by_force), "")
    return clean(reason, 200) or "held by hand"


def obstacles(snapshot: RunSnapshot, row: TaskRow) -> Iterator[str]:
    """Everything that keeps a ready task from starting though there may be a free slot, in the order it is asked for."""
    for key, wanted, used, there in _missing(snapshot, row):
        kind, _, name = key.partition(":")
        what = f"pool {clean(name, 80)}" if kind == "pool" else f"{wanted} {clean(name, 80)}"
        yield f"waits for {what}: {used} of {there} in use"
    policy = row.policy
    view = breaker_of(snapshot, policy.circuit) if policy.circuit else None
    if view is not None and (
        view.state is BreakerState.OPEN or (view.state is BreakerState.HALF_OPEN and (view.probing or view.forced))
    ):
        yield breaker_text(snapshot, view)


def turn(snapshot: RunSnapshot, row: TaskRow) -> str:
    """Why a task waits for which nothing is missing, and no slot either: for a rate, or because another one has the first
    claim to what it needs; "" if neither can be."""
    if not row.policy.is_guarded or busy(snapshot) >= slots(snapshot):
        return ""
    short = _short(ById(snapshot)) if snapshot.counts.get(TaskState.READY, 0) <= _LONGEST_LINE else frozenset[str]()
    for key, _ in _needs(row):
        if key in short:
            used, there = snapshot.limits.get(key, (0, 0))
            return f"one before it needs more of {clean(key.partition(':')[2], 80)}: {used} of {there} in use"
    return f"waits for the rate of pool {clean(row.policy.pool, 80)}" if row.policy.pool else ""


def _needs(row: TaskRow) -> Iterator[tuple[str, int]]:
    if row.policy.pool:
        yield f"pool:{row.policy.pool}", 1
    for name, wanted in row.policy.resources.items():
        if wanted:
            yield f"resource:{name}", wanted


def _missing(snapshot: RunSnapshot, row: TaskRow) -> Iterator[tuple[str, int, int, int]]:
    """(key, wanted, in use, there) of what is short."""
    for key, wanted in _needs(row):
        used, there = snapshot.limits.get(key, (0, wanted))
        if used + wanted > there:
            yield key, wanted, used, there


class ById:
    """Makes a snapshot a key of a small cache: its rows are compared by identity."""

    def __init__(self, snapshot: RunSnapshot) -> None:
        self.snapshot = snapshot

    def __hash__(self) -> int:
        return self.snapshot.version

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ById)
            and other.snapshot.rows is self.snapshot.rows
            and other.snapshot.limits is self.snapshot.limits
        )


@lru_cache(maxsize=1)
def _short(key: ById) -> frozenset[str]:
    """What some ready task has too little of."""
    snapshot = key.snapshot
    ready = (row for row in snapshot.rows if row.state is TaskState.READY and row.policy.is_guarded)
    return frozenset(missing for row in ready for missing, *_ in _missing(snapshot, row))
