"""What a task that is ready waits for besides a slot: a breaker, its pool, a resource, a rate. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dagtop.core.breakers import BreakerView
from dagtop.core.guards import BreakerState
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE

from dagtop_app.text import clean, clock_left

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
    policy, limits = row.policy, snapshot.limits
    if policy.pool and (amount := limits.get(f"pool:{policy.pool}")) is not None and amount[0] >= amount[1]:
        yield f"waits for pool {clean(policy.pool, 80)}: {amount[0]} of {amount[1]} in use"
    for name, wanted in policy.resources.items():
        used, there = limits.get(f"resource:{name}", (0, wanted))
        if used + wanted > there:
            yield f"waits for {wanted} {clean(name, 80)}: {used} of {there} in use"
    view = breaker_of(snapshot, policy.circuit) if policy.circuit else None
    if view is not None and (
        view.state is BreakerState.OPEN or (view.state is BreakerState.HALF_OPEN and (view.probing or view.forced))
    ):
        yield breaker_text(snapshot, view)


def may_be_rated(snapshot: RunSnapshot, row: TaskRow) -> bool:
    """Whether all is free and it waits all the same: its pool has a rate, or a better task has the first claim."""
    return bool(row.policy.is_guarded) and busy(snapshot) < slots(snapshot)
