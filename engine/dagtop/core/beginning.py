"""How a run begins: everything from the start, or on with what an earlier process left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.affected import torn_down_before, was_let_go
from dagtop.core.deadlines import Due
from dagtop.core.figures import count_of_tasks
from dagtop.core.levels import above
from dagtop.core.restart import RestartPolicy
from dagtop.core.setting_up import open_doors
from dagtop.core.states import GOOD, TaskState
from dagtop.core.wanting import want_down

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def begin(machine: RunMachine, event: inp.Begin) -> None:
    """Start the run, or go on with one that another process left."""
    ledger, joins, at = machine.ledger, machine.joins, event.at
    if event.resumed:
        kept = sum(state in GOOD for state in ledger.state)
        reruns = {**_never_ending(machine, event), **dict(event.reruns)}
        machine.emit(ev.RunResumed(at, kept - len(reruns)))
        machine.unfinished = len(machine.plan) - kept + len(reruns)
        for index, reason in reruns.items():
            machine.put_back(index, at, reason)
        for index, needed in enumerate(machine.plan.upstream):
            if needed:
                joins.recount(index, ledger.state)
        for index in joins.rule:
            if joins.pending[index] and ledger.state[index] is TaskState.WAITING:
                machine.evaluate(index, at)
        for index, reason in event.skips:
            if ledger.state[index] is TaskState.WAITING:
                machine.emit(ev.TaskSkipped(at, machine.plan.names[index], reason))
                machine.ended(index, at)
        for index, reason in event.stops:
            want_down(machine, index, at, reason)
    else:
        machine.emit(
            ev.RunStarted(
                at,
                event.run,
                machine.plan.name,
                event.started_at,
                count_of_tasks(machine.plan),
                machine.policy.max_parallel,
            )
        )
    if machine.unfinished:
        open_doors(machine)
    if machine.policy.run_timeout is not None:
        machine.deadlines.push(at + machine.policy.run_timeout, Due.RUN, -1, 0)
    pending, state = joins.pending, ledger.state
    for index in range(len(machine.plan)):
        if not pending[index] and state[index] is TaskState.WAITING:
            machine.become_ready(index, at)
    machine.fill(at)


def _never_ending(machine: RunMachine, event: inp.Begin) -> dict[int, str]:
    """Tasks that are started again after every ending: one that had come to a good end runs again all the same.

    So do other services, which had it because nothing needed them any more; the nodes that they are in wait for them.
    """
    if not machine.supervised:
        return {}
    ledger, stopped = machine.ledger, {index for index, _ in event.stops}
    again = {
        index: "it is to run always" if policy.restart.policy is RestartPolicy.ALWAYS else "it was let go of"
        for index, policy in enumerate(ledger.policies)
        if ledger.state[index] in GOOD
        and (policy.restart.policy is RestartPolicy.ALWAYS or was_let_go(ledger, index))
        and index not in stopped
    }
    nodes = [node for node in above(machine.plan, again) if ledger.state[node] in GOOD]
    left = [index for index, state in enumerate(ledger.state) if state is TaskState.WAITING]
    between = torn_down_before(ledger, left) - stopped
    return {**dict.fromkeys((*nodes, *between), "a service before it is started again"), **again}
