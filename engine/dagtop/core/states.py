"""The states of a task and of a run, and the one table of legal moves between them.

Rules
-----
A task waits for its upstream (WAITING), then for a slot (READY), then runs (RUNNING). What it holds decides what it may
do: only RUNNING and CANCELLING hold a slot. A final state is left only by an explicit restart, which puts the task back
to WAITING. A move that the table does not list is a bug of ours and raises `IllegalTransitionError`; it is never ignored.

The idea of writing the machine as a table is h11's (`h11/_state.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class TaskState(StrEnum):
    """Where one task is in its life."""

    WAITING = "waiting"
    """Its upstream has not finished."""
    READY = "ready"
    """Its upstream has finished; it waits for a slot."""
    HELD = "held"
    """A person holds it: it does not start before it is released."""
    RUNNING = "running"
    """An attempt is in progress."""
    BACKOFF = "backoff"
    """An attempt failed; the next one starts after a delay."""
    CANCELLING = "cancelling"
    """It was told to stop and has not stopped yet."""
    BLOCKED = "blocked"
    """It failed as often as it may be started again; a person may yet let it."""
    SUCCEEDED = "succeeded"
    """It returned; its output is there."""
    CACHED = "cached"
    """It did not need to run: its output of an earlier run was taken."""
    FAILED = "failed"
    """It raised, and no attempt is left."""
    TIMED_OUT = "timed_out"
    """It ran out of time, and no attempt is left."""
    CANCELLED = "cancelled"
    """Somebody, or the end of the run, stopped it."""
    SKIPPED = "skipped"
    """A rule said that it need not run."""


class RunState(StrEnum):
    """Where a whole run is in its life."""

    PENDING = "pending"
    """It has not begun."""
    RUNNING = "running"
    """Tasks start and finish."""
    PAUSED = "paused"
    """What runs goes on; nothing new starts until it is continued."""
    DRAINING = "draining"
    """What runs goes on; nothing new starts, and then the run ends."""
    CANCELLING = "cancelling"
    """What runs was told to stop."""
    SUCCEEDED = "succeeded"
    """Every task succeeded or was skipped by rule."""
    FAILED = "failed"
    """At least one task failed or timed out."""
    CANCELLED = "cancelled"
    """It was stopped before everything had its turn."""
    TIMED_OUT = "timed_out"
    """`run_timeout` ended it."""


_S = TaskState

#: Task states that only a restart leaves.
FINAL: frozenset[TaskState] = frozenset(
    {_S.SUCCEEDED, _S.CACHED, _S.FAILED, _S.TIMED_OUT, _S.BLOCKED, _S.CANCELLED, _S.SKIPPED}
)
#: Final states whose output downstream may use.
GOOD: frozenset[TaskState] = frozenset({_S.SUCCEEDED, _S.CACHED})
#: Final states that make a run fail.
BAD: frozenset[TaskState] = frozenset({_S.FAILED, _S.TIMED_OUT, _S.BLOCKED})
#: States that hold a slot.
ACTIVE: frozenset[TaskState] = frozenset({_S.RUNNING, _S.CANCELLING})
#: Run states after which nothing happens by itself.
RUN_OVER: frozenset[RunState] = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.TIMED_OUT})

_RESTART = frozenset({_S.WAITING})

#: The table: from each state, the states a task may move to.
MOVES: Mapping[TaskState, frozenset[TaskState]] = MappingProxyType(
    {
        _S.WAITING: frozenset({_S.READY, _S.HELD, _S.CACHED, _S.SKIPPED, _S.CANCELLED, _S.FAILED, _S.SUCCEEDED}),
        _S.READY: frozenset(
            {_S.RUNNING, _S.HELD, _S.WAITING, _S.CACHED, _S.SKIPPED, _S.CANCELLED, _S.FAILED, _S.SUCCEEDED}
        ),
        _S.HELD: frozenset({_S.READY, _S.WAITING, _S.BACKOFF, _S.SKIPPED, _S.CANCELLED, _S.FAILED, _S.SUCCEEDED}),
        _S.RUNNING: frozenset(
            {_S.SUCCEEDED, _S.FAILED, _S.TIMED_OUT, _S.BLOCKED, _S.CANCELLED, _S.BACKOFF, _S.CANCELLING, _S.SKIPPED}
        ),
        _S.BACKOFF: frozenset(
            {
                *(_S.READY, _S.HELD, _S.WAITING),
                *(_S.CANCELLED, _S.FAILED, _S.TIMED_OUT, _S.BLOCKED, _S.SKIPPED, _S.SUCCEEDED),
            }
        ),
        _S.CANCELLING: frozenset(
            {_S.CANCELLED, _S.TIMED_OUT, _S.BLOCKED, _S.BACKOFF, _S.WAITING, _S.FAILED, _S.SUCCEEDED, _S.SKIPPED}
        ),
        _S.SUCCEEDED: _RESTART,
        _S.CACHED: _RESTART,
        _S.FAILED: _RESTART,
        _S.TIMED_OUT: _RESTART,
        _S.BLOCKED: _RESTART,
        _S.CANCELLED: _RESTART,
        _S.SKIPPED: _RESTART,
    }
)
