"""What a command would do, told before it is done: the same answer for the dialog on screen and for the machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from dagtop.core import commands as cmd
from dagtop.core.affected import (
    Situation,
)
from dagtop.core.blast_of_limits import of_breaker, of_escalation, of_limit, of_pool, of_replicas
from dagtop.core.blast_of_runs import of_retry_failed, of_run, of_start_run
from dagtop.core.blast_of_tasks import of_task
from dagtop.core.blast_parts import STOPPED, TaskCommand, refused
from dagtop.core.nearest import nearest
from dagtop.core.seen import Seen
from dagtop.core.snapshot import BROKEN, RunSnapshot
from dagtop.core.spreading import spread
from dagtop.core.states import ACTIVE, FINAL, TaskState
from dagtop.core.together import summary_of_all


def blast_radius(snapshot: RunSnapshot, command: cmd.Command) -> cmd.BlastRadius:
    """What `command` would do to the run that `snapshot` shows. Nothing is changed."""
    if snapshot.broken:
        return refused(BROKEN)
    return whole_radius(Seen(snapshot), command)


def blast_radii(snapshot: RunSnapshot, commands: Sequence[cmd.Command]) -> list[cmd.BlastRadius]:
    """What each of several commands would do by itself: the snapshot is gone through once for all of them."""
    if snapshot.broken:
        return [refused(BROKEN)] * len(commands)
    now = Seen(snapshot)
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
    return begun and now.run_state not in STOPPED and index not in now.desired.gone


def radius(now: Situation, command: cmd.Command) -> cmd.BlastRadius:
    """What `command` would do, or why it would be refused."""
    match command:
        case cmd.PauseRun() | cmd.ContinueRun() | cmd.DrainRun() | cmd.CancelRun() | cmd.AbandonRun():
            return of_run(now, command)
        case cmd.SetMaxParallel(limit=limit):
            return of_limit(now, limit)
        case cmd.SetPoolLimit(pool=pool, limit=limit):
            return of_pool(now, pool, limit)
        case (
            cmd.TripBreaker(breaker=name)
            | cmd.ResetBreaker(breaker=name)
            | cmd.ForceBreaker(breaker=name)
            | cmd.SetBreaker(breaker=name)
        ):
            return of_breaker(now, command, name)
        case cmd.AcknowledgeEscalation():
            return of_escalation(now, command)
        case cmd.RetryFailed():
            return of_retry_failed(now)
        case cmd.StartRun():
            return of_start_run(now)
        case cmd.ScaleTask(task=name, replicas=replicas):
            return of_replicas(name, replicas)
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
                return refused(f"there is no task {name!r}{nearest(str(name), now.plan.index)}")
            return of_task(now, command, index)
        case _ as unreachable:
            assert_never(unreachable)
