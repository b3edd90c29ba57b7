"""The report of a run as values: what `--report FILE.json` holds, and what every other form is made from.

The schema's name is "dagtop-report/1". Within version 1 fields are only ever added. All `*_at` and durations are
seconds; `*_at` count from the beginning of the run, whose wall clock is `started` (UTC, ISO 8601). States are those of
`dagtop.core.states`, in lower case. In the JSON of tasks and attempts, fields with their default value are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from dagtop.core.escalation import EscalationReport
from dagtop.core.failure import Failure
from dagtop.observe.describe import Described

SCHEMA = "dagtop-report/1"


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt of a task."""

    number: int
    """From 1, over restarts of the task too."""
    started_at: float
    ended_at: float
    ending: str
    """"succeeded", "failed", "timed_out", "cancelled", or "running" if the report was made meanwhile."""
    failure: Failure | None = None


class TaskReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One task."""

    name: str
    state: str
    reason: str = ""
    """Why it is in that state, where that has a reason."""
    attempts: int = 0
    """How many there were. `timeline` may hold fewer: of a task that failed more than 50 times, the latest."""
    ready_at: float | None = None
    """When its upstream last allowed it to start."""
    started_at: float | None = None
    """When its first attempt that is known began."""
    ended_at: float | None = None
    queue_time: float | None = None
    """From `ready_at` to the start of the attempt that followed."""
    run_time: float = 0.0
    """Of all its attempts together."""
    elapsed: float = 0.0
    """How long it kept those after it waiting: its last attempt, the failed ones before it, and the time between them."""
    on_critical_path: bool = False
    upstream: tuple[str, ...] = ()
    timeline: tuple[Attempt, ...] = ()
    """Its attempts, oldest first."""
    failure: Failure | None = None
    """Why its last attempt did not succeed; None if it did."""
    output: Described | None = None
    """What it returned: type, size and a short text, not the value."""
    description: str = ""
    tags: tuple[str, ...] = ()
    place: str = ""
    """"file.py:12" of its declaration, where known."""
    stale: bool = False
    """An upstream ran again after it did."""
    is_node: bool = False
    """It stands for a node of a graph of graphs; it is no task, and no figure of tasks counts it."""
    removed: bool = False
    """It was taken out of the graph while the run went on; no figure of tasks counts it."""
    log: tuple[LogLine, ...] = ()
    """Of a task that ended badly: the latest lines that it wrote, oldest first."""
    log_left_out: int = 0
    """How many lines it wrote before those."""


class CommandReport(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person, or a program, asked of the run while it went on."""

    at: float
    by: str
    command: str
    """For people: "restart load_orders and everything after it"."""
    applied: bool
    answer: str
    """What it did, or why it was refused."""


class ProblemReport(msgspec.Struct, frozen=True, kw_only=True):
    """Something around the run that went wrong without ending it."""

    at: float
    source: str
    message: str
    task: str = ""


class BreakerMove(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A circuit breaker moved, was held by a person, or goes by other settings."""

    at: float
    breaker: str
    state: str
    """"open", "half_open" or "closed"; "" if a person let go of it, or only its settings are others."""
    reason: str = ""
    forced: bool = False
    """A person did it."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line that a task printed or logged."""

    at: float
    text: str
    attempt: int = 1
    stream: str = "log"
    """"stdout", "stderr" or "log"."""
    level: str = ""


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nothing new was started."""

    started_at: float
    ended_at: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    schema: str = SCHEMA
    run: str
    graph: str
    source: str = ""
    """The graph's file, where known."""
    state: str
    reason: str = ""
    started: str
    """UTC, ISO 8601 with microseconds."""
    finished: str
    """The same; of a run that has not ended, when the report was made."""
    duration: float
    """Wall time from `started` to `finished`."""
    counts: dict[str, int]
    """How many tasks are in each state; states without tasks are left out. Nodes, and tasks that were removed, are none."""
    task_count: int
    """All of `counts` together."""
    attempt_count: int
    run_time: float
    """Of all attempts together."""
    peak_parallel: int
    """Most attempts in progress at one time."""
    max_parallel: int = 0
    """The limit; 0 if not known."""
    critical_path: tuple[str, ...] = ()
    """The chain of tasks, each upstream of the next, that took longest, waits between attempts included."""
    critical_path_time: float = 0.0
    """Their `elapsed` together. However many slots there are, the run cannot be shorter."""
    inputs: dict[str, Described] = {}
    """The graph's inputs. Values whose name looks secret are not in the report."""
    tasks: tuple[TaskReport, ...] = ()
    """In the order of declaration."""
    commands: tuple[CommandReport, ...] = ()
    """Live edits, oldest first."""
    commands_left_out: int = 0
    problems: tuple[ProblemReport, ...] = ()
    problems_left_out: int = 0
    escalations: tuple[EscalationReport, ...] = ()
    """What was told of each task that failed for good or was stopped by hand, oldest first. Tracebacks are with the task's
    attempts in its `timeline`."""
    escalations_left_out: int = 0
    pauses: tuple[Pause, ...] = ()
    breakers: tuple[BreakerMove, ...] = ()
    """What the circuit breakers did, oldest first."""
    breakers_left_out: int = 0
    made_by: str = ""
    """Versions of dagtop and Python."""


Draw: TypeAlias = Callable[[Report], str]
"""Makes an SVG of the graph of a report; "" if there is nothing to draw."""
