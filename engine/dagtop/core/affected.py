"""Which tasks a command is about: those that it hits, those that run again with them, those that are lost without them."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Protocol

from dagtop.core.desired import Desired
from dagtop.core.escalation import EscalationReport
from dagtop.core.events import EscalationAcknowledged, GateWaiting
from dagtop.core.joins import JoinsOfFew, Verdict
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import Restart, RestartPolicy, ceiling_of
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, RunState, TaskState
from dagtop.core.topology import reach
from dagtop.core.wording import DRAINED, NOT_NEEDED, is_blame


class Situation(Protocol):
    """What a command is judged by; the machine's ledger is one."""

    plan: Plan
    run_state: RunState
    state: list[TaskState]
    policies: list[TaskPolicy]
    held: dict[int, str]
    reason: dict[int, str]
    max_parallel: int
    gates: dict[int, GateWaiting]
    torn_down: set[int]
    desired: Desired
    escalations: list[EscalationReport]
    acknowledged: dict[int, EscalationAcknowledged]


def retried(now: Situation) -> list[int]:
    """The tasks that failed, and those after them that ended because of it or on what was there, upstream first."""
    failed = [i for i, state in enumerate(now.state) if state in BAD and not is_unwanted(now, i)]
    below = reach(now.plan.downstream, failed)
    before = torn_down_before(now, failed)
    chosen = {i for i in {*failed, *before, *below} if now.state[i] in FINAL and not is_unwanted(now, i)}
    chosen -= lacking(now)
    return [i for i in now.plan.order if i in chosen]


def lost_because_of(now: Situation, index: int) -> list[int]:
    """The tasks after one that ended without having run, upstream first: they get another chance if it comes to a good end."""
    below, out_of_reach = reach(now.plan.downstream, [index]), lacking(now, [index])
    return [
        i
        for i in now.plan.order
        if i in below
        and i not in out_of_reach
        and not is_unwanted(now, i)
        and ((now.state[i] is TaskState.SKIPPED and is_blame(now.reason.get(i, ""))) or _is_lost_node(now, i))
    ]


def _is_lost_node(now: Situation, index: int) -> bool:
    """Whether it is a node of a graph of graphs that has not come to a good end."""
    return index in now.plan.nodes and now.state[index] in FINAL and now.state[index] not in GOOD


def brought_up(now: Situation, chosen: Collection[int]) -> list[int]:
    """What starts over when these are to be up: with what was skipped because of them, and what they need set up again."""
    every = {*chosen, *torn_down_before(now, chosen)}
    for index in chosen:
        every.update(lost_because_of(now, index))
    every -= lacking(now, chosen)
    return [i for i in now.plan.order if i in every and (i in chosen or not is_unwanted(now, i))]


def lacking(now: Situation, up: Collection[int] = ()) -> set[int]:
    """Tasks that cannot run again, because what they need was torn down and is to stay so. `up`: those that are to be up now."""
    torn = [index for index in now.torn_down if is_unwanted(now, index) and index not in up]
    return reach(now.plan.downstream, torn) if torn else set()


def is_unwanted(now: Situation, index: int) -> bool:
    """Whether a person wants a task down, or it was removed from the graph."""
    return index in now.desired.down or index in now.desired.gone


def wanted_up(now: Situation) -> set[int]:
    """The tasks that do not run, although they should: what a stopped run has to start."""
    return {
        index
        for index, state in enumerate(now.state)
        if state in FINAL and not is_unwanted(now, index) and not _is_well(now, index, state)
    }


def _is_well(now: Situation, index: int, state: TaskState) -> bool:
    if state is TaskState.SKIPPED:
        return not is_blame(now.reason.get(index, ""))
    return state in GOOD and not _never_ends(now, index) and not was_let_go(now, index)


def _never_ends(now: Situation, index: int) -> bool:
    return now.policies[index].restart.policy is RestartPolicy.ALWAYS


def restarted_with(now: Situation, index: int, *, downstream: bool) -> list[int]:
    """The tasks that a restart puts back to the beginning, upstream first."""
    if not downstream and now.policies[index].restart.is_on:
        return brought_up(now, [index])
    before = torn_down_before(now, [index])
    if not downstream:
        return [i for i in now.plan.order if i == index or i in before]
    below = (reach(now.plan.downstream, [index]) | before) - lacking(now, [index])
    return [
        i
        for i in now.plan.order
        if i == index or (i in below and (now.state[i] in FINAL or now.state[i] in ACTIVE) and not is_unwanted(now, i))
    ]


def torn_down_before(now: Situation, chosen: Collection[int]) -> set[int]:
    """Upstream tasks of those chosen that were torn down, and all on the way from them: what was set up must be there again.

    So must services that were let go of. Those that wait for their upstream are left out: they run again as it is. So are those
    that a person wants down.
    """
    if not now.torn_down and not _has_services(now.plan):
        return set()
    above = reach(now.plan.upstream, chosen)
    torn = {i for i in above if i in now.torn_down or was_let_go(now, i)}
    between = reach(now.plan.downstream, torn) & above
    return {i for i in torn | between if now.state[i] is not TaskState.WAITING and not is_unwanted(now, i)}


def was_drained(now: Situation, index: int) -> bool:
    """Whether it was not to run any more because the run was drained."""
    return (
        now.state[index] is TaskState.CANCELLED
        and now.reason.get(index, "").startswith(DRAINED)
        and not is_unwanted(now, index)
    )


def was_let_go(now: Situation, index: int) -> bool:
    """Whether it is a service that was stopped because nothing needed it any more."""
    return now.state[index] in GOOD and now.reason.get(index) == NOT_NEEDED


@lru_cache(maxsize=4)
def _has_services(plan: Plan) -> bool:
    return any(policy.restart.is_on for policy in plan.policies)


def stale_after(now: Situation, again: Collection[int]) -> tuple[str, ...]:
    """Names of the tasks that keep what they made of what is made anew."""
    after = sorted(reach(now.plan.downstream, again).difference(again))
    nodes = now.plan.nodes
    return tuple(
        now.plan.names[i] for i in after if i not in nodes and (now.state[i] in GOOD or now.state[i] in ACTIVE)
    )


def torn_down_for_good(now: Situation, index: int) -> str:
    """Name of an upstream task that one would need set up again, and that is not to run; "" if there is none."""
    above = reach(now.plan.upstream, [index]) & now.torn_down if now.torn_down else set[int]()
    return next((now.plan.names[i] for i in sorted(above) if is_unwanted(now, i)), "")


def can_start(now: Situation, index: int) -> bool:
    joins = JoinsOfFew(now.plan, now.policies, now.desired.serving)
    joins.recount(index, now.state)
    return joins.verdict(index) is not Verdict.NEVER


def culprit_of(now: Situation, index: int) -> str:
    """Name of an upstream task that keeps one from starting."""
    return now.plan.names[
        next(i for i in now.plan.upstream[index] if now.state[i] in FINAL and now.state[i] not in GOOD)
    ]


def skipped_if_lost(now: Situation, index: int) -> tuple[str, ...]:
    """Names of the tasks that would be skipped in a chain if this one ended without success."""
    joins, states = JoinsOfFew(now.plan, now.policies, now.desired.serving - {index}), list(now.state)
    states[index] = TaskState.CANCELLED
    lost: set[int] = set()
    queue = [index]
    while queue:
        for below in now.plan.downstream[queue.pop()]:
            if below in lost or states[below] in FINAL or states[below] in ACTIVE:
                continue
            joins.recount(below, states)
            if below in now.plan.nodes or joins.verdict(below) is Verdict.NEVER:
                lost.add(below)
                states[below] = TaskState.SKIPPED
                queue.append(below)
    return tuple(now.plan.names[i] for i in sorted(lost))


def runs_again_by(now: Situation, index: int, restart: Restart) -> bool:
    """Whether a task that has ended is started again when this becomes its restart policy."""
    state = now.state[index]
    if state in BAD and restart.is_on:
        ceiling = ceiling_of(restart)
        return ceiling is None or now.desired.restarts.get(index, (0, 0))[1] < ceiling
    return state in GOOD and restart.policy is RestartPolicy.ALWAYS
