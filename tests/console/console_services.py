"""A run that keeps tasks at a desired state, with one task in each way that it may be in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console_fakes import S, fail, snapshot_of
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import Probe, Restart
from dagtop.core.snapshot import RunSnapshot

ALWAYS = TaskPolicy(restart=Restart(policy="always", base=2.0))
ON_FAILURE = TaskPolicy(restart=Restart(base=2.0))
PROBED = TaskPolicy(
    restart=Restart(policy="always"), ready=Probe(lambda: True, interval=5.0), alive=Probe(lambda: True, interval=10.0)
)

SERVICES: dict[str, tuple[str, ...]] = {
    "migrate": (),
    "api": ("migrate",),
    "warmup": (),
    "worker": ("api",),
    "frontend": ("warmup",),
    "importer": (),
    "mart": ("importer",),
    "crasher": (),
    "ticker": (),
    "mailer": (),
    "old_api": (),
    "copies": (),
    "copies[0]": (),
    "copies[1]": (),
}


def services(**changes: Any) -> RunSnapshot:
    """In the middle of it, 252 s after it began. `changes` are fields of the snapshot."""
    refused = fail("ConnectionError", "queue went away", "services.py:14 in worker")
    header = fail("ValueError", "bad header", "services.py:22 in importer")
    up: dict[str, Any] = {"state": S.RUNNING, "attempt": 1, "started_at": 10.0, "serving": True}
    rows: dict[str, Mapping[str, Any]] = {
        "migrate": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 2.0, "serving": True},
        "api": {**up, "policy": PROBED, "generation": 2},
        "warmup": {**up, "policy": PROBED, "started_at": 240.0, "serving": False},
        "worker": {
            "state": S.BACKOFF, "attempt": 4, "attempts_before": 4, "started_at": 240.0, "ended_at": 248.0, "due_at": 256.0,
            "restarts": 3, "crashes": 3, "failure": refused, "policy": ON_FAILURE, "generation": 4,
        },
        "frontend": {"policy": ALWAYS},
        "importer": {
            "state": S.BLOCKED, "attempt": 6, "attempts_before": 5, "started_at": 90.0, "ended_at": 91.0, "restarts": 5,
            "crashes": 5, "failure": header, "policy": ON_FAILURE, "reason": "restarted 5 times and failed again: ValueError",
        },
        "mart": {"state": S.SKIPPED, "ended_at": 91.0, "reason": "upstream importer blocked", "policy": ON_FAILURE},
        "crasher": {
            **up, "attempt": 7, "attempts_before": 6, "started_at": 249.0, "restarts": 6, "crashes": 6, "policy": ALWAYS,
            "serving": False, "failure": refused,
        },
        "ticker": {
            "state": S.BACKOFF, "attempt": 2, "attempts_before": 2, "started_at": 250.0, "ended_at": 252.0, "due_at": 252.0,
            "restarts": 1, "policy": ALWAYS, "serving": True,
        },
        "mailer": {"state": S.CANCELLED, "attempt": 1, "ended_at": 200.0, "policy": ALWAYS, "wanted": False,
                   "reason": "stopped by console"},
        "old_api": {"state": S.CANCELLED, "attempt": 1, "ended_at": 150.0, "policy": ALWAYS, "gone": True,
                    "reason": "removed from the graph"},
        "copies": {"state": S.SUCCEEDED, "policy": ON_FAILURE},
        "copies[0]": {**up, "policy": ALWAYS},
        "copies[1]": {**up, "policy": ALWAYS},
    }  # fmt: skip
    return snapshot_of(SERVICES, rows, **({"max_parallel": 1000, "graph": "shop"} | changes))
