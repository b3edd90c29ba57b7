"""What a command would do, told before it is done: the same answer for the dialog on screen and for the machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias, assert_never

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
    retried,
    runs_again_by,
    skipped_if_lost,
    stale_after,
    torn_down_before,
    torn_down_for_good,
    wanted_up,
    was_drained,
)
from dagtop.core.breaker_settings import changes_of
from dagtop.core.changes import NO_COST, OF_RESTART, changed_policy
from dagtop.core.checks import MOST_REPLICAS
from dagtop.core.desired import Desired
from dagtop.core.guards import BreakerState
from dagtop.core.levels import is_inside
from dagtop.core.nearest import nearest
from dagtop.core.restart import NO_CEILING, RestartPolicy
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.spreading import spread
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, RUN_OVER, RunState, TaskState
from dagtop.core.together import summary_of_all
from dagtop.core.wording import do, tasks

#: Why nothing can be done to a run whose engine is gone.
BROKEN = "the engine broke down: nothing goes on any more"

_STOPPED = frozenset({RunState.DRAINING, RunState.CANCELLING})


TaskCommand: TypeAlias = (
    cmd.CancelTask
    | cmd.AbandonTask
    | cmd.SkipTask
    | cmd.MarkSucceeded
    | cmd.ApproveTask
    | cmd.RejectTask
    | cmd.RestartTask
    | cmd.StopTask
    | cmd.StartTask
    | cmd.HoldTask
    | cmd.ReleaseTask
    | cmd.SetPolicy
)


class _Seen:
    """A `Situation` as a snapshot shows it."""

    def __init__(self, snapshot: RunSnapshot) -> None:
        self.plan = snapshot.plan
        self.run_state = snapshot.state
        self.state = [row.state for row in snapshot.rows]
        self.policies = [row.policy for row in snapshot.rows]
        self.held = {row.index for row in snapshot.rows if row.held}
        self.reason = {row.index: row.reason for row in snapshot.rows if row.reason}
        self.gates = {row.index: row.gate for row in snapshot.rows if row.gate is not None}
        self.torn_down = {row.index for row in snapshot.rows if row.torn_down}
        self.max_parallel = snapshot.max_parallel
        self.desired = Desired()
        self.desired.restarts = {row.index: (row.restarts, row.crashes) for row in snapshot.rows if row.restarts}
        self.desired.serving = {row.index for row in snapshot.rows if row.serving}
        self.desired.down = {row.index for row in snapshot.rows if not row.wanted}
        self.desired.gone = {row.index for row in snapshot.rows if row.gone}
        self.escalations = list(snapshot.escalations)
        self.acknowledged = dict(snapshot.acknowledged)


def blast_radius(snapshot: RunSnapshot, command: cmd.Command) -> cmd.BlastRadius:
    """What `command` would do to the run that `snapshot` shows. Nothing is changed."""
    if snapshot.broken:
        return _no(BROKEN)
    return whole_radius(_Seen(snapshot), command)


def blast_radii(snapshot: RunSnapshot, commands: Sequence[cmd.Command]) -> list[cmd.BlastRadius]:
    """What each of several commands would do by itself: the snapshot is gone through once for all of them."""
    if snapshot.broken:
        return [_no(BROKEN)] * len(commands)
    now = _Seen(snapshot)
    return [whole_radius(now, command) for command in commands]


def whole_radius(now: Situation, command: cmd.Command) -> cmd.BlastRadius:
    """As `radius`; of a command for a node, for a pattern, or for a task with replicas, all that it comes to."""
    each = spread(now.plan, command)
    if len(each) == 1:
        return radius(now, each[0])
    found = expected(now, command, each)
    if not found:
        return radius(now, each[0])

    def all_of(field: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for _, effect in found for name in getattr(effect, field)))

    again = all_of("runs_again")
    return cmd.BlastRadius(
        summary=summary_of_all(now.plan, command, [(one.task, effect) for one, effect in found]),
        runs_again=again,
        stops=all_of("stops"),
        never_runs=all_of("never_runs"),
        goes_stale=tuple(name for name in all_of("goes_stale") if name not in again),
    )


def expected(
    now: Situation, command: cmd.Command, each: Sequence[cmd.Command]
) -> list[tuple[TaskCommand, cmd.BlastRadius]]:
    """The commands among those that one comes to which are not refused, with what each does.

    A restart of what waits for another one of them by then is none of the refused ones.
    """
    found: list[tuple[TaskCommand, cmd.BlastRadius]] = []
    for one in each:
        effect = radius(now, one)
        if effect.refusal and isinstance(one, cmd.RestartTask) and _has_begun(now, one.task):
            effect = cmd.BlastRadius(summary=f"{one.task} runs again")
        if not effect.refusal:
            found.append((one, effect))  # type: ignore[arg-type]  # only those for tasks are spread
    return found


def _has_begun(now: Situation, task: str) -> bool:
    index = now.plan.index[task]
    state = now.state[index]
    begun = state in FINAL or state in ACTIVE or state is TaskState.BACKOFF
    return begun and now.run_state not in _STOPPED and index not in now.desired.gone


def radius(now: Situation, command: cmd.Command) -> cmd.BlastRadius:
    """What `command` would do, or why it would be refused."""
    match command:
        case cmd.PauseRun() | cmd.ContinueRun() | cmd.DrainRun() | cmd.CancelRun() | cmd.AbandonRun():
            return _of_run(now, command)
        case cmd.SetMaxParallel(limit=limit):
            return _limit(now, limit)
        case cmd.SetPoolLimit(pool=pool, limit=limit):
            return _pool_limit(now, pool, limit)
        case (
            cmd.TripBreaker(breaker=name)
            | cmd.ResetBreaker(breaker=name)
            | cmd.ForceBreaker(breaker=name)
            | cmd.SetBreaker(breaker=name)
        ):
            return _of_breaker(now, command, name)
        case cmd.AcknowledgeEscalation():
            return _acknowledge(now, command)
        case cmd.RetryFailed():
            return _retry_failed(now)
        case cmd.StartRun():
            return _start_run(now)
        case cmd.ScaleTask(task=name, replicas=replicas):
            return _scale(name, replicas)
        case cmd.SwapGraph(summary=summary):
            return cmd.BlastRadius(summary=summary or "goes on with another version of the graph")
        case (
            cmd.CancelTask(task=name)
            | cmd.AbandonTask(task=name)
            | cmd.SkipTask(task=name)
            | cmd.MarkSucceeded(task=name)
            | cmd.ApproveTask(task=name)
            | cmd.RejectTask(task=name)
            | cmd.RestartTask(task=name)
            | cmd.StopTask(task=name)
            | cmd.StartTask(task=name)
            | cmd.HoldTask(task=name)
            | cmd.ReleaseTask(task=name)
            | cmd.SetPolicy(task=name)
        ):
            index = now.plan.index.get(name) if isinstance(name, str) else None
            if index is None:
                return _no(f"there is no task {name!r}{nearest(str(name), now.plan.index)}")
            return _of_task(now, command, index)
        case _ as unreachable:
            assert_never(unreachable)


def _no(reason: str) -> cmd.BlastRadius:
    return cmd.BlastRadius(summary=f"refused: {reason}", refusal=reason)


def _of_run(
    now: Situation, command: cmd.PauseRun | cmd.ContinueRun | cmd.DrainRun | cmd.CancelRun | cmd.AbandonRun
) -> cmd.BlastRadius:
    if now.run_state in RUN_OVER:
        return _no("the run is over")
    active = _named(now, lambda state: state in ACTIVE)
    unstarted = _named(now, lambda state: state not in ACTIVE and state not in FINAL)
    match command:
        case cmd.PauseRun():
            if now.run_state is not RunState.RUNNING:
                return _no(f"the run is {now.run_state.value} already")
            finish = f"; {tasks(len(active))} may finish" if active else ""
            return cmd.BlastRadius(summary=f"starts nothing new{finish}")
        case cmd.ContinueRun():
            return _continue(now)
        case cmd.DrainRun():
            if now.run_state in _STOPPED:
                return _no("the run is stopping already")
            return _drain(now, active, unstarted)
        case cmd.CancelRun():
            if now.run_state is RunState.CANCELLING:
                return _no("the run is being cancelled already")
            return cmd.BlastRadius(
                summary=_counted((active, "told to stop"), (unstarted, "will not run")) or "nothing runs",
                stops=active,
                never_runs=unstarted,
            )
        case cmd.AbandonRun():
            stuck = _named(now, lambda state: state is TaskState.CANCELLING)
            if not stuck:
                return _no("no task was told to stop and is still running; cancel first")
            return cmd.BlastRadius(summary=f"no longer waits for {tasks(len(stuck))}", stops=stuck)
        case _ as unreachable:
            assert_never(unreachable)


def _counted(*parts: tuple[tuple[str, ...], str]) -> str:
    """ "2 tasks told to stop, 1 task will not run", without what there is none of."""
    return ", ".join(f"{tasks(len(names))} {words}" for names, words in parts if names)


def _continue(now: Situation) -> cmd.BlastRadius:
    if now.run_state is RunState.DRAINING:
        again = sum(was_drained(now, index) for index in range(len(now.state)) if index not in now.plan.nodes)
        more = f", {tasks(again)} that {'was' if again == 1 else 'were'} not to run may run" if again else ""
        return cmd.BlastRadius(summary=f"the run is not drained any more{more}")
    if now.run_state is not RunState.PAUSED:
        return _no("the run is not paused")
    return cmd.BlastRadius(summary="starts tasks again")


def _drain(now: Situation, active: tuple[str, ...], unstarted: tuple[str, ...]) -> cmd.BlastRadius:
    services = tuple(name for name in active if _serves(now, now.plan.index[name]))
    unstarted = tuple(name for name in unstarted if now.plan.index[name] not in now.plan.nodes)
    jobs = len(active) - len(services)
    parts = [f"{tasks(jobs)} may finish"] if jobs or not services else []
    if unstarted:
        parts.append(f"{tasks(len(unstarted))} will not run")
    if services:
        many = "1 service is" if len(services) == 1 else f"{len(services):,} services are"
        parts.append(f"then {many} stopped" if jobs else f"{many} stopped, for nothing else runs")
    return cmd.BlastRadius(summary=", ".join(parts), stops=services, never_runs=unstarted)


def _serves(now: Situation, index: int) -> bool:
    restart = now.policies[index].restart
    return restart.policy is RestartPolicy.ALWAYS or (restart.is_on and index in now.desired.serving)


def _limit(now: Situation, limit: int) -> cmd.BlastRadius:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        return _no(f"max_parallel must be a whole number of at least 1, not {limit!r}; pause the run to start nothing")
    return cmd.BlastRadius(summary=f"max_parallel {now.max_parallel} → {limit}")


def _pool_limit(now: Situation, pool: str, limit: int) -> cmd.BlastRadius:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        return _no(f"the limit of a pool must be a whole number of at least 1, not {limit!r}")
    inside = sum(policy.pool == pool for policy in now.policies)
    if not inside:
        return _no(f"no task is in a pool {pool!r}{nearest(pool, {policy.pool for policy in now.policies})}")
    return cmd.BlastRadius(summary=f"pool {pool}: at most {limit} of its {tasks(inside)} at once")


def _asking(users: int) -> str:
    return f"{tasks(users)} {'asks it before it starts' if users == 1 else 'ask it before they start'}"


def _of_breaker(now: Situation, command: cmd.Command, name: str) -> cmd.BlastRadius:
    users = sum(policy.circuit == name for policy in now.policies)
    if not users:
        return _no(
            f"no task asks a circuit breaker {name!r}{nearest(name, {policy.circuit for policy in now.policies})}"
        )
    match command:
        case cmd.TripBreaker():
            return cmd.BlastRadius(summary=f"breaker {name} opens; {_asking(users)}")
        case cmd.ForceBreaker(state=state):
            if state and state not in set(BreakerState):
                return _no(f"a breaker is open, closed or half_open, not {state!r}")
            said = f"is held {state.replace('_', '-')}" if state else "goes by itself again"
            return cmd.BlastRadius(summary=f"breaker {name} {said}; {_asking(users)}")
        case cmd.SetBreaker():
            changes = changes_of(command)
            if not changes:
                return _no("no setting was given a new value")
            said = ", ".join(f"{key} = {value:g}" if value else f"no {key}" for key, value in changes.items())
            return cmd.BlastRadius(summary=f"breaker {name}: {said}; for all that ask it")
        case _:
            return cmd.BlastRadius(summary=f"breaker {name} closes and forgets its failures")


def _acknowledge(now: Situation, command: cmd.AcknowledgeEscalation) -> cmd.BlastRadius:
    number = command.number
    task = next((one.task for one in reversed(now.escalations) if one.number == number), None)
    if task is None:
        return _no(f"there is no escalation {number}")
    known = now.acknowledged.get(number)
    if command.withdraw:
        if known is None:
            return _no(f"escalation {number} of {task} is not acknowledged")
        return cmd.BlastRadius(summary=f"escalation {number} of {task} is open again")
    if known is not None and command.reason == known.note:
        return _no(f"escalation {number} of {task} is acknowledged already, by {known.by}")
    said = f": {command.reason}" if command.reason else ""
    return cmd.BlastRadius(summary=f"escalation {number} of {task} is acknowledged{said}")


def _retry_failed(now: Situation) -> cmd.BlastRadius:
    if now.run_state in _STOPPED:
        return _no("the run is stopping")
    chosen = retried(now)
    failed = tuple(now.plan.names[i] for i in chosen if now.state[i] in BAD)
    if not failed:
        lost = next((i for i, state in enumerate(now.state) if state in BAD and not is_unwanted(now, i)), None)
        return _no("no task has failed" if lost is None else _lacks(torn_down_for_good(now, lost)))
    after = f", and {tasks(len(chosen) - len(failed))} after them" if len(chosen) > len(failed) else ""
    return cmd.BlastRadius(
        summary=f"{tasks(len(failed))} that failed {do(len(failed), 'run')} again{after}",
        runs_again=tuple(now.plan.names[i] for i in chosen if now.state[i] in GOOD or now.state[i] in BAD),
    )


def _start_run(now: Situation) -> cmd.BlastRadius:
    if now.run_state in _STOPPED:
        return _no("the run is stopping")
    up = brought_up(now, wanted_up(now))
    if not up:
        return _no("everything that should run does, or has come to a good end")
    return cmd.BlastRadius(
        summary=f"{tasks(len(up))} started", runs_again=_thrown_away(now, up), goes_stale=stale_after(now, up)
    )


def _thrown_away(now: Situation, again: Collection[int]) -> tuple[str, ...]:
    """Names of those that have a result which is made anew."""
    return tuple(now.plan.names[i] for i in again if now.state[i] in GOOD)


def _scale(name: str, replicas: int) -> cmd.BlastRadius:
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 0:
        return _no(f"replicas must be a whole number of at least 0, not {replicas!r}")
    if replicas > MOST_REPLICAS:
        return _no(f"replicas must be at most {MOST_REPLICAS:,}, not {replicas:,}")
    return cmd.BlastRadius(summary=f"{name}: {replicas} replicas")


def _of_task(now: Situation, command: TaskCommand, index: int) -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    match command:
        case cmd.SkipTask():
            return _settle(now, index, "skipped")
        case cmd.MarkSucceeded():
            return _settle(now, index, "taken as succeeded")
        case cmd.ApproveTask() | cmd.RejectTask():
            if index not in now.gates:
                return _no(f"{name} does not stand at a gate ({state.value})")
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
                return _no(f"{name} is held already")
            if state in ACTIVE:
                return _no(f"{name} runs already; cancel or restart it instead")
            if state in FINAL:
                return _no(f"{name} has ended ({state.value}); there is nothing to hold")
            return cmd.BlastRadius(summary=f"{name} will not start before it is released")
        case cmd.ReleaseTask():
            if index not in now.held:
                return _no(f"{name} is not held")
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
        return _no(f"{name} was told to stop already and is still cleaning up")
    if state in FINAL:
        return _no(f"{name} has ended already ({state.value})")
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
        return _no(f"{name} was not told to stop; cancel it first")
    return _no(f"{name} does not run ({state.value})")


def _stop(now: Situation, index: int) -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    if index in now.desired.gone:
        return _no(f"{name} was removed from the graph")
    if index in now.desired.down:
        return _no(f"{name} is to be down already")
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
    if now.run_state in _STOPPED:
        return _no("the run is stopping")
    if index in now.desired.gone:
        return _no(f"{name} was removed from the graph")
    if state not in FINAL and not (state is TaskState.CANCELLING and index in now.desired.down):
        return _no(f"{name} is up already ({state.value})")
    if torn := torn_down_for_good(now, index):
        return _no(_lacks(torn))
    up = brought_up(now, [index])
    after = set(lost_because_of(now, index)).intersection(up)
    nodes = after & set(now.plan.nodes)
    after -= nodes
    again = _thrown_away(now, up)
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


def _lacks(torn: str) -> str:
    return f"its upstream {torn} was torn down, and is not to run; start that first"


def _settle(now: Situation, index: int, what: str) -> cmd.BlastRadius:
    """By a person's word instead of by running."""
    name, state = now.plan.names[index], now.state[index]
    if index in now.desired.gone:
        return _no(f"{name} was removed from the graph")
    if now.run_state in _STOPPED:
        return _no("the run is stopping")
    if state in ACTIVE:
        return _no(f"{name} runs now; cancel it first")
    if state in GOOD:
        return _no(f"{name} has succeeded already; restart it to run it again")
    if what == "skipped":
        if state is TaskState.SKIPPED:
            return _no(f"{name} is skipped already")
        lost = skipped_if_lost(now, index)
        after = f", and {tasks(len(lost))} after it" if lost else ""
        return cmd.BlastRadius(summary=f"{name} is skipped{after}", never_runs=(name, *lost))
    chance = lost_because_of(now, index)
    were = "was" if len(chance) == 1 else "were"
    after = f"; {tasks(len(chance))} that {were} skipped because of it may run" if chance else ""
    return cmd.BlastRadius(summary=f"{name} is {what}{after}")


def _restart(now: Situation, index: int, *, downstream: bool, node: str = "") -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    if now.run_state in _STOPPED:
        return _no("the run is stopping")
    if state not in FINAL and state not in ACTIVE and state is not TaskState.BACKOFF:
        at = "at its gate" if state is TaskState.HELD and index in now.gates else state.value
        return _no(f"{name} has not run yet ({at})")
    if index in now.desired.gone:
        return _no(f"{name} was removed from the graph")
    if not can_start(now, index):
        return _no(f"its upstream {culprit_of(now, index)} did not succeed; restart that one with its downstream")
    if torn := torn_down_for_good(now, index):
        return _no(_lacks(torn))
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
        return _no("no field was given a new value")
    name, state = now.plan.names[index], now.state[index]
    summary = f"{name}: " + ", ".join(_change(*one) for one in changes.items())
    if (
        state not in FINAL
        or now.run_state in _STOPPED
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
        summary=f"{summary}; {name} runs again", runs_again=_thrown_away(now, up), goes_stale=stale_after(now, up)
    )


def _change(key: str, value: object) -> str:
    if key == "timeout" and value == 0:
        return "no timeout"
    if key == "cost" and value == NO_COST:
        return "no cost of its own"
    if key == "max_restarts" and value == NO_CEILING:
        return "as many restarts as it takes"
    return f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}"


def _named(now: Situation, wanted: Callable[[TaskState], bool]) -> tuple[str, ...]:
    names: Sequence[str] = now.plan.names
    return tuple(names[i] for i, state in enumerate(now.state) if wanted(state))
