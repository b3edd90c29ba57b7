"""The circuit breakers of the process, each with the runs that use it. They outlive runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dagtop.core.breaker import Circuit
from dagtop.core.guards import Breaker, BreakerState

if TYPE_CHECKING:
    from dagtop.runtime.breakers import RunBreakers


class Entry:
    """One breaker, and the runs that use it."""

    __slots__ = ("circuit", "claims", "is_declared", "users", "was_declared")

    def __init__(self, spec: Breaker) -> None:
        self.circuit = Circuit(spec)
        self.users: list[RunBreakers] = []
        self.claims = 0
        """Runs that have given their settings and are about to use it."""
        self.is_declared = False
        """Whether a run that uses it has given its settings, or one before that while it was in use."""
        self.was_declared = False
        """Whether the settings are more than the defaults that a bare name gets."""


class Registry:
    """Every breaker of the process. Whoever touches an entry holds the lock.

    Parameters
    ----------
    clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.entries: dict[str, Entry] = {}
        self.lock = threading.RLock()  # a finalizer of the user's may come in while this thread holds it
        self.latest = 0.0
        """The latest time that a run has told: its clock may be a virtual one, ahead of ours."""

    def now(self) -> float:
        """The time of the process."""
        return max(self._clock(), self.latest)

    def entry(self, name: str) -> Entry:
        """A breaker, made with the defaults if there is none."""
        entry = self.entries.get(name)
        if entry is None:
            entry = self.entries[name] = Entry(Breaker(name))
        return entry

    def spread(self, name: str, entry: Entry, mover: RunBreakers | None, *, freed: bool = False) -> list[RunBreakers]:
        """Tell every run what the breaker has done; those that must be woken, once the lock is released, come back.

        `freed`: the one place of HALF_OPEN is free again, which is no transition.
        """
        circuit = entry.circuit
        if circuit.news:
            due = circuit.probe_due_at
            for user in entry.users:
                user.hear(name, circuit.news, waits=due is not None)
            circuit.news.clear()
        elif not (freed and circuit.state is BreakerState.HALF_OPEN):
            return []
        return [user for user in entry.users if user is not mover]

    def leave(self, name: str, entry: Entry, user: RunBreakers) -> None:
        """A run uses it no longer."""
        entry.users.remove(user)
        self.clear_away(name, entry)

    def clear_away(self, name: str, entry: Entry) -> None:
        """What nobody uses and has no story is not kept."""
        if not entry.users and not entry.claims:
            entry.is_declared = False
            if not entry.was_declared and entry.circuit.forced is None and entry.circuit.is_untouched:
                del self.entries[name]

    def after_fork(self) -> None:
        """In the child no run goes on, and nobody holds the lock."""
        self.__init__()  # type: ignore[misc]  # as new


#: The breakers of this process.
REGISTRY = Registry()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=REGISTRY.after_fork)
