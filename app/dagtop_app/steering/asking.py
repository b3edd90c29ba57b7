"""Whether a person is asked before a command is given. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dagtop.core.commands import BlastRadius, Command, RetryFailed
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import GOOD, TaskState
from msgspec.structs import replace

from dagtop_app.settings.config import Confirm
from dagtop_app.steering.undo import row_of


def worth_asking(snapshot: RunSnapshot, radius: BlastRadius) -> bool:
    """Whether something good, or in progress, or still to come would be lost.

    Running one failed task again loses nothing.
    """
    if radius.stops or radius.never_runs or len(radius.runs_again) > 1:
        return True
    rows = [row_of(snapshot, name) for name in radius.runs_again]
    return any(row is not None and row.state in GOOD for row in rows)


def is_asked(confirm: Confirm, snapshot: RunSnapshot, command: Command, radius: BlastRadius) -> bool:
    """Whether the person is asked, who may have said always or never."""
    match confirm.of(command.verb):
        case "always":
            return True
        case "never":
            return False
        case _ if isinstance(command, RetryFailed):  # those that were skipped because of one lose nothing either
            return worth_asking(snapshot, replace(radius, runs_again=_ran(snapshot, radius.runs_again)))
        case _:
            return worth_asking(snapshot, radius)


def _ran(snapshot: RunSnapshot, names: Iterable[str]) -> tuple[str, ...]:
    rows = ((name, row_of(snapshot, name)) for name in names)
    return tuple(name for name, row in rows if row is not None and row.state is not TaskState.SKIPPED)
