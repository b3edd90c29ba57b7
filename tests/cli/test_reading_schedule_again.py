"""The file of a graph with a schedule, read again: the next run is of what it says then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dagtop.errors import DagtopError
from dagtop_app.commandline.options import GraphOptions
from dagtop_app.launching.preparing import prepare
from dagtop_app.reloading.next_run import NextRun
from dagtop_app.reloading.schedule import RereadForNextRun

Write = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("interpreter_as_it_was")

GRAPH = """
from dagtop import Graph

graph = Graph("nightly", every=3600)

@graph.task
def a():
    return 1
"""


def reader(path: Path) -> tuple[RereadForNextRun, list[NextRun]]:
    taken: list[NextRun] = []
    return RereadForNextRun(prepare(str(path), GraphOptions(), {}), taken.append), taken


def answered(one: RereadForNextRun) -> Any:
    assert one.begin()
    while one.is_busy:
        pass
    return one.take()


def test_the_next_run_is_of_what_the_file_says_now_and_at_the_times_that_it_says(write: Write) -> None:
    path = write("n.py", GRAPH)
    one, taken = reader(path)
    assert answered(one).text == ""
    write("n.py", GRAPH.replace("return 1", "return 2") + "graph.add('b', lambda: 2)\n")
    found = answered(one)
    assert (found.text, found.timetable) == ("+ added: b · ~ changed: a", None)
    assert list(found.idle.latest.plan.names) == ["a", "b"]
    write("n.py", GRAPH.replace("3600", "60"))
    found = answered(one)
    assert found.text == "~ changed: a · - removed: b · it is due at other times"
    assert found.timetable.schedule.every == 60
    assert taken[-1] is found


def test_a_file_that_was_changed_before_anybody_looked_at_its_text_is_different_too(write: Write) -> None:
    """Both versions were told by the text that the file had by then."""
    one, _ = reader(write("n.py", GRAPH))
    write("n.py", GRAPH.replace("return 1", "return 2"))
    assert answered(one).text == "~ changed: a"


def test_a_file_that_is_broken_or_has_no_schedule_any_more_changes_nothing(write: Write) -> None:
    path = write("n.py", GRAPH)
    one, taken = reader(path)
    write("n.py", GRAPH + "oops(")
    assert "n.py" in answered(one)
    write("n.py", GRAPH.replace(", every=3600", ""))
    with pytest.raises(DagtopError, match="does not say any more when it is due"):
        one.look()
    assert taken == []
