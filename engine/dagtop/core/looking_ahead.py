"""What the graph and its policies make necessary: counted when they change, so that the hot path need not ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core.cleanup import Cleanup
from dagtop.core.forecast import costs_of
from dagtop.core.ready import ranking
from dagtop.core.spreading import replicas_of

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def look_ahead(machine: RunMachine) -> None:
    """In the beginning."""
    plan, policy = machine.plan, machine.policy
    policies = [plan.one_policy] if plan.one_policy is not None else plan.policies
    machine.may_time_out = policy.run_timeout is not None or any(task.timeout is not None for task in policies)
    machine.guarded = bool(machine.admission.line_of)
    machine.told_of_ends = machine.guarded or machine.window is not None
    machine.has_gates = any(task.gate is not None for task in policies)
    machine.cleanup = Cleanup(machine.ledger) if plan.cleans_up else None
    machine.may_wait_longer = bool(plan.asks or plan.cleans_up or plan.nodes)
    machine.supervised = policy.supervises or any(task.is_supervised for task in policies)
    recount_services(machine)
    look_for_detours(machine)


def look_for_detours(machine: RunMachine) -> None:
    """The graph, or a policy, has changed."""
    machine.has_detours = (
        machine.told_of_ends
        or machine.guarded
        or machine.has_gates
        or machine.may_wait_longer
        or machine.cleanup is not None
    )


def recount_services(machine: RunMachine) -> None:
    """Policies, or whether the run is to end, have changed: how many tasks may be services that nobody needs at the end.

    None if a desired state is kept, or nothing else is there; all of them once the run is to end.
    """
    machine.backgrounds = 0
    if machine.supervised:
        plan, nodes = machine.plan, machine.plan.nodes
        kept = [policy.restart.is_on for policy in machine.ledger.policies]
        services = sum(kept)
        others = (i for i, is_kept in enumerate(kept) if not is_kept and i not in nodes and not replicas_of(plan, i))
        beside_others = not machine.policy.supervises and next(others, None) is not None
        if machine.stopping is not None or beside_others:
            machine.backgrounds = services


def reassign(machine: RunMachine, index: int) -> None:
    """What a task needs to start may have changed with its policy."""
    machine.guarded = machine.guarded or machine.ledger.policies[index].is_guarded
    machine.told_of_ends = machine.told_of_ends or machine.guarded
    look_for_detours(machine)
    if machine.guarded:
        machine.admission.assign(index)


def rerank(machine: RunMachine) -> None:
    """Priorities, costs or the graph have changed: order what is ready anew."""
    policies = machine.ledger.policies
    costs = costs_of(policies, machine.usual).by_task if machine.usual else None
    machine.queue.rerank(*ranking(machine.plan, costs, policies))
    machine.admission.rerank()
