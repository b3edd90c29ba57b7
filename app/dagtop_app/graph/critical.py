"""The critical path of a run: by what tasks took or take, and of those that have not run by what they are likely to take."""

from __future__ import annotations

from collections.abc import Mapping

from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot

from dagtop_app.graph.loading import Sheet
from dagtop_app.timeline.ahead import expected

_NOTHING: Mapping[int, Usual] = {}


class CriticalPath:
    """The path as it is now; empty while it is not shown."""

    def __init__(self) -> None:
        self.tasks: tuple[int, ...] = ()
        self.seconds = 0.0
        """How long all of it takes."""
        self.usual: Mapping[int, Usual] = _NOTHING
        """What tasks took in earlier runs."""

    def __bool__(self) -> bool:
        return bool(self.tasks)

    def find(self, sheet: Sheet, snapshot: RunSnapshot) -> None:
        """Work it out."""
        taken = durations(snapshot, self.usual)
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


def durations(snapshot: RunSnapshot, usual: Mapping[int, Usual] = _NOTHING) -> list[float]:
    """How long each task took, takes, or is likely to take, in seconds; as long as nothing is known of that, what they cost.

    `usual` is what they took in earlier runs.
    """
    known, seconds = expected(snapshot, usual)
    return seconds if known else [policy.weight for policy in snapshot.plan.policies[: len(snapshot.rows)]]
