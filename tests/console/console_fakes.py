# ruff: noqa: E501 - rows of scenes read best one a line
"""A hand-written engine for the console's tests, and scenes to set before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from dagtop.core.commands import Command
from dagtop.core.events import CommandApplied, CommandRefused
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.plan import Plan
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.snapshot import EMPTY, RunSnapshot, TaskRow
from dagtop.core.states import RunState, TaskState
from dagtop.core.topology import topological_order
from dagtop.observe.logs import LogLine
from dagtop.observe.story import Story

S = TaskState


class FakeLogs:
    """A log book in a list."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def add(
        self, task: str, text: str, *, at: float = 0.0, stream: str = "stdout", level: str = "", attempt: int = 1
    ) -> None:
        self.lines.append(LogLine(len(self.lines) + 1, at, task, attempt, stream, level, text))

    def tail(self, task: str | None, count: int) -> Sequence[LogLine]:
        return [line for line in self.lines if task is None or line.task == task][-count:]

    def since(self, number: int, task: str | None = None, limit: int = 1000) -> Sequence[LogLine]:
        return [line for line in self.lines[number:] if task is None or line.task == task][:limit]


class FakeEngine:
    """Records commands; tests set snapshots."""

    def __init__(self, snapshot: RunSnapshot = EMPTY) -> None:
        self.latest = snapshot
        self.logs = FakeLogs()
        self.story = Story()
        self.sent: list[Command] = []
        self.result: Any = None
        self.error: BaseException | None = None
        self.closed = False
        self.asked_where: list[str] = []
        self.place = ""

    def send(self, command: Command, *, by: str) -> int:
        assert by == "console"
        self.sent.append(command)
        return len(self.sent)

    def where(self, task: str) -> str:
        self.asked_where.append(task)
        return self.place

    def close(self) -> None:
        self.closed = True

    def join(self, timeout: float | None = None) -> bool:
        return True

    def show(self, **changes: Any) -> None:
        """Publish the latest snapshot with changes; counts are worked out."""
        changes.setdefault("version", self.latest.version + 1)
        snapshot = msgspec.structs.replace(self.latest, **changes)
        self.latest = msgspec.structs.replace(snapshot, counts=counts_of(snapshot.rows))

    def change(self, task: str, **changes: Any) -> None:
        """Publish with one row changed."""
        rows = list(self.latest.rows)
        index = self.latest.plan.index[task]
        rows[index] = msgspec.structs.replace(rows[index], **changes)
        self.show(rows=tuple(rows))

    def apply(self, effect: str = "done") -> None:
        """Say that the latest command was carried out."""
        answer = CommandApplied(
            at=self.latest.at, command=self.sent[-1], id=len(self.sent), by="console", effect=effect
        )
        self.show(answers=(*self.latest.answers, answer))

    def refuse(self, reason: str) -> None:
        """Say that the latest command was not carried out."""
        answer = CommandRefused(
            at=self.latest.at, command=self.sent[-1], id=len(self.sent), by="console", reason=reason
        )
        self.show(answers=(*self.latest.answers, answer))


def counts_of(rows: Sequence[TaskRow]) -> dict[TaskState, int]:
    counts = dict.fromkeys(TaskState, 0)
    for row in rows:
        counts[row.state] += 1
    return counts


def plan_of(
    edges: Mapping[str, Sequence[str]], name: str = "nightly", policies: Mapping[str, TaskPolicy] | None = None
) -> Plan:
    """A plan from each task's upstream names."""
    names = tuple(edges)
    index = {task: place for place, task in enumerate(names)}
    upstream = tuple(tuple(index[it] for it in needed) for needed in edges.values())
    downstream: list[list[int]] = [[] for _ in names]
    for place, needed in enumerate(upstream):
        for it in needed:
            downstream[it].append(place)
    given = policies or {}
    return Plan(
        name=name,
        names=names,
        index=index,
        upstream=upstream,
        downstream=tuple(map(tuple, downstream)),
        order=tuple(topological_order(upstream, downstream)),
        policies=tuple(given.get(task, TaskPolicy()) for task in names),
    )


def snapshot_of(
    edges: Mapping[str, Sequence[str]], rows: Mapping[str, Mapping[str, Any]], *, at: float = 252.0, **fields: Any
) -> RunSnapshot:
    """A snapshot from each task's upstream names and what is special about its row."""
    policies = {task: row["policy"] for task, row in rows.items() if "policy" in row}
    plan = plan_of(edges, policies=policies)
    made = tuple(
        TaskRow(index=place, name=task, **{"state": S.WAITING, **rows.get(task, {})})
        for place, task in enumerate(plan.names)
    )
    values = {"run": "r-7f3a", "graph": "nightly", "state": RunState.RUNNING, "max_parallel": 8, "version": 1, **fields}
    return RunSnapshot(plan=plan, rows=made, counts=counts_of(made), at=at, **values)


def fail(error: str, message: str, where: str = "", traceback: str = "") -> Failure:
    return Failure(error=error, message=message, where=where, traceback=traceback)


TRACEBACK = """Traceback (most recent call last):
  File "nightly.py", line 131, in load_orders
    connection.execute(INSERT, rows)
  File "database.py", line 48, in execute
    raise IntegrityError(message)
database.IntegrityError: duplicate key value violates "orders_pk" (881)
"""

EDGES: dict[str, tuple[str, ...]] = {
    "auth_token": (),
    "calendar": (),
    "extract_orders": ("auth_token",),
    "extract_items": ("auth_token",),
    "extract_events": ("auth_token",),
    "extract_users": ("auth_token",),
    "fetch_fx_rates": ("auth_token", "calendar"),
    "sync_crm": ("auth_token",),
    "clean_orders": ("extract_orders",),
    "join_orders": ("clean_orders", "extract_items"),
    "load_orders": ("join_orders",),
    "convert_prices": ("fetch_fx_rates", "join_orders"),
    "dedupe_events": ("extract_events",),
    "sessions": ("dedupe_events",),
    "geo_enrich": ("extract_users",),
    "train_ltv": ("extract_orders",),
    "train_churn": ("extract_orders",),
    "score_ltv": ("train_ltv", "sessions", "geo_enrich", "convert_prices"),
    "build_mart": ("load_orders", "convert_prices"),
    "publish": ("build_mart", "score_ltv"),
    "notify_ops": ("calendar",),
    "vacuum": (),
    "backfill_2019": (),
    "warm_cache": ("calendar",),
    "snapshot_config": ("calendar",),
}


def running_mix() -> RunSnapshot:
    """A run in the middle: every state but CACHED is there."""
    three = TaskPolicy(retry=Retry(retries=2, base=15.0), timeout=60)
    timeout = fail("ReadTimeout", "GET https://fx.example/v1", "nightly.py:88 in fetch_fx_rates")
    dup = fail(
        "IntegrityError", 'duplicate key value violates "orders_pk" (881)', "nightly.py:131 in load_orders", TRACEBACK
    )
    fx = TaskPolicy(retry=Retry(retries=4, base=15.0, jitter=0.2), timeout=10)

    def ok(started: float, ended: float, **more: Any) -> dict[str, Any]:
        return {
            "state": S.SUCCEEDED,
            "attempt": 1,
            "ready_at": started,
            "started_at": started,
            "ended_at": ended,
            **more,
        }

    rows: dict[str, dict[str, Any]] = {
        "auth_token": ok(0, 0.42),
        "calendar": ok(0, 2.3),
        "extract_orders": ok(3, 25, policy=three, progress=(14201.0, None, "14,201 rows")),
        "extract_items": ok(3, 38, policy=three),
        "extract_events": {"state": S.RUNNING, "attempt": 1, "started_at": 14.0, "policy": three, "progress": (1.2e6, None, "rows read")},
        "extract_users": {"state": S.RUNNING, "attempt": 1, "started_at": 180.0, "policy": three, "progress": (62.0, 100.0, "page 62 of 100")},
        "fetch_fx_rates": {
            "state": S.BACKOFF, "attempt": 2, "started_at": 231.0, "ended_at": 241.0, "due_at": 264.0, "failure": timeout, "policy": fx,
            "history": (
                AttemptRecord(number=1, started_at=200.0, ended_at=210.0, ending="timed_out", failure=timeout),
                AttemptRecord(number=2, started_at=231.0, ended_at=241.0, ending="timed_out", failure=timeout),
            ),
        },
        "sync_crm": {
            "state": S.BACKOFF, "attempt": 1, "started_at": 219.0, "ended_at": 250.0, "due_at": 255.0, "policy": three,
            "failure": fail("TaskTimeoutError", "longer than 30s"),
            "history": (AttemptRecord(number=1, started_at=219.0, ended_at=250.0, ending="timed_out", failure=fail("TaskTimeoutError", "longer than 30s")),),
        },
        "clean_orders": ok(25, 82, policy=three),
        "join_orders": ok(82, 139, policy=three, history=(AttemptRecord(number=1, started_at=82, ended_at=99, ending="failed", failure=dup),)),
        "load_orders": {
            "state": S.FAILED, "attempt": 3, "started_at": 200.0, "ended_at": 241.0, "failure": dup, "policy": three,
            "history": tuple(AttemptRecord(number=n, started_at=140.0 + 30 * (n - 1), ended_at=141.0 + 30 * n - 10, ending="failed", failure=dup) for n in (1, 2, 3)),
        },
        "dedupe_events": {"state": S.RUNNING, "attempt": 1, "started_at": 202.0, "progress": (71.0, 100.0, "71 of 100 files")},
        "geo_enrich": {"state": S.WAITING, "held": True},
        "train_ltv": {"state": S.READY, "ready_at": 25.0},
        "train_churn": {"state": S.READY, "ready_at": 25.0},
        "build_mart": {"state": S.BLOCKED, "reason": "upstream load_orders failed"},
        "notify_ops": {"state": S.FAILED, "attempt": 1, "started_at": 3.0, "ended_at": 5.2, "failure": fail("SMTPAuthenticationError", "(535, b'5.7.8 authentication failed')", "nightly.py:210 in notify_ops")},
        "vacuum": {"state": S.CANCELLED, "attempt": 1, "started_at": 120.0, "ended_at": 127.0, "reason": "cancelled by hand"},
        "backfill_2019": {"state": S.SKIPPED, "reason": "when: full_refresh is False"},
        "warm_cache": {"state": S.CANCELLING, "attempt": 1, "started_at": 160.0, "cancelling_at": 249.0, "reason": "cancelled by hand"},
        "snapshot_config": {"state": S.HELD, "held": True},
    }  # fmt: skip
    return snapshot_of(EDGES, rows)


def finished_with_failures() -> RunSnapshot:
    """The same run when it is over."""
    live = running_mix()
    rows = []
    for row in live.rows:
        changes: dict[str, Any] = {"held": False}
        if row.state in {S.RUNNING, S.BACKOFF, S.READY, S.HELD}:
            started = row.started_at if row.started_at is not None else 252.0
            changes |= {
                "state": S.SUCCEEDED,
                "started_at": started,
                "ended_at": 290.0,
                "attempt": max(1, row.attempt),
                "failure": None,
            }
        elif row.state is S.CANCELLING:
            changes |= {"state": S.CANCELLED, "ended_at": 260.0, "cancelling_at": None}
        elif row.name in {"build_mart", "publish"}:
            changes |= {"state": S.SKIPPED, "reason": "upstream load_orders failed"}
        elif row.state is S.WAITING:
            changes |= {"state": S.SUCCEEDED, "attempt": 1, "started_at": 290.0, "ended_at": 297.5}
        rows.append(msgspec.structs.replace(row, **changes))
    return msgspec.structs.replace(live, rows=tuple(rows), counts=counts_of(rows), state=RunState.FAILED, at=298.2)


HOSTILE = (
    "\x1b[31mred\x1b[0m", "[/bin/sh]", "[bold]x[/bold] [b +", "a\nb\tc\r", "\u202egnp.exe", "zero\u200bwidth\u200d", "", "   ",
    "漢字の名前がとても長いタスク", "🔥👩‍👩‍👧 fire", "e\u0301\u0301\u0301\u0301\u0301\u0301zalgo", "\ud800lone", "x" * 10_000, "\x00\x07\x9b2J", "$(rm -rf)", "{{7*7}}",
)  # fmt: skip


def hostile() -> RunSnapshot:
    """Names, errors, messages and reasons as an enemy would write them."""
    edges = {name: (HOSTILE[place - 1],) if place else () for place, name in enumerate(HOSTILE)}
    states = list(TaskState)
    rows: dict[str, dict[str, Any]] = {}
    for place, name in enumerate(HOSTILE):
        bad = HOSTILE[-1 - place]
        rows[name] = {
            "state": states[place % len(states)], "attempt": 1, "started_at": 1.0, "ended_at": 2.0, "due_at": 300.0, "reason": bad,
            "failure": fail(bad or "E", name, bad, bad + "\n" + name), "progress": (1.0, 2.0, bad),
            "history": (AttemptRecord(number=1, started_at=1.0, ended_at=2.0, ending="failed", failure=fail(bad, name)),),
            "policy": TaskPolicy(tags=(bad,), description=bad),
        }  # fmt: skip
    return snapshot_of(edges, rows, graph="[red]\x1b]0;title\x07", reason="\x1b[2J")


def many(count: int) -> RunSnapshot:
    """A wide graph with states mixed."""
    states = (S.SUCCEEDED, S.RUNNING, S.WAITING, S.WAITING, S.READY, S.FAILED, S.BACKOFF)
    edges: dict[str, tuple[str, ...]] = {f"load_{n:06}": () if n < 10 else (f"load_{n - 10:06}",) for n in range(count)}
    rows = {
        name: {"state": states[place * 7919 % len(states)], "attempt": 1, "started_at": 1.0, "ended_at": 2.0}
        for place, name in enumerate(edges)
    }
    return snapshot_of(edges, rows)
