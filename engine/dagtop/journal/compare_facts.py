"""What two runs are compared by: how each task ended and how long it took, graph, policies and limits as they were at the end.

A small fold over a run's events: a million of them are a matter of seconds, and nothing of them is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from typing import Any

from dagtop.core.changes import OF_RESTART, changed_policy
from dagtop.core.described import breaker_of, described, policies_of
from dagtop.core.events import (
    AnyEvent,
    BreakerChanged,
    GraphChanged,
    LimitChanged,
    PolicyChanged,
    RunStarted,
    TaskBlocked,
    TaskCached,
    TaskCancelled,
    TaskFailed,
    TaskRestarted,
    TaskRetrying,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
    TaskTimedOut,
)
from dagtop.core.guards import Breaker
from dagtop.core.policy import DEFAULT_POLICY, TaskPolicy
from dagtop.core.values import dataclass
from dagtop.ports.journal import RunRecord, RunSummary, StoredRun

#: How a task stands that has not begun, and one that had begun when its process died.
NOT_BEGUN, BEGUN = "not begun", "begun"


@dataclass(slots=True)
class TaskFacts:
    """What is known of one task at the end of the run."""

    upstream: tuple[str, ...] = ()
    fingerprint: str = ""
    policy: TaskPolicy = DEFAULT_POLICY
    exceptions: Mapping[str, Any] = field(default_factory=dict)
    """Names of the exceptions that its retries are for, which a policy that was read back does not have."""
    state: str = NOT_BEGUN
    seconds: float | None = None
    """How long its successful attempt took; None if none did, or the result is from elsewhere."""
    attempts: int = 0
    error: str = ""
    """Type and message of its failure."""
    began_at: float = 0.0


@dataclass(slots=True)
class Facts:
    """What is known of one run at its end, or as far as it has come."""

    summary: RunSummary
    tasks: dict[str, TaskFacts] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    """Limits, and settings of breakers, by a name for people."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """From its first event to its latest one."""


def facts_of(stored: StoredRun) -> Facts:
    """Read a run to its end.

    Raises
    ------
    JournalError: it is damaged.
    """
    sessions = list(stored.sessions)
    fold = _Fold(Facts(stored.summary, inputs=stored.record.parameters))
    fold.begin(sessions.pop(0).record)
    take = fold.take
    later = sessions[0].first if sessions else 0
    for number, event in enumerate(stored.events(), 1):
        while later and later <= number:
            fold.begin(sessions.pop(0).record)
            later = sessions[0].first if sessions else 0
        take(event)
    for session in sessions:
        fold.begin(session.record)
    return fold.end()


def settings_of(facts: TaskFacts) -> dict[str, Any]:
    """A task's policy, each setting by the name that people give it."""
    policy, found = facts.policy, dict[str, Any](facts.exceptions)
    for one in fields(policy.retry):
        if one.name not in {"on", "not_on"}:
            found[one.name] = _plain(getattr(policy.retry, one.name))
    for name, own in OF_RESTART.items():
        found[name] = _plain(getattr(policy.restart, own))
    for one in fields(policy):
        if one.name not in {"retry", "restart", "extra"}:
            found[one.name] = _plain(getattr(policy, one.name))
    return found


def _plain(value: Any) -> Any:
    if hasattr(type(value), "__dataclass_fields__"):
        return described(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    return value.value if hasattr(value, "value") else value


class _Fold:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._first: float | None = None
        self._last = 0.0
        self._breakers: dict[str, dict[str, Any]] = {}
        self._before: RunRecord | None = None

    def begin(self, record: RunRecord) -> None:
        """A process takes the run up, with the graph as it has it."""
        tasks = self.facts.tasks
        if self._before is not None:
            for name in {*self._before.names} - {*record.names}:
                tasks.pop(name, None)
        self._before = record
        policies = policies_of(record.policies, record.policy, len(record.names))
        for index, name in enumerate(record.names):
            task = tasks.setdefault(name, TaskFacts())
            task.upstream = tuple(record.names[above] for above in record.upstream[index])
            task.fingerprint = record.fingerprints[index] if index < len(record.fingerprints) else ""
            task.policy, task.exceptions = policies[index], _exceptions(record, index)
        limits = {name: limit for name, limit in self.facts.limits.items() if name == "max_parallel"}
        setup = record.setup
        limits |= {f"pool {name}": limit for name, limit in setup.get("pools", {}).items()}
        limits |= {f"resource {name}": amount for name, amount in setup.get("resources", {}).items()}
        self._breakers = {name: dict(told) for name, told in setup.get("breakers", {}).items()}
        self.facts.limits = limits
        self._tell_breakers()

    def take(self, event: AnyEvent) -> None:
        """The next event."""
        if self._first is None:
            self._first = self._last = event.at
        elif event.at > self._last:
            self._last = event.at
        step = _STEPS.get(type(event))
        if step is not None:
            step(self, event)

    def end(self) -> Facts:
        """All of it."""
        self.facts.seconds = self._last - (self._first or 0.0)
        return self.facts

    def _task(self, name: str) -> TaskFacts:
        found = self.facts.tasks.get(name)
        if found is None:
            found = self.facts.tasks[name] = TaskFacts()
        return found

    def _started(self, event: TaskStarted) -> None:
        task = self._task(event.task)
        task.state, task.seconds, task.error, task.began_at = BEGUN, None, "", event.at
        task.attempts = max(task.attempts, event.attempt)

    def _succeeded(self, event: TaskSucceeded) -> None:
        task = self._task(event.task)
        task.seconds = event.at - task.began_at if task.state == BEGUN and not event.note else None
        task.state = "succeeded"

    def _retrying(self, event: TaskRetrying) -> None:
        self._task(event.task).error = f"{event.failure.error}: {event.failure.message}"

    def _ended_otherwise(self, event: TaskCached | TaskSkipped) -> None:
        task = self._task(event.task)
        task.state, task.seconds, task.error = event.type.removeprefix("task."), None, ""

    def _starts_over(self, event: TaskRestarted) -> None:
        task = self._task(event.task)
        task.state, task.seconds, task.error = NOT_BEGUN, None, ""

    def _run_started(self, event: RunStarted) -> None:
        self.facts.limits["max_parallel"] = event.max_parallel

    def _ended_badly(self, event: TaskFailed | TaskTimedOut | TaskBlocked | TaskCancelled) -> None:
        task = self._task(event.task)
        task.state, task.seconds = event.type.removeprefix("task."), None
        failure = event.failure
        task.error = f"{failure.error}: {failure.message}" if failure is not None else getattr(event, "reason", "")

    def _changed(self, event: LimitChanged | PolicyChanged | BreakerChanged | GraphChanged) -> None:
        match event:
            case LimitChanged() if event.what != "window":
                self.facts.limits[event.what.replace(":", " ", 1)] = event.limit
            case PolicyChanged():
                task = self._task(event.task)
                try:
                    task.policy = changed_policy(task.policy, event.changes)
                except (TypeError, ValueError):  # of another version of dagtop
                    return
            case BreakerChanged():
                self._breakers.setdefault(event.breaker, {}).update(event.changes)
                self._tell_breakers()
            case GraphChanged():
                for name in event.removed:
                    self.facts.tasks.pop(name, None)
                for added in event.added:
                    self._task(added.name).upstream = added.upstream
                for name, upstream in event.rewired.items():
                    self._task(name).upstream = upstream
            case _:
                pass

    def _tell_breakers(self) -> None:
        for name, told in self._breakers.items():
            spec: Breaker = breaker_of(name, told)
            for one in fields(spec):
                if one.name != "name":
                    self.facts.limits[f"breaker {name} {one.name}"] = _plain(getattr(spec, one.name))


def _exceptions(record: RunRecord, index: int) -> Mapping[str, Any]:
    if not record.policies:
        return {}
    which = record.policy[index] if index < len(record.policy) else 0
    retry = record.policies[which].get("retry", {}) if 0 <= which < len(record.policies) else {}
    return {name: retry[name] for name in ("on", "not_on") if name in retry}


#: What each kind of event does to the facts; the others, log lines above all, say nothing of them.
_STEPS: dict[type, Callable[[_Fold, Any], None]] = {
    TaskStarted: _Fold._started,
    TaskSucceeded: _Fold._succeeded,
    TaskRetrying: _Fold._retrying,
    TaskFailed: _Fold._ended_badly,
    TaskTimedOut: _Fold._ended_badly,
    TaskBlocked: _Fold._ended_badly,
    TaskCancelled: _Fold._ended_badly,
    TaskCached: _Fold._ended_otherwise,
    TaskSkipped: _Fold._ended_otherwise,
    TaskRestarted: _Fold._starts_over,
    RunStarted: _Fold._run_started,
    LimitChanged: _Fold._changed,
    PolicyChanged: _Fold._changed,
    BreakerChanged: _Fold._changed,
    GraphChanged: _Fold._changed,
}
