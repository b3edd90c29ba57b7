# ruff: noqa: E501 - rows of scenes read best one a line
"""A run with breakers in every state, and with escalations that stand, are looked after, came again and were resolved."""

from __future__ import annotations

from typing import Any

import msgspec
from console_fakes import HOSTILE, FakeEngine, S, fail, snapshot_of
from console_scenes import report_of
from dagtop.core import commands as do
from dagtop.core import events as ev
from dagtop.core.breakers import BreakerView, Moved
from dagtop.core.escalation import Cause, EscalationReport
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.guards import Breaker, BreakerState
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.snapshot import RunSnapshot

B = BreakerState
_TIMEOUT = fail("ReadTimeout", "GET https://fx.example/v1", "nightly.py:88 in fetch_fx_rates")
DUP = Failure(
    error="IntegrityError", message='duplicate key value violates "orders_pk" (881)', where="nightly.py:131 in load_orders",
    root="UniqueViolation: orders_pk", given_by="extract_orders",
    traceback='Traceback (most recent call last):\n  File "nightly.py", line 131, in load_orders\n    write(rows)\nIntegrityError: duplicate key\n',
)  # fmt: skip
EDGES: dict[str, tuple[str, ...]] = {
    "extract_orders": (),
    "fetch_fx_rates": (),
    "fetch_fx_past": (),
    "sync_crm": (),
    "push_crm": (),
    "load_orders": ("extract_orders",),
    "convert_prices": ("fetch_fx_rates", "fetch_fx_past"),
    "build_mart": ("load_orders", "convert_prices"),
    "publish": ("build_mart",),
    "notify_ops": (),
    "notify_dev": (),
    "heartbeat": (),
    "vacuum": (),
}


def breakers() -> tuple[BreakerView, ...]:
    """One in every state."""
    fx = Breaker("fx-api", failure_threshold=3, recovery_timeout=20.0, success_threshold=2)
    smtp = Breaker("smtp", failure_threshold=2, recovery_timeout=30.0, on_open="fail")
    return (
        BreakerView(name="crm", spec=Breaker("crm", window=60.0, failure_rate=0.5), state=B.CLOSED, computed=B.CLOSED, failures=1),
        BreakerView(
            name="fx-api", spec=fx, state=B.HALF_OPEN, computed=B.HALF_OPEN, opened_at=200.0, probing=True, trips=2, successes=1,
            recent=(Moved(170.0, "open", "3 failures in a row: ReadTimeout"), Moved(190.0, "half_open", "recovery_timeout of 20 s is over"),
                    Moved(200.0, "open", "the probe failed: ReadTimeout"), Moved(220.0, "half_open", "recovery_timeout of 20 s is over")),
        ),
        BreakerView(
            name="maps", spec=Breaker("maps"), state=B.OPEN, computed=B.CLOSED, forced=B.OPEN, failures=2,
            recent=(Moved(238.0, "open", "held open by hand", True),),
        ),
        BreakerView(
            name="smtp", spec=smtp, state=B.OPEN, computed=B.OPEN, opened_at=234.0, probe_due_at=264.0, trips=1,
            recent=(Moved(234.0, "open", "2 failures in a row: SMTPError"),),
        ),
    )  # fmt: skip


def reports() -> tuple[EscalationReport, ...]:
    """In the order in which they were raised."""
    same = tuple(
        AttemptRecord(number=n, started_at=100.0 + 40 * n, ended_at=130.0 + 40 * n, ending="failed", failure=DUP)
        for n in (1, 2, 3)
    )
    mail = (
        AttemptRecord(
            number=1,
            started_at=3.0,
            ended_at=5.2,
            ending="failed",
            failure=fail("SMTPError", "535 no", "nightly.py:210 in notify_ops"),
        ),
    )
    plain: dict[str, Any] = {"blocks": (), "blocks_count": 0}
    return (
        report_of("vacuum", number=1, at=20.0, cause=Cause.FAILED_ONCE, attempt_count=1, **plain),
        report_of("load_orders", number=2, at=90.0, cause=Cause.INTERMITTENT, attempts=same[:1], attempt_count=1, **plain),
        report_of("notify_ops", number=3, at=60.0, cause=Cause.UNAVAILABLE, attempts=mail, attempt_count=1, circuit="smtp", circuit_state="open", **plain),
        report_of("push_crm", number=4, at=100.0, cause=Cause.BY_HAND, state="cancelled", attempts=(), attempt_count=0, **plain),
        report_of("load_orders", number=5, at=250.0, attempts=same, blocks=("build_mart", "publish"), blocks_count=2),
        report_of("sync_crm", number=6, at=110.0, attempts=mail, attempt_count=1, **plain),
    )  # fmt: skip


def alarms(**changes: Any) -> RunSnapshot:
    """All of it. `changes` are fields of the snapshot."""
    fx = TaskPolicy(circuit="fx-api", retry=Retry(retries=9, base=5.0))
    mail, crm = TaskPolicy(circuit="smtp"), TaskPolicy(circuit="crm", retry=Retry(retries=2))
    rows: dict[str, dict[str, Any]] = {
        "extract_orders": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 30.0},
        "fetch_fx_rates": {"state": S.RUNNING, "attempt": 4, "started_at": 245.0, "policy": fx, "failure": _TIMEOUT},
        "fetch_fx_past": {"state": S.READY, "ready_at": 200.0, "attempt": 2, "policy": fx, "failure": _TIMEOUT},
        "sync_crm": {"state": S.RUNNING, "attempt": 2, "started_at": 240.0, "policy": crm},
        "push_crm": {"state": S.CANCELLED, "ended_at": 100.0, "reason": "cancelled by hand", "policy": crm},
        "load_orders": {"state": S.FAILED, "attempt": 3, "started_at": 220.0, "ended_at": 250.0, "failure": DUP},
        "build_mart": {"state": S.SKIPPED, "reason": "upstream load_orders failed"},
        "publish": {"state": S.SKIPPED, "reason": "upstream build_mart skipped"},
        "notify_ops": {"state": S.FAILED, "attempt": 1, "started_at": 3.0, "ended_at": 5.2, "policy": mail, "failure": fail("SMTPError", "535 no")},
        "notify_dev": {"state": S.BACKOFF, "attempt": 1, "due_at": 280.0, "policy": mail, "failure": fail("SMTPError", "535 no")},
        "heartbeat": {"state": S.RUNNING, "attempt": 1, "started_at": 1.0, "policy": TaskPolicy(circuit="maps")},
        "vacuum": {"state": S.SUCCEEDED, "attempt": 2, "started_at": 30.0, "ended_at": 41.0},
    }  # fmt: skip
    acknowledged = {3: ev.EscalationAcknowledged(70.0, "notify_ops", 3, "hand", "mail is down, known")}
    fields: dict[str, Any] = {
        "breakers": breakers(), "escalations": reports(), "escalation_count": 6, "acknowledged": acknowledged,
    }  # fmt: skip
    return snapshot_of(EDGES, rows, **(fields | changes))


def story_events() -> list[ev.AnyEvent]:
    """What has led to it, as far as breakers, calls and edits go."""
    failed = fail("ReadTimeout", "no answer")
    happened: list[ev.AnyEvent] = [ev.RunStarted(0.0, "r-7f3a", "nightly", 0.0, 13, 8)]
    for n in range(3):
        happened += [
            ev.TaskReady(150.0 + 5 * n, "fetch_fx_rates"),
            ev.TaskStarted(151.0 + 5 * n, "fetch_fx_rates", n + 1),
            ev.TaskRetrying(154.0 + 5 * n, "fetch_fx_rates", n + 1, 0.0, failed),
        ]
    happened += [
        ev.BreakerOpened(170.0, "fx-api", "3 failures in a row: ReadTimeout", 20.0),
        ev.TaskReady(170.0, "fetch_fx_rates"),
        ev.BreakerHalfOpened(190.0, "fx-api", "recovery_timeout of 20 s is over"),
        ev.TaskStarted(190.0, "fetch_fx_rates", 4),
        ev.TaskRetrying(200.0, "fetch_fx_rates", 4, 0.0, failed, True),
        ev.BreakerOpened(200.0, "fx-api", "the probe failed: ReadTimeout", 20.0),
        ev.TaskReady(200.0, "fetch_fx_rates"),
        ev.TaskReady(200.0, "fetch_fx_past"),
        ev.BreakerHalfOpened(220.0, "fx-api", "recovery_timeout of 20 s is over"),
        ev.TaskStarted(225.0, "sync_crm", 1),
        ev.TaskSucceeded(230.0, "sync_crm", 1),
        ev.CommandApplied(231.0, do.SetPolicy("load_orders", retries=2), 1, "console", "load_orders: retries = 2"),
        ev.BreakerOpened(234.0, "smtp", "2 failures in a row: SMTPError", 30.0),
        ev.TaskFailed(235.0, "notify_ops", 1, fail("CircuitOpenError", "circuit breaker 'smtp' is open")),
        ev.BreakerForced(238.0, "maps", "held open by hand", "open"),
        ev.TaskStarted(245.0, "fetch_fx_rates", 5),
    ]
    return happened


def alarmed(snapshot: RunSnapshot | None = None) -> FakeEngine:
    """An engine with all of it, and its story."""
    engine = FakeEngine(alarms() if snapshot is None else snapshot)
    engine.story.take(1, story_events())
    return engine


def hostile_alarms() -> RunSnapshot:
    """Names, errors, notes and reasons as an enemy would write them."""
    names = [name for name in HOSTILE if name.strip()]
    edges = dict.fromkeys(names, ())
    rows = {
        name: {"state": S.FAILED, "attempt": 1, "ended_at": 5.0, "reason": name, "failure": fail(name, name, name, name), "policy": TaskPolicy(circuit=name)}
        for name in names
    }  # fmt: skip
    views = tuple(
        BreakerView(
            name=name, spec=Breaker(name), state=state, computed=state, forced=state if place % 2 else None,
            recent=(Moved(1.0, state.value, name), Moved(2.0, state.value, name, True)),
        )
        for place, name in enumerate(names)
        for state in [list(B)[place % 3]]
    )  # fmt: skip
    told = tuple(
        report_of(
            name, number=place + 1, summary=name, evidence=(name, name), options=(name,), blocks=(name, "\x1b[2J"), blocks_count=2,
            attempts=(AttemptRecord(number=1, started_at=1.0, ended_at=2.0, ending="failed", failure=msgspec.structs.replace(DUP, error=name, message=name, root=name, where=name, traceback=f"{name}\n  File {name}")),),
        )
        for place, name in enumerate(names)
    )  # fmt: skip
    acknowledged = {1: ev.EscalationAcknowledged(3.0, names[0], 1, names[1], names[2])}
    return snapshot_of(
        edges, rows, breakers=views, escalations=told, escalation_count=len(told), acknowledged=acknowledged
    )
