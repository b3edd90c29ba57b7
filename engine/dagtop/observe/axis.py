"""Distances between the marks of a time axis that people find round."""

from __future__ import annotations

#: In seconds, ascending: from a microsecond to years.
ROUND: tuple[float, ...] = (
    *(m * 10.0**e for e in range(-6, 1) for m in (1, 2, 5)),
    *(10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 43200.0),
    *(86400.0 * m * 10**e for e in range(6) for m in (1, 2, 5)),
)


def round_step(least: float) -> float:
    """The smallest round distance that is not below `least` seconds."""
    return next((step for step in ROUND if step >= least), least)
