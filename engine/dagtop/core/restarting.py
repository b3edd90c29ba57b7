"""Tasks that start over, and what that means for those after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core import looking_ahead
from dagtop.core.affected import was_drained, was_let_go
from dagtop.core.instructions import StopReason
from dagtop.core.levels import with_nodes
from dagtop.core.returning import withdrawn
from dagtop.core.setting_up import open_doors
from dagtop.core.states import ACTIVE, FINAL, GOOD, TaskState
from dagtop.core.stopping import stop_attempt
from dagtop.core.topology import reach

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def reopen(machine: RunMachine, at: float) -> None:
    if machine.is_over:
        machine.stopping = None
        looking_ahead.recount_services(machine)
        machine.emit(ev.RunReopened(at))
        machine.admission.due(at)  # nobody looked at breakers and rates meanwhile
        open_doors(machine)
    elif machine.winding_down:
        machine.starts_allowed = False  # what is being closed is closed first


def go_on(machine: RunMachine, at: float, reason: str) -> None:
    """A run that was drained, and has not ended yet, goes on: what was not to run any more is to run again."""
    ledger = machine.ledger
    again = [index for index in machine.plan.order if was_drained(ledger, index)]
    if machine.policy.supervises:
        again += [i for i in machine.plan.order if was_let_go(ledger, i) and i not in ledger.desired.down]
    machine.stopping = None
    looking_ahead.recount_services(machine)
    for index, why in machine.stop_reasons.items():
        if why is StopReason.DONE and index not in ledger.desired.down:
            machine.stop_reasons[index] = StopReason.RESTART
    machine.emit(ev.RunContinued(at))
    if again:
        chosen = set(again)
        start_over(machine, [index for index in machine.plan.order if index in chosen], at, reason, again)


def recount(machine: RunMachine, put_back: list[int]) -> list[int]:
    """Tasks have left their final states: count their endings anew; what they feed."""
    fed = sorted({below for i in put_back for below in machine.plan.downstream[i]})
    for i in (*put_back, *fed):
        machine.joins.recount(i, machine.ledger.state)
    return fed


def start_over(machine: RunMachine, chosen: list[int], at: float, reason: str, named: list[int]) -> None:
    """Put tasks back to the beginning, then ask the trigger rules again, upstream first. `named`: those asked for."""
    ledger, names = machine.ledger, machine.plan.names
    reopen(machine, at)
    if machine.plan.nodes:
        chosen = with_nodes(machine, chosen)
    put_back: list[int] = []
    for i in chosen:
        state = ledger.state[i]
        if state in ACTIVE:
            stop_attempt(machine, i, at, StopReason.RESTART, reason)
        elif state is not TaskState.WAITING:  # where it waits already for one of those that were stopped just now
            machine.unfinished += state in FINAL
            machine.put_back(i, at, reason)
            put_back.append(i)
    for i in sorted(reach(machine.plan.downstream, chosen).difference(chosen)):
        if ledger.state[i] in GOOD or ledger.state[i] in ACTIVE:
            machine.emit(ev.TaskStale(at, names[i], names[named[0]]))
    fed = recount(machine, put_back)
    put_back += withdrawn(machine, fed, at, reason)
    for i in put_back:
        if ledger.state[i] is TaskState.WAITING:
            machine.evaluate(i, at)
