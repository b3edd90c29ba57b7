"""What a command for one task would do."""

from __future__ import annotations

from typing import Any, assert_never

from msgspec import structs

from dagtop.core import commands as cmd
from dagtop.core.affected import (
    Situation,
    brought_up,
    can_start,
    culprit_of,
    is_unwanted,
    lost_because_of,
    restarted_with,
    runs_again_by,
    skipped_if_lost,
    stale_after,
    torn_down_before,
    torn_down_for_good,
)
from dagtop.core.blast_parts import STOPPED, TaskCommand, lacks, refused, thrown_away
from dagtop.core.changes import NO_COST, OF_RESTART, changed_policy
from dagtop.core.paths import is_inside
from dagtop.core.restart import NO_CEILING
from dagtop.core.states import ACTIVE, FINAL, GOOD, TaskState
from dagtop.core.wording import do, tasks


def of_task(now: Situation, command: TaskCommand, index: int) -> cmd.BlastRadius:
    """Of one task, by its index."""
    name, state = now.plan.names[index], now.state[index]
    match command:
        case cmd.SkipTask():
            return _settle(now, index, "skipped")
        case cmd.MarkSucceeded():
            return _settle(now, index, "taken as succeeded")
        case cmd.ApproveTask() | cmd.RejectTask():
            if index not in now.gates:
                return refused(f"{name} does not stand at a gate ({state.value})")
            if isinstance(command, cmd.ApproveTask):
                return cmd.BlastRadius(summary=f"{name} may go through its gate")
            lost = skipped_if_lost(now, index)
            return cmd.BlastRadius(summary=f"{name} is rejected and will not run", never_runs=(name, *lost))
        case cmd.CancelTask():
            return _cancel(now, index)
        case cmd.AbandonTask():
            return _abandon(now, index)
        case cmd.RestartTask(downstream=downstream, node=node):
            return _restart(now, index, downstream=downstream, node=node)
        case cmd.StopTask():
            return _stop(now, index)
        case cmd.StartTask():
            return _start(now, index)
        case cmd.HoldTask():
            if index in now.held:
                return refused(f"{name} is held already")
            if state in ACTIVE:
                return refused(f"{name} runs already; cancel or restart it instead")
            if state in FINAL:
                return refused(f"{name} has ended ({state.value}); there is nothing to hold")
            return cmd.BlastRadius(summary=f"{name} will not start before it is released")
        case cmd.ReleaseTask():
            if index not in now.held:
                return refused(f"{name} is not held")
            return cmd.BlastRadius(summary=f"{name} may start")
        case cmd.SetPolicy():
            return _set_policy(now, index, policy_changes(command))
        case _ as unreachable:
            assert_never(unreachable)


def _cancel(now: Situation, index: int) -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    if state is TaskState.CANCELLING:
        if now.policies[index].restart.is_on and not is_unwanted(now, index):
            return cmd.BlastRadius(summary=f"{name} is being stopped, and stays down until it is started")
        return refused(f"{name} was told to stop already and is still cleaning up")
    if state in FINAL:
        return refused(f"{name} has ended already ({state.value})")
    lost = skipped_if_lost(now, index)
    after = f", {tasks(len(lost))} after it will be skipped" if lost else ""
    if now.policies[index].restart.is_on:
        after += "; it stays down until it is started"
    if state in ACTIVE:
        return cmd.BlastRadius(summary=f"{name} is told to stop{after}", stops=(name,), never_runs=lost)
    return cmd.BlastRadius(summary=f"{name} will not run{after}", never_runs=(name, *lost))


def _abandon(now: Situation, index: int) -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    if state is TaskState.CANCELLING:
        return cmd.BlastRadius(summary=f"{name} is waited for no longer; what it does goes on unseen", stops=(name,))
    if state in ACTIVE:
        return refused(f"{name} was not told to stop; cancel it first")
    return refused(f"{name} does not run ({state.value})")


def _stop(now: Situation, index: int) -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    if index in now.desired.gone:
        return refused(f"{name} was removed from the graph")
    if index in now.desired.down:
        return refused(f"{name} is to be down already")
    if state in FINAL:
        return cmd.BlastRadius(summary=f"{name} has ended ({state.value}), and stays down until it is started")
    if state is TaskState.CANCELLING:
        return cmd.BlastRadius(summary=f"{name} is being stopped, and stays down until it is started")
    effect = _cancel(now, index)
    if now.policies[index].restart.is_on:
        return effect
    return structs.replace(effect, summary=f"{effect.summary}; it stays down until it is started")


def _start(now: Situation, index: int) -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    if now.run_state in STOPPED:
        return refused("the run is stopping")
    if index in now.desired.gone:
        return refused(f"{name} was removed from the graph")
    if state not in FINAL and not (state is TaskState.CANCELLING and index in now.desired.down):
        return refused(f"{name} is up already ({state.value})")
    if torn := torn_down_for_good(now, index):
        return refused(lacks(torn))
    up = brought_up(now, [index])
    after = set(lost_because_of(now, index)).intersection(up)
    nodes = after & set(now.plan.nodes)
    after -= nodes
    again = thrown_away(now, up)
    stale = stale_after(now, up)
    if not can_start(now, index):
        culprit = culprit_of(now, index)
        return cmd.BlastRadius(
            summary=f"{name} is to be up, and starts when its upstream {culprit} is", goes_stale=stale
        )
    said = f"{name} is started"
    if state is TaskState.CANCELLING:
        said = f"{name} is started when it has stopped"
    before = len(up) - len(after) - len(nodes) - 1
    if before:
        said += f", {tasks(before)} before it too, because of what was torn down"
    if after:
        said += f"; {tasks(len(after))} that {'was' if len(after) == 1 else 'were'} skipped because of it may run"
    return cmd.BlastRadius(summary=said, runs_again=again, goes_stale=stale)


def _settle(now: Situation, index: int, what: str) -> cmd.BlastRadius:
    """By a person's word instead of by running."""
    name, state = now.plan.names[index], now.state[index]
    if index in now.desired.gone:
        return refused(f"{name} was removed from the graph")
    if now.run_state in STOPPED:
        return refused("the run is stopping")
    if state in ACTIVE:
        return refused(f"{name} runs now; cancel it first")
    if state in GOOD:
        return refused(f"{name} has succeeded already; restart it to run it again")
    if what == "skipped":
        if state is TaskState.SKIPPED:
            return refused(f"{name} is skipped already")
        lost = skipped_if_lost(now, index)
        after = f", and {tasks(len(lost))} after it" if lost else ""
        return cmd.BlastRadius(summary=f"{name} is skipped{after}", never_runs=(name, *lost))
    chance = lost_because_of(now, index)
    were = "was" if len(chance) == 1 else "were"
    after = f"; {tasks(len(chance))} that {were} skipped because of it may run" if chance else ""
    return cmd.BlastRadius(summary=f"{name} is {what}{after}")


def _restart(now: Situation, index: int, *, downstream: bool, node: str = "") -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    if now.run_state in STOPPED:
        return refused("the run is stopping")
    if state not in FINAL and state not in ACTIVE and state is not TaskState.BACKOFF:
        at = "at its gate" if state is TaskState.HELD and index in now.gates else state.value
        return refused(f"{name} has not run yet ({at})")
    if index in now.desired.gone:
        return refused(f"{name} was removed from the graph")
    if not can_start(now, index):
        return refused(f"its upstream {culprit_of(now, index)} did not succeed; restart that one with its downstream")
    if torn := torn_down_for_good(now, index):
        return refused(lacks(torn))
    before = torn_down_before(now, [index])
    affected = sorted(restarted_with(now, index, downstream=downstream))
    stops = tuple(now.plan.names[i] for i in affected if now.state[i] in ACTIVE)
    again = tuple(now.plan.names[i] for i in affected if now.state[i] in FINAL)
    stale = tuple(one for one in stale_after(now, affected) if not (node and is_inside(one, node)))
    count = len({name, *again, *stops})
    parts = [f"{tasks(count)} {do(count, 'run')} again" if downstream else f"{name} runs again"]
    if before:
        why = "let go of" if before.isdisjoint(now.torn_down) else "torn down"
        parts.append(f"{tasks(len(before))} before it too, because of what was {why}")
    if stops:
        parts.append(f"{tasks(len(stops))} told to stop first")
    if stale:
        parts.append(f"{tasks(len(stale))} after it {do(len(stale), 'keep')} old results")
    return cmd.BlastRadius(summary=", ".join(parts), runs_again=again, stops=stops, goes_stale=stale)


def policy_changes(command: cmd.SetPolicy) -> dict[str, Any]:
    """The fields that the command gives a new value."""
    fields = [name for name in command.__struct_fields__ if name != "task"]
    return {name: value for name in fields if (value := getattr(command, name)) is not None}


def _set_policy(now: Situation, index: int, changes: dict[str, Any]) -> cmd.BlastRadius:
    if not changes:
        return refused("no field was given a new value")
    name, state = now.plan.names[index], now.state[index]
    summary = f"{name}: " + ", ".join(_change(*one) for one in changes.items())
    if (
        state not in FINAL
        or now.run_state in STOPPED
        or is_unwanted(now, index)
        or not changes.keys() & OF_RESTART.keys()
    ):
        return cmd.BlastRadius(summary=summary)
    try:
        restart = changed_policy(now.policies[index], changes).restart
    except (TypeError, ValueError):  # the machine says what is wrong with it
        return cmd.BlastRadius(summary=summary)
    up = brought_up(now, [index]) if runs_again_by(now, index, restart) else []
    if not up:
        return cmd.BlastRadius(summary=summary)
    return cmd.BlastRadius(
        summary=f"{summary}; {name} runs again", runs_again=thrown_away(now, up), goes_stale=stale_after(now, up)
    )


def _change(key: str, value: object) -> str:
    if key == "timeout" and value == 0:
        return "no timeout"
    if key == "cost" and value == NO_COST:
        return "no cost of its own"
    if key == "max_restarts" and value == NO_CEILING:
        return "as many restarts as it takes"
    return f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}"
