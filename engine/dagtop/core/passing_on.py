"""How the end of a task is told to all that is downstream of it, however far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core.states import GOOD, TaskState
from dagtop.core.supervising import has_gone_down

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def tell_downstream(machine: RunMachine, index: int, at: float) -> None:
    """Count an ending at everything it feeds; endings that follow from it are worked off here, without recursion."""
    machine.endings.append(index)
    if len(machine.endings) > 1:
        return  # an outer call is working the queue off
    states, joins = machine.ledger.state, machine.joins
    gone_down: list[int] = []
    while machine.endings:
        source = machine.endings[0]
        count = joins.upstream_ended
        if source in joins.early:
            joins.early.discard(source)
            count = joins.early_one_ended
            if states[source] not in GOOD:
                gone_down.append(source)
        for below in machine.plan.downstream[source]:
            count(below, states[source])
            if states[below] is TaskState.WAITING and machine.stopping is None:
                machine.evaluate(below, at)
        machine.endings.popleft()
    for source in gone_down:
        has_gone_down(machine, source, at)
