"""Moments at which the machine wants to be asked again, soonest first."""

from __future__ import annotations

from enum import Enum
from heapq import heappop, heappush


class Due(Enum):
    """What a deadline is for."""

    ATTEMPT = 0
    """An attempt reaches its timeout."""
    BACKOFF = 1
    """The delay before the next attempt is over."""
    RUN = 2
    """The run reaches `run_timeout`."""
    GRACE = 3
    """What was told to stop has had time enough."""
    LANE = 4
    """A rate or a circuit breaker may let somebody through."""
    GATE = 5
    """Nobody has decided at a gate in time."""
    READY_PROBE = 6
    """A task is to be asked whether it is ready."""
    ALIVE_PROBE = 7
    """A task is to be asked whether it is well."""


_KINDS = tuple(Due)


class Deadlines:
    """A heap of them. One that no longer matters is not taken out: whoever gets it sees that it is stale."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int, int]] = []
        self.began: dict[int, tuple[int, float]] = {}
        """By task that runs outside of the engine's process: its latest attempt whose body has begun there, and when."""

    def push(self, at: float, kind: Due, index: int, attempt: int) -> None:
        """Ask for a moment. `index` and `attempt` say whose it is; -1 and 0 for the run's own."""
        heappush(self._heap, (at, kind.value, index, attempt))

    def pop(self, now: float) -> tuple[Due, int, int] | None:
        """The soonest one that has come by `now`; None if none has."""
        if not self._heap or self._heap[0][0] > now:
            return None
        _, kind, index, attempt = heappop(self._heap)
        return _KINDS[kind], index, attempt

    def next(self) -> float | None:
        """When the soonest one comes; None if there is none."""
        return self._heap[0][0] if self._heap else None

    def clear(self) -> None:
        """Forget all of them."""
        self._heap.clear()
