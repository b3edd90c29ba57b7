"""What a newcomer gets wrong with runs and events is answered with one sentence that says what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from dagtop import Graph


def on_event_answers(*given: Any) -> str:
    graph: Any = Graph("g")
    with pytest.raises(ValueError, match=".") as caught:
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
    with pytest.raises(ValueError, match="^on_event must be callable, not 3: give it a function that takes an event$"):
        graph.on_event("task.failed")(3)
    with pytest.raises(ValueError, match="not 3: give it a function that takes an EscalationReport$"):
        graph.on_escalation(3)
