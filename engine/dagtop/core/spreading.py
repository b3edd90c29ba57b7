"""Commands for many tasks at once: for a node of a graph of graphs, for a pattern of names, or for all replicas of a task."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from msgspec import structs

from dagtop.core import commands as cmd
from dagtop.core.paths import is_inside
from dagtop.core.plan import Plan

#: What makes a name a pattern, if no task is called so.
_WILD = frozenset("*?[")


def spread(plan: Plan, command: cmd.Command) -> list[cmd.Command]:
    """The commands for single tasks that a command comes to.

    One for a node, such as "ingest", is meant for all that is in it; one for a task with replicas, for each of these; but what a
    person puts in the place of its output (`MarkSucceeded`) is its own. One for a pattern, such as "ingest/page_*", is meant for
    all tasks of such names. Any other stays as it is.
    """
    name = getattr(command, "task", None)
    is_its_own = isinstance(command, (cmd.MarkSucceeded, cmd.ScaleTask)) and name in plan.index
    if not isinstance(name, str) or is_its_own:
        return [command]
    chosen = _with_replicas(plan, chosen_by(plan, name), command)
    if chosen == [name] or not chosen:
        return [command]
    if isinstance(command, (cmd.CancelTask, cmd.SkipTask, cmd.StopTask)):
        chosen.reverse()  # or those after the first ones are skipped because of these, before it is their turn
    if isinstance(command, cmd.RestartTask) and command.downstream:
        among = set(chosen)
        above = {task: {plan.names[i] for i in plan.upstream[plan.index[task]]} for task in chosen}
        chosen = [task for task in chosen if not above[task] & among]
    return [structs.replace(command, task=task) for task in chosen]


def replicas_of(plan: Plan, index: int) -> Sequence[int]:
    """The replicas that a task stands for; none if it stands for itself, as that of a map does, whose elements come behind it."""
    above, name = plan.upstream[index], plan.names[index]
    if not above or index in plan.nodes or min(above) > index:
        return ()
    start = f"{name}["
    return above if all(_is_replica(plan.names[i], start) for i in above) else ()


def _is_replica(name: str, start: str) -> bool:
    return name.startswith(start) and name.endswith("]") and name[len(start) : -1].isdigit()


def _with_replicas(plan: Plan, chosen: list[str], command: cmd.Command) -> list[str]:
    """The replicas in the place of those that stand for them, which only run again with them."""
    found: dict[str, None] = {}
    for name in chosen:
        replicas = replicas_of(plan, plan.index[name])
        found.update((plan.names[i], None) for i in replicas)
        if not replicas or isinstance(command, cmd.RestartTask):
            found[name] = None
    return list(found)


def chosen_by(plan: Plan, name: str) -> list[str]:
    """The tasks that a name means, upstream first: one of them, those in a node, or those of a pattern."""
    own = plan.index.get(name)
    if own is not None and own not in plan.nodes:
        return [name]
    names = plan.names
    if own is not None:
        return [names[i] for i in plan.order if is_inside(names[i], name) and i not in plan.nodes]
    if not _WILD.intersection(name):
        return []
    return [names[i] for i in plan.order if i not in plan.nodes and fnmatchcase(names[i], name)]
