# ruff: noqa: E501 - rows of scenes read best one a line
"""A graph of graphs for the console's tests: four nodes, one of them with two in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from console_fakes import S, fail, snapshot_of
from dagtop.core.plan import Plan
from dagtop.core.snapshot import RunSnapshot

NESTED: dict[str, tuple[str, ...]] = {
    "ingest/raw/page_a": (),
    "ingest/raw/page_b": (),
    "ingest/raw": ("ingest/raw/page_a", "ingest/raw/page_b"),
    "ingest/clean/dedupe": ("ingest/raw",),
    "ingest/clean/join": ("ingest/clean/dedupe",),
    "ingest/clean": ("ingest/clean/dedupe", "ingest/clean/join"),
    "ingest": ("ingest/raw", "ingest/clean"),
    "exports/good": (),
    "exports/orders": (),
    "exports/slow": (),
    "exports/mail": ("exports/orders",),
    "exports": ("exports/good", "exports/orders", "exports/slow", "exports/mail"),
    "report/total": ("ingest",),
    "report/chart": ("report/total",),
    "report": ("report/total", "report/chart"),
    "publish/upload": ("report", "exports"),
    "publish": ("publish/upload",),
}
NODES = ("ingest/raw", "ingest/clean", "ingest", "exports", "report", "publish")

ROWS: dict[str, dict[str, Any]] = {
    "ingest/raw/page_a": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 1.0, "ended_at": 21.0},
    "ingest/raw/page_b": {"state": S.RUNNING, "attempt": 1, "started_at": 200.0, "progress": (3.0, 4.0, "page 3 of 4")},
    "exports/good": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 2.0, "ended_at": 4.0},
    "exports/orders": {"state": S.FAILED, "attempt": 1, "started_at": 2.0, "ended_at": 32.0, "failure": fail("IntegrityError", "duplicate key 881", "nightly.py:131 in orders")},
    "exports/slow": {"state": S.RUNNING, "attempt": 1, "started_at": 4.0},
    "exports/mail": {"state": S.SKIPPED, "ended_at": 32.0, "reason": "upstream exports/orders failed"},
}  # fmt: skip


def with_nodes(snapshot: RunSnapshot, nodes: Sequence[str]) -> RunSnapshot:
    """The same with some tasks as nodes."""
    plan: Plan = snapshot.plan
    plan = replace(plan, nodes=frozenset(plan.index[name] for name in nodes))
    return msgspec.structs.replace(snapshot, plan=plan)


def nested(rows: Mapping[str, Mapping[str, Any]] | None = None, **fields: Any) -> RunSnapshot:
    """In the middle of it."""
    limits = {"resource:slots:ingest": (1, 2), "pool:exports/db": (1, 4)}
    return with_nodes(snapshot_of(NESTED, {**ROWS, **(rows or {})}, limits=limits, **fields), NODES)


def in_nodes(count: int, size: int) -> RunSnapshot:
    """Many tasks in nodes of `size` each."""
    edges: dict[str, tuple[str, ...]] = {}
    nodes = []
    states = (S.SUCCEEDED, S.RUNNING, S.WAITING, S.READY, S.FAILED)
    rows: dict[str, dict[str, Any]] = {}
    for n in range(count // size):
        inside = [f"node_{n:03}/task_{i:05}" for i in range(size)]
        for i, name in enumerate(inside):
            edges[name] = ()
            rows[name] = {"state": states[(i * 7919 + n) % 5], "attempt": 1, "started_at": 1.0, "ended_at": 2.0}
        edges[f"node_{n:03}"] = tuple(inside)
        nodes.append(f"node_{n:03}")
    return with_nodes(snapshot_of(edges, rows), nodes)
