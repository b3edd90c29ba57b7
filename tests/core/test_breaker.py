"""One circuit breaker by itself (B18, B19, B21): when it opens, whom it lets through, what it learns from."""

from __future__ import annotations

from typing import Any

import pytest
from dagtop.core.breaker import PARTS, Circuit, Passage
from dagtop.core.breakers import LocalBreakers
from dagtop.core.events import AnyEvent
from dagtop.core.guards import Breaker, BreakerState

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def circuit(**settings: Any) -> Circuit:
    return Circuit(Breaker("api", **{"failure_threshold": 2, "recovery_timeout": 10.0, **settings}))


def through(breaker: Circuit, at: float) -> Passage:
    passage = breaker.enter(at)
    assert passage is not None, f"it lets nobody through at {at:g}"
    return passage


def attempt(breaker: Circuit, ok: bool | None, at: float) -> None:
    """An attempt that ends as soon as it began."""
    breaker.leave(through(breaker, at), ok, at, "" if ok else "down")


def opened(**settings: Any) -> Circuit:
    """One that opened at 0."""
    breaker = circuit(**settings)
    for _ in range(breaker.spec.failure_threshold):
        attempt(breaker, False, 0)
    assert breaker.computed is OPEN
    return breaker


class TestOpening:
    def test_B18_it_opens_after_as_many_failures_in_a_row_as_its_threshold(self) -> None:
        breaker = circuit(failure_threshold=3)
        for _ in range(2):
            attempt(breaker, False, 0)
        assert (breaker.state, breaker.failures(0)) == (CLOSED, 2)
        attempt(breaker, False, 0)
        assert breaker.state is OPEN
        assert breaker.enter(9.999) is None

    def test_B18_a_success_ends_the_row(self) -> None:
        breaker = circuit()
        for ok in (False, True, False, True, False):
            attempt(breaker, ok, 0)
        assert (breaker.state, breaker.failures(0)) == (CLOSED, 1)

    def test_B18_what_neither_succeeded_nor_failed_counts_for_nothing(self) -> None:
        breaker = circuit()
        for ok in (False, None, None):
            attempt(breaker, ok, 0)
        assert breaker.failures(0) == 1
        attempt(breaker, False, 0)
        assert breaker.state is OPEN

    def test_B18_with_a_window_failures_count_that_are_not_in_a_row(self) -> None:
        breaker = circuit(failure_threshold=3, window=10)
        for at, ok in ((0, False), (1, True), (2, False), (3, True)):
            attempt(breaker, ok, at)
        assert breaker.state is CLOSED
        attempt(breaker, False, 9)
        assert breaker.state is OPEN

    def test_B18_failures_that_have_left_the_window_count_no_more(self) -> None:
        breaker = circuit(window=10)
        for at in (0, 10, 20, 30):
            attempt(breaker, False, at)
        assert (breaker.state, breaker.failures(30), breaker.failures(40)) == (CLOSED, 1, 0)
        attempt(breaker, False, 39)
        assert breaker.state is OPEN

    def test_B18_with_a_rate_that_share_of_the_attempts_must_have_failed_too(self) -> None:
        breaker = circuit(failure_threshold=3, window=100, failure_rate=0.5)
        for at, ok in enumerate([True, True, True, True, False, False, False]):
            attempt(breaker, ok, at)
        assert breaker.state is CLOSED, "3 of 7"
        attempt(breaker, False, 7)
        assert breaker.state is OPEN, "4 of 8"
        assert breaker.recent[-1].reason == "4 of 8 attempts failed within 100 s: down"

    def test_B18_a_rate_is_reached_exactly_although_floats_are_not_exact(self) -> None:
        exact = circuit(failure_threshold=3, window=100, failure_rate=0.1)
        for _ in range(27):
            attempt(exact, True, 0)
        for _ in range(3):
            attempt(exact, False, 0)
        assert exact.state is OPEN, "3 of 30"

    def test_a_busy_window_stays_small(self) -> None:
        breaker = circuit(failure_threshold=100_000, window=10, failure_rate=1.0)
        for n in range(20_000):
            attempt(breaker, n % 2 == 0, n / 1_000)
        assert len(breaker._parts) <= PARTS + 1
        assert 4_800 <= breaker.failures(20) <= 5_000

    def test_time_that_goes_back_a_little_is_taken_as_it_comes(self) -> None:
        """Two threads take the time and then the lock, in whatever order."""
        breaker = circuit(failure_threshold=3, window=10)
        for at in (5.0, 4.9, 5.1):
            attempt(breaker, False, at)
        assert breaker.state is OPEN


class TestRecovery:
    def test_B18_it_is_half_open_when_the_recovery_timeout_is_over_not_before(self) -> None:
        breaker = opened()
        breaker.advance(9.999)
        assert breaker.state is OPEN
        assert breaker.probe_due_at == 10
        breaker.advance(10)
        assert (breaker.state, breaker.probe_due_at) == (HALF_OPEN, None)

    def test_B18_as_many_probes_as_its_threshold_close_it(self) -> None:
        breaker = opened(success_threshold=2)
        attempt(breaker, True, 10)
        assert (breaker.state, breaker.successes) == (HALF_OPEN, 1)
        attempt(breaker, True, 11)
        assert (breaker.state, breaker.opened_at) == (CLOSED, None)

    def test_B18_one_failed_probe_opens_it_again_for_the_whole_recovery_timeout(self) -> None:
        breaker = opened(success_threshold=2)
        attempt(breaker, True, 10)
        attempt(breaker, False, 12)
        assert (breaker.state, breaker.probe_due_at, breaker.trips) == (OPEN, 22, 2)
        assert breaker.enter(21.9) is None
        attempt(breaker, True, 22)
        assert (breaker.state, breaker.successes) == (HALF_OPEN, 1), "it begins to count anew"

    def test_B18_without_a_recovery_timeout_the_next_attempt_is_the_probe(self) -> None:
        breaker = opened(recovery_timeout=0)
        probe = through(breaker, 0)
        assert (breaker.state, breaker.enter(0)) == (HALF_OPEN, None)
        breaker.leave(probe, True, 0, "")
        assert breaker.state is CLOSED

    def test_B18_failures_of_before_are_forgotten_when_it_closes(self) -> None:
        breaker = opened()
        attempt(breaker, True, 10)
        attempt(breaker, False, 11)
        assert (breaker.state, breaker.failures(11)) == (CLOSED, 1)


class TestTheOnePlace:
    def test_B19_half_open_lets_exactly_one_through_however_many_ask(self) -> None:
        breaker = opened()
        assert [breaker.enter(10) is not None for _ in range(8)] == [True] + [False] * 7

    def test_B19_the_next_probe_comes_when_the_last_has_ended(self) -> None:
        breaker = opened(success_threshold=3)
        for at in (10, 11):
            probe = through(breaker, at)
            assert breaker.enter(at) is None
            assert breaker.leave(probe, True, at, ""), "it says that the place is free"

    def test_B19_a_probe_that_is_cancelled_gives_the_place_back_and_proves_nothing(self) -> None:
        breaker = opened()
        probe = through(breaker, 10)
        assert breaker.leave(probe, None, 11, "")
        assert (breaker.state, breaker.successes) == (HALF_OPEN, 0)
        attempt(breaker, True, 12)
        assert breaker.state is CLOSED

    def test_B19_a_late_success_neither_closes_it_nor_takes_the_place(self) -> None:
        breaker = circuit()
        late = [through(breaker, 0) for _ in range(3)]
        for _ in range(2):
            attempt(breaker, False, 0)
        assert not breaker.leave(late[0], True, 5, "")
        assert breaker.state is OPEN
        probe = through(breaker, 10)
        assert not breaker.leave(late[1], True, 11, "")
        assert (breaker.state, breaker.successes, breaker.enter(11)) == (HALF_OPEN, 0, None)
        breaker.leave(probe, True, 12, "")
        assert breaker.state is CLOSED

    def test_B19_a_late_failure_does_not_open_it_again_nor_put_the_probe_off(self) -> None:
        breaker = circuit(failure_threshold=1)
        late = [through(breaker, 0) for _ in range(3)]
        attempt(breaker, False, 0)
        breaker.leave(late[0], False, 9, "down")
        assert breaker.probe_due_at == 10
        probe = through(breaker, 10)
        breaker.leave(late[1], False, 10, "down")
        assert breaker.state is HALF_OPEN
        breaker.leave(probe, True, 11, "")
        breaker.leave(late[2], False, 12, "down")
        assert (breaker.state, breaker.failures(12)) == (CLOSED, 0)

    def test_B19_a_breaker_tripped_while_a_probe_is_out_waits_for_its_end_before_the_next(self) -> None:
        breaker = opened()
        probe = through(breaker, 10)
        breaker.trip(11, "tripped by hand")
        assert breaker.enter(21) is None
        assert breaker.state is HALF_OPEN
        assert breaker.leave(probe, True, 22, ""), "it is late: it proves nothing, and makes room"
        assert (breaker.state, breaker.successes) == (HALF_OPEN, 0)
        attempt(breaker, True, 23)
        assert breaker.state is CLOSED

    def test_a_reset_makes_the_place_free_at_once(self) -> None:
        breaker = opened()
        lost = through(breaker, 10)
        breaker.reset(11, "reset by hand")
        assert (breaker.state, breaker.probing) == (CLOSED, False)
        breaker.trip(11, "tripped by hand")
        probe = through(breaker, 21)
        assert not breaker.leave(lost, False, 22, "down")
        assert breaker.probing
        breaker.leave(probe, True, 22, "")
        assert breaker.state is CLOSED


class TestByHand:
    def test_B21_trip_opens_it_and_it_recovers_as_if_by_itself(self) -> None:
        breaker = circuit()
        breaker.trip(5, "tripped by hand")
        assert (breaker.state, breaker.probe_due_at) == (OPEN, 15)
        breaker.trip(8, "tripped by hand")
        assert (breaker.state, breaker.probe_due_at) == (OPEN, 18), "once more, from now"
        attempt(breaker, True, 18)
        assert breaker.state is CLOSED

    def test_B21_reset_closes_it_and_forgets_its_failures(self) -> None:
        breaker = opened()
        breaker.reset(1, "reset by hand")
        attempt(breaker, False, 1)
        assert (breaker.state, breaker.failures(1)) == (CLOSED, 1)
        breaker.reset(1, "reset by hand")
        assert breaker.failures(1) == 0

    def test_B21_held_open_it_lets_nobody_through_and_goes_on_beside_it(self) -> None:
        breaker = opened()
        breaker.force(OPEN, 1, "held open by hand")
        assert breaker.enter(100) is None
        assert (breaker.state, breaker.computed) == (OPEN, HALF_OPEN)
        breaker.force(None, 101, "let go by hand")
        assert breaker.state is HALF_OPEN

    def test_B21_held_closed_it_lets_all_through_and_learns_from_those_it_would_have_let_through(self) -> None:
        breaker = circuit()
        breaker.force(CLOSED, 0, "held closed by hand")
        for _ in range(2):
            attempt(breaker, False, 0)
        assert (breaker.state, breaker.computed) == (CLOSED, OPEN)
        attempt(breaker, True, 5)
        assert breaker.computed is OPEN, "by itself it would have let nobody through then"
        first, second = through(breaker, 10), through(breaker, 10)
        breaker.leave(second, True, 11, "")
        assert breaker.computed is HALF_OPEN, "the second would have had to wait"
        breaker.leave(first, True, 12, "")
        assert breaker.computed is CLOSED

    def test_B21_held_half_open_it_lets_single_probes_through(self) -> None:
        breaker = circuit()
        breaker.force(HALF_OPEN, 0, "held half-open by hand")
        probe = through(breaker, 0)
        assert breaker.enter(0) is None
        breaker.leave(probe, True, 1, "")
        breaker.leave(through(breaker, 1), False, 2, "down")
        assert (breaker.state, breaker.computed, breaker.failures(2)) == (HALF_OPEN, CLOSED, 1)
        breaker.leave(through(breaker, 2), False, 3, "down")
        assert (breaker.state, breaker.computed) == (HALF_OPEN, OPEN)
        assert breaker.enter(4) is not None, "it is held half open, although it is open by itself"

    def test_B19_letting_go_of_a_breaker_lets_no_second_probe_through(self) -> None:
        breaker = opened()
        breaker.force(HALF_OPEN, 1, "held half-open by hand")
        through(breaker, 1)
        breaker.advance(10)
        breaker.force(None, 10, "let go by hand")
        assert (breaker.state, breaker.enter(10)) == (HALF_OPEN, None)

    def test_holding_it_as_it_is_held_or_letting_go_what_is_not_held_is_no_transition(self) -> None:
        breaker = circuit()
        breaker.force(None, 0, "let go by hand")
        breaker.force(OPEN, 0, "held open by hand")
        breaker.force(OPEN, 1, "held open by hand")
        breaker.reset(2, "reset by hand")
        assert [(made.state, made.by_force) for made in breaker.news] == [(OPEN, True)]


def told(event: AnyEvent) -> tuple[str, float, str]:
    return event.type.removeprefix("breaker."), event.at, getattr(event, "state", "") or getattr(event, "reason", "")


class TestTheBreakersOfARun:
    def test_B21_every_transition_is_an_event_in_order_with_its_reason(self) -> None:
        breakers = LocalBreakers({"api": Breaker("api", failure_threshold=1, recovery_timeout=10)})
        assert breakers.may_pass("api", 1, 1.0)
        breakers.ended("api", 1, False, 2.0, "OSError: no route")
        assert breakers.next_due() == 12
        assert not breakers.may_pass("api", 2, 3.0)
        assert breakers.may_pass("api", 2, 12.0)
        breakers.ended("api", 2, True, 13.0, "")
        breakers.force("api", "open", 14.0, "hand")
        breakers.force("api", "", 15.0, "hand")
        breakers.trip("api", 16.0, "nightly.py")
        breakers.reset("api", 17.0, "hand")
        assert [told(event) for event in breakers.moved(17.0)] == [
            ("opened", 2.0, "1 failure in a row: OSError: no route"),
            ("half_opened", 12.0, "recovery_timeout of 10 s is over"),
            ("closed", 13.0, "the probe succeeded"),
            ("forced", 14.0, "open"),
            ("forced", 15.0, "let go by hand"),
            ("opened", 16.0, "tripped by nightly.py"),
            ("closed", 17.0, "reset by hand"),
        ]
        assert breakers.moved(17.0) == []

    def test_a_breaker_that_nobody_asks_becomes_half_open_all_the_same(self) -> None:
        breakers = LocalBreakers({"api": Breaker("api", recovery_timeout=10)})
        breakers.trip("api", 0.0, "hand")
        assert [told(event)[0] for event in breakers.moved(10.0)] == ["opened", "half_opened"]
        assert breakers.next_due() is None

    def test_a_breaker_that_nobody_declares_has_the_defaults(self) -> None:
        breakers = LocalBreakers()
        assert breakers.spec("api") == Breaker("api")
        assert breakers.state("api", 0.0) is CLOSED
        assert list(breakers.names()) == ["api"]

    def test_B21_a_view_shows_the_computed_state_beside_the_forced_one(self) -> None:
        breakers = LocalBreakers({"api": Breaker("api", failure_threshold=2)})
        assert breakers.may_pass("api", 1, 0.0)
        breakers.ended("api", 1, False, 1.0, "down")
        breakers.force("api", "open", 2.0, "hand")
        seen = breakers.view("api", 2.0)
        assert (seen.state, seen.computed, seen.forced, seen.failures) == (OPEN, CLOSED, OPEN, 1)
        assert [(made.state, made.by_force, made.at) for made in seen.recent] == [("open", True, 2.0)]

    def test_a_state_that_does_not_exist_is_refused_with_those_that_do(self) -> None:
        with pytest.raises(ValueError, match="'closed', 'open', 'half_open'"):
            LocalBreakers().force("api", "ajar", 0.0, "hand")
