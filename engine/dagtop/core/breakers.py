"""The circuit breakers of a run, as its machine asks them; what is seen of them; and those of a run that is alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from dagtop.core.breaker import Circuit, Passage, Transition
from dagtop.core.breaker_settings import change_reason, changed_breaker, settings_of
from dagtop.core.events import (
    AnyEvent,
    BreakerChanged,
    BreakerClosed,
    BreakerForced,
    BreakerHalfOpened,
    BreakerOpened,
)
from dagtop.core.guards import Breaker, BreakerState


class Moved(msgspec.Struct, frozen=True, gc=False):
    """One of the latest transitions of a breaker."""

    at: float
    state: str
    """Where it went; "" when it was let go, or only given other settings, which is not `by_force`."""
    reason: str
    by_force: bool = False
    """Whether `state` is the one that it is held in, not the computed one."""


class BreakerView(msgspec.Struct, frozen=True, kw_only=True):
    """One breaker at one moment. Times are those of whoever asked: seconds since the run began."""

    name: str
    spec: Breaker
    """The settings in force."""
    state: BreakerState
    """The state in force: the forced one if there is one, else the computed one."""
    computed: BreakerState
    """Where it is by itself."""
    forced: BreakerState | None = None
    """The state that a person holds it in."""
    failures: int = 0
    """Failures that count towards `spec.failure_threshold` now."""
    successes: int = 0
    """Probes that succeeded since it was last half open."""
    opened_at: float | None = None
    """When it opened; None while it is closed."""
    probe_due_at: float | None = None
    """While it is open by itself: when the first probe may come."""
    probing: bool = False
    """Whether an attempt has the one place of HALF_OPEN."""
    trips: int = 0
    """How often it has opened."""
    recent: tuple[Moved, ...] = ()
    """Its latest transitions, at most 20, oldest first."""


class Breakers(Protocol):
    """What the machine asks and tells. `at` is in seconds since the run began; a task is its index."""

    def spec(self, name: str) -> Breaker:
        """The settings in force for this run."""
        ...

    def state(self, name: str, at: float) -> BreakerState:
        """The state in force."""
        ...

    def may_pass(self, name: str, index: int, at: float) -> bool:
        """Whether an attempt may begin. If so it has passed, and `ended` must follow; half open it then has the one place."""
        ...

    def is_closed(self, name: str, at: float) -> bool:
        """Whether attempts go through freely."""
        ...

    def ended(self, name: str, index: int, ok: bool | None, at: float, reason: str) -> None:
        """An attempt that had passed has ended. `ok` None: it neither succeeded nor failed (cancelled, skipped)."""
        ...

    def trip(self, name: str, at: float, by: str) -> None:
        """Open it; the recovery timeout begins anew."""
        ...

    def reset(self, name: str, at: float, by: str) -> None:
        """Close it, and forget its failures."""
        ...

    def force(self, name: str, state: str, at: float, by: str) -> None:
        """Hold it in a state; "" lets it go."""
        ...

    def change(self, name: str, changes: Mapping[str, Any], at: float, by: str) -> None:
        """Give it other settings.

        Raises
        ------
        ValueError: one of them is out of its range.
        """
        ...

    def view(self, name: str, at: float) -> BreakerView:
        """What is seen of it."""
        ...

    def moved(self, at: float) -> list[AnyEvent]:
        """Every transition since the last call, by whomever, in order; those that come by the passing of time until `at` too."""
        ...

    def next_due(self) -> float | None:
        """When the first of them changes by the mere passing of time; None if none does."""
        ...

    def names(self) -> Collection[str]:
        """Those that this run declares or has asked for."""
        ...


def event_of(name: str, transition: Transition, at: float) -> AnyEvent:
    """A transition as an event."""
    reason = transition.reason
    if transition.changes is not None:
        return BreakerChanged(at, name, reason, dict(transition.changes))
    if transition.by_force:
        return BreakerForced(at, name, reason, transition.state.value if transition.state is not None else "")
    if transition.state is BreakerState.OPEN:
        due = transition.probe_due_at
        return BreakerOpened(at, name, reason, 0.0 if due is None else max(0.0, round(due - transition.at, 6)))
    if transition.state is BreakerState.HALF_OPEN:
        return BreakerHalfOpened(at, name, reason)
    return BreakerClosed(at, name, reason)


def view_of(name: str, spec: Breaker, circuit: Circuit, at: float, zero: float = 0.0) -> BreakerView:
    """What is seen of a breaker `at` a moment of its own clock, with times counted from `zero`."""
    opened, due = circuit.opened_at, circuit.probe_due_at
    return BreakerView(
        name=name,
        spec=spec,
        state=circuit.state,
        computed=circuit.computed,
        forced=circuit.forced,
        failures=circuit.failures(at),
        successes=circuit.successes,
        opened_at=None if opened is None else opened - zero,
        probe_due_at=None if due is None else due - zero,
        probing=circuit.probing,
        trips=circuit.trips,
        recent=tuple(
            Moved(made.at - zero, made.state.value if made.state is not None else "", made.reason, made.by_force)
            for made in circuit.recent
        ),
    )


def forced_state(state: str) -> BreakerState | None:
    """The state that a breaker is to be held in; None for "".

    Raises
    ------
    ValueError: there is no such state.
    """
    if not state:
        return None
    try:
        return BreakerState(state)
    except ValueError:
        known = ", ".join(repr(one.value) for one in BreakerState)
        raise ValueError(f'a breaker is held in {known}, or let go with "", not in {state!r}') from None


class LocalBreakers:
    """Breakers that nobody else uses: for a machine by itself, and for tests.

    Parameters
    ----------
    specs: those that are not made with the defaults, by name.
    """

    def __init__(self, specs: Mapping[str, Breaker] | None = None) -> None:
        self._circuits = {name: Circuit(spec) for name, spec in (specs or {}).items()}
        self._passages: dict[tuple[str, int], Passage] = {}
        self._news: list[AnyEvent] = []

    def _of(self, name: str) -> Circuit:
        circuit = self._circuits.get(name)
        if circuit is None:
            circuit = self._circuits[name] = Circuit(Breaker(name))
        return circuit

    def _take(self, name: str, circuit: Circuit) -> None:
        if circuit.news:
            self._news += [event_of(name, made, made.at) for made in circuit.news]
            circuit.news.clear()

    def spec(self, name: str) -> Breaker:
        """The settings."""
        return self._of(name).spec

    def state(self, name: str, at: float) -> BreakerState:
        """The state in force."""
        self._advance([name], at)
        return self._of(name).state

    def may_pass(self, name: str, index: int, at: float) -> bool:
        """Let an attempt through, if it may pass."""
        circuit = self._of(name)
        passage = circuit.enter(at)
        self._take(name, circuit)
        if passage is None:
            return False
        self._passages[name, index] = passage
        return True

    def is_closed(self, name: str, at: float) -> bool:
        """Whether attempts go through freely."""
        return self._of(name).state is BreakerState.CLOSED

    def ended(self, name: str, index: int, ok: bool | None, at: float, reason: str) -> None:
        """An attempt that had passed has ended."""
        passage = self._passages.pop((name, index), None)
        if passage is not None:
            circuit = self._of(name)
            circuit.leave(passage, ok, at, reason)
            self._take(name, circuit)

    def trip(self, name: str, at: float, by: str) -> None:
        """Open it."""
        self._of(name).trip(at, f"tripped by {by}")
        self._take(name, self._of(name))

    def reset(self, name: str, at: float, by: str) -> None:
        """Close it."""
        self._of(name).reset(at, f"reset by {by}")
        self._take(name, self._of(name))

    def force(self, name: str, state: str, at: float, by: str) -> None:
        """Hold it, or let it go."""
        held = forced_state(state)
        self._of(name).force(held, at, force_reason(held, by))
        self._take(name, self._of(name))

    def change(self, name: str, changes: Mapping[str, Any], at: float, by: str) -> None:
        """Give it other settings."""
        circuit = self._of(name)
        spec, told = changed_breaker(circuit.spec, changes), change_reason(circuit.spec, changes, by)
        circuit.change(spec, settings_of(spec, changes), at, told)
        self._take(name, circuit)

    def view(self, name: str, at: float) -> BreakerView:
        """What is seen of it."""
        circuit = self._of(name)
        return view_of(name, circuit.spec, circuit, at)

    def moved(self, at: float) -> list[AnyEvent]:
        """Every transition since the last call."""
        self._advance(self._circuits, at)
        news, self._news = self._news, []
        return news

    def next_due(self) -> float | None:
        """When the first of them becomes HALF_OPEN by itself."""
        dues = [due for circuit in self._circuits.values() if (due := circuit.probe_due_at) is not None]
        return min(dues, default=None)

    def names(self) -> Collection[str]:
        """All of them."""
        return list(self._circuits)

    def _advance(self, names: Iterable[str], at: float) -> None:
        for name in names:
            circuit = self._of(name)
            if circuit.probe_due_at is not None:
                circuit.advance(at)
                self._take(name, circuit)


def force_reason(state: BreakerState | None, by: str) -> str:
    """The reason that is told when somebody takes hold of a breaker, or lets it go."""
    return f"let go by {by}" if state is None else f"held {state.value.replace('_', '-')} by {by}"
