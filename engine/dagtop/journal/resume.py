"""What a run that is gone on with keeps, what it does again, and why: a function of what is stored and the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagtop.core.plan import Plan
from dagtop.core.states import RunState
from dagtop.errors import JournalError
from dagtop.journal.history import History, Result, TaskHistory
from dagtop.journal.stored import BaseStoredRun, still_open
from dagtop.ports.journal import RunRecord, StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """Everything that an executor needs to go on with a stored run.

    The executor records `run.resumed` first and then a `task.restarted` for each of `reruns` that the graph has: so the
    stream tells which results no longer count.
    """

    run: str
    record: RunRecord
    """Of the latest session: parameters, options, and `started_at` of the run's first beginning."""
    next_event: int
    """Number of the next event."""
    started_at: float
    """Wall clock of the run's first beginning; `at` of all events counts from there."""
    at: float
    """Time of the last stored event: later ones must not be earlier, though the wall clock may have been set back."""
    kept: Mapping[str, Any]
    """Outputs of the tasks that keep their result."""
    reruns: Mapping[str, str]
    """Tasks that had succeeded and whose result no longer counts, with the reason; also those that the graph no longer
    has."""
    attempts: Mapping[str, int]
    """Attempts so far, by task; those without any are left out."""
    left: tuple[str, ...]
    """Tasks of the graph that are still to be done, in its order; skipped ones that would be skipped again are not."""
    ended: RunState | None = None
    """How the run ended; None if it never did."""

    @property
    def nothing_left(self) -> bool:
        """Whether the run succeeded and the graph is still the same: then there is nothing to go on with."""
        return self.ended is RunState.SUCCEEDED and not self.left


def plan_resumption(
    stored: StoredRun, plan: Plan, fingerprints: Sequence[str], *, trust_changes: bool = False
) -> Resumption:
    """What to keep of a stored run, given the graph as it is now.

    A task keeps its result if it succeeded (or was cached), its code, options and dependencies are what they were then,
    all of its upstream keep theirs, none of them ran again after it without it being known as stale, and its output is
    stored. An upstream that a rule skipped, and would skip again, does not stand in the way.

    Parameters
    ----------
    fingerprints: by task index.
    trust_changes: keep results though code, options or dependencies changed.

    Raises
    ------
    JournalError: a process still has the run open, its graph was another one, or it cannot be read.
    """
    summary = stored.summary
    if summary.alive:
        raise still_open(summary.run, summary.pid)
    if len(plan) and stored.record.names and plan.index.keys().isdisjoint(stored.record.names):
        raise JournalError(
            f"the run {summary.run} was of another graph ({stored.record.graph}): this one has none of its tasks"
        )
    history = _history_of(stored)
    judge = _Judge(stored, plan, fingerprints, history, trust_changes)
    if history.ended is RunState.SUCCEEDED:
        # Outputs that could not be stored are no reason to do again what is already done.
        judge.judge_all(outputs_needed=False)
    if judge.left or history.ended is not RunState.SUCCEEDED:
        judge.judge_all(outputs_needed=True)
    return Resumption(
        run=summary.run,
        record=stored.record,
        next_event=history.seen + 1,
        started_at=stored.record.started_at,
        at=history.at,
        kept=judge.kept,
        reruns=judge.reruns,
        attempts={name: task.attempts for name, task in history.tasks.items() if task.attempts},
        left=tuple(name for index, name in enumerate(plan.names) if index in judge.left),
        ended=history.ended,
    )


def _history_of(stored: StoredRun) -> History:
    if isinstance(stored, BaseStoredRun):
        return stored.history()
    history = History(tuple(session.first for session in stored.sessions))
    for event in stored.events():
        history.apply(event)
    return history


_NEVER = TaskHistory()


@dataclass(slots=True)
class _Judge:
    """Decides about each task, upstream first."""

    stored: StoredRun
    plan: Plan
    fingerprints: Sequence[str]
    history: History
    trust_changes: bool
    kept: dict[str, Any] = field(default_factory=dict)
    reruns: dict[str, str] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)
    _outputs: dict[str, Any] = field(default_factory=dict)
    _places: dict[int, dict[str, int]] = field(default_factory=dict)
    """By session: where each task is in its record."""

    def judge_all(self, *, outputs_needed: bool) -> None:
        """Decide anew about every task."""
        self.kept, self.reruns, self.left = {}, {}, set()
        if not self._outputs:
            finished = (name for name, task in self.history.tasks.items() if task.result is not None)
            self._outputs = self.stored.outputs(finished)
        for index in self.plan.order:
            name = self.plan.names[index]
            task = self.history.tasks.get(name, _NEVER)
            if task.result is None:
                if not self._is_skipped_again(index, task):
                    self.left.add(index)
                continue
            reason = self._reason_to_rerun(index, task, task.result) or self._take_output(name, outputs_needed)
            if reason:
                self.reruns[name] = reason
                self.left.add(index)
        for name, task in self.history.tasks.items():
            if task.result is not None and name not in self.plan.index:
                self.reruns[name] = "it is gone from the graph"

    def _is_skipped_again(self, index: int, task: TaskHistory) -> bool:
        if task.ending != "skipped" or self._change(index, task.ended):
            return False
        return not any(needed in self.left for needed in self.plan.upstream[index])

    def _reason_to_rerun(self, index: int, task: TaskHistory, result: Result) -> str:
        if change := self._change(index, result.number):
            return change
        for needed in self.plan.upstream[index]:
            name = self.plan.names[needed]
            if needed in self.left:
                return (
                    f"its upstream {name} runs again" if name in self.reruns else f"its upstream {name} has yet to run"
                )
            redone = self.history.tasks.get(name, _NEVER).redone
            if redone > result.number and task.stale < redone:
                return f"its upstream {name} ran again after it"
        return ""

    def _change(self, index: int, number: int) -> str:
        """What is different about a task now from when event `number` told of its end; "" if nothing is."""
        if self.trust_changes:
            return ""
        session = self.history.session_of(number)
        record = self.stored.sessions[session - 1].record
        places = self._places.get(session)
        if places is None:
            places = self._places[session] = {name: place for place, name in enumerate(record.names)}
        place = places.get(self.plan.names[index])
        if place is None or record.fingerprints[place] != self.fingerprints[index]:
            return "its code or options changed"
        before = {record.names[needed] for needed in record.upstream[place]}
        if before != {self.plan.names[needed] for needed in self.plan.upstream[index]}:
            return "its dependencies changed"
        return ""

    def _take_output(self, name: str, needed: bool) -> str:
        if name in self._outputs:
            self.kept[name] = self._outputs[name]
        elif needed:
            return "its output is not stored"
        return ""
