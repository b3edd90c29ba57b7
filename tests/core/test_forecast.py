"""B8 and the forecast: which ready task starts first, and how long a run will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from dagtop.core.forecast import costs_of, forecast
from dagtop.core.policy import TaskPolicy, Trigger
from dagtop.core.ready import ReadyQueue, ranking
from hypothesis import given
from hypothesis import strategies as st
from machine_driver import plan_of

#: The seed of the contract: A 10 s, B 1 s, C after both, D 1 s, E after D 1 s.
SEED: Mapping[str, Sequence[str]] = {"A": (), "B": (), "C": ("A", "B"), "D": (), "E": ("D",)}
SECONDS = {"A": 10.0, "B": 1.0, "C": 1.0, "D": 1.0, "E": 1.0}


def order(shape: Mapping[str, Sequence[str]], costs: Sequence[float] | None = None, **policies: TaskPolicy) -> str:
    plan = plan_of(shape, policies)
    return "".join(plan.names[index] for index in ranking(plan, costs)[1])


class TestOrder:
    def test_B8_without_costs_the_longest_way_in_tasks_goes_first_then_declaration(self) -> None:
        assert order(SEED) == "ABDCE"

    def test_B8_costs_of_earlier_runs_change_what_goes_first(self) -> None:
        # Ways to a leaf: A 1+1, B 1+1, C 1, D 1+7, E 7.
        assert order(SEED, [1, 1, 1, 1, 7]) == "DEABC"

    def test_B8_priority_goes_before_any_cost(self) -> None:
        assert order(SEED, [10, 1, 1, 1, 1], E=TaskPolicy(priority=1)) == "EABDC"

    def test_B8_a_declared_cost_counts_like_a_measured_one(self) -> None:
        assert order(SEED, None, E=TaskPolicy(cost=7)) == order(SEED, [1, 1, 1, 1, 7])

    def test_B8_costs_order_tasks_that_need_nothing(self) -> None:
        assert order({"a": (), "b": (), "c": ()}, [1, 3, 2]) == "bca"

    def test_B8_the_same_costs_give_the_same_order(self) -> None:
        shape = {f"t{number:02}": () for number in range(50)}
        assert order(shape, [1.5] * 50) == "".join(shape)

    def test_what_is_queued_stays_queued_when_the_order_changes(self) -> None:
        plan = plan_of({"a": (), "b": (), "c": ()})
        queue = ReadyQueue(*ranking(plan))
        queue.heap[:] = [queue.rank[0], queue.rank[2]]
        queue.rerank(*ranking(plan, [1, 5, 9]))
        assert [queue.by_rank[place] for place in sorted(queue.heap)] == [2, 0]


class TestCosts:
    def test_B8_nothing_declared_and_nothing_measured_is_1_each(self) -> None:
        found = costs_of([TaskPolicy()] * 3)
        assert (found.by_task, found.in_seconds) == ([1, 1, 1], False)

    def test_B8_declared_costs_keep_their_proportions_when_nothing_is_measured(self) -> None:
        assert costs_of([TaskPolicy(cost=30), TaskPolicy(), TaskPolicy(cost=0)]).by_task == [30, 1, 0]

    def test_B8_the_unknown_counts_as_the_median_of_what_is_measured(self) -> None:
        found = costs_of([TaskPolicy()] * 4, {0: 2.0, 1: 8.0, 2: 4.0})
        assert found.by_task == [2.0, 8.0, 4.0, 4.0]
        assert (found.in_seconds, found.unknown, found.unit) == (True, 4.0, 4.0)

    def test_B8_a_declared_cost_wins_and_is_told_in_seconds_by_those_that_are_measured_too(self) -> None:
        policies = [TaskPolicy(cost=10), TaskPolicy(cost=2), TaskPolicy(), TaskPolicy()]
        found = costs_of(policies, {0: 5.0, 2: 3.0})
        # 5 s for a cost of 10: a unit is half a second. Task 2 as measured, task 3 as the median of 5 and 3.
        assert found.by_task == [5.0, 1.0, 3.0, 4.0]
        assert found.unit == 0.5

    def test_B8_a_declared_cost_of_1_is_the_median_where_no_declared_task_is_measured(self) -> None:
        assert costs_of([TaskPolicy(cost=3), TaskPolicy(), TaskPolicy()], {1: 2.0, 2: 4.0}).by_task == [9.0, 2.0, 4.0]

    def test_a_declared_cost_of_0_is_no_division_by_it(self) -> None:
        assert costs_of([TaskPolicy(cost=0), TaskPolicy()], {0: 1.0, 1: 3.0}).by_task == [0.0, 3.0]


class TestForecast:
    def test_B5_E_starts_at_1_and_the_seed_takes_11_seconds(self) -> None:
        plan = plan_of(SEED)
        found = forecast(plan, list(SECONDS.values()), 10)
        starts = dict(zip(plan.names, found.starts, strict=True))
        assert starts == {"A": 0, "B": 0, "C": 10, "D": 0, "E": 1}
        assert (found.makespan, found.path_cost, found.total_cost, found.width) == (11, 11, 14, 3)
        assert [plan.names[index] for index in found.critical_path] == ["A", "C"]

    @pytest.mark.parametrize(("slots", "makespan"), [(1, 14), (2, 11), (3, 11), (100, 11)])
    def test_the_makespan_depends_on_the_slots(self, slots: int, makespan: float) -> None:
        assert forecast(plan_of(SEED), list(SECONDS.values()), slots).makespan == makespan

    def test_a_wide_graph_takes_its_work_divided_by_the_slots(self) -> None:
        found = forecast(plan_of({f"t{number}": () for number in range(100)}), [0.5] * 100, 8)
        assert (found.makespan, found.width) == (6.5, 8)

    def test_an_empty_graph_takes_no_time(self) -> None:
        found = forecast(plan_of({}), [], 4)
        assert (found.makespan, found.width, found.critical_path) == (0, 0, [])

    def test_tasks_that_cost_nothing_still_come_in_order(self) -> None:
        found = forecast(plan_of({"a": (), "b": ("a",), "c": ("b",)}), [0, 0, 0], 1)
        assert (found.makespan, found.width) == (0, 1)

    def test_B7_what_starts_with_the_first_success_waits_for_the_quickest_only(self) -> None:
        """The forecast waited for all of its upstream, and led the critical path through the slowest."""
        first = {"end": TaskPolicy(trigger=Trigger.ANY_SUCCESS)}
        plan = plan_of({"fast": (), "slow": (), "end": ("fast", "slow")}, first)
        found = forecast(plan, [1, 10, 2], 4)
        assert found.starts == [0, 0, 1]
        assert (found.makespan, found.path_cost, found.critical_path) == (10, 10, [1])
        assert forecast(plan, [1, 10, 20], 4).critical_path == [0, 2]
        assert forecast(plan, [1, 10, 20], 1).makespan == 31

    @given(st.data())
    def test_no_schedule_breaks_a_dependency_or_the_limit_or_grahams_bound(self, data: st.DataObject) -> None:
        n = data.draw(st.integers(1, 12))
        shape = {
            f"t{i}": [f"t{j}" for j in data.draw(st.sets(st.integers(0, i - 1), max_size=3))] if i else []
            for i in range(n)
        }
        costs = [float(cost) for cost in data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))]
        slots = data.draw(st.integers(1, 4))
        plan = plan_of(shape)
        found = forecast(plan, costs, slots)
        for index in range(n):
            assert found.ends[index] == found.starts[index] + costs[index]
            assert all(found.ends[needed] <= found.starts[index] for needed in plan.upstream[index])
        for moment in found.starts:
            running = [i for i in range(n) if found.starts[i] <= moment < found.ends[i]]
            assert len(running) <= slots
        assert max(found.path_cost, found.total_cost / slots) <= found.makespan
        assert found.makespan <= found.total_cost / slots + found.path_cost + 1e-9
