"""When a task's upstream lets it start: the trigger rules, kept as counters so that each ending costs O(1)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from dagtop.core.plan import Plan
from dagtop.core.policy import OnUpstreamFailure, TaskPolicy, Trigger
from dagtop.core.states import FINAL, GOOD, TaskState


class Verdict(Enum):
    """What a trigger rule says now."""

    WAIT = "wait"
    """Not decided: more of the upstream must end."""
    START = "start"
    """The task may start."""
    NEVER = "never"
    """Whatever else ends, the rule cannot be met any more."""


class Joins:
    """For each task how many upstream tasks have not ended, and how those that ended did."""

    def __init__(self, plan: Plan, early: set[int] | None = None) -> None:
        self._plan = plan
        self.pending: list[int] = [len(needed) for needed in plan.upstream]
        """By task: upstream tasks that have not ended."""
        self.early: set[int] = set() if early is None else early
        """Tasks that count as succeeded although they have not ended: supervised ones that are ready."""
        self._lost: dict[int, int] = {}
        self._bad: dict[int, int] = {}
        self.rule: dict[int, Trigger] = {}
        """Tasks whose rule is not ALL_SUCCESS. A task that runs in spite of failures waits for all to end."""
        if plan.one_policy is None or plan.one_policy.trigger != Trigger.ALL_SUCCESS:
            for index, policy in enumerate(plan.policies):
                self.set_rule(index, policy)

    def grow(self, plan: Plan, states: Sequence[TaskState]) -> None:
        """The plan has further tasks behind those that there were; these depend on what they did."""
        self._plan = plan
        for index in range(len(self.pending), len(plan)):
            self.pending.append(0)
            self.set_rule(index, plan.policies[index])
            self.recount(index, states)

    def set_rule(self, index: int, policy: TaskPolicy) -> None:
        """Take the trigger rule of a policy."""
        rule = Trigger(policy.trigger)
        if policy.on_upstream_failure is OnUpstreamFailure.RUN and rule is not Trigger.ANY_SUCCESS:
            rule = Trigger.ALL_DONE
        if rule is not Trigger.ALL_SUCCESS:
            self.rule[index] = rule
        else:
            self.rule.pop(index, None)

    def upstream_ended(self, index: int, state: TaskState) -> None:
        """One upstream task of `index` has come to a final state."""
        self.pending[index] -= 1
        if state not in GOOD:
            self._lost[index] = self._lost.get(index, 0) + 1
            if state is not TaskState.SKIPPED:
                self._bad[index] = self._bad.get(index, 0) + 1

    def early_one_ended(self, index: int, state: TaskState) -> None:
        """One upstream task of `index` that counted as succeeded has come to a final state."""
        self.pending[index] += 1
        self.upstream_ended(index, state)

    def early_one_is_down(self, index: int) -> None:
        """One upstream task of `index` that counted as succeeded does no more."""
        self.pending[index] += 1

    def recount(self, index: int, states: Sequence[TaskState]) -> None:
        """Count anew, after upstream tasks have left their final states."""
        early = self.early
        ended = [
            states[i] if states[i] in FINAL else TaskState.SUCCEEDED
            for i in self._plan.upstream[index]
            if states[i] in FINAL or i in early
        ]
        lost = [state for state in ended if state not in GOOD]
        self.pending[index] = len(self._plan.upstream[index]) - len(ended)
        self._lost[index] = len(lost)
        self._bad[index] = sum(state is not TaskState.SKIPPED for state in lost)

    def verdict(self, index: int) -> Verdict:
        """What the task's rule says now."""
        pending = self.pending[index]
        lost = self._lost.get(index, 0)
        needed = len(self._plan.upstream[index])
        if not needed:
            return Verdict.START
        match self.rule.get(index, Trigger.ALL_SUCCESS):
            case Trigger.ALL_SUCCESS:
                never, start = lost > 0, pending == 0
            case Trigger.ANY_SUCCESS:
                start = needed - pending - lost > 0
                never = pending == 0 and not start
                if never and self._plan.policies[index].on_upstream_failure is OnUpstreamFailure.RUN:
                    never, start = False, True
            case Trigger.ALL_DONE:
                never, start = False, pending == 0
            case Trigger.NONE_FAILED:
                never, start = self._bad.get(index, 0) > 0, pending == 0
        if never:
            return Verdict.NEVER
        return Verdict.START if start else Verdict.WAIT


class JoinsOfFew(Joins):
    """The same for tasks that are asked about one after the other: the rest of the plan is not gone through.

    `recount` comes before each `verdict`.

    Parameters
    ----------
    policies: those in force now, by task.
    """

    def __init__(self, plan: Plan, policies: Sequence[TaskPolicy], early: set[int]) -> None:
        self._plan, self._policies = plan, policies
        self.pending = {}  # type: ignore[assignment]  # counted for those that are asked about only
        self.early = early
        self._lost, self._bad, self.rule = {}, {}, {}

    def recount(self, index: int, states: Sequence[TaskState]) -> None:
        """Count what the upstream of this task has come to, by the rule in force."""
        self.set_rule(index, self._policies[index])
        super().recount(index, states)
