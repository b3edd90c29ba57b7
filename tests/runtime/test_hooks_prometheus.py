"""Runs as metrics, with the real client."""

from __future__ import annotations

import urllib.request

import pytest

pytest.importorskip("prometheus_client")

from dagtop import DAGExecutor, Graph, Retry
from dagtop.core import events as ev
from dagtop.observe.prometheus import PrometheusPlugin
from dagtop.ports.plugin import RunInfo
from prometheus_client import CollectorRegistry, generate_latest


def run(graph: Graph, plugin: PrometheusPlugin) -> None:
    executor = DAGExecutor(graph, plugins=[plugin], capture=False)
    import anyio

    anyio.run(executor.run)
    assert executor.late_problems == ()


def flaky_graph(name: str = "etl") -> Graph:
    graph = Graph(name, max_parallel=3)
    tries: list[int] = []

    @graph.task(retries=Retry(retries=1, base=0))
    async def flaky() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")

    @graph.task
    async def broken() -> None:
        raise ValueError("no")

    @graph.task
    def never(broken: None) -> None: ...

    return graph


def test_tasks_attempts_retries_and_runs_are_counted() -> None:
    registry = CollectorRegistry()
    run(flaky_graph(), PrometheusPlugin(registry))
    value = registry.get_sample_value
    etl = {"graph": "etl"}
    assert value("dagtop_tasks_total", etl | {"state": "succeeded"}) == 1
    assert value("dagtop_tasks_total", etl | {"state": "failed"}) == 1
    assert value("dagtop_tasks_total", etl | {"state": "skipped"}) == 1
    assert value("dagtop_attempts_total", etl | {"state": "failed"}) == 2
    assert value("dagtop_attempts_total", etl | {"state": "succeeded"}) == 1
    assert value("dagtop_retries_total", etl) == 1
    assert value("dagtop_attempts_running", etl) == 0
    assert value("dagtop_max_parallel", etl) == 3
    assert value("dagtop_runs_total", etl | {"state": "failed"}) == 1
    assert value("dagtop_runs_running", etl) == 0
    assert value("dagtop_task_duration_seconds_count", etl | {"state": "succeeded"}) == 1
    assert value("dagtop_task_duration_seconds_count", etl | {"state": "skipped"}) is None, "it never ran"
    assert value("dagtop_run_duration_seconds_count", etl | {"state": "failed"}) == 1
    assert b"dagtop_run_info{" not in generate_latest(registry), "no label is left of a run that is over"


def test_several_plugins_and_runs_share_a_registry() -> None:
    registry = CollectorRegistry()
    run(flaky_graph("a"), PrometheusPlugin(registry))
    run(flaky_graph("a"), PrometheusPlugin(registry))
    run(flaky_graph("b"), PrometheusPlugin(registry))
    assert registry.get_sample_value("dagtop_runs_total", {"graph": "a", "state": "failed"}) == 2
    assert registry.get_sample_value("dagtop_runs_total", {"graph": "b", "state": "failed"}) == 1


def test_breakers_limits_and_blocked_loops_are_told() -> None:
    registry = CollectorRegistry()
    plugin = PrometheusPlugin(registry)
    plugin.before_run(RunInfo(run="r", graph="g", started_at=0, begun_at=0, tasks=1, max_parallel=4))
    plugin.on_event(ev.BreakerOpened(1.0, "api", "5 failures", 30.0))
    plugin.on_event(ev.BreakerForced(1.0, "api", "by hand", "open"))
    plugin.on_event(ev.LimitChanged(1.0, 7, "by hand"))
    plugin.on_event(ev.LimitChanged(1.0, 2, "slow", "window"))
    plugin.on_event(ev.LoopBlocked(1.0, "a", 1, 2.5, ""))
    plugin.on_event(ev.Problem(1.0, "journal", "full"))
    value = registry.get_sample_value
    assert value("dagtop_breaker_state", {"breaker": "api", "state": "open"}) == 1
    assert value("dagtop_breaker_state", {"breaker": "api", "state": "closed"}) == 0
    assert value("dagtop_breaker_forced", {"breaker": "api"}) == 1
    assert value("dagtop_max_parallel", {"graph": "g"}) == 7
    assert value("dagtop_limit", {"graph": "g", "what": "window"}) == 2
    assert value("dagtop_loop_blocked_seconds_total", {"graph": "g"}) == 2.5
    assert value("dagtop_problems_total", {"graph": "g"}) == 1
    assert value("dagtop_run_info", {"graph": "g", "run": "r"}) == 1
    plugin.on_event(ev.BreakerHalfOpened(2.0, "api", "time"))
    plugin.on_event(ev.BreakerForced(2.0, "api", "by hand", ""))
    assert value("dagtop_breaker_state", {"breaker": "api", "state": "half_open"}) == 1
    assert value("dagtop_breaker_forced", {"breaker": "api"}) == 0


@pytest.mark.parametrize("adaptive", [False, True])
def test_limits_are_told_from_the_beginning_of_a_run(adaptive: bool) -> None:
    registry = CollectorRegistry()
    run(Graph("g", pools={"db": 4}, max_parallel=7, adaptive=adaptive).add("a", print), PrometheusPlugin(registry))
    assert registry.get_sample_value("dagtop_limit", {"graph": "g", "what": "pool:db"}) == 4
    assert registry.get_sample_value("dagtop_limit", {"graph": "g", "what": "window"}) == (7 if adaptive else None)


def test_nothing_listens_unless_a_port_is_given() -> None:
    plugin = PrometheusPlugin(CollectorRegistry())
    run(flaky_graph(), plugin)
    assert plugin.port is None


def test_with_a_port_this_computer_can_read_the_metrics() -> None:
    plugin = PrometheusPlugin(CollectorRegistry(), port=0)
    assert plugin.port is None, "not before there is a run"
    run(flaky_graph(), plugin)
    try:
        assert plugin._server.server_address[0] == "127.0.0.1"
        with urllib.request.urlopen(f"http://127.0.0.1:{plugin.port}/metrics") as answer:
            assert b'dagtop_runs_total{graph="etl",state="failed"} 1.0' in answer.read()
    finally:
        plugin.close()
    assert plugin.port is None


def test_a_name_that_is_no_text_does_not_break_the_metrics() -> None:
    registry = CollectorRegistry()
    run(flaky_graph("g\ud800"), PrometheusPlugin(registry))
    assert b'graph="g\\\\ud800"' in generate_latest(registry)
