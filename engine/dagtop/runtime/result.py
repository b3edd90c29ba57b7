"""What a finished run gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import msgspec

from dagtop.core.escalation import EscalationReport
from dagtop.core.failure import AttemptRecord, Failure
from dagtop.core.figures import counts_of_tasks
from dagtop.core.ledger import Ledger
from dagtop.core.nearest import nearest
from dagtop.core.plan import Plan
from dagtop.core.states import GOOD, RunState, TaskState
from dagtop.core.topology import critical_path
from dagtop.observe.veil import changed
from dagtop.runtime.node_outputs import plain
from dagtop.runtime.node_result import NodeResult


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TaskResult:
    """How one task ended. Times are seconds since the run began."""

    name: str
    state: TaskState
    output: Any
    attempts: int
    """How many there were, restarts included."""
    ready_at: float | None
    started_at: float | None
    """Start of the latest attempt."""
    ended_at: float | None
    failure: Failure | None
    """Of the latest attempt that did not succeed, also if a later one did."""
    history: tuple[AttemptRecord, ...]
    """The attempts that did not succeed."""
    reason: str
    log_lines: int = 0
    escalation: EscalationReport | None = None
    """What was told when it last failed for good, also if it was restarted and succeeded after that."""

    def __repr__(self) -> str:
        parts = [repr(self.name), self.state.value]
        if self.attempts:
            parts.append(f"{self.attempts} attempt{'s' if self.attempts > 1 else ''}")
        if self.duration is not None and self.attempts:
            parts.append(f"{self.duration:.3f} s")
        if self.failure is not None:
            parts.append(self.failure.error)
        return f"TaskResult({', '.join(parts)})"

    @property
    def duration(self) -> float | None:
        """Seconds that the latest attempt took; None if there was none."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, self.ended_at - self.started_at)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the output, as plain values."""
        return {
            "name": self.name,
            "state": self.state.value,
            "attempts": self.attempts,
            "ready_at": self.ready_at,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "duration": self.duration,
            "reason": self.reason,
            "failure": msgspec.to_builtins(self.failure),
            "history": msgspec.to_builtins(self.history),
            "log_lines": self.log_lines,
            "escalation": msgspec.to_builtins(self.escalation),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TeardownFailure:
    """Something that could not be torn down or closed; the run went on all the same."""

    of: str
    """What it was, for people: "task 'load'", "service 'db'", "the graph"."""
    task: str
    """The task; "" for a service and for the graph."""
    failure: Failure


def _elapsed(task: TaskResult) -> float:
    """Seconds from the task's first attempt to its end, waits between attempts included."""
    if task.started_at is None or task.ended_at is None:
        return 0.0
    return max(0.0, task.ended_at - min([task.started_at, *(past.started_at for past in task.history)]))


class RunResult:
    """How a run ended, and every task in it: `result["load"].output`."""

    def __init__(
        self,
        ledger: Ledger,
        outputs: Sequence[Any],
        duration: float,
        log_lines: dict[int, int],
        teardown_failures: Sequence[TeardownFailure] = (),
    ) -> None:
        self.run = ledger.run
        self.plan: Plan = ledger.plan
        self.graph = ledger.plan.name
        self.state: RunState = ledger.run_state
        self.reason = ledger.run_reason
        self.started_at = ledger.started_at
        """Wall clock, seconds since 1970 UTC."""
        self.duration = duration
        """Seconds from the run's beginning to its end."""
        self.counts: dict[str, int] = counts_of_tasks(ledger)
        """Final states of tasks by name in lower case; nodes of a `MetaDAG`, and tasks that were removed, are none."""
        self.removed: frozenset[str] = frozenset(ledger.plan.names[index] for index in ledger.desired.gone)
        """Tasks that were taken out of the graph while the run went on."""
        self.teardown_failures = tuple(teardown_failures)
        """What could not be torn down or closed, in order; the run's state does not depend on it."""
        self.escalations: tuple[EscalationReport, ...] = tuple(ledger.escalations)
        """What was told of each task that failed for good, in order; a later success takes none away."""
        self._latest = {report.task: report for report in self.escalations}
        self._ledger = ledger
        self._outputs = outputs
        self._log_lines = log_lines
        self.seen: Callable[[str], str] = str
        """Makes of the name of a task what people see of it."""

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        return f"RunResult({self.graph!r}, {self.state.value}, {counts}, {self.duration:.3f} s)"

    def __len__(self) -> int:
        return len(self.plan)

    def __contains__(self, name: object) -> bool:
        return name in self.plan.index

    def __getitem__(self, name: str) -> TaskResult:
        index = self.plan.index.get(name)
        if index is None:
            raise KeyError(f"there is no task {name!r}{nearest(str(name), self.plan.index)}")
        return self._task(index)

    def node(self, path: str) -> NodeResult:
        """How a node of a `MetaDAG` ended, with all that is in it.

        Raises
        ------
        KeyError: there is no such node.
        """
        return NodeResult(self, path)

    def __iter__(self) -> Iterator[TaskResult]:
        return (self._task(index) for index in range(len(self.plan)))

    @property
    def ok(self) -> bool:
        """Whether every task succeeded or was skipped by rule."""
        return self.state is RunState.SUCCEEDED

    def critical_path(self) -> list[str]:
        """The chain of tasks that took longest, by what they really took: from the first attempt to the end of the last one.

        Tasks that never ran are left out of it.
        """
        ran = [task.attempts > 0 for task in self]
        durations = [_elapsed(task) for task in self]
        ends = [task.ended_at if task.state in GOOD and task.ended_at is not None else inf for task in self]
        return [self.plan.names[index] for index in critical_path(self.plan, durations, ends) if ran[index]]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the outputs, as plain values, and with the names that people see."""
        return {
            "run": self.run,
            "graph": self.seen(self.graph),
            "state": self.state.value,
            "reason": self.reason,
            "started_at": self.started_at,
            "duration": self.duration,
            "counts": self.counts,
            "critical_path": [self.seen(name) for name in self.critical_path()],
            "tasks": [changed(task.to_dict(), self.seen) for task in self],
        }

    def _task(self, index: int) -> TaskResult:
        ledger = self._ledger
        return TaskResult(
            name=self.plan.names[index],
            state=ledger.state[index],
            output=plain(self._outputs[index]) if ledger.state[index] in GOOD else None,
            attempts=ledger.attempt[index],
            ready_at=ledger.ready_at[index],
            started_at=ledger.attempt_started[index],
            ended_at=ledger.ended_at[index],
            failure=ledger.failure.get(index),
            history=ledger.history.get(index, ()),
            reason=ledger.reason.get(index, ""),
            log_lines=self._log_lines.get(index, 0),
            escalation=self._latest.get(self.plan.names[index]),
        )
