"""One circuit breaker: a pure state machine that says who may pass, and learns from how attempts end.

Beside the computed state, which goes by what attempts came to and by time, a person may hold the breaker in a state: that
one is then in force, and the computed one goes on beside it as if only those had passed that it would have let through.

Its rules:

- An attempt counts for the state in which it began. One that began before the latest transition changes nothing, so a late
  success never closes a breaker and a late failure never opens one again.
- HALF_OPEN has one place. Whoever passes holds it until the attempt has ended, also when the breaker was tripped meanwhile:
  there are never two probes. Only a reset by hand gives the place up before its time.
- Failures are forgotten with every transition.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from dagtop.core.guards import Breaker, BreakerState
from dagtop.core.values import dataclass

#: Failures are counted to such a part of the window, so that a long window of a busy breaker stays small.
PARTS = 64

#: How many transitions a breaker remembers, and how much of a reason.
REMEMBERED, LONGEST_REASON = 20, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A breaker has moved, or somebody took hold of it, let it go, or gave it other settings."""

    at: float
    state: BreakerState | None
    """Where it is now; with `by_force` the state it is held in, None when it was let go; None as well with `changes`."""
    reason: str
    by_force: bool = False
    probe_due_at: float | None = None
    """When it is open: the moment of the first probe."""
    changes: Mapping[str, Any] | None = None
    """Settings that have been given other values while it was in use."""


@dataclass(eq=False, slots=True)
class Passage:
    """An attempt that was let through."""

    era: int
    """Which of the breaker's states it began in, counted from 0."""
    counts: bool
    """Whether the computed state would have let it through as well."""


@dataclass(slots=True)
class _Part:
    begun: float
    failures: int
    attempts: int


class Circuit:
    """One breaker. Times are seconds of any one clock."""

    def __init__(self, spec: Breaker) -> None:
        self.spec = spec
        self.computed = BreakerState.CLOSED
        self.forced: BreakerState | None = None
        self.successes = 0
        """Probes that succeeded since it was last half open."""
        self.opened_at: float | None = None
        """When it opened; None while it is closed."""
        self.trips = 0
        """How often it opened."""
        self.recent: deque[Transition] = deque(maxlen=REMEMBERED)
        self.news: list[Transition] = []
        """Transitions that nobody has taken yet; whoever takes them empties it."""
        self.changes = 0
        """Grows whenever anything of it changes that can be seen."""
        self._era = 0
        self._probe: Passage | None = None
        self._row = 0
        self._parts: deque[_Part] = deque()

    # -- what is asked ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> BreakerState:
        """The state in force."""
        return self.computed if self.forced is None else self.forced

    @property
    def probing(self) -> bool:
        """Whether somebody has the one place of HALF_OPEN."""
        return self._probe is not None

    @property
    def probe_due_at(self) -> float | None:
        """While the computed state is OPEN: when that ends."""
        if self.computed is BreakerState.OPEN and self.opened_at is not None:
            return self.opened_at + self.spec.recovery_timeout
        return None

    @property
    def is_untouched(self) -> bool:
        """Whether a new one would do as well."""
        return not (self.recent or self._row or self._parts)

    def failures(self, at: float) -> int:
        """Failures that count: in a row, or within the window."""
        if self.spec.window is None:
            return self._row
        oldest = at - self.spec.window
        return sum(part.failures for part in self._parts if part.begun > oldest)

    # -- attempts -----------------------------------------------------------------------------------------------------

    def advance(self, at: float) -> None:
        """Let time pass: OPEN becomes HALF_OPEN when the recovery timeout is over."""
        due = self.probe_due_at
        if due is not None and at >= due:
            self._become(BreakerState.HALF_OPEN, at, f"recovery_timeout of {self.spec.recovery_timeout:g} s is over")

    def enter(self, at: float) -> Passage | None:
        """Let an attempt through, if it may pass now."""
        if self.computed is BreakerState.OPEN:
            self.advance(at)
        in_force, computed = self.state, self.computed
        if in_force is BreakerState.OPEN or (in_force is BreakerState.HALF_OPEN and self._probe is not None):
            return None
        free = self._probe is None
        counts = computed is BreakerState.CLOSED or (computed is BreakerState.HALF_OPEN and free)
        passage = Passage(self._era, counts)
        if free and BreakerState.HALF_OPEN in (in_force, computed):
            self._probe = passage
            self.changes += 1
        return passage

    def leave(self, passage: Passage, ok: bool | None, at: float, reason: str) -> bool:
        """An attempt that had passed has ended; None: it neither succeeded nor failed. Whether the place is free again."""
        freed = passage is self._probe
        if freed:
            self._probe = None
            self.changes += 1
        if ok is not None and passage.counts and passage.era == self._era:
            if self.computed is BreakerState.HALF_OPEN:
                self._probe_ended(ok, at, reason)
            elif ok:
                self._succeeded(at)
            else:
                self._failed(at, reason)
        return freed

    def _succeeded(self, at: float) -> None:
        if self._row:
            self._row = 0
            self.changes += 1
        if self.spec.failure_rate is not None:
            self._count(at, failed=0)

    def _failed(self, at: float, reason: str) -> None:
        spec = self.spec
        self.changes += 1
        if spec.window is None:
            self._row += 1
            if self._row >= spec.failure_threshold:
                self._open(at, _because(f"{_failures(self._row)} in a row", reason))
            return
        self._count(at, failed=1)
        failed = sum(part.failures for part in self._parts)
        attempts = sum(part.attempts for part in self._parts)
        if failed >= spec.failure_threshold and (spec.failure_rate is None or failed / attempts >= spec.failure_rate):
            said = _failures(failed) if spec.failure_rate is None else f"{failed} of {attempts} attempts failed"
            self._open(at, _because(f"{said} within {spec.window:g} s", reason))

    def _count(self, at: float, *, failed: int) -> None:
        """Put an attempt into the window, and what has left the window out of it."""
        window = self.spec.window
        assert window is not None, "asked for only where there is one"
        parts = self._parts
        while parts and parts[0].begun <= at - window:
            parts.popleft()
        if parts and at - parts[-1].begun < window / PARTS:
            parts[-1].failures += failed
            parts[-1].attempts += 1
        else:
            parts.append(_Part(at, failed, 1))

    def _probe_ended(self, ok: bool, at: float, reason: str) -> None:
        self.changes += 1
        if not ok:
            self._open(at, _because("the probe failed", reason))
            return
        self.successes += 1
        if self.successes >= self.spec.success_threshold:
            n = self.successes
            self._become(BreakerState.CLOSED, at, "the probe succeeded" if n == 1 else f"{n} probes succeeded")

    # -- by hand ------------------------------------------------------------------------------------------------------

    def trip(self, at: float, reason: str) -> None:
        """Open it; the recovery timeout begins anew."""
        self._open(at, reason)

    def reset(self, at: float, reason: str) -> None:
        """Close it, and forget all failures."""
        if self.computed is not BreakerState.CLOSED:
            self._become(BreakerState.CLOSED, at, reason)
        self._row = 0
        self._parts.clear()
        self.changes += 1
        if self.state is BreakerState.CLOSED:
            self._probe = None

    def force(self, state: BreakerState | None, at: float, reason: str) -> None:
        """Hold it in a state, or let it go with None."""
        if state is self.forced:
            return
        self.forced = state
        self._note(Transition(at=at, state=state, reason=reason[:LONGEST_REASON], by_force=True))

    def respec(self, spec: Breaker) -> None:
        """Go by other settings from now on; the state stays."""
        if spec.window != self.spec.window:
            self._row = 0
            self._parts.clear()
        self.spec = spec
        self.changes += 1

    def change(self, spec: Breaker, changes: Mapping[str, Any], at: float, reason: str) -> None:
        """As `respec`, on a person's word: all that use it are told."""
        self.respec(spec)
        self._note(Transition(at=at, state=None, reason=reason[:LONGEST_REASON], changes=changes))

    # -- transitions --------------------------------------------------------------------------------------------------

    def _open(self, at: float, reason: str) -> None:
        self.opened_at = at
        self.trips += 1
        self._become(BreakerState.OPEN, at, reason)

    def _become(self, state: BreakerState, at: float, reason: str) -> None:
        self.computed = state
        self._era += 1
        self._row = 0
        self._parts.clear()
        self.successes = 0
        if state is BreakerState.CLOSED:
            self.opened_at = None
        self._note(Transition(at=at, state=state, reason=reason[:LONGEST_REASON], probe_due_at=self.probe_due_at))

    def _note(self, transition: Transition) -> None:
        self.changes += 1
        self.recent.append(transition)
        self.news.append(transition)


def _failures(count: int) -> str:
    return "1 failure" if count == 1 else f"{count} failures"


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what
