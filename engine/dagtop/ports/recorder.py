"""Whoever wants every event of a run, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from dagtop.core.events import AnyEvent
from dagtop.core.snapshot import Blocked


class Recorder(Protocol):
    """Takes every event of a run, in order and in batches, on the engine's thread.

    `record` must not block: whoever has slow work to do hands the batch to a thread of its own. What it raises is told
    once as a `Problem` event, and the recorder is left out from then on.
    """

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events number `first`, `first` + 1 … (the run's first event is 1). The batch is never changed later."""
        ...


@runtime_checkable
class HearsBlocked(Protocol):
    """A recorder that also wants to know of a blocked loop while it is blocked, when no event can come."""

    def loop_blocked(self, blocked: Blocked) -> None:
        """Something keeps the engine's loop; told again each time that it has lasted twice as long.

        Called on a thread that is neither the engine's nor the caller's own; must not block.
        """
        ...
