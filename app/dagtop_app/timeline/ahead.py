"""What is to come of a run, from how long tasks usually take: when the rest starts and ends, and its critical path. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import inf
from typing import NamedTuple

from dagtop.core.forecast import Usual
from dagtop.core.guards import BreakerState
from dagtop.core.paths import SLASH
from dagtop.core.plan import Plan
from dagtop.core.policy import TaskPolicy, Trigger
from dagtop.core.ready import ranking
from dagtop.core.restart import RestartPolicy
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, FINAL, GOOD, RUN_OVER, RunState, TaskState
from dagtop.core.topology import critical_path, remaining_path

from dagtop_app.tasks.obstacles import busy, slots
from dagtop_app.tasks.upkeep import serves

_S = TaskState
#: A task that takes longer than usual is taken to need so much of its time again.
_MORE = 0.1
#: From this share on, what a task says of its progress tells all; the less of it is done, the more what is usual tells.
_TELLS = 0.25
#: Without earlier runs nothing is foretold before so much of the whole cost has been seen, or so many tasks have ended.
_SEEN, _ENDED = 0.05, 30
#: A run in one of these starts nothing new.
_STARTS_NOTHING = frozenset({RunState.PAUSED, RunState.DRAINING, RunState.CANCELLING}) | RUN_OVER


class Ahead(NamedTuple):
    """It, at one moment."""

    starts: Mapping[int, float] = {}
    """By task that is still to start."""
    ends: Mapping[int, float] = {}
    """By task that is still to end."""
    end: float | None = None
    """When all of that has ended; None if nothing is to come, or nothing is known of how long it takes."""
    path: Sequence[int] = ()
    """The critical path: the dearest chain of tasks that need each other."""
    on_path: frozenset[int] = frozenset()
    seconds: Sequence[float] = ()
    """How long each task took, takes, or is likely to take."""
    slack: Sequence[float] = ()
    """How much longer each may take without the run taking longer, slots aside."""


NOTHING = Ahead()


def look_ahead(snapshot: RunSnapshot, usual: Mapping[int, Usual]) -> Ahead:
    """Work it out: O((V + E) log V)."""
    if not snapshot.rows or len(snapshot.rows) != len(snapshot.plan):
        return NOTHING
    known, seconds = expected(snapshot, usual)
    plan = snapshot.plan
    path: tuple[int, ...] = ()
    slack: Sequence[float] = ()
    if endless := serves(snapshot):
        seconds = [
            0.0 if lasts(snapshot, row.policy) else cost for row, cost in zip(snapshot.rows, seconds, strict=True)
        ]
    else:
        path = tuple(index for index in critical_path(plan, seconds) if seconds[index] > 0)
        slack = _slack(plan, seconds)
    if not known or snapshot.state in RUN_OVER:
        return Ahead(path=path, on_path=frozenset(path), seconds=seconds, slack=slack)
    starts, ends = _Paper(snapshot, seconds).play()
    end = None if endless else max(ends.values(), default=None)
    if plan.nodes:
        _roll_up(plan, snapshot.at, starts, ends)
    return Ahead(starts, ends, end, path, frozenset(path), seconds, slack)


def _roll_up(plan: Plan, at: float, starts: dict[int, float], ends: dict[int, float]) -> None:
    """What is to come of a node is what is to come of the tasks in it."""
    for index, end in [*ends.items()]:
        start, path = starts.get(index, at), plan.names[index].rpartition(SLASH)[0]
        while path:
            node = plan.index.get(path)
            if node in plan.nodes and node is not None:
                ends[node] = max(ends.get(node, end), end)
                starts[node] = min(starts.get(node, start), start)
            path = path.rpartition(SLASH)[0]


def expected(snapshot: RunSnapshot, usual: Mapping[int, Usual]) -> tuple[bool, list[float]]:
    """(whether anything is known, how long each task took, takes, or is likely to take).

    What is likely: what it took in earlier runs, else its declared cost in the time that a unit of cost took so far. A
    cheap task that happens to end first says little of the dear ones: then nothing is known.
    """
    rows, policies, at = snapshot.rows, snapshot.plan.policies, snapshot.at
    measured = [_measured(row, at) for row in rows]
    spent = cost = 0.0
    ended = 0
    for index, seconds in enumerate(measured):
        row = rows[index]
        if seconds is None or row.started_at is None:
            continue
        done = share_done(row) if row.state in ACTIVE else 1.0
        if done >= _TELLS:
            spent += seconds
            cost += policies[index].weight * done
            ended += row.state not in ACTIVE
    if not usual and ended < _ENDED and cost < _SEEN * sum(policy.weight for policy in policies[: len(rows)]):
        spent = cost = 0.0
    for index, one in usual.items():
        if index < len(rows) and (measured[index] is None or rows[index].state in ACTIVE):
            spent += one.median
            cost += policies[index].weight
    unit = spent / cost if spent and cost else 0.0
    nodes = snapshot.plan.nodes
    likely: list[float] = []
    for index, (row, seconds) in enumerate(zip(rows, measured, strict=True)):
        if index in nodes:
            likely.append(0.0)
        elif seconds is not None and row.state not in ACTIVE:
            likely.append(seconds)
        else:
            found = usual.get(index)
            guess = found.median if found is not None else policies[index].weight * unit
            longest = found.p95 if found is not None else guess
            if seconds is None:
                likely.append(guess if row.policy.timeout is None else min(guess, row.policy.timeout))
            else:
                likely.append(seconds + left_of(row, seconds, guess, longest))
    return bool(unit), likely


def left_of(row: TaskRow, taken: float, guess: float, longest: float = 0.0) -> float:
    """How long a running task is likely to go on: by its progress, else by how long it usually takes; its timeout ends it.

    The first hundredth of the work says little of the rest: what progress tells counts for more and more, up to a quarter.
    One that takes longer than usual ends, as likely as not, half way to how long it takes at the `longest`.
    """
    left = guess - taken if guess > taken else max((longest - taken) / 2, taken * _MORE)
    if done := share_done(row):
        told = min(1.0, done / _TELLS)
        left = told * taken * (1 - done) / done + (1 - told) * left
    if row.policy.timeout is not None:
        left = min(left, row.policy.timeout - taken)
    return max(0.0, left)


def share_done(row: TaskRow) -> float:
    """How much of its work a running task says is done, from 0 to 1; 0 if it says nothing of use."""
    if row.progress is None:
        return 0.0
    done, total, _ = row.progress
    return done / total if total is not None and 0 < done <= total < inf else 0.0


def rough_end(snapshot: RunSnapshot, usual: Mapping[int, Usual]) -> float | None:
    """When a run of very many tasks is likely to have ended: their work is spread over all slots, nobody waits. O(V)."""
    if snapshot.state in RUN_OVER or serves(snapshot) or len(snapshot.rows) != len(snapshot.plan):
        return None
    known, seconds = expected(snapshot, usual)
    at, work, longest = snapshot.at, 0.0, 0.0
    for row, cost in zip(snapshot.rows, seconds, strict=True):
        if row.state in FINAL or lasts(snapshot, row.policy):
            continue
        left = cost - (at - row.started_at) if row.state in ACTIVE and row.started_at is not None else cost
        work, longest = work + left, max(longest, left)
    return at + max(longest, work / max(1, slots(snapshot))) if known and work else None


def _measured(row: TaskRow, at: float) -> float | None:
    if row.started_at is None:
        return 0.0 if row.state in GOOD or row.state is _S.SKIPPED else None
    if row.state in ACTIVE:
        return max(0.0, at - row.started_at)
    first = row.started_at
    if row.history and row.attempts_before < row.history[0].number:
        first = min(first, row.history[0].started_at)
    return max(0.0, row.ended_at - first) if row.ended_at is not None and row.state in FINAL else None


def _slack(plan: Plan, seconds: Sequence[float]) -> list[float]:
    """How much shorter the longest way through each task is than the longest of all."""
    after = remaining_path(plan, seconds)
    before = [0.0] * len(plan)
    for index in plan.order:
        needed = plan.upstream[index]
        if needed:
            before[index] = max(before[above] + seconds[above] for above in needed)
    longest = max(after, default=0.0)
    return [max(0.0, longest - ahead - behind) for ahead, behind in zip(after, before, strict=True)]


def lasts(snapshot: RunSnapshot, policy: TaskPolicy) -> bool:
    """Whether the task is to go on for ever: then nothing says when it ends."""
    if policy.restart.policy is RestartPolicy.ALWAYS or policy.ready is not None:
        return True
    return policy.restart.is_on and serves(snapshot)


class _Paper:
    """The rest of a run on paper: whenever there is a slot, and room in its pool, the best of the ready tasks starts."""

    def __init__(self, snapshot: RunSnapshot, seconds: Sequence[float]) -> None:
        self._snapshot, self._plan, self._rows, self._seconds = snapshot, snapshot.plan, snapshot.rows, seconds
        self._rank, self._by_rank = ranking(snapshot.plan, seconds)
        self._free = max(0, slots(snapshot) - busy(snapshot))
        self._room = {key: there - used for key, (used, there) in snapshot.limits.items()}
        self._starts_nothing = snapshot.state in _STARTS_NOTHING
        self._opens = dict(_first_attempts(snapshot))
        self._ready: list[int] = []
        self._coming: list[tuple[float, int]] = []
        """(when it has waited long enough, task)."""
        self._running: list[tuple[float, int]] = []
        self._missing: dict[int, int] = {}
        self.starts: dict[int, float] = {}
        self.ends: dict[int, float] = {}

    def play(self) -> tuple[dict[int, float], dict[int, float]]:
        """When what is still to start starts, and when all of it ends. What waits for a person is left out."""
        self._set_up()
        now = self._snapshot.at
        while True:
            self._start(now)
            moments = [heap[0][0] for heap in (self._running, self._coming) if heap]
            if not moments:
                return self.starts, self.ends
            now = max(now, min(moments))
            while self._running and self._running[0][0] <= now:
                self._end(heappop(self._running)[1])
            while self._coming and self._coming[0][0] <= now:
                heappush(self._ready, self._rank[heappop(self._coming)[1]])

    def _set_up(self) -> None:
        at = self._snapshot.at
        for index, row in enumerate(self._rows):
            match row.state:
                case _S.RUNNING | _S.CANCELLING:
                    if not lasts(self._snapshot, row.policy):
                        taken = at - (at if row.started_at is None else row.started_at)
                        self.ends[index] = at + max(0.0, self._seconds[index] - taken)
                        self._running.append((self.ends[index], index))
                case _S.BACKOFF:
                    if not lasts(self._snapshot, row.policy):
                        self._coming.append((max(at, row.due_at or at), index))
                case _S.READY:
                    self._ready.append(self._rank[index])
                case _S.WAITING:
                    if not row.held and row.wanted:
                        self._missing[index] = self._count_missing(index)
                case _:
                    pass
        heapify(self._coming)
        heapify(self._running)
        heapify(self._ready)
        for index, missing in [*self._missing.items()]:
            if not missing:
                heappush(self._ready, self._rank[index])

    def _count_missing(self, index: int) -> int:
        """How many upstream tasks it waits for; more than there are if one of them will never let it start."""
        upstream, policy = self._plan.upstream[index], self._rows[index].policy
        if policy.trigger == Trigger.ANY_SUCCESS:
            met = any(self._has_let_go(above) for above in upstream)
            return 0 if met or not upstream else 1
        strict = policy.trigger == Trigger.ALL_SUCCESS
        missing = 0
        for above in upstream:
            row = self._rows[above]
            if row.state in FINAL and row.state not in GOOD and strict:
                return len(upstream) + 1
            missing += not (self._has_let_go(above) or row.state in FINAL)
        return missing

    def _has_let_go(self, index: int) -> bool:
        row = self._rows[index]
        return row.state in GOOD or row.serving

    def _start(self, now: float) -> None:
        """Fill the slots. With a pool that is full, those behind it that need none of it go first."""
        if self._starts_nothing:
            self._ready.clear()
            self._coming.clear()
            return
        too_little: list[int] = []
        while self._ready and (self._free or self._by_rank[self._ready[0]] in self._plan.nodes):
            rank = heappop(self._ready)
            index = self._by_rank[rank]
            if index in self._plan.nodes:
                self._let_go(index)
                continue
            if (opens := self._opens.get(self._rows[index].policy.circuit, now)) > now:
                if opens < inf:
                    heappush(self._coming, (opens, index))
                continue
            if any(self._room.get(key, wanted) < wanted for key, wanted in _needs(self._rows[index].policy)):
                too_little.append(rank)
                continue
            self._take(index, -1)
            self.starts[index] = now
            if lasts(self._snapshot, self._rows[index].policy):
                self._let_go(index)
            else:
                self.ends[index] = now + self._seconds[index]
                heappush(self._running, (self.ends[index], index))
        for rank in too_little:
            heappush(self._ready, rank)

    def _end(self, index: int) -> None:
        self._take(index, 1)
        self._let_go(index)

    def _take(self, index: int, sign: int) -> None:
        self._free += sign
        for key, wanted in _needs(self._rows[index].policy):
            if key in self._room:
                self._room[key] += sign * wanted

    def _let_go(self, index: int) -> None:
        """What waits for it waits for one task fewer."""
        for below in self._plan.downstream[index]:
            left = self._missing.get(below)
            if left:
                self._missing[below] = left - 1
                if left == 1:
                    heappush(self._ready, self._rank[below])


def _first_attempts(snapshot: RunSnapshot) -> Iterator[tuple[str, float]]:
    """By breaker that is open: when it lets its next attempt through; one that a person holds open lets none."""
    for view in snapshot.breakers:
        if view.state is BreakerState.OPEN:
            yield view.name, inf if view.forced is not None or view.probe_due_at is None else view.probe_due_at


def _needs(policy: TaskPolicy) -> Iterator[tuple[str, int]]:
    if policy.pool:
        yield f"pool:{policy.pool}", 1
    for name, wanted in policy.resources.items():
        yield f"resource:{name}", wanted
