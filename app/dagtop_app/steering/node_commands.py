"""Commands for a node of a graph of graphs: which tasks in it they go to, and what that would do. Pure.

All tasks are looked at together: a node of thousands is asked about as fast as one task.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from dagtop.core import commands as do
from dagtop.core.blast import blast_radii, blast_radius
from dagtop.core.joins import JoinsOfFew, Verdict
from dagtop.core.snapshot import BROKEN, RunSnapshot, TaskRow
from dagtop.core.spreading import replicas_of, spread
from dagtop.core.states import ACTIVE, FINAL, GOOD, RUN_OVER, RunState, TaskState
from dagtop.core.topology import reach

from dagtop_app.text import name_of, plural

_S = TaskState


class Orders(NamedTuple):
    """What a command for a node comes to."""

    radius: do.BlastRadius
    commands: Sequence[do.Command]
    """One for each task that it makes sense for."""
    told: str = ""
    """What is answered when all have taken it."""


class _Latest:
    """What was asked last: a key asks whether it would be refused, its question what would be lost, and both ask the same."""

    snapshot: RunSnapshot | None = None
    command: do.Command | None = None
    radius = do.BlastRadius(summary="")


def radius_of(snapshot: RunSnapshot, command: do.Command) -> do.BlastRadius:
    """What a command would do; one for a node, to all that is in it."""
    if _Latest.snapshot is not snapshot or _Latest.command != command:
        made = orders(snapshot, command)
        _Latest.radius = made.radius if made is not None else blast_radius(snapshot, command)
        _Latest.snapshot, _Latest.command = snapshot, command
    return _Latest.radius


def orders(snapshot: RunSnapshot, command: do.Command) -> Orders | None:
    """What a command for a node comes to; None if it is for something else."""
    plan = snapshot.plan
    name = getattr(command, "task", None)
    own = plan.index.get(name) if isinstance(name, str) else None
    if own is None or isinstance(command, (do.MarkSucceeded, do.ScaleTask)):
        return None
    if own not in plan.nodes:
        return _of_replicas(snapshot, command) if replicas_of(plan, own) else None
    if snapshot.broken:
        return _refused(plan.names[own], BROKEN)
    each = {plan.index[task]: one for one in spread(plan, command) if (task := getattr(one, "task", ""))}
    match command:
        case do.RestartTask():
            made = _restart(snapshot, command, each)
        case do.CancelTask() | do.SkipTask() | do.StopTask():
            made = _end(snapshot, command, each)
        case _:
            made = _others(snapshot, command, each)
    return made._replace(told=f"{name_of(plan.names[own], 60)}: {made.radius.summary}")


def _of_replicas(snapshot: RunSnapshot, command: do.Command) -> Orders:
    """What a command for a task with replicas comes to."""
    radius = blast_radius(snapshot, command)
    each = spread(snapshot.plan, command)
    effects = zip(each, blast_radii(snapshot, each), strict=True)
    return Orders(radius, [one for one, effect in effects if not effect.refusal], radius.summary)


def together(snapshot: RunSnapshot, commands: Sequence[do.Command]) -> Orders:
    """What several commands of one kind come to, asked about as one. Those that would be refused are left out."""
    if len(commands) == 1:
        made = orders(snapshot, commands[0])
        return made if made is not None else Orders(blast_radius(snapshot, commands[0]), commands)
    if snapshot.broken:
        return Orders(blast_radius(snapshot, commands[0]), ())
    plan, first = snapshot.plan, commands[0]
    each = {
        plan.index[task]: one
        for command in commands
        for one in spread(plan, command)
        if (task := getattr(one, "task", "")) in plan.index
    }
    match first:
        case do.RestartTask(downstream=downstream) if each:
            made = _restart(snapshot, do.RestartTask("", downstream), each)
        case do.CancelTask() | do.SkipTask() | do.StopTask() if each:
            made = _end(snapshot, first, each)
        case do.HoldTask() | do.ReleaseTask() | do.StartTask() if each:
            made = _others(snapshot, first, each)
        case _:
            return _one_by_one(snapshot, commands)
    if not made.radius.refusal:
        return made._replace(told=made.radius.summary)
    reason = blast_radius(snapshot, first).refusal or made.radius.refusal
    return Orders(do.BlastRadius(summary=f"refused: {reason}", refusal=reason), ())


def _one_by_one(snapshot: RunSnapshot, commands: Sequence[do.Command]) -> Orders:
    """Commands that do not stand in each other's way."""
    radii = blast_radii(snapshot, commands)
    useful = [(radius, command) for radius, command in zip(radii, commands, strict=True) if not radius.refusal]
    if not useful:
        return Orders(radii[0], ())

    def all_of(field: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for radius, _ in useful for name in getattr(radius, field)))

    more = f", and {len(useful) - 1:,} more" if len(useful) > 1 else ""
    radius = do.BlastRadius(
        summary=useful[0][0].summary + more,
        runs_again=all_of("runs_again"),
        stops=all_of("stops"),
        never_runs=all_of("never_runs"),
        goes_stale=all_of("goes_stale"),
    )
    return Orders(radius, [command for _, command in useful])


def _refused(name: str, reason: str) -> Orders:
    return Orders(do.BlastRadius(summary=f"refused: {reason}", refusal=f"{name_of(name, 60)}: {reason}"), ())


def _restart(snapshot: RunSnapshot, command: do.RestartTask, each: dict[int, do.Command]) -> Orders:
    plan, rows = snapshot.plan, snapshot.rows
    if snapshot.state in {RunState.DRAINING, RunState.CANCELLING}:
        return _refused(command.task, "the run is stopping")
    begun = [index for index in each if _has_begun(rows[index].state) and not rows[index].gone]
    if not begun:
        return _refused(command.task, "nothing in it has run yet")
    chosen = _startable(snapshot, begun)
    if not chosen:
        return _refused(command.task, "what it needs did not succeed; restart that with its downstream")
    affected = set(chosen)
    if command.downstream:
        affected |= {i for i in reach(plan.downstream, chosen) if _has_begun(rows[i].state) and not rows[i].gone}
    affected -= set(plan.nodes)
    stops = _names(snapshot, affected, lambda state: state in ACTIVE)
    again = _names(snapshot, affected, lambda state: state in FINAL)
    after = reach(plan.downstream, affected).difference(affected, plan.nodes)
    stale = _names(snapshot, after, lambda state: state in GOOD or state in ACTIVE)
    parts = [f"{plural(len(affected), 'task')} run{'s' if len(affected) == 1 else ''} again"]
    if beyond := len(affected.difference(_inside(snapshot, command.task) if command.task else each)):
        parts[0] += f", {beyond:,} of them after {name_of(command.task, 60) if command.task else 'these'}"
    if stops:
        parts.append(f"{plural(len(stops), 'task')} told to stop first")
    if stale:
        parts.append(f"{plural(len(stale), 'task')} after it keep{'s' if len(stale) == 1 else ''} old results")
    radius = do.BlastRadius(summary=", ".join(parts), runs_again=again, stops=stops, goes_stale=stale)
    return Orders(radius, [each[index] for index in chosen])


def _has_begun(state: TaskState) -> bool:
    return state in FINAL or state in ACTIVE or state is _S.BACKOFF


def _startable(snapshot: RunSnapshot, chosen: Sequence[int]) -> list[int]:
    """Those that may start, once all of them wait again."""
    rows = snapshot.rows
    states = [row.state for row in rows]
    for index in chosen:
        states[index] = _S.WAITING
    joins = JoinsOfFew(snapshot.plan, [row.policy for row in rows], _serving(snapshot))
    found = []
    for index in chosen:
        joins.recount(index, states)
        if joins.verdict(index) is not Verdict.NEVER:
            found.append(index)
    return found


def _serving(snapshot: RunSnapshot) -> set[int]:
    return {row.index for row in snapshot.rows if row.serving}


def _inside(snapshot: RunSnapshot, path: str) -> set[int]:
    plan = snapshot.plan
    return {plan.index[one.task] for one in spread(plan, do.HoldTask(task=path)) if isinstance(one, do.HoldTask)}


def _end(
    snapshot: RunSnapshot, command: do.CancelTask | do.SkipTask | do.StopTask, each: dict[int, do.Command]
) -> Orders:
    rows = snapshot.rows
    if snapshot.state in RUN_OVER and isinstance(command, do.CancelTask):
        return _refused(command.task, "the run is over")
    skips = isinstance(command, do.SkipTask)
    stops = [] if skips else [index for index in each if rows[index].state in ACTIVE]
    if not isinstance(command, do.StopTask):
        stops = [index for index in stops if rows[index].state is not _S.CANCELLING]
    open_states = {_S.SKIPPED, *GOOD, *ACTIVE} if skips else {*FINAL, *ACTIVE}
    unbegun = [index for index in each if rows[index].state not in open_states and not rows[index].gone]
    ended = [index for index in each if isinstance(command, do.StopTask) and _stays_down_too(rows[index])]
    chosen = {*stops, *unbegun, *ended}
    if not chosen:
        return _refused(command.task, "nothing in it could be skipped" if skips else "nothing in it runs or is to run")
    lost = _lost_beyond(snapshot, {*stops, *unbegun})
    parts = []
    if stops:
        parts.append(f"{plural(len(stops), 'task')} told to stop")
    if unbegun:
        parts.append(f"{len(unbegun):,} will not run" if stops else f"{plural(len(unbegun), 'task')} will not run")
    if lost:
        parts.append(f"{len(lost):,} after it skipped")
    if any(rows[index].policy.restart.is_on for index in chosen) or isinstance(command, do.StopTask):
        parts.append(
            "all stay down until started" if isinstance(command, do.StopTask) else "services stay down until started"
        )
    names = snapshot.plan.names
    radius = do.BlastRadius(
        summary=", ".join(parts),
        stops=tuple(names[index] for index in sorted(stops)),
        never_runs=tuple(names[index] for index in (*sorted(unbegun), *lost)),
    )
    return Orders(radius, [one for index, one in each.items() if index in chosen])


def _stays_down_too(row: TaskRow) -> bool:
    """Whether a service that is down might be started again, unless a person says that it is to stay down."""
    return row.state in FINAL and row.policy.restart.is_on and row.wanted and not row.gone


def _lost_beyond(snapshot: RunSnapshot, ended: Collection[int]) -> list[int]:
    """The tasks that would be skipped in a chain if all of these ended without success; without the own tasks of nodes."""
    plan, states = snapshot.plan, [row.state for row in snapshot.rows]
    for index in ended:
        states[index] = _S.CANCELLED
    policies = [row.policy for row in snapshot.rows]
    joins = JoinsOfFew(plan, policies, _serving(snapshot).difference(ended))
    lost: set[int] = set()
    queue = list(ended)
    while queue:
        for below in plan.downstream[queue.pop()]:
            if below in lost or states[below] in FINAL or states[below] in ACTIVE:
                continue
            joins.recount(below, states)
            if below in plan.nodes or joins.verdict(below) is Verdict.NEVER:
                lost.add(below)
                states[below] = _S.SKIPPED
                queue.append(below)
    return sorted(lost.difference(plan.nodes))


def _others(snapshot: RunSnapshot, command: do.Command, each: dict[int, do.Command]) -> Orders:
    name, rows = str(getattr(command, "task", "")), snapshot.rows
    match command:
        case do.HoldTask():
            chosen = [
                i for i in each if not rows[i].held and rows[i].state not in ACTIVE and rows[i].state not in FINAL
            ]
            said, nothing = "will not start before they are released", "nothing in it is still to start"
        case do.ReleaseTask():
            chosen = [i for i in each if rows[i].held]
            said, nothing = "may start", "nothing in it is held"
        case do.StartTask():
            chosen = [i for i in each if not rows[i].gone and rows[i].state in FINAL and _is_down(snapshot, i)]
            said, nothing = "started", "everything in it that should be up is"
        case do.SetPolicy() if each:
            chosen, nothing = list(each), ""
            said = blast_radius(snapshot, next(iter(each.values()))).summary.partition(": ")[2].partition(";")[0]
        case _:
            chosen, said, nothing = list(each), command.verb, "there is nothing in it"
    if not chosen:
        return _refused(name, nothing)
    return Orders(do.BlastRadius(summary=f"{plural(len(chosen), 'task')} {said}"), [each[index] for index in chosen])


def _is_down(snapshot: RunSnapshot, index: int) -> bool:
    row = snapshot.rows[index]
    return not row.wanted or row.state not in GOOD


def _names(snapshot: RunSnapshot, chosen: Collection[int], wanted: Callable[[TaskState], bool]) -> tuple[str, ...]:
    names, rows = snapshot.plan.names, snapshot.rows
    return tuple(names[index] for index in sorted(chosen) if wanted(rows[index].state))


def kept_rows(snapshot: RunSnapshot, rows: Sequence[TaskRow]) -> Sequence[TaskRow]:
    """The rows that a change of restart policy, stop and start are about: those in nodes, and replicas, in the place of these."""
    plan = snapshot.plan
    chosen = {
        plan.index[one.task]: None
        for row in rows
        for one in spread(plan, do.StopTask(row.name))
        if isinstance(one, do.StopTask) and not snapshot.rows[plan.index[one.task]].gone
    }
    return [snapshot.rows[index] for index in sorted(chosen)] or rows
