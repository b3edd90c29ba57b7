"""B9: the adaptive limit, against services in virtual time; the whole comparison is in benchmarks/adaptive.py."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from heapq import heappop, heappush

import pytest
from dagtop.core.adaptive import Window
from hypothesis import given
from hypothesis import strategies as st

MOST = 50


class Service:
    """Answers attempts: `outcome(at, in flight, dice)` is (seconds, ok). With `servers` it queues beyond that many at once."""

    def __init__(self, window: Window, outcome: Callable[[float, int, random.Random], tuple[float, bool]]) -> None:
        self.window = window
        self.at = 0.0
        self.trail: list[tuple[float, int, str]] = []
        self._outcome = outcome
        self._dice = random.Random(1)
        self._ends: list[tuple[float, int, float, bool]] = []
        self._number = 0
        self._free: list[float] = []

    def run(self, attempts: int, servers: int | None = None) -> list[int]:
        """The limits seen by so many attempts, one after the other."""
        seen = []
        for _ in range(attempts):
            while len(self._ends) < self.window.limit:
                self._start(servers)
            self.at, _, begun, ok = heappop(self._ends)
            seen.append(self.window.limit)
            was = self.window.limit
            why = self.window.ended(0, self.at, self.at - begun, ok, len(self._ends) + 1)
            assert bool(why) == (self.window.limit != was), "every change has a reason, and nothing else has"
            if why:
                self.trail.append((self.at, self.window.limit, why))
        return seen

    def _start(self, servers: int | None) -> None:
        self._number += 1
        seconds, ok = self._outcome(self.at, len(self._ends) + 1, self._dice)
        begin = self.at
        if servers is not None:
            while len(self._free) >= servers:
                begin = max(begin, heappop(self._free))
            heappush(self._free, begin + seconds)
        heappush(self._ends, (begin + seconds, self._number, self.at, ok))

    @property
    def reasons(self) -> list[str]:
        return [why for _, _, why in self.trail]


def always(seconds: float) -> Callable[[float, int, random.Random], tuple[float, bool]]:
    return lambda at, many, dice: (seconds, True)


def fails_above(k: int, after: float = 0.05) -> Callable[[float, int, random.Random], tuple[float, bool]]:
    return lambda at, many, dice: (0.05, True) if many <= k else (after, False)


class TestHealthy:
    def test_B9_a_thousand_attempts_of_5_ms_at_50_never_leave_the_highest_limit(self) -> None:
        service = Service(Window(1, MOST), always(0.005))
        assert set(service.run(1000)) == {MOST}

    def test_B9_looking_whether_fewer_are_quicker_costs_little_of_a_long_run(self) -> None:
        service = Service(Window(1, MOST), always(0.05))
        seen = service.run(20_000)
        assert sum(seen) / len(seen) > 0.98 * MOST
        assert min(seen) >= 0.75 * MOST

    def test_B9_latencies_that_vary_much_are_no_trouble(self) -> None:
        service = Service(Window(1, MOST), lambda at, many, dice: (0.05 * math.exp(dice.gauss(0, 1)), True))
        seen = service.run(5000)
        assert sum(seen) / len(seen) > 0.9 * MOST

    def test_B9_one_hiccup_that_hits_all_that_run_moves_nothing(self) -> None:
        def hiccup(at: float, many: int, dice: random.Random) -> tuple[float, bool]:
            return (0.05, True) if 0.0745 < at < 0.0795 else (0.005, True)

        service = Service(Window(1, MOST), hiccup)
        assert set(service.run(1100)) == {MOST}
        assert 0.0795 < service.at < 0.2

    def test_B9_the_length_of_the_queue_is_nothing_that_it_is_told(self) -> None:
        service = Service(Window(1, 8), always(0.01))
        assert set(service.run(150)) == {8}

    def test_B9_a_cold_start_is_no_trouble(self) -> None:
        service = Service(Window(1, MOST), lambda at, many, dice: (1.0 if at < 0.5 else 0.05, True))
        assert set(service.run(800)) == {MOST}

    def test_small_numbers_of_failures_are_noise(self) -> None:
        window = Window(1, 4)
        for i in range(8):
            assert window.ended(0, float(i), 0.5, i not in (2, 5), 4) == ""


class TestOverload:
    @pytest.mark.parametrize("k", [3, 10, 30])
    @pytest.mark.parametrize("after", [0.001, 0.05])
    def test_B9_a_service_that_fails_above_k_at_once_keeps_the_limit_near_k(self, k: int, after: float) -> None:
        # `many` counts what is refused as well; then what matters is that no more than k come at once.
        service = Service(Window(1, MOST), fails_above(k, after))
        service.run(3000)
        seen = service.run(3000)
        assert min(seen) >= 0.7 * k - 0.5
        assert max(seen) <= 1.5 * k

    @pytest.mark.parametrize("k", [5, 10, 30])
    def test_B9_a_service_that_queues_above_k_at_once_keeps_the_limit_near_k(self, k: int) -> None:
        service = Service(Window(1, MOST), always(0.05))
        service.run(4000, servers=k)
        seen = service.run(3000, servers=k)
        assert min(seen) >= 0.7 * k
        assert max(seen) <= 1.7 * k
        assert any("latency" in why for why in service.reasons)

    def test_B9_a_service_that_gets_slow_under_load_in_the_middle_and_recovers(self) -> None:
        window = Window(1, MOST)
        service = Service(window, always(0.05))
        service.run(1000)
        service.run(1500, servers=10)
        assert 7 <= window.limit <= 17
        assert any("× its usual 50 ms" in why for why in service.reasons)
        service._free.clear()
        service.run(4000)
        assert window.limit == MOST

    def test_B9_a_service_that_is_down_brings_it_to_the_least_and_back(self) -> None:
        window = Window(2, MOST)
        service = Service(window, lambda at, many, dice: (0.05, not 1.0 < at < 9.0))
        service.run(1300)
        assert service.at < 9.0
        assert window.limit == 2
        service.run(6000)
        assert window.limit == MOST

    def test_B9_the_reason_says_what_was_seen(self) -> None:
        service = Service(Window(1, MOST), fails_above(10))
        service.run(200)
        assert service.reasons[0].endswith("failed")
        assert service.trail[0][1] < MOST

    def test_B9_it_changes_at_most_once_per_round_trip(self) -> None:
        service = Service(Window(1, MOST), fails_above(10))
        service.run(3000)
        times = [at for at, _, _ in service.trail]
        assert all(later - earlier >= 0.05 - 1e-9 for earlier, later in itertools.pairwise(times))


class TestNotTheLoad:
    def test_B9_bugs_that_fail_five_in_a_hundred_move_nothing(self) -> None:
        service = Service(Window(1, MOST), lambda at, many, dice: (0.05, dice.random() > 0.05))
        seen = service.run(1000)
        assert sum(seen) / len(seen) > 0.97 * MOST

    @pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.5])
    def test_B9_more_bugs_than_that_are_found_out_not_to_be_the_load(self, share: float) -> None:
        service = Service(Window(1, MOST), lambda at, many, dice: (0.05, dice.random() > share))
        seen = service.run(5000)
        assert sum(seen) / len(seen) > 0.8 * MOST
        assert any("it is not the load" in why for why in service.reasons)

    def test_B9_what_is_slower_at_any_load_becomes_its_usual(self) -> None:
        service = Service(Window(1, MOST), lambda at, many, dice: (0.05 if at < 1.0 else 0.15, True))
        seen = service.run(4000)
        assert sum(seen) / len(seen) > 0.95 * MOST
        assert service.window.limit == MOST

    def test_B9_a_kind_that_takes_longer_than_another_is_not_slow(self) -> None:
        window, at = Window(1, 10), 0.0
        for i in range(4000):
            at += 0.01
            window.ended(i // 2000, at, 0.01 if i < 2000 else 1.0, ok=True, in_flight=10)
            assert window.limit >= 7


class TestBounds:
    @given(
        bounds=st.tuples(st.integers(1, 20), st.integers(1, 60)).filter(lambda b: b[0] <= b[1]),
        steps=st.lists(
            st.tuples(st.integers(0, 2), st.floats(0, 2), st.floats(0, 2), st.integers(0, 9), st.integers(1, 60)),
            max_size=80,
        ),
        repeat=st.integers(1, 15),
        new=st.tuples(st.integers(1, 20), st.integers(1, 60)).filter(lambda b: b[0] <= b[1]),
    )
    def test_B9_it_is_always_within_its_bounds_and_gives_a_reason_for_each_change(
        self,
        bounds: tuple[int, int],
        steps: list[tuple[int, float, float, int, int]],
        repeat: int,
        new: tuple[int, int],
    ) -> None:
        window, twin, at = Window(*bounds), Window(*bounds), 0.0
        for turn in range(repeat):
            if turn == 5:
                was = window.limit
                assert bool(window.set_bounds(*new)) == (window.limit != was)
                twin.set_bounds(*new)
            for kind, pause, seconds, luck, in_flight in steps:
                at += pause
                was = window.limit
                why = window.ended(kind, at, min(seconds, at), luck > 2, min(in_flight, was))
                assert bool(why) == (window.limit != was)
                assert window.least <= window.limit <= window.most
                assert twin.ended(kind, at, min(seconds, at), luck > 2, min(in_flight, was)) == why, "no dice"

    def test_B6_a_limit_that_is_lowered_live_holds_at_once_and_one_that_is_raised_is_taken_if_all_was_well(
        self,
    ) -> None:
        window = Window(1, 50)
        assert window.set_bounds(1, 8) == "max_parallel is 8 now"
        assert window.limit == 8
        assert window.set_bounds(1, 30) == "max_parallel is 30 now"
        assert window.limit == 30
        assert window.set_bounds(5, 30) == ""

    def test_a_limit_that_had_trouble_does_not_jump_when_it_is_raised_live(self) -> None:
        service = Service(Window(1, MOST), fails_above(10))
        service.run(1000)
        was = service.window.limit
        assert service.window.set_bounds(1, 100) == ""
        assert service.window.limit == was

    def test_one_is_one(self) -> None:
        service = Service(Window(1, 1), lambda at, many, dice: (0.05, dice.random() > 0.5))
        assert set(service.run(500)) == {1}
