"""How many tasks are in each state, and how many stand at their gate. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import FINAL, TaskState

from dagtop_app.faces import TALLIES, Tally, is_at_gate


def tallied(snapshot: RunSnapshot) -> list[tuple[Tally, int]]:
    """Every tally with its figure, in the order of the header."""
    gates, gone = len(at_gates(snapshot)), gone_of(snapshot)
    figures = []
    for tally in TALLIES:
        count = sum(snapshot.counts.get(state, 0) - gone.get(state, 0) for state in tally.states)
        if tally.gates:
            count = gates
        elif tally.gone:
            count = sum(gone.values())
        elif TaskState.HELD in tally.states:
            count -= gates
        figures.append((tally, count))
    return figures


def gone_of(snapshot: RunSnapshot) -> Mapping[TaskState, int]:
    """How many tasks that were removed ended in each state."""
    return _gone(ByRows(snapshot.rows))


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


@lru_cache(maxsize=2)
def _gone(key: ByRows) -> Mapping[TaskState, int]:
    return Counter([row.state for row in key.rows if row.gone and row.state in FINAL])


@lru_cache(maxsize=2)
def _at_gates(key: ByRows) -> Sequence[int]:
    waiting = [(row.gate.at, row.index) for row in key.rows if row.gate is not None and is_at_gate(row)]
    return [index for _, index in sorted(waiting)]
