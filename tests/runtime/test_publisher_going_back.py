"""A publisher that is given another ledger of the same run, as a replay does that goes back in time."""

from __future__ import annotations

from dagtop import Graph
from dagtop.core import events as ev
from dagtop.core.failure import Failure
from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan
from dagtop.runtime.publisher import Publisher, SnapshotBox, differing, row_of, rows_of


def plan_of(*names: str) -> Plan:
    graph = Graph("g")
    for name in names:
        graph.add(name, lambda: None)
    return graph.validate()


def test_to_watch_an_earlier_ledger_leaves_what_was_published_as_it_was() -> None:
    """A replay goes back to before a task was spawned: a console may be drawing the snapshot with it."""
    few, many = Ledger(plan_of("a")), Ledger(plan_of("a", "b"))
    box = SnapshotBox()
    publisher = Publisher(box)
    publisher.watch(many)
    publisher.publish(1.0)
    shown = box.latest
    publisher.watch(few)
    publisher.publish(0.5)
    assert [row.name for row in shown.rows] == ["a", "b"]
    assert [row.name for row in box.latest.rows] == ["a"]
    assert box.latest.rows[0] is shown.rows[0]


def test_very_many_rows_are_what_each_of_them_is() -> None:
    ledger = Ledger(plan_of(*(f"t{number}" for number in range(700))))
    for number in range(0, 700, 3):
        ledger.apply(ev.TaskReady(1.0, f"t{number}"))
        ledger.apply(ev.TaskStarted(2.0, f"t{number}", 1))
        ledger.apply(ev.TaskProgress(2.5, f"t{number}", 1, 2, "half"))
        if number % 2:
            ledger.apply(ev.TaskFailed(3.0, f"t{number}", 1, Failure(error="OSError", message="no")))
    ledger.apply(ev.TaskHeld(4.0, "t1"))
    ledger.apply(ev.TaskSkipped(4.0, "t2", "not wanted"))
    assert rows_of(ledger, range(700)) == [row_of(ledger, index) for index in range(700)]


def test_what_differs_between_two_ledgers_is_all_of_it_and_no_more() -> None:
    plan = plan_of("a", "b", "c", "d")
    one, other = Ledger(plan), Ledger(plan)
    assert differing(one, other) == set()
    for ledger in (one, other):
        ledger.apply(ev.TaskReady(1.0, "a"))
    one.apply(ev.TaskReady(2.0, "b"))
    other.apply(ev.TaskHeld(2.0, "c"))
    assert differing(one, other) == differing(other, one) == {1, 2}
    one.apply(ev.TaskStarted(3.0, "a", 1))
    other.apply(ev.TaskStarted(3.0, "a", 1))
    one.apply(ev.TaskProgress(4.0, "a", 1, 2))
    assert differing(one, other) == {0, 1, 2}
    other.apply(ev.TaskProgress(4.0, "a", 1, 2))
    assert differing(one, other) == {1, 2}
