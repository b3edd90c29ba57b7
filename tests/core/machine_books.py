"""What is in use of pools, resources and probes, counted from events alone: the machine's own counters are not asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dagtop.core import events as ev
from dagtop.core.plan import Plan
from dagtop.core.policy import RunPolicy, TaskPolicy

_ENDS = (
    ev.TaskSucceeded,
    ev.TaskFailed,
    ev.TaskTimedOut,
    ev.TaskCancelled,
    ev.TaskRetrying,
    ev.TaskRestarted,
    ev.TaskSkipped,
)


class Books:
    """Takes every event of a run, and complains when more is in use than there is."""

    def __init__(self, policy: RunPolicy) -> None:
        self.limits = {**{f"pool {name}": pool.limit for name, pool in policy.pools.items()}, **policy.resources}
        self.in_use: Counter[str] = Counter()
        self._taken: dict[str, Counter[str]] = {}
        self._breakers: dict[str, str] = {}
        self._forced: dict[str, str] = {}
        self._probes: dict[str, str] = {}
        """Task that has the probe, by breaker."""

    def take(self, event: ev.AnyEvent, plan: Plan, policies: Sequence[TaskPolicy]) -> None:
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
