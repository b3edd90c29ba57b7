"""What a newcomer gets wrong with runs and events is answered with one sentence that says what to write instead."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from dagtop import Graph, RetryAfter


def on_event_answers(*given: Any) -> str:
    graph: Any = Graph("g")
    with pytest.raises(ValueError, match=r".") as caught:
        graph.on_event(*given)
    return str(caught.value)


@pytest.mark.parametrize("given", [("task.failed", print), (print, "task.failed")])
def test_a_function_among_types_of_events_is_told_where_it_goes(given: tuple[Any, ...]) -> None:
    assert on_event_answers(*given) == (
        'a type of events is a text such as "task.failed" or "task.*", or a class of events, not <built-in function print>: '
        '@graph.on_event("task.failed") stands above the function that it calls, and '
        'graph.subscribe(function, "task.failed") takes it first'
    )


def test_a_list_of_types_of_events_is_told_to_be_taken_apart() -> None:
    told = on_event_answers(["task.failed", "task.timed_out"])
    assert told.endswith("not ['task.failed', 'task.timed_out']: give several types one after the other")


@pytest.mark.parametrize(("wanted", "near"), [("tasks.*", "task.*"), ("breakers.*", "breaker.*"), ("runs.*", "run.*")])
def test_a_pattern_of_events_is_told_the_nearest_pattern(wanted: str, near: str) -> None:
    assert on_event_answers(wanted) == f"no event is of type {wanted!r}; did you mean {near!r}?"


def test_what_cannot_be_called_back_is_told_what_can() -> None:
    graph: Any = Graph("g")
    with pytest.raises(ValueError, match=r"^on_event must be callable, not 3: give it a function that takes an event$"):
        graph.on_event("task.failed")(3)
    with pytest.raises(ValueError, match=r"not 3: give it a function that takes an EscalationReport$"):
        graph.on_escalation(3)


async def soon(value: int = 1) -> int:
    return value


@pytest.mark.parametrize("backend", ["thread", "process"])
def test_a_lambda_around_an_async_function_is_told_what_to_give_instead(backend: str) -> None:
    failure = Graph("g").add("a", lambda: soon(3), backend=backend).run()["a"].failure
    assert failure is not None
    assert failure.error == "TypeError"
    assert failure.message == (
        "the function returned a coroutine that nobody awaits: write it with async def and await, "
        "or in place of a lambda around an async function give that function, or functools.partial of it"
    )
    assert Graph("g").add("a", partial(soon, 3)).run()["a"].output == 3


def test_a_text_of_seconds_in_retry_after_is_told_to_be_made_a_number() -> None:
    seconds: Any = "30"
    with pytest.raises(ValueError, match=r"seconds of at least 0, not '30': make a number of it, as with float\(\)$"):
        RetryAfter(seconds)
