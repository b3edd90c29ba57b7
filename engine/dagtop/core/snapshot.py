"""What the console sees of a run: whole, frozen values that share every row that has not changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from dagtop.core.events import CommandApplied, CommandRefused, EscalationAcknowledged, GateWaiting, Problem
from dagtop.core.plan import EMPTY_PLAN, Plan
from dagtop.core.policy import DEFAULT_POLICY, TaskPolicy
from dagtop.core.states import RunState, TaskState

if TYPE_CHECKING:
    from dagtop.core.breakers import BreakerView
    from dagtop.core.escalation import EscalationReport
    from dagtop.core.failure import AttemptRecord, Failure

#: Why nothing can be done to a run whose engine is gone.
BROKEN = "the engine broke down: nothing goes on any more"


class TaskRow(msgspec.Struct, frozen=True, gc=False):
    """Everything about one task at one moment. Unchanged rows are the same object from snapshot to snapshot.

    Times are seconds since the run began.
    """

    index: int
    """Place in `Plan.names`, the order of declaration."""
    name: str
    state: TaskState
    attempt: int = 0
    """Number of the latest attempt; 0 before the first one."""
    ready_at: float | None = None
    started_at: float | None = None
    """Start of the latest attempt."""
    ended_at: float | None = None
    """End of the latest attempt, or of the task if it never ran."""
    due_at: float | None = None
    """While in BACKOFF: when the next attempt may start."""
    reason: str = ""
    """Why it is as it is, where that has a reason: "upstream load_orders failed", "cancelled by hand"."""
    failure: Failure | None = None
    """Of the latest attempt that did not succeed."""
    history: tuple[AttemptRecord, ...] = ()
    """Attempts that ended without success, oldest first, at most the latest 50. A success is not listed."""
    progress: tuple[float, float | None, str] | None = None
    """(done, total, message) as the running task last told."""
    held: bool = False
    """A person holds it (it may be WAITING still, and then it will not start)."""
    stale: bool = False
    """An upstream ran again after it did."""
    policy: TaskPolicy = DEFAULT_POLICY
    """The policy in force now."""
    cancelling_at: float | None = None
    """While in CANCELLING: when it was told to stop."""
    gate: GateWaiting | None = None
    """While it stands at its gate: what is asked, and since when."""
    torn_down: bool = False
    """Its teardown has begun, or is over."""
    serving: bool = False
    """Supervised, and it does what it is there for, or did once: what depends on it may start."""
    restarts: int = 0
    """Restarts by its policy since it was healthy, or a person started it."""
    crashes: int = 0
    """How many of them came after a failure."""
    wanted: bool = True
    """Whether it is wanted up."""
    gone: bool = False
    """It was removed from the graph."""
    generation: int = 1
    """Which version of what is wanted this is."""
    attempts_before: int = 0
    """How many of its attempts belong to earlier lives: before it was last started again, by its policy or by hand."""
    why_run: str = ""
    """If it has a cache and ran all the same: why."""
    held_by: str = ""
    """Who holds it, if that is known: "hand" is whoever sits before the console."""


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps the event loop from going round at this moment. Nothing else of the run can be told meanwhile."""

    task: str
    """The task whose code does it; "" if it belongs to no task."""
    attempt: int = 0
    seconds: float
    """For how long, so far."""
    stack: str
    """Where, as the lines of a traceback, innermost last. Bounded; hostile until it is made safe for a screen."""
    where: str = ""
    """"file.py:12 in function" of the innermost frame of the user's code."""
    who: str = ""
    """Whose code it is if it is no task's, or how a task does it if not by keeping the loop: a phrase for people."""


class RunSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run at one moment."""

    version: int = 0
    """Grows by one with every snapshot."""
    run: str = ""
    graph: str = ""
    state: RunState = RunState.PENDING
    at: float = 0.0
    """When it was taken, seconds since the run began."""
    started_at: float = 0.0
    """Wall clock of the run's beginning, seconds since 1970 UTC."""
    plan: Plan = EMPTY_PLAN
    """The graph: names and who depends on whom. The same object as long as the graph is the same."""
    rows: Sequence[TaskRow] = ()
    """By task index."""
    counts: Mapping[TaskState, int] = {}
    """How many tasks are in each state; every state is there."""
    max_parallel: int = 0
    window: int = 0
    """How many attempts may be in progress now: `max_parallel`, or what an adaptive run allows below that."""
    limits: Mapping[str, tuple[int, int]] = {}
    """(in use, limit) of every pool ("pool:db") and resource ("resource:gpu"). The same object as long as nothing changes."""
    reason: str = ""
    """Why the run is stopping or has stopped, where that has a reason."""
    problems: tuple[Problem, ...] = ()
    """The latest, at most 100, oldest first. Of outputs that the journal cannot keep only the first is told."""
    problem_count: int = 0
    answers: tuple[CommandApplied | CommandRefused, ...] = ()
    """Answers to the latest commands, at most 50, oldest first; `id` tells them apart."""
    events_seen: int = 0
    """How many events the run has had."""
    breakers: tuple[BreakerView, ...] = ()
    """Those that the run declares or asks. What has not changed is the same object from snapshot to snapshot."""
    escalations: tuple[EscalationReport, ...] = ()
    """The latest, at most 200, oldest first. The same object as long as there is no new one."""
    escalation_count: int = 0
    acknowledged: Mapping[int, EscalationAcknowledged] = {}
    """By number of the escalation that somebody looks after. The same object as long as nothing changes."""
    blocked: Blocked | None = None
    """Set while something keeps the event loop from going round; the rest is then as it was before."""
    broken: str = ""
    """What the engine broke down over: the rest is as it was then, and nothing goes on any more."""


EMPTY = RunSnapshot()
