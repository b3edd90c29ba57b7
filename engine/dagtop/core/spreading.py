"""Commands for many tasks at once: for a node of a graph of graphs, or for a pattern of names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from msgspec import structs

from dagtop.core import commands as cmd
from dagtop.core.levels import is_inside
from dagtop.core.plan import Plan

#: What makes a name a pattern, if no task is called so.
_WILD = frozenset("*?[")


def spread(plan: Plan, command: cmd.Command) -> list[cmd.Command]:
    """The commands for single tasks that a command comes to.

    One for a node, such as "ingest", is meant for all that is in it; but what a person puts in the place of a node's output
    (`MarkSucceeded`) is the node's own. One for a pattern, such as "ingest/page_*", is meant for all tasks of such names. Any
    other stays as it is.
    """
    name = getattr(command, "task", None)
    if not isinstance(name, str) or (isinstance(command, cmd.MarkSucceeded) and name in plan.index):
        return [command]
    chosen = chosen_by(plan, name)
    if chosen == [name] or not chosen:
        return [command]
    if isinstance(command, (cmd.CancelTask, cmd.SkipTask, cmd.StopTask)):
        chosen.reverse()  # or those after the first ones are skipped because of these, before it is their turn
    if isinstance(command, cmd.RestartTask) and command.downstream:
        among = set(chosen)
        above = {task: {plan.names[i] for i in plan.upstream[plan.index[task]]} for task in chosen}
        chosen = [task for task in chosen if not above[task] & among]
    return [structs.replace(command, task=task) for task in chosen]


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
