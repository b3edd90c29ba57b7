"""Nodes of a graph of graphs: each has a task of its own that never runs. It comes to its end when all that is in it has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.failure import Failure
from dagtop.core.paths import SLASH, is_inside
from dagtop.core.plan import Plan
from dagtop.core.returning import withdrawn
from dagtop.core.states import BAD, FINAL, GOOD, TaskState
from dagtop.core.wording import ending_word, tasks

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine

#: In the `extra` of a policy: the nodes around the task that start nothing more once something in them has failed.
FAIL_FAST = "fail_fast"

#: So many of the tasks that failed are named.
_NAMED = 3

_UNBEGUN = frozenset({TaskState.WAITING, TaskState.READY, TaskState.HELD, TaskState.BACKOFF})


def conclude(machine: RunMachine, index: int, at: float) -> bool:
    """All that is in a node has ended, or serves: so the node ends. False: a person holds it."""
    ledger, name = machine.ledger, machine.plan.names[index]
    if index in ledger.held:
        return False
    inside = machine.plan.upstream[index]
    serving = machine.joins.early
    states = {i: TaskState.SUCCEEDED if i in serving else ledger.state[i] for i in inside}
    failed = [i for i in inside if states[i] in BAD]
    stopped = [i for i in inside if states[i] is TaskState.CANCELLED]
    attempt = ledger.attempt[index]
    if failed:
        machine.emit(ev.TaskFailed(at, name, attempt, _failure(machine, index, failed)))
    elif stopped:
        machine.emit(ev.TaskCancelled(at, name, attempt, _listed(machine, index, stopped, "cancelled")))
    elif any(state in GOOD for state in states.values()):
        machine.emit(ev.TaskSucceeded(at, name, attempt))
    else:
        first = next((ledger.reason[i] for i in inside if ledger.reason.get(i)), "")
        machine.emit(ev.TaskSkipped(at, name, first or "nothing in it ran"))
    machine.ended(index, at)
    return True


def member_is_down(machine: RunMachine, index: int, at: float) -> None:
    """A task that served does no more: the nodes around it that had come to an end wait for it again."""
    states, reason = machine.ledger.state, f"{machine.plan.names[index]} is down"
    for node in above(machine.plan, [index]):
        if states[node] not in FINAL:
            continue
        machine.unfinished += 1
        machine.put_back(node, at, reason)
        machine.joins.recount(node, states)
        fed = machine.plan.downstream[node]
        for below in fed:
            machine.joins.recount(below, states)
        unbegun = [i for i in fed if i not in machine.ledger.due_at]
        for i in (*withdrawn(machine, unbegun, at, reason), node):
            if states[i] is TaskState.WAITING:
                machine.evaluate(i, at)


def above(plan: Plan, indices: Iterable[int]) -> list[int]:
    """The nodes that these tasks are in, innermost first."""
    found: list[int] = []
    queue = list(indices)
    for index in queue:
        for below in plan.downstream[index]:
            if below in plan.nodes and below not in found and is_inside(plan.names[index], plan.names[below]):
                found.append(below)
                queue.append(below)
    return found


def with_nodes(machine: RunMachine, chosen: Sequence[int]) -> list[int]:
    """Tasks that are to start over, and the nodes that they are in, if those have ended; upstream first."""
    states = machine.ledger.state
    nodes = {node for node in above(machine.plan, chosen) if states[node] in FINAL}.difference(chosen)
    if not nodes:
        return list(chosen)
    nodes.update(chosen)
    return [i for i in machine.plan.order if i in nodes]


def stop_nodes(machine: RunMachine, index: int, at: float) -> None:
    """A task has failed: in the nodes around it that are to stop then, nothing more starts."""
    ledger, names = machine.ledger, machine.plan.names
    reason = f"fail_fast: {names[index]} {ending_word(ledger.state[index])}"
    for path in ledger.policies[index].extra.get(FAIL_FAST, ()):
        for i in range(len(names)):
            if ledger.state[i] in _UNBEGUN and i not in machine.plan.nodes and is_inside(names[i], path):
                machine.emit(ev.TaskCancelled(at, names[i], ledger.attempt[i], reason))
                machine.ended(i, at)


def _failure(machine: RunMachine, index: int, failed: Sequence[int]) -> Failure:
    said = _listed(machine, index, failed, "failed")
    first = machine.ledger.failure.get(failed[0])
    cause = f" ({first.error}: {first.message[:200]})" if first is not None and first.error != "NodeFailedError" else ""
    return Failure(error="NodeFailedError", message=said + cause)


def _listed(machine: RunMachine, index: int, which: Sequence[int], word: str) -> str:
    names, path = machine.plan.names, machine.plan.names[index]
    named = ", ".join(names[i].removeprefix(path + SLASH) for i in which[:_NAMED])
    more = f" and {len(which) - _NAMED} more" if len(which) > _NAMED else ""
    of = len(machine.plan.upstream[index])
    return f"{len(which)} of {tasks(of)} {word}: {named}{more}"
