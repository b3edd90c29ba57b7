"""B6, B9 and B10 in the scheduler: pools, resources, rates and the adaptive limit decide who starts, on a fake clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.guards import Breaker, Pool
from dagtop.core.instructions import StartAttempt
from dagtop.core.limits import Limits
from dagtop.core.machine import RunMachine
from dagtop.core.policy import Retry, RunPolicy, TaskPolicy
from dagtop.core.states import RunState, TaskState
from machine_driver import Driver, plan_of


def alone(policies: Mapping[str, TaskPolicy], **run_policy: Any) -> Driver:
    """Tasks that depend on nothing."""
    return Driver(dict.fromkeys(policies, ()), policies, **run_policy)


def in_pool(count: int, pool: str = "db", **policy: Any) -> dict[str, TaskPolicy]:
    return {f"{pool}{i}": TaskPolicy(pool=pool, **policy) for i in range(count)}


def used(driver: Driver) -> Mapping[str, tuple[int, int]]:
    return driver.machine.admission.limits.used()


class TestPools:
    def test_B10_no_more_run_in_a_pool_than_its_limit_and_others_go_past(self) -> None:
        driver = alone({**in_pool(4), "other": TaskPolicy()}, pools={"db": Pool(2)})
        assert driver.running_names() == {"db0", "db1", "other"}
        assert used(driver) == {"pool:db": (2, 2)}
        driver.succeed("db0")
        assert driver.running_names() == {"db1", "db2", "other"}
        driver.fail("db1")
        assert driver.running_names() == {"db2", "db3", "other"}
        driver.succeed("db2", "db3", "other")
        assert used(driver) == {"pool:db": (0, 2)}
        assert driver.run_state is RunState.FAILED

    def test_B7_a_task_that_backs_off_gives_its_place_in_the_pool_to_another(self) -> None:
        driver = alone(in_pool(2, retry=Retry(retries=1, base=5)), pools={"db": Pool(1)})
        driver.fail("db0")
        assert driver.state("db0") is TaskState.BACKOFF
        assert driver.running_names() == {"db1"}
        driver.advance(5)
        assert driver.running_names() == {"db1"}, "its time has come and the pool is full"
        driver.succeed("db1")
        assert driver.running_names() == {"db0"}

    def test_B6_the_limit_of_a_pool_changes_live_and_is_never_exceeded(self) -> None:
        driver = alone(in_pool(6), pools={"db": Pool(1)})
        driver.command(cmd.SetPoolLimit("db", 3))
        assert driver.running_names() == {"db0", "db1", "db2"}
        driver.command(cmd.SetPoolLimit("db", 1))
        driver.succeed("db0", "db1")
        assert driver.running_names() == {"db2"}
        driver.succeed("db2")
        assert driver.running_names() == {"db3"}
        changes = driver.of(ev.LimitChanged)
        assert [(e.what, e.limit) for e in changes] == [("pool:db", 3), ("pool:db", 1)]
        assert driver.machine.ledger.pool_limits == {"db": 1}

    def test_a_pool_that_is_not_there_is_refused(self) -> None:
        driver = alone(in_pool(1), pools={"db": Pool(1)})
        assert isinstance(driver.command(cmd.SetPoolLimit("bd", 3)), ev.CommandRefused)
        assert isinstance(driver.command(cmd.SetPoolLimit("db", 0)), ev.CommandRefused)

    def test_B9_a_waiter_that_is_cancelled_leaves_no_trace(self) -> None:
        driver = alone(in_pool(3), pools={"db": Pool(1)})
        driver.command(cmd.CancelTask("db1"))
        driver.succeed("db0")
        assert driver.running_names() == {"db2"}
        driver.succeed("db2")
        assert used(driver) == {"pool:db": (0, 1)}

    def test_a_held_waiter_lets_the_next_go_and_takes_its_turn_when_it_is_released(self) -> None:
        driver = alone(in_pool(3), pools={"db": Pool(1)})
        driver.command(cmd.HoldTask("db1"))
        driver.succeed("db0")
        assert driver.running_names() == {"db2"}
        driver.command(cmd.ReleaseTask("db1"))
        assert driver.running_names() == {"db2"}
        driver.succeed("db2")
        assert driver.running_names() == {"db1"}

    def test_a_cancelled_attempt_keeps_its_place_until_it_has_stopped(self) -> None:
        driver = alone(in_pool(2), pools={"db": Pool(1)})
        driver.command(cmd.CancelTask("db0"))
        assert driver.running_names() == {"db0"}
        driver.stopped("db0")
        assert driver.running_names() == {"db1"}

    def test_a_priority_counts_among_those_that_wait_for_a_pool(self) -> None:
        policies = {
            "a": TaskPolicy(pool="db", priority=9),
            "b": TaskPolicy(pool="db"),
            "c": TaskPolicy(pool="db", priority=5),
        }
        driver = alone(policies, pools={"db": Pool(1)})
        driver.succeed("a")
        driver.succeed("c")
        assert driver.started == ["a", "c", "b"]

    def test_a_waiter_that_no_longer_needs_the_pool_does_not_take_the_turn_of_the_next(self) -> None:
        """It was the first of those that waited; its rank then stood for all of them and led to nobody."""
        driver = alone(in_pool(3), pools={"db": Pool(1)}, max_parallel=1)
        driver.command(cmd.SetPolicy("db1", pool=""))
        driver.succeed("db0")
        driver.succeed("db1")
        assert driver.running_names() == {"db2"}
        driver.succeed("db2")
        assert driver.run_state is RunState.SUCCEEDED

    def test_a_paused_run_starts_nothing_when_a_place_gets_free(self) -> None:
        driver = alone(in_pool(2), pools={"db": Pool(1)})
        driver.command(cmd.PauseRun())
        driver.succeed("db0")
        assert driver.running_names() == set()
        assert used(driver) == {"pool:db": (0, 1)}
        driver.command(cmd.ContinueRun())
        assert driver.running_names() == {"db1"}


class TestResources:
    def test_B10_a_task_takes_all_that_it_needs_or_nothing(self) -> None:
        policies = {
            "gpu": TaskPolicy(resources={"gpu": 1}),
            "both": TaskPolicy(pool="db", resources={"gpu": 1, "memory": 3}),
            "db": TaskPolicy(pool="db"),
            "memory": TaskPolicy(resources={"memory": 4}),
        }
        driver = alone(policies, pools={"db": Pool(1)}, resources={"gpu": 1, "memory": 4})
        assert driver.running_names() == {"gpu", "db", "memory"}, "who waits for one thing holds none of the others"
        driver.succeed("db", "memory")
        assert driver.running_names() == {"gpu"}
        driver.succeed("gpu")
        assert driver.running_names() == {"both"}
        assert used(driver) == {"pool:db": (1, 1), "resource:gpu": (1, 1), "resource:memory": (3, 4)}

    def test_B10_a_big_request_is_not_starved_by_a_stream_of_small_ones(self) -> None:
        policies = {f"small{i:02}": TaskPolicy(resources={"gpu": 1}) for i in range(20)}
        policies = {**dict(list(policies.items())[:4]), "big": TaskPolicy(resources={"gpu": 4}), **policies}
        policies = {name: policies[name] for name in [*list(policies)[:4], "big", *list(policies)[5:]]}
        driver = alone(policies, resources={"gpu": 4})
        for i in range(4):
            driver.succeed(f"small{i:02}")
        assert driver.started[:5] == ["small00", "small01", "small02", "small03", "big"]
        assert driver.running_names() == {"big"}

    def test_B10_a_pool_resources_and_a_breaker_are_taken_together_or_not_at_all(self) -> None:
        policy = TaskPolicy(pool="db", resources={"gpu": 1}, circuit="api")
        driver = alone(
            {"a": policy, "b": policy, "free": TaskPolicy(pool="db", resources={"gpu": 1}, priority=-1)},
            pools={"db": Pool(1)},
            resources={"gpu": 1},
            breakers={"api": Breaker("api", failure_threshold=1, recovery_timeout=10.0)},
        )
        driver.fail("a")
        assert driver.running_names() == {"free"}, "b waits for the breaker and holds nothing"
        driver.advance(11)
        assert driver.running_names() == {"free"}, "the breaker would let it through and the pool is full"
        driver.succeed("free")
        assert driver.running_names() == {"b"}
        driver.succeed("b")
        assert used(driver) == {"pool:db": (0, 1), "resource:gpu": (0, 1)}

    def test_B8_a_better_rank_does_not_wait_behind_a_big_request_for_what_is_free(self) -> None:
        small = TaskPolicy(resources={"gpu": 1})
        policies = {
            "a": TaskPolicy(resources={"gpu": 2}, priority=9),
            "big": TaskPolicy(resources={"gpu": 3}, priority=5),
            "low": small,
            "high": TaskPolicy(resources={"gpu": 1}, priority=8),
            "first": TaskPolicy(priority=10),
        }
        driver = Driver({"a": (), "big": (), "low": (), "first": (), "high": ["first"]}, policies, resources={"gpu": 3})
        assert driver.running_names() == {"a", "first"}, "low leaves what is free to the big one"
        driver.succeed("first")
        assert driver.running_names() == {"a", "high"}


class TestRates:
    def test_B10_starts_in_a_pool_come_no_faster_than_its_rate(self) -> None:
        driver = alone(in_pool(5), pools={"db": Pool(9, rate=2)})
        driver.advance(3)
        starts = [e.at for e in driver.of(ev.TaskStarted)]
        assert starts == [0.0, 0.5, 1.0, 1.5, 2.0]

    def test_a_rate_with_a_burst(self) -> None:
        driver = alone(in_pool(6), pools={"db": Pool(9, rate=1, burst=3)})
        driver.advance(10)
        assert [e.at for e in driver.of(ev.TaskStarted)] == [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]

    def test_a_retry_is_a_start_too(self) -> None:
        driver = alone(in_pool(1, retry=Retry(retries=2, base=0.0)), pools={"db": Pool(9, rate=1)})
        driver.fail("db0")
        assert driver.running_names() == set()
        driver.advance(1)
        driver.fail("db0")
        driver.advance(1)
        assert [e.at for e in driver.of(ev.TaskStarted)] == [0.0, 1.0, 2.0]

    def test_a_full_pool_with_a_rate_goes_on_when_both_allow_it(self) -> None:
        driver = alone(in_pool(3), pools={"db": Pool(1, rate=1)})
        driver.advance(5)
        assert driver.started == ["db0"]
        driver.succeed("db0")
        assert driver.started == ["db0", "db1"]
        driver.succeed("db1")
        assert driver.running_names() == set()
        driver.advance(1)
        assert [e.at for e in driver.of(ev.TaskStarted)] == [0.0, 5.0, 6.0]


class TestAdaptive:
    @staticmethod
    def overload(driver: Driver, k: int, rounds: int) -> None:
        """Attempts above k at once fail, in rounds of 50 ms."""
        for _ in range(rounds):
            driver.advance(0.05)
            for place, name in enumerate(sorted(driver.running_names(), key=driver.started.index)):
                (driver.succeed if place < k else driver.fail)(name)

    def test_B9_the_limit_follows_trouble_and_every_change_is_an_event_with_its_reason(self) -> None:
        driver = alone({f"t{i:04}": TaskPolicy() for i in range(600)}, adaptive=True, max_parallel=40, min_parallel=2)
        assert len(driver.running) == 40
        self.overload(driver, 10, 12)
        changes = driver.of(ev.LimitChanged)
        assert changes
        assert all(change.what == "window" and change.reason for change in changes)
        assert "failed" in changes[0].reason
        assert all(2 <= change.limit <= 40 for change in changes)
        assert 7 <= driver.machine.ledger.window <= 15
        assert driver.machine.ledger.max_parallel == 40, "that is the user's and stays"

    def test_B9_on_a_healthy_graph_it_makes_no_difference(self) -> None:
        plain, adaptive = (
            alone({f"t{i:04}": TaskPolicy() for i in range(300)}, adaptive=on, max_parallel=20) for on in (False, True)
        )
        for driver in (plain, adaptive):
            self.overload(driver, 99, 15)
            assert driver.run_state is RunState.SUCCEEDED
        assert [type(e) for e in plain.events] == [type(e) for e in adaptive.events]

    def test_B6_max_parallel_changed_live_bounds_the_adaptive_limit_at_once(self) -> None:
        driver = alone({f"t{i:03}": TaskPolicy() for i in range(200)}, adaptive=True, max_parallel=20)
        driver.command(cmd.SetMaxParallel(5))
        assert driver.machine.ledger.window == 5
        self.overload(driver, 99, 2)
        assert len(driver.running) == 5
        driver.command(cmd.SetMaxParallel(30))
        assert driver.machine.ledger.window == 30
        assert len(driver.running) == 30

    def test_B9_an_attempt_that_a_person_stops_says_nothing_about_the_load(self) -> None:
        driver = alone({f"t{i:02}": TaskPolicy() for i in range(80)}, adaptive=True, max_parallel=20)
        for name in sorted(driver.running_names()):
            driver.command(cmd.CancelTask(name))
            driver.stopped(name)
        assert driver.of(ev.LimitChanged) == []

    def test_B9_timeouts_bring_it_down(self) -> None:
        driver = alone({f"t{i:02}": TaskPolicy(timeout=1.0) for i in range(80)}, adaptive=True, max_parallel=20)
        driver.advance(1.0)
        driver.stopped(*sorted(driver.running_names() & {driver.plan.names[i] for i in driver.told}))
        assert driver.machine.ledger.window < 20

    def test_one_is_sequential_whatever_is_adaptive(self) -> None:
        driver = alone({f"t{i:02}": TaskPolicy() for i in range(10)}, adaptive=True, max_parallel=1)
        self.overload(driver, 99, 10)
        assert driver.run_state is RunState.SUCCEEDED


class Counted(Limits):
    """Counts how often it is asked."""

    looks = 0

    def blocked_by(self, policy: TaskPolicy, at: float, rank: int | None = None) -> str | None:
        self.looks += 1
        return super().blocked_by(policy, at, rank)


def looks(policies: list[TaskPolicy], pools: dict[str, Pool], resources: dict[str, int]) -> int:
    """Run tasks that take half a millisecond each, 50 at once at most: how often it was asked whether one fits."""
    plan = plan_of({f"t{i}": () for i in range(len(policies))}, {f"t{i}": policy for i, policy in enumerate(policies)})
    machine = RunMachine(plan, RunPolicy(pools=pools, resources=resources, max_parallel=50))
    machine.admission.limits = limits = Counted(pools, resources)
    running = deque(machine.handle(inp.Begin(0.0, run="r", started_at=0.0)))
    at = 0.0
    while not machine.is_over:
        at += 0.0005
        while (due := machine.next_due()) is not None and due <= at:
            running += machine.handle(inp.Tick(due))
        if running:
            start = running.popleft()
            assert isinstance(start, StartAttempt)
            running += machine.handle(inp.AttemptSucceeded(at, start.index, start.attempt))
    assert machine.ledger.counts[TaskState.SUCCEEDED] == len(policies)
    assert not any(used for used, _ in limits.used().values())
    return limits.looks


@pytest.mark.parametrize("pool", [Pool(10), Pool(10, rate=1000.0), Pool(10, rate=3000.0, burst=5)])
def test_B10_what_a_start_costs_does_not_grow_with_the_number_of_those_that_wait(pool: Pool) -> None:
    assert looks([TaskPolicy(pool="db")] * 10_000, {"db": pool}, {}) < 50_000


def test_B10_nor_with_the_number_of_those_that_wait_for_different_amounts() -> None:
    policies = [TaskPolicy(resources={"memory": 1 + i}) for i in range(2_000)]
    assert looks(policies, {}, {"memory": 5_000}) < 10_000
