"""What keeps a task at its desired state: when it is started again, how soon, how often, and how one sees that it is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from enum import StrEnum
from typing import Any

from dagtop.core.checks import check_count, check_seconds, is_between, one_of
from dagtop.core.values import dataclass

#: So many failures in a row, none of them after a healthy run, are a crash loop: people are told.
CRASH_LOOP = 5


class RestartPolicy(StrEnum):
    """After which endings a task is started again."""

    NO = "no"
    """After none."""
    ON_FAILURE = "on-failure"
    """After it failed, ran out of time, or was not well any more."""
    ALWAYS = "always"
    """After every ending but one that a person wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """When, how soon and how often a task is started again.

    Restart n comes `0, base, 2·base, 4·base, …` seconds after the end of the last run, at most `cap`.

    Parameters
    ----------
    policy: "no", "on-failure" or "always".
    max_restarts: restarts after a failure that are allowed; then the task is BLOCKED. None: 5 for "on-failure", and as many as it
        takes, which -1 says of any, for "always". Restarts after a
        success do not count.
    base: the delay before the second restart, in seconds.
    cap: longest delay in seconds.
    jitter: share of the delay, 0 to 1, that chance may take away.
    reset_after: a task that has run for so many seconds was healthy: delays and restarts are counted from the beginning again.

    Raises
    ------
    ValueError: a value is out of its range.
    """

    policy: RestartPolicy | str = RestartPolicy.ON_FAILURE
    max_restarts: int | None = None
    base: float = 1.0
    cap: float = 60.0
    jitter: float = 0.0
    reset_after: float = 60.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "policy", one_of(RestartPolicy, self.policy, "restart"))
        if self.max_restarts is not None:
            check_count("max_restarts", self.max_restarts, least=NO_CEILING)
        check_seconds("restart_backoff", self.base)
        check_seconds("cap", self.cap)
        check_seconds("reset_after", self.reset_after)
        if not is_between(self.jitter, 0, 1):
            raise ValueError(f"jitter must be between 0 and 1, not {self.jitter!r}")

    @property
    def is_on(self) -> bool:
        """Whether the task is started again after any ending at all."""
        return self.policy is not RestartPolicy.NO

    def delay(self, restart: int, unit_random: float) -> float:
        """Seconds between the end of a run and the restart of this number, from 1."""
        if restart <= 1:
            return 0.0
        growth = self.base * 2.0 ** min(restart - 2, 1000)
        return float(min(self.cap, growth) * (1.0 - self.jitter * unit_random))


#: Of a task that is not started again.
NO_RESTART = Restart(policy=RestartPolicy.NO)

#: As a ceiling: as many restarts as it takes.
NO_CEILING = -1

#: Restarts after a failure that are allowed where nothing is said: as many as it takes only for what is to run always.
CEILING = 5


def ceiling_of(restart: Restart) -> int | None:
    """How many restarts after a failure a policy allows; None: as many as it takes."""
    if restart.max_restarts is None:
        return CEILING if restart.policy is RestartPolicy.ON_FAILURE else None
    return None if restart.max_restarts == NO_CEILING else restart.max_restarts


class ProbeKind(StrEnum):
    """What a probe finds out."""

    READY = "ready"
    """Whether a running task does what it is there for: then what depends on it may start."""
    ALIVE = "alive"
    """Whether it still does: if not, it is stopped and, by its policy, started again."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How one sees from outside whether a running task is well.

    Parameters
    ----------
    check: a function, async or not; its parameters are those of a task. False, or an exception, says no; anything else says yes.
    interval: seconds from one answer to the next question.
    threshold: answers in a row that count: yes for `ready=`, no for `alive=`.
    timeout: seconds after which no answer is a no.
    delay: seconds from the start of the task to the first question.

    Raises
    ------
    ValueError: a value is out of its range.
    """

    check: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    interval: float = 1.0
    threshold: int | None = None
    timeout: float = 5.0
    delay: float = 0.0
    mark: str = field(default="", repr=False)
    """Tells the code of `check` from other code, where two versions of a graph are compared; made when the graph is checked."""

    def __post_init__(self) -> None:
        if self.check is not None and not callable(self.check):
            raise ValueError(f"a probe must be a function, not {self.check!r}")
        check_seconds("interval", self.interval, positive=True)
        if self.threshold is not None:
            check_count("threshold", self.threshold, least=1)
        check_seconds("timeout", self.timeout, positive=True)
        check_seconds("delay", self.delay)
