"""Traces and metrics have no secrets in them: names of graphs and tasks, errors, lines of logs."""

from __future__ import annotations

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("prometheus_client")

import anyio
from dagtop import DAGExecutor, ExecutorConfig, Graph
from dagtop.observe.opentelemetry import OpenTelemetryPlugin
from dagtop.observe.prometheus import PrometheusPlugin
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

SECRETS = ("pw-of-the-graph", "pw-in-a-name", "pw-given", "pw-printed", "pw-of-the-environment")


def test_traces_and_metrics_have_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_API_TOKEN", "pw-of-the-environment")
    exporter, provider, registry = InMemorySpanExporter(), TracerProvider(), CollectorRegistry()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    graph = Graph("orders token=pw-of-the-graph")

    def bad(password: str) -> None:
        print("token=pw-printed")
        raise ValueError(f"{password}, pw-of-the-environment")

    graph.add("load postgres://ana:pw-in-a-name@db for pw-of-the-environment", bad)
    plugins = [OpenTelemetryPlugin(provider, logs=True), PrometheusPlugin(registry)]
    executor = DAGExecutor(graph, ExecutorConfig(inputs={"password": "pw-given"}), plugins=plugins, capture=True)
    anyio.run(executor.run)
    told = "\n".join(span.to_json() for span in exporter.get_finished_spans()) + generate_latest(registry).decode()
    provider.shutdown()
    assert "«redacted»" in told or "\\u00abredacted" in told
    assert "ValueError" in told
    assert 'dagtop_runs_total{graph="orders token=«redacted»"' in told
    assert [secret for secret in SECRETS if secret in told] == []
