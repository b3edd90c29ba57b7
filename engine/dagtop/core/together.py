"""What a command for many tasks comes to, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from dagtop.core import commands as cmd
from dagtop.core.plan import Plan
from dagtop.core.spreading import replicas_of
from dagtop.core.wording import do


def summary_of_all(plan: Plan, command: cmd.Command, effects: Sequence[tuple[str, cmd.BlastRadius]]) -> str:
    """What it does: for a node, a pattern, or a task with replicas. `effects`: by task, those that are not refused."""
    name = str(getattr(command, "task", ""))
    own = plan.index.get(name)
    stands_in = own is not None and bool(replicas_of(plan, own))
    noun = "replica" if stands_in else "task"
    if stands_in:
        effects = [
            (task, structs.replace(effect, goes_stale=tuple(it for it in effect.goes_stale if it != name)))
            for task, effect in effects
            if task != name
        ]
    return f"{name}: {_said(plan, command, effects, noun)}"


def _said(plan: Plan, command: cmd.Command, effects: Sequence[tuple[str, cmd.BlastRadius]], noun: str) -> str:
    chosen = {task for task, _ in effects}
    many = _many(len(chosen), noun)
    match command:
        case cmd.CancelTask() | cmd.StopTask() | cmd.SkipTask():
            return _ends(plan, command, effects, noun)
        case cmd.RestartTask():
            return _again(plan, effects, noun)
        case cmd.StartTask():
            return f"{many} started"
        case cmd.SetPolicy():
            return f"{many}: {effects[0][1].summary.partition(': ')[2].partition(';')[0]}"
        case cmd.HoldTask():
            return f"{many} will not start before {'it is' if len(chosen) == 1 else 'they are'} released"
        case cmd.ReleaseTask():
            return f"{many} may start"
        case cmd.ApproveTask():
            return f"{many} may go through {'its gate' if len(chosen) == 1 else 'their gates'}"
        case cmd.RejectTask():
            return f"{many} rejected"
        case cmd.MarkSucceeded():
            return f"{many} taken as succeeded"
        case _:
            return f"{many}: {command.verb}"


def _ends(plan: Plan, command: cmd.Command, effects: Sequence[tuple[str, cmd.BlastRadius]], noun: str) -> str:
    chosen = {task for task, _ in effects}
    stops = _all_of(effects, "stops")
    never = _all_of(effects, "never_runs")
    unbegun = never & chosen - stops
    after = {task for task in never - chosen - stops if plan.index[task] not in plan.nodes}
    ended = chosen - stops - unbegun
    skips = isinstance(command, cmd.SkipTask)
    parts = []
    if stops:
        parts.append(f"{_many(len(stops), noun)} told to stop")
    if unbegun:
        count = f"{len(unbegun):,}" if stops else _many(len(unbegun), noun)
        parts.append(f"{count} skipped" if skips else f"{count} will not run")
    if ended:
        count = f"{len(ended):,}" if parts else _many(len(ended), noun)
        parts.append(f"{count} down already")
    if after:
        parts.append(f"{_many(len(after), 'task')} after {'it' if len(chosen) == 1 else 'them'} skipped")
    if isinstance(command, cmd.StopTask):
        parts.append("all stay down until they are started")
    elif not skips and any(plan.policies[plan.index[task]].restart.is_on for task in chosen):
        parts.append("services stay down until they are started")
    return ", ".join(parts)


def _again(plan: Plan, effects: Sequence[tuple[str, cmd.BlastRadius]], noun: str) -> str:
    stops = _all_of(effects, "stops")
    again = {task for task, _ in effects} | stops | _all_of(effects, "runs_again")
    stale = {task for task in _all_of(effects, "goes_stale") - again if plan.index[task] not in plan.nodes}
    parts = [f"{_many(len(again), noun)} {do(len(again), 'run')} again"]
    if stops:
        parts.append(f"{len(stops):,} told to stop first")
    if stale:
        parts.append(
            f"{_many(len(stale), 'task')} after {'it' if len(again) == 1 else 'them'} {do(len(stale), 'keep')} old results"
        )
    return ", ".join(parts)


def _all_of(effects: Sequence[tuple[str, cmd.BlastRadius]], field: str) -> set[str]:
    return {name for _, effect in effects for name in getattr(effect, field)}


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
