"""A stored run folded up to any of its events: the state that it had then, and the story so far.

Going forward takes events one after the other; going back begins at a checkpoint, of which there are some at regular distances.
"""

from __future__ import annotations

import dataclasses
import io
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from dagtop.core.breakers import BreakerView, Moved
from dagtop.core.described import breaker_of, policies_of
from dagtop.core.events import (
    AddedTask,
    AnyEvent,
    BreakerChanged,
    BreakerClosed,
    BreakerEvent,
    BreakerForced,
    BreakerHalfOpened,
    BreakerOpened,
    GraphChanged,
)
from dagtop.core.growth import grown
from dagtop.core.guards import BreakerState
from dagtop.core.ledger import Ledger
from dagtop.core.plan import EMPTY_PLAN, Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.states import ACTIVE
from dagtop.errors import IllegalTransitionError, JournalError
from dagtop.observe.story import Story
from dagtop.ports.journal import RunRecord, Session, StoredRun
from dagtop.runtime.publisher import Publisher, SnapshotBox

#: Transitions of a breaker that are shown.
_RECENT = 20
_BREAKER_STATES: Mapping[type, BreakerState] = {
    BreakerOpened: BreakerState.OPEN,
    BreakerHalfOpened: BreakerState.HALF_OPEN,
    BreakerClosed: BreakerState.CLOSED,
}


class Checkpoint(NamedTuple):
    """All of it after one event."""

    number: int
    """Of that event."""
    at: float
    state: bytes
    """Of this process only: the plans and policies in it are told by their place in `Past.things`."""


def plan_of(record: RunRecord) -> Plan:
    """The graph as the journal has it: without code."""
    added = [
        AddedTask(name, tuple(record.names[above] for above in upstream))
        for name, upstream in zip(record.names, record.upstream, strict=True)
    ]
    plan = grown(dataclasses.replace(EMPTY_PLAN, name=record.graph), added, {})
    policies = policies_of(record.policies, record.policy, len(record.names))
    return dataclasses.replace(plan, policies=policies, nodes=frozenset(record.nodes))


class Circuits:
    """The breakers of the run, as far as their transitions tell."""

    def __init__(self, specs: Mapping[str, Mapping[str, Any]], used: Sequence[str]) -> None:
        self.views = {name: _closed(name, specs.get(name, {})) for name in dict.fromkeys((*specs, *used))}

    def take(self, event: BreakerEvent) -> None:
        """A breaker moves."""
        view = self.views.get(event.breaker) or _closed(event.breaker, {})
        by_force = isinstance(event, BreakerForced)
        if isinstance(event, BreakerChanged):
            spec = dataclasses.replace(view.spec, **event.changes)
            changes: dict[str, Any] = {"spec": spec}
            if view.computed is BreakerState.OPEN and view.opened_at is not None:
                changes["probe_due_at"] = view.opened_at + spec.recovery_timeout
            to = ""
        elif isinstance(event, BreakerForced):
            forced = BreakerState(event.state) if event.state else None
            changes = {"forced": forced, "state": forced or view.computed}
            to = event.state
        else:
            state = _BREAKER_STATES[type(event)]
            due = event.at + event.probe_in if isinstance(event, BreakerOpened) else None
            opened = event.at if isinstance(event, BreakerOpened) else view.opened_at
            changes = {
                "computed": state,
                "state": view.forced or state,
                "probe_due_at": due,
                "opened_at": None if state is BreakerState.CLOSED else opened,
                "trips": view.trips + isinstance(event, BreakerOpened),
            }
            to = state.value
        recent = (*view.recent[-_RECENT + 1 :], Moved(event.at, to, event.reason, by_force))
        self.views[event.breaker] = msgspec.structs.replace(view, recent=recent, **changes)

    def seen(self, at: float) -> tuple[BreakerView, ...]:
        """All of them."""
        return tuple(self.views.values())


def _closed(name: str, told: Mapping[str, Any]) -> BreakerView:
    spec, closed = breaker_of(name, told), BreakerState.CLOSED
    return BreakerView(name=name, spec=spec, state=closed, computed=closed)


class Past:
    """One run, folded up to event `number`. Belongs to one thread.

    Parameters
    ----------
    stored: the run.
    box: where snapshots of it are put.
    """

    def __init__(self, stored: StoredRun, box: SnapshotBox | None = None) -> None:
        self._stored = stored
        self._sessions: Sequence[Session] = stored.sessions
        self._box = box or SnapshotBox()
        self.things: list[object] = []
        """Plans and policies, which never change and are not copied for a checkpoint."""
        self._places: dict[int, int] = {}
        self._plans: dict[int, Plan] = {}
        self._told: Callable[[int, Sequence[AnyEvent]], None] | None = None
        self.begin()

    def watch_batches(self, take: Callable[[int, Sequence[AnyEvent]], None]) -> None:
        """From now on have `take` called with all that is taken."""
        self._told = take

    def begin(self) -> None:
        """Go back to before the first event."""
        first = self._sessions[0].record
        plan = self._plans.setdefault(1, plan_of(first))
        self.number, self.at = 0, 0.0
        self.ledger = Ledger(plan)
        self.ledger.run, self.ledger.started_at = first.run, first.started_at
        self.story = Story()
        self.circuits = Circuits(first.setup.get("breakers", {}), [one.circuit for one in plan.policies if one.circuit])
        self._limits = _limits(first.setup)
        self._session = 1
        self._events: Iterator[AnyEvent] | None = None
        self._ahead: AnyEvent | None = None
        self._watch()

    # -- forward -----------------------------------------------------------------------------------------------------

    def forward(self, *, number: int | None = None, at: float | None = None, most: int = 5_000) -> bool:
        """Take events up to that number, or up to that moment, but at most so many. True if nothing is left to take.

        Raises
        ------
        JournalError: what comes next cannot be read.
        """
        batch: list[AnyEvent] = []
        last = self.number + most
        done = False
        while self.number + len(batch) < (last if number is None else min(last, number)):
            event = self._next()
            if event is None or (at is not None and event.at > at):
                self._ahead, done = event, True
                break
            batch.append(event)
            if self._starts_session(self.number + len(batch) + 1):
                break
        if batch:
            self._take(batch)
        if self._starts_session(self.number + 1):
            self._go_on_in_the_next()
        return done or (number is not None and self.number >= number)

    def _next(self) -> AnyEvent | None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead
        if self._events is None:
            self._events = iter(self._stored.events(self.number + 1))
        event = next(self._events, None)
        if event is None:
            self._events = None  # what the run adds is read from here on
        return event

    def _take(self, batch: list[AnyEvent]) -> None:
        ledger = self.ledger
        try:
            for event in batch:
                ledger.apply(event)
                if isinstance(event, BreakerEvent):
                    self.circuits.take(event)
        except (KeyError, ValueError, IllegalTransitionError) as error:
            raise JournalError(f"the run cannot be replayed behind event {self.number:,}: {error}") from error
        self.publisher.record(self.number + 1, batch)
        self.story.record(self.number + 1, batch)
        if self._told is not None:
            self._told(self.number + 1, batch)
        self.number += len(batch)
        self.at = max(self.at, batch[-1].at)

    def _starts_session(self, number: int) -> bool:
        return self._session < len(self._sessions) and self._sessions[self._session].first == number

    def _go_on_in_the_next(self) -> None:
        """Another process takes the run up, with the graph as that has it."""
        self._session += 1
        before, record = self._sessions[self._session - 2].record, self._sessions[self._session - 1].record
        ledger, plan = self.ledger, self._plans.get(self._session)
        if plan is None:
            plan = self._plans[self._session] = _went_on(ledger.plan, record)
        added = tuple(AddedTask(name) for name in plan.names[len(ledger.plan) :])
        gone = tuple(name for name in before.names if name not in set(record.names))
        ledger.next_plan = plan
        change = GraphChanged(self.at, "resumed", added=added, removed=gone)
        ledger.apply(change)
        self.publisher.record(self.number, [change])
        ledger.policies[:] = plan.policies
        self._limits = _limits(record.setup)

    # -- back --------------------------------------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        """All of it, to come back to."""
        self.story.catch_up()
        kept = io.BytesIO()
        pickler = pickle.Pickler(kept, pickle.HIGHEST_PROTOCOL)
        pickler.persistent_id = self._place  # type: ignore[method-assign]
        notes = self.publisher.notes()
        pickler.dump((self.ledger, self.story, self.circuits, self._limits, self._session, notes))
        return Checkpoint(self.number, self.at, kept.getvalue())

    def back_to(self, checkpoint: Checkpoint, things: Sequence[object]) -> None:
        """Be as at the checkpoint. `things` are those of whoever made it."""
        reader = pickle.Unpickler(io.BytesIO(checkpoint.state))
        reader.persistent_load = lambda place: things[place]  # type: ignore[method-assign]
        self.ledger, self.story, self.circuits, self._limits, self._session, notes = reader.load()
        self.number, self.at = checkpoint.number, checkpoint.at
        self._events = self._ahead = None
        self._watch()
        self.publisher.take_notes(notes)

    def _place(self, thing: object) -> int | None:
        if not isinstance(thing, (Plan, TaskPolicy)):
            return None
        place = self._places.get(id(thing))
        if place is None:
            place = self._places[id(thing)] = len(self.things)
            self.things.append(thing)
        return place

    # -- what is seen ------------------------------------------------------------------------------------------------

    def show(self, at: float) -> None:
        """Put a snapshot into the box, as of `at`, which is not before the latest event."""
        self.publisher.publish(max(at, self.at))

    def _watch(self) -> None:
        self.publisher = Publisher(self._box)
        self.publisher.watch(self.ledger, self.circuits.seen, self._used)

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
