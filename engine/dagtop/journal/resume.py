"""What a run that is gone on with keeps, what it does again, and why: a function of what is stored and the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from dagtop.core.changes import OF_RESTART
from dagtop.core.escalation import EscalationReport
from dagtop.core.events import EscalationAcknowledged
from dagtop.core.paths import is_inside
from dagtop.core.plan import Plan
from dagtop.core.states import RunState
from dagtop.core.values import dataclass
from dagtop.errors import JournalError
from dagtop.journal.hidden import as_named, as_stored, names_of
from dagtop.journal.history import SPAWNS_AGAIN, History, Result, TaskHistory
from dagtop.journal.spawned import Fate, fate_of_spawned
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
    notes: Mapping[str, str]
    """Of those that a person gave: what was said of that."""
    reruns: Mapping[str, str]
    """Tasks that had succeeded and whose result no longer counts, with the reason; also those that the graph no longer
    has."""
    spawned: Mapping[str, Any]
    """Outputs of tasks that came while the run went on and had finished, by name: they count if they come again."""
    skipped: Mapping[str, str]
    """Tasks that a person had skipped and that stay so, with the reason."""
    approved: tuple[str, ...]
    """Tasks that had begun behind their gate: they are not asked for again."""
    attempts: Mapping[str, int]
    """Attempts so far, by task; those without any are left out."""
    left: tuple[str, ...]
    """Tasks of the graph that are still to be done, in its order; skipped ones that would be skipped again are not."""
    ended: RunState | None = None
    """How the run ended; None if it never did."""
    stops: Mapping[str, str] = field(default_factory=dict)
    """Tasks that a person wants down, with the reason; of a run that is to come to an end only its services."""
    policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By task: what was changed of its policy while the run went on, as fields of `SetPolicy`; of services only, as above."""
    replicas: Mapping[str, int] = field(default_factory=dict)
    """By task: how many replicas a person wants of it."""
    removed: tuple[str, ...] = ()
    """Tasks of the graph that were taken out of it while the run went on, and did not come back."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Limits that a person has changed: "max_parallel", and pools by "pool:NAME"."""
    breakers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By breaker: settings that a person has changed, as fields of `SetBreaker`."""
    escalations: tuple[EscalationReport, ...] = ()
    """The latest that were told so far."""
    acknowledged: Mapping[int, EscalationAcknowledged] = field(default_factory=dict)
    """By number of the escalation that somebody looks after."""

    @property
    def nothing_left(self) -> bool:
        """Whether the run succeeded and the graph is still the same: then there is nothing to go on with."""
        return self.ended is RunState.SUCCEEDED and not self.left


def plan_resumption(
    stored: StoredRun, plan: Plan, fingerprints: Sequence[str], *, trust_changes: bool = False, supervises: bool = False
) -> Resumption:
    """What to keep of a stored run, given the graph as it is now.

    A task keeps its result if it succeeded (or was cached), its code, options and dependencies are what they were then,
    all of its upstream keep theirs, none of them ran again after it without it being known as stale, and its output is
    stored. An upstream that was skipped, and would be again, does not stand in the way. What a person gave in place of a
    task's output has nothing to do with its upstream.

    Two more run again: a task with setup or teardown, if anything downstream of it runs; and a task that spawned others, if
    one of these, or what was made to wait for them, has to run. What a person skipped stays skipped. A task that stood at its
    gate, or was let through but did not begin, is asked for again.

    Parameters
    ----------
    fingerprints: by task index.
    trust_changes: keep results though code, options or dependencies changed.
    supervises: a desired state is gone on with: what has succeeded stands, unless it has changed itself; what it needs may
        well have to run again.

    Raises
    ------
    JournalError: a process still has the run open, its graph was another one, or it cannot be read.
    """
    real = names_of(plan, stored.record)
    if not real:
        return _planned(stored, plan, fingerprints, trust_changes, supervises)
    return as_named(_planned(stored, as_stored(plan, real), fingerprints, trust_changes, supervises), real)


def _planned(
    stored: StoredRun, plan: Plan, fingerprints: Sequence[str], trust_changes: bool, supervises: bool
) -> Resumption:
    summary = stored.summary
    if summary.alive:
        raise still_open(summary.run, summary.pid)
    if len(plan) and stored.record.names and plan.index.keys().isdisjoint(stored.record.names):
        raise JournalError(
            f"the run {summary.run} was of another graph ({stored.record.graph}): this one has none of its tasks"
        )
    history = _history_of(stored)
    judge = Judge(stored, plan, fingerprints, history, trust_changes, supervises)
    if history.ended is RunState.SUCCEEDED:
        # Outputs that could not be stored are no reason to do again what is already done.
        judge.judge_all(outputs_needed=False)
    if judge.left or history.ended is not RunState.SUCCEEDED:
        judge.judge_all(outputs_needed=True)
    known = _known_last(stored, history)
    return Resumption(
        run=summary.run,
        record=stored.record,
        next_event=history.seen + 1,
        started_at=stored.record.started_at,
        at=history.at,
        kept=judge.kept,
        notes={
            name: result.note
            for name in judge.kept
            if (result := history.tasks[name].result) is not None and result.note
        },
        reruns=judge.reruns,
        spawned=judge.fate.outputs,
        skipped=judge.skipped,
        approved=judge.approved(),
        attempts={name: task.attempts for name, task in history.tasks.items() if task.attempts},
        left=tuple(name for index, name in enumerate(plan.names) if index in judge.left),
        ended=history.ended,
        stops={
            name: task.down
            for name, task in known.items()
            if task.down is not None and (supervises or _is_kept_up(plan, name, task))
        },
        policies={
            name: task.policy
            for name, task in known.items()
            if task.policy and (supervises or _is_kept_up(plan, name, task))
        },
        replicas={name: task.replicas for name, task in known.items() if task.replicas is not None and supervises},
        removed=tuple(name for name in plan.names if name in history.removed),
        limits=history.limits if supervises else {},
        breakers=history.breakers,
        escalations=tuple(history.escalations),
        acknowledged=history.acknowledged,
    )


def _is_kept_up(plan: Plan, name: str, task: TaskHistory) -> bool:
    """Whether it is a service beside tasks that come to an end, as in a node: what a person wants of it outlives the process."""
    index = plan.index.get(name)
    return index is not None and (plan.policies[index].is_supervised or not OF_RESTART.keys().isdisjoint(task.policy))


def _known_last(stored: StoredRun, history: History) -> dict[str, TaskHistory]:
    """Without tasks that the latest session did not have: should they come back, they come as the graph says."""
    names, last = set(stored.record.names), len(stored.sessions)
    came = {name for name, spawned in history.spawned.items() if spawned.session == last}
    return {name: task for name, task in history.tasks.items() if name in names or name in came}


def _history_of(stored: StoredRun) -> History:
    if isinstance(stored, BaseStoredRun):
        return stored.history()
    history = History(tuple(session.first for session in stored.sessions))
    for event in stored.events():
        history.apply(event)
    return history


_NEVER = TaskHistory()


@dataclass(slots=True)
class Judge:
    """Decides about each task of the graph, upstream first."""

    stored: StoredRun
    plan: Plan
    fingerprints: Sequence[str]
    history: History
    trust_changes: bool
    supervises: bool = False
    kept: dict[str, Any] = field(default_factory=dict)
    reruns: dict[str, str] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    fate: Fate = field(default_factory=Fate)
    _outputs: dict[str, Any] = field(default_factory=dict)
    _places: dict[int, dict[str, int]] = field(default_factory=dict)
    """By session: where each task is in its record."""
    _forced: dict[int, str] = field(default_factory=dict)
    """Tasks that run again though their results are good, and why."""
    _remade_by: dict[int, int] = field(default_factory=dict)
    _services: set[int] = field(default_factory=set)
    """Of what is left: services that come up again as they were. Who had used them has no need to do so again."""

    def judge_all(self, *, outputs_needed: bool) -> None:
        """Decide anew about every task."""
        if not self._outputs:
            finished = (name for name, task in self.history.tasks.items() if task.result is not None)
            self._outputs = self.stored.outputs(finished)
        self._forced = {}
        while True:
            self._judge_static(outputs_needed)
            more = self._set_up_again()
            self.fate = fate_of_spawned(self, outputs_needed=outputs_needed)
            for name, cause in self.fate.spawners.items():
                more[self.plan.index[name]] = f"{SPAWNS_AGAIN}: {cause}"
            more = {index: reason for index, reason in more.items() if self.plan.names[index] in self.kept}
            if not more:
                break
            self._forced.update(more)
        for name, task in self.history.tasks.items():
            if task.result is not None and name not in self.plan.index and name not in self.history.spawned:
                self.reruns[name] = "it is gone from the graph"

    def _judge_static(self, outputs_needed: bool) -> None:
        self.kept, self.reruns, self.left, self.skipped = {}, {}, set(), {}
        self._services = set()
        for index in self.plan.order:
            name = self.plan.names[index]
            task = self.history.tasks.get(name, _NEVER)
            if task.result is None or self._is_node_of_services(index):
                if task.skipped_by_hand and task.ending == "skipped":
                    self.skipped[name] = task.reason
                elif not self._is_skipped_again(index, task):
                    if self._is_service_as_before(index, task):
                        self._services.add(index)
                    self.left.add(index)
                continue
            reason = self._reason_to_rerun(index, task, task.result) or self._take_output(name, outputs_needed)
            if not reason and index in self._forced:
                reason = self._forced[index]
                del self.kept[name]
            if reason:
                self.reruns[name] = reason
                self.left.add(index)

    def _set_up_again(self) -> dict[int, str]:
        """Tasks that keep their results so far, and whose resources are gone though somebody downstream needs them."""
        plan, again = self.plan, dict[int, str]()
        if not plan.cleans_up or not self.left:
            return again
        cause: dict[int, int] = {}  # by task: one that has to run, itself or somewhere downstream
        for index in reversed(plan.order):
            below = index if index in self.left else next((cause[d] for d in plan.downstream[index] if d in cause), -1)
            if below >= 0:
                cause[index] = below
                if index in plan.cleans_up and index not in self.left:
                    again[index] = f"what it had set up is gone, and {plan.names[below]} has to run"
        return again

    def runs_as_before(self, index: int, number: int) -> bool:
        """Whether a task comes to what it came to when event `number` happened, be it that it keeps that or runs again."""
        if self._change(index, number) or self._remade(index) > number:
            return False
        name = self.plan.names[index]
        if name in self.reruns:
            return index in self._forced and self.reruns[name] == self._forced[index]
        return index not in self.left or not any(needed in self.left for needed in self.plan.upstream[index])

    def _remade(self, index: int) -> int:
        """Number of the event by which the task, or one before it, was last made anew."""
        if not self._remade_by:
            for i in self.plan.order:
                own = self.history.tasks.get(self.plan.names[i], _NEVER).remade
                self._remade_by[i] = max([own, *(self._remade_by[needed] for needed in self.plan.upstream[i])])
        return self._remade_by[index]

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What is stored, by task."""
        return self._outputs

    def approved(self) -> tuple[str, ...]:
        """Tasks that had begun behind their gate, as they are now."""
        found: list[str] = []
        for index, name in enumerate(self.plan.names):
            task = self.history.tasks.get(name)
            if task is not None and task.passed_gate and task.result is None and not self._change(index, task.started):
                found.append(name)
        return tuple(found)

    def _is_skipped_again(self, index: int, task: TaskHistory) -> bool:
        if task.ending != "skipped" or self._change(index, task.ended):
            return False
        return not any(self._has_to_run(needed) for needed in self.plan.upstream[index])

    def _has_to_run(self, index: int) -> bool:
        """Whether a task is left whose output, once it has one, may be another one than before."""
        return index in self.left and index not in self._services

    def _is_node_of_services(self, index: int) -> bool:
        """Whether it is a node that had ended well as soon as its services served, and has to wait for them again."""
        needed = self.plan.upstream[index]
        return index in self.plan.nodes and any(i in self._services for i in needed)

    def _is_service_as_before(self, index: int, task: TaskHistory) -> bool:
        """Whether it is a service, or a node of such, that is what it was."""
        if not (self.plan.policies[index].restart.is_on or index in self.plan.nodes):
            return False
        if any(self._has_to_run(needed) for needed in self.plan.upstream[index]):
            return False
        return not self._change(index, task.started or self.history.seen)

    def _reason_to_rerun(self, index: int, task: TaskHistory, result: Result) -> str:
        if change := self._change(index, result.number):
            return change
        if result.note or self.supervises:
            return ""
        for needed in self.plan.upstream[index]:
            name = self.plan.names[needed]
            if self._has_to_run(needed):
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
        swapped = self.history.tasks.get(self.plan.names[index], _NEVER).swapped
        if swapped < number and self.history.session_of(swapped) == session:
            return "it had other code than the graph file of that time"  # whose marks alone are in the record
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
        elif self.plan.index[name] in self.plan.nodes:  # whose output is that of the tasks in it
            came = (one for one, spawned in self.history.spawned.items() if not one.startswith(f"{spawned.spawner}["))
            if any(is_inside(one, name) for one in came):
                return "tasks had come into it while the run went on"
            self.kept[name] = None
        elif needed:
            return "its output is not stored"
        return ""
