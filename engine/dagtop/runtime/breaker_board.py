"""`dagtop.breakers`: the circuit breakers of the process, for code and tests."""

from __future__ import annotations

from collections.abc import Callable

from dagtop.core.breaker import Circuit
from dagtop.core.breakers import BreakerView, force_reason, forced_state, view_of
from dagtop.core.nearest import nearest
from dagtop.errors import DagtopError
from dagtop.runtime.breaker_registry import REGISTRY, Registry


class BreakerBoard:
    """Look at the breakers of the process, and move them; every run that uses one hears of it. From any thread.

    Times of what it shows are seconds from now: what was is negative.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = REGISTRY if registry is None else registry

    def list(self) -> tuple[BreakerView, ...]:
        """All of them, by name: those that runs in progress use or declare, and those with a story of earlier runs."""
        with self._registry.lock:
            return tuple(self.view(name) for name in sorted(self._registry.entries))

    def view(self, name: str) -> BreakerView:
        """One of them.

        Raises
        ------
        DagtopError: there is none of that name.
        """
        self._known(name)
        self._move(name, lambda _circuit, _now: None)
        registry = self._registry
        with registry.lock:
            circuit, now = registry.entry(name).circuit, registry.now()
            return view_of(name, circuit.spec, circuit, now, now)

    def trip(self, name: str, *, by: str = "code") -> None:
        """Open it; it recovers as if it had opened by itself. A name that nobody has used yet is open for the first run."""
        self._move(name, lambda circuit, now: circuit.trip(now, f"tripped by {by}"))

    def reset(self, name: str, *, by: str = "code") -> None:
        """Close it, and forget its failures.

        Raises
        ------
        DagtopError: there is none of that name.
        """
        self._known(name)
        self._move(name, lambda circuit, now: circuit.reset(now, f"reset by {by}"))

    def force(self, name: str, state: str, *, by: str = "code") -> None:
        """Hold it "open", "closed" or "half_open", whatever happens; "" lets it go.

        Raises
        ------
        ValueError: there is no such state.
        """
        held = forced_state(state)
        self._move(name, lambda circuit, now: circuit.force(held, now, force_reason(held, by)))

    def forget(self, name: str | None = None) -> None:
        """Drop a breaker with all its story, or with None all that no run in progress uses.

        Raises
        ------
        DagtopError: there is none of that name, or a run in progress uses it.
        """
        if name is not None:
            self._known(name)
        entries = self._registry.entries
        with self._registry.lock:
            for each in [name] if name is not None else [*entries]:
                entry = entries.get(each)
                if entry is not None and not entry.users and not entry.claims:
                    del entries[each]
                elif name is not None:
                    raise DagtopError(f"breaker {name!r} is used by a run in progress: reset it instead")

    def _known(self, name: str) -> None:
        if name not in self._registry.entries:
            raise DagtopError(f"there is no circuit breaker {name!r}{nearest(name, self._registry.entries.copy())}")

    def _move(self, name: str, move: Callable[[Circuit, float], None]) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"the name of a breaker must be a text that is not empty, not {name!r}")
        registry = self._registry
        with registry.lock:
            entry = registry.entry(name)
            now = registry.now()
            entry.circuit.advance(now)
            move(entry.circuit, now)
            wake = registry.spread(name, entry, None)
        for user in wake:
            user.wake(name)


#: The one of this process.
breakers = BreakerBoard()
