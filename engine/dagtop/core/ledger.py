"""The state of a run: the fold of its events, and the only place where state changes.

`apply` takes one event and checks it against the table of legal moves. The live machine and a replay both go through
it, so a recorded stream gives exactly the state that was live. Arrays by task index keep it small: what most tasks never
have (failures, reasons, progress) is in dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagtop.core import events as ev
from dagtop.core.changes import changed_policy
from dagtop.core.desired import Desired
from dagtop.core.escalation import EscalationReport
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.growth import grown
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.states import BAD, GOOD, MOVES, RunState, TaskState
from dagtop.errors import IllegalTransitionError

#: How many attempts without success are kept for one task.
HISTORY = 50

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
        self.held: set[int] = set()
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

    def _grow(self, plan: Plan) -> None:
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
            self._move(index, _READY)
            self.due_at.pop(index, None)
        self.ready_at[index] = event.at

    def started(self, index: int, event: ev.TaskStarted) -> None:
        if self.state[index] is not _READY:
            self._illegal(index, _RUNNING)
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
            self._move(index, _SUCCEEDED)
            self.due_at.pop(index, None)
            self.cancelling_at.pop(index, None)
        self.ended_at[index] = event.at
        if event.note:
            self.gates.pop(index, None)
            self.reason[index] = event.note
        elif self.reason:
            self.reason.pop(index, None)

    def _retrying(self, index: int, event: ev.TaskRetrying) -> None:
        if self.state[index] is not _BACKOFF:
            self._move(index, _BACKOFF)
            self.reason.pop(index, None)
            ending = TaskState.TIMED_OUT if event.timed_out else TaskState.FAILED
            self._attempt_ended(index, event.at, ending, event.failure)
            self.desired.serving.discard(index)
        self.due_at[index] = event.at + event.delay

    def _failed(self, index: int, event: ev.TaskFailed) -> None:
        self._end_badly(index, TaskState.FAILED, event.at, event.failure)

    def _timed_out(self, index: int, event: ev.TaskTimedOut) -> None:
        self._end_badly(index, TaskState.TIMED_OUT, event.at, event.failure)

    def _cancelled(self, index: int, event: ev.TaskCancelled) -> None:
        self._end_badly(index, TaskState.CANCELLED, event.at, event.failure)
        self.reason[index] = event.reason

    def _cancelling(self, index: int, event: ev.TaskCancelling) -> None:
        if self.state[index] is not TaskState.CANCELLING:
            self._move(index, TaskState.CANCELLING)
            self.cancelling_at[index] = event.at
            self.desired.serving.discard(index)
        self.reason[index] = event.reason

    def _skipped(self, index: int, event: ev.TaskSkipped) -> None:
        self._move(index, TaskState.SKIPPED)
        self.ended_at[index] = event.at
        self.reason[index] = event.reason
        self.desired.serving.discard(index)
        for sparse in (self.due_at, self.cancelling_at, self.gates):
            sparse.pop(index, None)

    def _cached(self, index: int, event: ev.TaskCached) -> None:
        self._move(index, TaskState.CACHED)
        self.ended_at[index] = event.at
        self.reason[index] = event.reason

    def _not_cached(self, index: int, event: ev.TaskNotCached) -> None:
        self.why_run[index] = event.reason

    def _gate(self, index: int, event: ev.GateWaiting) -> None:
        self.gates[index] = event
        if self.state[index] is not TaskState.HELD:
            self._move(index, TaskState.HELD)

    def _decided(self, index: int, event: ev.GateDecided) -> None:
        self.gates.pop(index, None)

    def _escalated(self, index: int, event: ev.TaskEscalated) -> None:
        self.escalations.append(event.report)

    def _acknowledged(self, index: int, event: ev.EscalationAcknowledged) -> None:
        if event.withdrawn:
            self.acknowledged.pop(event.number, None)
        else:
            self.acknowledged[event.number] = event

    def _tearing_down(self, index: int, event: ev.TaskTearingDown) -> None:
        self.torn_down.add(index)

    def _blocked(self, index: int, event: ev.TaskBlocked) -> None:
        was = TaskState.TIMED_OUT if event.timed_out else TaskState.FAILED
        self._end_badly(index, TaskState.BLOCKED, event.at, event.failure, was)
        self.reason[index] = event.reason

    def _restarting(self, index: int, event: ev.TaskRestarting) -> None:
        self.desired.restarts[index] = (event.restart, event.crashes)
        if event.restart == 1:
            self.desired.since[index] = self.first_attempt.get(index, 0)
        self.due_at[index] = event.at + event.delay
        if self.state[index] is _BACKOFF:
            return  # its policy has changed: it comes at another time
        self._move(index, _BACKOFF)
        self.reason.pop(index, None)
        if event.failure is None:
            self.ended_at[index] = event.at
            self.cancelling_at.pop(index, None)
            self.failure.pop(index, None)
            self.desired.serving.add(index)  # it succeeded once
        else:
            ending = TaskState.TIMED_OUT if event.timed_out else TaskState.FAILED
            self._attempt_ended(index, event.at, ending, event.failure)
            self.desired.serving.discard(index)
        self.first_attempt[index] = event.attempt
        self.progress.pop(index, None)

    def _serving(self, index: int, event: ev.TaskServing) -> None:
        if event.opens:
            self.desired.serving.add(index)
        if self.reason and self.state[index] is _RUNNING:
            self.reason.pop(index, None)

    def _not_ready(self, index: int, event: ev.TaskNotReady) -> None:
        self.reason[index] = event.reason

    def _wanted(self, index: int, event: ev.TaskWanted) -> None:
        if event.up:
            self.desired.down.discard(index)
        else:
            self.desired.down.add(index)

    def _held(self, index: int, event: ev.TaskHeld) -> None:
        self.held.add(index)
        if self.state[index] is _READY:
            self._move(index, TaskState.HELD)

    def _released(self, index: int, event: ev.TaskReleased) -> None:
        self.held.discard(index)

    def _restarted(self, index: int, event: ev.TaskRestarted) -> None:
        was = self.state[index]
        if was is TaskState.CANCELLING:
            self._attempt_ended(index, event.at, TaskState.CANCELLED, None)
        self._move(index, _WAITING)
        self.first_attempt[index] = self.attempt[index]
        self.ready_at[index] = self.attempt_started[index] = self.ended_at[index] = None
        for sparse in (
            self.reason,
            self.failure,
            self.progress,
            self.due_at,
            self.cancelling_at,
            self.gates,
            self.why_run,
        ):
            sparse.pop(index, None)
        self.stale.discard(index)
        self.torn_down.discard(index)
        self.desired.serving.discard(index)
        if not event.keeps_count:
            self.desired.restarts.pop(index, None)
            self.desired.since.pop(index, None)
        elif was in BAD:  # it goes on where its policy stopped before: that is one more restart
            restarts, crashes = self.desired.restarts.get(index, (0, 0))
            self.desired.restarts[index] = (restarts + 1, crashes + 1)

    def _stale(self, index: int, event: ev.TaskStale) -> None:
        self.stale.add(index)

    def _progress(self, index: int, event: ev.TaskProgress) -> None:
        self.progress[index] = (event.done, event.total, event.message)

    def _policy(self, index: int, event: ev.PolicyChanged) -> None:
        self.desired.grew_older(index)
        self.policies[index] = changed_policy(self.policies[index], event.changes)

    # -- steps of the run -------------------------------------------------------------------------------------------

    def _run_started(self, event: ev.RunStarted) -> None:
        self.run, self.started_at = event.run, event.started_at
        self.max_parallel = self.window = event.max_parallel
        self.run_state = RunState.RUNNING

    def _run_resumed(self, event: ev.RunResumed) -> None:
        """What another process had not finished starts over; the table does not apply to a process that died."""
        for index, was in enumerate(self.state):
            if was is TaskState.CACHED:  # what it goes on with is what it has got, wherever that was from
                self.state[index] = _SUCCEEDED
                self.counts[was] -= 1
                self.counts[_SUCCEEDED] += 1
                self.reason.pop(index, None)
            elif was not in GOOD and was is not _WAITING:
                self.counts[was] -= 1
                self.counts[_WAITING] += 1
                self.state[index] = _WAITING
                self.first_attempt[index] = self.attempt[index]
                self.ready_at[index] = self.attempt_started[index] = self.ended_at[index] = None
                for sparse in (self.reason, self.failure, self.progress, self.due_at, self.cancelling_at, self.gates):
                    sparse.pop(index, None)
        for kept in (self.held, self.torn_down, self.desired.serving, self.desired.restarts, self.desired.since):
            kept.clear()
        self.run_state, self.run_reason, self.finished_at = RunState.RUNNING, "", None

    def _run_paused(self, event: ev.RunPaused) -> None:
        self.run_state = RunState.PAUSED

    def _run_continued(self, event: ev.RunContinued) -> None:
        self.run_state, self.run_reason = RunState.RUNNING, ""

    def _run_stopping(self, event: ev.RunStopping) -> None:
        self.run_state = RunState.CANCELLING if event.cancel else RunState.DRAINING
        self.run_reason = event.reason

    def _run_reopened(self, event: ev.RunReopened) -> None:
        self.run_state, self.run_reason, self.finished_at = RunState.RUNNING, "", None

    def _run_finished(self, event: ev.RunFinished) -> None:
        self.run_state, self.finished_at = event.state, event.at

    def _limit(self, event: ev.LimitChanged) -> None:
        if event.what == "max_parallel":
            self.max_parallel = self.window = event.limit
        elif event.what == "window":
            self.window = event.limit
        else:
            self.pool_limits[event.what.removeprefix("pool:")] = event.limit

    def _breaker(self, event: ev.BreakerOpened | ev.BreakerHalfOpened | ev.BreakerClosed) -> None:
        self.breakers[event.breaker] = event.type.removeprefix("breaker.").replace("opened", "open")

    def _forced(self, event: ev.BreakerForced) -> None:
        if event.state:
            self.forced[event.breaker] = event.state
        else:
            self.forced.pop(event.breaker, None)

    def _breaker_changed(self, event: ev.BreakerChanged) -> None:
        self.breaker_settings.setdefault(event.breaker, {}).update(event.changes)

    def _graph_changed(self, event: ev.GraphChanged) -> None:
        plan, self.next_plan = self.next_plan, None
        if plan is None:
            plan = self._replayed(event)
        self._grow(plan)
        index_of = plan.index
        for name in event.changed:
            index = index_of[name]
            if index in self.desired.gone:  # it comes back, and is a new one
                self.desired.gone.discard(index)
                self.desired.down.discard(index)
            self.desired.grew_older(index)
        self.desired.gone.update(index_of[name] for name in event.removed)

    def _replayed(self, event: ev.GraphChanged) -> Plan:
        """The plan after a change that a recorded stream tells of. A task that an earlier process knew comes again."""
        known = self.plan.index
        added = [task for task in event.added if task.name not in known]
        again = {task.name: task.upstream for task in event.added if task.name in known}
        for name in again:
            index = known[name]
            if self.state[index] is not _WAITING:
                self.counts[self.state[index]] -= 1
                self.counts[_WAITING] += 1
                self.state[index] = _WAITING
        return grown(self.plan, added, {**again, **event.rewired})

    # -- shared -----------------------------------------------------------------------------------------------------

    def _move(self, index: int, to: TaskState) -> None:
        was = self.state[index]
        if to not in MOVES[was]:
            self._illegal(index, to)
        self.state[index] = to
        self.counts[was] -= 1
        self.counts[to] += 1

    def _end_badly(
        self, index: int, to: TaskState, at: float, failure: Failure | None, ending: TaskState | None = None
    ) -> None:
        ran = self.state[index] in (TaskState.RUNNING, TaskState.CANCELLING)
        self._move(index, to)
        self.due_at.pop(index, None)
        self.gates.pop(index, None)
        self.desired.serving.discard(index)
        if ran:
            self._attempt_ended(index, at, ending or to, failure)
        else:
            self.ended_at[index] = at
            if failure is not None:
                self.failure[index] = failure

    def _attempt_ended(self, index: int, at: float, ending: TaskState, failure: Failure | None) -> None:
        self.ended_at[index] = at
        self.cancelling_at.pop(index, None)
        if failure is not None:
            self.failure[index] = failure
        begun = self.attempt_started[index]
        record = AttemptRecord(
            number=self.attempt[index],
            started_at=at if begun is None else begun,
            ended_at=at,
            ending=ending.value,
            failure=failure,
        )
        self.history[index] = (*self.history.get(index, ())[-HISTORY + 1 :], record)

    def _illegal(self, index: int, to: TaskState) -> None:
        raise IllegalTransitionError(
            f"task {self.plan.names[index]!r} was to go from {self.state[index].name} to {to.name} "
            f"at attempt {self.attempt[index]}: this is a bug in dagtop, please report it"
        )


_TASK_STEPS: dict[type, Callable[[Ledger, int, Any], None]] = {
    ev.TaskReady: Ledger.ready,
    ev.TaskStarted: Ledger.started,
    ev.TaskSucceeded: Ledger.succeeded,
    ev.TaskRetrying: Ledger._retrying,
    ev.TaskFailed: Ledger._failed,
    ev.TaskTimedOut: Ledger._timed_out,
    ev.TaskCancelled: Ledger._cancelled,
    ev.TaskCancelling: Ledger._cancelling,
    ev.TaskSkipped: Ledger._skipped,
    ev.TaskCached: Ledger._cached,
    ev.TaskBlocked: Ledger._blocked,
    ev.TaskRestarting: Ledger._restarting,
    ev.TaskServing: Ledger._serving,
    ev.TaskNotReady: Ledger._not_ready,
    ev.TaskWanted: Ledger._wanted,
    ev.TaskHeld: Ledger._held,
    ev.TaskReleased: Ledger._released,
    ev.TaskRestarted: Ledger._restarted,
    ev.TaskStale: Ledger._stale,
    ev.TaskProgress: Ledger._progress,
    ev.PolicyChanged: Ledger._policy,
    ev.TaskNotCached: Ledger._not_cached,
    ev.GateWaiting: Ledger._gate,
    ev.GateDecided: Ledger._decided,
    ev.TaskEscalated: Ledger._escalated,
    ev.EscalationAcknowledged: Ledger._acknowledged,
    ev.TaskTearingDown: Ledger._tearing_down,
}

_RUN_STEPS: dict[type, Callable[[Ledger, Any], None]] = {
    ev.RunStarted: Ledger._run_started,
    ev.RunResumed: Ledger._run_resumed,
    ev.RunPaused: Ledger._run_paused,
    ev.RunContinued: Ledger._run_continued,
    ev.RunStopping: Ledger._run_stopping,
    ev.RunReopened: Ledger._run_reopened,
    ev.RunFinished: Ledger._run_finished,
    ev.LimitChanged: Ledger._limit,
    ev.BreakerOpened: Ledger._breaker,
    ev.BreakerHalfOpened: Ledger._breaker,
    ev.BreakerClosed: Ledger._breaker,
    ev.BreakerForced: Ledger._forced,
    ev.BreakerChanged: Ledger._breaker_changed,
    ev.GraphChanged: Ledger._graph_changed,
}
