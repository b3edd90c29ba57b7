"""Options by name: what there is, what it takes, and the nearest name when there is no such option."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, fields, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dagtop.core.checks import one_of
from dagtop.core.guards import Breaker, Gate, Pool, check_amounts
from dagtop.core.nearest import nearest
from dagtop.core.policy import NO_RETRY, BackendName, Retry, RunPolicy, TaskPolicy, exception_types
from dagtop.core.restart import Restart
from dagtop.core.values import dataclass
from dagtop.errors import Flaw
from dagtop.graph.restart_options import RESTART_OPTIONS, as_restart, probes_of, restart_of

if TYPE_CHECKING:
    from dagtop.core.schedule import Schedule

#: Options that the design names and this version does not have yet: said so, never ignored in silence.
LATER_TASK_OPTIONS: frozenset[str] = frozenset()
LATER_GRAPH_OPTIONS: frozenset[str] = frozenset()

_POLICY_OPTIONS = (
    "timeout",
    "retry_on_timeout",
    "trigger",
    "on_upstream_failure",
    "priority",
    "cost",
    "circuit",
    "pool",
    "resources",
    "gate",
    "tags",
    "description",
)
TASK_OPTIONS = (
    "depends_on",
    "retries",
    "retry_on",
    "no_retry_on",
    "backend",
    "when",
    "cache",
    "setup",
    "teardown",
    "replicas",
    *RESTART_OPTIONS,
    *_POLICY_OPTIONS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorConfig:
    """How a graph is run. None takes what the graph says, or else the default.

    Parameters
    ----------
    max_parallel: attempts in progress at once; 32 unless the graph says otherwise.
    adaptive: let the number of attempts in progress follow how the tasks fare, between `min_parallel` and `max_parallel`.
    min_parallel: how far that may go down; 1 unless given.
    pools: limits for tasks that name them with `pool=`: a number of attempts at once or a `Pool`, by name.
    resources: how much there is of what tasks take with `resources=`, by name.
    breakers: circuit breakers that are not made with the defaults, see `Breaker`.
    fail_fast: after the first failure start nothing new; what runs goes on.
    run_timeout: longest the run may take, in seconds.
    cancel_grace: how long a run that is being cancelled waits for tasks that do not stop, in seconds; 10 unless given.
    default_timeout: timeout of an attempt, in seconds, for tasks that give none and are not started again by a restart policy.
    default_retries: retries (a number or a `Retry`) for tasks that give none.
    default_restart: "no", "on-failure", "always" or a `Restart`, for tasks that do not say when they are started again.
    backend: where plain functions run that do not say so themselves: "thread" (the default), "process" or "dask".
    dask: address of a Dask scheduler, such as "tcp://10.0.0.1:8786"; without one dagtop starts two Dask workers on this machine
        when a task has `backend="dask"`.
    inputs: values for parameters that are no tasks, by name; they win over the graph's own.
    cache: where tasks with `cache=` keep what they return: the path of a SQLite file. None takes the journal's file, or else
        the memory of this process. False takes nothing from there; every task runs, and what it returns is stored anew.
    on_event: called with every event: a plain function on a thread of its own, an async one on the loop. What it raises is
        shown, not fatal.
    on_escalation: called with the `EscalationReport` of each task that fails for good; sync or async, like `on_event`.
    cancel_event: a `threading.Event`, or one of asyncio, anyio or trio: when it is set, the run is cancelled.
    every, cron, at: when `Scheduled` and the command line run it, again and again; one of them. Seconds or a text such as "15m",
        counted from when the waiting begins; a cron line such as "0 2 * * *"; a datetime, a text such as "2026-12-24 18:00", or a
        list of them.
    timezone: where cron and `at` are meant, such as "Europe/Berlin"; the machine's unless given.
    missed: what becomes of due times while the machine slept or the previous run went on: "skip" (the default), "once", "all".
    overlap: what becomes of a due time while the previous run goes on: "skip" (it is missed), "queue", "cancel" the previous run.

    Raises
    ------
    ValueError: a value is out of its range.
    """

    max_parallel: int | None = None
    adaptive: bool | None = None
    min_parallel: int | None = None
    pools: Mapping[str, int | Pool] | None = None
    resources: Mapping[str, int] | None = None
    breakers: Iterable[Breaker] | None = None
    fail_fast: bool | None = None
    run_timeout: float | None = None
    cancel_grace: float | None = None
    default_timeout: float | None = None
    default_retries: int | Retry | None = None
    default_restart: str | Restart | None = None
    backend: str | None = None
    dask: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    on_event: Callable[[Any], Any] | None = None
    on_escalation: Callable[[Any], Any] | None = None
    cancel_event: Any = None
    cache: str | os.PathLike[str] | bool | None = None
    every: Any = None
    cron: str | None = None
    at: Any = None
    timezone: str | None = None
    missed: str | None = None
    overlap: str | None = None

    def __post_init__(self) -> None:
        self.run_policy()
        self.schedule()
        if self.default_timeout is not None:
            TaskPolicy(timeout=self.default_timeout)
        if self.default_retries is not None:
            as_retry(self.default_retries)
        if self.default_restart is not None:
            as_restart(self.default_restart)
        if self.backend is not None and one_of(BackendName, self.backend, "backend") is BackendName.ASYNC:
            raise ValueError(
                "backend is for plain functions: 'thread', 'process' or 'dask'; async ones run on the loop"
            )
        if self.dask is not None and not (isinstance(self.dask, str) and self.dask.strip()):
            raise ValueError(
                f"dask must be the address of a scheduler such as 'tcp://10.0.0.1:8786', not {self.dask!r}"
            )
        if not isinstance(self.inputs, Mapping):
            raise ValueError(f"inputs must be a mapping of names to values, not {self.inputs!r}")
        if self.on_event is not None and not callable(self.on_event):
            raise ValueError(f"on_event must be callable, not {self.on_event!r}")
        if self.on_escalation is not None and not callable(self.on_escalation):
            raise ValueError(f"on_escalation must be callable, not {self.on_escalation!r}")
        if self.cache is True or not isinstance(self.cache, (str, os.PathLike, bool, type(None))):
            raise ValueError(f"cache must be the path of a file, or False to take nothing from it, not {self.cache!r}")
        if self.cancel_event is not None and not _is_event(self.cancel_event):
            raise ValueError(
                f"cancel_event must be an Event of threading, asyncio, anyio or trio, not {self.cancel_event!r}"
            )

    def run_policy(self) -> RunPolicy:
        """The part of it that the machine goes by."""
        names = ("max_parallel", "adaptive", "min_parallel", "fail_fast", "run_timeout", "cancel_grace")
        given: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.pools is not None:
            given["pools"] = _pools(self.pools)
        if self.resources is not None:
            given["resources"] = check_amounts("resources", self.resources, least=1)
        if self.breakers is not None:
            given["breakers"] = _breakers(self.breakers)
        return RunPolicy(**{name: value for name, value in given.items() if value is not None})

    def schedule(self) -> Schedule | None:
        """When it is due; None if it says nothing of that."""
        given = {name: getattr(self, name) for name in (*_WHEN, *_HOW)}
        if all(value is None for value in given.values()):
            return None
        from dagtop.core.schedule import schedule_of  # noqa: PLC0415 - only where something is scheduled
        from dagtop.graph.zones import zone_named  # noqa: PLC0415 - as above

        if self.timezone is not None:
            zone_named(self.timezone)
        return schedule_of(**given)

    @property
    def idle_schedule_options(self) -> str:
        """What says how a schedule is kept, where there is none: "timezone= and missed="; "" if that is as it should be."""
        if any(getattr(self, name) is not None for name in _WHEN):
            return ""
        return " and ".join(f"{name}=" for name in _HOW if getattr(self, name) is not None)

    def over(self, base: ExecutorConfig) -> ExecutorConfig:
        """This config, with what it leaves open taken from `base`."""
        chosen: dict[str, Any] = {}
        says_when = any(getattr(self, name) is not None for name in _WHEN)
        for item in fields(self):
            own = getattr(self, item.name)
            under = None if says_when and item.name in _WHEN else getattr(base, item.name)
            if own is None:
                chosen[item.name] = under
            elif item.name in _MERGED and under is not None:
                chosen[item.name] = {**under, **own}
            else:
                chosen[item.name] = own
        return ExecutorConfig(**chosen)


#: Options of which a run adds its own to those of the graph, name by name.
_MERGED = frozenset({"inputs", "pools", "resources"})

#: Options of which one says when a graph is due.
_WHEN = ("every", "cron", "at")

#: Options that mean something only beside one of those.
_HOW = ("timezone", "missed", "overlap")

GRAPH_OPTIONS = tuple(item.name for item in fields(ExecutorConfig))


def _is_event(value: object) -> bool:
    return not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in ("is_set", "wait"))


def _pools(value: object) -> dict[str, Pool]:
    if not isinstance(value, Mapping):
        raise ValueError(f'pools must be a mapping such as {{"db": 4}}, not {value!r}')
    found: dict[str, Pool] = {}
    for name, limit in value.items():
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"the name of a pool must be a text that is not empty, not {name!r}")
        if not isinstance(limit, (int, Pool)):
            raise ValueError(
                f"pool {name!r} must be a whole number of attempts at once, such as 4, or a Pool with a rate per second, such as "
                f"Pool(4, rate=10), not {limit!r}"
            )
        found[name] = limit if isinstance(limit, Pool) else Pool(limit)
    return found


def _breakers(value: object) -> dict[str, Breaker]:
    listed = list(value) if isinstance(value, Iterable) else [value]
    found: dict[str, Breaker] = {}
    for breaker in listed:
        if not isinstance(breaker, Breaker):
            raise ValueError(f"breakers must be a list of Breaker objects, not {breaker!r}")
        if breaker.name in found:
            raise ValueError(f"there are two breakers named {breaker.name!r}")
        found[breaker.name] = breaker
    return found


def as_retry(value: object) -> Retry:
    """A number of retries, or a `Retry`, as a `Retry`.

    Raises
    ------
    ValueError: it is neither.
    """
    if isinstance(value, Retry):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"retries must be a whole number or a Retry, not {value!r}")
    return Retry(retries=value)


def task_policy(
    options: Mapping[str, Any],
    *,
    timeout: float | None,
    retries: int | Retry | None,
    restart: str | Restart | None = None,
) -> TaskPolicy:
    """The policy that a task's options and the graph's defaults make.

    Raises
    ------
    ValueError: a value is out of its range.
    """
    given = {name: options[name] for name in _POLICY_OPTIONS if options.get(name) is not None}
    if "tags" in given:
        given["tags"] = (given["tags"],) if isinstance(given["tags"], str) else tuple(given["tags"])
        if not all(isinstance(tag, str) for tag in given["tags"]):
            raise ValueError(f"tags must be texts, not {options['tags']!r}")
    if not isinstance(given.get("description", ""), str):
        raise ValueError(f"description must be a text, not {given['description']!r}")
    if not isinstance(given.get("retry_on_timeout", True), bool):
        raise ValueError(f"retry_on_timeout must be True or False, not {given['retry_on_timeout']!r}")
    given["restart"] = restart_of(options, restart)
    given |= probes_of(options)
    usual = None if given["restart"].is_on else timeout  # which is for tasks that come to an end (B33)
    given["timeout"] = options.get("timeout", usual)  # None is no timeout, whatever the default is
    if "gate" in given:
        given["gate"] = _gate(given["gate"])
    chosen = options.get("retries", retries)
    if chosen is not None:
        given["retry"] = as_retry(chosen)
    kinds = {
        own: exception_types(name, options[name])
        for name, own in (("retry_on", "on"), ("no_retry_on", "not_on"))
        if options.get(name) is not None
    }
    if kinds:
        given["retry"] = replace(given.get("retry", NO_RETRY), **kinds)
    return TaskPolicy(**given)


def _gate(value: object) -> Gate | None:
    if value is True:
        return Gate()
    if value is False or value is None:
        return None
    if isinstance(value, str):
        return Gate(prompt=value)
    if not isinstance(value, Gate):
        raise ValueError(f"gate must be True, a question, or a Gate, not {value!r}")
    return value


def backend_of(options: Mapping[str, Any], *, is_async: bool) -> BackendName:
    """Where the task's code is to run.

    Raises
    ------
    ValueError: there is no such place, or the function does not fit it.
    """
    if options.get("backend") is None:
        return BackendName.ASYNC if is_async else BackendName.THREAD
    backend = one_of(BackendName, options["backend"], "backend")
    if is_async and backend is not BackendName.ASYNC:
        raise ValueError("an async function runs on the event loop: leave backend out, or write the function with def")
    if not is_async and backend is BackendName.ASYNC:
        raise ValueError("backend 'async' needs an async function: write it with async def, or leave backend out")
    check_installed(backend)
    return backend


def check_installed(backend: BackendName) -> None:
    """See whether what the backend needs is there, without loading it.

    Raises
    ------
    ValueError: it is not.
    """
    if backend is BackendName.DASK and find_spec("distributed") is None:
        raise ValueError("backend 'dask' needs Dask, which is not installed: pip install 'dagtop[dask]'")


def option_errors(options: Mapping[str, Any], *, is_async: bool) -> list[str]:
    """What is wrong with each option, looked at by itself."""
    errors: list[str] = []
    for name, value in options.items():
        try:
            if name == "backend":
                backend_of({name: value}, is_async=is_async)
            else:
                task_policy({name: value}, timeout=None, retries=None)
        except (TypeError, ValueError) as error:
            errors.append(str(error))
    return errors


def unknown_options(given: Iterable[str], known: Iterable[str], later: Iterable[str], place: str) -> list[Flaw]:
    """A flaw for every option that does not exist, with the nearest name that does."""
    known, later = set(known), set(later)
    flaws: list[Flaw] = []
    for name in given:
        if name in later:
            flaws.append(Flaw(f"option {name!r} is not in this version of dagtop yet: leave it out", place))
        elif name not in known:
            called_here = next((option for option in OTHER_WORDS.get(name, ()) if option in known), None)
            hint = f"; here it is {called_here!r}" if called_here else nearest(name, known)
            flaws.append(Flaw(f"there is no option {name!r}{hint}", place))
    return flaws


def _words(option: str, *words: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(words, tuple(option.split()))


#: What other tools call our options. Of several the first one that exists where the word was written.
OTHER_WORDS = {
    **_words("max_parallel", "max_workers", "workers", "num_workers", "n_jobs", "jobs", "threads", "concurrency"),
    **_words("max_parallel", "max_concurrency", "max_concurrent", "parallelism", "parallel"),
    **_words("retries default_retries", "retry", "max_retries", "max_attempts", "attempts", "retries"),
    **_words("default_timeout", "timeout", "task_timeout"),
    **_words("depends_on", "deps", "dependencies", "depends", "needs", "requires", "after", "upstream"),
    **_words("circuit breakers", "breaker", "circuit_breaker"),
    **_words("when", "condition", "if_", "run_if", "skip_if"),
    **_words("gate", "approval", "approve", "confirm"),
    **_words("trigger", "trigger_rule", "rule"),
    **_words("inputs", "params", "parameters", "args", "kwargs"),
    **_words("cost", "weight", "duration"),
    **_words("backend", "executor", "runner"),
    **_words("description", "doc", "help"),
    **_words("every", "interval", "period"),
    **_words("cron", "schedule", "crontab", "cron_schedule"),
    **_words("timezone", "tz", "time_zone"),
}
