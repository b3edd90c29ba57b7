"""What each event of a task changes in the ledger; the hot ones are the ledger's own methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.changes import changed_policy
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.states import BAD, TaskState

if TYPE_CHECKING:
    from dagtop.core.ledger import Ledger

#: How many attempts without success are kept for one task.
HISTORY = 50

_WAITING, _READY, _RUNNING, _BACKOFF = TaskState.WAITING, TaskState.READY, TaskState.RUNNING, TaskState.BACKOFF


def retrying(ledger: Ledger, index: int, event: ev.TaskRetrying) -> None:
    if ledger.state[index] is not _BACKOFF:
        ledger.move(index, _BACKOFF)
        ledger.reason.pop(index, None)
        ending = TaskState.TIMED_OUT if event.timed_out else TaskState.FAILED
        _attempt_ended(ledger, index, event.at, ending, event.failure)
        ledger.desired.serving.discard(index)
    ledger.due_at[index] = event.at + event.delay


def failed(ledger: Ledger, index: int, event: ev.TaskFailed) -> None:
    _end_badly(ledger, index, TaskState.FAILED, event.at, event.failure)


def timed_out(ledger: Ledger, index: int, event: ev.TaskTimedOut) -> None:
    _end_badly(ledger, index, TaskState.TIMED_OUT, event.at, event.failure)


def cancelled(ledger: Ledger, index: int, event: ev.TaskCancelled) -> None:
    _end_badly(ledger, index, TaskState.CANCELLED, event.at, event.failure)
    ledger.reason[index] = event.reason


def cancelling(ledger: Ledger, index: int, event: ev.TaskCancelling) -> None:
    if ledger.state[index] is not TaskState.CANCELLING:
        ledger.move(index, TaskState.CANCELLING)
        ledger.cancelling_at[index] = event.at
        ledger.desired.serving.discard(index)
    ledger.reason[index] = event.reason


def skipped(ledger: Ledger, index: int, event: ev.TaskSkipped) -> None:
    ledger.move(index, TaskState.SKIPPED)
    ledger.ended_at[index] = event.at
    ledger.reason[index] = event.reason
    ledger.desired.serving.discard(index)
    for sparse in (ledger.due_at, ledger.cancelling_at, ledger.gates):
        sparse.pop(index, None)


def cached(ledger: Ledger, index: int, event: ev.TaskCached) -> None:
    ledger.move(index, TaskState.CACHED)
    ledger.ended_at[index] = event.at
    ledger.reason[index] = event.reason


def not_cached(ledger: Ledger, index: int, event: ev.TaskNotCached) -> None:
    ledger.why_run[index] = event.reason


def gate(ledger: Ledger, index: int, event: ev.GateWaiting) -> None:
    ledger.gates[index] = event
    if ledger.state[index] is not TaskState.HELD:
        ledger.move(index, TaskState.HELD)


def decided(ledger: Ledger, index: int, event: ev.GateDecided) -> None:
    ledger.gates.pop(index, None)


def escalated(ledger: Ledger, index: int, event: ev.TaskEscalated) -> None:
    ledger.escalations.append(event.report)


def acknowledged(ledger: Ledger, index: int, event: ev.EscalationAcknowledged) -> None:
    if event.withdrawn:
        ledger.acknowledged.pop(event.number, None)
    else:
        ledger.acknowledged[event.number] = event


def tearing_down(ledger: Ledger, index: int, event: ev.TaskTearingDown) -> None:
    ledger.torn_down.add(index)


def blocked(ledger: Ledger, index: int, event: ev.TaskBlocked) -> None:
    was = TaskState.TIMED_OUT if event.timed_out else TaskState.FAILED
    _end_badly(ledger, index, TaskState.BLOCKED, event.at, event.failure, was)
    ledger.reason[index] = event.reason


def restarting(ledger: Ledger, index: int, event: ev.TaskRestarting) -> None:
    ledger.desired.restarts[index] = (event.restart, event.crashes)
    if event.restart == 1:
        ledger.desired.since[index] = ledger.first_attempt.get(index, 0)
    ledger.due_at[index] = event.at + event.delay
    if ledger.state[index] is _BACKOFF:
        return  # its policy has changed: it comes at another time
    ledger.move(index, _BACKOFF)
    ledger.reason.pop(index, None)
    if event.failure is None:
        ledger.ended_at[index] = event.at
        ledger.cancelling_at.pop(index, None)
        ledger.failure.pop(index, None)
        ledger.desired.serving.add(index)  # it succeeded once
    else:
        ending = TaskState.TIMED_OUT if event.timed_out else TaskState.FAILED
        _attempt_ended(ledger, index, event.at, ending, event.failure)
        ledger.desired.serving.discard(index)
    ledger.first_attempt[index] = event.attempt
    ledger.progress.pop(index, None)


def serving(ledger: Ledger, index: int, event: ev.TaskServing) -> None:
    if event.opens:
        ledger.desired.serving.add(index)
    if ledger.reason and ledger.state[index] is _RUNNING:
        ledger.reason.pop(index, None)


def not_ready(ledger: Ledger, index: int, event: ev.TaskNotReady) -> None:
    ledger.reason[index] = event.reason


def wanted(ledger: Ledger, index: int, event: ev.TaskWanted) -> None:
    if event.up:
        ledger.desired.down.discard(index)
    else:
        ledger.desired.down.add(index)


def held(ledger: Ledger, index: int, event: ev.TaskHeld) -> None:
    ledger.held[index] = event.by
    if ledger.state[index] is _READY:
        ledger.move(index, TaskState.HELD)


def released(ledger: Ledger, index: int, event: ev.TaskReleased) -> None:
    ledger.held.pop(index, None)


def restarted(ledger: Ledger, index: int, event: ev.TaskRestarted) -> None:
    was = ledger.state[index]
    if was is TaskState.CANCELLING:
        _attempt_ended(ledger, index, event.at, TaskState.CANCELLED, None)
    ledger.move(index, _WAITING)
    ledger.first_attempt[index] = ledger.attempt[index]
    ledger.ready_at[index] = ledger.attempt_started[index] = ledger.ended_at[index] = None
    for sparse in (
        ledger.reason,
        ledger.failure,
        ledger.progress,
        ledger.due_at,
        ledger.cancelling_at,
        ledger.gates,
        ledger.why_run,
    ):
        sparse.pop(index, None)
    ledger.stale.discard(index)
    ledger.torn_down.discard(index)
    ledger.desired.serving.discard(index)
    if not event.keeps_count:
        ledger.desired.restarts.pop(index, None)
        ledger.desired.since.pop(index, None)
    elif was in BAD:  # it goes on where its policy stopped before: that is one more restart
        restarts, crashes = ledger.desired.restarts.get(index, (0, 0))
        ledger.desired.restarts[index] = (restarts + 1, crashes + 1)


def stale(ledger: Ledger, index: int, event: ev.TaskStale) -> None:
    ledger.stale.add(index)


def progress(ledger: Ledger, index: int, event: ev.TaskProgress) -> None:
    ledger.progress[index] = (event.done, event.total, event.message)


def policy(ledger: Ledger, index: int, event: ev.PolicyChanged) -> None:
    ledger.desired.grew_older(index)
    ledger.policies[index] = changed_policy(ledger.policies[index], event.changes)


def _end_badly(
    ledger: Ledger, index: int, to: TaskState, at: float, failure: Failure | None, ending: TaskState | None = None
) -> None:
    ran = ledger.state[index] in (TaskState.RUNNING, TaskState.CANCELLING)
    ledger.move(index, to)
    ledger.due_at.pop(index, None)
    ledger.gates.pop(index, None)
    ledger.desired.serving.discard(index)
    if ran:
        _attempt_ended(ledger, index, at, ending or to, failure)
    else:
        ledger.ended_at[index] = at
        if failure is not None:
            ledger.failure[index] = failure


def _attempt_ended(ledger: Ledger, index: int, at: float, ending: TaskState, failure: Failure | None) -> None:
    ledger.ended_at[index] = at
    ledger.cancelling_at.pop(index, None)
    if failure is not None:
        ledger.failure[index] = failure
    begun = ledger.attempt_started[index]
    record = AttemptRecord(
        number=ledger.attempt[index],
        started_at=at if begun is None else begun,
        ended_at=at,
        ending=ending.value,
        failure=failure,
    )
    ledger.history[index] = (*ledger.history.get(index, ())[-HISTORY + 1 :], record)
