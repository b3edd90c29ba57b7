"""A run whose graph grows while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.cleanup import Cleanup
from dagtop.core.growth import grown
from dagtop.core.stopping import cancel_unstarted

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def add_tasks(machine: RunMachine, event: inp.TasksAdded) -> None:
    """Take further tasks into the run. Those whose upstream lets them start, start."""
    at, first = event.at, len(machine.plan)
    added = tuple(ev.AddedTask(task.name, task.upstream) for task in event.tasks)
    plan = grown(machine.plan, event.tasks)
    machine.plan = plan
    machine.ledger.grow(plan)
    machine.joins.grow(plan)
    if machine.cleanup is not None:
        machine.cleanup.grow(plan)
    elif plan.cleans_up:
        machine.cleanup = Cleanup(machine.ledger)
    machine.unfinished += len(added)
    machine.emit(ev.GraphChanged(at, event.reason, added))
    machine.rerank()
    for task in event.tasks:
        machine.may_time_out = machine.may_time_out or task.policy.timeout is not None
        machine.has_gates = machine.has_gates or task.policy.gate is not None
    for index in range(first, len(plan)):
        machine.reassign(index)
    for index in range(first, len(plan)):
        if machine.stopping is None:
            machine.evaluate(index, at)
        else:
            cancel_unstarted(machine, index, at, machine.ledger.run_reason)
