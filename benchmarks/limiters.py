"""What `dagtop.core.adaptive.Window` is compared with: the classic rules for how many attempts there may be at once.

Formulas as in Netflix's concurrency-limits (`AIMDLimit`, `VegasLimit`, `Gradient2Limit`), with its default numbers.
"""

from __future__ import annotations

import math


class FixedLimit:
    """No rule: max_parallel."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most
        self.limit = most

    def ended(self, kind: int, at: float, seconds: float, ok: bool, in_flight: int) -> str:
        was = self.limit
        self.limit = min(max(int(self.step(seconds, ok, in_flight)), self.least), self.most)
        return "" if self.limit == was else "changed"

    def step(self, seconds: float, ok: bool, in_flight: int) -> float:
        return self.limit


class Aimd(FixedLimit):
    """One more for each round trip that was full; × 0.9 for each failure (Chiu and Jain 1989)."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)
        self.exact = float(most)

    def step(self, seconds: float, ok: bool, in_flight: int) -> float:
        if not ok:
            self.exact *= 0.9
        elif in_flight * 2 >= self.limit:
            self.exact += 1 / self.exact
        self.exact = min(max(self.exact, self.least), self.most)
        return self.exact


class AimdGradient(Aimd):
    """The same, and × 0.9, once per round trip, while the average latency is above twice its long average."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)
        self.short = self.long = 0.0
        self.since = 0

    def step(self, seconds: float, ok: bool, in_flight: int) -> float:
        if ok:
            self.short = self.short + 0.2 * (seconds - self.short) if self.short else seconds
            self.long = self.long + 0.003 * (seconds - self.long) if self.long else seconds
        self.since += 1
        if ok and self.short > 2 * self.long:
            if self.since >= self.limit:
                self.since = 0
                self.exact = max(self.exact * 0.9, self.least)
            return self.exact
        return super().step(seconds, ok, in_flight)


class Vegas(FixedLimit):
    """Estimates the queue as limit × (1 - rtt_min / rtt) and keeps it between alpha and beta (Brakmo and Peterson 1994)."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)
        self.shortest = math.inf
        self.probe = 0

    def step(self, seconds: float, ok: bool, in_flight: int) -> float:
        self.probe += 1
        if self.probe >= 30 * self.limit * 0.75:
            self.probe, self.shortest = 0, seconds
            return self.limit
        if seconds < self.shortest:
            self.shortest = seconds
            return self.limit
        unit = max(1, int(math.log10(self.limit)))
        queue = math.ceil(self.limit * (1 - self.shortest / max(seconds, 1e-9)))
        if not ok:
            return self.limit - unit
        if in_flight * 2 < self.limit:
            return self.limit
        if queue <= unit:
            return self.limit + 6 * unit
        if queue < 3 * unit:
            return self.limit + unit
        return self.limit - unit if queue > 6 * unit else self.limit


class Gradient2(FixedLimit):
    """limit × clamp(long average / latency, 0.5, 1) + 4, smoothed; failures do not count."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)
        self.exact = float(most)
        self.long = 0.0

    def step(self, seconds: float, ok: bool, in_flight: int) -> float:
        seconds = max(seconds, 1e-9)
        self.long = self.long + 2 / 601 * (seconds - self.long) if self.long else seconds
        if self.long > 2 * seconds:
            self.long *= 0.9
        if in_flight < self.exact / 2:
            return self.exact
        gradient = max(0.5, min(1.0, self.long / seconds))
        self.exact = 0.8 * self.exact + 0.2 * (self.exact * gradient + 4)
        self.exact = min(max(self.exact, self.least), self.most)
        return self.exact
