"""How many tasks there are, where a run is told in words: nodes of a graph of graphs, and what was removed, are none. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import FINAL, TaskState

from dagtop_app.tally import gone_of


def counts_of(snapshot: RunSnapshot) -> Mapping[TaskState, int]:
    """How many tasks are in each state; states without tasks are left out."""
    nodes, gone = no_tasks_of(snapshot), gone_of(snapshot)
    told = {state: count - nodes.get(state, 0) - gone.get(state, 0) for state, count in snapshot.counts.items()}
    return {state: count for state, count in told.items() if count > 0}


def done_of(snapshot: RunSnapshot) -> tuple[int, int]:
    """How many tasks have ended, of how many."""
    counts = counts_of(snapshot)
    return sum(counts.get(state, 0) for state in FINAL), sum(counts.values())


def no_tasks_of(snapshot: RunSnapshot) -> Mapping[TaskState, int]:
    """How many nodes are in each state, without those that were removed."""
    rows = [snapshot.rows[index] for index in snapshot.plan.nodes if index < len(snapshot.rows)]
    return Counter(row.state for row in rows if not (row.gone and row.state in FINAL))
