"""Runs as traces, with the real SDK."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("opentelemetry.sdk")

from dagtop import DAGExecutor, Graph, Retry
from dagtop.core.states import RunState
from dagtop.observe.opentelemetry import OpenTelemetryPlugin
from dagtop.ports.plugin import RunInfo, RunOutcome
from dagtop.runtime.thread import EngineThread
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode


class Traces:
    """A tracer provider, and the spans that came out of it."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def __getitem__(self, name: str) -> ReadableSpan:
        (found,) = self.all(name)
        return found

    def all(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def traces() -> Iterator[Traces]:
    made = Traces()
    yield made
    made.provider.shutdown()


def run(graph: Graph, plugin: OpenTelemetryPlugin, **options: object) -> None:
    engine = EngineThread(DAGExecutor(graph, plugins=[plugin], **options))  # type: ignore[arg-type]
    engine.start()
    assert engine.join(20)
    assert engine.error is None
    assert engine.latest.problems == ()


def chain() -> Graph:
    graph = Graph("etl")
    tries: list[int] = []

    @graph.task(retries=Retry(retries=1, base=0))
    async def load() -> None:
        print("loading")
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")

    @graph.task
    def save(load: None) -> None: ...

    @graph.task
    async def broken(load: None) -> None:
        raise KeyError("gone")

    @graph.task
    def never(broken: None) -> None: ...

    return graph


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def test_a_run_is_one_trace_with_a_span_for_each_task_and_attempt(traces: Traces) -> None:
    with traces.provider.get_tracer("test").start_as_current_span("request") as request:
        run(chain(), OpenTelemetryPlugin(traces.provider, attributes={"team": "data"}))
    whole = traces["run etl"]
    assert parent_of(whole) == request.get_span_context().span_id, "a child of the span in which it was begun"
    assert whole.attributes is not None
    assert whole.attributes["team"] == "data"
    assert (whole.attributes["dagtop.tasks"], whole.attributes["dagtop.state"]) == (4, "failed")
    assert whole.attributes["dagtop.tasks.succeeded"] == 2
    assert whole.status.status_code is StatusCode.ERROR
    for name in ("load", "save", "broken", "never"):
        assert parent_of(traces[f"task {name}"]) == whole.context.span_id
    first, second = traces.all("attempt load")
    assert parent_of(first) == parent_of(second) == traces["task load"].context.span_id
    assert len({span.context.trace_id for span in traces.exporter.get_finished_spans()}) == 1
    assert [link.context.span_id for link in traces["task save"].links] == [traces["task load"].context.span_id]


def test_what_an_attempt_raised_is_in_its_span(traces: Traces) -> None:
    run(chain(), OpenTelemetryPlugin(traces.provider))
    first, second = traces.all("attempt load")
    (exception,) = first.events
    assert exception.name == "exception"
    assert exception.attributes is not None
    assert exception.attributes["exception.type"] == "ValueError"
    assert exception.attributes["exception.message"] == "not yet"
    assert "in load" in str(exception.attributes["exception.stacktrace"])
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert first.status.description == "ValueError: not yet"
    assert traces["task load"].status.status_code is StatusCode.UNSET, "its second attempt succeeded"
    assert traces["task broken"].status.status_code is StatusCode.ERROR


def test_times_are_those_of_the_events_and_lie_inside_each_other(traces: Traces) -> None:
    run(chain(), OpenTelemetryPlugin(traces.provider))
    whole, task = traces["run etl"], traces["task load"]
    first, second = traces.all("attempt load")

    def times(span: ReadableSpan) -> tuple[int, int]:
        assert span.start_time is not None
        assert span.end_time is not None
        return span.start_time, span.end_time

    assert times(whole)[0] <= times(task)[0] == times(first)[0]
    assert times(first)[1] <= times(second)[0] <= times(second)[1] == times(task)[1] <= times(whole)[1]
    never = times(traces["task never"])
    assert never[0] == never[1]


def test_lines_are_events_of_the_attempt_if_wanted(traces: Traces) -> None:
    run(chain(), OpenTelemetryPlugin(traces.provider, logs=True), capture=True)
    second = traces.all("attempt load")[1]
    (line,) = second.events
    assert line.name == "log"
    assert line.attributes is not None
    assert line.attributes["message"] == "loading"


def test_a_run_that_goes_on_after_its_end_links_to_what_it_was(traces: Traces) -> None:
    plugin = OpenTelemetryPlugin(traces.provider)
    about = {"run": "r", "graph": "g"}
    info = RunInfo(**about, started_at=1.0, begun_at=1.0, tasks=0, max_parallel=1)
    outcome = RunOutcome(**about, state=RunState.SUCCEEDED, begun_at=1.0, ended_at=2.0, counts={})
    for _ in range(2):
        plugin.before_run(info)
        plugin.after_run(outcome)
    first, second = traces.all("run g")
    assert [link.context.span_id for link in second.links] == [first.context.span_id]


def test_names_that_are_no_text_do_not_break_the_export(traces: Traces) -> None:
    graph = Graph("g\ud800")
    graph.add("a\udfff", lambda: None)
    run(graph, OpenTelemetryPlugin(traces.provider))
    assert {span.name for span in traces.exporter.get_finished_spans()} == {
        "run g\\ud800",
        "task a\\udfff",
        "attempt a\\udfff",
    }
