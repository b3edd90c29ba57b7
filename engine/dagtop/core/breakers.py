"""The circuit breakers of a run, as the machine asks them. (Placeholder until the breakers land.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagtop.core.guards import Breaker, BreakerState

Breakers = Any


class LocalBreakers:
    def __init__(self, specs: Mapping[str, Breaker]) -> None:
        self._specs = specs

    def spec(self, name: str) -> Breaker:
        return self._specs.get(name) or Breaker(name)

    def state(self, name: str, at: float) -> BreakerState:
        return BreakerState.CLOSED

    def may_pass(self, name: str, index: int, at: float) -> bool:
        return True

    def is_closed(self, name: str, at: float) -> bool:
        return True

    def ended(self, *_: object) -> None: ...
    def trip(self, *_: object) -> None: ...
    def reset(self, *_: object) -> None: ...
    def force(self, *_: object) -> None: ...
    def moved(self) -> list[Any]:
        return []

    def next_due(self) -> float | None:
        return None
