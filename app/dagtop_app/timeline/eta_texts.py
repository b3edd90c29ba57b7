"""When the run is likely to be over, for the header. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import RunState

from dagtop_app.lines import Span
from dagtop_app.text import clock

if TYPE_CHECKING:
    from dagtop_app.timeline.ahead import Ahead

#: From these widths on it is said what the figure is, and how long the critical path is.
_WORDED, _WITH_PATH = 120, 150


class Left(NamedTuple):
    """What is likely of a run that goes on, from what its tasks took in earlier runs."""

    seconds: float
    """So long it still goes on."""
    path: float = 0.0
    """How long the critical path takes, from its beginning to its end; 0 if that is not known."""


def left_of_run(snapshot: RunSnapshot, ahead: Ahead) -> Left | None:
    """It, from what is to come; None while nothing says when the run ends."""
    if snapshot.state is not RunState.RUNNING or ahead.end is None or snapshot.broken:
        return None
    known = len(ahead.seconds)
    path = sum(ahead.seconds[index] for index in ahead.path if index < known)
    return Left(max(0.0, ahead.end - snapshot.at), path)


def left_spans(left: Left | None, cells: int) -> list[Span]:
    """ "~2:51", or where there is room "ETA ~2:51   crit. path 6:40"."""
    if left is None or cells < 60:
        return []
    told = f"~{clock(left.seconds)}"
    spans: list[Span] = [(f" {'ETA ' if cells >= _WORDED else ''}", "dim"), (f"{told} ", "strong")]
    if left.path > 0 and cells >= _WITH_PATH:
        spans += [("  crit. path ", "dim"), (f"{clock(left.path)} ", "")]
    return spans
