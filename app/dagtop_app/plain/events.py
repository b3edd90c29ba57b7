"""Events as lines for people: `dagtop run --plain`, screen readers, log files. Pure; every foreign text is cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dagtop.core import events as ev
from dagtop.core.events import AnyEvent
from dagtop.core.plan import EMPTY_PLAN, Plan
from dagtop.core.policy import OnUpstreamFailure, Trigger
from dagtop.core.snapshot import Blocked
from dagtop.core.states import RunState

from dagtop_app.plain.escalated import details, headline
from dagtop_app.tasks.upkeep import counted_crashes
from dagtop_app.tasks.why import error_line
from dagtop_app.text import clean, duration, name_of, plural

#: How many tasks a line names before it only counts them.
NAMES_SHOWN = 3
#: A task's progress is told again after this share of the way.
PROGRESS_STEP = 0.1
#: As wide as the clock in front of a line, and a little more.
_MARGIN = " " * 11


def some(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(name_of(name, 80) for name in names[:NAMES_SHOWN])
    return f"{shown} and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else shown


def counts_text(counts: dict[str, int]) -> str:
    """ "34 succeeded, 2 failed", in the order given."""
    return ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in counts.items() if count)


class PlainLines:
    """Turns a run's events into lines, each with the wall clock in front."""

    def __init__(self, plan: Plan = EMPTY_PLAN, started_at: float = 0.0) -> None:
        self.plan = plan
        self.started_at = started_at
        """Wall clock of the run's beginning."""
        self._added: dict[str, list[str]] = {}
        """By task: those that came while the run went on and need it."""
        self._told: dict[str, float] = {}
        """By task, the share of its way that was told last."""

    def encode(self, first: int, batch: Sequence[AnyEvent]) -> bytes:
        """The lines of a batch, as they go out."""
        lines = [line for event in batch for line in self.lines(event)]
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")

    def lines(self, event: AnyEvent) -> list[str]:
        """One event as a line, or a few; none for one that tells people nothing of their own."""
        line = self.line(event)
        if isinstance(event, ev.TaskEscalated):
            return [line, *(f"{_MARGIN}{detail}" for detail in details(event.report))]
        return [line] if line else []

    def line(self, event: AnyEvent) -> str:
        """One event as a line; "" for one that tells people nothing of their own."""
        text = self.sentence(event)
        # Local time: that is the clock on the reader's wall.
        return f"{datetime.fromtimestamp(self.started_at + event.at):%H:%M:%S} {text}" if text else ""  # noqa: DTZ006

    def sentence(self, event: AnyEvent) -> str:
        """What happened, without the time."""
        if isinstance(event, ev.TaskEvent):
            return self._of_task(event)
        match event:
            case ev.RunStarted():
                return (
                    f"run {clean(event.run)} of {name_of(event.graph)} started: "
                    f"{plural(event.tasks, 'task')}, at most {event.max_parallel} at once."
                )
            case ev.RunResumed():
                return f"run resumed; {plural(event.kept, 'result')} kept."
            case ev.RunPaused():
                return "run paused: nothing new starts."
            case ev.RunContinued():
                return "run continued."
            case ev.RunStopping(cancel=True):
                return f"run is being stopped: {clean(event.reason)}."
            case ev.RunStopping():
                return f"nothing new starts: {clean(event.reason)}."
            case ev.RunReopened():
                return "run goes on."
            case ev.RunFinished():
                return f"run {_RUN_WORDS[event.state]}: {counts_text(event.counts) or 'no tasks'}."
            case ev.LimitChanged():
                return _limit(event)
            case ev.GraphChanged():
                return self._changed(event)
            case ev.BreakerEvent():
                return f"breaker {name_of(event.breaker)} {_breaker(event)}: {clean(event.reason)}."
            case ev.CommandApplied():
                return f"{clean(event.by)}: {clean(event.effect) or event.command.verb}"
            case ev.CommandRefused():
                return f"{clean(event.by)}: {event.command.verb} refused: {clean(event.reason)}"
            case ev.Log():
                source = name_of(event.task) if event.task else "process"
                level = f"{clean(event.level, 20)} " if event.level and event.level != "INFO" else ""
                return f"{source} | {level}{clean(event.line)}"
            case ev.Problem(is_notice=True):
                return f"{name_of(event.task)}: {clean(event.message)}"
            case ev.Problem():
                about = f" ({name_of(event.task)})" if event.task else ""
                return f"problem with {clean(event.source)}{about}: {clean(event.message)}"
            case _:  # an event of a later version
                return event.type

    def _of_task(self, event: ev.TaskEvent) -> str:
        name = name_of(event.task)
        match event:
            case ev.TaskReady():
                return ""
            case ev.TaskStarted(attempt=1):
                return f"{name} started."
            case ev.TaskStarted():
                return f"{name} started, {self._attempt(event.task, event.attempt)}."
            case ev.TaskSucceeded():
                note = f" ({clean(event.note)})" if event.note else ""
                return f"{name} succeeded{note}."
            case ev.TaskRetrying():
                what = "timed out" if event.timed_out else "failed"
                return (
                    f"{name} {what}, {self._attempt(event.task, event.attempt)}: {error_line(event.failure)}. "
                    f"Next attempt {f'in {duration(event.delay)}' if event.delay else 'as soon as it may start'}."
                )
            case ev.TaskRestarting():
                return f"{name} {self._restarting(event)}"
            case ev.TaskFailed() | ev.TaskTimedOut():
                what = "timed out" if isinstance(event, ev.TaskTimedOut) else "failed"
                tried = f", {self._attempt(event.task, event.attempt)}" if event.attempt else " without having run"
                return f"{name} {what}{tried}: {error_line(event.failure)}.{self._blocks(event.task)}"
            case ev.TaskProgress():
                return self._progress(name, event)
            case ev.TaskEscalated():
                return headline(event.report)
            case _:
                text = f"{name} {_rest(event)}"
                return text if text.endswith((".", "?", "!")) else f"{text}."

    def _restarting(self, event: ev.TaskRestarting) -> str:
        what = "came to its end" if event.failure is None else "timed out" if event.timed_out else "failed"
        told = f"{what}, attempt {event.attempt}"
        if event.failure is not None:
            told += f": {error_line(event.failure)}"
        when = f"in {duration(event.delay)}" if event.delay else "as soon as it may start"
        crashes = f", after {counted_crashes(event.crashes)}" if event.failure is not None else ""
        return f"{told}. Restart {event.restart} {when}{crashes}."

    def _attempt(self, task: str, number: int) -> str:
        index = self.plan.index.get(task)
        allowed = self.plan.policies[index].attempts_allowed if index is not None else 0
        return f"attempt {number} of {allowed}" if allowed >= number else f"attempt {number}"

    def _blocks(self, task: str) -> str:
        index = self.plan.index.get(task)
        below = self.plan.downstream[index] if index is not None else ()
        needed_by = [self.plan.names[i] for i in below if self._cannot_do_without_one(i)]
        needed_by += self._added.get(task, ())
        return f" Needed by {some(needed_by)}." if needed_by else ""

    def _changed(self, event: ev.GraphChanged) -> str:
        for task in event.added:
            for needed in task.upstream:
                self._added.setdefault(needed, []).append(task.name)
        parts, told = [], {*event.removed, *event.returned}
        for names, word in (
            ([task.name for task in event.added], "new"),
            ([*event.returned], "there again"),
            ([*event.removed], "gone"),
            ([name for name in event.changed if name not in told], "changed"),
            ([name for name in event.rewired if name not in told], "waiting for others now"),
            ([name for name in event.policies if name not in told], "with other options"),
        ):
            if names:
                parts.append(f"{plural(len(names), 'task')} {word}: {some(names)}")
        return f"graph changed, {clean(event.reason)}: {'; '.join(parts) or 'nothing is different'}."

    def _cannot_do_without_one(self, index: int) -> bool:
        """Whether a task does not run once any one of its upstream tasks has failed."""
        policy = self.plan.policies[index]
        if policy.on_upstream_failure == OnUpstreamFailure.RUN or policy.trigger == Trigger.ALL_DONE:
            return False
        return policy.trigger != Trigger.ANY_SUCCESS or len(self.plan.upstream[index]) == 1

    def _progress(self, name: str, event: ev.TaskProgress) -> str:
        share = event.done / event.total if event.total else 0.0
        told = self._told.get(event.task, 0.0)
        if not told <= share - PROGRESS_STEP and not (share >= 1 > told):
            return ""
        self._told[event.task] = share
        message = f": {clean(event.message)}" if event.message else ""
        return f"{name} is at {share:.0%}{message}."


def _breaker(event: ev.BreakerEvent) -> str:
    match event:
        case ev.BreakerOpened():
            return f"is open, for {duration(event.probe_in)}"
        case ev.BreakerHalfOpened():
            return "is half open"
        case ev.BreakerForced(state=state) if state:
            return f"is held {state.replace('_', ' ')}"
        case ev.BreakerForced():
            return "is no longer held"
        case ev.BreakerChanged():
            return "has other settings"
        case _:
            return "is closed"


_RUN_WORDS = {state: state.value.replace("_", " ") for state in RunState}


def blocked_sentence(blocked: Blocked) -> str:
    """What keeps the engine's loop at this moment."""
    who = name_of(blocked.task) if blocked.task else clean(blocked.who)
    what = "keeps the event loop from going round"
    if blocked.task and blocked.who:
        what = f"was in the way of everything: {clean(blocked.who)}"
    at = f", at {clean(blocked.where)}" if blocked.where else ""
    return f"{who} {what}, for {duration(blocked.seconds)} so far{at}"


def _innermost(stack: str) -> str:
    """The last line of code of a stack."""
    lines = [line.strip() for line in stack.splitlines() if line.lstrip().startswith("File ")]
    return f": {clean(lines[-1])}" if lines else ""


def _limit(event: ev.LimitChanged) -> str:
    what, _, name = event.what.partition(":")
    match what:
        case "max_parallel":
            told = f"at most {event.limit:,} at once now"
        case "window":
            told = f"{event.limit:,} at once for now, as tasks fare"
        case "pool":
            told = f"at most {event.limit:,} at once in pool {clean(name)} now"
        case _:
            told = f"the limit of {clean(event.what)} is {event.limit:,} now"
    return f"{told}: {clean(event.reason)}." if event.reason else f"{told}."


def _torn_down(event: ev.TaskTornDown) -> str:
    return "is torn down" if event.failure is None else f"could not be torn down: {error_line(event.failure)}"


def _of_blocked(event: ev.TaskBlocked) -> str:
    """Its reason names the error; what that said comes after it."""
    said = clean(event.failure.message, 1000).strip("␊ ") if event.failure is not None else ""
    reason = clean(event.reason)
    return f"{reason}: {said}" if said and said not in reason else reason


def _acknowledged(event: ev.EscalationAcknowledged) -> str:
    said = f": {clean(event.note)}" if event.note else ""
    if event.withdrawn:
        return f"has nobody any more who looks after its escalation {event.number}{said}"
    return f"has somebody who looks after its escalation {event.number}, {clean(event.by)}{said}"


def _rest(event: ev.TaskEvent) -> str:
    match event:
        case ev.TaskCancelling():
            return f"was told to stop: {clean(event.reason)}"
        case ev.TaskCancelled():
            return f"cancelled: {clean(event.reason)}"
        case ev.TaskSkipped():
            return f"skipped: {clean(event.reason)}"
        case ev.TaskCached():
            return f"kept its result: {clean(event.reason)}"
        case ev.TaskNotCached():
            return f"is not taken from the cache: {clean(event.reason)}"
        case ev.TaskBlocked():
            return f"is blocked, and not started again by itself: {_of_blocked(event)}"
        case ev.TaskHeld():
            return "is held: it does not start before it is released"
        case ev.TaskReleased():
            return "is released"
        case ev.GateWaiting():
            question = f": {clean(event.prompt)}" if event.prompt else ""
            within = "" if event.timeout is None else f", for {duration(event.timeout)}"
            return f"waits at its gate{within}{question}"
        case ev.GateDecided():
            ruling = "is approved" if event.approved else "is rejected"
            return f"{ruling} by {clean(event.by)}" + (f": {clean(event.reason)}" if event.reason else "")
        case ev.EscalationAcknowledged():
            return _acknowledged(event)
        case ev.TaskRestarted():
            return f"starts over: {clean(event.reason)}"
        case ev.TaskStale():
            return f"may be out of date: {clean(event.because)}"
        case ev.TaskServing(opens=True):
            return "is ready: what depends on it may start"
        case ev.TaskServing():
            return "is ready"
        case ev.TaskNotReady():
            return f"is not ready: {clean(event.reason)}"
        case ev.TaskWanted(up=True):
            return f"is wanted up: {clean(event.reason)}"
        case ev.TaskWanted():
            return f"is wanted down, and stays down: {clean(event.reason)}"
        case ev.TaskTearingDown():
            return "is being torn down"
        case ev.TaskTornDown():
            return _torn_down(event)
        case ev.LoopBlocked():
            return f"kept the event loop from going round for {duration(event.seconds)}{_innermost(event.stack)}"
        case ev.PolicyChanged():
            changes = ", ".join(f"{clean(str(k))} {clean(str(v))}" for k, v in event.changes.items())
            return f"has a new policy: {changes}"
        case _:
            return event.type
