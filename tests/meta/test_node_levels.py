"""B35: events, breakers, limits and commands of what is in a node are there through the MetaDAG; limits hold for all below."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from dagtop import (
    Breaker,
    CommandRefused,
    DAGExecutor,
    Graph,
    MetaDAG,
    OptionError,
    Pool,
    Reconciler,
    Retry,
    RunState,
    TaskContext,
    TaskState,
)
from dagtop.core import events as ev
from dagtop.core.commands import CancelTask, RestartTask, StopTask
from dagtop.core.policy import BackendName
from dagtop.runtime.engine import Engine
from dagtop.testing import rehearse
from msgspec import structs


def one() -> int:
    return 1


def broken() -> int:
    raise ValueError("no")


class Most:
    """How many were at it at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def work(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await anyio.sleep(1)
        self.now -= 1


def workers(name: str, most: list[Most], count: int = 6, task: dict[str, Any] | None = None, **options: Any) -> Graph:
    graph = Graph(name, **options)
    for number in range(count):

        async def work() -> None:
            async with anyio.create_task_group() as group:
                for each in most:
                    group.start_soon(each.work)

        graph.add(f"w{number}", work, **(task or {}))
    return graph


# -- limits -------------------------------------------------------------------------------------------------------------


def test_B35_the_max_parallel_of_a_node_holds_inside_it_and_that_of_a_level_for_all_nodes_below() -> None:
    a, b, inside, whole = Most(), Most(), Most(), Most()
    inner = MetaDAG("inner", max_parallel=4)
    inner.add(workers("a", [a, inside, whole], max_parallel=3)).add(workers("b", [b, inside, whole], max_parallel=3))
    meta = MetaDAG(max_parallel=7).add(inner).add(workers("c", [whole], 12))
    assert rehearse(meta).result.ok
    assert (a.most, inside.most, whole.most) == (3, 4, 7)
    assert b.most <= 3


def test_B35_a_pool_of_a_level_holds_across_all_nodes_below_it() -> None:
    both = Most()
    meta = MetaDAG(pools={"db": 2})
    meta.add(workers("a", [both], task={"pool": "db"})).add(workers("b", [both], task={"pool": "db"}))
    assert rehearse(meta).result.ok
    assert both.most == 2


def test_B35_a_pool_of_a_node_is_its_own_and_a_pool_of_that_name_further_out_holds_too() -> None:
    a, both = Most(), Most()
    meta = MetaDAG(pools={"db": 3})
    meta.add(workers("a", [a, both], pools={"db": Pool(2)}, task={"pool": "db"}))
    meta.add(workers("b", [both], task={"pool": "db"}))
    assert rehearse(meta).result.ok
    assert (a.most, both.most) == (2, 3)
    assert set(meta.config.pools or {}) == {"db", "a/db"}


def test_B35_a_resource_is_taken_at_every_level_that_has_it() -> None:
    a, both = Most(), Most()
    meta = MetaDAG(resources={"gpu": 4})
    meta.add(workers("a", [a, both], resources={"gpu": 2}, task={"resources": {"gpu": 1}}))
    meta.add(workers("b", [both], resources={"gpu": 9}, task={"resources": {"gpu": 1}}))
    assert rehearse(meta).result.ok
    assert (a.most, both.most) == (2, 4)


def test_a_task_that_needs_more_than_a_level_has_is_told_of() -> None:
    meta = MetaDAG(resources={"gpu": 1}).add(workers("a", [], 1, resources={"gpu": 4}, task={"resources": {"gpu": 2}}))
    with pytest.raises(OptionError, match="needs 2 of 'gpu', and there are only 1 for all nodes together"):
        meta.validate()


def test_B35_a_breaker_is_shared_by_all_nodes_that_name_it() -> None:
    bad = Graph("bad", breakers=[Breaker("api", failure_threshold=1, recovery_timeout=1000, on_open="fail")])
    bad.add("fails", broken, circuit="api")
    other = Graph("other").add("asks", one, circuit="api")
    result = rehearse(MetaDAG().add(bad).add(other, depends_on="bad", trigger="all_done")).result
    assert result["other/asks"].failure is not None
    assert result["other/asks"].failure.error == "CircuitOpenError"


def test_two_nodes_cannot_say_different_things_of_one_breaker() -> None:
    one_way = Graph("a", breakers=[Breaker("api", 1)]).add("t", one)
    another = Graph("b", breakers=[Breaker("api", 2)]).add("t", one)
    with pytest.raises(OptionError, match="breaker 'api'"):
        MetaDAG().add(one_way).add(another).validate()


# -- options ------------------------------------------------------------------------------------------------------------


def test_defaults_of_a_level_hold_where_what_is_below_leaves_them_open() -> None:
    own = Graph("own", default_timeout=5, default_retries=0, backend="thread").add("t", one)
    meta = MetaDAG(default_timeout=9, default_retries=Retry(retries=2), backend="process").add(own)
    plan = meta.add(Graph("open").add("t", one)).validate()
    inner, outer = plan.policies[0], plan.policies[2]
    assert (inner.timeout, inner.retry.retries) == (5, 0)
    assert (outer.timeout, outer.retry.retries) == (9, 2)
    assert plan.backends == {2: BackendName.PROCESS}


def test_inputs_of_a_graph_are_defaults_which_a_level_around_it_and_the_run_override() -> None:
    def graph(name: str) -> Graph:
        return Graph(name, inputs={"day": "own"}).add("t", lambda day: day)

    meta = MetaDAG().add(graph("a")).add(MetaDAG("m", inputs={"day": "level"}).add(graph("b")))
    result = meta.run()
    assert (result["a/t"].output, result["m/b/t"].output) == ("own", "level")
    result = meta.run(inputs={"day": "run"})
    assert (result["a/t"].output, result["m/b/t"].output) == ("run", "run")
    result = meta.run(inputs={"day": "run", "m/b/day": "here"})
    assert (result["a/t"].output, result["m/b/t"].output) == ("run", "here")
    bare = MetaDAG().add(Graph("a").add("t", lambda day: day))
    assert bare.run(inputs={"a/day": 3})["a/t"].output == 3


def test_fail_fast_of_a_node_stops_what_has_not_started_in_it_and_nothing_else() -> None:
    async def later() -> None:
        await anyio.sleep(5)

    node = Graph("node", fail_fast=True, max_parallel=2).add("bad", broken).add("runs", later).add("waits", later)
    node.add("after", lambda runs: runs)
    other = Graph("other").add("a", later).add("b", lambda a: a)
    result = rehearse(MetaDAG().add(node).add(other)).result
    assert result["node"].state is TaskState.FAILED
    assert result["node/runs"].state is TaskState.SUCCEEDED
    assert result["node/after"].reason == "fail_fast: node/bad failed"
    assert result["other"].state is TaskState.SUCCEEDED


def test_services_are_each_nodes_own_and_setup_and_teardown_frame_the_node() -> None:
    told: list[str] = []

    def graph(name: str) -> Graph:
        made = Graph(name, inputs={"who": name})

        @made.service
        def db(who: str) -> Iterator[str]:
            yield f"db of {who}"

        @made.setup
        def begin(who: str, db: str) -> str:
            told.append(f"{who} begins with {db}")
            return f"resource of {who}"

        @made.teardown
        def end(who: str, resource: str) -> None:
            told.append(f"{who} ends with {resource}")

        @made.task
        def task(ctx: TaskContext, db: str) -> str:
            told.append(f"{who(name)} runs")
            return f"{db} {ctx.service('db')}"

        return made

    def who(name: str) -> str:
        return name

    result = MetaDAG().add(graph("a")).add(graph("b"), depends_on="a").run()
    assert result.ok
    assert result["b/task"].output == "db of b db of b"
    assert told[:2] == ["a begins with db of a", "a runs"]
    assert told[2:4] == ["b begins with db of b", "b runs"]
    assert told[4:] == ["b ends with resource of b", "a ends with resource of a"]
    assert result["a"].output == {"task": "db of a db of a"}


def test_a_setup_that_fails_fails_its_node_only() -> None:
    graph = Graph("a", setup=broken).add("t", one).add("tidy", one, depends_on=["t"], trigger="all_done")
    result = MetaDAG().add(graph).add(Graph("b").add("t", one)).run()
    assert result["a"].state is TaskState.FAILED
    assert result["a/t"].state is result["a/tidy"].state is TaskState.SKIPPED
    assert result["b"].state is TaskState.SUCCEEDED


# -- events -------------------------------------------------------------------------------------------------------------


def test_B35_events_of_inner_tasks_come_with_their_paths_dagger() -> None:
    """† MetaDAG of the peer has no task events."""
    meta = MetaDAG().add(MetaDAG("outer").add(Graph("g").add("t", one)))
    run = rehearse(meta)
    assert run.types("outer/g/t") == ["ready", "started", "succeeded"]
    assert run.types("outer/g") == run.types("outer") == ["succeeded"]


def test_listeners_and_hooks_of_a_nodes_graph_hear_of_its_tasks() -> None:
    graph, told, hooked, seen = Graph("g", on_event=lambda event: seen.append(event)), [], [], []
    graph.add("t", one).add("u", one)
    graph.subscribe(lambda event: told.append(event.task), "task.succeeded", tasks="t")
    graph.hooks.after_task(lambda outcome: hooked.append(outcome.task))
    MetaDAG().add(graph).add(Graph("other").add("t", one)).run()
    assert told == ["g/t"]
    assert sorted(hooked) == ["g/t", "g/u"]
    assert {event.task for event in seen} == {"g/t", "g/u"}


def test_B35_escalations_tell_what_a_failure_keeps_from_running_in_later_nodes() -> None:
    meta = MetaDAG().add(Graph("a").add("bad", broken)).add(Graph("b").add("t", one), depends_on="a")
    (report,) = meta.run().escalations
    assert report.task == "a/bad"
    assert "b/t" in str(report)


# -- commands -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def go() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_B35_a_node_is_cancelled_with_all_that_is_in_it(go: threading.Event) -> None:
    begun = threading.Event()

    def waits(ctx: TaskContext) -> None:
        begun.set()
        while not ctx.cancelled and not go.wait(0.01):
            pass

    node = Graph("node").add("waits", waits).add("then", lambda waits: waits)
    with DAGExecutor(MetaDAG().add(node).add(Graph("other").add("t", one))).start() as run:
        begun.wait(10)
        answer = run.cancel("node")
        answer.wait(10)
        assert answer.applied
        assert "told to stop" in answer.effect
    result = run.result
    assert {task.state for task in result.node("node")} == {TaskState.CANCELLED}
    assert (result["node"].state, result["node"].reason) == (TaskState.CANCELLED, "2 of 2 tasks cancelled: waits, then")
    assert (result["other"].state, result.state) == (TaskState.SUCCEEDED, RunState.CANCELLED)


def counting(counts: dict[str, int], name: str) -> Any:
    def work() -> int:
        counts[name] = counts.get(name, 0) + 1
        return counts[name]

    return work


def three_nodes(counts: dict[str, int]) -> MetaDAG:
    a = Graph("a").add("x", counting(counts, "x")).add("y", counting(counts, "y"), depends_on=["x"])
    b = Graph("b").add("z", counting(counts, "z"))
    return MetaDAG().add(a).add(b, depends_on="a").add(Graph("c").add("w", counting(counts, "w")))


def test_B35_a_node_is_restarted_alone_with_its_downstream_or_by_a_pattern() -> None:
    counts: dict[str, int] = {}
    with DAGExecutor(three_nodes(counts)).start(hold_open=True) as run:
        _until_over(run, 1)
        run.restart("a").wait(10)
        _until_over(run, 2)
        assert counts == {"x": 2, "y": 2, "z": 1, "w": 1}
        run.restart("a", downstream=True).wait(10)
        _until_over(run, 3)
        assert counts == {"x": 3, "y": 3, "z": 2, "w": 1}
        run.restart("a/*").wait(10)
        _until_over(run, 4)
    assert run.result["a"].output == {"x": 4, "y": 4}
    assert counts == {"x": 4, "y": 4, "z": 2, "w": 1}


def test_B35_nothing_happens_between_the_commands_that_one_for_a_node_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the first task restarted is over, and the run with it, before the engine hears of the second."""
    together: list[list[str]] = []
    original = Engine.send_all

    def heard(engine: Engine, commands: Sequence[tuple[Any, int]], by: str) -> None:
        together.append([command.task for command, _ in commands])
        original(engine, commands, by)

    monkeypatch.setattr(Engine, "send_all", heard)
    with DAGExecutor(three_nodes({})).start(hold_open=True) as run:
        _until_over(run, 1)
        run.restart("a").wait(10)
    assert together == [["a/x", "a/y"]]


@pytest.mark.parametrize("command", [RestartTask("services", True), RestartTask("services/api", True)])
def test_B35_a_node_of_services_is_restarted_with_its_downstream_while_they_serve(command: RestartTask) -> None:
    """It waited for its service already when it was its turn to start over: an illegal transition ended the run."""
    began: list[int] = []
    services = Graph("services")

    @services.task(restart="always")
    async def api(ctx: TaskContext) -> None:
        began.append(ctx.attempt)
        ctx.ready(len(began))
        await anyio.sleep_forever()

    client = Graph("client").add("asks", lambda services: services["api"])
    client.add("goes_on", lasting(20))
    meta = MetaDAG().add(MetaDAG("outer").add(Reconciler(services)).add(client, depends_on="services"))
    outer = structs.replace(command, task=f"outer/{command.task}")
    result = rehearse(meta, commands=[(5, outer)]).result
    assert result.ok
    assert began == [1, 2]
    assert result["outer/client/asks"].output == 2


def lasting(seconds: float) -> Any:
    async def work() -> None:
        await anyio.sleep(seconds)

    return work


def _until_over(run: Any, times: int) -> None:
    for number, _ in enumerate(run.events("run.finished"), 1):
        if number == times:
            return


def test_B35_when_a_task_is_restarted_and_succeeds_its_node_has_succeeded_too() -> None:
    tries: list[int] = []

    def sometimes() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("once")
        return 5

    meta = MetaDAG().add(MetaDAG("m").add(Graph("a").add("t", sometimes)))
    meta.add(Graph("b").add("u", lambda m: m["a"]["t"]), depends_on="m")
    with DAGExecutor(meta).start(hold_open=True) as handle:
        _until_over(handle, 1)
        handle.retry_failed().wait(10)
        _until_over(handle, 2)
    assert handle.result.ok
    assert handle.result["b/u"].output == 5


def test_B35_a_command_that_is_not_given_by_code_is_spread_in_the_engine() -> None:
    async def forever() -> None:
        await anyio.sleep(1000)

    node = Graph("node").add("a", forever).add("b", forever).add("c", one)
    run = rehearse(MetaDAG().add(node).add(Graph("x").add("y", one)), commands=[(5, CancelTask("node"))])
    assert run.result["node"].state is TaskState.CANCELLED
    assert run.result.duration == 5
    assert [event.command.task for event in run.of(ev.CommandApplied)] == ["node/b", "node/a"]


def test_B35_what_a_command_for_a_node_would_do_is_told_before() -> None:
    counts: dict[str, int] = {}
    with DAGExecutor(three_nodes(counts)).start(hold_open=True) as run:
        _until_over(run, 1)
        effect = run.blast_radius(RestartTask("a"))
    assert effect.runs_again == ("a/x", "a/y")
    assert effect.summary == "a: 2 tasks run again, 1 task after them keeps old results"
    assert effect.goes_stale == ("b/z",)


def test_a_command_for_a_pattern_that_fits_nothing_is_refused(go: threading.Event) -> None:
    with DAGExecutor(MetaDAG().add(Graph("g").add("t", go.wait))).start() as run:
        with pytest.raises(CommandRefused, match="there is no task 'h/\\*'"):
            run.cancel("h/*").wait(10)
        go.set()


def test_a_node_that_is_held_keeps_back_what_is_in_it() -> None:
    begun = threading.Event()
    first = Graph("first").add("t", begun.wait)
    with DAGExecutor(MetaDAG().add(first).add(Graph("second").add("u", one), depends_on="first")).start() as run:
        run.hold("second").wait(10)
        begun.set()
        for event in run.events(ev.TaskHeld, ev.TaskSucceeded, tasks=["second/u", "first"]):
            if isinstance(event, ev.TaskSucceeded):
                break
        run.release("second").wait(10)
    assert run.result.ok


def test_a_service_in_a_reconciler_node_that_goes_down_takes_its_node_down_with_it() -> None:
    graph = Graph("s")

    @graph.task(restart="always", restart_backoff=100)
    async def server(ctx: TaskContext) -> None:
        ctx.ready(ctx.attempt)
        await anyio.sleep(10)
        if ctx.attempt == 1:
            raise OSError("down")
        await anyio.sleep(1000)

    slow = Graph("slow")

    @slow.task
    async def wait() -> None:
        await anyio.sleep(15)

    meta = MetaDAG().add(graph).add(slow).add(Graph("client").add("t", lambda s: s), depends_on=["s", "slow"])
    run = rehearse(meta, commands=[(500, StopTask("s/server"))])
    assert run.types("s")[:3] == ["succeeded", "restarted", "succeeded"]


# -- versions and stored runs ---------------------------------------------------------------------------------------------


def test_B35_a_run_goes_on_with_another_version_of_the_metadag(go: threading.Event) -> None:
    begun = threading.Event()

    def waits() -> None:
        begun.set()
        go.wait(10)

    def version(two: Any) -> MetaDAG:
        return (
            MetaDAG("m").add(Graph("a").add("t", waits)).add(Graph("b", max_parallel=2).add("u", two), depends_on="a")
        )

    new = version(lambda a: "new").add(Graph("c").add("v", lambda b: b), depends_on="b")
    with DAGExecutor(version(lambda a: "old")).start() as run:
        begun.wait(10)
        assert run.swap(new).wait(10).startswith("2 tasks added, 1 task changed")
        go.set()
    assert run.result.ok
    assert run.result["c/v"].output == {"u": "new"}
    assert run.result["a/t"].attempts == 1


RAN: list[str] = []


def leaves_a_trace() -> int:
    RAN.append("x")
    return 1


def test_B35_caches_go_by_the_code_of_the_inner_tasks(tmp_path: Path) -> None:
    def meta() -> MetaDAG:
        a = Graph("a").add("x", leaves_a_trace, cache=True)
        return MetaDAG("m").add(a).add(Graph("b").add("y", lambda a: a["x"], cache=True), depends_on="a")

    RAN.clear()
    first = meta().run(journal=tmp_path / "runs.db")
    second = meta().run(journal=tmp_path / "runs.db")
    assert first.ok
    assert {task.name: task.state.value for task in second} == {
        "a/x": "cached",
        "a": "succeeded",
        "b/y": "cached",
        "b": "succeeded",
    }
    assert second["b"].output == {"y": 1}
    assert RAN == ["x"]


def test_fingerprints_are_those_of_the_tasks_by_themselves() -> None:
    graph = Graph.from_specs("g", tasks={"a": 1, "b": 2}, run=lambda task, spec: spec)
    meta = MetaDAG().add(graph)
    assert meta.fingerprints()[:2] == graph.fingerprints()


def test_plan_and_costs_of_a_metadag() -> None:
    meta = MetaDAG().add(Graph("a").add("x", one, cost=3)).add(Graph("b").add("y", one), depends_on="a")
    assert meta.plan(max_parallel=1).makespan == 4
    assert len(meta) == 4
    assert meta.names == ("a/x", "a", "b/y", "b")
