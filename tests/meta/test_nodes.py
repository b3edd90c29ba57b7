"""B34: nodes are graphs, reconcilers, or MetaDAGs; outputs of upstream nodes reach the tasks of those after them."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from dagtop import (
    CycleError,
    DuplicateTaskError,
    Graph,
    GraphError,
    MetaDAG,
    OptionError,
    Reconciler,
    Skip,
    TaskContext,
    TaskState,
    UnknownDependencyError,
)
from dagtop.core.commands import CancelRun
from dagtop.testing import rehearse


def one() -> int:
    return 1


def broken() -> int:
    raise ValueError("no such page")


def skips() -> None:
    raise Skip("nothing new")


def ingest() -> Graph:
    return Graph("ingest").add("page_a", one).add("page_b", lambda: 2)


def states(result: Any) -> dict[str, str]:
    return {task.name: task.state.value for task in result}


# -- outputs ------------------------------------------------------------------------------------------------------------


def test_B34_a_parameter_of_an_upstream_nodes_name_takes_what_its_tasks_returned() -> None:
    report = Graph("report").add("total", lambda ingest: sum(ingest.values()))
    result = MetaDAG("nightly").add(ingest()).add(report, depends_on=["ingest"]).run()
    assert result.ok
    assert result["report/total"].output == 3
    assert result["ingest"].output == {"page_a": 1, "page_b": 2}
    assert list(result.plan.names) == ["ingest/page_a", "ingest/page_b", "ingest", "report/total", "report"]


def test_B34_every_task_of_a_node_may_take_it_and_ctx_upstream_has_it_by_its_name() -> None:
    report = Graph("report").add("first", one)

    @report.task
    def later(first: int, ctx: TaskContext) -> dict[str, Any]:
        return dict(ctx.upstream)

    report.add("latest", lambda later, ingest: ingest["page_b"])
    result = MetaDAG().add(ingest()).add(report, depends_on=["ingest"]).run()
    assert result["report/later"].output == {"ingest": {"page_a": 1, "page_b": 2}, "first": 1}
    assert result["report/latest"].output == 2


def test_B34_a_graph_of_specs_gets_upstream_outputs_in_its_specs() -> None:
    seen: dict[str, Any] = {}
    pages = Graph.from_specs(
        "pages",
        tasks={"a": {"n": 1}, "b": {"n": 2}},
        dependencies={"b": ["a"]},
        run=lambda task, spec: seen.update({task: spec}),
    )
    MetaDAG().add(Graph("start").add("s", one)).add(pages, depends_on="start").run()
    assert seen["a"] == {"n": 1, "_dep_outputs": {}, "_upstream_outputs": {"start": {"s": 1}}}
    assert seen["b"] == {"n": 2, "_dep_outputs": {"a": None}, "_upstream_outputs": {"start": {"s": 1}}}


def test_a_task_of_the_own_graph_comes_before_a_node_of_that_name_and_a_node_before_an_input() -> None:
    report = Graph("report", inputs={"ingest": "input"}).add("takes", lambda ingest: ingest)
    other = Graph("other").add("ingest", lambda: "own").add("takes", lambda ingest: ingest)
    result = MetaDAG().add(ingest()).add(report, depends_on="ingest").add(other, depends_on="ingest").run()
    assert result["report/takes"].output == {"page_a": 1, "page_b": 2}
    assert result["other/takes"].output == "own"


def test_B34_metadags_nest_and_what_is_inside_sees_the_nodes_of_every_level_around() -> None:
    inner = MetaDAG("inner").add(Graph("p").add("one", lambda start: start["s"] + 1))
    inner.add(Graph("q").add("two", lambda p, start: (p, start)), depends_on="p")
    outer = MetaDAG("outer").add(Graph("start").add("s", one)).add(inner, depends_on=["start"])
    outer.add(Graph("end").add("all", lambda inner: inner), depends_on=[inner])
    result = outer.run()
    assert result["inner/q/two"].output == ({"one": 2}, {"s": 1})
    assert result["end/all"].output == {"p": {"one": 2}, "q": {"two": ({"one": 2}, {"s": 1})}}


def test_the_same_graph_may_be_several_nodes() -> None:
    result = MetaDAG().add(ingest(), name="x").add(ingest(), name="y", depends_on="x").run()
    shared = ingest()
    twice = MetaDAG().add(shared, name="x").add(shared, name="y").run()
    assert result.ok
    assert twice.ok
    assert twice["x/page_a"].output == twice["y/page_a"].output == 1


def test_tasks_that_are_mapped_and_tasks_that_are_spawned_belong_to_their_node() -> None:
    graph = Graph("maps").add("numbers", lambda: [1, 2, 3])
    graph.map("square", lambda n, start: n * n + start["s"], over="numbers", limit=1)

    @graph.task
    def spawns(ctx: TaskContext, square: list[int]) -> None:
        ctx.spawn("child", lambda numbers: sum(numbers))

    result = MetaDAG().add(Graph("start").add("s", one)).add(graph, depends_on="start").run()
    assert result.ok
    assert result["maps"].output == {"numbers": [1, 2, 3], "square": [2, 5, 10], "spawns": None, "child": 6}
    assert result["maps/square[2]"].output == 10


# -- how a node ends ----------------------------------------------------------------------------------------------------


def test_B34_a_node_fails_when_one_of_its_tasks_has_and_what_is_after_it_is_skipped_whole() -> None:
    first = Graph("first").add("good", one).add("bad", broken).add("worse", broken)
    after = Graph("after").add("a", one).add("b", lambda a: a).add("tidy", one, depends_on=["b"], trigger="all_done")
    result = MetaDAG().add(first).add(after, depends_on="first").run()
    assert result["first"].state is TaskState.FAILED
    assert result["first"].failure is not None
    assert result["first"].failure.error == "NodeFailedError"
    assert result["first"].failure.message == "2 of 3 tasks failed: bad, worse (ValueError: no such page)"
    skipped = [result[name] for name in ("after/a", "after/b", "after/tidy", "after")]
    assert {task.state for task in skipped} == {TaskState.SKIPPED}
    assert {task.reason for task in skipped} == {"upstream first failed", "upstream after/a was skipped"}
    assert sorted(report.task for report in result.escalations) == ["first/bad", "first/worse"]


def test_B34_tasks_that_are_skipped_by_rule_do_not_fail_their_node() -> None:
    graph = Graph("g").add("a", one).add("b", skips).add("c", lambda b: b)
    result = MetaDAG().add(graph).add(Graph("after").add("takes", lambda g: g), depends_on="g").run()
    assert result["g"].state is TaskState.SUCCEEDED
    assert result["after/takes"].output == {"a": 1}


def test_a_node_of_which_nothing_ran_is_skipped() -> None:
    result = MetaDAG().add(Graph("g").add("a", skips)).run()
    assert (result["g"].state, result["g"].reason) == (TaskState.SKIPPED, "nothing new")


def test_a_nested_node_fails_its_own_node_too() -> None:
    inner = MetaDAG("inner").add(Graph("p").add("bad", broken))
    result = MetaDAG().add(inner).add(Graph("after").add("a", one), depends_on="inner").run()
    assert states(result) == {
        "inner/p/bad": "failed",
        "inner/p": "failed",
        "inner": "failed",
        "after/a": "skipped",
        "after": "skipped",
    }


def test_the_trigger_of_a_node_is_that_of_all_its_first_tasks() -> None:
    tidy = Graph("tidy").add("sees", lambda bad: bad).add("then", lambda sees: "ran", trigger="all_done")
    either = Graph("either").add("a", one)
    meta = MetaDAG().add(Graph("bad").add("b", broken)).add(Graph("good").add("g", one))
    meta.add(tidy, depends_on="bad", trigger="all_done").add(either, depends_on=["bad", "good"], trigger="any_success")
    result = meta.run()
    assert result["tidy/sees"].state is TaskState.SUCCEEDED
    assert result["tidy/sees"].output is None
    assert result["tidy"].state is result["either"].state is TaskState.SUCCEEDED


def test_on_upstream_failure_of_a_node() -> None:
    meta = MetaDAG().add(Graph("bad").add("b", broken))
    meta.add(Graph("fails").add("a", one), depends_on="bad", on_upstream_failure="fail")
    meta.add(Graph("runs").add("a", one), depends_on="bad", on_upstream_failure="run")
    result = meta.run()
    assert result["fails"].state is TaskState.FAILED
    assert result["runs"].state is TaskState.SUCCEEDED


def test_result_node_tells_of_all_that_is_in_it() -> None:
    node = MetaDAG().add(Graph("g").add("a", one).add("b", broken)).run().node("g")
    assert (node.state, len(node), node.counts) == (TaskState.FAILED, 2, {"succeeded": 1, "failed": 1})
    assert node["a"].output == 1
    assert [task.name for task in node.failed] == ["g/b"]
    assert node.duration is not None
    with pytest.raises(KeyError, match="there is no node 'G'"):
        MetaDAG().add(ingest(), name="g").run().node("G")


# -- reconcilers --------------------------------------------------------------------------------------------------------


def services(crashes: list[int]) -> Graph:
    graph = Graph("services")

    @graph.task(restart="on-failure", restart_backoff=10)
    async def flaky(ctx: TaskContext) -> str:
        crashes.append(ctx.attempt)
        if len(crashes) < 3:
            raise OSError("down")
        return "up"

    return graph


def test_B34_a_reconciler_node_restarts_its_tasks_and_is_done_when_they_are_dagger() -> None:
    """† WaveReconciler's node: "success" although its only task had crashed, no restart, and downstream ran."""
    crashes: list[int] = []
    meta = MetaDAG().add(Reconciler(services(crashes)))
    meta.add(Graph("after").add("a", lambda services: services["flaky"]), depends_on="services")
    run = rehearse(meta)
    assert crashes == [1, 2, 3]
    assert run.result["after/a"].output == "up"
    assert run.result.ok


def test_B34_a_reconciler_node_has_failed_when_one_of_its_tasks_has_dagger() -> None:
    """† WaveReconciler's node is `success` whatever its tasks have come to."""
    graph = Graph("services").add("bad", broken, max_restarts=2)
    meta = MetaDAG().add(Reconciler(graph)).add(Graph("after").add("a", one), depends_on="services")
    result = rehearse(meta).result
    assert result["services/bad"].state is TaskState.BLOCKED
    assert result["services"].state is TaskState.FAILED
    assert result["after"].state is TaskState.SKIPPED


def test_B34_what_is_after_a_reconciler_node_starts_when_all_in_it_serves() -> None:
    graph = Graph("services")
    seen: list[Any] = []

    @graph.task(restart="always")
    async def server(ctx: TaskContext) -> None:
        await anyio.sleep(1)
        ctx.ready(8080)
        await anyio.sleep(100)

    meta = MetaDAG().add(Reconciler(graph))
    meta.add(Graph("client").add("calls", lambda services: seen.append(services)), depends_on="services")
    run = rehearse(meta, commands=[(50, CancelRun())])
    assert seen == [{"server": 8080}]
    assert run.result["services"].state is TaskState.SUCCEEDED


def test_B34_what_has_started_while_a_service_goes_down_knows_where_it_last_was() -> None:
    """It got None for the node, and failed for good with a TypeError: seen in the sample nightly_meta.py."""
    graph = Graph("services").add("folder", lambda: "here")
    seen: list[Any] = []

    @graph.task(restart="always", restart_backoff=100)
    async def server(ctx: TaskContext) -> None:
        if ctx.attempt == 2:
            raise OSError("it crashes again, and is started later")
        ctx.ready(8000 + ctx.attempt)
        await anyio.sleep(5 if ctx.attempt == 1 else 1000)
        raise OSError("it crashes")

    @graph.task
    async def nothing() -> None: ...

    def calls(services: dict[str, Any], ctx: TaskContext) -> None:
        seen.append((services, ctx.upstream["services"]))

    async def takes_long() -> None:
        await anyio.sleep(10)

    meta = MetaDAG().add(Reconciler(graph))
    meta.add(Graph("client").add("calls", calls, setup=takes_long), depends_on="services")
    assert rehearse(meta).result["client/calls"].state is TaskState.SUCCEEDED
    assert seen == [({"folder": "here", "server": 8001, "nothing": None},) * 2]


def test_B34_a_reconciler_node_uses_what_only_the_levels_around_it_have() -> None:
    """It was checked by itself when it was made, and knew no input, pool or resource, and no node before it."""
    graph = Graph("services")
    graph.add("up", lambda ingest, day: (ingest["page_b"], day), pool="net", resources={"memory": 1})
    meta = MetaDAG("m", inputs={"day": "monday"}, pools={"net": 1}, resources={"memory": 2})
    meta.add(ingest()).add(Reconciler(graph), depends_on="ingest")
    assert rehearse(meta).result["services/up"].output == (2, "monday")


def test_B35_a_reconciler_node_tells_its_own_listeners_and_those_of_its_options() -> None:
    heard: list[str] = []
    graph = Graph("services", on_event=lambda event: heard.append(f"option {event.task}")).add("up", one)
    services = Reconciler(graph)
    services.subscribe(lambda event: heard.append(f"own {event.task}"), "task.succeeded")
    MetaDAG().add(ingest()).add(services).run()
    assert {"own services/up", "option services/up"} == set(heard)


# -- checks -------------------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once_with_file_and_line() -> None:
    meta = MetaDAG().add(ingest()).add(ingest()).add(ingest(), name="a/b").add(ingest(), name=" ")
    meta.add(ingest(), name="c", depends_on=["ingset"]).add(ingest(), name="d", trigger="sometimes")
    with pytest.raises(GraphError) as caught:
        meta.validate()
    told = [flaw.message for flaw in caught.value.problems]
    assert all(flaw.place.startswith(__file__) for flaw in caught.value.problems)
    assert any(message.startswith("there are two nodes named 'ingest'; the first is at") for message in told)
    assert "the name of a node cannot have a '/' in it: 'a/b'; give it another one with .add(graph, name=…)" in told
    assert "the name of a node must be a text that is not empty, not ' '" in told
    assert "node 'c' depends on 'ingset', which is no node; did you mean 'ingest'?" in told
    assert any("trigger must be one of 'all_success'" in message for message in told)


def test_flaws_of_a_nodes_graph_name_the_node() -> None:
    graph = Graph("g").add("a", lambda nothing: nothing).add("b", one, retrys=2)
    with pytest.raises(GraphError) as caught:
        MetaDAG().add(MetaDAG("inner").add(graph)).validate()
    assert [flaw.message.split(":")[0] for flaw in caught.value.problems] == ["node 'inner/g'"] * 2


def test_nodes_that_wait_for_each_other_are_a_cycle() -> None:
    meta = MetaDAG().add(ingest(), name="a", depends_on="b").add(ingest(), name="b", depends_on="a")
    with pytest.raises(CycleError, match="these nodes wait for each other: a → b → a"):
        meta.run()


def test_a_metadag_cannot_be_in_itself() -> None:
    meta = MetaDAG("m")
    other = MetaDAG("o").add(meta)
    with pytest.raises(CycleError):
        meta.add(meta)
    with pytest.raises(CycleError):
        meta.add(other)


def test_what_is_no_node_and_options_that_do_not_exist_are_told_at_once() -> None:
    with pytest.raises(GraphError, match="put the function into a Graph"):
        MetaDAG().add(one)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="here it is 'depends_on'"):
        MetaDAG().add(ingest(), needs=["a"])
    with pytest.raises(OptionError, match="here it is 'max_parallel'"):
        MetaDAG("m", workers=3)
    with pytest.raises(GraphError, match="has no nodes"):
        MetaDAG("m").run()


@pytest.mark.parametrize("option", [{"run_timeout": 3}, {"adaptive": True}])
def test_options_that_are_for_a_run_of_its_own_are_refused_in_a_node(option: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="is for a run of its own"):
        MetaDAG().add(Graph("g", **option).add("a", one)).run()


def test_what_a_reconciler_keeps_a_run_of_its_own_with_is_refused_in_a_node() -> None:
    """Its journal was left empty without a word."""
    node = Reconciler(Graph("g").add("a", one), journal="runs.db", plugins=["otel"])
    with pytest.raises(OptionError) as caught:
        MetaDAG().add(node).validate()
    assert [flaw.message.split("; ")[0] for flaw in caught.value.problems] == [
        "node 'g': its option journal is for a run of its own",
        "node 'g': its option plugins is for a run of its own",
    ]


def test_nodes_may_be_named_by_what_was_added() -> None:
    first, second = ingest(), Graph("second").add("s", one)
    meta = MetaDAG().add(first).add(second, depends_on=[first])
    assert meta.validate().upstream[3] == [2]
    with pytest.raises(UnknownDependencyError, match="which is several nodes"):
        MetaDAG().add(first, name="a").add(first, name="b").add(second, depends_on=[first]).validate()
    assert meta.name_of(first) == "ingest"


def test_a_task_cannot_have_the_name_of_the_nodes_setup() -> None:
    graph = Graph("g", setup=one).add("(setup)", one)
    with pytest.raises(DuplicateTaskError):
        MetaDAG().add(graph).validate()
