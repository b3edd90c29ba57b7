"""Snapshots: whole, shared, and not too often; on a clock of the test's own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from dagtop import Graph
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.failure import Failure
from dagtop.core.instructions import StartAttempt
from dagtop.core.machine import RunMachine
from dagtop.core.policy import RunPolicy
from dagtop.core.states import TaskState
from dagtop.runtime.publisher import AT_ONCE, ESCALATIONS, LONGEST, SHORTEST, Publisher, SnapshotBox, row_of


class Watched:
    """A machine whose events a publisher gets."""

    def __init__(self, graph: Graph, **policy: Any) -> None:
        self.box = SnapshotBox()
        self.publisher = Publisher(self.box)
        self.machine = RunMachine(graph.validate(), RunPolicy(**policy))
        self.publisher.watch(self.machine.ledger)
        self.seen = 0
        self.starts = self.tell(inp.Begin(0.0, run="r", started_at=1_000.0))

    def tell(self, what: inp.Input) -> list[StartAttempt]:
        instructions = self.machine.handle(what)
        self.flush()
        return [item for item in instructions if isinstance(item, StartAttempt)]

    def flush(self) -> None:
        batch, self.machine.outbox = self.machine.outbox, []
        if batch:
            self.publisher.record(self.seen + 1, batch)
            self.seen += len(batch)

    def rows_are_true(self) -> None:
        latest = self.box.latest
        assert list(latest.rows) == [row_of(self.machine.ledger, i) for i in range(len(latest.plan))]
        assert dict(latest.counts) == self.machine.ledger.counts
        assert latest.events_seen == self.seen


def _graph(count: int = 3) -> Graph:
    return Graph.from_specs("g", tasks={f"t{i}": i for i in range(count)}, run=lambda task, spec: spec)


def test_snapshots_come_at_most_one_per_shortest_while_things_change() -> None:
    watched = Watched(_graph(100))
    now, published = 0.0, []
    for start in watched.starts:
        now += 0.002
        watched.tell(inp.AttemptSucceeded(now, start.index, 1))
        if watched.publisher.due_in(now, ticking=True) == 0:
            watched.publisher.publish(now)
            published.append(now)
            watched.rows_are_true()
    gaps = [b - a for a, b in pairwise(published)]
    assert gaps
    assert min(gaps) >= SHORTEST - 1e-9


def test_while_nothing_changes_only_the_clock_ticks_and_after_the_end_nothing() -> None:
    watched = Watched(_graph())
    watched.publisher.publish(1.0)
    assert watched.publisher.due_in(1.0, ticking=True) == pytest.approx(LONGEST)
    assert watched.publisher.due_in(9.0, ticking=False) is None


def test_rows_that_did_not_change_are_the_same_objects() -> None:
    watched = Watched(_graph())
    watched.publisher.publish(1.0)
    before = watched.box.latest
    watched.tell(inp.AttemptSucceeded(1.0, 1, 1))
    watched.publisher.publish(2.0)
    after = watched.box.latest
    assert [a is b for a, b in zip(before.rows, after.rows, strict=True)] == [True, False, True]
    assert before.rows[1].state is TaskState.RUNNING, "a snapshot never changes once it is out"
    assert after.version == before.version + 1


def test_what_states_do_not_show_is_shown_too() -> None:
    watched = Watched(_graph())
    watched.publisher.publish(0.1)
    machine = watched.machine
    for event in (
        ev.TaskProgress(0.2, "t0", 1.0, 2.0, "half"),
        ev.Problem(0.2, "somebody", "something"),
        ev.Log(0.2, "t0", 1, "stdout", "", "line"),
    ):
        machine.note(event)
    watched.tell(inp.CommandGiven(0.3, cmd.SetPolicy("t1", retries=5), 7, "me"))
    watched.tell(inp.CommandGiven(0.3, cmd.HoldTask("t1"), 8, "me"))
    watched.publisher.publish(0.4)
    latest = watched.box.latest
    watched.rows_are_true()
    assert latest.rows[0].progress == (1.0, 2.0, "half")
    assert latest.rows[1].policy.retry.retries == 5
    assert [item.id for item in latest.answers] == [7, 8]
    assert (latest.problem_count, latest.problems[0].message) == (1, "something")


def test_of_outputs_that_cannot_be_kept_the_first_stands_for_all() -> None:
    """A crawl in which all was well once ended with "61 problems": one for each page that returned a Counter."""
    watched = Watched(_graph())
    told = [ev.Problem(0.2, "journal", "the output is a set; it is not kept", task) for task in ("t0", "t1", "t0")]
    watched.publisher.record(1, [*told, ev.Problem(0.3, "journal", "the disk is full")])
    watched.publisher.publish(0.4)
    latest = watched.box.latest
    assert [(one.task, one.is_notice) for one in latest.problems] == [("t0", True), ("", False)]
    assert latest.problem_count == 2
    again = Watched(_graph())
    again.publisher.take_notes(watched.publisher.notes())
    again.publisher.record(5, told)
    again.publisher.publish(0.6)
    assert again.box.latest.problem_count == 2


def test_the_latest_escalation_reports_are_shown_and_all_are_counted() -> None:
    watched = Watched(_graph(ESCALATIONS + 5), max_parallel=ESCALATIONS + 5)
    watched.publisher.publish(0.0)
    assert watched.box.latest.escalations == ()
    for start in watched.starts:
        watched.tell(inp.AttemptRaised(1.0, start.index, 1, Failure(error="E", message=""), retriable=False))
    watched.publisher.publish(2.0)
    shown = watched.box.latest
    assert shown.escalation_count == ESCALATIONS + 5
    assert [report.task for report in shown.escalations] == [f"t{number}" for number in range(5, ESCALATIONS + 5)]
    watched.publisher.publish(3.0)
    assert watched.box.latest.escalations is shown.escalations


def test_a_task_that_comes_back_to_the_state_it_was_shown_in_is_drawn_anew() -> None:
    watched = Watched(_graph())
    watched.publisher.publish(0.1)
    watched.tell(inp.CommandGiven(0.2, cmd.RestartTask("t0"), 1, "me"))
    watched.tell(inp.AttemptStopped(0.3, 0, 1, Failure(error="E", message="m")))
    assert watched.machine.ledger.state[0] is TaskState.RUNNING
    watched.publisher.publish(0.4)
    watched.rows_are_true()
    assert watched.box.latest.rows[0].attempt == 2


def test_a_row_tells_since_when_its_task_should_stop() -> None:
    watched = Watched(_graph(1))
    watched.tell(inp.CommandGiven(0.2, cmd.CancelTask("t0"), 1, "me"))
    watched.publisher.publish(0.3)
    assert watched.box.latest.rows[0].cancelling_at == 0.2
    watched.tell(inp.AttemptStopped(0.4, 0, 1, None))
    watched.publisher.publish(0.5)
    assert watched.box.latest.rows[0].cancelling_at is None


def test_a_flood_of_changes_is_shown_in_parts_and_in_the_end_completely() -> None:
    watched = Watched(_graph(3 * AT_ONCE), max_parallel=5 * AT_ONCE)
    watched.publisher.publish(0.05)
    for start in watched.starts:
        watched.tell(inp.AttemptSucceeded(0.1, start.index, 1))
    watched.publisher.publish(0.1, lambda: 0.1)
    shown = sum(row.state is TaskState.SUCCEEDED for row in watched.box.latest.rows)
    assert shown == AT_ONCE
    assert watched.publisher.due_in(9.0, ticking=False) == 0, "more is to come although the run is over"
    watched.publisher.publish(0.2)
    watched.rows_are_true()
