"""`dagtop[prometheus]`: runs as counters, gauges and histograms, on a registry of the user's."""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from dagtop.core import events as ev
from dagtop.core.events import AnyEvent
from dagtop.observe.redact import seen
from dagtop.observe.visible import storable
from dagtop.ports.plugin import (
    AttemptInfo,
    AttemptOutcome,
    Plugin,
    RunInfo,
    RunOutcome,
    TaskOutcome,
)

#: Upper ends of the histograms' buckets, in seconds: from a quick call to a day's work.
BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)

_BREAKER_STATES = ("closed", "open", "half_open")


class _Metrics:
    """All of dagtop's metrics on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"dagtop_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"dagtop_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"dagtop_{name}", text, labels, registry=registry, buckets=BUCKETS)

        self.runs = counter("runs", "Runs that are over, by final state.", "graph", "state")
        self.running_runs = gauge("runs_running", "Runs in progress.", "graph")
        self.run_info = gauge("run_info", "1 for each run in progress.", "graph", "run")
        self.run_seconds = histogram("run_duration_seconds", "How long runs took.", "graph", "state")
        self.tasks = counter("tasks", "Tasks that have ended, by final state.", "graph", "state")
        self.task_seconds = histogram(
            "task_duration_seconds", "How long tasks took, waits between attempts included.", "graph", "state"
        )
        self.attempts = counter("attempts", "Attempts that have ended, by how.", "graph", "state")
        self.attempt_seconds = histogram("attempt_duration_seconds", "How long attempts took.", "graph", "state")
        self.running = gauge("attempts_running", "Attempts in progress.", "graph")
        self.retries = counter("retries", "Attempts after which another one was due.", "graph")
        self.max_parallel = gauge("max_parallel", "Attempts at once, at most.", "graph")
        self.limit = gauge("limit", "Other limits: the adaptive window, pools.", "graph", "what")
        self.breaker = gauge("breaker_state", "1 for the state that a circuit breaker is in.", "breaker", "state")
        self.forced = gauge("breaker_forced", "1 while a person holds a circuit breaker in a state.", "breaker")
        self.blocked = counter("loop_blocked", "Times that a task kept the event loop from going round.", "graph")
        self.blocked_seconds = counter("loop_blocked_seconds", "Seconds that tasks kept the event loop.", "graph")
        self.problems = counter("problems", "What went wrong around runs: callbacks, journal, plugins.", "graph")


_lock = threading.Lock()
_known: WeakKeyDictionary[Any, _Metrics] = WeakKeyDictionary()


def _metrics_on(registry: CollectorRegistry) -> _Metrics:
    """The metrics of a registry: made once, shared by all plugins on it."""
    with _lock:
        if registry not in _known:
            _known[registry] = _Metrics(registry)
        return _known[registry]


class PrometheusPlugin(Plugin):
    """Counts runs, tasks and attempts. Metrics have the graph as a label, never a task: their number stays small.

    Parameters
    ----------
    registry: None takes the global one.
    port: serve the registry over HTTP from the first run on, until `close`; None serves nothing.
    address: where; only this computer, unless you say otherwise.
    """

    name = "prometheus"
    events = (ev.LimitChanged, ev.BreakerEvent, ev.LoopBlocked, ev.Problem)

    def __init__(
        self, registry: CollectorRegistry | None = None, *, port: int | None = None, address: str = "127.0.0.1"
    ) -> None:
        self.registry = REGISTRY if registry is None else registry
        self._metrics = _metrics_on(self.registry)
        self._port = port
        self._address = address
        self._server: Any = None
        self._graphs: dict[int, str] = {}
        """By thread that calls, which is one for each run: the graph."""

    @property
    def port(self) -> int | None:
        """The port that is served; None before the first run, and if none is."""
        return self._server.server_port if self._server is not None else None

    def close(self) -> None:
        """Serve no longer."""
        with _lock:
            server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def before_run(self, run: RunInfo) -> None:
        """A run begins."""
        self._graphs[threading.get_ident()] = _seen(run.graph)
        metrics = self._metrics
        metrics.running_runs.labels(_seen(run.graph)).inc()
        metrics.run_info.labels(_seen(run.graph), run.run).set(1)
        metrics.max_parallel.labels(_seen(run.graph)).set(run.max_parallel)
        for what, limit in run.limits.items():
            metrics.limit.labels(_seen(run.graph), storable(what)).set(limit)
        metrics.running.labels(_seen(run.graph))  # it is there, at 0
        with _lock:
            if self._port is not None and self._server is None:
                self._server, _ = start_http_server(self._port, addr=self._address, registry=self.registry)

    def after_run(self, run: RunOutcome) -> None:
        """A run is over."""
        metrics = self._metrics
        metrics.runs.labels(_seen(run.graph), run.state.value).inc()
        metrics.running_runs.labels(_seen(run.graph)).dec()
        metrics.run_info.remove(_seen(run.graph), run.run)
        metrics.run_seconds.labels(_seen(run.graph), run.state.value).observe(run.duration)

    def after_task(self, task: TaskOutcome) -> None:
        """A task has ended."""
        self._metrics.tasks.labels(_seen(task.graph), task.state.value).inc()
        if task.started_at is not None:
            self._metrics.task_seconds.labels(_seen(task.graph), task.state.value).observe(task.duration)

    def before_attempt(self, attempt: AttemptInfo) -> None:
        """An attempt begins."""
        self._metrics.running.labels(_seen(attempt.graph)).inc()

    def after_attempt(self, attempt: AttemptOutcome) -> None:
        """An attempt is over."""
        metrics = self._metrics
        metrics.running.labels(_seen(attempt.graph)).dec()
        metrics.attempts.labels(_seen(attempt.graph), attempt.state.value).inc()
        metrics.attempt_seconds.labels(_seen(attempt.graph), attempt.state.value).observe(attempt.duration)
        if attempt.retry_in is not None:
            metrics.retries.labels(_seen(attempt.graph)).inc()

    def on_event(self, event: AnyEvent) -> None:
        """Everything that is about neither runs nor tasks."""
        metrics, graph = self._metrics, self._graphs.get(threading.get_ident(), "")
        match event:
            case ev.LimitChanged(what="max_parallel"):
                metrics.max_parallel.labels(graph).set(event.limit)
            case ev.LimitChanged():
                metrics.limit.labels(graph, storable(event.what)).set(event.limit)
            case ev.BreakerOpened():
                self._breaker(event.breaker, "open")
            case ev.BreakerHalfOpened():
                self._breaker(event.breaker, "half_open")
            case ev.BreakerClosed():
                self._breaker(event.breaker, "closed")
            case ev.BreakerForced():
                metrics.forced.labels(_seen(event.breaker)).set(int(bool(event.state)))
            case ev.LoopBlocked():
                metrics.blocked.labels(graph).inc()
                metrics.blocked_seconds.labels(graph).inc(event.seconds)
            case ev.Problem():
                metrics.problems.labels(graph).inc()
            case _:
                return

    def _breaker(self, name: str, now: str) -> None:
        for state in _BREAKER_STATES:
            self._metrics.breaker.labels(_seen(name), state).set(int(state == now))


def _seen(name: str) -> str:
    """A name as it may leave the program."""
    return storable(seen(name))
