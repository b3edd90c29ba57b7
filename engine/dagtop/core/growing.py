"""A run whose graph changes while it goes on: tasks come, go, and depend on others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dagtop.core import events as ev
from dagtop.core import inputs as inp
from dagtop.core.affected import brought_up, is_unwanted
from dagtop.core.cleanup import Cleanup
from dagtop.core.commands import SwapGraph
from dagtop.core.described import described
from dagtop.core.growth import grown
from dagtop.core.instructions import StopReason
from dagtop.core.joins import Joins, Verdict
from dagtop.core.looking_ahead import look_for_detours, reassign, recount_services, rerank
from dagtop.core.plan import Plan
from dagtop.core.policy import says_the_same
from dagtop.core.probing import probes_changed
from dagtop.core.restarting import recount, reopen, start_over
from dagtop.core.returning import withdrawn
from dagtop.core.states import ACTIVE, FINAL, TaskState
from dagtop.core.stopping import cancel_unstarted, stop_attempt
from dagtop.core.topology import reach
from dagtop.core.wanting import reconsider
from dagtop.core.wording import is_blame, tasks

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


def announce(machine: RunMachine, at: float, added: Sequence[inp.NewTask], spawner: str, reason: str) -> None:
    """Tell of tasks that come with the next `GraphGiven`: whoever asked for them may end before that, and the run does not."""
    machine.outbox.append(ev.GraphChanged(at, reason, _told(added), spawner=spawner))
    machine.unfinished += len(added)


def change_graph(machine: RunMachine, event: inp.GraphGiven) -> None:
    """Go on with the changed graph. Whatever may start by it, starts; what its new upstream holds back, waits."""
    at, change = event.at, event.change
    if event.number and not _is_granted(machine, event):
        return
    first = len(machine.plan)
    _take(machine, event)
    plan, ledger = machine.plan, machine.ledger
    if len(plan) > first:
        reopen(machine, at)
    for name in change.removed:
        _remove(machine, plan.index[name], at)
    rewired = [plan.index[name] for name in {**change.rewired, **change.policies}]  # which may start by another rule
    _start_over(machine, change, at, event.reason)
    recount(machine, rewired)
    if machine.policy.supervises and machine.stopping is None:
        _give_another_chance(machine, rewired, at, event.reason)
    asked = [*withdrawn(machine, rewired, at, event.reason), *rewired, *range(first, len(plan))]
    for index in asked:
        if ledger.state[index] is TaskState.WAITING:
            if machine.stopping is None:
                machine.evaluate(index, at)
            else:
                cancel_unstarted(machine, index, at, ledger.run_reason)
    for name in change.policies:
        reconsider(machine, plan.index[name], at, event.reason)
        probes_changed(machine, plan.index[name], at)
    if machine.cleanup is not None:
        machine.tear_down(machine.cleanup.due(), at)


def _start_over(machine: RunMachine, change: inp.GraphChange, at: float, reason: str) -> None:
    """What has other code now, and was not stopped by a person, is done anew, and so is what was made of it."""
    plan, ledger = machine.plan, machine.ledger
    changed = [plan.index[name] for name in change.changed]
    again = {i for i in changed if ledger.state[i] is not TaskState.WAITING and i not in ledger.desired.down}
    if not again:
        return
    if machine.policy.supervises:  # what is unchanged is not disturbed (B30)
        chosen = brought_up(ledger, again)
    else:
        below = reach(plan.downstream, again)
        begun = {i for i in below if _has_begun(ledger.state[i]) and not is_unwanted(ledger, i)}
        chosen = [i for i in plan.order if i in again or i in begun]
    if chosen:
        start_over(machine, chosen, at, reason, sorted(again))


def _give_another_chance(machine: RunMachine, rewired: list[int], at: float, reason: str) -> None:
    """Tasks that were skipped because of an upstream which is not theirs any more."""
    ledger = machine.ledger
    lost = [
        i
        for i in rewired
        if ledger.state[i] is TaskState.SKIPPED
        and is_blame(ledger.reason.get(i, ""))
        and not is_unwanted(ledger, i)
        and machine.joins.verdict(i) is not Verdict.NEVER
    ]
    if lost and (up := brought_up(ledger, lost)):
        start_over(machine, up, at, reason, lost)


def _is_granted(machine: RunMachine, event: inp.GraphGiven) -> bool:
    """Answer the command that gave the graph."""
    at, change, refusal = event.at, event.change, ""
    command = event.command or SwapGraph(event.version, _summary(machine, change))
    if machine.stopping is not None and not machine.is_over:
        refusal = "the run is stopping"
    else:
        try:
            grown(machine.plan, change.added, change.rewired)
        except ValueError as error:
            refusal = str(error)
    if refusal:
        machine.emit(ev.CommandRefused(at, command, event.number, event.by, refusal))
    else:
        machine.emit(ev.CommandApplied(at, command, event.number, event.by, _summary(machine, change)))
    return not refusal


def _take(machine: RunMachine, event: inp.GraphGiven) -> None:
    """Everything that is kept by task index takes the new plan."""
    change, ledger = event.change, machine.ledger
    first = len(machine.plan)
    returned, options = _returned(machine, change), _with_other_options(machine, change)
    plan = grown(machine.plan, change.added, change.rewired, change.policies)
    plan = _with_surroundings(plan, change)
    machine.plan = ledger.next_plan = plan
    told = ev.GraphChanged(
        event.at,
        event.reason,
        _told(change.added),
        change.removed,
        dict(change.rewired),
        event.spawner,
        tuple(change.changed),
        returned,
        options,
    )
    if event.announced:
        ledger.apply(told)
    else:
        machine.emit(told)
        machine.unfinished += len(change.added)
    for name, policy in change.policies.items():
        ledger.policies[plan.index[name]] = policy
    if change.rewired or change.policies:
        machine.joins = Joins(plan, machine.joins.early)
        for index, policy in enumerate(ledger.policies):  # a person may have changed them since the plan was made
            machine.joins.set_rule(index, policy)
            machine.joins.recount(index, ledger.state)
    else:
        machine.joins.grow(plan, ledger.state)
    machine.may_wait_longer = bool(plan.asks or plan.cleans_up or plan.nodes or machine.cleanup is not None)
    if plan.cleans_up or machine.cleanup is not None:
        machine.cleanup = Cleanup(ledger, machine.cleanup)
    if change.rewired or change.policies or not machine.queue.append(plan):
        rerank(machine)
    touched = [*(plan.index[name] for name in change.policies), *range(first, len(plan))]
    for index in touched:
        policy = plan.policies[index]
        machine.may_time_out = machine.may_time_out or policy.timeout is not None
        machine.has_gates = machine.has_gates or policy.gate is not None
        machine.supervised = machine.supervised or policy.is_supervised
        reassign(machine, index)
    recount_services(machine)
    look_for_detours(machine)


def _told(added: Sequence[inp.NewTask]) -> tuple[ev.AddedTask, ...]:
    known: dict[int, dict[str, Any]] = {}  # those that a map adds have one policy
    for policy in (task.policy for task in added):
        if id(policy) not in known:
            known[id(policy)] = _of_many(described(policy))
    return tuple(ev.AddedTask(task.name, task.upstream, known[id(task.policy)]) for task in added)


def _of_many(told: dict[str, Any]) -> dict[str, Any]:
    """Without what a gate asks, which its own event tells: that may hold a secret, which is hidden there."""
    if isinstance(told.get("gate"), dict):
        told["gate"] = {key: value for key, value in told["gate"].items() if key != "prompt"}
    return told


def _with_surroundings(plan: Plan, change: inp.GraphChange) -> Plan:
    """What a new version says of all its tasks takes the place of what was said before."""
    if change.asks is not None:
        plan = replace(plan, asks={plan.index[name] for name in change.asks})
    if change.cleans_up is not None:
        plan = replace(plan, cleans_up={plan.index[name] for name in change.cleans_up})
    if change.nodes is not None:
        plan = replace(plan, nodes={plan.index[name] for name in change.nodes})
    if change.backends is not None:
        plan = replace(plan, backends={plan.index[name]: where for name, where in change.backends.items()})
    return plan


def _remove(machine: RunMachine, index: int, at: float) -> None:
    state, reason = machine.ledger.state[index], "removed from the graph"
    if state in ACTIVE:
        stop_attempt(machine, index, at, StopReason.CANCEL, reason)
    elif state not in FINAL:
        machine.emit(ev.TaskSkipped(at, machine.plan.names[index], reason))
        machine.ended(index, at)


def _has_begun(state: TaskState) -> bool:
    return state in FINAL or state in ACTIVE or state is TaskState.BACKOFF


def _returned(machine: RunMachine, change: inp.GraphChange) -> tuple[str, ...]:
    """Tasks that had been removed, and are there again."""
    index, gone = machine.plan.index, machine.ledger.desired.gone
    return tuple(name for name in change.changed if index[name] in gone)


def _with_other_options(machine: RunMachine, change: inp.GraphChange) -> tuple[str, ...]:
    plan = machine.plan
    return tuple(
        name
        for name, policy in change.policies.items()
        if name in plan.index and not says_the_same(plan.policies[plan.index[name]], policy)
    )


def _summary(machine: RunMachine, change: inp.GraphChange) -> str:
    returned = _returned(machine, change)
    counts = (
        (len(change.added) + len(returned), "added"),
        (len(change.removed), "removed"),
        (len(change.changed) - len(returned), "changed"),
        (len(change.rewired.keys() - {*change.removed, *returned}), "with other dependencies"),
        (len(set(_with_other_options(machine, change)) - set(returned)), "with other options"),
    )
    return ", ".join(f"{tasks(count)} {word}" for count, word in counts if count) or "nothing is different"
