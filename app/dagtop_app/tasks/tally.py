"""How many tasks are in each state, and how many stand at their gate. Pure.

Nodes of a graph of graphs, and what was removed, are no tasks. The same comes of a snapshot as the engine has it, and of one in
which rows of nodes stand for what is in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from dagtop.core.plan import Plan
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import FINAL, TaskState

from dagtop_app.faces import TALLIES, Tally, is_at_gate


def counts_of(snapshot: RunSnapshot) -> Mapping[TaskState, int]:
    """How many tasks are in each state; states without tasks are left out."""
    if snapshot.plan.nodes:
        return _by_state(ByRows(snapshot.rows), snapshot.plan)
    gone = _gone(ByRows(snapshot.rows), snapshot.plan)
    left = {state: count - gone.get(state, 0) for state, count in snapshot.counts.items()}
    return {state: count for state, count in left.items() if count > 0}


def done_of(snapshot: RunSnapshot) -> tuple[int, int]:
    """How many tasks have ended, of how many."""
    counts = counts_of(snapshot)
    return sum(counts.get(state, 0) for state in FINAL), sum(counts.values())


def tallied(snapshot: RunSnapshot) -> list[tuple[Tally, int]]:
    """Every tally with its figure, in the order of the header."""
    counts, gates, nodes = counts_of(snapshot), at_gates(snapshot), snapshot.plan.nodes
    figures = []
    for tally in TALLIES:
        count = sum(counts.get(state, 0) for state in tally.states)
        if tally.gates:
            count = len(gates)
        elif tally.gone:
            count = sum(_gone(ByRows(snapshot.rows), snapshot.plan).values())
        elif TaskState.HELD in tally.states:
            count -= sum(index not in nodes for index in gates)
        figures.append((tally, count))
    return figures


def at_gates(snapshot: RunSnapshot) -> Sequence[int]:
    """Indices of the tasks that wait for a person's word, those that wait longest first."""
    if not snapshot.counts.get(TaskState.HELD, 0):
        return ()
    return _at_gates(ByRows(snapshot.rows))


class ByRows:
    """Rows as a key of a small cache: they are compared by identity."""

    def __init__(self, rows: Sequence[TaskRow]) -> None:
        self.rows = rows

    def __hash__(self) -> int:
        return id(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByRows) and other.rows is self.rows


@lru_cache(maxsize=4)
def _by_state(key: ByRows, plan: Plan) -> Mapping[TaskState, int]:
    """Counted one by one: what `snapshot.counts` has of nodes depends on what their rows stand for."""
    return Counter(row.state for row in key.rows if row.index not in plan.nodes and not _is_gone(row))


@lru_cache(maxsize=2)
def _gone(key: ByRows, plan: Plan) -> Mapping[TaskState, int]:
    gone = [row for row in key.rows if row.gone]  # of a hundred thousand, ten times a second: seldom any
    return Counter([row.state for row in gone if _is_gone(row) and row.index not in plan.nodes])


def _is_gone(row: TaskRow) -> bool:
    return row.gone and row.state in FINAL


@lru_cache(maxsize=2)
def _at_gates(key: ByRows) -> Sequence[int]:
    waiting = [(row.gate.at, row.index) for row in key.rows if row.gate is not None and is_at_gate(row)]
    return [index for _, index in sorted(waiting)]
