# ruff: noqa: E501 - a table of events reads best with one a line
"""Events as the console tells them: of what kind, about whom, what happened, on whose word, how grave. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple

from dagtop.core import events as ev
from dagtop.core.events import AnyEvent

from dagtop_app.faces import ASCII
from dagtop_app.lines import Line, Span, fit_line
from dagtop_app.plain.escalated import headline
from dagtop_app.tasks.why import error_line
from dagtop_app.text import clean, clock, duration, fit, name_of, number, plural, width


class Weight(IntEnum):
    """How much an event matters."""

    DETAIL = 0
    """Part of the usual course of every task."""
    NEWS = 1
    """Something has come to its end, or was changed."""
    WARNING = 2
    """Something did not go as it should, and may be well again by itself."""
    BAD = 3
    """Something has failed."""


#: What `s` goes through, with how it is said.
WEIGHTS: Mapping[Weight, str] = {
    Weight.DETAIL: "all",
    Weight.NEWS: "without details",
    Weight.WARNING: "warnings",
    Weight.BAD: "failures",
}

_TO = "->" if ASCII else "→"


class Told(NamedTuple):
    """One event in words, cleaned."""

    kind: str
    """At most 8 cells."""
    who: str
    text: str
    by: str
    """Who gave the command, and why; "" if nobody did."""
    tone: str
    """Style class."""
    weight: Weight
    task: str
    """The task that it is about, as it is; "" for none."""


_D, _N, _W, _B = Weight.DETAIL, Weight.NEWS, Weight.WARNING, Weight.BAD


def _after(delay: float) -> str:
    return f"again in {duration(delay)}" if delay >= 0.05 else "again at once"


def _reason(text: str) -> str:
    return clean(text, 300)


def _person(by: str) -> str:
    return "you" if by == "console" else clean(by, 60)


def _progress(event: ev.TaskProgress) -> str:
    of = f" of {number(event.total)}" if event.total is not None else ""
    said = f" {clean(event.message, 200)}" if event.message else ""
    return f"{number(event.done)}{of}{said}"


def _counts(event: ev.RunFinished) -> str:
    counts = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in event.counts.items() if count)
    return f"{event.state.value}: {counts}" if counts else event.state.value


def _graph(event: ev.GraphChanged) -> str:
    returned, removed = {*event.returned}, {*event.removed}
    parts = (
        (len(event.added) + len(returned), "added"),
        (len(removed), "removed"),
        (len({*event.changed} - returned), "changed"),
        (len({*event.rewired} - returned - removed), "with other dependencies"),
        (len({*event.policies} - returned), "with other options"),
    )
    told = ", ".join(f"{count:,} {word}" for count, word in parts if count)
    return f"{told or 'as it was'} · {_reason(event.reason)}"


def _escalated(event: ev.TaskEscalated) -> str:
    return headline(event.report).removeprefix(f"{name_of(event.task)}: ")


def _changes(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{clean(name, 40)} {_TO} {clean(str(value), 40) or 'none'}" for name, value in changes.items())


_Entry = tuple[str, str, Weight, Callable[[Any], str]]

#: Of tasks, by type of event: the kind, its style, its weight, what happened.
_OF_TASKS: Mapping[type[ev.Event], _Entry] = {
    ev.TaskReady: ("ready", "queue", _D, lambda e: "waits for a slot"),
    ev.TaskStarted: ("start", "run", _D, lambda e: f"attempt {e.attempt} began"),
    ev.TaskSucceeded: ("ok", "ok", _N, lambda e: _reason(e.note) or (f"attempt {e.attempt} succeeded" if e.attempt > 1 else "succeeded")),
    ev.TaskRetrying: ("retry", "retry", _W, lambda e: f"attempt {e.attempt} {'ran out of time' if e.timed_out else 'failed'}, {_after(e.delay)} · {error_line(e.failure)}"),
    ev.TaskFailed: ("failed", "fail", _B, lambda e: f"attempt {e.attempt} failed for good · {error_line(e.failure)}"),
    ev.TaskTimedOut: ("timeout", "fail", _B, lambda e: f"attempt {e.attempt} ran out of time for good · {error_line(e.failure)}"),
    ev.TaskCancelling: ("cancel", "stop", _W, lambda e: f"told to stop · {_reason(e.reason)}"),
    ev.TaskCancelled: ("stopped", "stop", _W, lambda e: _reason(e.reason) or "stopped"),
    ev.TaskSkipped: ("skip", "skip", _N, lambda e: _reason(e.reason)),
    ev.TaskCached: ("cached", "ok", _N, lambda e: _reason(e.reason)),
    ev.TaskBlocked: ("blocked", "block", _B, lambda e: _reason(e.reason)),
    ev.TaskHeld: ("hold", "held", _N, lambda e: "will not start before it is released"),
    ev.TaskReleased: ("release", "held", _N, lambda e: "may start"),
    ev.TaskRestarted: ("again", "retry", _N, lambda e: f"starts over · {_reason(e.reason)}"),
    ev.TaskRestarting: ("restart", "retry", _W, lambda e: f"restart {e.restart}, {_after(e.delay)}" + (f" · {error_line(e.failure)}" if e.failure is not None else "")),
    ev.TaskWanted: ("wanted", "key", _N, lambda e: f"wanted {'up' if e.up else 'down'} · {_reason(e.reason)}"),
    ev.TaskStale: ("stale", "wait", _N, lambda e: f"may be out of date: {name_of(e.because, 80)} ran again"),
    ev.TaskProgress: ("progress", "dim", _D, _progress),
    ev.TaskServing: ("up", "ok", _N, lambda e: "is up" if e.opens else "is ready"),
    ev.TaskNotReady: ("notready", "retry", _W, lambda e: f"is not ready · {_reason(e.reason)}"),
    ev.TaskEscalated: ("escalate", "alarm", _B, _escalated),
    ev.TaskTearingDown: ("teardown", "dim", _D, lambda e: "is torn down"),
    ev.TaskNotCached: ("cache", "dim", _D, lambda e: f"runs all the same: {_reason(e.reason)}"),
    ev.GateWaiting: ("gate", "alarm", _W, lambda e: f"waits at its gate{f': {_reason(e.prompt)}' if e.prompt else ''}"),
    ev.LoopBlocked: ("loop", "warn", _W, lambda e: f"kept the event loop for {duration(e.seconds)}"),
    ev.PolicyChanged: ("policy", "key", _N, lambda e: _changes(e.changes)),
}  # fmt: skip

#: Of the run: the kind, its style, its weight, what happened.
_OF_RUN: Mapping[type[ev.Event], _Entry] = {
    ev.RunStarted: ("run", "strong", _N, lambda e: f"started: {plural(e.tasks, 'task')}, at most {e.max_parallel:,} at once"),
    ev.RunResumed: ("run", "strong", _N, lambda e: f"resumed; {plural(e.kept, 'result')} kept"),
    ev.RunPaused: ("run", "held", _N, lambda e: "paused: nothing new starts"),
    ev.RunContinued: ("run", "strong", _N, lambda e: "goes on"),
    ev.RunStopping: ("run", "stop", _W, lambda e: f"{'stops' if e.cancel else 'drains'} · {_reason(e.reason)}"),
    ev.RunReopened: ("run", "strong", _N, lambda e: "has something to do again"),
    ev.GraphChanged: ("graph", "key", _N, _graph),
    ev.LimitChanged: ("limit", "key", _N, lambda e: f"{_TO} {e.limit:,} · {_reason(e.reason)}"),
}  # fmt: skip

#: Of breakers: the kind is "breaker", who it is about its name.
_OF_BREAKERS: Mapping[type[ev.Event], _Entry] = {
    ev.BreakerOpened: ("breaker", "fail", _W, lambda e: f"{_TO} open, first probe in {duration(e.probe_in)} · {_reason(e.reason)}"),
    ev.BreakerHalfOpened: ("breaker", "retry", _N, lambda e: f"{_TO} half-open · {_reason(e.reason)}"),
    ev.BreakerClosed: ("breaker", "ok", _N, lambda e: f"{_TO} closed · {_reason(e.reason)}"),
    ev.BreakerForced: ("breaker", "held", _N, lambda e: (f"held {e.state.replace('_', '-')}" if e.state else "let go") + f" · {_reason(e.reason)}"),
    ev.BreakerChanged: ("breaker", "key", _N, lambda e: f"has other settings: {_reason(e.reason)}"),
}  # fmt: skip


#: How much an event matters, where its type says it: the event need not be told for that.
WEIGHT_OF: Mapping[type[ev.Event], Weight] = {
    kind: entry[2] for table in (_OF_TASKS, _OF_RUN, _OF_BREAKERS) for kind, entry in table.items()
}


def tell(event: AnyEvent) -> Told:
    """One event in words."""
    kind = type(event)
    if kind in _OF_TASKS:
        return _told(_OF_TASKS[kind], event, name_of(event.task, 200), event.task)  # type: ignore[union-attr]  # the table's
    if kind in _OF_RUN:
        who = _limited(event.what) if isinstance(event, ev.LimitChanged) else "run"
        return _told(_OF_RUN[kind], event, who)
    if kind in _OF_BREAKERS:
        return _told(_OF_BREAKERS[kind], event, clean(event.breaker, 200))  # type: ignore[union-attr]  # the table's
    match event:
        case ev.CommandApplied():
            return _command(event, _reason(event.effect) or "done", Weight.NEWS, "good")
        case ev.CommandRefused():
            return _command(event, f"refused: {_reason(event.reason)}", Weight.WARNING, "warn")
        case ev.RunFinished():
            good = event.state.value == "succeeded"
            return Told("run", "run", _counts(event), "", "ok" if good else "fail", _N if good else _B, "")
        case ev.TaskTornDown(failure=None):
            return Told("teardown", name_of(event.task, 200), "is over", "", "dim", Weight.DETAIL, event.task)
        case ev.TaskTornDown(failure=failure) if failure is not None:
            return Told(
                "teardown", name_of(event.task, 200), f"failed · {error_line(failure)}", "", "fail", _B, event.task
            )
        case ev.GateDecided():
            word, tone = ("approved", "ok") if event.approved else ("rejected", "fail")
            by = _by(event.by, event.reason)
            return Told("gate", name_of(event.task, 200), word, by, tone, Weight.NEWS, event.task)
        case ev.EscalationAcknowledged():
            word = "nobody looks after any more" if event.withdrawn else "is looked after"
            by = _by(event.by, event.note)
            return Told(
                "escalate", name_of(event.task, 200), f"ESC-{event.number} {word}", by, "held", Weight.NEWS, event.task
            )
        case ev.Problem(is_notice=True):
            return Told("note", name_of(event.task, 200), _reason(event.message), "", "dim", Weight.DETAIL, event.task)
        case ev.Problem():
            who = name_of(event.task, 200) if event.task else clean(event.source, 200)
            return Told("problem", who, _reason(event.message), "", "warn", Weight.WARNING, event.task)
        case _:
            return _other(event)


def _told(entry: _Entry, event: AnyEvent, who: str, task: str = "") -> Told:
    kind, tone, weight, text = entry
    return Told(kind, who, text(event), "", tone, weight, task)


def _limited(what: str) -> str:
    return "run" if what in {"max_parallel", "window"} else clean(what.replace(":", " "), 200)


def _by(by: str, reason: str) -> str:
    who = f"by {_person(by)}" if by else ""
    return f"{who}: {_reason(reason)}" if reason and who else who


#: Commands whose names are too long for their column.
_VERBS = {
    "set-max-parallel": "limit", "set-pool-limit": "pool", "set-policy": "policy", "mark-succeeded": "mark",
    "trip-breaker": "trip", "reset-breaker": "close", "force-breaker": "force", "set-breaker": "breaker", "acknowledge": "ack",
    "retry-failed": "again", "cancel-run": "cancel", "abandon-run": "abandon", "start-run": "start", "swap-graph": "graph",
}  # fmt: skip


def _command(event: ev.CommandApplied | ev.CommandRefused, text: str, weight: Weight, tone: str) -> Told:
    command = event.command
    task = getattr(command, "task", None)
    thing = task if isinstance(task, str) else getattr(command, "breaker", getattr(command, "pool", ""))
    who = name_of(thing, 200) if isinstance(thing, str) and thing else "run"
    reason = str(getattr(command, "reason", "") or "")
    return Told(
        _VERBS.get(command.verb, command.verb)[:8],
        who,
        text,
        _by(event.by, reason),
        tone,
        weight,
        task if isinstance(task, str) else "",
    )


def _other(event: AnyEvent) -> Told:
    """One that has no entry of its own: by its name, with what it says of itself."""
    kind = event.type.rpartition(".")[0] or event.type
    task = getattr(event, "task", "")
    what = event.type.rpartition(".")[2].replace("_", " ")
    reason = str(getattr(event, "reason", "") or getattr(event, "note", "") or "")
    who = name_of(task, 200) if task else clean(str(getattr(event, "breaker", "") or "run"), 200)
    text = f"{what} · {_reason(reason)}" if reason else what
    return Told(clean(kind, 8), who, text, _by(str(getattr(event, "by", "") or ""), ""), "key", Weight.NEWS, task)


# -- lines -----------------------------------------------------------------------------------------------------------------


def time_text(at: float, started_at: float, *, wall: bool) -> str:
    """When it happened: since the run began, or on the reader's clock."""
    if wall:
        return f"{datetime.fromtimestamp(started_at + at):%H:%M:%S}"  # noqa: DTZ006 - local time: the reader's
    return clock(at)


def event_line(told: Told, time: str, cells: int, *, cursor: bool = False) -> Line:
    """One event in one line: when, what kind, who, what, on whose word."""
    names = 14 if cells < 90 else 20 if cells < 130 else 28
    edge = (">" if ASCII else "▌") if cursor else " "
    line: list[Span] = [
        (edge, "mark"),
        (f"{fit(time, 8)} ", "dim"),
        (told.kind, told.tone),
        (" " * (10 - width(told.kind)), ""),
        (f"{fit(told.who, names)}  ", "strong" if cursor else "" if told.weight else "dim"),
    ]
    text_style = "error" if told.weight is Weight.BAD else "dim" if told.weight is Weight.DETAIL else ""
    taken = 1 + 9 + 10 + names + 2
    if told.by:
        by = f"  {told.by}"
        room = cells - taken - min(width(by), max(0, cells - taken) // 2)
        line += [(fit(told.text, room) if width(told.text) > room else told.text, text_style), (by, "key")]
    else:
        line.append((told.text, text_style))
    return fit_line(line, cells)
