"""What people have said of breakers and escalations, looked at at any instant of a stored run."""

from __future__ import annotations

from pathlib import Path

from dagtop import Breaker, DAGExecutor, Graph
from dagtop.core import commands as do
from dagtop.core import events as ev
from dagtop.core.guards import BreakerState
from dagtop.journal.sqlite import SqliteJournal
from dagtop.runtime.past import Circuits, Past
from dagtop.runtime.publisher import SnapshotBox


def test_B22_settings_that_were_changed_hold_from_then_on() -> None:
    circuits = Circuits({"api": {}}, ["api"])
    circuits.take(ev.BreakerOpened(10.0, "api", "5 failures in a row", 30.0))
    circuits.take(ev.BreakerChanged(12.0, "api", "recovery_timeout 30 → 5, set by eve", {"recovery_timeout": 5.0}))
    (view,) = circuits.seen(12.0)
    assert (view.spec.recovery_timeout, view.probe_due_at, view.state) == (5.0, 15.0, BreakerState.OPEN)
    assert (view.recent[-1].state, view.recent[-1].by_force) == ("", False)


def test_B38_a_run_with_both_is_replayed_as_it_was(tmp_path: Path) -> None:
    graph = Graph("g", breakers=[Breaker("api of this test", failure_threshold=3)])
    graph.add("fails", lambda: 1 / 0, circuit="api of this test")
    run = DAGExecutor(graph, journal=tmp_path / "runs.db").start(hold_open=True)
    for _ in run.events("run.finished"):
        run.acknowledge(1, reason="mine").wait()
        run.set_breaker("api of this test", failure_threshold=9).wait()
        run.close()
    run.wait()
    stored = SqliteJournal(tmp_path / "runs.db").load("last")
    events = [*stored.events()]
    assert [event.command for event in events if isinstance(event, ev.CommandApplied)] == [
        do.AcknowledgeEscalation(1, "mine"),
        do.SetBreaker("api of this test", failure_threshold=9),
    ]
    box = SnapshotBox()
    past = Past(stored, box)
    before = next(n for n, event in enumerate(events) if isinstance(event, ev.EscalationAcknowledged))
    for number, notes, threshold in ((before, [], 3), (len(events), ["mine"], 9)):
        while not past.forward(number=number):
            pass
        past.show(past.at)
        assert [one.note for one in box.latest.acknowledged.values()] == notes
        (view,) = box.latest.breakers
        assert view.spec.failure_threshold == threshold
        assert [report.number for report in box.latest.escalations] == [1]
    stored.close()
