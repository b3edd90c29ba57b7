"""The circuit breakers of the process: shared by every graph, run and engine thread that names them, and outliving runs.

The registry keeps the time of the process. A run asks through a `RunBreakers`, which ties its own seconds to that time when it
begins; so a run on a virtual clock is consistent in itself, and the registry's time never goes back behind what it was told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from math import ulp
from typing import Any

from dagtop.core.breaker import Circuit, Passage, Transition
from dagtop.core.breaker_settings import change_reason, changed_breaker, settings_of
from dagtop.core.breakers import BreakerView, event_of, force_reason, forced_state, view_of
from dagtop.core.events import AnyEvent
from dagtop.core.guards import Breaker, BreakerState
from dagtop.runtime.breaker_registry import REGISTRY, Entry, Registry


class RunBreakers:
    """The breakers of the process as one run asks them: a `dagtop.core.breakers.Breakers`.

    Everything but `hear` belongs to the run's thread.

    Parameters
    ----------
    specs: what the run declares, by name.
    on_moved: called with a name when somebody else has moved that breaker or given its probe back, in that one's thread.
    tell: called with a sentence when something is other than the run declared it.
    """

    def __init__(
        self,
        specs: Mapping[str, Breaker],
        *,
        on_moved: Callable[[str], None],
        tell: Callable[[str], None],
        registry: Registry | None = None,
    ) -> None:
        self._specs = specs
        self.wake = on_moved
        self._tell = tell
        self._registry = REGISTRY if registry is None else registry
        self._entries: dict[str, Entry] = {}
        self._passages: dict[tuple[str, int], Passage] = {}
        self._news: deque[tuple[str, Transition]] = deque()
        self._waits: set[str] = set()
        """Those that are open, and become half open by themselves."""
        self._views: dict[str, tuple[int, BreakerView]] = {}
        self._shown: tuple[BreakerView, ...] = ()
        self._zero = 0.0
        """The process's time when this run's seconds were 0."""
        self._uses = False
        self._claimed: set[str] = set()

    # -- the run ------------------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Have what this run declares count from this moment, if nobody else's does. The run begins later, in any thread."""
        if self._claimed or self._uses:
            return
        registry = self._registry
        for name in self._specs:
            with registry.lock:
                entry = registry.entry(name)
                before, problem = entry.circuit.spec, self._settle(entry)
                entry.claims += 1
                self._claimed.add(name)
                wake = entry.users.copy() if entry.circuit.spec != before else []  # it may recover at another time
            _wake_all(wake, name)
            if problem:
                self._tell(problem)

    def let_go(self) -> None:
        """What was claimed is not going to be used any more."""
        registry = self._registry
        with registry.lock:
            for name in self._claimed:
                entry = registry.entries[name]
                entry.claims -= 1
                registry.clear_away(name, entry)
            self._claimed.clear()

    def begin(self, at: float, names: Iterable[str] = ()) -> None:
        """The run is `at` so many of its seconds now. Take up what it declares and what its tasks name."""
        self._zero = self._registry.now() - at
        self._uses = True
        for name in dict.fromkeys([*self._specs, *names]):
            self._entry(name)

    @contextmanager
    def in_use(self, at: float, names: Iterable[str] = ()) -> Generator[None]:
        """From `begin` to `close`, however that comes."""
        self.begin(at, names)
        try:
            yield
        finally:
            self.close()

    def close(self) -> None:
        """The run is over, however: give back what its attempts still have."""
        registry, wake = self._registry, list[tuple[RunBreakers, str]]()
        with registry.lock:
            self._uses = False
            now = registry.now()
            for (name, _), passage in self._passages.items():
                entry = self._entries[name]
                freed = entry.circuit.leave(passage, None, now, "")
                wake += [(user, name) for user in registry.spread(name, entry, self, freed=freed)]
            self._passages.clear()
            for name, entry in self._entries.items():
                registry.leave(name, entry, self)
            self._entries.clear()
        for user, name in wake:
            user.wake(name)

    def hear(self, name: str, news: Iterable[Transition], *, waits: bool) -> None:
        """A breaker has moved. Called with the lock held, in any thread."""
        self._news.extend((name, made) for made in news)
        if waits:
            self._waits.add(name)
        else:
            self._waits.discard(name)

    # -- Breakers -----------------------------------------------------------------------------------------------------

    def spec(self, name: str) -> Breaker:
        """The settings in force. What becomes of a task at an open breaker is each run's own affair."""
        own = self._specs.get(name)
        with self._registry.lock:
            entry = self._entries.get(name) or self._registry.entries.get(name)
            shared = entry.circuit.spec if entry is not None else None
        if shared is None:
            return own if own is not None else Breaker(name)
        return shared if own is None or own.on_open is shared.on_open else replace(shared, on_open=own.on_open)

    def state(self, name: str, at: float) -> BreakerState:
        """The state in force."""
        entry, registry = self._entry(name), self._registry
        if entry is None:
            return BreakerState.CLOSED
        with registry.lock:
            entry.circuit.advance(self._time(at))
            state, wake = entry.circuit.state, registry.spread(name, entry, self)
        _wake_all(wake, name)
        return state

    def is_closed(self, name: str, at: float) -> bool:
        """Whether attempts go through freely."""
        return self.state(name, at) is BreakerState.CLOSED

    def may_pass(self, name: str, index: int, at: float) -> bool:
        """Let an attempt through, if it may pass."""
        entry, registry = self._entry(name), self._registry
        if entry is None:
            return False
        with registry.lock:
            passage = entry.circuit.enter(self._time(at))
            if passage is not None:
                self._passages[name, index] = passage
            wake = registry.spread(name, entry, self) if entry.circuit.news else ()
        _wake_all(wake, name)
        return passage is not None

    def ended(self, name: str, index: int, ok: bool | None, at: float, reason: str) -> None:
        """An attempt that had passed has ended."""
        passage = self._passages.pop((name, index), None)
        if passage is None:
            return
        entry, registry = self._entries[name], self._registry
        with registry.lock:
            freed = entry.circuit.leave(passage, ok, self._time(at), reason)
            wake = registry.spread(name, entry, self, freed=freed)
        _wake_all(wake, name)

    def trip(self, name: str, at: float, by: str) -> None:
        """Open it."""
        self._by_hand(name, lambda circuit: circuit.trip(self._time(at), f"tripped by {by}"))

    def reset(self, name: str, at: float, by: str) -> None:
        """Close it."""
        self._by_hand(name, lambda circuit: circuit.reset(self._time(at), f"reset by {by}"))

    def force(self, name: str, state: str, at: float, by: str) -> None:
        """Hold it, or let it go."""
        held = forced_state(state)
        self._by_hand(name, lambda circuit: circuit.force(held, self._time(at), force_reason(held, by)))

    def change(self, name: str, changes: Mapping[str, Any], at: float, by: str) -> None:
        """Give it other settings, for all that use it."""

        def move(circuit: Circuit) -> None:
            before = circuit.spec
            spec = changed_breaker(before, changes)
            circuit.change(spec, settings_of(spec, changes), self._time(at), change_reason(before, changes, by))

        self._by_hand(name, move)

    def moved(self, at: float) -> list[AnyEvent]:
        """Every transition since the last call. They are told as of now: a run's events are in the order of their times."""
        if not self._news and not self._waits:
            return []
        registry, wake = self._registry, list[tuple[RunBreakers, str]]()
        with registry.lock:
            now = self._time(at)
            for name in sorted(self._waits):
                entry = self._entries[name]
                entry.circuit.advance(now)
                wake += [(user, name) for user in registry.spread(name, entry, self)]
            news = [event_of(name, replace(made, at=now), at) for name, made in self._news]
            self._news.clear()
        for user, name in wake:
            user.wake(name)
        return news

    def next_due(self) -> float | None:
        """When the first of them becomes half open by itself."""
        if not self._waits:
            return None
        with self._registry.lock:
            dues = [self._entries[name].circuit.probe_due_at for name in self._waits]
        due = min((due for due in dues if due is not None), default=None)
        return None if due is None else self._not_before(due)

    def view(self, name: str, at: float) -> BreakerView:
        """What is seen of it."""
        spec = self.spec(name)
        with self._registry.lock:
            entry = self._entries.get(name) or self._registry.entries.get(name)
            circuit = entry.circuit if entry is not None else Circuit(spec)
            return view_of(name, spec, circuit, self._zero + at, self._zero)

    def names(self) -> Collection[str]:
        """Those that this run declares or has asked for."""
        return list(self._entries) or list(self._specs)

    def views(self, at: float) -> tuple[BreakerView, ...]:
        """All of them, in the order in which they were taken up; what has not changed is the same object as the last time."""
        if not self._entries:
            return self._shown
        with self._registry.lock:
            fresh: list[BreakerView] = []
            for name, entry in self._entries.items():
                circuit = entry.circuit
                known = self._views.get(name)
                if known is None or known[0] != circuit.changes or (circuit.spec.window and known[1].failures):
                    made = self.view(name, at)
                    known = circuit.changes, made if known is None or made != known[1] else known[1]
                    self._views[name] = known
                fresh.append(known[1])
        if len(fresh) != len(self._shown) or any(new is not old for new, old in zip(fresh, self._shown, strict=True)):
            self._shown = tuple(fresh)
        return self._shown

    # -- inside -------------------------------------------------------------------------------------------------------

    def _time(self, at: float) -> float:
        now = self._zero + at
        registry = self._registry
        registry.latest = max(registry.latest, now)
        return now

    def _not_before(self, due: float) -> float:
        """A moment of the process in this run's seconds, so that it has come when they have: sums of floats are rounded."""
        at = due - self._zero
        return at if self._zero + at >= due else at + ulp(due)

    def _by_hand(self, name: str, move: Callable[[Circuit], None]) -> None:
        entry, registry = self._entry(name), self._registry
        if entry is None:
            return
        with registry.lock:
            move(entry.circuit)
            wake = registry.spread(name, entry, self)
        _wake_all(wake, name)

    def _entry(self, name: str) -> Entry | None:
        """The breaker, which this run uses from now on; None outside the run."""
        entry = self._entries.get(name)
        if entry is not None or not self._uses:
            return entry
        registry = self._registry
        with registry.lock:
            entry = self._entries[name] = registry.entry(name)
            now, before = registry.now(), entry.circuit.spec
            problem = ""
            if name in self._claimed:
                self._claimed.remove(name)
                entry.claims -= 1
            else:
                problem = self._settle(entry)
            entry.circuit.advance(now)
            wake = registry.spread(name, entry, None)
            if entry.circuit.spec != before:
                wake = entry.users.copy()  # it may recover at another time
            entry.users.append(self)
            standing = _standing(entry.circuit, now)
            self.hear(name, standing, waits=entry.circuit.probe_due_at is not None)
        _wake_all(wake, name)
        if problem:
            self._tell(problem)
        return entry

    def _settle(self, entry: Entry) -> str:
        """Give the breaker the settings that this run declares, or say why not."""
        own = self._specs.get(entry.circuit.spec.name)
        if own is None:
            return ""
        shared = entry.circuit.spec
        same = replace(own, on_open=shared.on_open) == shared
        if not entry.is_declared:
            entry.is_declared = entry.was_declared = True
            if own != shared:
                entry.circuit.respec(own)
        elif not same:
            other = ", ".join(
                f"{item.name}={getattr(shared, item.name)!r}"
                for item in fields(shared)
                if item.name != "on_open" and getattr(shared, item.name) != getattr(own, item.name)
            )
            return (
                f"breaker {own.name!r} keeps what another run in progress has set ({other}): give it the same settings"
            )
        return ""


def _standing(circuit: Circuit, now: float) -> list[Transition]:
    """What a run must be told of a breaker that it comes to, if that is not as new."""
    told: list[Transition] = []
    last = next((made.reason for made in reversed(circuit.recent) if made.by_force), "")
    if circuit.computed is not BreakerState.CLOSED:
        reason = next((made.reason for made in reversed(circuit.recent) if made.state and not made.by_force), "")
        due = circuit.probe_due_at
        told.append(
            Transition(at=now, state=circuit.computed, reason=f"it was so before this run: {reason}", probe_due_at=due)
        )
    if circuit.forced is not None:
        told.append(
            Transition(at=now, state=circuit.forced, reason=f"it was so before this run: {last}", by_force=True)
        )
    return told


def _wake_all(runs: Iterable[RunBreakers], name: str) -> None:
    for run in runs:
        run.wake(name)
