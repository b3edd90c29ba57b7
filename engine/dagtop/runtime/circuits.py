"""The breakers of a stored run, as far as the events tell of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dagtop.core.breakers import BreakerView, Moved
from dagtop.core.described import breaker_of
from dagtop.core.events import (
    BreakerChanged,
    BreakerClosed,
    BreakerEvent,
    BreakerForced,
    BreakerHalfOpened,
    BreakerOpened,
)
from dagtop.core.guards import BreakerState

#: Transitions of a breaker that are shown.
_RECENT = 20
_BREAKER_STATES: Mapping[type, BreakerState] = {
    BreakerOpened: BreakerState.OPEN,
    BreakerHalfOpened: BreakerState.HALF_OPEN,
    BreakerClosed: BreakerState.CLOSED,
}


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
