"""Tasks that come back: after a delay, or to wait again for what is being made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core.joins import Verdict
from dagtop.core.states import TaskState

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def ready_again(machine: RunMachine, index: int, at: float) -> None:
    """The delay is over. A task whose upstream has been restarted meanwhile waits for the new results first."""
    machine.wished_delay.pop(index, None)
    verdict = machine.joins.verdict(index)
    if verdict is Verdict.START:
        machine.become_ready(index, at)
    elif verdict is Verdict.NEVER:
        machine.give_up(index, at)
    else:
        machine.put_back(index, at, "its upstream runs again", keeps_count=True)
        machine.evaluate(index, at)


def withdrawn(machine: RunMachine, fed: list[int], at: float, reason: str) -> list[int]:
    """Tasks that were about to start on results that are being made anew: they wait for them again."""
    states, found = machine.ledger.state, []
    for index in fed:
        about_to_start = states[index] in (TaskState.READY, TaskState.HELD, TaskState.BACKOFF)
        if about_to_start and machine.joins.verdict(index) is not Verdict.START:
            machine.put_back(index, at, reason, keeps_count=True)
            found.append(index)
        elif states[index] is TaskState.WAITING:
            machine.asking.pop(index, None)
            found.append(index)
    return found
