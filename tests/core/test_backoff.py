"""B11: the one formula of delays."""

from __future__ import annotations

import math

from dagtop.core.backoff import Backoff, delay
from hypothesis import given
from hypothesis import strategies as st

_seconds = st.floats(0, 1e6)
_any = st.fixed_dictionaries(
    {
        "backoff": st.sampled_from(list(Backoff)),
        "base": _seconds,
        "factor": st.floats(1, 1e3),
        "cap": _seconds,
        "jitter": st.floats(0, 1),
        "unit_random": st.floats(0, 1, exclude_max=True),
    }
)


@given(st.integers(1, 100_000), _any)
def test_B11_a_delay_is_never_negative_never_above_the_cap_and_always_a_number(
    failed: int, how: dict[str, float]
) -> None:
    seconds = delay(failed, **how)  # type: ignore[arg-type]
    assert 0 <= seconds <= how["cap"]
    assert math.isfinite(seconds)


@given(_any)
def test_B11_the_first_delay_is_base(how: dict[str, float]) -> None:
    how["jitter"] = 0
    expected = 0 if how["backoff"] == "none" else min(how["base"], how["cap"])
    assert delay(1, **how) == expected  # type: ignore[arg-type]


@given(st.integers(1, 5_000), _any)
def test_B11_without_jitter_a_later_delay_is_never_shorter(failed: int, how: dict[str, float]) -> None:
    how["jitter"] = 0
    assert delay(failed + 1, **how) >= delay(failed, **how)  # type: ignore[arg-type]


@given(st.integers(1, 5_000), _any)
def test_B11_jitter_only_ever_shortens(failed: int, how: dict[str, float]) -> None:
    assert delay(failed, **how) <= delay(failed, **{**how, "jitter": 0})  # type: ignore[arg-type]


def test_B11_the_formulas() -> None:
    how = {"base": 2.0, "factor": 3.0, "cap": 50.0, "jitter": 0.0, "unit_random": 0.5}
    assert [delay(n, backoff="exponential", **how) for n in (1, 2, 3, 4)] == [2, 6, 18, 50]
    assert [delay(n, backoff="linear", **how) for n in (1, 2, 3, 30)] == [2, 4, 6, 50]
    assert delay(9, backoff="none", **how) == 0
    assert delay(2, backoff="linear", **{**how, "jitter": 1.0}) == 2


def test_B11_a_base_of_nothing_stays_nothing_however_many_attempts() -> None:
    """factor^n overflowed, and the delay was the cap."""
    assert delay(100_000, backoff="exponential", base=0.0, factor=2.0, cap=60.0, jitter=0.0, unit_random=0.0) == 0
