"""Tasks about which the runtime is asked before they start: those with a `when` and those with a cache.

Meanwhile they are WAITING and hold nothing; when they are stopped or start over, the question is forgotten with its token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.failure import Failure
from dagtop.core.instructions import Consult
from dagtop.core.states import TaskState

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def ask(machine: RunMachine, index: int, at: float) -> None:
    """Its upstream lets the task start: ask."""
    if machine.stopping is None:
        fresh = index in machine.fresh
        machine.instruct(Consult(index, machine.new_question(index), fresh))


def answered(machine: RunMachine, event: inp.Consulted) -> None:
    """Do what the answer says, if it is still wanted."""
    index, at = event.index, event.at
    ledger = machine.ledger
    if machine.asking.get(index) != event.token or ledger.state[index] is not TaskState.WAITING:
        return
    del machine.asking[index]
    machine.fresh.discard(index)
    name = machine.plan.names[index]
    match event.verdict:
        case inp.Verdict.RUN:
            machine.become_ready(index, at, asked=True)
        case inp.Verdict.SKIP:
            machine.emit(ev.TaskSkipped(at, name, event.reason))
            machine.ended(index, at)
        case inp.Verdict.CACHED:
            machine.emit(ev.TaskCached(at, name, event.reason))
            machine.ended(index, at)
        case inp.Verdict.FAIL:
            failure = event.failure or Failure(error="Error", message=event.reason)
            machine.emit(ev.TaskFailed(at, name, ledger.attempt[index], failure))
            machine.ended(index, at)
