"""A breaker against a naive one that keeps every attempt it ever saw, under whatever Hypothesis thinks of (B18, B19, B21)."""

from __future__ import annotations

from dataclasses import dataclass

from dagtop.core.breaker import Circuit, Passage
from dagtop.core.guards import Breaker, BreakerState
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN

whole = st.integers(1, 4)


@st.composite
def specs(draw: st.DrawFn) -> Breaker:
    window = draw(st.none() | st.integers(1, 12))
    return Breaker(
        "api",
        failure_threshold=draw(whole),
        success_threshold=draw(whole),
        recovery_timeout=draw(st.integers(0, 6)),
        window=window,
        failure_rate=draw(st.none() | st.sampled_from([0.25, 0.5, 0.75, 1.0])) if window is not None else None,
    )


@dataclass(eq=False)
class Out:
    """An attempt in progress, as the naive breaker remembers it."""

    real: Passage
    began_in: int
    would_pass: bool


class AgainstTheNaiveOne(RuleBasedStateMachine):
    """Times are whole seconds, so that no two moments share a part of a window."""

    @initialize(spec=specs())
    def begin(self, spec: Breaker) -> None:
        self.spec, self.real, self.now = spec, Circuit(spec), 0
        self.computed: BreakerState = CLOSED
        self.forced: BreakerState | None = None
        self.moves = 0
        self.opened_at = 0
        self.ends: list[tuple[int, bool]] = []
        """Attempts that counted since the latest transition."""
        self.out: list[Out] = []
        self.place: Out | None = None

    @property
    def in_force(self) -> BreakerState:
        return self.forced or self.computed

    def move(self, to: BreakerState) -> None:
        self.computed, self.ends = to, []
        self.moves += 1
        if to is OPEN:
            self.opened_at = self.now

    def pass_time(self) -> None:
        if self.computed is OPEN and self.now >= self.opened_at + self.spec.recovery_timeout:
            self.move(HALF_OPEN)

    @rule(seconds=st.integers(1, 8))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def look(self) -> None:
        self.real.advance(self.now)
        self.pass_time()

    @rule()
    def ask(self) -> None:
        passage = self.real.enter(self.now)
        self.pass_time()
        may = self.in_force is CLOSED or (self.in_force is HALF_OPEN and self.place is None)
        assert (passage is not None) == may
        if passage is None:
            return
        probe = HALF_OPEN in (self.in_force, self.computed) and self.place is None
        would = self.computed is CLOSED or (self.computed is HALF_OPEN and probe)
        self.out.append(Out(passage, self.moves, would))
        if probe:
            self.place = self.out[-1]

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0, 99), ok=st.sampled_from([True, False, False, None]))
    def end(self, which: int, ok: bool | None) -> None:
        attempt = self.out.pop(which % len(self.out))
        freed = self.real.leave(attempt.real, ok, self.now, "why")
        assert freed == (attempt is self.place)
        if freed:
            self.place = None
        if ok is None or not attempt.would_pass or attempt.began_in != self.moves:
            return
        self.ends.append((self.now, ok))
        if self.computed is HALF_OPEN:
            if not ok:
                self.move(OPEN)
            elif len(self.ends) >= self.spec.success_threshold:
                self.move(CLOSED)
        elif not ok and self.fails_too_much():
            self.move(OPEN)

    def fails_too_much(self) -> bool:
        spec = self.spec
        if spec.window is None:
            return self.row() >= spec.failure_threshold
        within = [ok for at, ok in self.ends if at > self.now - spec.window]
        failed = within.count(False)
        return failed >= spec.failure_threshold and failed / len(within) >= (spec.failure_rate or 0)

    def row(self) -> int:
        results = [ok for _, ok in self.ends]
        return results[::-1].index(True) if True in results else len(results)

    @rule()
    def trip(self) -> None:
        self.real.trip(self.now, "tripped")
        self.move(OPEN)

    @rule()
    def reset(self) -> None:
        self.real.reset(self.now, "reset")
        if self.computed is not CLOSED:
            self.move(CLOSED)
        self.ends = []
        if self.in_force is CLOSED:
            self.place = None

    @rule(state=st.sampled_from([CLOSED, OPEN, HALF_OPEN, None, None]))
    def force(self, state: BreakerState | None) -> None:
        self.real.force(state, self.now, "forced")
        self.forced = state

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "real"):
            return
        real = self.real
        assert (real.computed, real.state, real.probing) == (self.computed, self.in_force, self.place is not None)
        if self.computed is CLOSED:
            within = sum(not ok for at, ok in self.ends if at > self.now - (self.spec.window or 0))
            assert real.failures(self.now) == (self.row() if self.spec.window is None else within)
        if self.computed is HALF_OPEN:
            assert real.successes == len(self.ends)
        assert len([made for made in real.news if not made.by_force]) == self.moves, "every transition is told once"


AgainstTheNaiveOne.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestAgainstTheNaiveOne = AgainstTheNaiveOne.TestCase
