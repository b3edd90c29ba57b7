"""What people read: lines of events, and the live view. Pure functions."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest
from dagtop import Graph, Retry
from dagtop.core import events as ev
from dagtop.core.commands import CancelTask
from dagtop.core.failure import Failure
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import RunState, TaskState
from dagtop_app.plain.events import PlainLines
from dagtop_app.plain.live import Line, live_lines
from dagtop_app.text import width

FAILURE = Failure(error="ValueError", message="no luck")


def plan_of_three():
    graph = Graph("etl")
    graph.add("load", lambda: None, retries=Retry(retries=2))
    graph.add("mart", lambda load: None)
    graph.add("publish", lambda load: None)
    return graph.validate()


def test_a_failure_names_only_those_that_will_not_run_for_it():
    """A clean-up with trigger="all_done" was told as if it were lost."""
    graph = Graph("etl")
    graph.add("load", lambda: None)
    graph.add("other", lambda: None)
    graph.add("mart", lambda load: None)
    graph.add("only", lambda load: None, trigger="any_success")
    graph.add("either", lambda load, other: None, trigger="any_success")
    graph.add("clean_up", lambda load: None, trigger="all_done")
    graph.add("all_the_same", lambda load: None, on_upstream_failure="run")
    sentence = PlainLines(graph.validate()).sentence(ev.TaskFailed(0.0, "load", 1, FAILURE))
    assert sentence.endswith("ValueError: no luck. Needed by mart, only.")


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (ev.RunStarted(0.0, "r-1", "etl", 0.0, 3, 8), "run r-1 of etl started: 3 tasks, at most 8 at once."),
        (ev.TaskReady(0.0, "load"), ""),
        (ev.TaskStarted(0.0, "load", 1), "load started."),
        (ev.TaskStarted(0.0, "load", 2), "load started, attempt 2 of 3."),
        (
            ev.TaskRetrying(0.0, "load", 1, 1.5, FAILURE),
            "load failed, attempt 1 of 3: ValueError: no luck. Next attempt in 1.5s.",
        ),
        (
            ev.TaskFailed(0.0, "load", 3, FAILURE),
            "load failed, attempt 3 of 3: ValueError: no luck. Needed by mart, publish.",
        ),
        (ev.TaskTimedOut(0.0, "mart", 1, FAILURE), "mart timed out, attempt 1 of 1: ValueError: no luck."),
        (ev.TaskSucceeded(0.0, "mart", 1), "mart succeeded."),
        (ev.TaskSkipped(0.0, "mart", "upstream load failed"), "mart skipped: upstream load failed."),
        (ev.TaskCancelled(0.0, "mart", 1, "Ctrl+C"), "mart cancelled: Ctrl+C."),
        (ev.TaskHeld(0.0, "mart"), "mart is held: it does not start before it is released."),
        (ev.RunStopping(0.0, "Ctrl+C", True), "run is being stopped: Ctrl+C."),
        (
            ev.RunFinished(0.0, RunState.TIMED_OUT, {"succeeded": 2, "timed_out": 1}),
            "run timed out: 2 succeeded, 1 timed out.",
        ),
        (ev.CommandApplied(0.0, CancelTask("load"), 1, "you", "load is stopped"), "you: load is stopped"),
        (ev.CommandRefused(0.0, CancelTask("load"), 1, "you", "it is over"), "you: cancel refused: it is over"),
        (ev.Log(0.0, "load", 1, "stdout", "", "hello"), "load | hello"),
        (ev.Log(0.0, "load", 1, "log", "WARNING", "hello"), "load | WARNING hello"),
        (ev.Problem(0.0, "journal", "the disk is full"), "problem with journal: the disk is full"),
        (
            ev.Problem(0.0, "journal", "the output is a set; it is not kept", "a"),
            "a: the output is a set; it is not kept",
        ),
        (ev.PolicyChanged(0.0, "load", {"retries": 5}), "load has a new policy: retries 5."),
        (ev.LimitChanged(0.0, 4, "set by you"), "at most 4 at once now: set by you."),
        (ev.LimitChanged(0.0, 4, "it slows down", "window"), "4 at once for now, as tasks fare: it slows down."),
        (ev.LimitChanged(0.0, 4, "set by you", "pool:db"), "at most 4 at once in pool db now: set by you."),
        (ev.TaskTearingDown(0.0, "load"), "load is being torn down."),
        (ev.TaskTornDown(0.0, "load"), "load is torn down."),
        (ev.TaskTornDown(0.0, "load", FAILURE), "load could not be torn down: ValueError: no luck."),
        (
            ev.GraphChanged(
                0.0, "spawned by load", (ev.AddedTask("page", ("load",)),), ("mart",), {"publish": ("page",)}
            ),
            "graph changed, spawned by load: 1 task new: page; 1 task gone: mart; 1 task waiting for others now: publish.",
        ),
        (
            ev.TaskRetrying(0.0, "load", 1, 0.0, FAILURE),
            "load failed, attempt 1 of 3: ValueError: no luck. Next attempt as soon as it may start.",
        ),
        (
            ev.BreakerOpened(0.0, "api", "5 failures in a row", 30.0),
            "breaker api is open, for 0:30: 5 failures in a row.",
        ),
        (ev.BreakerHalfOpened(0.0, "api", "30 s are over"), "breaker api is half open: 30 s are over."),
        (ev.BreakerClosed(0.0, "api", "the probe succeeded"), "breaker api is closed: the probe succeeded."),
        (ev.BreakerForced(0.0, "api", "held open by you", "open"), "breaker api is held open: held open by you."),
        (
            ev.BreakerChanged(0.0, "api", "failure_threshold 5 → 3, set by hand", {"failure_threshold": 3}),
            "breaker api has other settings: failure_threshold 5 → 3, set by hand.",
        ),
        (
            ev.EscalationAcknowledged(0.0, "load", 2, "eve", "I ring\x1b them"),
            "load has somebody who looks after its escalation 2, eve: I ring␛ them.",
        ),
        (
            ev.EscalationAcknowledged(0.0, "load", 2, "eve", withdrawn=True),
            "load has nobody any more who looks after its escalation 2.",
        ),
        (ev.BreakerForced(0.0, "a\x1bpi", "let go by you", ""), "breaker a␛pi is no longer held: let go by you."),
    ],
)
def test_each_event_is_a_sentence(event, sentence):
    assert PlainLines(plan_of_three()).sentence(event) == sentence


def test_no_type_of_event_is_without_a_sentence():
    """One that is new would be told by its type only."""
    source = Path(inspect.getfile(PlainLines)).read_text(encoding="utf-8")
    for kind in get_args(ev.AnyEvent):
        named = [base.__name__ for base in kind.__mro__ if issubclass(base, ev.Event)]
        named = [name for name in named if name not in {"Event", "TaskEvent"}]
        assert any(re.search(rf"ev\.{name}\(", source) for name in named), f"plain.py says nothing of {kind.__name__}"


def test_tasks_that_came_while_the_run_went_on_are_known_to_need_what_failed():
    lines = PlainLines(plan_of_three())
    lines.sentence(ev.GraphChanged(0.0, "spawned by load", (ev.AddedTask("page", ("mart",)),)))
    assert lines.sentence(ev.TaskFailed(0.0, "mart", 1, FAILURE)).endswith("Needed by page.")
    assert lines.sentence(ev.TaskFailed(0.0, "page", 1, FAILURE)) == "page failed, attempt 1: ValueError: no luck."


def test_hostile_names_are_shown_and_stay_on_one_line():
    line = PlainLines().line(ev.TaskStarted(0.0, "a\n\x1b[2J\u202eb", 1))
    assert "a␊␛[2J�b started." in line
    assert "(no name) started." in PlainLines().line(ev.TaskStarted(0.0, "", 1))


def test_progress_is_told_in_steps():
    lines = PlainLines()
    told = [lines.sentence(ev.TaskProgress(0.0, "load", float(done), 100.0)) for done in range(101)]
    assert [text for text in told if text][:2] == ["load is at 10%.", "load is at 20%."]
    assert len([text for text in told if text]) == 10


def test_progress_without_an_end_is_not_told():
    assert PlainLines().sentence(ev.TaskProgress(0.0, "load", 3.0)) == ""


# -- the live view ----------------------------------------------------------------------------------------------------


def snapshot_of(*states: TaskState, name: str = "task") -> RunSnapshot:
    graph = Graph(name)
    rows = []
    for index, state in enumerate(states):
        graph.add(f"{name}{index}", lambda: None)
        failure = FAILURE if state is TaskState.FAILED else None
        rows.append(
            TaskRow(
                index=index,
                name=f"{name}{index}",
                state=state,
                attempt=1,
                started_at=1.0,
                ended_at=2.0,
                failure=failure,
            )
        )
    counts = {state: states.count(state) for state in TaskState}
    return RunSnapshot(
        run="r", graph=name, state=RunState.RUNNING, plan=graph.validate(), rows=tuple(rows), counts=counts, at=65.0
    )


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def test_it_shows_failures_then_what_runs_then_how_far_it_is():
    view = texts(live_lines(snapshot_of(TaskState.SUCCEEDED, TaskState.RUNNING, TaskState.FAILED), 65.0, 80, 24))
    assert view[0] == " ✖ task2 ValueError: no luck"
    assert view[1].split() == ["●", "task1", "1:04"]
    assert "2/3  67%  1:05" in view[2]
    assert view[3] == " ● 1 running  ✔ 1 ok  ✖ 1 failed  running"


@pytest.mark.parametrize("size", [(80, 24), (20, 6), (5, 2), (1, 1), (200, 60)])
@pytest.mark.parametrize("name", ["task", "日本" * 40, "x" * 10_000, "\x1b[2J\n"])
def test_it_never_leaves_its_lines_and_columns(size, name):
    columns, rows = size
    states = [TaskState.RUNNING] * 30 + [TaskState.FAILED] * 30
    view = texts(live_lines(snapshot_of(*states, name=name), 65.0, columns, rows))
    assert len(view) <= max(1, rows - 1)
    for line in view:
        assert width(line) <= columns
        assert line.isprintable()


def test_what_does_not_fit_is_counted():
    view = texts(live_lines(snapshot_of(*[TaskState.RUNNING] * 40), 65.0, 80, 12))
    assert view[-3] == "   and 35 more"
