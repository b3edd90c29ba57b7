"""Whose code a thread that runs an event loop is in, read from its stack: tasks need not tell, and pay nothing for it.

The stack of such a thread has a frame of ours where a worker steps an attempt, and inside of that only the user's code. What
a task has started (asyncio tasks, callbacks, a trio nursery) is stepped by the loop itself, in a copy of the task's context:
that tells whose it is.
"""

from __future__ import annotations

import inspect
import os
from contextvars import Context
from dataclasses import field
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from dagtop.backends.event_loop import Attempt, drive
from dagtop.core.instructions import StartAttempt
from dagtop.core.values import dataclass
from dagtop.runtime.callbacks import AsyncCallback
from dagtop.runtime.capture import AttemptSink, current
from dagtop.runtime.stacks import Place, is_ours, is_theirs, place, without_ours
from dagtop.runtime.workers import Workers

if TYPE_CHECKING:
    from dagtop.runtime.engine import Engine

OURS = "dagtop itself"
NOBODYS = "code that belongs to no task"
GRAPHS = "a setup, teardown or service of the graph"
CALLBACK = "an async callback (on_event, a hook or a plugin)"

_DRIVE: CodeType = inspect.unwrap(drive).__code__
_STEPS = frozenset({Workers._work.__code__, Workers._in_scope.__code__})
_CALLBACK = AsyncCallback._call.__code__
_ASYNCIO_EVENTS = os.path.join("asyncio", "events.py")
_TRIO_RUN = os.path.join("trio", "_core", "_run.py")
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR


@dataclass(frozen=True, slots=True)
class Culprit:
    """Who keeps a loop from going round. Equal if it is the same one, wherever it is by now."""

    task: str = ""
    attempt: int = 0
    who: str = ""
    """Whose code it is, if it is no task's."""
    places: tuple[Place, ...] = field(default=(), compare=False)
    """Where, outermost first."""


def is_asleep(frames: list[FrameType]) -> bool:
    """Whether a loop, innermost frame first, waits for something to happen. False also where that cannot be told."""
    inner: FrameType | None = None
    for frame in frames:
        name, file = frame.f_code.co_name, frame.f_code.co_filename
        if name == "_run_once" and file.endswith("base_events.py"):
            return inner is None or not _is_handle(inner.f_code)
        if file.endswith(_TRIO_RUN) and name in {
            "unrolled_run",
            "run",
        }:  # it waits in `run`, and runs tasks in the other
            return name == "run" or inner is None or not inner.f_code.co_flags & _ASYNC
        inner = frame
    return not frames


def culprit_of(frames: list[FrameType], engine: Engine) -> Culprit:
    """Whose code it is in; `frames` innermost first."""
    for depth, frame in enumerate(frames):
        code = frame.f_code
        if code is _DRIVE or code in _STEPS or _is_chore(code):
            found = _stepped(frame, engine)
            if found is not None:
                return _in_their_code(frames[:depth], *found)
        elif code is _CALLBACK:
            return Culprit(who=CALLBACK, places=_places(frames[:depth]))
        else:
            context = _context_of(frame)
            if context is not None:
                return _started_by_a_task(frames[:depth], context, engine)
    return (
        Culprit(who=OURS, places=_places(frames)) if _all_ours(frames) else Culprit(who=NOBODYS, places=_places(frames))
    )


def _stepped(frame: FrameType, engine: Engine) -> tuple[str, int] | None:
    """The attempt that a worker's frame steps, if it is one of this engine's."""
    known = frame.f_locals
    attempt: Any = known.get("attempt")
    if type(attempt) is Attempt:
        if engine.workers.running.get(attempt.index) is attempt:
            return engine.job.plan.names[attempt.index], attempt.number
        return _told_by(known.get("context"), engine)
    start: Any = known.get("start")
    if type(start) is not StartAttempt or known.get("self") is not engine.workers:
        return None
    return engine.job.plan.names[start.index], start.attempt


def _in_their_code(inner: list[FrameType], task: str, attempt: int) -> Culprit:
    if _all_ours(inner):  # the worker is between two steps: it tells the machine, or stores an output
        return Culprit(who=OURS, places=_places(inner))
    if not task:
        return Culprit(who=GRAPHS, places=_places(inner))
    return Culprit(task, attempt, places=_places(inner))


def _started_by_a_task(inner: list[FrameType], context: Context, engine: Engine) -> Culprit:
    if _all_ours(inner):
        return Culprit(who=OURS, places=_places(inner))
    found = _told_by(context, engine)
    return Culprit(who=NOBODYS, places=_places(inner)) if found is None else _in_their_code(inner, *found)


def _told_by(context: Any, engine: Engine) -> tuple[str, int] | None:
    """The attempt of this engine whose output is captured in a context."""
    sink = context.get(current) if type(context) is Context else None
    return (
        (sink.task, sink.attempt) if isinstance(sink, AttemptSink) and sink.goes_to(engine.reports.captured) else None
    )


def _is_handle(code: CodeType) -> bool:
    """asyncio's `Handle._run`: it runs one callback, or one step of a task. asyncio may not be loaded, and is slow to load."""
    return code.co_name == "_run" and code.co_filename.endswith(_ASYNCIO_EVENTS)


def _is_chore(code: CodeType) -> bool:
    """A setup, teardown or condition takes its first step here."""
    return code.co_name == "_on_loop" and is_ours(code)


def _context_of(frame: FrameType) -> Context | None:
    """The context that a loop runs a callback or a step of a task in, told by the loop's own frame."""
    code = frame.f_code
    found: Any = None
    if _is_handle(code):
        found = getattr(frame.f_locals.get("self"), "_context", None)
    elif code.co_name == "unrolled_run" and code.co_filename.endswith(_TRIO_RUN):
        found = getattr(frame.f_locals.get("task"), "context", None)
    return found if type(found) is Context else None


def _all_ours(inner: list[FrameType]) -> bool:
    """Whether nothing in it is the user's: it begins with code of dagtop's, which calls at most libraries."""
    if not inner:
        return True
    return is_ours(inner[-1].f_code) and not any(is_theirs(frame.f_code) for frame in inner)


def _places(inner: list[FrameType]) -> tuple[Place, ...]:
    places = [place(frame) for frame in reversed(inner)]
    return tuple(without_ours(places) or places)
