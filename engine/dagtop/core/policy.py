"""What decides how one task is run: retries, timeouts, trigger rules, order. Values that check themselves when built."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from dagtop.core.backoff import Backoff

_E = TypeVar("_E", bound=StrEnum)


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
    if not _is_between(value, -sys.float_info.max, sys.float_info.max):
        raise ValueError(f"{name} must be a number of seconds, not {value!r}")
    assert isinstance(value, (int, float))
    if value < 0 or (positive and value == 0):
        raise ValueError(f"{name} must be {'more than 0' if positive else 'at least 0'} seconds, not {value!r}")


def _is_between(value: object, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _exception_types(name: str, value: object) -> tuple[type[BaseException], ...]:
    given: tuple[object, ...] = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    types = tuple(kind for kind in given if isinstance(kind, type) and issubclass(kind, BaseException))
    if len(types) < len(given):
        raise ValueError(f"{name} must be exception types, not {value!r}")
    return types


class Trigger(StrEnum):
    """Which endings of its upstream let a task start."""

    ALL_SUCCESS = "all_success"
    """Every upstream task succeeded."""
    ANY_SUCCESS = "any_success"
    """At least one upstream task succeeded; it starts with the first one."""
    ALL_DONE = "all_done"
    """Every upstream task has ended, however."""
    NONE_FAILED = "none_failed"
    """Every upstream task has ended and none failed: skipped ones are fine (a join after an if/else)."""


class OnUpstreamFailure(StrEnum):
    """What becomes of a task whose trigger rule can no longer be met."""

    SKIP = "skip"
    """It is skipped, and says because of whom."""
    FAIL = "fail"
    """It fails, and says because of whom."""
    RUN = "run"
    """It runs all the same, with None in place of the outputs that are missing."""


class BackendName(StrEnum):
    """Where the code of a task runs."""

    ASYNC = "async"
    """On the engine's event loop: `async def` functions."""
    THREAD = "thread"
    """In a worker thread: plain functions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often, how soon and after what a failed attempt is tried again.

    Parameters
    ----------
    retries: further attempts after the first one, 0 or more.
    backoff: "none", "linear" or "exponential" growth of the delay.
    base: first delay in seconds.
    factor: growth per attempt of the exponential delay.
    cap: longest delay in seconds.
    jitter: share of the delay, 0 to 1, that chance may take away.
    on: exception types that are tried again.
    not_on: exception types that never are; wins over `on`.

    Raises
    ------
    ValueError: a value is out of its range.
    """

    retries: int = 3
    backoff: Backoff | str = Backoff.EXPONENTIAL
    base: float = 1.0
    factor: float = 2.0
    cap: float = 60.0
    jitter: float = 0.0
    on: tuple[type[BaseException], ...] = (Exception,)
    not_on: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "backoff", one_of(Backoff, self.backoff, "backoff"))
        check_count("retries", self.retries, least=0)
        check_seconds("base", self.base)
        check_seconds("cap", self.cap)
        if not _is_between(self.factor, 1, sys.float_info.max):
            raise ValueError(f"factor must be a finite number of at least 1, not {self.factor!r}")
        if not _is_between(self.jitter, 0, 1):
            raise ValueError(f"jitter must be between 0 and 1, not {self.jitter!r}")
        for name in ("on", "not_on"):
            object.__setattr__(self, name, _exception_types(name, getattr(self, name)))


#: The policy of a task that is given no retries.
NO_RETRY = Retry(retries=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPolicy:
    """Everything that decides how one task is run, and that may be changed while the run goes on."""

    retry: Retry = NO_RETRY
    timeout: float | None = None
    """Longest an attempt may take, in seconds."""
    retry_on_timeout: bool = True
    trigger: Trigger | str = Trigger.ALL_SUCCESS
    on_upstream_failure: OnUpstreamFailure | str = OnUpstreamFailure.SKIP
    priority: int = 0
    """Higher starts first."""
    cost: float = 1.0
    """How long the task is expected to take; only the proportions matter."""
    tags: tuple[str, ...] = ()
    description: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Options that only a part of the engine reads."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trigger", one_of(Trigger, self.trigger, "trigger"))
        object.__setattr__(
            self, "on_upstream_failure", one_of(OnUpstreamFailure, self.on_upstream_failure, "on_upstream_failure")
        )
        if self.timeout is not None:
            check_seconds("timeout", self.timeout, positive=True)
        if isinstance(self.priority, bool) or not isinstance(self.priority, int):
            raise ValueError(f"priority must be a whole number, not {self.priority!r}")
        check_seconds("cost", self.cost)

    @property
    def attempts_allowed(self) -> int:
        """How many attempts there are at most."""
        return self.retry.retries + 1


DEFAULT_POLICY = TaskPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """What decides how a whole run goes."""

    max_parallel: int = 32
    """How many attempts may be in progress at once."""
    fail_fast: bool = False
    """After the first failure nothing new starts; what runs goes on."""
    run_timeout: float | None = None
    """Longest the run may take, in seconds."""
    cancel_grace: float = 10.0
    """How long a run that is being cancelled waits for tasks that do not stop, in seconds."""

    def __post_init__(self) -> None:
        check_count("max_parallel", self.max_parallel, least=1)
        if self.run_timeout is not None:
            check_seconds("run_timeout", self.run_timeout, positive=True)
        check_seconds("cancel_grace", self.cancel_grace)
