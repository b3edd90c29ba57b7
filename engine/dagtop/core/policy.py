"""What decides how one task is run: retries, timeouts, trigger rules, order. Values that check themselves when built."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Any, cast

from dagtop.core.backoff import Backoff
from dagtop.core.checks import check_count, check_seconds, is_between, one_of
from dagtop.core.guards import NO_RESOURCES, Breaker, Gate, Pool, check_amounts
from dagtop.core.restart import NO_RESTART, Probe, Restart
from dagtop.core.values import dataclass


def exception_types(name: str, value: object) -> tuple[type[BaseException], ...]:
    """One exception type, or a list of them, as a tuple.

    Raises
    ------
    ValueError: something else is among them.
    """
    given: tuple[object, ...] = tuple(value) if isinstance(value, (tuple, list, set, frozenset)) else (value,)
    for kind in given:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            way_out = ": write the type itself, without quotes, such as OSError" if isinstance(kind, str) else ""
            raise ValueError(f"{name} must be exception types, not {kind!r}{way_out}")
    return cast("tuple[type[BaseException], ...]", given)


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
    PROCESS = "process"
    """In a worker process: plain functions whose arguments and outputs can be pickled."""
    DASK = "dask"
    """On a Dask cluster: plain functions whose arguments and outputs can be pickled."""


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

    retries: int = field(default=3, kw_only=False)
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
        if not is_between(self.factor, 1, sys.float_info.max):
            raise ValueError(f"factor must be a finite number of at least 1, not {self.factor!r}")
        if not is_between(self.jitter, 0, 1):
            raise ValueError(f"jitter must be between 0 and 1, not {self.jitter!r}")
        for name in ("on", "not_on"):
            object.__setattr__(self, name, exception_types(name, getattr(self, name)))


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
    cost: float | None = None
    """How long the task is expected to take; only the proportions matter. None: what it took in earlier runs, else 1."""
    circuit: str = ""
    """Name of the circuit breaker that it asks before every attempt; "" for none."""
    pool: str = ""
    """Name of the pool that it runs in; "" for none."""
    resources: Mapping[str, int] = field(default_factory=lambda: NO_RESOURCES)
    """How much of each resource an attempt takes."""
    gate: Gate | None = None
    """Where it stops for a person's word before it starts."""
    restart: Restart = NO_RESTART
    """Whether and how it is started again when it has ended."""
    ready: Probe | None = None
    """How one sees that what depends on it may start."""
    alive: Probe | None = None
    """How one sees that it is well."""
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
        if self.cost is not None:
            check_seconds("cost", self.cost)
        for name in ("circuit", "pool"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, "")
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be a name, not {getattr(self, name)!r}")
        if self.resources is not NO_RESOURCES:
            object.__setattr__(self, "resources", check_amounts("resources", self.resources, least=0))

    @property
    def is_guarded(self) -> bool:
        """Whether an attempt needs more than a slot."""
        return bool(self.circuit or self.pool or self.resources)

    @property
    def is_supervised(self) -> bool:
        """Whether it is started again, or has a probe."""
        return self.restart.is_on or self.ready is not None or self.alive is not None

    @property
    def weight(self) -> float:
        """The declared cost, else 1."""
        return 1.0 if self.cost is None else self.cost

    @property
    def attempts_allowed(self) -> int:
        """How many attempts there are at most."""
        return self.retry.retries + 1


DEFAULT_POLICY = TaskPolicy()


def says_the_same(one: TaskPolicy, other: TaskPolicy) -> bool:
    """Whether two policies mean the same to people: a type of errors whose module was read again is the one that it was."""
    if one is other or one == other:
        return True
    return _names_of_types(one.retry) == _names_of_types(other.retry) and _without_types(one) == _without_types(other)


def _names_of_types(retry: Retry) -> list[list[str]]:
    return [[f"{kind.__module__}.{kind.__qualname__}" for kind in kinds] for kinds in (retry.on, retry.not_on)]


def _without_types(policy: TaskPolicy) -> TaskPolicy:
    return replace(policy, retry=replace(policy.retry, on=(), not_on=()))


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
    adaptive: bool = False
    """The number of attempts in progress follows how the tasks fare, between `min_parallel` and `max_parallel`."""
    min_parallel: int = 1
    """How far an adaptive limit may go down."""
    pools: Mapping[str, Pool] = field(default_factory=dict)
    """The pools that tasks may name."""
    resources: Mapping[str, int] = field(default_factory=lambda: NO_RESOURCES)
    """How much there is of each resource."""
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    """The breakers that are not made with the defaults, by name."""
    supervises: bool = False
    """Whether a desired state is kept: a change of the graph replaces what changed and disturbs nothing else."""

    def __post_init__(self) -> None:
        check_count("max_parallel", self.max_parallel, least=1)
        check_count("min_parallel", self.min_parallel, least=1)
        if self.adaptive and self.min_parallel > self.max_parallel:
            raise ValueError(f"min_parallel ({self.min_parallel}) must not be above max_parallel ({self.max_parallel})")
        if self.run_timeout is not None:
            check_seconds("run_timeout", self.run_timeout, positive=True)
        check_seconds("cancel_grace", self.cancel_grace)
