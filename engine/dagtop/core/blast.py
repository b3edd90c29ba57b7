"""What a command would do, told before it is done: the same answer for the dialog on screen and for the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, assert_never

from dagtop.core import commands as cmd
from dagtop.core.joins import Joins, Verdict
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import ACTIVE, FINAL, GOOD, RUN_OVER, RunState, TaskState
from dagtop.core.topology import reach
from dagtop.core.wording import tasks

_STOPPED = frozenset({RunState.DRAINING, RunState.CANCELLING})


class Situation(Protocol):
    """What a command is judged by; the machine's ledger is one."""

    plan: Plan
    run_state: RunState
    state: list[TaskState]
    policies: list[TaskPolicy]
    held: set[int]
    max_parallel: int


class _Seen:
    """A `Situation` as a snapshot shows it."""

    def __init__(self, snapshot: RunSnapshot) -> None:
        self.plan = snapshot.plan
        self.run_state = snapshot.state
        self.state = [row.state for row in snapshot.rows]
        self.policies = [row.policy for row in snapshot.rows]
        self.held = {row.index for row in snapshot.rows if row.held}
        self.max_parallel = snapshot.max_parallel


def blast_radius(snapshot: RunSnapshot, command: cmd.Command) -> cmd.BlastRadius:
    """What `command` would do to the run that `snapshot` shows. Nothing is changed."""
    return radius(_Seen(snapshot), command)


def radius(now: Situation, command: cmd.Command) -> cmd.BlastRadius:
    """What `command` would do, or why it would be refused."""
    match command:
        case cmd.PauseRun() | cmd.ContinueRun() | cmd.DrainRun() | cmd.CancelRun() | cmd.AbandonRun():
            return _of_run(now, command)
        case cmd.SetMaxParallel(limit=limit):
            return _limit(now, limit)
        case (
            cmd.CancelTask(task=name)
            | cmd.RestartTask(task=name)
            | cmd.HoldTask(task=name)
            | cmd.ReleaseTask(task=name)
            | cmd.SetPolicy(task=name)
        ):
            index = now.plan.index.get(name) if isinstance(name, str) else None
            if index is None:
                return _no(f"there is no task {name!r}")
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
            return cmd.BlastRadius(summary=f"starts nothing new; {tasks(len(active))} may finish")
        case cmd.ContinueRun():
            if now.run_state is not RunState.PAUSED:
                return _no("the run is not paused")
            return cmd.BlastRadius(summary="starts tasks again")
        case cmd.DrainRun():
            if now.run_state in _STOPPED:
                return _no("the run is stopping already")
            return cmd.BlastRadius(
                summary=f"{tasks(len(active))} may finish, {tasks(len(unstarted))} will not run", never_runs=unstarted
            )
        case cmd.CancelRun():
            if now.run_state is RunState.CANCELLING:
                return _no("the run is being cancelled already")
            return cmd.BlastRadius(
                summary=f"{tasks(len(active))} told to stop, {tasks(len(unstarted))} will not run",
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


def _limit(now: Situation, limit: int) -> cmd.BlastRadius:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        return _no(f"max_parallel must be a whole number of at least 1, not {limit!r}; pause the run to start nothing")
    return cmd.BlastRadius(summary=f"max_parallel {now.max_parallel} → {limit}")


def _of_task(
    now: Situation,
    command: cmd.CancelTask | cmd.RestartTask | cmd.HoldTask | cmd.ReleaseTask | cmd.SetPolicy,
    index: int,
) -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    match command:
        case cmd.CancelTask():
            return _cancel(now, index)
        case cmd.RestartTask(downstream=downstream):
            return _restart(now, index, downstream=downstream)
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
            changes = policy_changes(command)
            if not changes:
                return _no("no field was given a new value")
            return cmd.BlastRadius(summary=f"{name}: " + ", ".join(_change(*one) for one in changes.items()))
        case _ as unreachable:
            assert_never(unreachable)


def _cancel(now: Situation, index: int) -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    if state is TaskState.CANCELLING:
        return _no(f"{name} was told to stop already and is still cleaning up")
    if state in FINAL:
        return _no(f"{name} has ended already ({state.value})")
    lost = _skipped_if_lost(now, index)
    after = f", {tasks(len(lost))} after it will be skipped" if lost else ""
    if state in ACTIVE:
        return cmd.BlastRadius(summary=f"{name} is told to stop{after}", stops=(name,), never_runs=lost)
    return cmd.BlastRadius(summary=f"{name} will not run{after}", never_runs=(name, *lost))


def _restart(now: Situation, index: int, *, downstream: bool) -> cmd.BlastRadius:
    name, state = now.plan.names[index], now.state[index]
    if now.run_state in _STOPPED:
        return _no("the run is stopping")
    if state not in FINAL and state not in ACTIVE and state is not TaskState.BACKOFF:
        return _no(f"{name} has not run yet ({state.value})")
    if not _can_start(now, index):
        culprit = next(i for i in now.plan.upstream[index] if now.state[i] in FINAL and now.state[i] not in GOOD)
        return _no(f"its upstream {now.plan.names[culprit]} did not succeed; restart that one with its downstream")
    below = reach(now.plan.downstream, [index])
    affected = sorted({index, *below}) if downstream else [index]
    stops = tuple(now.plan.names[i] for i in affected if now.state[i] in ACTIVE)
    again = tuple(now.plan.names[i] for i in affected if now.state[i] in FINAL)
    stale: tuple[str, ...] = ()
    if not downstream:
        stale = tuple(now.plan.names[i] for i in sorted(below) if now.state[i] in GOOD or now.state[i] in ACTIVE)
    parts = [f"{tasks(len({name, *again, *stops}))} run again" if downstream else f"{name} runs again"]
    if stops:
        parts.append(f"{tasks(len(stops))} told to stop first")
    if stale:
        parts.append(f"{tasks(len(stale))} after it keep old results")
    return cmd.BlastRadius(summary=", ".join(parts), runs_again=again, stops=stops, goes_stale=stale)


def restarted_with(now: Situation, index: int, *, downstream: bool) -> list[int]:
    """The tasks that a restart puts back to the beginning, upstream first."""
    if not downstream:
        return [index]
    below = reach(now.plan.downstream, [index])
    below.add(index)
    return [i for i in now.plan.order if i in below and (now.state[i] in FINAL or now.state[i] in ACTIVE or i == index)]


def policy_changes(command: cmd.SetPolicy) -> dict[str, object]:
    """The fields that the command gives a new value."""
    fields = ("retries", "timeout", "backoff", "base", "factor", "cap", "jitter")
    return {name: value for name in fields if (value := getattr(command, name)) is not None}


def _change(key: str, value: object) -> str:
    if key == "timeout" and value == 0:
        return "no timeout"
    return f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}"


def _can_start(now: Situation, index: int) -> bool:
    joins = Joins(now.plan)
    joins.recount(index, now.state)
    return joins.verdict(index) is not Verdict.NEVER


def _skipped_if_lost(now: Situation, index: int) -> tuple[str, ...]:
    """Names of the tasks that would be skipped in a chain if this one ended without success."""
    joins, states = Joins(now.plan), list(now.state)
    states[index] = TaskState.CANCELLED
    lost: set[int] = set()
    queue = [index]
    while queue:
        for below in now.plan.downstream[queue.pop()]:
            if below in lost or states[below] in FINAL or states[below] in ACTIVE:
                continue
            joins.recount(below, states)
            if joins.verdict(below) is Verdict.NEVER:
                lost.add(below)
                states[below] = TaskState.SKIPPED
                queue.append(below)
    return tuple(now.plan.names[i] for i in sorted(lost))


def _named(now: Situation, wanted: Callable[[TaskState], bool]) -> tuple[str, ...]:
    names: Sequence[str] = now.plan.names
    return tuple(names[i] for i, state in enumerate(now.state) if wanted(state))
