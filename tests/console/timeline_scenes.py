"""The story of the run of `running_mix`, as its engine would have told it."""

from __future__ import annotations

from console_fakes import FakeEngine, S, fail, finished_with_failures, hostile, running_mix, snapshot_of
from dagtop.core import events as ev
from dagtop.core.events import AnyEvent
from dagtop.core.forecast import Usual
from dagtop.core.policy import TaskPolicy
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import BAD, GOOD, TaskState

ENDS: dict[TaskState, type[ev.TaskFailed | ev.TaskTimedOut]] = {S.FAILED: ev.TaskFailed, S.TIMED_OUT: ev.TaskTimedOut}


def told(snapshot: RunSnapshot) -> list[AnyEvent]:
    """Events that make the rows what they are."""
    events: list[AnyEvent] = [ev.RunStarted(0.0, snapshot.run, snapshot.graph, 1.7e9, len(snapshot.rows), 8)]
    for row in snapshot.rows:
        name, failure = row.name, row.failure or fail("E", "broke")
        first = row.history[0].started_at if row.history else row.started_at
        ready = row.ready_at if row.ready_at is not None else None if first is None else max(0.0, first - 6)
        if ready is not None:
            events.append(ev.TaskReady(ready, name))
        for past in row.history:
            events.append(ev.TaskReady(past.started_at, name))
            events.append(ev.TaskStarted(past.started_at, name, past.number))
            if past.number < row.attempt or row.state is S.BACKOFF:
                events.append(
                    ev.TaskRetrying(
                        past.ended_at,
                        name,
                        past.number,
                        15.0,
                        past.failure or failure,
                        timed_out=past.ending == "timed_out",
                    )
                )
            else:
                events.append(ev.TaskFailed(past.ended_at, name, past.number, past.failure or failure))
        if row.started_at is None or (row.history and row.history[-1].number == row.attempt):
            continue
        events.append(ev.TaskStarted(row.started_at, name, row.attempt))
        end = row.ended_at
        if row.state in GOOD and end is not None:
            events.append(ev.TaskSucceeded(end, name, row.attempt))
        elif row.state is S.CANCELLED and end is not None:
            events.append(ev.TaskCancelled(end, name, row.attempt, row.reason))
        elif row.state in BAD and end is not None:
            events.append(ENDS.get(row.state, ev.TaskFailed)(end, name, row.attempt, failure))
    return sorted(events, key=lambda event: event.at)


def engine_of(snapshot: RunSnapshot) -> FakeEngine:
    """An engine that has told how it came to this."""
    engine = FakeEngine(snapshot)
    engine.story.take(1, told(snapshot))
    return engine


USUAL = {
    "extract_orders": 24.0,
    "extract_items": 30.0,
    "extract_events": 112.0,
    "dedupe_events": 70.0,
    "clean_orders": 57.0,
    "sessions": 80.0,
    "train_ltv": 190.0,
    "score_ltv": 20.0,
    "geo_enrich": 40.0,
}


def nightly() -> FakeEngine:
    """In the middle of it, with earlier runs to compare with."""
    engine = engine_of(running_mix())
    index = engine.latest.plan.index
    engine.usual = {index[name]: Usual(seconds, seconds * 1.2, 5) for name, seconds in USUAL.items()}  # type: ignore[attr-defined]
    engine.show(limits={"pool:io": (2, 2), "resource:gpu": (0, 1)})
    return engine


def over() -> FakeEngine:
    """When it is over."""
    return engine_of(finished_with_failures())


def nothing_told() -> FakeEngine:
    """Only the rows are known."""
    return FakeEngine(running_mix())


def enemies() -> FakeEngine:
    """Names as an enemy would write them."""
    return engine_of(hostile())


def resumed() -> FakeEngine:
    """Gone on with a day after its process died."""
    snapshot = snapshot_of(
        {"a": (), "b": ("a",), "c": ("b",)},
        {
            "a": {"state": S.SUCCEEDED, "attempt": 1, "ready_at": 0.0, "started_at": 1.0, "ended_at": 9.0},
            "b": {"state": S.RUNNING, "attempt": 2, "ready_at": 86400.0, "started_at": 86401.0},
        },
        at=86420.0,
    )
    engine = FakeEngine(snapshot)
    engine.story.take(
        1,
        [
            ev.RunStarted(0.0, "r-7f3a", "nightly", 1.7e9, 3, 8),
            ev.TaskReady(0.0, "a"),
            ev.TaskStarted(1.0, "a", 1),
            ev.TaskSucceeded(9.0, "a", 1),
            ev.TaskReady(9.0, "b"),
            ev.TaskStarted(9.5, "b", 1),
            ev.LimitChanged(20.0, 4, "by ann"),
            ev.RunResumed(86400.0, 1),
            ev.TaskReady(86400.0, "b"),
            ev.TaskStarted(86401.0, "b", 2),
        ],
    )
    return engine


def pooled() -> RunSnapshot:
    """Two that share a GPU, one that holds it."""
    gpu = TaskPolicy(resources={"gpu": 1})
    return snapshot_of(
        {"train_seg": (), "train_ltv": (), "score": ("train_ltv",)},
        {
            "train_seg": {"state": S.RUNNING, "attempt": 1, "ready_at": 0.0, "started_at": 0.0, "policy": gpu},
            "train_ltv": {"state": S.READY, "ready_at": 0.0, "policy": gpu},
        },
        at=30.0,
        limits={"resource:gpu": (1, 1)},
    )


def mapped() -> FakeEngine:
    """Twenty that are one row, between two that are not."""
    loads = {f"load[{n}]": ("list",) for n in range(20)}
    rows: dict[str, dict[str, object]] = {
        "list": {"state": S.SUCCEEDED, "attempt": 1, "ready_at": 0.0, "started_at": 0.0, "ended_at": 4.0},
    }
    for n, name in enumerate(loads):
        ended = {"state": S.SUCCEEDED, "attempt": 1, "ready_at": 4.0, "started_at": 4.0 + n, "ended_at": 9.0 + n}
        rows[name] = ended if n < 10 else {"state": S.READY, "ready_at": 4.0}
    rows["load[3]"] |= {"state": S.FAILED, "failure": fail("ValueError", "bad page")}
    rows["load[9]"] = {"state": S.RUNNING, "attempt": 1, "ready_at": 4.0, "started_at": 13.0}
    edges: dict[str, tuple[str, ...]] = {"list": (), **loads, "report": ("load[19]",)}
    return engine_of(snapshot_of(edges, rows, at=20.0))
