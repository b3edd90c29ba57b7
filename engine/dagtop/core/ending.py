"""How a run ends: when nothing is left to do, what there is to close is closed, and then it has the state that it deserves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.failure import Failure
from dagtop.core.figures import counts_of_tasks
from dagtop.core.instructions import StopReason, WindDown
from dagtop.core.policy import OnUpstreamFailure
from dagtop.core.setting_up import open_doors
from dagtop.core.states import BAD, RunState, TaskState
from dagtop.core.wording import blame

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def give_up(machine: RunMachine, index: int, at: float) -> None:
    """End a task whose trigger rule can no longer be met."""
    because = blame(machine.ledger, machine.joins, index)
    name = machine.plan.names[index]
    if machine.ledger.policies[index].on_upstream_failure is OnUpstreamFailure.FAIL:
        failure = Failure(error="UpstreamFailedError", message=because)
        machine.emit(ev.TaskFailed(at, name, machine.ledger.attempt[index], failure))
    else:
        machine.emit(ev.TaskSkipped(at, name, because))
    machine.ended(index, at)


def wind_down(machine: RunMachine, at: float) -> None:
    """No task is left to do: have everything closed, and then end the run."""
    if not _nothing_left(machine):
        return
    if not machine.plan.winds_down:
        _finish(machine, at)
    elif not machine.winding_down:
        machine.winding_down = True
        machine.instruct(WindDown())


def wound_down(machine: RunMachine, at: float) -> None:
    """Everything is closed. The graph may have grown meanwhile: then it is set up again for what came."""
    machine.winding_down = False
    if _nothing_left(machine):
        _finish(machine, at)
    elif machine.stopping is None:
        open_doors(machine)
        machine.fill(at)


def _nothing_left(machine: RunMachine) -> bool:
    tearing = machine.cleanup is not None and bool(machine.cleanup.running)
    return not machine.unfinished and not machine.active and not machine.is_over and not tearing


def _finish(machine: RunMachine, at: float) -> None:
    counts: Mapping[TaskState, int] = machine.ledger.counts
    if machine.policy.supervises:
        counts = _of_what_is_wanted(machine)
    if machine.stopping is StopReason.RUN_TIMEOUT:
        state = RunState.TIMED_OUT
    elif machine.stopping is StopReason.CANCEL and counts[TaskState.CANCELLED]:
        state = RunState.CANCELLED
    elif machine.stopping is StopReason.SETUP or any(counts[bad] for bad in BAD):
        state = RunState.FAILED
    elif counts[TaskState.CANCELLED]:
        state = RunState.CANCELLED
    else:
        state = RunState.SUCCEEDED
    machine.emit(ev.RunFinished(at, state, counts_of_tasks(machine.ledger)))
    machine.deadlines.clear()


def _of_what_is_wanted(machine: RunMachine) -> Mapping[TaskState, int]:
    """How many tasks are in each state; of a desired state only what is wanted up, and in the graph, tells how it went."""
    ledger = machine.ledger
    unwanted = ledger.desired.down | ledger.desired.gone
    return Counter(state for index, state in enumerate(ledger.state) if index not in unwanted)
