"""From the ledger to snapshots: rows are made anew only for tasks that events named since the last one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from operator import is_not, ne, or_
from typing import NamedTuple

import msgspec

from dagtop.core.breakers import BreakerView
from dagtop.core.escalation import EscalationReport
from dagtop.core.events import (
    AnyEvent,
    CommandApplied,
    CommandRefused,
    EscalationAcknowledged,
    GraphChanged,
    Log,
    Problem,
    TaskEvent,
    TaskReady,
    TaskStarted,
    TaskSucceeded,
)
from dagtop.core.ledger import Ledger
from dagtop.core.snapshot import EMPTY, Blocked, RunSnapshot, TaskRow
from dagtop.core.states import TaskState

#: Shortest time between two snapshots, and longest while the run goes on (its clock ticks), in seconds.
SHORTEST, LONGEST = 0.05, 0.2

#: Most rows that one snapshot makes anew while the run goes on; the rest follow with the next ones.
AT_ONCE = 2_000

#: How many answers to commands, how many problems, and how many escalation reports a snapshot shows.
ANSWERS = 50
PROBLEMS = 100
ESCALATIONS = 200

#: Rows from which on it is quicker to look for the plain ones first.
_MANY = 500

_COMMON = frozenset({TaskReady, TaskStarted, TaskSucceeded, Log})


class SnapshotBox:
    """Holds the latest snapshot. Replaced as a whole by the engine, and by the watchdog if the engine cannot; read by anybody."""

    __slots__ = ("latest", "lock")

    def __init__(self) -> None:
        self.latest: RunSnapshot = EMPTY
        self.lock = threading.Lock()
        """Held for a moment by whoever replaces it."""


class Notes(NamedTuple):
    """What a publisher has been told that is in no ledger."""

    events: int
    problems: Sequence[Problem]
    problem_count: int
    answers: Sequence[CommandApplied | CommandRefused]


NOTHING = Notes(0, (), 0, ())


class Publisher:
    """A recorder that keeps a `SnapshotBox` up to date, and takes at most a tenth of the engine's time for it.

    Which rows must be made anew is found by comparing states and attempt numbers with those last shown; only the rare events
    that change something else are looked at one by one.
    """

    def __init__(self, box: SnapshotBox) -> None:
        self._box = box
        self._ledger: Ledger | None = None
        self._breakers: Callable[[float], tuple[BreakerView, ...]] | None = None
        self._limits: Callable[[], Mapping[str, tuple[int, int]]] | None = None
        self._rows: list[TaskRow] = []
        self._states: list[TaskState] = []
        self._attempts: list[int] = []
        self._touched: set[int] = set()
        self._changed = True
        self._events = 0
        self._problems: deque[Problem] = deque(maxlen=PROBLEMS)
        self._problem_count = 0
        self._noticed = False
        self._answers: deque[CommandApplied | CommandRefused] = deque(maxlen=ANSWERS)
        self._published_at = -LONGEST
        self._shortest = SHORTEST
        self.as_seen: Callable[[RunSnapshot], RunSnapshot] | None = None
        """Makes of a snapshot what people see of it."""

    def watch(
        self,
        ledger: Ledger,
        breakers: Callable[[float], tuple[BreakerView, ...]] | None = None,
        limits: Callable[[], Mapping[str, tuple[int, int]]] | None = None,
    ) -> None:
        """Start with the ledger as it is now. `breakers` shows those of the run at a moment, `limits` its pools and resources.

        If there was one of the same run before, rows of tasks that are the same in both stay.
        """
        before, self._ledger = self._ledger, ledger
        self._breakers, self._limits = breakers, limits
        if before is not None:
            if self._changed:
                self._touched.update(self._dirty(before))
            self._touched |= differing(before, ledger)
            count = len(ledger.plan)
            if count < len(self._rows):  # the lists that were published stay as they are
                self._touched = {index for index in self._touched if index < count}
                self._rows, self._states = self._rows[:count], self._states[:count]
                self._attempts = self._attempts[:count]
            return
        self._rows = rows_of(ledger, range(len(ledger.plan)))
        self._states, self._attempts = ledger.state.copy(), ledger.attempt.copy()

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Note what comparing states would not show."""
        self._events = first + len(batch) - 1
        self._changed = True
        for event in [event for event in batch if type(event) not in _COMMON]:
            if isinstance(event, TaskEvent):
                assert self._ledger is not None, "watch comes first"
                self._touched.add(self._ledger.plan.index[event.task])
            elif isinstance(event, GraphChanged):
                assert self._ledger is not None, "watch comes first"
                self._touched.update(self._ledger.plan.index[name] for name in (*event.removed, *event.changed))
            elif isinstance(event, Problem):
                if event.is_notice and self._noticed:
                    continue  # the first one stands for all: of a wide graph there may be as many as tasks
                self._noticed = self._noticed or event.is_notice
                self._problems.append(event)
                self._problem_count += 1
            elif isinstance(event, (CommandApplied, CommandRefused)):
                self._answers.append(event)

    def notes(self) -> Notes:
        """What comparing states would not show, to go on from later."""
        return Notes(self._events, tuple(self._problems), self._problem_count, tuple(self._answers))

    def take_notes(self, notes: Notes) -> None:
        """Go on from notes that were taken when the ledger was as it is now."""
        self._events, self._problem_count = notes.events, notes.problem_count
        self._problems = deque(notes.problems, maxlen=PROBLEMS)
        self._noticed = any(problem.is_notice for problem in notes.problems)
        self._answers = deque(notes.answers, maxlen=ANSWERS)

    def answer(self, answers: Sequence[CommandApplied | CommandRefused]) -> None:
        """Show answers that are no events."""
        self._answers.extend(answers)

    def due_in(self, now: float, *, ticking: bool) -> float | None:
        """Seconds until `publish` should be called; None if nothing changes. `ticking`: the run's clock goes on."""
        if not self._changed and not ticking:
            return None
        wait = self._published_at + (self._shortest if self._changed else LONGEST) - now
        return wait if wait > 0 else 0.0

    def publish(self, now: float, clock: Callable[[], float] | None = None) -> None:
        """Put a new snapshot into the box.

        With a `clock` it takes little time at once: rows that are too many follow later. Without one it is complete.
        """
        ledger = self._ledger
        assert ledger is not None, "watch comes first"
        begun = clock() if clock is not None else 0.0
        self._changed = False
        known = len(self._rows)
        if known < len(ledger.plan):  # the graph has grown
            self._rows = [*self._rows, *rows_of(ledger, range(known, len(ledger.plan)))]
            self._states += ledger.state[known:]
            self._attempts += ledger.attempt[known:]
        dirty = self._dirty(ledger)
        if dirty:
            if clock is not None and len(dirty) > AT_ONCE:
                dirty = dirty[:AT_ONCE]
                self._changed = True
            rows = self._rows.copy()
            for index, row in zip(dirty, rows_of(ledger, dirty), strict=True):
                rows[index] = row
                self._states[index], self._attempts[index] = ledger.state[index], ledger.attempt[index]
            self._rows = rows
            self._touched.difference_update(dirty)
        self._published_at = now
        self._put(ledger, now)
        if clock is not None:
            self._shortest = max(SHORTEST, 10 * (clock() - begun))

    def show_blocked(self, blocked: Blocked) -> None:
        """Add to the latest snapshot what keeps the loop; the next `publish` takes it away again. From any thread."""
        with self._box.lock:
            latest = self._box.latest
            more = blocked.seconds - (latest.blocked.seconds if latest.blocked is not None else 0.0)
            self._box.latest = msgspec.structs.replace(
                latest, version=latest.version + 1, at=latest.at + max(0.0, more), blocked=blocked
            )

    def _put(self, ledger: Ledger, now: float) -> None:
        with self._box.lock:
            latest = RunSnapshot(
                version=self._box.latest.version + 1,
                run=ledger.run,
                graph=ledger.plan.name,
                state=ledger.run_state,
                at=now,
                started_at=ledger.started_at,
                plan=ledger.plan,
                rows=self._rows,
                counts=dict(ledger.counts),
                max_parallel=ledger.max_parallel,
                window=ledger.window,
                limits=self._limits_now(),
                reason=ledger.run_reason,
                problems=tuple(self._problems),
                problem_count=self._problem_count,
                answers=tuple(self._answers),
                events_seen=self._events,
                breakers=self._breakers(now) if self._breakers is not None else (),
                escalations=self._escalations_now(ledger),
                escalation_count=len(ledger.escalations),
                acknowledged=self._acknowledged_now(ledger),
            )
            self._box.latest = latest if self.as_seen is None else self.as_seen(latest)

    def _escalations_now(self, ledger: Ledger) -> tuple[EscalationReport, ...]:
        latest = self._box.latest
        if latest.escalation_count == len(ledger.escalations):
            return latest.escalations
        return tuple(ledger.escalations[-ESCALATIONS:])

    def _acknowledged_now(self, ledger: Ledger) -> Mapping[int, EscalationAcknowledged]:
        before = self._box.latest.acknowledged
        return before if ledger.acknowledged == before else dict(ledger.acknowledged)

    def _limits_now(self) -> Mapping[str, tuple[int, int]]:
        before = self._box.latest.limits
        now = self._limits() if self._limits is not None else before
        return before if now == before else now

    def _dirty(self, ledger: Ledger) -> list[int]:
        """Tasks whose row is out of date."""
        n = range(len(ledger.plan))
        changed = set(compress(n, map(is_not, self._states, ledger.state)))
        changed.update(compress(n, map(ne, self._attempts, ledger.attempt)))
        return [*self._touched, *(changed - self._touched)]


def rows_of(ledger: Ledger, indices: Sequence[int]) -> list[TaskRow]:
    """Tasks as they are now: quick for very many, of which most have little to tell."""
    if len(indices) < _MANY:
        return [row_of(ledger, index) for index in indices]
    desired, first_attempt, reason, progress = ledger.desired, ledger.first_attempt, ledger.reason, ledger.progress
    rarer = [part for part in ledger.sparse if part is not reason and part is not progress]
    told = set[int]().union(
        *rarer, first_attempt, desired.restarts, desired.serving, desired.down, desired.gone, desired.generation
    )
    names, state, attempt, policies = ledger.plan.names, ledger.state, ledger.attempt, ledger.policies
    ready, started, ended = ledger.ready_at, ledger.attempt_started, ledger.ended_at
    why, far = reason.get, progress.get
    return [
        row_of(ledger, i)
        if i in told
        else TaskRow(
            i, names[i], state[i], attempt[i], ready[i], started[i], ended[i],
            None, why(i, ""), None, (), far(i), False, False, policies[i],
        )
        for i in indices
    ]  # fmt: skip


def row_of(ledger: Ledger, index: int) -> TaskRow:
    """One task as it is now."""
    plain = (
        index,
        ledger.plan.names[index],
        ledger.state[index],
        ledger.attempt[index],
        ledger.ready_at[index],
        ledger.attempt_started[index],
        ledger.ended_at[index],
    )
    policy, before, desired = ledger.policies[index], ledger.first_attempt.get(index, 0), ledger.desired
    is_plain = not any(sparse and index in sparse for sparse in ledger.sparse)
    if is_plain and not desired.knows(index):
        return TaskRow(*plain, policy=policy, attempts_before=before)
    restarts, crashes = desired.restarts.get(index, (0, 0))
    return TaskRow(
        *plain,
        policy=policy,
        attempts_before=before,
        due_at=ledger.due_at.get(index),
        reason=ledger.reason.get(index, ""),
        failure=ledger.failure.get(index),
        history=ledger.history.get(index, ()),
        progress=ledger.progress.get(index),
        held=index in ledger.held,
        held_by=ledger.held.get(index, ""),
        stale=index in ledger.stale,
        cancelling_at=ledger.cancelling_at.get(index),
        gate=ledger.gates.get(index),
        torn_down=index in ledger.torn_down,
        why_run=ledger.why_run.get(index, ""),
        serving=index in desired.serving,
        restarts=restarts,
        crashes=crashes,
        wanted=index not in desired.down,
        gone=index in desired.gone,
        generation=desired.generation.get(index, 1),
    )


def differing(one: Ledger, other: Ledger) -> set[int]:
    """Tasks that both have, and that do not look alike."""
    n = range(min(len(one.state), len(other.state)))
    unlike = map(is_not, one.state, other.state)
    for mine, theirs in (
        (one.attempt, other.attempt),
        (one.ready_at, other.ready_at),
        (one.attempt_started, other.attempt_started),
        (one.ended_at, other.ended_at),
    ):
        unlike = map(or_, unlike, map(ne, mine, theirs))
    unlike = map(or_, unlike, map(is_not, one.policies, other.policies))  # to compare them would take longer
    found = set(compress(n, unlike))
    of_one, of_other = one.desired, other.desired
    beside = (
        *zip(one.sparse, other.sparse, strict=True),
        (one.first_attempt, other.first_attempt),
        *((getattr(of_one, part), getattr(of_other, part)) for part in _SHOWN),
    )
    for a, b in beside:
        if isinstance(a, dict) and isinstance(b, dict):
            found.update(index for index, value in a.items() if index not in found and b.get(index) != value)
            found.update(b.keys() - a.keys())
        else:
            found.update(set(a) ^ set(b))
    found.difference_update([index for index in found if index >= len(n)])
    return found


#: What is shown of what is wanted of a task.
_SHOWN = ("restarts", "serving", "down", "gone", "generation")
