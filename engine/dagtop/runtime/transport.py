"""What a player tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Transport(NamedTuple):
    """Where a replay is, and what it does."""

    number: int
    """Of the latest event that is shown; 0 before the first one."""
    last: int
    """Number of the last event that is known."""
    at: float
    """The instant that is shown, in seconds since the run began."""
    end: float
    """The last instant that is known."""
    playing: bool
    speed: float
    heading: int | None
    """Number of the event that it is on its way to."""
    indexed: bool
    """Whether all of the run has been read, so that it is known where problems are."""
    troubles: Sequence[tuple[int, float]]
    """(number, time) of events that one jumps to, as far as they are known."""
    following: bool
    """It shows what a process that still runs adds."""
    read: float = 1.0
    """How much of the run has been read: a share. Views of what was before the instant tell as much."""
    goes_on: bool = False
    """A process still runs it, and more is to come."""
    filling: bool = False
    """Events just before the instant are being read."""
