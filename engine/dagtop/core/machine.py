"""The scheduler: a pure state machine. Inputs go in at one door, instructions come out, events are left in the outbox.

It decides; the `Ledger` it owns is what changes. Time is `input.at`, chance comes with the input. Anybody who carries
the instructions out and answers each `StartAttempt` with one outcome has the engine; nothing here knows threads or loops.

The shape, events in and instructions out through one door, is that of dask/distributed's worker state machine
(`docs/source/worker-state.rst`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.deadlines import Deadlines, Due
from dagtop.core.failure import Failure
from dagtop.core.instructions import AbandonAttempt, Instruction, StartAttempt, StopAttempt, StopReason
from dagtop.core.joins import Joins, Verdict
from dagtop.core.ledger import Ledger
from dagtop.core.plan import Plan
from dagtop.core.policy import OnUpstreamFailure, RunPolicy
from dagtop.core.ready import ReadyQueue, ranking
from dagtop.core.retrying import back_off, may_try_again, ready_again
from dagtop.core.states import ACTIVE, BAD, GOOD, RUN_OVER, RunState, TaskState
from dagtop.core.steering import obey
from dagtop.core.wording import blame, ending_word, out_of_time

_NEVER_STARTED = frozenset({TaskState.WAITING, TaskState.READY, TaskState.HELD, TaskState.BACKOFF, TaskState.BLOCKED})


class RunMachine:
    """One run of one plan.

    Parameters
    ----------
    plan: the checked graph.
    policy: what decides how the run goes.
    ledger: a ledger with what an earlier process had finished, for a run that is resumed.
    """

    def __init__(self, plan: Plan, policy: RunPolicy, ledger: Ledger | None = None) -> None:
        self.plan = plan
        self.policy = policy
        self.ledger = ledger if ledger is not None else Ledger(plan, policy.max_parallel)
        self.joins = Joins(plan)
        self.queue = ReadyQueue(*ranking(plan))
        self.outbox: list[ev.AnyEvent] = []
        """Events that nobody has taken yet; whoever takes them puts a new list in its place."""
        self.active = 0
        """Attempts in progress: slots in use."""
        self.unfinished = len(plan)
        """Tasks that are not in a final state."""
        self.stopping: StopReason | None = None
        """Set when the whole run is told to stop, and why."""
        self.starts_allowed = False
        """False before the run begins, while it is paused, and once it stops."""
        self.stop_reasons: dict[int, StopReason] = {}
        """By task: why its attempt was told to stop."""
        self.chance: dict[int, float] = {}
        """By task in BACKOFF: the chance its delay was made with, to make it again when the policy changes."""
        self.deadlines = Deadlines()
        self._instructions: list[Instruction] = []
        self._ended: deque[int] = deque()
        self.may_time_out = policy.run_timeout is not None or any(
            task.timeout is not None for task in ([plan.one_policy] if plan.one_policy else plan.policies)
        )
        """Whether any deadline of an attempt can exist; kept so that the hot path need not ask."""

    # -- the door ---------------------------------------------------------------------------------------------------

    def handle(self, event: inp.Input) -> list[Instruction]:
        """Take one input; what must be done now comes back, in order."""
        instructions: list[Instruction] = []
        self._instructions = instructions
        _HANDLERS[type(event)](self, event)
        return instructions

    def note(self, event: ev.AnyEvent) -> None:
        """Take a fact that asks for no decision (progress, a log line, a problem)."""
        self.ledger.apply(event)
        self.outbox.append(event)

    def next_due(self) -> float | None:
        """When `Tick` wants to be handled next, if ever."""
        return self.deadlines.next()

    @property
    def is_over(self) -> bool:
        """Whether nothing happens any more by itself."""
        return self.ledger.run_state in RUN_OVER

    # -- inputs -----------------------------------------------------------------------------------------------------

    def _begin(self, event: inp.Begin) -> None:
        ledger, joins, at = self.ledger, self.joins, event.at
        if event.resumed:
            kept = sum(state in GOOD for state in ledger.state)
            self.emit(ev.RunResumed(at, kept - len(event.reruns)))
            self.unfinished = len(self.plan) - kept + len(event.reruns)
            for index, reason in event.reruns:
                self.emit(ev.TaskRestarted(at, self.plan.names[index], reason))
            for index, needed in enumerate(self.plan.upstream):
                if needed:
                    joins.recount(index, ledger.state)
            for index in joins.rule:
                if joins.pending[index] and ledger.state[index] is TaskState.WAITING:
                    self.evaluate(index, at)
        else:
            self.emit(
                ev.RunStarted(at, event.run, self.plan.name, event.started_at, len(self.plan), self.policy.max_parallel)
            )
        self.starts_allowed = True
        if self.policy.run_timeout is not None:
            self.deadlines.push(at + self.policy.run_timeout, Due.RUN, -1, 0)
        pending, state = joins.pending, ledger.state
        for index in range(len(self.plan)):
            if not pending[index] and state[index] is TaskState.WAITING:
                self.become_ready(index, at)
        self.fill(at)

    def _attempt_succeeded(self, event: inp.AttemptSucceeded) -> None:
        index = event.index
        ledger = self.ledger
        if ledger.attempt[index] != event.attempt:
            return
        if ledger.state[index] is not TaskState.RUNNING:
            if ledger.state[index] is TaskState.CANCELLING:
                self._stopped_attempt_ended(index, event.at, None, 0.0)
            return
        at = event.at
        done = ev.TaskSucceeded(at, self.plan.names[index], event.attempt)
        ledger.succeeded(index, done)
        self.outbox.append(done)
        self.active -= 1
        self.unfinished -= 1
        fed = self.plan.downstream[index]
        if fed:
            joins = self.joins
            pending = joins.pending
            if joins.rule:
                self._tell_downstream(index, at)
            else:
                for below in fed:
                    pending[below] = left = pending[below] - 1
                    if not left and ledger.state[below] is TaskState.WAITING:
                        self.become_ready(below, at)
        self.fill(at)

    def _attempt_raised(self, event: inp.AttemptRaised) -> None:
        index, at = event.index, event.at
        if self.ledger.attempt[index] != event.attempt or self.ledger.state[index] not in ACTIVE:
            return
        if self.ledger.state[index] is TaskState.CANCELLING:
            self._stopped_attempt_ended(index, at, event.failure, event.unit_random)
            return
        self.active -= 1
        if event.retriable and may_try_again(self, index):
            back_off(self, index, at, event.failure, event.unit_random, timed_out=False)
        else:
            self.emit(ev.TaskFailed(at, self.plan.names[index], event.attempt, event.failure))
            self.ended(index, at)
        self.fill(at)

    def _attempt_stopped(self, event: inp.AttemptStopped) -> None:
        if self.ledger.attempt[event.index] == event.attempt and self.ledger.state[event.index] in ACTIVE:
            self._stopped_attempt_ended(event.index, event.at, event.failure, event.unit_random)

    def _tick(self, event: inp.Tick) -> None:
        at, ledger = event.at, self.ledger
        while (due := self.deadlines.pop(at)) is not None:
            kind, index, attempt = due
            if kind is Due.RUN:
                if not self.is_over and ledger.run_state is not RunState.CANCELLING:
                    self.stop_run(
                        at, StopReason.RUN_TIMEOUT, f"run_timeout of {self.policy.run_timeout:g} s", cancel=True
                    )
            elif kind is Due.GRACE:
                self.abandon_told(at)
            elif ledger.attempt[index] != attempt:
                continue
            elif kind is Due.BACKOFF:
                due_at = ledger.due_at.get(index)
                if ledger.state[index] is TaskState.BACKOFF and due_at is not None:
                    if due_at <= at:
                        ready_again(self, index, at)
                    else:
                        self.deadlines.push(due_at, Due.BACKOFF, index, attempt)
            elif ledger.state[index] is TaskState.RUNNING:
                self._check_timeout(index, at)
        self.fill(at)

    def _command(self, event: inp.CommandGiven) -> None:
        obey(self, event)
        self.fill(event.at)

    # -- steps that inputs and commands share -----------------------------------------------------------------------

    def emit(self, event: ev.AnyEvent) -> None:
        """Let the ledger take the event, and leave it in the outbox."""
        self.ledger.apply(event)
        self.outbox.append(event)

    def become_ready(self, index: int, at: float) -> None:
        """Let a task whose time has come queue for a slot, or hold it."""
        ready = ev.TaskReady(at, self.plan.names[index])
        ledger = self.ledger
        ledger.ready(index, ready)
        self.outbox.append(ready)
        if ledger.held and index in ledger.held:
            self.emit(ev.TaskHeld(at, self.plan.names[index]))
        else:
            queue = self.queue
            heappush(queue.heap, queue.rank[index])

    def fill(self, at: float) -> None:
        """Start what is ready as long as there are slots, and end the run if nothing is left to do."""
        heap = self.queue.heap
        if heap and self.starts_allowed:
            by_rank, outbox = self.queue.by_rank, self.outbox
            ledger, names = self.ledger, self.plan.names
            limit, state, attempts = ledger.max_parallel, ledger.state, ledger.attempt
            while heap and self.active < limit:
                index = by_rank[heappop(heap)]
                if state[index] is not TaskState.READY:
                    continue
                attempt = attempts[index] + 1
                begun = ev.TaskStarted(at, names[index], attempt)
                ledger.started(index, begun)
                outbox.append(begun)
                self.active += 1
                if self.may_time_out:
                    timeout = ledger.policies[index].timeout
                    if timeout is not None:
                        self.deadlines.push(at + timeout, Due.ATTEMPT, index, attempt)
                self._instructions.append(StartAttempt(index, attempt))
        if not self.unfinished and not self.active and not self.is_over:
            self._finish(at)

    def ended(self, index: int, at: float) -> None:
        """A task came to a final state other than by an ordinary success: tell everything downstream, however far."""
        self.unfinished -= 1
        self.stop_reasons.pop(index, None)
        self._tell_downstream(index, at)
        if self.policy.fail_fast and self.stopping is None and self.ledger.state[index] in BAD:
            self.stop_run(
                at,
                StopReason.FAIL_FAST,
                f"fail_fast: {self.plan.names[index]} {ending_word(self.ledger.state[index])}",
                cancel=False,
            )

    def stop_attempt(self, index: int, at: float, why: StopReason, reason: str) -> None:
        """Tell a running attempt to stop."""
        attempt = self.ledger.attempt[index]
        self.stop_reasons[index] = why
        self.emit(ev.TaskCancelling(at, self.plan.names[index], attempt, reason))
        self._instructions.append(StopAttempt(index, attempt))

    def abandon_told(self, at: float) -> None:
        """Wait no longer for the attempts that were told to stop and have not."""
        failure = Failure(error="Abandoned", message="it was told to stop and did not; dagtop no longer waits for it")
        for index in [i for i, state in enumerate(self.ledger.state) if state is TaskState.CANCELLING]:
            self._instructions.append(AbandonAttempt(index, self.ledger.attempt[index]))
            self._stopped_attempt_ended(index, at, failure, 0.0)

    def cancel_unstarted(self, index: int, at: float, reason: str) -> None:
        """End a task that does not run now."""
        self.emit(ev.TaskCancelled(at, self.plan.names[index], self.ledger.attempt[index], reason))
        self.ended(index, at)

    def stop_run(self, at: float, why: StopReason, reason: str, *, cancel: bool) -> None:
        """Start nothing new; with `cancel` stop what runs too, and wait for that no longer than the grace allows."""
        self.starts_allowed = False
        self.stopping = why
        self.emit(ev.RunStopping(at, reason, cancel))
        states = self.ledger.state
        if cancel:
            self.deadlines.push(at + self.policy.cancel_grace, Due.GRACE, -1, 0)
            for index in [i for i, state in enumerate(states) if state in ACTIVE]:
                if self.stop_reasons.get(index) is not StopReason.CANCEL:
                    self.stop_attempt(index, at, why, reason)
        for index in range(len(states)):
            if states[index] in _NEVER_STARTED:
                self.cancel_unstarted(index, at, reason)

    def restart_timer(self, index: int, at: float) -> None:
        """The timeout of a running attempt has changed."""
        self.may_time_out = True
        self._check_timeout(index, at)

    def evaluate(self, index: int, at: float) -> None:
        """Ask the trigger rule of a WAITING task, and do what it says."""
        match self.joins.verdict(index):
            case Verdict.WAIT:
                pass
            case Verdict.START:
                self.become_ready(index, at)
            case Verdict.NEVER:
                self._give_up(index, at)

    # -- the run's own steps ----------------------------------------------------------------------------------------

    def _tell_downstream(self, index: int, at: float) -> None:
        """Count an ending at everything it feeds; endings that follow from it are worked off here, without recursion."""
        self._ended.append(index)
        if len(self._ended) > 1:
            return  # an outer call is working the queue off
        states, joins = self.ledger.state, self.joins
        while self._ended:
            source = self._ended[0]
            for below in self.plan.downstream[source]:
                joins.upstream_ended(below, states[source])
                if states[below] is TaskState.WAITING and self.stopping is None:
                    self.evaluate(below, at)
            self._ended.popleft()

    def _give_up(self, index: int, at: float) -> None:
        because = blame(self.ledger, self.joins, index)
        name = self.plan.names[index]
        if self.ledger.policies[index].on_upstream_failure is OnUpstreamFailure.FAIL:
            failure = Failure(error="UpstreamFailedError", message=because)
            self.emit(ev.TaskFailed(at, name, self.ledger.attempt[index], failure))
        else:
            self.emit(ev.TaskSkipped(at, name, because))
        self.ended(index, at)

    def _stopped_attempt_ended(self, index: int, at: float, failure: Failure | None, unit_random: float) -> None:
        why = self.stop_reasons.pop(index, StopReason.CANCEL)
        name, attempt = self.plan.names[index], self.ledger.attempt[index]
        reason = self.ledger.reason.get(index, "cancelled")
        self.active -= 1
        if why is StopReason.RESTART and self.stopping is not None:
            why, reason = StopReason.CANCEL, self.ledger.run_reason
        match why:
            case StopReason.RESTART:
                self.emit(ev.TaskRestarted(at, name, reason))
                self.joins.recount(index, self.ledger.state)
                self.evaluate(index, at)
            case StopReason.TIMEOUT:
                timeout = self.ledger.policies[index].timeout or 0.0
                timed_out = out_of_time(f"attempt {attempt} took longer than its timeout of {timeout:g} s", failure)
                if (
                    self.ledger.policies[index].retry_on_timeout
                    and may_try_again(self, index)
                    and self.stopping is None
                ):
                    back_off(self, index, at, timed_out, unit_random, timed_out=True)
                else:
                    self.emit(ev.TaskTimedOut(at, name, attempt, timed_out))
                    self.ended(index, at)
            case StopReason.RUN_TIMEOUT:
                late = out_of_time(f"the run reached its {reason} while this ran", failure)
                self.emit(ev.TaskTimedOut(at, name, attempt, late))
                self.ended(index, at)
            case StopReason.CANCEL | StopReason.FAIL_FAST:
                self.emit(ev.TaskCancelled(at, name, attempt, reason, failure))
                self.ended(index, at)
        self.fill(at)

    def _check_timeout(self, index: int, at: float) -> None:
        """Stop a running attempt that is over its timeout of now; else look again when it would be."""
        timeout = self.ledger.policies[index].timeout
        begun = self.ledger.attempt_started[index]
        if timeout is None or begun is None:
            return
        if at >= begun + timeout:
            self.stop_attempt(index, at, StopReason.TIMEOUT, f"timeout of {timeout:g} s")
        else:
            self.deadlines.push(begun + timeout, Due.ATTEMPT, index, self.ledger.attempt[index])

    def _finish(self, at: float) -> None:
        counts = self.ledger.counts
        if self.stopping is StopReason.RUN_TIMEOUT:
            state = RunState.TIMED_OUT
        elif self.stopping is StopReason.CANCEL and counts[TaskState.CANCELLED]:
            state = RunState.CANCELLED
        elif any(counts[bad] for bad in BAD):
            state = RunState.FAILED
        elif counts[TaskState.CANCELLED]:
            state = RunState.CANCELLED
        else:
            state = RunState.SUCCEEDED
        self.emit(ev.RunFinished(at, state, {kind.value: count for kind, count in counts.items() if count}))
        self.deadlines.clear()


_HANDLERS: dict[type, Callable[[RunMachine, Any], None]] = {
    inp.AttemptSucceeded: RunMachine._attempt_succeeded,
    inp.AttemptRaised: RunMachine._attempt_raised,
    inp.AttemptStopped: RunMachine._attempt_stopped,
    inp.Tick: RunMachine._tick,
    inp.CommandGiven: RunMachine._command,
    inp.Begin: RunMachine._begin,
}
