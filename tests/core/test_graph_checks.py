"""B1, B2, B3: how a graph is written down and what is said when it is wrong."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Optional

import pytest
from dagtop import (
    Breaker,
    CycleError,
    DuplicateTaskError,
    ExecutorConfig,
    Graph,
    GraphError,
    OptionError,
    Retry,
    TaskContext,
    UnknownDependencyError,
)
from dagtop.core.policy import OnUpstreamFailure, Trigger


class _Unreadable:
    __signature__ = "none"

    def __call__(self) -> None: ...


def nothing() -> None:
    pass


async def nothing_async() -> None:
    pass


def problems(graph: Graph, kind: type[GraphError] = GraphError, **config: Any) -> list[str]:
    with pytest.raises(kind) as caught:
        graph.validate(ExecutorConfig(**config))
    return [flaw.message for flaw in caught.value.problems]


class TestNames:
    def test_B1_an_unknown_dependency_is_named_with_the_nearest_one(self) -> None:
        graph = Graph("g").add("load_orders", nothing).add("report", nothing, depends_on=["load_order"])
        assert problems(graph, UnknownDependencyError) == [
            "task 'report' depends on 'load_order', which is no task; did you mean 'load_orders'?"
        ]

    def test_B1_of_thousands_of_unknown_dependencies_the_first_come_with_the_nearest_one(self) -> None:
        """Each was compared with every name there is: with 5,000 of them `dagtop check` took minutes to say no."""
        graph = Graph("g")
        for number in range(2_000):
            graph.add(f"task{number}", nothing, depends_on=[f"tasc{number}"])
        told = problems(graph)
        assert len(told) == 2_000
        assert "did you mean" in told[0]
        assert "did you mean" not in told[-1]

    def test_B1_a_parameter_that_nothing_provides_is_named_with_the_nearest_task(self) -> None:
        graph = Graph("g").add("orders", nothing).add("report", lambda order: order)
        assert problems(graph, UnknownDependencyError) == [
            "parameter 'order' is no task and no input; did you mean 'orders'?"
        ]

    def test_B1_an_input_near_a_parameter_that_nothing_provides_may_be_the_slip(self) -> None:
        graph = Graph("g", inputs={"dya": 1}).add("report", lambda day: day)
        assert problems(graph, UnknownDependencyError) == [
            "parameter 'day' is no task and no input; there is an input 'dya': did you mean 'day' there, or 'dya' here?"
        ]

    def test_B1_two_tasks_of_one_name_say_where_the_first_one_is(self) -> None:
        graph = Graph("g").add("a", nothing).add("a", nothing_async)
        (message,) = problems(graph, DuplicateTaskError)
        assert message.startswith("there are two tasks named 'a'; the first is at ")
        assert "test_graph_checks.py:" in message

    @pytest.mark.parametrize("name", ["", "  ", "\n", None, 5, ["x"]])
    def test_B1_a_name_that_is_empty_or_no_text_is_refused(self, name: Any) -> None:
        assert "must be a text that is not empty" in problems(Graph("g").add(name, nothing))[0]

    @pytest.mark.parametrize("name", ["", " ", None, 7])
    def test_B1_a_graph_has_a_name_too(self, name: Any) -> None:
        with pytest.raises(GraphError, match="name of a graph"):
            Graph(name)

    def test_B1_a_graph_without_tasks_is_refused(self) -> None:
        assert "has no tasks" in problems(Graph("g"))[0]

    def test_B1_all_problems_come_at_once_each_with_its_place(self) -> None:
        graph = Graph("g")
        graph.add("a", nothing, depends_on=["b"])
        graph.add("b", nothing, depends_on=["a"])
        graph.add("b", nothing)
        graph.add("c", lambda zzz: zzz)
        graph.add("d", nothing, depends_on=["nowhere"], retrys=3, timeout=-1)
        graph.add("", nothing)
        with pytest.raises(GraphError) as caught:
            graph.validate()
        text = str(caught.value)
        for part in ("two tasks named 'b'", "'zzz'", "'nowhere'", "did you mean 'retries'", "more than 0", "a → b → a"):
            assert part in text
        assert all("test_graph_checks.py:" in flaw.place for flaw in caught.value.problems), caught.value.problems


class TestCycles:
    def test_B1_a_cycle_is_printed_as_a_path_of_the_tasks_really_on_it(self) -> None:
        graph = Graph("g").add("before", nothing)
        for name, needs in {"a": ["c", "before"], "b": ["a"], "c": ["b"], "after": ["c"]}.items():
            graph.add(name, nothing, depends_on=needs)
        assert problems(graph, CycleError) == ["these tasks wait for each other: a → b → c → a"]

    def test_B1_a_task_that_waits_for_itself_is_a_cycle(self) -> None:
        assert "a → a" in problems(Graph("g").add("a", nothing, depends_on=["a"]), CycleError)[0]

    def test_B1_a_parameter_of_a_tasks_own_name_is_no_dependency(self) -> None:
        assert "no task and no input" in problems(Graph("g").add("a", lambda a: a))[0]
        assert Graph("g", inputs={"a": 1}).add("a", lambda a: a).validate().upstream == [[]]

    def test_B2_a_cycle_of_a_hundred_thousand_is_found_without_recursion(self) -> None:
        n = 100_000
        graph = Graph.from_specs(
            "g",
            tasks={str(i): i for i in range(n)},
            dependencies={str(i): [str((i + 1) % n)] for i in range(n)},
            run=_run,
        )
        assert problems(graph, CycleError)[0].count("→") == n

    def test_B2_a_chain_of_a_hundred_thousand_declared_leaf_first_is_checked(self) -> None:
        n, graph = 100_000, Graph("g")
        for i in reversed(range(n)):
            graph.add(f"t{i}", nothing, depends_on=[f"t{i - 1}"] if i else [])
        plan = graph.validate()
        assert plan.names[plan.order[0]] == "t0"
        assert plan.names[plan.order[-1]] == f"t{n - 1}"


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "hint"),
        [("retrys", "retries"), ("time_out", "timeout"), ("depend_on", "depends_on"), ("prioritty", "priority")],
    )
    def test_B1_an_option_that_does_not_exist_is_named_with_the_nearest(self, option: str, hint: str) -> None:
        graph = Graph("g").add("a", nothing, **{option: 1})
        assert problems(graph, OptionError) == [f"task 'a': there is no option {option!r}; did you mean {hint!r}?"]

    def test_B1_graph_options_are_checked_where_they_are_written(self) -> None:
        with pytest.raises(OptionError, match="did you mean 'max_parallel'") as caught:
            Graph("g", max_paralel=3)
        assert "test_graph_checks.py:" in caught.value.problems[0].place
        with pytest.raises(OptionError, match="at least 1, not 0"):
            Graph("g", max_parallel=0)
        with pytest.raises(OptionError, match="did you mean 'fail_fast'"):
            Graph("g").add("a", nothing).run(failfast=True)
        with pytest.raises(OptionError, match="run_timeout must be more than 0"):
            Graph("g").add("a", nothing).run(run_timeout=0)

    def test_B1_inputs_are_names_and_values(self) -> None:
        with pytest.raises(ValueError, match="inputs must be a mapping"):
            ExecutorConfig(inputs=["a"])  # type: ignore[arg-type]

    def test_B1_replicas_are_a_whole_number(self) -> None:
        assert (
            "replicas must be a whole number from 0 to 100000, not 'x'"
            in problems(Graph("g").add("a", nothing, replicas="x"))[0]
        )

    @pytest.mark.parametrize(
        "options",
        [
            {"timeout": 0},
            {"timeout": "5"},
            {"timeout": float("nan")},
            {"timeout": True},
            {"retries": -1},
            {"retries": 1.5},
            {"retries": True},
            {"trigger": "sometimes"},
            {"on_upstream_failure": "cry"},
            {"priority": 1.5},
            {"cost": -1},
            {"cost": 10**400},
            {"timeout": 10**400},
            {"tags": 5},
            {"tags": [5]},
            {"description": 5},
            {"retry_on_timeout": "no"},
            {"depends_on": 5},
            {"depends_on": [["a"]]},
            {"depends_on": [None]},
            {"depends_on": [nothing_async]},
            {"backend": "Process"},
            {"backend": "async"},
            {"backend": "moon"},
        ],
    )
    def test_B1_a_value_that_an_option_does_not_take_is_refused(self, options: dict[str, Any]) -> None:
        assert len(problems(Graph("g").add("a", nothing, **options))) == 1

    def test_B1_every_wrong_option_of_a_task_is_told_at_once(self) -> None:
        graph = Graph("g").add("a", nothing, trigger="all_sucess", retries=-1, timeout=3, backend="proc", tag="x")
        assert [problem.partition(" must ")[0] for problem in problems(graph, OptionError)] == [
            "task 'a': there is no option 'tag'; did you mean 'tags'?",
            "task 'a': trigger",
            "task 'a': retries",
            "task 'a': backend",
        ]

    def test_B1_an_async_function_does_not_go_into_a_thread(self) -> None:
        assert "event loop" in problems(Graph("g").add("a", nothing_async, backend="thread"))[0]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"retries": -1},
            {"backoff": "cubic"},
            {"base": -1},
            {"factor": 0.5},
            {"factor": float("inf")},
            {"cap": float("nan")},
            {"jitter": 1.5},
            {"jitter": "x"},
            {"on": ("ValueError",)},
            {"on": 5},
            {"not_on": (ValueError(),)},
        ],
    )
    def test_B11_a_retry_checks_itself(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Retry(**wrong)

    def test_B11_defaults_reach_tasks_that_say_nothing(self) -> None:
        graph = (
            Graph("g", default_timeout=5, default_retries=2).add("a", nothing).add("b", nothing, timeout=1, retries=0)
        )
        a, b = graph.validate().policies
        assert (a.timeout, a.retry.retries, b.timeout, b.retry.retries) == (5, 2, 1, 0)

    def test_B13_rules_are_options(self) -> None:
        graph = Graph("g").add("a", nothing, trigger="any_success", on_upstream_failure="run", tags="x")
        policy = graph.validate().policies[0]
        assert (policy.trigger, policy.on_upstream_failure) == (Trigger.ANY_SUCCESS, OnUpstreamFailure.RUN)
        assert policy.tags == ("x",)


class TestDependencies:
    def test_B3_they_come_from_parameters_from_depends_on_and_from_both(self) -> None:
        graph = Graph("g")
        first = graph.task(nothing)

        @graph.task
        def by_parameter(nothing: None) -> None: ...

        @graph.task(depends_on=first)
        def by_function() -> None: ...

        @graph.task(depends_on="by_function")
        def by_name() -> None: ...

        @graph.task(depends_on=["nothing", by_name, "by_parameter"])
        def by_all(by_parameter: None, *args: Any, ctx: TaskContext, also: int = 3, **more: Any) -> None: ...

        assert first is nothing, "the decorator returns the function (B16)"
        assert graph.validate().upstream == [[], [0], [0], [2], [0, 1, 3]]

    def test_B3_a_default_is_taken_where_there_is_neither_task_nor_input(self) -> None:
        graph = Graph("g", inputs={"b": 2}).add("t", lambda a=1, b=1, c=1: (a, b, c)).add("c", lambda: 3)
        assert graph.run()["t"].output == (1, 2, 3)

    def test_B3_positional_only_parameters_and_partials_and_objects(self) -> None:
        def takes(one: int, /, two: int) -> int:
            return one * 10 + two

        class Doubles:
            def __call__(self, both: int) -> int:
                return both * 2

        graph = Graph("g").add("one", lambda: 1).add("two", lambda: 2).add("both", takes).add("twice", Doubles())
        graph.add("eight", functools.partial(pow, 2, 3))
        result = graph.run()
        assert (result["twice"].output, result["eight"].output) == (24, 8)

    @pytest.mark.parametrize(
        ("fn", "wants"),
        [
            (lambda ctx: type(ctx), True),
            (lambda ctx=None: type(ctx), True),
        ],
    )
    def test_a_parameter_named_ctx_is_the_context(self, fn: Callable[..., Any], wants: bool) -> None:
        assert (Graph("g").add("t", fn).run()["t"].output is TaskContext) is wants

    def test_a_parameter_is_the_context_by_its_annotation_whatever_its_name(self) -> None:
        def task(anything: TaskContext) -> str:
            return anything.task

        assert Graph("g").add("t", task).run()["t"].output == "t"

    @pytest.mark.parametrize(
        "annotation",
        [
            TaskContext | None,
            Optional[TaskContext],  # noqa: UP045 - as people still write it
            "TaskContext",
            "dt.TaskContext",
            "TaskContext | None",
            "'TaskContext'",
        ],
    )
    def test_it_may_be_in_a_union_or_a_text_or_under_another_name_of_the_module(self, annotation: Any) -> None:
        def task(anything):  # type: ignore[no-untyped-def]
            return anything.task

        task.__annotations__["anything"] = annotation
        assert Graph("g").add("t", task).run()["t"].output == "t"

    @pytest.mark.parametrize(("annotation", "wants"), [(Any, True), ("Any", True), (int, False), ("int", False)])
    def test_a_parameter_named_ctx_of_another_type_is_an_input(self, annotation: Any, wants: bool) -> None:
        def task(ctx):  # type: ignore[no-untyped-def]
            return type(ctx) is TaskContext

        task.__annotations__["ctx"] = annotation
        assert Graph("g", inputs={"ctx": 1}).add("t", task).run()["t"].output is wants

    def test_B1_a_function_without_a_readable_signature_says_what_to_do(self) -> None:
        assert "wrap it in a function of your own" in problems(Graph("g").add("t", _Unreadable()))[0]
        assert problems(Graph("g").add("t", 5)) == ["task 't' must be a function, not 5"]  # type: ignore[arg-type]


def _run(task: str, spec: Any) -> Any:
    return (task, spec)


class TestSpecs:
    def test_B3_a_function_runs_every_spec_and_gets_the_outputs_it_depends_on(self) -> None:
        graph = Graph.from_specs(
            "g", tasks={"a": {"n": 1}, "b": {"n": 2}, "c": 3}, dependencies={"b": {"a"}, "c": {"a", "b"}}, run=_run
        )
        result = graph.run()
        assert result["a"].output == ("a", {"n": 1, "_dep_outputs": {}})
        assert result["b"].output == ("b", {"n": 2, "_dep_outputs": {"a": result["a"].output}})
        assert result["c"].output == ("c", 3)

    def test_B3_a_third_parameter_is_the_context_and_options_are_per_task(self) -> None:
        def run(task: str, spec: Any, ctx: TaskContext) -> Any:
            return (ctx.task, ctx.attempt)

        graph = Graph.from_specs("g", tasks={"a": 1}, run=run, task_options={"a": {"retries": 2}})
        assert graph.run()["a"].output == ("a", 1)
        assert graph.validate().policies[0].retry.retries == 2

    def test_B1_problems_of_specs_are_listed(self) -> None:
        graph = Graph.from_specs("g", tasks={"load": 1, "b": 2}, dependencies={"b": ["loud"], "zz": ["b"]}, run=_run)
        found = problems(graph)
        assert len(found) == 2
        assert any("'zz', which is no task" in message for message in found)
        assert any("depends on 'loud', which is no task; did you mean 'load'?" in message for message in found)

    @pytest.mark.parametrize("needs", [5, [["a"]], [None], [{"a": 1}]])
    def test_B1_dependencies_that_are_no_names_are_problems_and_no_crash(self, needs: Any) -> None:
        assert len(problems(Graph.from_specs("g", tasks={"a": 1, "b": 2}, dependencies={"b": needs}, run=_run))) == 1

    def test_B3_one_name_instead_of_a_list_is_that_name(self) -> None:
        """Its letters were taken for names."""
        graph = Graph.from_specs("g", tasks={"one": 1, "two": 2}, dependencies={"two": "one"}, run=_run)
        assert graph.validate().upstream == [(), [0]]

    @pytest.mark.parametrize("run", [5, lambda a, b, c, d: 1])
    def test_B1_a_function_that_cannot_be_called_so_is_refused(self, run: Any) -> None:
        assert "run" in problems(Graph.from_specs("g", tasks={"a": 1}, run=run))[0]

    def test_B4_what_the_caller_does_to_his_specs_later_does_not_reach_a_run(self) -> None:
        tasks: dict[str, Any] = {"a": 1, "b": 2}
        needs = {"b": ["a"]}
        graph = Graph.from_specs("g", tasks=tasks, dependencies=needs, run=_run)
        tasks.clear()
        needs["a"] = ["b"]
        assert graph.run().counts == {"succeeded": 2}


def test_B1_a_function_with_a_yield_is_no_task() -> None:
    """A generator "succeeded" at once and nothing of it ran."""
    graph = Graph("g")

    @graph.task
    def rows() -> Iterator[int]:
        yield 1

    @graph.task
    async def pages() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(GraphError) as caught:
        graph.validate()
    assert [flaw.message[:15] for flaw in caught.value.problems] == ["it has a yield,"] * 2


@pytest.mark.parametrize("circuit", ["apii", "ap", "aip", "API", "paymemts", "payment"])
def test_B18_a_circuit_that_is_a_slip_of_a_declared_breaker_is_refused(circuit: str) -> None:
    """It got a breaker of its own, made with the defaults, and the declared one was never asked."""
    graph = Graph("g", breakers=[Breaker("api"), Breaker("payments")]).add("a", lambda: 1, circuit=circuit)
    meant = "payments" if circuit.startswith("pay") else "api"
    (found,) = problems(graph)
    assert found.startswith(f"task 'a': there is no breaker {circuit!r}; did you mean {meant!r}?")
    assert found.endswith(f"If not, declare it with breakers=[Breaker({circuit!r})]")
    assert graph.plan(breakers=[Breaker("api"), Breaker("payments"), Breaker(circuit)])


@pytest.mark.parametrize("circuit", ["api", "mail", "api-2", "shard-b", "us-api", "spi"])
def test_B18_a_breaker_may_be_named_without_being_declared(circuit: str) -> None:
    declared = [Breaker(name) for name in ("api", "api-1", "shard-a", "eu-api")]
    Graph("g", breakers=declared).add("a", lambda: 1, circuit=circuit).validate()
    Graph("g").add("a", lambda: 1, circuit=circuit).validate()
