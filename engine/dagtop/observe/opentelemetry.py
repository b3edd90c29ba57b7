"""`dagtop[otel]`: a run as a trace: a span for the run, in it one for each task, in that one for each attempt."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode, Tracer, TracerProvider

from dagtop.core.events import AnyEvent, Log
from dagtop.core.failure import Failure
from dagtop.core.states import BAD, RunState
from dagtop.core.values import dataclass
from dagtop.observe.redact import seen
from dagtop.observe.visible import storable
from dagtop.ports.plugin import (
    AttemptInfo,
    AttemptOutcome,
    Plugin,
    RunInfo,
    RunOutcome,
    TaskInfo,
    TaskOutcome,
)

#: So many runs that are over are remembered, for the link of one that goes on after that.
REMEMBERED = 100


@dataclass(slots=True)
class _Trace:
    """The spans of one run that are open."""

    tracer: Tracer
    span: Span
    inside: Context
    started_at: float
    tasks: dict[str, Span] = field(default_factory=dict)
    attempts: dict[str, Span] = field(default_factory=dict)
    ended: dict[str, SpanContext] = field(default_factory=dict)
    """By task that is over: its span, for the links of those that depend on it."""


class OpenTelemetryPlugin(Plugin):
    """Makes spans of runs, with the tracer provider that the program has configured.

    The run's span is a child of the span in which the run was begun. A task's span links to those of the tasks it
    depends on. Times are those of the events, however late the spans are made.

    Parameters
    ----------
    tracer_provider: None takes the global one.
    logs: whether each line that a task prints or logs becomes an event of its attempt's span.
    attributes: of every run's span.
    """

    name = "otel"
    events = (Log,)

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        *,
        logs: bool = False,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self._provider = tracer_provider
        self._attributes = dict(attributes or {})
        self._traces: dict[str, _Trace] = {}
        self._over: dict[str, SpanContext] = {}
        self._runs: dict[int, str] = {}
        """By thread that calls, which is one for each run: the run."""
        if logs:
            self.on_event = self._line  # type: ignore[method-assign]  # overridden only where it is wanted

    def before_run(self, run: RunInfo) -> None:
        """Open the run's span, in the span that is current where the run was begun."""
        self._runs[threading.get_ident()] = run.run
        tracer = trace.get_tracer("dagtop", tracer_provider=self._provider)
        earlier = self._over.pop(run.run, None)
        attributes = {
            **self._attributes,
            "dagtop.run": run.run,
            "dagtop.graph": _seen(run.graph),
            "dagtop.tasks": run.tasks,
            "dagtop.max_parallel": run.max_parallel,
            "dagtop.resumed": run.resumed,
        }
        span = tracer.start_span(
            f"run {_seen(run.graph)}",
            context=otel_context.get_current(),
            attributes=attributes,
            links=[Link(earlier)] if earlier is not None else None,
            start_time=_ns(run.begun_at),
        )
        self._traces[run.run] = _Trace(tracer, span, trace.set_span_in_context(span), run.started_at)

    def after_run(self, run: RunOutcome) -> None:
        """Close it."""
        found = self._traces.pop(run.run, None)
        if found is None:
            return
        for left in (*found.attempts.values(), *found.tasks.values()):
            left.end(_ns(run.ended_at))
        span = found.span
        span.set_attribute("dagtop.state", run.state.value)
        for state, count in run.counts.items():
            span.set_attribute(f"dagtop.tasks.{state}", count)
        if run.state is RunState.FAILED:
            span.set_status(
                Status(StatusCode.ERROR, ", ".join(f"{count} {state}" for state, count in run.counts.items()))
            )
        span.end(_ns(run.ended_at))
        self._over[run.run] = span.get_span_context()
        while len(self._over) > REMEMBERED:
            self._over.pop(next(iter(self._over)))

    def before_task(self, task: TaskInfo) -> None:
        """Open the task's span."""
        if (found := self._traces.get(task.run)) is not None:
            found.tasks[task.task] = self._task_span(found, task.task, task.started_at, task.upstream)

    def after_task(self, task: TaskOutcome) -> None:
        """Close it; a task that never ran has one without a length."""
        found = self._traces.get(task.run)
        if found is None:
            return
        span = found.tasks.pop(task.task, None) or self._task_span(found, task.task, task.ended_at, ())
        span.set_attribute("dagtop.attempts", task.attempts)
        if task.reason:
            span.set_attribute("dagtop.reason", storable(task.reason))
        _close(span, task.state.value, task.failure if task.state in BAD else None, task.ended_at)
        found.ended[task.task] = span.get_span_context()

    def before_attempt(self, attempt: AttemptInfo) -> None:
        """Open the attempt's span."""
        found = self._traces.get(attempt.run)
        parent = found.tasks.get(attempt.task) if found is not None else None
        if found is None or parent is None:
            return
        found.attempts[attempt.task] = found.tracer.start_span(
            f"attempt {_seen(attempt.task)}",
            context=trace.set_span_in_context(parent),
            attributes={
                "dagtop.run": attempt.run,
                "dagtop.task": _seen(attempt.task),
                "dagtop.attempt": attempt.attempt,
            },
            start_time=_ns(attempt.started_at),
        )

    def after_attempt(self, attempt: AttemptOutcome) -> None:
        """Close it, with the exception."""
        found = self._traces.get(attempt.run)
        span = found.attempts.pop(attempt.task, None) if found is not None else None
        if span is None:
            return
        if attempt.retry_in is not None:
            span.set_attribute("dagtop.retry_in", attempt.retry_in)
        if attempt.failure is not None:
            span.add_event("exception", _exception(attempt.failure), timestamp=_ns(attempt.ended_at))
        _close(span, attempt.state.value, attempt.failure if attempt.state in BAD else None, attempt.ended_at)

    def _line(self, event: AnyEvent) -> None:
        found = self._traces.get(self._runs.get(threading.get_ident(), ""))
        span = found.attempts.get(event.task) if found is not None and isinstance(event, Log) else None
        if found is not None and span is not None and isinstance(event, Log):
            about = {"message": storable(event.line), "level": event.level, "stream": event.stream}
            span.add_event("log", about, timestamp=_ns(found.started_at + event.at))

    def _task_span(self, found: _Trace, task: str, at: float, upstream: tuple[str, ...]) -> Span:
        links = [Link(found.ended[name]) for name in upstream if name in found.ended]
        return found.tracer.start_span(
            f"task {_seen(task)}",
            context=found.inside,
            attributes={"dagtop.task": _seen(task)},
            links=links,
            start_time=_ns(at),
        )


def _close(span: Span, state: str, failure: Failure | None, at: float) -> None:
    span.set_attribute("dagtop.state", state)
    if failure is not None:
        span.set_status(Status(StatusCode.ERROR, storable(f"{failure.error}: {failure.message}")))
    span.end(_ns(at))


def _exception(failure: Failure) -> dict[str, str]:
    return {
        "exception.type": storable(failure.error),
        "exception.message": storable(failure.message),
        "exception.stacktrace": storable(failure.traceback),
    }


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


def _seen(name: str) -> str:
    """A name as it may leave the program."""
    return storable(seen(name))
