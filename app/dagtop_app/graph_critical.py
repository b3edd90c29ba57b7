"""The critical path of a run: by what tasks took or take, and of those that have not run by what they are likely to take."""

from __future__ import annotations

from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, GOOD, TaskState

from dagtop_app.graph_loading import Sheet


class CriticalPath:
    """The path as it is now; empty while it is not shown."""

    def __init__(self) -> None:
        self.tasks: tuple[int, ...] = ()
        self.seconds = 0.0
        """How long all of it takes."""

    def __bool__(self) -> bool:
        return bool(self.tasks)

    def find(self, sheet: Sheet, snapshot: RunSnapshot) -> None:
        """Work it out."""
        taken = durations(snapshot)
        if sheet.wish.level is not None:  # of nothing that is elsewhere
            taken = [seconds if task in sheet.nodes else 0.0 for task, seconds in enumerate(taken)]
        self.tasks = sheet.ground.model.critical_path(taken)
        self.seconds = sum(taken[task] for task in self.tasks)

    def forget(self) -> None:
        """Show it no more."""
        self.tasks, self.seconds = (), 0.0

    def pieces(self, sheet: Sheet) -> list[list[int]]:
        """Its nodes on a sheet: in one piece, unless a part of the graph shows only pieces of it."""
        pieces: list[list[int]] = [[]]
        for task in self.tasks:
            node = sheet.nodes.get(task)
            if node is not None:
                if pieces[-1][-1:] != [node]:  # the next one may be in the same group
                    pieces[-1].append(node)
            elif pieces[-1]:
                pieces.append([])
        return [piece for piece in pieces if piece]


def durations(snapshot: RunSnapshot) -> list[float]:
    """How long each task took, takes, or is likely to take, in seconds.

    Of a task that has not run yet only the cost is known: it is taken to be as many seconds as a unit of cost took on average
    so far.
    """
    rows, plan = snapshot.rows, snapshot.plan
    known = [_measured(row, snapshot.at) for row in rows]
    spent = sum(seconds for seconds in known if seconds is not None)
    cost = sum(plan.policies[task].weight for task, seconds in enumerate(known) if seconds is not None)
    unit = spent / cost if spent and cost else 1.0
    guesses = [plan.policies[task].weight * unit for task in range(len(rows))]
    return [
        guess if seconds is None else max(seconds, guess) if row.state in ACTIVE else seconds
        for row, seconds, guess in zip(rows, known, guesses, strict=True)
    ]


def _measured(row: TaskRow, at: float) -> float | None:
    if row.started_at is None:
        return 0.0 if row.state in GOOD or row.state is TaskState.SKIPPED else None
    if row.state in ACTIVE:
        return max(0.0, at - row.started_at)
    return max(0.0, row.ended_at - row.started_at) if row.ended_at is not None else None
