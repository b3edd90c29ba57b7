"""What is in use of pools, resources and probes, counted from events alone: the machine's own counters are not asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dagtop.core import events as ev
from dagtop.core.plan import Plan
from dagtop.core.policy import RunPolicy, TaskPolicy
from dagtop.core.restart import CEILING, NO_CEILING, RestartPolicy

_ENDS = (
    ev.TaskSucceeded,
    ev.TaskFailed,
    ev.TaskTimedOut,
    ev.TaskCancelled,
    ev.TaskRetrying,
    ev.TaskBlocked,
    ev.TaskRestarted,
    ev.TaskRestarting,
    ev.TaskSkipped,
)


#: Of these there is one in each life of a task.
_TERMINAL = (
    ev.TaskSucceeded,
    ev.TaskCached,
    ev.TaskFailed,
    ev.TaskTimedOut,
    ev.TaskBlocked,
    ev.TaskCancelled,
    ev.TaskSkipped,
)


class Books:
    """Takes every event of a run, and complains when more is in use than there is, or a task lives otherwise than it may."""

    def __init__(self, policy: RunPolicy) -> None:
        self.limits = {**{f"pool {name}": pool.limit for name, pool in policy.pools.items()}, **policy.resources}
        self.in_use: Counter[str] = Counter()
        self._taken: dict[str, Counter[str]] = {}
        self._breakers: dict[str, str] = {}
        self._forced: dict[str, str] = {}
        self._probes: dict[str, str] = {}
        """Task that has the probe, by breaker."""
        self.serving: set[str] = set()
        """Tasks that have not ended, and on which others may be built."""
        self._dead: set[str] = set()
        self._not_before: dict[str, float] = {}
        """By task that is to be started again: when."""

    def take(self, event: ev.AnyEvent, plan: Plan, policies: Sequence[TaskPolicy]) -> None:
        if isinstance(event, ev.TaskEvent):
            self._live(event, policies[plan.index[event.task]])
        elif isinstance(event, ev.RunResumed):
            self.serving.clear()
            self._dead.clear()
        match event:
            case ev.TaskStarted():
                self._started(event.task, policies[plan.index[event.task]])
            case ev.LimitChanged() if event.what.startswith("pool:"):
                self.limits[event.what.replace(":", " ")] = event.limit
            case ev.BreakerOpened() | ev.BreakerHalfOpened() | ev.BreakerClosed():
                self._breakers[event.breaker] = event.type
                self._probes.pop(event.breaker, None)
            case ev.BreakerForced():
                self._forced[event.breaker] = event.state
                self._probes.pop(event.breaker, None)
            case ev.TaskEvent() if isinstance(event, _ENDS):
                self.in_use.subtract(self._taken.pop(event.task, Counter()))
                self._probes = {name: task for name, task in self._probes.items() if task != event.task}

    def _live(self, event: ev.TaskEvent, policy: TaskPolicy) -> None:
        task = event.task
        match event:
            case ev.TaskRestarting():
                self._restarting(event, policy)
            case ev.TaskServing() if event.opens:
                assert task not in self.serving, f"{task} is said twice to serve"
                self.serving.add(task)
            case ev.TaskStarted():
                due = self._not_before.pop(task, event.at)
                assert event.at >= due, f"{task} is started again too early"
            case ev.TaskRestarted():
                self._dead.discard(task)
                self._not_before.pop(task, None)
            case _ if isinstance(event, _TERMINAL):
                assert task not in self._dead, f"{task} ends twice"
                self._dead.add(task)
                self._not_before.pop(task, None)
        if isinstance(event, (*_TERMINAL, ev.TaskRestarted, ev.TaskRetrying, ev.TaskCancelling)):
            self.serving.discard(task)

    def _restarting(self, event: ev.TaskRestarting, policy: TaskPolicy) -> None:
        task, restart = event.task, policy.restart
        assert restart.is_on, f"{task} is started again against its policy"
        if event.failure is None:
            assert restart.policy is RestartPolicy.ALWAYS, f"{task} had succeeded and is started again"
            self.serving.add(task)
        else:
            self.serving.discard(task)
            ceiling = restart.max_restarts
            if ceiling is None and restart.policy is RestartPolicy.ON_FAILURE:
                ceiling = CEILING
            assert ceiling in (None, NO_CEILING) or event.crashes <= ceiling, (
                f"{task} is started again more often than it may be"
            )
        assert event.crashes <= event.restart
        assert event.delay <= restart.cap
        self._not_before[task] = event.at + event.delay

    def _started(self, task: str, policy: TaskPolicy) -> None:
        taken = Counter(policy.resources)
        if policy.pool:
            taken[f"pool {policy.pool}"] += 1
        self._taken[task] = taken
        for name, amount in taken.items():
            assert self.in_use[name] + amount <= self.limits[name], f"{name} is over-committed by {task}"
        self.in_use.update(taken)
        circuit = policy.circuit
        if circuit:
            state = self._forced.get(circuit) or self._breakers.get(circuit, "breaker.closed").removeprefix("breaker.")
            assert state in ("closed", "half_opened", "half_open"), f"{task} starts while its breaker is {state}"
            if state != "closed":
                assert circuit not in self._probes, f"{task} is a second probe"
                self._probes[circuit] = task
