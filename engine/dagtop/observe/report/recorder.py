"""Keeps from the event stream what a report tells and the final state of a run does not: a bounded amount."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from dagtop.core import events as ev
from dagtop.core.escalation import EscalationReport
from dagtop.core.events import AnyEvent
from dagtop.observe.report.escalations import KEPT, without_tracebacks
from dagtop.observe.spans import ENDINGS

COMMANDS = 1000
PROBLEMS = 200
ATTEMPTS = 20_000
PAUSES = 200
MOVES = 1000
#: Lines of output that are kept of one task, of how many tasks, and how long a line may be.
LINES, LOGS, LINE = 200, 2_000, 2_000


class SeenAttempt(NamedTuple):
    """One attempt that ended."""

    number: int
    started_at: float
    ended_at: float
    ending: str


class Log(NamedTuple):
    """What a task wrote last."""

    lines: deque[ev.Log]
    total: int
    """How many there were in all."""


class ReportRecorder:
    """A recorder of commands, problems, pauses, breakers, output and attempts. Give it to the executor, then to `collect`.

    It keeps the latest commands and problems, and attempts until there are `ATTEMPTS`: after that, of a task that
    succeeded more than once, only the last time is told.
    """

    def __init__(self, *, attempts: int = ATTEMPTS) -> None:
        self.commands: deque[ev.CommandApplied | ev.CommandRefused] = deque(maxlen=COMMANDS)
        self.command_count = 0
        self.problems: deque[ev.Problem] = deque(maxlen=PROBLEMS)
        self.problem_count = 0
        self.notice_count = 0
        """How many outputs the journal cannot keep."""
        self.escalations: deque[EscalationReport] = deque(maxlen=KEPT)
        self.escalation_count = 0
        self.pauses: deque[tuple[float, float]] = deque(maxlen=PAUSES)
        self.paused_at: float | None = None
        self.max_parallel = 0
        self.attempts: dict[str, list[SeenAttempt]] = {}
        self.moves: deque[ev.BreakerEvent] = deque(maxlen=MOVES)
        self.move_count = 0
        self.logs: OrderedDict[str, Log] = OrderedDict()
        """By task, those that wrote last at the end. Of one that succeeds nothing is kept."""
        self._attempts_left = attempts
        self._running: dict[str, tuple[int, float]] = {}

    def record(self, first: int, batch: Sequence[AnyEvent]) -> None:
        """Take the next events."""
        for event in batch:
            step = _STEPS.get(type(event))
            if step is not None:
                step(self, event)

    # -- attempts -------------------------------------------------------------------------------------------------

    def _started(self, event: ev.TaskStarted) -> None:
        if self._attempts_left:
            self._running[event.task] = (event.attempt, event.at)

    def _retrying(self, event: ev.TaskRetrying) -> None:
        self._attempt_ended(event, "timed_out" if event.timed_out else "failed")

    def _ended(self, event: ev.TaskEvent) -> None:
        self._attempt_ended(event, ENDINGS[type(event)])

    def _attempt_ended(self, event: ev.TaskEvent, ending: str) -> None:
        begun = self._running.pop(event.task, None)
        if begun is None or not self._attempts_left:
            return
        self._attempts_left -= 1
        self.attempts.setdefault(event.task, []).append(SeenAttempt(*begun, event.at, ending))

    def _succeeded(self, event: ev.TaskSucceeded) -> None:
        self.logs.pop(event.task, None)
        self._ended(event)

    def _wrote(self, event: ev.Log) -> None:
        if not event.task:
            return
        if len(event.line) > LINE:
            event = msgspec.structs.replace(event, line=f"{event.line[:LINE]}…")
        log = self.logs.get(event.task)
        if log is None:
            log = Log(deque(maxlen=LINES), 0)
            if len(self.logs) >= LOGS:
                self.logs.popitem(last=False)
        else:
            self.logs.move_to_end(event.task)
        log.lines.append(event)
        self.logs[event.task] = log._replace(total=log.total + 1)

    # -- the run --------------------------------------------------------------------------------------------------

    def _run_started(self, event: ev.RunStarted) -> None:
        self.max_parallel = event.max_parallel

    def _limit(self, event: ev.LimitChanged) -> None:
        self.max_parallel = event.limit

    def _paused(self, event: ev.RunPaused) -> None:
        self.paused_at = event.at

    def _pause_over(self, event: ev.Event) -> None:
        if self.paused_at is not None:
            self.pauses.append((self.paused_at, event.at))
            self.paused_at = None

    def _resumed(self, event: ev.RunResumed) -> None:
        self._running.clear()
        self._pause_over(event)

    def _command(self, event: ev.CommandApplied | ev.CommandRefused) -> None:
        self.commands.append(event)
        self.command_count += 1

    def _moved(self, event: ev.BreakerEvent) -> None:
        self.moves.append(event)
        self.move_count += 1

    def _escalated(self, event: ev.TaskEscalated) -> None:
        self.escalations.append(without_tracebacks(event.report))
        self.escalation_count += 1

    def _problem(self, event: ev.Problem) -> None:
        if event.is_notice:
            self.notice_count += 1
            if self.notice_count > 1:
                return  # the first one stands for all
        self.problems.append(event)
        self.problem_count += 1


_STEPS: Mapping[type[ev.Event], Callable[[ReportRecorder, Any], None]] = {
    ev.TaskStarted: ReportRecorder._started,
    ev.TaskRetrying: ReportRecorder._retrying,
    **dict.fromkeys(ENDINGS, ReportRecorder._ended),
    ev.TaskSucceeded: ReportRecorder._succeeded,
    ev.Log: ReportRecorder._wrote,
    **dict.fromkeys(
        (ev.BreakerOpened, ev.BreakerHalfOpened, ev.BreakerClosed, ev.BreakerForced, ev.BreakerChanged),
        ReportRecorder._moved,
    ),
    ev.RunStarted: ReportRecorder._run_started,
    ev.RunResumed: ReportRecorder._resumed,
    ev.RunPaused: ReportRecorder._paused,
    ev.RunContinued: ReportRecorder._pause_over,
    ev.RunStopping: ReportRecorder._pause_over,
    ev.RunFinished: ReportRecorder._pause_over,
    ev.LimitChanged: ReportRecorder._limit,
    ev.CommandApplied: ReportRecorder._command,
    ev.CommandRefused: ReportRecorder._command,
    ev.Problem: ReportRecorder._problem,
    ev.TaskEscalated: ReportRecorder._escalated,
}
