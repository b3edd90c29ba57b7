"""B10: pools and resources are never over-committed, rates never exceeded, and nobody is overtaken for ever."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from dagtop.core.guards import Pool
from dagtop.core.limits import Limits
from dagtop.core.policy import TaskPolicy
from hypothesis import given, settings
from hypothesis import strategies as st


def needs(pool: str = "", **resources: int) -> TaskPolicy:
    return TaskPolicy(pool=pool, resources=resources)


class TestCounts:
    def test_B10_an_attempt_takes_all_that_it_needs_or_nothing(self) -> None:
        limits = Limits({"db": Pool(1)}, {"gpu": 2, "memory": 4})
        assert limits.blocked_by(needs("db", gpu=2, memory=3), 0.0) is None
        limits.take(0, needs("db", gpu=2, memory=3), 0.0)
        assert limits.blocked_by(needs("db"), 0.0) == "pool:db"
        assert limits.blocked_by(needs(gpu=1), 0.0) == "resource:gpu"
        assert limits.blocked_by(needs(memory=2), 0.0) == "resource:memory"
        assert limits.blocked_by(needs(memory=1), 0.0) is None
        assert limits.used() == {"pool:db": (1, 1), "resource:gpu": (2, 2), "resource:memory": (3, 4)}
        assert set(limits.give_back(0)) == {"pool:db", "resource:gpu", "resource:memory"}
        assert limits.used() == {"pool:db": (0, 1), "resource:gpu": (0, 2), "resource:memory": (0, 4)}

    def test_what_was_taken_is_given_back_even_if_the_policy_has_changed_since(self) -> None:
        limits = Limits({"a": Pool(1), "b": Pool(1)}, {})
        limits.take(0, needs("a"), 0.0)
        assert limits.blocked_by(needs("b"), 0.0) is None
        assert limits.give_back(0) == ["pool:a"]
        assert limits.give_back(0) == []

    def test_an_amount_of_none_takes_nothing(self) -> None:
        limits = Limits({}, {"gpu": 1})
        limits.take(0, needs(gpu=0), 0.0)
        assert limits.used() == {"resource:gpu": (0, 1)}
        assert limits.give_back(0) == []

    def test_a_task_that_takes_twice_is_a_bug_that_is_told(self) -> None:
        limits = Limits({"db": Pool(3)}, {})
        limits.take(0, needs("db"), 0.0)
        with pytest.raises(AssertionError, match="bug in dagtop"):
            limits.take(0, needs("db"), 0.0)

    def test_B6_a_pool_that_is_made_smaller_fills_no_place_until_enough_have_left(self) -> None:
        limits = Limits({"db": Pool(3)}, {})
        for index in range(3):
            limits.take(index, needs("db"), 0.0)
        limits.set_pool_limit("db", 1)
        limits.give_back(0)
        assert limits.blocked_by(needs("db"), 0.0) == "pool:db"
        limits.give_back(1)
        assert limits.blocked_by(needs("db"), 0.0) == "pool:db"
        limits.give_back(2)
        assert limits.blocked_by(needs("db"), 0.0) is None


class TestRates:
    @staticmethod
    def starts(pool: Pool, count: int, *, first: float = 0.0) -> list[float]:
        """The times of so many starts, each the moment it is due."""
        limits, at, times = Limits({"api": pool}, {}), first, []
        for index in range(count):
            if limits.blocked_by(needs("api"), at) is not None:
                assert limits.blocked_by(needs("api"), at) == "rate:api"
                at = limits.rate_due("api", at)
                assert limits.blocked_by(needs("api"), at) is None, "due means due"
            limits.take(index, needs("api"), at)
            limits.give_back(index)
            times.append(at)
        return times

    def test_ten_per_second_are_a_tenth_of_a_second_apart_and_do_not_drift(self) -> None:
        times = self.starts(Pool(5, rate=10), 5_001)
        assert times[0] == 0.0
        assert times[1] == 0.1
        assert times[5_000] == 500.0

    def test_a_burst_starts_at_once_and_is_saved_up_again_when_it_is_quiet(self) -> None:
        limits = Limits({"api": Pool(9, rate=2, burst=3)}, {})
        for index in range(3):
            assert limits.blocked_by(needs("api"), 5.0) is None
            limits.take(index, needs("api"), 5.0)
        assert limits.blocked_by(needs("api"), 5.0) == "rate:api"
        assert limits.rate_due("api", 5.0) == 5.5
        limits.take(3, needs("api"), 6.0)
        for index in range(4, 7):
            assert limits.blocked_by(needs("api"), 100.0) is None
            limits.take(index, needs("api"), 100.0)
        assert limits.blocked_by(needs("api"), 100.0) == "rate:api", "never more than the burst"

    @pytest.mark.parametrize("rate", [1e-320, 1e-9, 0.1, 1 / 3, 3.7, 1e6, 1e300])
    @pytest.mark.parametrize("first", [0.0, 0.1, 1e9 / 3])
    def test_no_rate_is_a_trap_that_never_becomes_due(self, rate: float, first: float) -> None:
        times = self.starts(Pool(1, rate=rate, burst=2), 50, first=first)
        assert times == sorted(times)

    def test_a_pool_that_is_full_is_what_one_waits_for_before_its_rate(self) -> None:
        limits = Limits({"api": Pool(1, rate=1)}, {})
        limits.take(0, needs("api"), 0.0)
        assert limits.blocked_by(needs("api"), 0.0) == "pool:api"
        limits.give_back(0)
        assert limits.blocked_by(needs("api"), 0.0) == "rate:api"
        assert limits.blocked_by(needs("api"), 1.0) is None

    def test_a_pool_without_a_rate_is_due_at_once(self) -> None:
        assert Limits({"db": Pool(1)}, {}).rate_due("db", 3.0) == 3.0

    @given(
        rate=st.floats(0.01, 1000),
        burst=st.integers(1, 5),
        waits=st.lists(st.floats(0, 3), min_size=2, max_size=40),
    )
    def test_no_window_of_time_sees_more_starts_than_burst_and_rate_allow(
        self, rate: float, burst: int, waits: list[float]
    ) -> None:
        limits, at, times = Limits({"api": Pool(99, rate=rate, burst=burst)}, {}), 0.0, list[float]()
        for index, wait in enumerate(waits):
            at += wait / rate
            if limits.blocked_by(needs("api"), at) is None:
                limits.take(index, needs("api"), at)
                times.append(at)
        for i, begin in enumerate(times):
            for n, end in enumerate(times[i:], start=1):
                assert n <= burst + (end - begin) * rate * (1 + 1e-9) + 1e-6


class Crowd:
    """Plays admission to `Limits`: who is blocked tries again when its lane moves, best first."""

    def __init__(self, pools: dict[str, Pool], resources: dict[str, int]) -> None:
        self.limits = Limits(pools, resources)
        self.at = 0.0
        self.ready: dict[int, TaskPolicy] = {}
        self.lanes: dict[str, dict[int, TaskPolicy]] = {}
        self.running: dict[int, TaskPolicy] = {}
        self.started: list[int] = []

    def arrive(self, rank: int, policy: TaskPolicy) -> None:
        self.ready[rank] = policy
        self.fill()

    def fill(self) -> None:
        while self.ready:
            rank = min(self.ready)
            policy = self.ready.pop(rank)
            lane = self.limits.blocked_by(policy, self.at, rank)
            if lane is not None:
                self.lanes.setdefault(lane, {})[rank] = policy
                continue
            self.limits.take(rank, policy, self.at)
            self.running[rank] = policy
            self.started.append(rank)
        self.check()

    def move(self, lanes: Any) -> None:
        for lane in lanes:
            self.ready.update(self.lanes.pop(lane, {}))
        self.fill()

    def end(self, rank: int) -> None:
        del self.running[rank]
        self.move(self.limits.give_back(rank))

    def cancel(self, rank: int) -> None:
        """A waiter goes away, and nobody is told of it."""
        for lane in self.lanes.values():
            lane.pop(rank, None)

    def wait(self, seconds: float) -> None:
        self.at += seconds
        self.move([lane for lane in self.lanes if lane.startswith("rate:")])

    def waiting(self) -> list[int]:
        return sorted(rank for lane in self.lanes.values() for rank in lane)

    def check(self) -> None:
        """The counts are those of the attempts in progress, added up anew."""
        for key, (used, _) in self.limits.used().items():
            kind, name = key.split(":")
            own = [p.resources.get(name, 0) if kind == "resource" else p.pool == name for p in self.running.values()]
            assert used == sum(own), (key, used)
        if not self.running:
            assert not [rank for lane, ranks in self.lanes.items() for rank in ranks if not lane.startswith("rate:")]


class TestFairness:
    def test_a_big_request_is_not_starved_by_a_stream_of_small_ones(self) -> None:
        crowd = Crowd({}, {"gpu": 4})
        for rank in range(10, 14):
            crowd.arrive(rank, needs(gpu=1))
        crowd.arrive(1, needs(gpu=4))
        running = deque(range(10, 14))
        for rank in range(14, 40):
            crowd.arrive(rank, needs(gpu=1))
            if 1 in crowd.started:
                break
            crowd.end(running.popleft())
        assert crowd.started == [10, 11, 12, 13, 1]

    def test_a_request_of_a_better_rank_still_goes_first(self) -> None:
        crowd = Crowd({}, {"gpu": 4})
        crowd.arrive(10, needs(gpu=2))
        crowd.arrive(5, needs(gpu=3))
        crowd.arrive(6, needs(gpu=1))
        crowd.arrive(1, needs(gpu=1))
        assert crowd.started == [10, 1]

    def test_two_streams_cannot_keep_a_request_that_needs_both_from_starting(self) -> None:
        crowd = Crowd({"db": Pool(1)}, {"gpu": 2})
        crowd.arrive(100, needs("db"))
        crowd.arrive(101, needs(gpu=1))
        crowd.arrive(102, needs(gpu=1))
        crowd.arrive(1, needs("db", gpu=2))
        for rank in range(103, 160, 2):  # a new one of each comes whenever one of them leaves
            crowd.arrive(rank, needs("db"))
            crowd.arrive(rank + 1, needs(gpu=1))
            if 1 in crowd.started:
                break
            crowd.end(min(crowd.running))
        assert 1 in crowd.started
        assert len(crowd.started) < 8

    def test_a_waiter_that_is_cancelled_leaves_nothing_that_keeps_others_from_starting(self) -> None:
        crowd = Crowd({"db": Pool(1)}, {"gpu": 2})
        crowd.arrive(100, needs("db"))
        crowd.arrive(101, needs(gpu=2))
        crowd.arrive(1, needs("db", gpu=2))
        crowd.arrive(102, needs(gpu=1))
        crowd.arrive(103, needs("db"))
        crowd.cancel(1)
        crowd.end(100)
        crowd.end(101)
        assert crowd.waiting() == []


_POLICIES = st.builds(
    lambda pool, gpu, memory: needs(pool, gpu=gpu, memory=memory),
    st.sampled_from(["", "db", "api"]),
    st.integers(0, 3),
    st.integers(0, 5),
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), _POLICIES, st.integers(0, 10**6)),
        st.tuples(st.just("end"), st.none(), st.integers(0, 100)),
        st.tuples(st.just("cancel"), st.none(), st.integers(0, 100)),
        st.tuples(st.just("limit"), st.none(), st.integers(1, 4)),
        st.tuples(st.just("wait"), st.none(), st.integers(0, 3)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(_STEPS)
def test_B10_whatever_happens_nothing_is_over_committed_and_nobody_waits_for_nothing(steps: list[Any]) -> None:
    crowd = Crowd({"db": Pool(2), "api": Pool(3, rate=2, burst=2)}, {"gpu": 3, "memory": 5})
    before = dict[str, int]()
    for step, policy, number in steps:
        if step == "arrive" and number not in crowd.running and number not in crowd.waiting():
            crowd.arrive(number, policy)
        elif step == "end" and crowd.running:
            crowd.end(sorted(crowd.running)[number % len(crowd.running)])
        elif step == "cancel" and crowd.waiting():
            crowd.cancel(crowd.waiting()[number % len(crowd.waiting())])
        elif step == "limit":
            crowd.move(crowd.limits.set_pool_limit("db", number))
        elif step == "wait":
            crowd.wait(number / 4)
        for key, (used, limit) in crowd.limits.used().items():
            assert used <= limit or used <= before.get(key, 0), "above a limit that was lowered nothing is added"
            before[key] = used
    while crowd.running or crowd.waiting():
        if crowd.running:
            crowd.end(min(crowd.running))
        else:
            crowd.wait(0.5)
    assert all(used == 0 for used, _ in crowd.limits.used().values()), "nothing leaks"
