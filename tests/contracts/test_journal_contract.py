"""What every journal promises, whatever it keeps runs in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dagtop.core.events import (
    Log,
    PolicyChanged,
    Problem,
    RunPaused,
    RunResumed,
    TaskCached,
    TaskFailed,
    TaskProgress,
    TaskRestarted,
    TaskStarted,
    TaskSucceeded,
)
from dagtop.core.failure import Failure
from dagtop.core.states import RunState
from dagtop.errors import JournalError
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.sqlite import SqliteJournal
from dagtop.ports.journal import Journal
from journal_scene import HOSTILE, Told, begin, chain, ready, record_of, resume

GRAPH = chain(["a", "b"])


@pytest.fixture(params=["sqlite", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    made: Journal = SqliteJournal(tmp_path / "folder" / "runs.db") if request.param == "sqlite" else MemoryJournal()
    yield made
    made.close()


def test_a_run_is_read_back_as_it_was_recorded(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH, parameters={"day": "2026-11-21"}))
    session.start()
    session.succeed("a", [1, 2])
    failure = Failure(error="ValueError", message="no", traceback="…", where="g.py:3 in b")
    events = [TaskStarted(3.0, "b", 1), TaskFailed(4.0, "b", 1, failure), Log(4.0, "b", 1, "stdout", "info", "héllo")]
    session.record(*events)
    session.finish(RunState.FAILED, failed=1, succeeded=1)
    assert session.writer.close()
    stored = journal.load("r1")
    assert stored.record == record_of("r1", GRAPH, parameters={"day": "2026-11-21"})
    assert [event.type for event in stored.events()] == [
        *["run.started", "task.ready", "task.started", "task.succeeded"],
        *["task.started", "task.failed", "log", "run.finished"],
    ]
    assert list(stored.events())[4:7] == events
    assert list(stored.events(6)) == list(stored.events())[5:]
    assert stored.output("a") == [1, 2]
    assert session.told.problems == []


def test_the_list_of_runs_tells_how_each_one_ended_latest_first(journal: Journal) -> None:
    assert journal.runs() == ()
    first, second, third = (
        begin(journal, record_of(run, GRAPH, started_at=at)) for run, at in _times("r1", "r2", "r3")
    )
    first.start()
    first.finish(RunState.FAILED, failed=1, skipped=1)
    second.start()
    third.start()
    third.record(RunPaused(1.0))
    assert first.writer.close()
    assert second.writer.close()
    _wait_for(third)
    lines = journal.runs()
    assert [(line.run, line.state, line.alive) for line in lines] == [
        ("r3", "paused", True),
        ("r2", "crashed", False),
        ("r1", "failed", False),
    ]
    assert lines[2].counts == {"failed": 1, "skipped": 1}
    assert lines[2].finished_at == 1001.0
    assert lines[2].started_at == 1000.0
    assert (lines[0].graph, lines[0].source, lines[0].tasks) == ("g", "/somewhere/g.py", 2)
    third.writer.close()


def _times(*runs: str) -> list[tuple[str, float]]:
    return [(run, 1000.0 + place) for place, run in enumerate(runs)]


def _wait_for(session: Any) -> None:
    """Until everything is committed; there is nothing to wait for but the writer's own thread."""
    while session.writer.statistics().queued:
        pass


def test_a_run_is_found_by_id_by_its_beginning_and_as_the_last_one(journal: Journal) -> None:
    with pytest.raises(JournalError, match="no"):
        journal.load("last")
    for run in ("2026-a1", "2026-a2", "2026-b", "2026"):
        begin(journal, record_of(run, GRAPH)).writer.close()
    assert journal.load("last").record.run == "2026"
    assert journal.load("2026-b").record.run == "2026-b"
    assert journal.load("2026").record.run == "2026"
    assert journal.load("2026-a1").record.run == "2026-a1"
    with pytest.raises(JournalError, match=r"beginning of 2 runs \(2026-a2, 2026-a1\)"):
        journal.load("2026-a")
    for unknown in ("", "r", "2026%", "_026", "'", "\x00"):
        with pytest.raises(JournalError, match="there is no run"):
            journal.load(unknown)


def test_a_run_can_be_read_while_it_is_written(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    session.start()
    session.succeed("a", "early")
    _wait_for(session)
    stored = journal.load("r1")
    assert stored.summary.alive
    assert len(list(stored.events())) == 4
    assert stored.output("a") == "early"
    assert not stored.has_output("b")
    session.succeed("b", "late")
    _wait_for(session)
    assert stored.output("b") == "late"
    session.writer.close()


def test_a_success_that_returned_none_is_stored_without_a_word(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    session.succeed("a", None)
    session.record(TaskStarted(9.0, "b", 1))
    session.writer.close()
    stored = journal.load("r1")
    assert stored.has_output("a")
    assert stored.output("a") is None
    assert not stored.has_output("b")
    for task in ("b", "no such task"):
        with pytest.raises(KeyError):
            stored.output(task)
    assert stored.outputs(["a", "b", "no such task"]) == {"a": None}


def test_B17_an_output_that_cannot_be_stored_is_told_and_not_taken_for_none(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    session.succeed("a", object())
    session.succeed("a", object(), attempt=2)
    session.succeed("b", 1)
    assert session.writer.close()
    stored = journal.load("r1")
    assert not stored.has_output("a")
    assert stored.output("b") == 1
    [(task, message)] = session.told.problems
    assert task == "a"
    assert message == "the output is an object; it is not kept, and on resume the task runs again"
    assert session.writer.statistics().problems == 1


def test_an_output_is_taken_as_it_is_when_it_is_given(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    rows = [1]
    session.succeed("a", rows)
    rows.append(2)
    session.writer.close()
    assert journal.load("r1").output("a") == [1]


def test_only_the_output_of_the_last_success_counts(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    session.succeed("a", "first")
    session.record(TaskRestarted(2.0, "a", "by hand"))
    _wait_for(session)
    stored = journal.load("r1")
    assert not stored.has_output("a")
    session.succeed("a", None, attempt=2)
    session.writer.close()
    assert stored.output("a") is None


def test_an_output_without_its_success_is_not_taken_for_that_of_a_later_attempt(journal: Journal) -> None:
    """The process died between the two; the next one counts attempts anew and its task returns None."""
    session = begin(journal, record_of("r1", GRAPH))
    session.start()
    session.writer.output("a", 1, "of nobody")
    session.writer.close()
    again = resume(journal, record_of("r1", GRAPH), 2)
    again.record(RunResumed(5.0, 0))
    again.succeed("a", None, attempt=1)
    again.writer.close()
    assert journal.load("r1").output("a") is None


def test_a_cached_result_has_an_output_only_if_one_was_given_or_the_earlier_one_stands(journal: Journal) -> None:
    session = begin(journal, record_of("r1", chain("abcd")))
    session.writer.output("a", 0, [1])
    session.record(TaskCached(1.0, "a", "unchanged"), TaskCached(1.0, "b", "unchanged"))
    session.writer.output("c", 0, None)
    session.record(TaskCached(1.0, "c", "unchanged"))
    session.succeed("d", "made here")
    session.record(TaskCached(3.0, "d", "kept"))
    session.writer.close()
    assert journal.load("r1").outputs("abcd") == {"a": [1], "c": None, "d": "made here"}


def test_a_resumed_run_goes_on_where_it_stopped_and_remembers_both_sessions(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH, ["f1", "f2"]))
    session.start()
    session.succeed("a", 1)
    session.writer.close()
    again = resume(journal, record_of("r1", chain("abc"), ["f1", "g2", "g3"]), 5)
    again.record(RunResumed(9.0, 1))
    again.succeed("b", 2)
    again.finish()
    assert again.writer.close()
    stored = journal.load("r1")
    assert [(part.number, part.first, part.record.fingerprints) for part in stored.sessions] == [
        (1, 1, ("f1", "f2")),
        (2, 5, ("f1", "g2", "g3")),
    ]
    assert stored.record.names == ("a", "b", "c")
    assert stored.outputs("ab") == {"a": 1, "b": 2}
    assert len(list(stored.events())) == 9
    assert stored.summary.state == "succeeded"
    assert stored.summary.tasks == 3


def test_a_run_that_is_open_cannot_be_gone_on_with_by_anybody_else(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    session.start()
    _wait_for(session)
    with pytest.raises(JournalError, match="still open in process"):
        journal.resume(record_of("r1", GRAPH), 2, Told())
    session.finish()
    _wait_for(session)
    with pytest.raises(JournalError, match="still open in process"):
        journal.resume(record_of("r1", GRAPH), 3, Told())
    session.writer.close()
    resume(journal, record_of("r1", GRAPH), 3).writer.close()


def test_going_on_needs_a_run_and_its_next_number(journal: Journal) -> None:
    with pytest.raises(JournalError, match="no run r1"):
        journal.resume(record_of("r1", GRAPH), 1, Told())
    session = begin(journal, record_of("r1", GRAPH))
    session.start()
    session.writer.close()
    for wrong in (1, 3):
        with pytest.raises(JournalError, match=f"has 1 events, it cannot go on with number {wrong}"):
            journal.resume(record_of("r1", GRAPH), wrong, Told())


def test_two_runs_cannot_have_one_id(journal: Journal) -> None:
    begin(journal, record_of("r1", GRAPH)).writer.close()
    with pytest.raises(JournalError, match="there already is a run r1"):
        begin(journal, record_of("r1", GRAPH))


def test_events_that_do_not_follow_each_other_are_refused_and_what_came_before_stays(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    session.record(*ready(3))
    with pytest.raises(JournalError, match="event 4 never reached the journal"):
        session.writer.record(5, ready(1))
    assert not session.writer.close()
    stored = journal.load("r1")
    assert list(stored.events()) == ready(3)
    assert stored.summary.state == "incomplete"
    assert "event 4 never reached" in stored.summary.incomplete


def test_a_closed_writer_takes_nothing_and_can_be_closed_again(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    session.record(*ready(2))
    assert session.writer.close()
    with pytest.raises(JournalError, match="closed"):
        session.record(*ready(1))
    session.writer.output("a", 1, "too late")
    assert session.writer.close()
    assert session.writer.committed == 2


def test_statistics_say_that_all_is_safe(journal: Journal) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    session.record(*ready(5))
    session.writer.record(session.next, [])
    session.succeed("a", "x" * 1000)
    session.writer.close()
    numbers = session.writer.statistics()
    assert (numbers.queued, numbers.committed, numbers.problems) == (0, 8, 0)
    assert numbers.bytes > 1000


def test_B39_names_that_look_alike_stay_apart_and_hostile_ones_do_no_harm(journal: Journal) -> None:
    graph = dict.fromkeys(HOSTILE, ())
    record = record_of("r1", graph, source="/tmp/\udcff.py:N", graph="\ud800\x00")
    session = begin(journal, record)
    for place, name in enumerate(HOSTILE):
        session.succeed(name, [place, name])
        session.record(Log(1.0, name, 1, "stdout", "info", f"{name}\x1b[2J"))
    assert session.writer.close()
    stored = journal.load("r1")
    assert stored.record == record
    assert stored.outputs(HOSTILE) == {name: [place, name] for place, name in enumerate(HOSTILE)}
    assert [event.task for event in stored.events() if isinstance(event, TaskSucceeded)] == list(HOSTILE)
    assert [event.line for event in stored.events() if isinstance(event, Log)] == [f"{name}\x1b[2J" for name in HOSTILE]
    assert (stored.summary.graph, stored.summary.source) == (record.graph, record.source)
    assert session.told.problems == []


@pytest.mark.parametrize("value", [float("inf"), 1e300, -0.0, 10**15])
def test_progress_comes_back_whatever_number_a_task_told(journal: Journal, value: float) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    events = [*ready(2), TaskProgress(1.0, "a", value, float("inf"), "\ud800")]
    session.record(*events)
    session.writer.close()
    assert list(journal.load("r1").events()) == events


def test_inputs_of_any_kind_come_back_and_what_cannot_be_stored_is_told_and_named(journal: Journal) -> None:
    given: dict[str, Any] = {"pair": (1, 2), "day": "x", "client": object()}
    session = begin(journal, record_of("r1", GRAPH, parameters=given, options={"max_parallel": 3, "hook": print}))
    session.writer.close()
    record = journal.load("r1").record
    assert record.parameters == {"pair": (1, 2), "day": "x"}
    assert record.options == {"max_parallel": 3}
    assert record.lost == ("client", "hook")
    assert [message.split(";")[0] for message in session.told.messages] == [
        "the input 'client' is an object",
        "the option 'hook' is a builtin_function_or_method",
    ]


def test_whoever_is_told_of_a_problem_may_fail_without_harm(journal: Journal) -> None:
    def tell(task: str, message: str) -> None:
        raise RuntimeError("no")

    writer = journal.begin(record_of("r1", GRAPH), tell)
    writer.output("a", 1, object())
    writer.record(1, [TaskSucceeded(1.0, "a", 1)])
    assert writer.close()
    assert not journal.load("r1").has_output("a")


@pytest.mark.parametrize("make", [object, lambda: {1, "a"}, lambda: float("nan")])
def test_an_event_with_something_strange_in_it_does_not_spoil_its_neighbours(
    journal: Journal, make: Callable[[], object]
) -> None:
    session = begin(journal, record_of("r1", GRAPH))
    session.record(*ready(2), PolicyChanged(1.0, "a", {"what": make()}), *ready(2, 2))
    assert session.writer.close()
    events = list(journal.load("r1").events())
    assert len(events) == 5
    assert [events[0], events[1], events[3], events[4]] == ready(4)
    assert isinstance(events[2], (PolicyChanged, Problem))
