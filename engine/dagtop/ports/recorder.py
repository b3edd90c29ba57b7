"""Whoever wants every event of a run, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dagtop.core.events import AnyEvent


class Recorder(Protocol):
    """Takes every event of a run, in order and in batches, on the engine's thread.

    `record` must not block: whoever has slow work to do hands the batch to a thread of its own. What it raises is told
    once as a `Problem` event, and the recorder is left out from then on.
    """

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take events number `first`, `first` + 1 … (the run's first event is 1). The batch is never changed later."""
        ...
