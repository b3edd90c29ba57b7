"""A stored run folded up to any of its events: the state that it had then.

Going forward takes events one after the other; going back begins at a checkpoint.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from dagtop.core.described import policies_of
from dagtop.core.events import AddedTask, AnyEvent, BreakerEvent, GraphChanged
from dagtop.core.growth import grown
from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan
from dagtop.core.states import ACTIVE
from dagtop.core.topology import topological_order
from dagtop.errors import IllegalTransitionError, JournalError
from dagtop.ports.journal import RunRecord, Session, StoredRun
from dagtop.runtime.checkpoints import Checkpoint, copied
from dagtop.runtime.circuits import Circuits
from dagtop.runtime.publisher import NOTHING, Publisher, SnapshotBox
from dagtop.runtime.reel import Reel


def plan_of(record: RunRecord) -> Plan:
    """The graph as the journal has it: without code."""
    names = tuple(record.names)
    upstream = [list(needed) if len(needed) < 2 else sorted(set(needed)) for needed in record.upstream]
    downstream: list[list[int]] = [[] for _ in names]
    for own, needed in enumerate(upstream):
        for above in needed:
            downstream[above].append(own)
    as_declared = all(needed[-1] < own for own, needed in enumerate(upstream) if needed)
    return Plan(
        name=record.graph,
        names=names,
        index={name: index for index, name in enumerate(names)},
        upstream=upstream,
        downstream=downstream,
        order=list(range(len(names))) if as_declared else topological_order(upstream, downstream),
        policies=policies_of(record.policies, record.policy, len(names)),
        nodes=frozenset(record.nodes),
    )


class Past:
    """One run, folded up to event `number`. Belongs to one thread.

    Parameters
    ----------
    stored: the run, or a reel of it that others use too.
    box: where snapshots of it are put; without one, nothing is told of what is seen.
    plan: the graph of its first record, if somebody has made that.
    """

    def __init__(self, stored: StoredRun | Reel, box: SnapshotBox | None = None, *, plan: Plan | None = None) -> None:
        self._reel = stored if isinstance(stored, Reel) else Reel(stored)
        self._sessions: Sequence[Session] = self._reel.stored.sessions
        self._publisher = Publisher(box or SnapshotBox())
        self._plans: dict[int, Plan] = {} if plan is None else {1: plan}
        self._told: Callable[[int, Sequence[AnyEvent]], None] | None = None
        self.begin()

    def watch_batches(self, take: Callable[[int, Sequence[AnyEvent]], None]) -> None:
        """From now on have `take` called with all that is taken."""
        self._told = take

    @property
    def first_plan(self) -> Plan:
        """The graph of its first record."""
        return self._plans[1]

    def begin(self) -> None:
        """Go back to before the first event."""
        first = self._sessions[0].record
        plan = self._plans.get(1)
        if plan is None:
            plan = self._plans[1] = plan_of(first)
        self.number, self.at = 0, 0.0
        self.ledger = Ledger(plan)
        self.ledger.run, self.ledger.started_at = first.run, first.started_at
        self.circuits = Circuits(first.setup.get("breakers", {}), [one.circuit for one in plan.policies if one.circuit])
        self._limits = _limits(first.setup)
        self._session = 1
        self._watch()
        self.publisher.take_notes(NOTHING)

    # -- forward -----------------------------------------------------------------------------------------------------

    def forward(self, *, number: int | None = None, at: float | None = None, most: int = 5_000) -> bool:
        """Take events up to that number, or up to that moment, but at most so many. True if nothing is left to take.

        Raises
        ------
        JournalError: what comes next cannot be read.
        """
        end = self.number + most if number is None else min(self.number + most, number)
        while self.number < end:
            while self.number >= self._end_of_session():  # one that told nothing
                self._go_on_in_the_next()
            first, events = self._reel.batch(self.number + 1)
            if not events:
                return True
            begun, last = self.number + 1, min(end, first + len(events) - 1, self._end_of_session())
            batch = events[begun - first : last - first + 1]
            later = _later(batch, at) if at is not None else None
            if later is not None:
                if later:
                    self._take(batch[:later])
                return True
            self._take(batch)
            if self.number == self._end_of_session():
                self._go_on_in_the_next()
        return number is not None and self.number >= number

    def _take(self, batch: Sequence[AnyEvent]) -> None:
        apply, take = self.ledger.apply, self.circuits.take
        try:
            for event in batch:
                apply(event)
                if isinstance(event, BreakerEvent):
                    take(event)
        except (KeyError, ValueError, IllegalTransitionError) as error:
            raise JournalError(f"the run cannot be replayed behind event {self.number:,}: {error}") from error
        self.publisher.record(self.number + 1, batch)
        if self._told is not None:
            self._told(self.number + 1, batch)
        self.number += len(batch)
        self.at = max(self.at, latest(batch))

    def _end_of_session(self) -> int:
        """Number of the last event of the process that has the run now."""
        return self._sessions[self._session].first - 1 if self._session < len(self._sessions) else sys.maxsize

    def _go_on_in_the_next(self) -> None:
        """Another process takes the run up, with the graph as that has it."""
        self._session += 1
        before, record = self._sessions[self._session - 2].record, self._sessions[self._session - 1].record
        ledger, plan = self.ledger, self._plans.get(self._session)
        if plan is None:
            plan = self._plans[self._session] = _went_on(ledger.plan, record)
        added = tuple(AddedTask(name) for name in plan.names[len(ledger.plan) :])
        kept = set(record.names)
        gone = tuple(name for name in before.names if name not in kept)
        ledger.next_plan = plan
        change = GraphChanged(self.at, "resumed", added=added, removed=gone)
        ledger.apply(change)
        self.publisher.record(self.number, [change])
        ledger.policies[:] = plan.policies
        self._limits = _limits(record.setup)

    # -- back --------------------------------------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        """All of it, to come back to."""
        circuits, notes = dict(self.circuits.views), self.publisher.notes()
        return Checkpoint(self.number, self.at, self._session, copied(self.ledger), circuits, dict(self._limits), notes)

    def back_to(self, checkpoint: Checkpoint) -> None:
        """Be as at the checkpoint, before or behind."""
        self.number, self.at, self._session = checkpoint.number, checkpoint.at, checkpoint.session
        self.ledger = copied(checkpoint.ledger)
        self.circuits = Circuits({}, ())
        self.circuits.views = dict(checkpoint.circuits)
        self._limits = dict(checkpoint.limits)
        self._watch()
        self.publisher.take_notes(checkpoint.notes)

    # -- what is seen ------------------------------------------------------------------------------------------------

    def show(self, at: float) -> None:
        """Put a snapshot into the box, as of `at`, which is not before the latest event."""
        self.publisher.publish(max(at, self.at))

    @property
    def publisher(self) -> Publisher:
        """What puts snapshots into the box."""
        return self._publisher

    def _watch(self) -> None:
        self._publisher.watch(self.ledger, self.circuits.seen, self._used)

    def _used(self) -> Mapping[str, tuple[int, int]]:
        """Pools and resources: how much is in use, of how much."""
        ledger, used = self.ledger, dict.fromkeys(self._limits, 0)
        if not used:
            return {}
        for index, state in enumerate(ledger.state):
            if state in ACTIVE and ledger.policies[index].is_guarded:
                policy = ledger.policies[index]
                for key, amount in (
                    (f"pool:{policy.pool}", 1),
                    *((f"resource:{name}", n) for name, n in policy.resources.items()),
                ):
                    if key in used:
                        used[key] += amount
        limits = {**self._limits, **{f"pool:{name}": limit for name, limit in ledger.pool_limits.items()}}
        return {key: (taken, limits[key]) for key, taken in used.items()}


_at: Callable[[AnyEvent], float] = attrgetter("at")


def latest(batch: Sequence[AnyEvent]) -> float:
    """When the latest of some events was: a line of output may be told behind what came after it."""
    return max(map(_at, batch))


def _later(batch: Sequence[AnyEvent], at: float) -> int | None:
    """Which of them is the first that is later; None if none is."""
    return next((place for place, event in enumerate(batch) if event.at > at), None)


def _limits(setup: Mapping[str, Any]) -> dict[str, int]:
    pools, resources = setup.get("pools", {}), setup.get("resources", {})
    return {f"pool:{name}": n for name, n in pools.items()} | {f"resource:{name}": n for name, n in resources.items()}


def _went_on(plan: Plan, record: RunRecord) -> Plan:
    """The plan of a run that another process took up: tasks keep their places, new ones come behind."""
    needs = {
        name: tuple(record.names[above] for above in upstream)
        for name, upstream in zip(record.names, record.upstream, strict=True)
    }
    policies = dict(zip(record.names, policies_of(record.policies, record.policy, len(record.names)), strict=True))
    added = [AddedTask(name, upstream) for name, upstream in needs.items() if name not in plan.index]
    rewired = {
        name: upstream
        for name, upstream in needs.items()
        if name in plan.index and {plan.names[above] for above in plan.upstream[plan.index[name]]} != set(upstream)
    }
    merged = grown(plan, added, rewired, policies)
    return dataclasses.replace(merged, nodes={merged.index[record.names[node]] for node in record.nodes})
