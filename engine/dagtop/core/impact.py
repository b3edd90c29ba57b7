"""What a task that did not succeed keeps from running."""

from __future__ import annotations

from collections import deque

from dagtop.core.joins import Joins
from dagtop.core.ledger import Ledger
from dagtop.core.policy import OnUpstreamFailure, Trigger
from dagtop.core.states import FINAL, GOOD, TaskState

#: Of tasks that were lost before, because of another one, so many are looked at: a thousand failures above one large graph
#: would each walk all of it. Those that are lost now are walked whole; that happens once to each.
LOST_BEFORE = 100


def blocked_by(ledger: Ledger, joins: Joins, index: int) -> list[int]:
    """Downstream tasks that cannot run because this one has ended as it has, nearest first.

    They have not ended yet, or ended without running.
    """
    states, downstream = ledger.state, ledger.plan.downstream
    found: dict[int, TaskState] = {index: states[index]}
    queue = deque([index])
    lost_before = 0
    while queue:
        for below in downstream[queue.popleft()]:
            if below in found or (lost_before >= LOST_BEFORE and states[below] in FINAL):
                continue
            becomes = _becomes(ledger, joins, below, found)
            if becomes is None:
                continue
            if states[below] in FINAL:
                lost_before += 1
            found[below] = becomes
            queue.append(below)
    del found[index]
    return list(found)


def _becomes(ledger: Ledger, joins: Joins, index: int, found: dict[int, TaskState]) -> TaskState | None:
    """The state that a task comes to without running, once those in `found` have; None if it may run all the same."""
    state = ledger.state[index]
    policy = ledger.policies[index]
    if state in FINAL and not (ledger.attempts_used(index) == 0 and state not in GOOD):
        return None
    if state not in FINAL and state not in (TaskState.WAITING, TaskState.HELD):
        return None
    if index in ledger.plan.nodes:
        return TaskState.FAILED
    rule = joins.rule.get(index, Trigger.ALL_SUCCESS)
    if rule is Trigger.ALL_DONE or policy.on_upstream_failure is OnUpstreamFailure.RUN:
        return None
    ended = FINAL - GOOD
    if rule is Trigger.ANY_SUCCESS:
        states = ledger.state
        if not all(above in found or states[above] in ended for above in ledger.plan.upstream[index]):
            return None
    elif rule is Trigger.NONE_FAILED and all(
        found[above] is TaskState.SKIPPED for above in ledger.plan.upstream[index] if above in found
    ):
        return None
    return TaskState.FAILED if policy.on_upstream_failure is OnUpstreamFailure.FAIL else TaskState.SKIPPED
