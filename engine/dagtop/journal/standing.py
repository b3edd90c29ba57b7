"""Where a run stands, as the list of runs tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dagtop.core.events import (
    AnyEvent,
    RunContinued,
    RunFinished,
    RunPaused,
    RunReopened,
    RunResumed,
    RunStarted,
    RunStopping,
)
from dagtop.core.states import RUN_OVER, RunState

#: The events that change it.
RUN_EVENTS: frozenset[type] = frozenset(
    {RunStarted, RunResumed, RunPaused, RunContinued, RunStopping, RunReopened, RunFinished}
)


class Standing(NamedTuple):
    """What was last stored of a run."""

    state: RunState = RunState.PENDING
    finished_at: float | None = None
    """Wall clock."""
    counts: Mapping[str, int] = {}

    def for_people(self, *, alive: bool, incomplete: str) -> str:
        """The state, given whether anybody still runs it and whether its journal had to give up."""
        if alive or self.state in RUN_OVER:
            return self.state.value
        return "incomplete" if incomplete else "crashed"


def standing_after(event: AnyEvent, started_at: float) -> Standing | None:
    """Where the run stands after the event; None if that is where it stood before."""
    match event:
        case RunStarted() | RunResumed() | RunContinued() | RunReopened():
            return Standing(RunState.RUNNING)
        case RunPaused():
            return Standing(RunState.PAUSED)
        case RunStopping():
            return Standing(RunState.CANCELLING if event.cancel else RunState.DRAINING)
        case RunFinished():
            return Standing(event.state, started_at + event.at, event.counts)
        case _:
            return None
