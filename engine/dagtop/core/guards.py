"""What a task may have to wait for besides its upstream and a slot: breakers, pools, resources, a person's word."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from dagtop.core.checks import check_count, check_seconds, is_between, one_of
from dagtop.core.values import dataclass


class BreakerState(StrEnum):
    """Where a circuit breaker is."""

    CLOSED = "closed"
    """Attempts go through."""
    OPEN = "open"
    """No attempt goes through before the recovery timeout is over."""
    HALF_OPEN = "half_open"
    """One attempt at a time goes through, to see whether the service is back."""


class OnOpen(StrEnum):
    """What becomes of a task whose breaker is not closed."""

    WAIT = "wait"
    """It waits; no attempt is used."""
    FAIL = "fail"
    """It fails, and says because of which breaker."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """A circuit breaker, shared by all tasks of the process that name it with `circuit=`.

    Parameters
    ----------
    name: what tasks call it by.
    failure_threshold: failures that open it: in a row, or at least so many within `window`.
    recovery_timeout: seconds from opening to the first probe.
    success_threshold: successful probes that close it again.
    window: seconds over which failures are counted; None counts failures in a row.
    failure_rate: share of the attempts within `window`, above 0 and at most 1, that must have failed as well.
    on_open: "wait" or "fail".

    Raises
    ------
    ValueError: a value is out of its range.
    """

    name: str
    failure_threshold: int = 5
    recovery_timeout: float = 30.0
    success_threshold: int = 1
    window: float | None = None
    failure_rate: float | None = None
    on_open: OnOpen | str = OnOpen.WAIT

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"the name of a breaker must be a text that is not empty, not {self.name!r}")
        check_count("failure_threshold", self.failure_threshold, least=1)
        check_count("success_threshold", self.success_threshold, least=1)
        check_seconds("recovery_timeout", self.recovery_timeout)
        if self.window is not None:
            check_seconds("window", self.window, positive=True)
        if self.failure_rate is not None:
            check_seconds("failure_rate", self.failure_rate, positive=True)
            if self.failure_rate > 1:
                raise ValueError(f"failure_rate must be at most 1, not {self.failure_rate!r}")
            if self.window is None:
                raise ValueError("failure_rate needs a window: the seconds over which it is counted")
        object.__setattr__(self, "on_open", one_of(OnOpen, self.on_open, "on_open"))


@dataclass(frozen=True, slots=True)
class Pool:
    """A limit of its own for the tasks that name it with `pool=`.

    Parameters
    ----------
    limit: attempts in progress at once.
    rate: attempts that may start per second; None for as many as `limit` allows.
    burst: attempts that may start at once after a quiet time, when there is a `rate`; 1 unless given.

    Raises
    ------
    ValueError: a value is out of its range.
    """

    limit: int
    rate: float | None = None
    burst: int = 1

    def __post_init__(self) -> None:
        check_count("the limit of a pool", self.limit, least=1)
        check_count("burst", self.burst, least=1)
        if self.rate is not None and not (is_between(self.rate, 0, sys.float_info.max) and self.rate > 0):
            raise ValueError(
                "rate must be a number of attempts per second above 0, such as 10, or 0.5 for one every two seconds, "
                f"not {self.rate!r}"
            )


class Ruling(StrEnum):
    """What is decided at a gate."""

    APPROVE = "approve"
    REJECT = "reject"


class OnReject(StrEnum):
    """What becomes of a task that is rejected at its gate."""

    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A task stops here, when all else would let it start, until somebody approves or rejects it.

    Parameters
    ----------
    prompt: what the person is asked.
    timeout: seconds to wait for an answer; None for ever.
    on_timeout: "reject" or "approve": what then.
    on_reject: "fail" or "skip": what becomes of a rejected task.

    Raises
    ------
    ValueError: a value is out of its range.
    """

    prompt: str = ""
    timeout: float | None = None
    on_timeout: Ruling | str = Ruling.REJECT
    on_reject: OnReject | str = OnReject.FAIL

    def __post_init__(self) -> None:
        if not isinstance(self.prompt, str):
            raise ValueError(f"prompt must be a text, not {self.prompt!r}")
        if self.timeout is not None:
            check_seconds("timeout of a gate", self.timeout, positive=True)
        object.__setattr__(self, "on_timeout", one_of(Ruling, self.on_timeout, "on_timeout"))
        object.__setattr__(self, "on_reject", one_of(OnReject, self.on_reject, "on_reject"))


#: Nothing of anything.
NO_RESOURCES: Mapping[str, int] = MappingProxyType({})


def check_amounts(name: str, value: object, *, least: int) -> dict[str, int]:
    """A mapping of names to whole numbers of at least `least`, as a dict of its own.

    Raises
    ------
    ValueError: it is something else.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f'{name} must be a mapping such as {{"gpu": 1}}, not {value!r}')
    for key, amount in value.items():
        if not isinstance(key, str) or not key.strip():
            raise ValueError(f"the names in {name} must be texts that are not empty, not {key!r}")
        check_count(f"{name}[{key!r}]", amount, least=least)
    return dict(value)
