"""When a graph, or a node of it, is due by its schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.errors import Flaw, OptionError

from dagtop_app.commandline.options import UsageError
from dagtop_app.launching.preparing import Prepared
from dagtop_app.launching.runtime_kinds import META_DAG
from dagtop_app.plain.saying import say

if TYPE_CHECKING:
    from dagtop.core.schedule import Timetable


def timetable_of(prepared: Prepared) -> Timetable | None:
    """When it is due; None if it says nothing of that.

    Raises
    ------
    OptionError: what keeps its tasks up has a schedule, or the MetaDAG and its nodes both have one.
    """
    if prepared.config.schedule() is None:
        return None
    if prepared.reconciler is not None:
        message = "every=, cron= and at= are for what comes to an end; a Reconciler keeps its tasks up all the time"
        raise OptionError([Flaw(message, prepared.graph.place)])
    scheduled_nodes_of(prepared)  # it has none, or that is an error
    from dagtop.runtime.schedule import timetable_of as due_times  # noqa: PLC0415 - only where something is scheduled

    return due_times(prepared.config)


def scheduled_nodes_of(prepared: Prepared) -> dict[str, Timetable]:
    """The due times of nodes of a MetaDAG, by path.

    Raises
    ------
    OptionError: the MetaDAG has a schedule too.
    """
    if not isinstance(prepared.graph, META_DAG):
        return {}
    from dagtop.runtime.node_schedule import scheduled_nodes  # noqa: PLC0415 - only where nodes are

    return scheduled_nodes(prepared.graph)


def refuse_to_watch(watch_file: bool) -> None:
    """A schedule has a run of its own each time.

    Raises
    ------
    UsageError: it is wanted all the same.
    """
    if watch_file:
        raise UsageError(
            "--watch is for one run that goes on, and this graph has a schedule: add --now, or leave it out"
        )


def say_no_words(talks: bool) -> None:
    """Where a person could have given commands, had it no schedule."""
    if talks:
        say("a graph with a schedule takes no commands here: `dagtop tell` gives them, --now runs it once")
