"""How long to wait before the next attempt: one formula."""

from __future__ import annotations

from enum import StrEnum


class Backoff(StrEnum):
    """How the delay grows from attempt to attempt."""

    NONE = "none"
    """No delay at all."""
    LINEAR = "linear"
    """base, 2·base, 3·base …"""
    EXPONENTIAL = "exponential"
    """base, base·factor, base·factor² …"""


def delay(
    failed: int, *, backoff: Backoff | str, base: float, factor: float, cap: float, jitter: float, unit_random: float
) -> float:
    """Seconds to wait after the attempt number `failed` (the first is 1) has failed.

    min(cap, growth) · (1 − jitter · unit_random), where growth is 0, base · failed, or base · factor^(failed − 1). So the
    first delay is `base` and jitter only ever shortens ("full jitter" at jitter = 1, as in the AWS Architecture Blog,
    "Exponential Backoff And Jitter", 2015).

    Parameters
    ----------
    failed: number of the attempt that failed, from 1.
    unit_random: chance, in [0, 1).
    """
    match Backoff(backoff):
        case Backoff.NONE:
            return 0.0
        case Backoff.LINEAR:
            growth = base * failed
        case Backoff.EXPONENTIAL:
            try:
                growth = base * float(factor) ** (failed - 1)
            except OverflowError:
                growth = cap if base else 0.0
    return min(cap, growth) * (1.0 - jitter * unit_random)
