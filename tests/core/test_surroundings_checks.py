"""What stands around tasks is checked as strictly as tasks are (B2): conditions, setups, teardowns, services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from dagtop import CycleError, DuplicateTaskError, Graph, GraphError, OptionError, TaskContext, UnknownDependencyError


def one(x: int) -> Iterator[int]:
    yield x


def plain() -> Iterator[int]:
    yield 1


def problems(graph: Graph) -> list[str]:
    with pytest.raises(GraphError) as caught:
        graph.validate()
    assert all("test_surroundings_checks.py:" in flaw.place for flaw in caught.value.problems)
    return [flaw.message for flaw in caught.value.problems]


def with_task(**options: Any) -> Graph:
    graph = Graph("g", inputs={"limit": 3})
    graph.add("load", lambda: 1)
    return graph.add("a", lambda: 1, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"when": 3}, "when of task 'a' must be a function, True or False, not 3"),
        ({"setup": "x"}, "setup of task 'a' must be a function, not 'x'"),
        ({"teardown": True}, "teardown of task 'a' must be a function, not True"),
        ({"when": lambda laod: 1}, "when of task 'a': parameter 'laod' is no task and no input; did you mean 'load'?"),
        ({"setup": lambda a: 1}, "setup of task 'a': parameter 'a' is no task and no input"),
        ({"when": lambda ctx: 1}, "when of task 'a' takes no TaskContext: no attempt has begun when it is asked"),
        ({"setup": lambda resource: 1}, "setup of task 'a': parameter 'resource' is no task and no input"),
        ({"teardown": lambda resource: 1}, "teardown of task 'a': parameter 'resource' is no task and no input"),
        (
            {"setup": plain},
            "setup of task 'a' has a yield, and calling it runs nothing of it: put what comes after the yield into teardown=",
        ),
        ({"when": plain}, "when of task 'a' has a yield, and calling it runs nothing of it: return instead"),
    ],
)
def test_B2_functions_around_a_task_are_checked(options: dict[str, Any], message: str) -> None:
    (found,) = problems(with_task(**options))
    assert found.startswith(message)


@pytest.mark.parametrize("options", [{"setup": lambda: 1}, {"teardown": lambda: 1}])
def test_B36_a_cache_does_not_go_with_what_must_be_set_up_or_torn_down(options: dict[str, Any]) -> None:
    """A task taken from the cache was not set up, and what came after it was left without its resource."""
    (found,) = problems(with_task(cache=True, **options))
    assert found.startswith(
        f"task 'a' has cache= and {next(iter(options))}=: taken from the cache, it would not be set up"
    )
    with_task(cache=False, **options).validate()


def test_B2_parameters_of_functions_around_a_task_are_dependencies_and_make_cycles() -> None:
    graph = with_task(when=lambda load, limit: True)
    assert graph.validate().upstream[1] == [0]
    graph.add("b", lambda c: 1).add("c", lambda: 1, teardown=lambda b: 1)
    with pytest.raises(CycleError, match="b → c → b"):
        graph.validate()


def test_a_teardown_may_take_its_own_tasks_output_and_resource() -> None:
    graph = with_task(setup=lambda: 1, teardown=lambda a, resource, ctx: None)
    plan = graph.validate()
    assert plan.cleans_up == {1}
    assert plan.upstream[1] == () or plan.upstream[1] == []


def declared(*services: tuple[str, Callable[..., Any]], **inputs: Any) -> Graph:
    graph = Graph("g", inputs=inputs)
    for name, fn in services:
        graph.service(fn, name=name)
    return graph.add("load", lambda: 1)


@pytest.mark.parametrize(
    ("graph", "kind", "message"),
    [
        (lambda: declared(("", plain)), GraphError, "the name of a service must be a text that is not empty, not ''"),
        (lambda: declared(("db", plain), ("db", plain)), DuplicateTaskError, "there are two services named 'db'"),
        (lambda: declared(("load", plain)), DuplicateTaskError, "service 'load' has the name of a task"),
        (lambda: declared(("db", plain), db=1), DuplicateTaskError, "service 'db' has the name of an input"),
        (
            lambda: declared(("db", one), ("pool", one), y=1),
            UnknownDependencyError,
            "service 'db': parameter 'x' is no",
        ),
        (
            lambda: declared(("db", lambda load: 1)),
            UnknownDependencyError,
            "service 'db': parameter 'load' is a task, and service 'db' takes inputs and other services only",
        ),
        (lambda: declared(("db", lambda ctx: 1)), OptionError, "service 'db' takes no TaskContext"),
        (
            lambda: declared(("b", lambda c: 1), ("c", lambda d: 1), ("d", lambda b: 1)),
            CycleError,
            "these services need each other: ",
        ),
        (lambda: declared(("b", lambda b: 1)), UnknownDependencyError, "service 'b': parameter 'b' is no"),
    ],
)
def test_B2_services_are_checked(graph: Callable[[], Graph], kind: type[GraphError], message: str) -> None:
    with pytest.raises(kind) as caught:
        graph().validate()
    assert caught.value.problems[0].message.startswith(message)
    assert "test_surroundings_checks.py:" in caught.value.problems[0].place


def test_B2_setup_and_teardown_of_the_graph_are_checked() -> None:
    def setup(load: int, ctx: TaskContext) -> None: ...

    def teardown(db: int) -> None: ...

    graph = Graph("g", setup=setup, teardown=teardown)

    @graph.service
    async def db() -> AsyncIterator[int]:
        yield 1

    graph.add("load", lambda: 1)
    assert problems(graph) == [
        "the graph's setup: parameter 'load' is a task, and the graph's setup takes inputs and services only",
        "the graph's setup takes no TaskContext: it belongs to no task",
        "the graph's teardown: parameter 'db' is a service, and services are closed before the graph's teardown",
    ]
    with pytest.raises(GraphError, match=r"has a setup already, at .*; call both from one"):
        graph.setup(setup)


@pytest.mark.parametrize("backend", ["process", "dask"])
def test_B37_a_service_cannot_go_to_another_process(backend: str) -> None:
    graph = Graph("g")
    graph.service(plain, name="db")
    graph.add("a", lambda db: db, backend=backend)
    assert any("where the service 'db' of this process cannot go" in found for found in problems(graph))


def test_the_decorators_return_the_functions_unchanged() -> None:
    graph = Graph("g")
    assert graph.service(plain) is plain
    assert graph.service(name="other")(plain) is plain
    assert graph.setup(plain) is plain
    assert graph.teardown(plain) is plain


def test_B2_a_misspelt_parameter_is_compared_with_services_too() -> None:
    graph = declared(("database", plain)).add("a", lambda databse: 1)
    (found,) = problems(graph)
    assert found == "parameter 'databse' is no task, no service and no input; did you mean 'database'?"


def test_B2_functions_around_tasks_of_from_specs_must_take_id_and_spec() -> None:
    graph = Graph.from_specs(
        "g",
        tasks={"a": 1},
        run=lambda i, s: 1,
        task_options={"a": {"when": lambda: True, "setup": lambda a, b, c, d: 1}},
    )
    assert problems(graph) == [
        "when of task 'a' is called with (task_id, spec) in a graph of from_specs",
        "setup of task 'a' is called with (task_id, spec) or (task_id, spec, ctx) in a graph of from_specs",
    ]
