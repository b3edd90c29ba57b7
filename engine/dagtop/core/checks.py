"""Values that are looked at when they are given: one sentence of error for each, with what was given."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TypeGuard, TypeVar

_E = TypeVar("_E", bound=StrEnum)

#: So many replicas a task may have: a slip of the key shall not take all memory.
MOST_REPLICAS = 100_000


def is_count(value: object) -> TypeGuard[int]:
    """Whether a task can have so many replicas."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_REPLICAS


def one_of(enum: type[_E], value: object, name: str) -> _E:
    """The member of `enum` that `value` names.

    Raises
    ------
    ValueError: no member has that name; the message lists the ones there are.
    """
    try:
        return enum(str(value))
    except ValueError:
        known = ", ".join(repr(member.value) for member in enum)
        raise ValueError(f"{name} must be one of {known}, not {value!r}") from None


def check_count(name: str, value: object, *, least: int) -> None:
    """Refuse anything but a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")


def check_seconds(name: str, value: object, *, positive: bool = False) -> None:
    """Refuse anything but a finite number of seconds, above zero if `positive`."""
    if not is_between(value, -sys.float_info.max, sys.float_info.max):
        raise ValueError(f"{name} must be a number of seconds, not {value!r}")
    assert isinstance(value, (int, float))
    if value < 0 or (positive and value == 0):
        raise ValueError(f"{name} must be {'more than 0' if positive else 'at least 0'} seconds, not {value!r}")


def is_between(value: object, least: float, most: float) -> bool:
    """Whether it is a number in that range, both ends included."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
