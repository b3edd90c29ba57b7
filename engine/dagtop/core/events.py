"""The facts that a run leaves behind: the one stream that journal, console, `--json`, reports and replay read.

Every event has `at`, the seconds since the run began (`RunStarted.started_at` ties that to the wall clock), and its `type`
is the tag given to the class. Fed to `Ledger.apply` in order, a recorded stream gives the run's state again.
Hot ones are `msgspec.Struct`s without garbage-collector bookkeeping: they hold texts and numbers only.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from dagtop.core.commands import Command
from dagtop.core.escalation import EscalationReport
from dagtop.core.failure import Failure
from dagtop.core.states import RunState


class Event(msgspec.Struct, frozen=True, gc=False, tag_field="type"):
    """One fact. `at` is in seconds since the run began."""

    at: float

    @property
    def type(self) -> str:
        """The event's type as it is written on the wire, e.g. "task.succeeded"."""
        return str(self.__struct_config__.tag)


# -- the run ----------------------------------------------------------------------------------------------------------


class RunStarted(Event, frozen=True, tag="run.started"):
    """The run began."""

    run: str
    graph: str
    started_at: float
    """Wall clock, seconds since 1970 UTC."""
    tasks: int
    max_parallel: int


class RunResumed(Event, frozen=True, tag="run.resumed"):
    """A new process went on with a run that an earlier one left; `kept` tasks keep their results."""

    kept: int


class RunPaused(Event, frozen=True, tag="run.paused"):
    """Nothing new starts until the run is continued."""


class RunContinued(Event, frozen=True, tag="run.continued"):
    """Tasks start again after a pause."""


class RunStopping(Event, frozen=True, tag="run.stopping"):
    """Nothing new starts any more; `cancel` says whether what runs was told to stop, `reason` why."""

    reason: str
    cancel: bool


class RunReopened(Event, frozen=True, tag="run.reopened"):
    """A command gave a finished run something to do again."""


class RunFinished(Event, frozen=True, tag="run.finished"):
    """Nothing is left to do. `counts` are final states of tasks by name in lower case; of nodes and removed tasks it has none."""

    state: RunState
    counts: dict[str, int]


# -- tasks ------------------------------------------------------------------------------------------------------------


class TaskEvent(Event, frozen=True):
    """A fact about one task."""

    task: str


class TaskReady(TaskEvent, frozen=True, tag="task.ready"):
    """Its upstream allows it to start; it waits for a slot."""


class TaskStarted(TaskEvent, frozen=True, tag="task.started"):
    """An attempt began. `attempt` counts from 1."""

    attempt: int


class TaskSucceeded(TaskEvent, frozen=True, tag="task.succeeded"):
    """It returned. `note` says when it was not by running ("marked by a person")."""

    attempt: int
    note: str = ""


class TaskRetrying(TaskEvent, frozen=True, tag="task.retrying"):
    """An attempt did not succeed; the next one may start `delay` seconds after `at`."""

    attempt: int
    """The attempt that ended."""
    delay: float
    failure: Failure
    timed_out: bool = False


class TaskFailed(TaskEvent, frozen=True, tag="task.failed"):
    """It failed for good."""

    attempt: int
    failure: Failure


class TaskTimedOut(TaskEvent, frozen=True, tag="task.timed_out"):
    """It ran out of time for good."""

    attempt: int
    failure: Failure


class TaskCancelling(TaskEvent, frozen=True, tag="task.cancelling"):
    """It was told to stop."""

    attempt: int
    reason: str


class TaskCancelled(TaskEvent, frozen=True, tag="task.cancelled"):
    """It was stopped, or will not start."""

    attempt: int
    reason: str
    failure: Failure | None = None


class TaskSkipped(TaskEvent, frozen=True, tag="task.skipped"):
    """A rule said that it need not run."""

    reason: str


class TaskCached(TaskEvent, frozen=True, tag="task.cached"):
    """Its result of an earlier run was taken."""

    reason: str


class TaskBlocked(TaskEvent, frozen=True, tag="task.blocked"):
    """It failed, and may not be started again before a person raises its ceiling or restarts it."""

    attempt: int
    reason: str
    failure: Failure | None = None
    timed_out: bool = False


class TaskHeld(TaskEvent, frozen=True, tag="task.held"):
    """A person holds it: it will not start before it is released. It may still be waiting for its upstream."""

    by: str = ""


class TaskReleased(TaskEvent, frozen=True, tag="task.released"):
    """It is no longer held."""


class TaskRestarted(TaskEvent, frozen=True, tag="task.restarted"):
    """It starts over. `reason` says on whose word."""

    reason: str
    keeps_count: bool = False
    """Its restarts so far still count."""


class TaskRestarting(TaskEvent, frozen=True, tag="task.restarting"):
    """A run of a supervised task has ended; by its policy it is started again `delay` seconds after `at`."""

    attempt: int
    """The attempt that ended."""
    delay: float
    restart: int
    """Number of the restart that is to come, from 1; it begins anew after a healthy run."""
    crashes: int
    """How many of those restarts came after a failure: that is what the ceiling counts."""
    failure: Failure | None = None
    """None: it had succeeded."""
    timed_out: bool = False


class TaskWanted(TaskEvent, frozen=True, tag="task.wanted"):
    """A person wants it up, or down: down, it is not started again until it is wanted up."""

    up: bool
    reason: str


class TaskStale(TaskEvent, frozen=True, tag="task.stale"):
    """An upstream ran again after it did; its result may be out of date."""

    because: str


class TaskProgress(TaskEvent, frozen=True, tag="task.progress"):
    """How far a running task says it is: `done` of `total` (None: unknown), with a short text."""

    done: float
    total: float | None = None
    message: str = ""


class TaskServing(TaskEvent, frozen=True, tag="task.serving"):
    """A running task said `ctx.ready()`, or its readiness probe passed: it does what it is there for."""

    opens: bool = False
    """It is supervised: what depends on it may start."""


class TaskNotReady(TaskEvent, frozen=True, tag="task.not_ready"):
    """The readiness probe of a running task went wrong: it raised, or did not answer. Told once for all that look alike."""

    reason: str


class TaskEscalated(TaskEvent, frozen=True, tag="task.escalated"):
    """It failed for good, and this is what a person needs to know of it."""

    report: EscalationReport


class EscalationAcknowledged(TaskEvent, frozen=True, tag="escalation.acknowledged"):
    """Somebody looks after the escalation of that number; `withdrawn`: nobody does any more."""

    number: int
    by: str
    note: str = ""
    withdrawn: bool = False


class TaskTearingDown(TaskEvent, frozen=True, tag="task.tearing_down"):
    """Nothing downstream needs it any more, and its teardown begins. To be used again, it has to start over."""


class TaskTornDown(TaskEvent, frozen=True, tag="task.torn_down"):
    """Its teardown is over. `failure` is what that raised, if it did."""

    failure: Failure | None = None


class TaskNotCached(TaskEvent, frozen=True, tag="task.not_cached"):
    """It has a cache and runs all the same. `reason` says why: "input extract changed"."""

    reason: str


class GateWaiting(TaskEvent, frozen=True, tag="gate.waiting"):
    """It stands at its gate: somebody must approve or reject it, within `timeout` seconds if that is given."""

    prompt: str
    timeout: float | None = None


class GateDecided(TaskEvent, frozen=True, tag="gate.decided"):
    """It was approved or rejected."""

    approved: bool
    by: str
    reason: str


# -- breakers: named, and shared by all runs of the process ---------------------------------------------------------------


class BreakerEvent(Event, frozen=True):
    """A fact about one circuit breaker."""

    breaker: str
    reason: str


class BreakerOpened(BreakerEvent, frozen=True, tag="breaker.opened"):
    """No attempt goes through; the first probe may come `probe_in` seconds after `at`."""

    probe_in: float


class BreakerHalfOpened(BreakerEvent, frozen=True, tag="breaker.half_opened"):
    """One probe at a time goes through."""


class BreakerClosed(BreakerEvent, frozen=True, tag="breaker.closed"):
    """Attempts go through again."""


class BreakerForced(BreakerEvent, frozen=True, tag="breaker.forced"):
    """A person holds it in `state`; "" takes that back. The computed state goes on beside it."""

    state: str


class BreakerChanged(BreakerEvent, frozen=True, tag="breaker.changed"):
    """It goes by other settings from now on, whatever state it is in. `reason` says which, and on whose word."""

    changes: dict[str, Any]
    """The settings that are others now, by name."""


# -- the graph ------------------------------------------------------------------------------------------------------------


class AddedTask(msgspec.Struct, frozen=True):
    """A task that came while the run went on."""

    name: str
    upstream: tuple[str, ...] = ()
    policy: dict[str, Any] = {}
    """What differs from the default policy, as plain data; see `described`."""


class GraphChanged(Event, frozen=True, tag="graph.changed"):
    """Tasks came, went, or depend on others now. Those that went keep their place and are SKIPPED."""

    reason: str
    """Who did it: "spawned by crawl", "a new version of the graph"."""
    added: tuple[AddedTask, ...] = ()
    removed: tuple[str, ...] = ()
    rewired: dict[str, tuple[str, ...]] = {}
    """New upstream, by name of a task that was there before."""
    spawner: str = ""
    """The task that asked for it, if one did."""
    changed: tuple[str, ...] = ()
    """Tasks that were there before and have other code now."""
    returned: tuple[str, ...] = ()
    """Those of `changed` that had been removed, and are there again."""
    policies: tuple[str, ...] = ()
    """Tasks that were there before and have other options now."""


# -- everything else --------------------------------------------------------------------------------------------------


class LimitChanged(Event, frozen=True, tag="limit.changed"):
    """A limit has a new value. `what` is "max_parallel", "window" (the adaptive limit below that) or "pool:NAME"."""

    limit: int
    reason: str
    what: str = "max_parallel"


class LoopBlocked(TaskEvent, frozen=True, tag="loop.blocked"):
    """Async code of a task keeps the event loop from going round, or kept it: `seconds`, and where it was seen."""

    attempt: int
    seconds: float
    stack: str


class PolicyChanged(TaskEvent, frozen=True, tag="policy.changed"):
    """Fields of one task's policy have new values."""

    changes: dict[str, Any]


class CommandApplied(Event, frozen=True, tag="command.applied"):
    """A command was carried out. `effect` is a sentence for people."""

    command: Command
    id: int
    by: str
    effect: str


class CommandRefused(Event, frozen=True, tag="command.refused"):
    """A command was not carried out. `reason` says why and what would help."""

    command: Command
    id: int
    by: str
    reason: str


class Log(Event, frozen=True, tag="log"):
    """A line that a task printed or logged. `stream` is "stdout", "stderr" or "log"; `task` is "" for the process."""

    task: str
    attempt: int
    stream: str
    level: str
    line: str


#: How the journal begins to tell of an output that it cannot keep.
NOT_KEPT = "the output "


class Problem(Event, frozen=True, tag="problem"):
    """Something around the run went wrong (a callback, a report, the journal); the run goes on."""

    source: str
    message: str
    task: str = ""

    @property
    def is_notice(self) -> bool:
        """It says that the journal cannot keep what a task returned: good to know for a resume, and no trouble of the run."""
        return self.source == "journal" and bool(self.task) and self.message.startswith(NOT_KEPT)


AnyEvent: TypeAlias = (
    RunStarted
    | RunResumed
    | RunPaused
    | RunContinued
    | RunStopping
    | RunReopened
    | RunFinished
    | TaskReady
    | TaskStarted
    | TaskSucceeded
    | TaskRetrying
    | TaskFailed
    | TaskTimedOut
    | TaskCancelling
    | TaskCancelled
    | TaskSkipped
    | TaskCached
    | TaskBlocked
    | TaskHeld
    | TaskReleased
    | TaskRestarted
    | TaskRestarting
    | TaskWanted
    | TaskStale
    | TaskProgress
    | TaskServing
    | TaskNotReady
    | TaskEscalated
    | EscalationAcknowledged
    | TaskTearingDown
    | TaskTornDown
    | TaskNotCached
    | GateWaiting
    | GateDecided
    | BreakerOpened
    | BreakerHalfOpened
    | BreakerClosed
    | BreakerForced
    | BreakerChanged
    | GraphChanged
    | LoopBlocked
    | LimitChanged
    | PolicyChanged
    | CommandApplied
    | CommandRefused
    | Log
    | Problem
)
