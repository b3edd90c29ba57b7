"""The state of a run: the fold of its events, and the only place where state changes.

`apply` takes one event and checks it against the table of legal moves. The live machine and a replay both go through
it, so a recorded stream gives exactly the state that was live. What each event changes is in `task_steps` and
`run_steps`. Arrays by task index keep it small: what most tasks never have (failures, reasons, progress) is in
dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from dagtop.core import events as ev
from dagtop.core import run_steps as of_run
from dagtop.core import task_steps as of_task
from dagtop.core.desired import Desired
from dagtop.core.escalation import EscalationReport
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.states import MOVES, RunState, TaskState
from dagtop.errors import IllegalTransitionError

_WAITING, _READY, _RUNNING = TaskState.WAITING, TaskState.READY, TaskState.RUNNING
_SUCCEEDED, _BACKOFF = TaskState.SUCCEEDED, TaskState.BACKOFF


class Ledger:
    """The state of every task of one run, and of the run."""

    __slots__ = (  # more than thirty attributes would be looked up slowly
        "acknowledged",
        "attempt",
        "attempt_started",
        "breaker_settings",
        "breakers",
        "cancelling_at",
        "counts",
        "desired",
        "due_at",
        "ended_at",
        "escalations",
        "failure",
        "finished_at",
        "first_attempt",
        "forced",
        "gates",
        "held",
        "history",
        "max_parallel",
        "next_plan",
        "plan",
        "policies",
        "pool_limits",
        "progress",
        "ready_at",
        "reason",
        "run",
        "run_reason",
        "run_state",
        "sparse",
        "stale",
        "started_at",
        "state",
        "torn_down",
        "why_run",
        "window",
    )

    def __init__(self, plan: Plan, max_parallel: int = 0) -> None:
        n = len(plan)
        self.plan = plan
        self.run = ""
        self.run_state = RunState.PENDING
        self.run_reason = ""
        self.started_at = 0.0
        self.finished_at: float | None = None
        """When the run was over, seconds since it began; None while it goes on."""
        self.max_parallel = max_parallel
        self.window = max_parallel
        """How many attempts may be in progress now: `max_parallel`, or less where that adapts itself."""
        self.state: list[TaskState] = [_WAITING] * n
        self.counts: dict[TaskState, int] = dict.fromkeys(TaskState, 0)
        self.counts[_WAITING] = n
        self.attempt: list[int] = [0] * n
        self.ready_at: list[float | None] = [None] * n
        self.attempt_started: list[float | None] = [None] * n
        self.ended_at: list[float | None] = [None] * n
        self.policies: list[TaskPolicy] = list(plan.policies)
        self.reason: dict[int, str] = {}
        self.failure: dict[int, Failure] = {}
        self.history: dict[int, tuple[AttemptRecord, ...]] = {}
        self.progress: dict[int, tuple[float, float | None, str]] = {}
        self.due_at: dict[int, float] = {}
        self.cancelling_at: dict[int, float] = {}
        """By task that is CANCELLING: when it was first told to stop."""
        self.first_attempt: dict[int, int] = {}
        """By task: how many attempts it had had when it was last restarted."""
        self.held: dict[int, str] = {}
        """By task that a person holds: who does."""
        self.stale: set[int] = set()
        self.gates: dict[int, ev.GateWaiting] = {}
        """By task that stands at its gate: what is asked."""
        self.torn_down: set[int] = set()
        """Tasks whose teardown has begun since they last started over."""
        self.desired = Desired()
        """What is wanted of supervised tasks, and how they keep up with it."""
        self.why_run: dict[int, str] = {}
        """By task that has a cache and ran all the same: why."""
        self.next_plan: Plan | None = None
        """What the machine has made of the plan, with the policies that an event cannot carry; taken with `GraphChanged`."""
        self._begin_beside()
        self.sparse = (
            self.reason,
            self.failure,
            self.history,
            self.progress,
            self.due_at,
            self.cancelling_at,
            self.held,
            self.stale,
            self.gates,
            self.why_run,
            self.torn_down,
        )
        """Everything that most tasks never have."""

    def _begin_beside(self) -> None:
        """What is told beside the tasks: of escalations, breakers and pools."""
        self.escalations: list[EscalationReport] = []
        """In order; a later success of the task takes none away."""
        self.acknowledged: dict[int, ev.EscalationAcknowledged] = {}
        """By number of the escalation that somebody looks after: who, and since when."""
        self.breakers: dict[str, str] = {}
        """State of each circuit breaker that has moved, as it goes by itself."""
        self.forced: dict[str, str] = {}
        """State in which a person holds a breaker."""
        self.breaker_settings: dict[str, dict[str, Any]] = {}
        """By breaker: settings that were changed."""
        self.pool_limits: dict[str, int] = {}
        """Limits of pools that were changed."""

    def apply(self, event: ev.AnyEvent) -> None:
        """Take one event.

        Raises
        ------
        IllegalTransitionError: the event does not fit the state it finds.
        KeyError: the event names a task that the plan does not have.
        """
        task_step = _TASK_STEPS.get(type(event))
        if task_step is not None:
            task_step(self, self.plan.index[event.task], event)  # type: ignore[union-attr]  # the table holds task events only
        else:
            run_step = _RUN_STEPS.get(type(event))
            if run_step is not None:
                run_step(self, event)

    def seed(self, index: int, attempt: int, *, succeeded: bool) -> None:
        """Take over what an earlier process knew of a task, before the run is resumed."""
        self.attempt[index] = self.first_attempt[index] = attempt
        if succeeded:
            self.state[index] = _SUCCEEDED
            self.counts[_WAITING] -= 1
            self.counts[_SUCCEEDED] += 1

    def grow(self, plan: Plan) -> None:
        """Take a plan that has further tasks, behind those that there were, for the one of now."""
        more = len(plan) - len(self.state)
        self.plan = plan
        self.state += [_WAITING] * more
        self.counts[_WAITING] += more
        self.attempt += [0] * more
        self.policies += plan.policies[len(self.policies) :]
        for times in (self.ready_at, self.attempt_started, self.ended_at):
            times.extend([None] * more)

    def attempts_used(self, index: int) -> int:
        """Attempts since the task was last restarted."""
        return self.attempt[index] - self.first_attempt.get(index, 0)

    # -- steps of a task; the machine calls the hot ones directly ---------------------------------------------------

    def ready(self, index: int, event: ev.TaskReady) -> None:
        was = self.state[index]
        if was is _WAITING:
            self.state[index] = _READY
            self.counts[_WAITING] -= 1
            self.counts[_READY] += 1
        else:
            self.move(index, _READY)
            self.due_at.pop(index, None)
        self.ready_at[index] = event.at

    def started(self, index: int, event: ev.TaskStarted) -> None:
        if self.state[index] is not _READY:
            self.illegal(index, _RUNNING)
        self.state[index] = _RUNNING
        self.counts[_READY] -= 1
        self.counts[_RUNNING] += 1
        self.attempt[index] = event.attempt
        self.attempt_started[index] = event.at

    def succeeded(self, index: int, event: ev.TaskSucceeded) -> None:
        if self.state[index] is _RUNNING:
            self.state[index] = _SUCCEEDED
            self.counts[_RUNNING] -= 1
            self.counts[_SUCCEEDED] += 1
        else:
            self.move(index, _SUCCEEDED)
            self.due_at.pop(index, None)
            self.cancelling_at.pop(index, None)
        self.ended_at[index] = event.at
        if event.note:
            self.gates.pop(index, None)
            self.reason[index] = event.note
        elif self.reason:
            self.reason.pop(index, None)

    # -- what the steps share -----------------------------------------------------------------------------------------

    def move(self, index: int, to: TaskState) -> None:
        """Bring a task into another state.

        Raises
        ------
        IllegalTransitionError: the table of legal moves does not have it.
        """
        was = self.state[index]
        if to not in MOVES[was]:
            self.illegal(index, to)
        self.state[index] = to
        self.counts[was] -= 1
        self.counts[to] += 1

    def illegal(self, index: int, to: TaskState) -> NoReturn:
        """Tell of a move that the table does not have.

        Raises
        ------
        IllegalTransitionError: always.
        """
        raise IllegalTransitionError(
            f"task {self.plan.names[index]!r} was to go from {self.state[index].name} to {to.name} "
            f"at attempt {self.attempt[index]}: this is a bug in dagtop, please report it"
        )


_TASK_STEPS: dict[type, Callable[[Ledger, int, Any], None]] = {
    ev.TaskReady: Ledger.ready,
    ev.TaskStarted: Ledger.started,
    ev.TaskSucceeded: Ledger.succeeded,
    ev.TaskRetrying: of_task.retrying,
    ev.TaskFailed: of_task.failed,
    ev.TaskTimedOut: of_task.timed_out,
    ev.TaskCancelled: of_task.cancelled,
    ev.TaskCancelling: of_task.cancelling,
    ev.TaskSkipped: of_task.skipped,
    ev.TaskCached: of_task.cached,
    ev.TaskBlocked: of_task.blocked,
    ev.TaskRestarting: of_task.restarting,
    ev.TaskServing: of_task.serving,
    ev.TaskNotReady: of_task.not_ready,
    ev.TaskWanted: of_task.wanted,
    ev.TaskHeld: of_task.held,
    ev.TaskReleased: of_task.released,
    ev.TaskRestarted: of_task.restarted,
    ev.TaskStale: of_task.stale,
    ev.TaskProgress: of_task.progress,
    ev.PolicyChanged: of_task.policy,
    ev.TaskNotCached: of_task.not_cached,
    ev.GateWaiting: of_task.gate,
    ev.GateDecided: of_task.decided,
    ev.TaskEscalated: of_task.escalated,
    ev.EscalationAcknowledged: of_task.acknowledged,
    ev.TaskTearingDown: of_task.tearing_down,
}

_RUN_STEPS: dict[type, Callable[[Ledger, Any], None]] = {
    ev.RunStarted: of_run.run_started,
    ev.RunResumed: of_run.run_resumed,
    ev.RunPaused: of_run.run_paused,
    ev.RunContinued: of_run.run_continued,
    ev.RunStopping: of_run.run_stopping,
    ev.RunReopened: of_run.run_reopened,
    ev.RunFinished: of_run.run_finished,
    ev.LimitChanged: of_run.limit,
    ev.BreakerOpened: of_run.breaker,
    ev.BreakerHalfOpened: of_run.breaker,
    ev.BreakerClosed: of_run.breaker,
    ev.BreakerForced: of_run.forced,
    ev.BreakerChanged: of_run.breaker_changed,
    ev.GraphChanged: of_run.graph_changed,
}
