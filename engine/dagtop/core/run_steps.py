"""What each event of a run changes in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.growth import grown
from dagtop.core.plan import Plan
from dagtop.core.states import GOOD, RunState, TaskState

if TYPE_CHECKING:
    from dagtop.core.ledger import Ledger

_WAITING, _SUCCEEDED = TaskState.WAITING, TaskState.SUCCEEDED


def run_started(ledger: Ledger, event: ev.RunStarted) -> None:
    ledger.run, ledger.started_at = event.run, event.started_at
    ledger.max_parallel = ledger.window = event.max_parallel
    ledger.run_state = RunState.RUNNING


def run_resumed(ledger: Ledger, event: ev.RunResumed) -> None:
    """What another process had not finished starts over; the table does not apply to a process that died."""
    for index, was in enumerate(ledger.state):
        if was is TaskState.CACHED:  # what it goes on with is what it has got, wherever that was from
            ledger.state[index] = _SUCCEEDED
            ledger.counts[was] -= 1
            ledger.counts[_SUCCEEDED] += 1
            ledger.reason.pop(index, None)
        elif was not in GOOD and was is not _WAITING:
            ledger.counts[was] -= 1
            ledger.counts[_WAITING] += 1
            ledger.state[index] = _WAITING
            ledger.first_attempt[index] = ledger.attempt[index]
            ledger.ready_at[index] = ledger.attempt_started[index] = ledger.ended_at[index] = None
            for sparse in (
                ledger.reason,
                ledger.failure,
                ledger.progress,
                ledger.due_at,
                ledger.cancelling_at,
                ledger.gates,
            ):
                sparse.pop(index, None)
    for kept in (ledger.held, ledger.torn_down, ledger.desired.serving, ledger.desired.restarts, ledger.desired.since):
        kept.clear()
    ledger.run_state, ledger.run_reason, ledger.finished_at = RunState.RUNNING, "", None


def run_paused(ledger: Ledger, event: ev.RunPaused) -> None:
    ledger.run_state = RunState.PAUSED


def run_continued(ledger: Ledger, event: ev.RunContinued) -> None:
    ledger.run_state, ledger.run_reason = RunState.RUNNING, ""


def run_stopping(ledger: Ledger, event: ev.RunStopping) -> None:
    ledger.run_state = RunState.CANCELLING if event.cancel else RunState.DRAINING
    ledger.run_reason = event.reason


def run_reopened(ledger: Ledger, event: ev.RunReopened) -> None:
    ledger.run_state, ledger.run_reason, ledger.finished_at = RunState.RUNNING, "", None


def run_finished(ledger: Ledger, event: ev.RunFinished) -> None:
    ledger.run_state, ledger.finished_at = event.state, event.at


def limit(ledger: Ledger, event: ev.LimitChanged) -> None:
    if event.what == "max_parallel":
        ledger.max_parallel = ledger.window = event.limit
    elif event.what == "window":
        ledger.window = event.limit
    else:
        ledger.pool_limits[event.what.removeprefix("pool:")] = event.limit


def breaker(ledger: Ledger, event: ev.BreakerOpened | ev.BreakerHalfOpened | ev.BreakerClosed) -> None:
    ledger.breakers[event.breaker] = event.type.removeprefix("breaker.").replace("opened", "open")


def forced(ledger: Ledger, event: ev.BreakerForced) -> None:
    if event.state:
        ledger.forced[event.breaker] = event.state
    else:
        ledger.forced.pop(event.breaker, None)


def breaker_changed(ledger: Ledger, event: ev.BreakerChanged) -> None:
    ledger.breaker_settings.setdefault(event.breaker, {}).update(event.changes)


def graph_changed(ledger: Ledger, event: ev.GraphChanged) -> None:
    plan, ledger.next_plan = ledger.next_plan, None
    if plan is None:
        plan = _replayed(ledger, event)
    ledger.grow(plan)
    index_of = plan.index
    for name in event.changed:
        index = index_of[name]
        if index in ledger.desired.gone:  # it comes back, and is a new one
            ledger.desired.gone.discard(index)
            ledger.desired.down.discard(index)
        ledger.desired.grew_older(index)
    ledger.desired.gone.update(index_of[name] for name in event.removed)


def _replayed(ledger: Ledger, event: ev.GraphChanged) -> Plan:
    """The plan after a change that a recorded stream tells of. A task that an earlier process knew comes again."""
    known = ledger.plan.index
    added = [task for task in event.added if task.name not in known]
    again = {task.name: task.upstream for task in event.added if task.name in known}
    for name in again:
        index = known[name]
        if ledger.state[index] is not _WAITING:
            ledger.counts[ledger.state[index]] -= 1
            ledger.counts[_WAITING] += 1
            ledger.state[index] = _WAITING
    return grown(ledger.plan, added, {**again, **event.rewired})
