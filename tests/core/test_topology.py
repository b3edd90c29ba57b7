"""Questions about a graph's shape, against slow and plain answers."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf

from dagtop.core.plan import EMPTY_PLAN, Plan
from dagtop.core.policy import TaskPolicy, Trigger
from dagtop.core.ready import ReadyQueue, ranking
from dagtop.core.topology import critical_path, find_cycle, levels, reach, remaining_path, topological_order
from hypothesis import given
from hypothesis import strategies as st
from machine_driver import plan_of


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    n = draw(st.integers(1, 9))
    ranks = draw(st.permutations(range(n)))
    return plan_of(
        {f"t{i}": [f"t{j}" for j in range(n) if ranks[j] < ranks[i] and draw(st.booleans())] for i in range(n)}
    )


def ways(plan: Plan, start: int) -> list[list[int]]:
    """Every way from a task to a leaf."""
    if not plan.downstream[start]:
        return [[start]]
    return [[start, *way] for below in plan.downstream[start] for way in ways(plan, below)]


@given(plans())
def test_the_order_puts_upstream_first_and_holds_everything(plan: Plan) -> None:
    place = {index: i for i, index in enumerate(plan.order)}
    assert sorted(plan.order) == list(range(len(plan)))
    assert all(place[above] < place[i] for i in range(len(plan)) for above in plan.upstream[i])


@given(plans(), st.data())
def test_remaining_path_and_critical_path_are_the_dearest_ways(plan: Plan, data: st.DataObject) -> None:
    costs = data.draw(st.lists(st.integers(0, 9), min_size=len(plan), max_size=len(plan)))
    best = [max(sum(costs[i] for i in way) for way in ways(plan, start)) for start in range(len(plan))]
    assert remaining_path(plan, costs) == best
    path = critical_path(plan, costs)
    assert sum(costs[i] for i in path) == max(best)
    assert not plan.upstream[path[0]]
    assert not plan.downstream[path[-1]]


def test_B7_the_way_to_a_task_that_starts_with_the_first_success_is_that_ones_who_succeeded_first() -> None:
    plan = plan_of({"a": [], "b": [], "end": ["a", "b"]}, {"end": TaskPolicy(trigger=Trigger.ANY_SUCCESS)})
    assert critical_path(plan, [1, 5, 9]) == [0, 2]
    assert critical_path(plan, [1, 5, 9], [inf, 5, 14]) == [1, 2], "the quicker one failed"
    assert critical_path(plan, [1, 5, 9], [inf, inf, 14]) == [1, 2], "it ran all the same, after both"


@given(plans())
def test_levels_and_reach(plan: Plan) -> None:
    level = levels(plan)
    for i in range(len(plan)):
        assert level[i] == (1 + max(level[above] for above in plan.upstream[i]) if plan.upstream[i] else 0)
        assert reach(plan.downstream, [i]) == {j for way in ways(plan, i) for j in way} - {i}


@given(plans(), st.data())
def test_B8_the_queue_gives_priority_then_the_longest_way_then_the_order_of_declaration(
    plan: Plan, data: st.DataObject
) -> None:
    numbers = st.lists(st.integers(0, 2), min_size=len(plan), max_size=len(plan))
    priorities, costs = data.draw(numbers), data.draw(numbers)
    policies = {name: TaskPolicy(priority=priorities[i], cost=float(costs[i])) for i, name in enumerate(plan.names)}
    plan = plan_of({name: [plan.names[j] for j in plan.upstream[i]] for i, name in enumerate(plan.names)}, policies)
    ahead = remaining_path(plan, costs)
    queue = ReadyQueue(*ranking(plan))
    for index in data.draw(st.permutations(range(len(plan)))):
        heappush(queue.heap, queue.rank[index])
    taken = [queue.by_rank[heappop(queue.heap)] for _ in range(len(plan))]
    assert taken == sorted(range(len(plan)), key=lambda i: (-priorities[i], -ahead[i], i))


def test_a_cycle_is_found_among_what_depends_on_it() -> None:
    upstream = [[2], [0], [1], [2], [3]]
    downstream = [[1], [2], [0, 3], [4], []]
    order = topological_order(upstream, downstream)
    assert order == []
    assert find_cycle(upstream, range(5)) == [0, 1, 2, 0]


def test_an_empty_plan_has_no_critical_path() -> None:
    assert critical_path(EMPTY_PLAN, []) == []
