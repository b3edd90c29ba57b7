"""B22: a run goes on with another version of its graph; what is unchanged is left alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dagtop import (
    CommandRefused,
    DAGExecutor,
    Graph,
    GraphError,
    RunState,
    TaskContext,
    TaskState,
    UnknownDependencyError,
)
from dagtop.core import events as ev


@pytest.fixture
def go() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def first(go: threading.Event, begun: threading.Event) -> Graph:
    graph = Graph("nightly")

    def slow(b: int) -> int:
        begun.set()
        go.wait(10)
        return b

    graph.add("a", one).add("b", lambda a: a + 1).add("gone", lambda a: "kept").add("slow", slow)
    return graph.add("after", after)


def one() -> int:
    return 1


def after(slow: Any) -> Any:
    return slow


def swapped(make: Callable[[], Graph], go: threading.Event) -> tuple[Any, str]:
    begun = threading.Event()
    with DAGExecutor(first(go, begun)).start() as run:
        assert begun.wait(10)
        for event in run.events():
            if isinstance(event, ev.TaskSucceeded) and event.task == "gone":
                break
        effect = run.swap(make()).wait(10)
        go.set()
        return run.wait(20), effect


def test_B22_changed_tasks_and_what_depends_on_them_run_again_new_ones_come_and_the_rest_stays(
    go: threading.Event,
) -> None:
    def second() -> Graph:
        graph = Graph("nightly").add("new", lambda b: b * 2).add("a", one).add("b", lambda a: a + 100)
        return graph.add("slow", lambda b, new: (b, new)).add("after", after)

    result, effect = swapped(second, go)
    assert effect == "1 task added, 1 task removed, 2 tasks changed, 1 task with other dependencies"
    assert {task.name: task.output for task in result} == {
        "a": 1,
        "b": 101,
        "gone": "kept",
        "slow": (101, 202),
        "after": (101, 202),
        "new": 202,
    }
    assert [result[name].attempts for name in ("a", "b", "gone")] == [1, 2, 1]


def test_B22_policies_setups_and_conditions_are_those_of_the_new_version(go: threading.Event) -> None:
    told: list[str] = []

    def second() -> Graph:
        graph = first(go, threading.Event())
        graph.add(
            "careful",
            lambda after, resource: told.append(resource),
            setup=lambda: "a table",
            teardown=lambda: told.append("dropped"),
            pool="db",
        )
        graph.add("never", lambda after: 1, when=lambda: False)
        graph.config = graph.config.__class__(pools={"db": 1})
        return graph

    result, _ = swapped(second, go)
    assert told == ["a table", "dropped"]
    assert result["never"].state is TaskState.SKIPPED


def test_B22_a_graph_that_cannot_be_run_changes_nothing(go: threading.Event) -> None:
    begun = threading.Event()
    with DAGExecutor(first(go, begun)).start() as run:
        assert begun.wait(10)
        with pytest.raises(UnknownDependencyError, match="nowhere"):
            run.swap(Graph("nightly").add("a", lambda nowhere: 1))
        with pytest.raises(GraphError, match="other services"):
            run.swap(_with_service())
        go.set()
        result = run.wait(20)
    assert result.state is RunState.SUCCEEDED
    assert result.counts == {"succeeded": 5}


def _with_service() -> Graph:
    graph = Graph("nightly").add("a", one)

    @graph.service
    def db() -> Iterator[int]:
        yield 1

    return graph


def test_B22_while_the_run_is_being_stopped_it_is_refused(go: threading.Event) -> None:
    begun = threading.Event()
    with DAGExecutor(first(go, begun)).start() as run:
        assert begun.wait(10)
        run.drain().wait(10)
        with pytest.raises(CommandRefused, match="the run is stopping"):
            run.swap(Graph("nightly").add("a", one)).wait(10)
        go.set()
        run.wait(20)


def test_B22_a_version_that_is_the_same_disturbs_nothing(go: threading.Event) -> None:
    begun = threading.Event()
    graph = first(go, begun)
    with DAGExecutor(graph).start() as run:
        assert begun.wait(10)
        assert run.swap(graph).wait(10) == "nothing is different"
        go.set()
        assert all(task.attempts == 1 for task in run.wait(20))


def test_B40_the_events_tell_what_became_of_the_graph(go: threading.Event) -> None:
    begun = threading.Event()
    with DAGExecutor(first(go, begun)).start() as run:
        assert begun.wait(10)
        run.swap(Graph("nightly").add("a", lambda: 1).add("z", lambda a: a)).wait(10)
        go.set()
        run.wait(20)
        changes = list(run.events("graph.changed"))
    assert len(changes) == 1
    change = changes[0]
    assert isinstance(change, ev.GraphChanged)
    assert [task.name for task in change.added] == ["z"]
    assert change.removed == ("b", "gone", "slow", "after")
    assert change.rewired == {"b": (), "gone": (), "slow": (), "after": ()}


def test_B42_a_list_that_can_be_read_only_once_loses_no_element(go: threading.Event) -> None:
    """The elements that had not started were skipped: the generator was read again, and had nothing left."""
    begun = threading.Event()

    def each(number: int) -> int:
        begun.set()
        go.wait(10)
        return number

    def numbers() -> Iterator[int]:
        return iter([1, 2, 3])

    def version() -> Graph:
        return Graph("g").add("numbers", numbers).map("each", each, over="numbers", limit=1)

    with DAGExecutor(version()).start() as run:
        assert begun.wait(10)
        run.swap(version().add("new", one)).wait(10)
        go.set()
    assert run.result["each"].output == [1, 2, 3]


@pytest.mark.parametrize("other", [None, 5, "g"])
def test_B22_what_is_no_graph_is_said_to_be_none(go: threading.Event, other: Any) -> None:
    with DAGExecutor(Graph("g").add("slow", go.wait)).start() as run:
        with pytest.raises(TypeError, match="another version of the Graph, not an object of type"):
            run.swap(other)
        go.set()


def test_B36_teardowns_of_tasks_that_the_new_version_does_not_know_run_all_the_same(go: threading.Event) -> None:
    """Of those that it removes, and of those that came while the run went on."""
    begun, torn = threading.Event(), list[str]()

    def spawns(ctx: TaskContext) -> None:
        ctx.spawn("spawned", waits, teardown=lambda: torn.append("spawned"))

    def waits() -> None:
        begun.set()
        go.wait(10)

    def version() -> Graph:
        return Graph("g").add("spawns", spawns)

    def below(gone: int, ctx: TaskContext) -> None:
        go.wait(10)

    old = version().add("gone", one, teardown=lambda: torn.append("gone")).add("below", below)
    with DAGExecutor(old).start() as run:
        assert begun.wait(10)
        run.swap(version()).wait(10)
        go.set()
    assert sorted(torn) == ["gone", "spawned"]


def test_B22_a_task_that_was_told_to_wait_for_a_spawned_one_waits_for_it_in_the_new_version_too() -> None:
    begun, go = threading.Event(), threading.Event()
    order: list[str] = []

    def extra() -> None:
        begun.set()
        assert go.wait(20)
        order.append("extra")

    def start(ctx: TaskContext) -> None:
        ctx.spawn("extra", extra, before=["later"])

    def make(*more: str) -> Graph:
        graph = Graph("g").add("start", start).add("later", lambda start: order.append("later"))
        for name in more:
            graph.add(name, one, depends_on=["start"])
        return graph.add("last", lambda later: None, depends_on=[*more])

    with DAGExecutor(make()).start() as run:
        assert begun.wait(20)
        run.swap(make("another")).wait(20)
        assert not order
        go.set()
        result = run.wait(20)
    assert result.ok
    assert order == ["extra", "later"]


def test_B42_another_version_brings_its_inputs_and_what_takes_them_runs_again() -> None:
    """It ran again with the values of the first version, and failed with a KeyError where that had none."""
    begun = threading.Event()
    go = threading.Event()

    def version(**inputs: int) -> Graph:
        graph = Graph("nightly", inputs=inputs).add("pages", lambda count: count)
        if "more" in inputs:
            graph.add("other", lambda more: more)
        return graph.add("slow", _waits(go, begun))

    with DAGExecutor(version(count=1)).start() as run:
        assert begun.wait(10)
        run.swap(version(count=2, more=3)).wait(10)
        go.set()
        result = run.wait(20)
    assert (result["pages"].output, result["other"].output) == (2, 3)


def _waits(go: threading.Event, begun: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        begun.set()
        go.wait(10)

    return wait
