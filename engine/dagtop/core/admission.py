"""Ready tasks that need more than a slot: a place in a pool, resources, a breaker that lets them through.

Tasks that need the same things stand in one line, ordered like the ready queue. A line that is not blocked has one token in
the ready queue, the rank of its first task; a line whose first task found something missing is blocked on that, e.g. on
"pool:db", has no token, and holds nothing. A place that becomes free is offered to the best line that was blocked on it; if
that one starts its task, or finds something else missing, to the next one. So it costs a look or two, however many tasks and
lines wait.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from dagtop.core import events as ev
from dagtop.core.breakers import Breakers
from dagtop.core.deadlines import Due
from dagtop.core.limits import Limits
from dagtop.core.policy import TaskPolicy
from dagtop.core.retrying import fail_at_breaker, fails_at_breaker
from dagtop.core.returning import ready_again
from dagtop.core.states import TaskState

if TYPE_CHECKING:
    from dagtop.core.machine import RunMachine


class Line:
    """Ready tasks that need the same things, as a heap of their ranks."""

    __slots__ = ("blocked_on", "called_for", "has_token", "heap")

    def __init__(self) -> None:
        self.heap: list[int] = []
        self.blocked_on = ""
        self.called_for = ""
        """What it was blocked on, when it has been offered that."""
        self.has_token = False


class Admission:
    """The lines of one run, and what they wait for."""

    def __init__(self, machine: RunMachine, limits: Limits, breakers: Breakers) -> None:
        self._machine = machine
        self.limits = limits
        self.breakers = breakers
        self.line_of: dict[int, Line] = {}
        """By task that needs more than a slot."""
        self._lines: dict[object, Line] = {}
        self._blocked: dict[str, list[tuple[int, int, Line]]] = {}
        """By what is missing: heaps of (rank of the first task, a number, line). Some may not be blocked on it any more."""
        self._blocks = 0
        self._alarm_at: float | None = None
        """For when breakers have last asked to be looked at."""
        self._passed: dict[int, str] = {}
        """By task in progress: the breaker that let it through."""
        one = machine.plan.one_policy
        if one is None or one.is_guarded:
            for index, policy in enumerate(machine.ledger.policies):
                if policy.is_guarded:
                    self._assign(index, policy)

    def circuits(self) -> list[str]:
        """Names of the breakers that tasks ask, as things are."""
        policies = self._machine.ledger.policies
        return list(dict.fromkeys(policies[index].circuit for index in self.line_of if policies[index].circuit))

    # -- waiting ----------------------------------------------------------------------------------------------------

    def enqueue(self, index: int, line: Line) -> None:
        """A task is ready."""
        rank = self._machine.queue.rank[index]
        if line.blocked_on and line.heap and rank < line.heap[0]:
            line.blocked_on = ""  # a better rank may find more: it leaves less to others
        heappush(line.heap, rank)
        self._give_token(line)

    def next_of(self, line: Line, at: float) -> int:
        """The line's token has come up: the task that may start now, with all that it needs taken for it; -1 if none may."""
        called_for, line.called_for = line.called_for, ""
        index = self._try(line, at)
        if called_for and line.blocked_on != called_for:
            self.unblock(called_for)
        return index

    def _try(self, line: Line, at: float) -> int:
        machine = self._machine
        state, by_rank, policies = machine.ledger.state, machine.queue.by_rank, machine.ledger.policies
        line.has_token = False
        while line.heap:
            index = by_rank[line.heap[0]]
            if state[index] is not TaskState.READY or self.line_of.get(index) is not line:
                heappop(line.heap)
                continue
            policy = policies[index]
            lane = self.limits.blocked_by(policy, at, line.heap[0])
            if lane is None and policy.circuit and not self.breakers.may_pass(policy.circuit, index, at):
                self.moved(at)
                if fails_at_breaker(machine, index):
                    heappop(line.heap)
                    fail_at_breaker(machine, index, at, machine.ledger.failure.get(index))
                    continue
                lane = f"breaker:{policy.circuit}"
            if lane is not None:
                self._block(line, lane, policy, at)
                return -1
            heappop(line.heap)
            self.limits.take(index, policy, at)
            if policy.circuit:
                self._passed[index] = policy.circuit
                self.moved(at)
            self._give_token(line)
            return index
        return -1

    def ended(self, index: int, ok: bool | None, at: float, reason: str) -> None:
        """An attempt is over: `ok` None means that it neither succeeded nor failed."""
        for lane in self.limits.give_back(index):
            self.unblock(lane)
        circuit = self._passed.pop(index, None)
        if circuit is not None:
            self.breakers.ended(circuit, index, ok, at, reason)
            self.moved(at)
            self.unblock(f"breaker:{circuit}")  # the probe may have been given back

    def unblock(self, lane: str) -> None:
        """Something of it may be there again: the best line that was blocked on it tries; all, if it is a rate or a breaker."""
        blocked = self._blocked.get(lane, ())
        one_by_one = lane.startswith(("pool:", "resource:"))
        while blocked:
            _, _, line = heappop(blocked)
            if line.blocked_on == lane:
                line.blocked_on = ""
                self._give_token(line)
                if one_by_one and line.has_token:
                    line.called_for = lane
                    return
        self._blocked.pop(lane, None)

    def due(self, at: float) -> None:
        """A moment has come at which a rate or a breaker lets somebody through."""
        self._alarm_at = None
        self.moved(at)
        for lane in [lane for lane in self._blocked if lane.startswith(("rate:", "breaker:"))]:
            self.unblock(lane)

    # -- breakers ---------------------------------------------------------------------------------------------------

    def moved(self, at: float) -> None:
        """Tell of what breakers have done since the last time, and do what follows from it."""
        machine = self._machine
        for event in self.breakers.moved(at):
            machine.emit(event)
            if isinstance(event, ev.BreakerEvent):
                self.unblock(f"breaker:{event.breaker}")
                if not self.breakers.is_closed(event.breaker, at):
                    _wake_sleepers(machine, event.breaker, at)
        due = self.breakers.next_due()
        if due is not None and due != self._alarm_at and not machine.is_over:
            self._alarm_at = due
            machine.deadlines.push(max(due, at), Due.LANE, -1, 0)

    # -- changes of the order, of policies, of the graph ------------------------------------------------------------

    def assign(self, index: int) -> None:
        """The policy of a task has changed, or the task is new."""
        machine = self._machine
        policy = machine.ledger.policies[index]
        before = self.line_of.pop(index, None)
        if policy.is_guarded:
            self._assign(index, policy)
        if before is not None:
            before.has_token = False
            self._give_token(before)
        if machine.ledger.state[index] is TaskState.READY:
            machine.enqueue(index)

    def rerank(self) -> None:
        """The ready queue has another order: the lines are made anew from the tasks that are ready."""
        state, rank = self._machine.ledger.state, self._machine.queue.rank
        self._blocked.clear()
        self.limits.forget_claims()
        for line in self._lines.values():
            line.heap.clear()
            line.has_token = False
            line.blocked_on = line.called_for = ""
        for index, line in self.line_of.items():
            if state[index] is TaskState.READY:
                line.heap.append(rank[index])
        for line in self._lines.values():
            heapify(line.heap)
            self._give_token(line)

    def _assign(self, index: int, policy: TaskPolicy) -> None:
        needs = (policy.pool, policy.circuit, tuple(sorted(policy.resources.items())))
        self.line_of[index] = self._lines.setdefault(needs, Line())

    def _give_token(self, line: Line) -> None:
        by_rank = self._machine.queue.by_rank
        while line.heap and self.line_of.get(by_rank[line.heap[0]]) is not line:
            heappop(line.heap)  # it stands in another line now: a token of its rank would not lead here
        if line.heap and not line.blocked_on and not line.has_token:
            line.has_token = True
            heappush(self._machine.queue.heap, line.heap[0])

    def _block(self, line: Line, lane: str, policy: TaskPolicy, at: float) -> None:
        line.blocked_on = lane
        self._blocks += 1
        heappush(self._blocked.setdefault(lane, []), (line.heap[0], self._blocks, line))
        if lane.startswith("rate:"):
            self._machine.deadlines.push(self.limits.rate_due(policy.pool, at), Due.LANE, -1, 0)


def _wake_sleepers(machine: RunMachine, breaker: str, at: float) -> None:
    """Tasks in BACKOFF whose breaker has opened do not sleep on: they wait for the breaker, or fail (B20)."""
    ledger = machine.ledger
    for index in [i for i in ledger.due_at if ledger.policies[i].circuit == breaker]:
        if ledger.state[index] is not TaskState.BACKOFF:
            continue
        if not ledger.attempts_used(index):
            continue  # it waits for its restart, and then for the breaker
        if fails_at_breaker(machine, index):
            fail_at_breaker(machine, index, at, machine.ledger.failure.get(index))
        else:
            ready_again(machine, index, at)


def attempt_over(machine: RunMachine, index: int, at: float, ok: bool | None, reason: str) -> None:
    """An attempt has given its slot back: so it does with all else that it took, and the adaptive limit learns of it."""
    if machine.guarded:
        machine.admission.ended(index, ok, at, reason)
    window = machine.window
    if window is not None and ok is not None:
        begun = machine.ledger.attempt_started[index]
        kinds = machine.plan.kinds
        kind = kinds[index] if kinds is not None else 0
        why = window.ended(kind, at, at - (at if begun is None else begun), ok, machine.active + 1)
        if why:
            machine.emit(ev.LimitChanged(at, window.limit, why, "window"))
