"""A run with all that may be in the way: pools, breakers, a gate, a cache, an adaptive limit; and a run that grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from console_fakes import S, counts_of, fail, plan_of, snapshot_of
from dagtop.core.breakers import BreakerView, Moved
from dagtop.core.escalation import Cause, EscalationReport
from dagtop.core.events import GateWaiting
from dagtop.core.guards import Breaker, BreakerState, Gate, OnReject
from dagtop.core.policy import BackendName, Retry, TaskPolicy
from dagtop.core.snapshot import RunSnapshot, TaskRow

STEERED: dict[str, tuple[str, ...]] = {
    "list_pages": (),
    "fetch_1": ("list_pages",),
    "fetch_2": ("list_pages",),
    "fetch_3": ("list_pages",),
    "fetch_4": ("list_pages",),
    "train": ("list_pages",),
    "train_more": ("list_pages",),
    "index": ("fetch_1",),
    "load": ("list_pages",),
    "old_report": ("list_pages",),
    "deploy": ("list_pages",),
    "announce": ("deploy",),
    "scratch": (),
}


def report_of(task: str, **fields: Any) -> EscalationReport:
    given: dict[str, Any] = {
        "number": 1, "task": task, "run": "r-7f3a", "graph": "nightly", "state": "failed", "cause": Cause.REPEATED,
        "summary": "IntegrityError at the same place, three times out of three.",
        "evidence": ("all 3 attempts raised IntegrityError at nightly.py:131", "its input has not changed"),
        "options": ("look at row 881 of extract_orders", "mark load as succeeded"),
        "attempts": (), "attempt_count": 3, "blocks": ("publish",), "blocks_count": 1, "at": 241.0,
        "escalated_at": "2026-11-21T12:00:00Z",
    }  # fmt: skip
    return EscalationReport(**(given | fields))


def steered(**changes: Any) -> RunSnapshot:
    """In the middle of it. `changes` are fields of the snapshot."""
    api = TaskPolicy(circuit="api", pool="web", retry=Retry(retries=2, base=1.0))
    gpu = TaskPolicy(resources={"gpu": 2})
    asked = GateWaiting(200.0, "deploy", "Deploy 14 pages to production?", 120.0)
    dup = fail("IntegrityError", "duplicate key 881", "nightly.py:131 in load")
    rows: dict[str, Mapping[str, Any]] = {
        "list_pages": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 3.0, "why_run": "its code changed"},
        "fetch_1": {"state": S.RUNNING, "attempt": 1, "started_at": 240.0, "policy": api},
        "fetch_2": {"state": S.RUNNING, "attempt": 2, "started_at": 245.0, "policy": api},
        "fetch_3": {"state": S.READY, "ready_at": 5.0, "policy": api},
        "fetch_4": {"state": S.READY, "ready_at": 5.0, "policy": TaskPolicy(circuit="mail")},
        "train": {"state": S.RUNNING, "attempt": 1, "started_at": 210.0, "policy": gpu},
        "train_more": {"state": S.READY, "ready_at": 5.0, "policy": gpu},
        "load": {"state": S.FAILED, "attempt": 3, "started_at": 200.0, "ended_at": 241.0, "failure": dup},
        "old_report": {"state": S.CACHED, "ended_at": 4.0, "reason": "code, options and inputs unchanged since run r-0001"},
        "deploy": {
            "state": S.HELD, "gate": asked,
            "policy": TaskPolicy(gate=Gate(prompt=asked.prompt, timeout=120.0, on_reject=OnReject.SKIP)),
        },
        "scratch": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 1.0, "torn_down": True},
    }  # fmt: skip
    breakers = (
        BreakerView(name="api", spec=Breaker("api"), state=BreakerState.CLOSED, computed=BreakerState.CLOSED, failures=2),
        BreakerView(
            name="mail", spec=Breaker("mail"), state=BreakerState.OPEN, computed=BreakerState.OPEN, failures=0, trips=1,
            opened_at=234.0, probe_due_at=264.0, recent=(Moved(234.0, "open", "5 failures in a row: SMTPError"),),
        ),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "limits": {"pool:web": (2, 2), "resource:gpu": (2, 3)}, "breakers": breakers, "escalations": (report_of("load"),),
        "escalation_count": 1, "window": 6,
    }  # fmt: skip
    made = snapshot_of(STEERED, rows, **(fields | changes))
    plan = made.plan
    at = plan.index["train"]
    object.__setattr__(plan, "backends", {at: BackendName.PROCESS})
    return made


def chain(count: int) -> RunSnapshot:
    """Pages that were found so far, each by the one before."""
    edges = {f"page_{n:04}": () if n == 0 else (f"page_{(n - 1) // 2:04}",) for n in range(count)}
    return snapshot_of(edges, {name: {"state": S.SUCCEEDED} for name in [*edges][: count // 2]})


def grown(before: RunSnapshot, count: int) -> RunSnapshot:
    """The same with more tasks behind: another plan, the same rows."""
    names = [f"page_{n:04}" for n in range(count)]
    edges = {name: () if n == 0 else (names[(n - 1) // 2],) for n, name in enumerate(names)}
    new = [TaskRow(index=n, name=names[n], state=S.WAITING) for n in range(len(before.rows), count)]
    rows = (*before.rows, *new)
    return msgspec.structs.replace(
        before, plan=plan_of(edges), rows=rows, counts=counts_of(rows), version=before.version + 1
    )
