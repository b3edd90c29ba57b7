"""What a newcomer gets wrong is answered with one sentence that says what to write instead (B2)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from dagtop import DAGExecutor, Graph, GraphError, Pool, Retry
from dagtop.core.policy import TaskPolicy
from dagtop.graph.options import GRAPH_OPTIONS, OTHER_WORDS, TASK_OPTIONS


def problem(**options: Any) -> str:
    """The one thing that is wrong with a task of these options."""
    with pytest.raises(GraphError) as caught:
        Graph("g").add("a", lambda: 1, **options).validate()
    (flaw,) = caught.value.problems
    return flaw.message.removeprefix("task 'a': ")


def test_a_retry_takes_its_number_without_a_name() -> None:
    assert Retry(3) == Retry(retries=3)
    with pytest.raises(TypeError):
        Retry(3, "linear")  # type: ignore[misc]  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("option", ["retry_on", "no_retry_on"])
@pytest.mark.parametrize("value", ["ValueError", ["ValueError"], (OSError, "ValueError")])
def test_names_of_exceptions_are_no_exceptions(option: str, value: object) -> None:
    assert problem(**{option: value}) == (
        f"{option} must be exception types, not 'ValueError': write the type itself, without quotes, such as OSError"
    )


def test_what_is_no_exception_type_is_told_by_the_name_it_was_given_under() -> None:
    assert problem(retry_on=3) == "retry_on must be exception types, not 3"
    with pytest.raises(ValueError, match=r"^not_on must be exception types"):
        Retry(not_on=(int,))  # type: ignore[arg-type]


def test_an_option_that_is_none_is_not_given() -> None:
    nothing = dict.fromkeys(TASK_OPTIONS)
    graph = Graph("g", default_timeout=5).add("a", lambda: 1, **{**nothing, "timeout": None})
    assert graph.validate().policies[0] == TaskPolicy()
    assert Graph("g", default_timeout=5).add("a", lambda: 1, pool=None).validate().policies[0].timeout == 5
    assert graph.run()["a"].output == 1


def test_a_task_may_be_given_its_name_first() -> None:
    graph = Graph("g")

    @graph.task("load", retries=2)
    def function() -> int:
        return 3

    assert graph.names == ("load",)
    assert graph.validate().policies[0].retry.retries == 2
    assert graph.name_of(function) == "load"


def test_what_is_neither_a_function_nor_a_name_makes_no_task() -> None:
    graph: Any = Graph("g")
    with pytest.raises(GraphError, match=r"a task is a function, or its name followed by options, not 3"):
        graph.task(3)
    with pytest.raises(GraphError, match=r"a task has one name, not both 'a' and 'b'"):
        graph.task("a", name="b")


@pytest.mark.parametrize("rate", ["10 per sec", "10/s", 0, -1, True, float("inf"), float("nan")])
def test_a_rate_is_told_to_be_attempts_per_second(rate: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^rate must be a number of attempts per second above 0, such as 10, or 0\.5 "
    ):
        Pool(4, rate=rate)


@pytest.mark.parametrize("value", ["10 per sec", {"rate": 10}, None, 2.5])
def test_what_is_no_pool_is_told_both_forms_of_one(value: Any) -> None:
    with pytest.raises(GraphError) as caught:
        Graph("g", pools={"api": value})
    assert caught.value.problems[0].message == (
        "pool 'api' must be a whole number of attempts at once, such as 4, or a Pool with a rate per second, "
        f"such as Pool(4, rate=10), not {value!r}"
    )


@pytest.mark.parametrize(
    ("word", "option"),
    [("deps", "depends_on"), ("max_retries", "retries"), ("circuit_breaker", "circuit"), ("condition", "when")],
)
def test_an_option_of_a_task_by_another_tools_word_is_told_ours(word: str, option: str) -> None:
    assert problem(**{word: 1}) == f"there is no option {word!r}; here it is {option!r}"


@pytest.mark.parametrize(
    ("word", "option"),
    [
        ("max_workers", "max_parallel"),
        ("concurrency", "max_parallel"),
        ("retry", "default_retries"),
        ("params", "inputs"),
    ],
)
def test_an_option_of_a_graph_by_another_tools_word_is_told_ours(word: str, option: str) -> None:
    given: dict[str, Any] = {word: 1}
    with pytest.raises(GraphError, match=f"there is no option '{word}'; here it is '{option}'"):
        Graph("g", **given)
    with pytest.raises(GraphError, match=f"there is no option '{word}'; here it is '{option}'"):
        Graph("g").add("a", lambda: 1).run(**given)


def test_every_word_of_others_is_answered_with_options_that_exist() -> None:
    assert {option for ours in OTHER_WORDS.values() for option in ours} <= {*TASK_OPTIONS, *GRAPH_OPTIONS}
    assert OTHER_WORDS.keys().isdisjoint({*TASK_OPTIONS} & {*GRAPH_OPTIONS})


def test_a_context_by_another_name_is_told_ours() -> None:
    with pytest.raises(GraphError) as caught:
        Graph("g").add("content", lambda: 1).add("a", lambda context: context).validate()
    assert caught.value.problems[0].message == (
        "parameter 'context' is no task and no input; "
        "the task's context is the parameter 'ctx', or one that is annotated with TaskContext"
    )


def test_a_run_takes_a_config_and_no_task() -> None:
    graph: Any = Graph("g").add("a", lambda: 1)
    executor: Any = DAGExecutor
    for begin in (graph.run, graph.plan, graph.validate, partial(executor, graph)):
        with pytest.raises(GraphError) as caught:
            begin("a")
        assert caught.value.problems[0].message == (
            "config must be an ExecutorConfig, not 'a'; options are given by name, such as max_parallel=4; "
            "a run is of the whole graph, never of one task"
        )
        assert "test_first_mistakes.py:" in caught.value.problems[0].place
        with pytest.raises(GraphError, match="config must be an ExecutorConfig, not 3; options"):
            begin(3)


def test_a_map_takes_options_that_are_none_too() -> None:
    graph = Graph("g").map("a", lambda item: item, over=[1, 2], limit=1, pool=None, depends_on=None, retries=None)
    assert graph.run()["a"].output == [1, 2]


def test_problems_that_differ_only_in_their_task_are_folded() -> None:
    graph = Graph("g")
    for number in range(17):
        graph.add(f"t{number}", lambda: 1, retires=3)
        graph.add(f"it's {number}", lambda: 1, depends_on=["x"])
    graph.add("other", lambda: 1, retries="no")
    with pytest.raises(GraphError) as caught:
        graph.validate()
    assert len(caught.value.problems) == 35
    lines = [line.partition("py:")[2].partition(": ")[2] or line for line in str(caught.value).splitlines()]
    unknown = "there is no option 'retires'; did you mean 'retries'?"
    assert lines == [
        *(f"task 't{number}': {unknown}" for number in range(3)),
        "… and 14 more like it",
        *(f"""task "it's {number}" depends on 'x', which is no task""" for number in range(3)),
        "… and 14 more like it",
        "task 'other': retries must be a whole number or a Retry, not 'no'",
    ]
