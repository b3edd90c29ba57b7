"""`graph.plan()`: how a graph will run, worked out without running it (B8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dagtop import ExecutorConfig, Graph, GraphError
from dagtop.errors import JournalError, OptionError


def diamond(**options: Any) -> Graph:
    graph = Graph("diamond", **options).add("top", print, cost=1)
    graph.add("left", print, depends_on=["top"], cost=5).add("right", print, depends_on=["top"], cost=2)
    return graph.add("bottom", print, depends_on=["left", "right"], cost=1)


def test_steps_width_makespan_and_critical_path() -> None:
    plan = diamond().plan()
    assert plan.steps == [["top"], ["left", "right"], ["bottom"]]
    assert (plan.width, plan.makespan, plan.path_cost, plan.total_cost) == (2, 7, 7, 9)
    assert plan.critical_path == ["top", "left", "bottom"]
    assert plan.starts == {"top": 0, "left": 1, "right": 1, "bottom": 6}
    assert (len(plan), plan.in_seconds) == (4, False)


@pytest.mark.parametrize("how", ["option", "config", "graph"])
def test_fewer_slots_make_it_longer(how: str) -> None:
    one = ExecutorConfig(max_parallel=1)
    plan = {
        "option": lambda: diamond().plan(max_parallel=1),
        "config": lambda: diamond().plan(one),
        "graph": lambda: diamond(max_parallel=1).plan(),
    }[how]()
    assert (plan.makespan, plan.max_parallel) == (9, 1)


def test_costs_may_be_given_and_are_checked() -> None:
    plan = diamond().plan(costs={"right": 10})
    assert (plan.makespan, plan.critical_path) == (12, ["top", "right", "bottom"])
    with pytest.raises(GraphError, match="costs names 'rigt', which is no task; did you mean 'right'"):
        diamond().plan(costs={"rigt": 10})
    for wrong in (-1, float("nan"), float("inf"), True, "long"):
        with pytest.raises(GraphError, match="the cost of right must be a number that is not negative"):
            diamond().plan(costs={"right": wrong})  # type: ignore[dict-item]
    with pytest.raises(OptionError, match="did you mean 'max_parallel'"):
        diamond().plan(max_paralel=3)


def test_it_reads_well_and_as_plain_values() -> None:
    plan = diamond().plan(max_parallel=3)
    assert repr(plan) == (
        "ExecutionPlan('diamond', 4 tasks in 3 steps, width 2, makespan 7 with max_parallel 3, "
        "critical path 'top' → 'left' → 'bottom')"
    )
    assert plan.to_dict() == {
        "graph": "diamond",
        "tasks": 4,
        "steps": [["top"], ["left", "right"], ["bottom"]],
        "width": 2,
        "max_parallel": 3,
        "makespan": 7,
        "critical_path": ["top", "left", "bottom"],
        "path_cost": 7,
        "total_cost": 9,
        "in_seconds": False,
        "starts": {"top": 0, "left": 1, "right": 1, "bottom": 6},
    }
    chain = Graph("chain")
    for number in range(30):
        chain.add(f"t{number}", print, depends_on=[f"t{number - 1}"] if number else [])
    assert repr(chain.plan()).endswith("'t11' and 18 more)")


def test_hostile_names_are_shown_and_not_sent_to_the_terminal() -> None:
    assert "\x1b" not in repr(Graph("\x1b[2J").add("\x1b]0;x\x07", print).plan())


def test_a_graph_that_cannot_run_has_none() -> None:
    with pytest.raises(GraphError, match="nowhere"):
        Graph("g").add("a", print, depends_on=["nowhere"]).plan()


def test_B8_a_journal_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """A typo in the path gave a forecast without any earlier run, and without a word."""
    journal = tmp_path / "nope.sqlite3"
    with pytest.raises(JournalError, match=r"there is no journal at .*nope\.sqlite3: give the path"):
        Graph("g").add("a", lambda: 1).plan(journal=journal)
    assert not journal.exists(), "asking makes no file"


def test_B8_earlier_runs_make_it_a_forecast_in_seconds(tmp_path: Path) -> None:
    journal = tmp_path / "runs.sqlite3"
    graph = Graph("g").add("a", lambda: 1).add("b", lambda a: 2)
    assert not graph.plan().in_seconds
    result = graph.run(journal=journal)
    plan = graph.plan(journal=str(journal))
    assert plan.in_seconds
    assert plan.total_cost == pytest.approx(sum(task.duration or 0 for task in result), abs=1e-3)
    assert " s with max_parallel" in repr(plan)
