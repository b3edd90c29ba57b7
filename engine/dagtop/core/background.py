"""Services beside tasks that come to an end: when all of those have, nobody needs the services any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core.instructions import StopReason
from dagtop.core.restart import RestartPolicy
from dagtop.core.states import FINAL, RunState, TaskState
from dagtop.core.stopping import stop_attempt
from dagtop.core.wanting import settle_for_what_it_is
from dagtop.core.wording import NOT_NEEDED

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def let_go(machine: RunMachine, at: float) -> None:
    """Stop what serves, if nothing else is left to do: that is its good end, also in a run that only goes on with what runs.

    Not while something is to start over by itself: what that needs is to be there then.
    """
    if machine.expects_more and machine.stopping is None:
        return
    ledger, nodes = machine.ledger, machine.plan.nodes
    left = [i for i, state in enumerate(ledger.state) if state not in FINAL and i not in nodes]
    if ledger.run_state is RunState.CANCELLING or not all(_only_serves(machine, i) for i in left):
        return
    for index in left:
        if ledger.state[index] is TaskState.RUNNING:
            stop_attempt(machine, index, at, StopReason.DONE, NOT_NEEDED)
        elif ledger.state[index] is TaskState.BACKOFF:
            settle_for_what_it_is(machine, index, at)


def _only_serves(machine: RunMachine, index: int) -> bool:
    state, restart = machine.ledger.state[index], machine.ledger.policies[index].restart
    if state is TaskState.BACKOFF:
        return restart.policy is RestartPolicy.ALWAYS and index in machine.ledger.desired.restarts
    if state is TaskState.CANCELLING:
        return restart.is_on
    return state is TaskState.RUNNING and (restart.policy is RestartPolicy.ALWAYS or index in machine.joins.early)
