"""The books of the machine, balanced: for tests and for those who doubt."""

from __future__ import annotations

from dagtop.core.machine import RunMachine
from dagtop.core.states import ACTIVE, FINAL, TaskState


def check_invariants(machine: RunMachine) -> None:
    """Compare every running count with a fresh one. O(V + E).

    Raises
    ------
    AssertionError: they differ; the message says which.
    """
    states = machine.ledger.state
    _same("slots in use", machine.active, sum(state in ACTIVE for state in states))
    _same("unfinished tasks", machine.unfinished, sum(state not in FINAL for state in states))
    for kind, count in machine.ledger.counts.items():
        _same(f"count of {kind.name}", count, sum(state is kind for state in states))
    for index, state in enumerate(states):
        needed = machine.plan.upstream[index]
        open_above = sum(states[i] not in FINAL and i not in machine.joins.early for i in needed)
        _same(f"pending of task {index}", machine.joins.pending[index], open_above)
        if (state is TaskState.BACKOFF) is not (index in machine.ledger.due_at):
            raise AssertionError(f"task {index} is {state.name}; only in BACKOFF, and always there, it has a due time")
        if (state is TaskState.CANCELLING) is not (index in machine.ledger.cancelling_at):
            raise AssertionError(
                f"task {index} is {state.name}; only in CANCELLING, and always there, it was told to stop"
            )
    if machine.is_over and machine.unfinished:
        raise AssertionError(f"the run is over and {machine.unfinished} tasks are left")


def _same(what: str, kept: int, counted: int) -> None:
    if kept != counted:
        raise AssertionError(f"{what}: the machine says {kept}, counting says {counted}")
