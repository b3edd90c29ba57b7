"""Two runs beside each other: what is different is told, and what is noise is not."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dagtop.core.events import (
    AddedTask,
    AnyEvent,
    GraphChanged,
    LimitChanged,
    PolicyChanged,
    RunResumed,
    RunStarted,
    TaskCached,
    TaskFailed,
    TaskSkipped,
    TaskStarted,
    TaskSucceeded,
)
from dagtop.core.failure import Failure
from dagtop.core.forecast import Usual
from dagtop.journal.compare import Comparison, compare, noise_of
from dagtop.journal.compare_facts import facts_of
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.sqlite import SqliteJournal
from journal_scene import begin, record_of, resume

SHAPE = {"a": (), "b": ("a",), "c": ("a",)}
OOPS = Failure(error="ValueError", message="oops")


def took(task: str, seconds: float) -> list[AnyEvent]:
    return [TaskStarted(0.0, task, 1), TaskSucceeded(seconds, task, 1)]


def failed(task: str) -> list[AnyEvent]:
    return [TaskStarted(0.0, task, 1), TaskFailed(1.0, task, 1, OOPS)]


class Runs:
    """Runs in one journal, each made of events."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()

    def keep(self, run: str, *events: AnyEvent, shape: Mapping[str, tuple[str, ...]] = SHAPE, **changes: Any) -> None:
        session = begin(self.journal, record_of(run, shape, **changes))
        session.record(RunStarted(0.0, run, "g", 1000.0, len(shape), 4), *events)
        session.writer.close()

    def compare(self, usual: Mapping[str, Usual] | None = None) -> Comparison:
        return compare(facts_of(self.journal.load("before")), facts_of(self.journal.load("after")), usual)


@pytest.fixture
def runs() -> Runs:
    return Runs()


def test_a_run_is_not_different_from_one_like_it(runs: Runs) -> None:
    for name in ("before", "after"):
        runs.keep(name, *took("a", 1.0), *failed("b"), TaskSkipped(1.0, "c", "upstream failed"))
    found = runs.compare()
    assert found.is_empty
    assert [one.task for one in found.failed_still] == ["b"]


def test_what_is_slower_is_told_with_the_greatest_loss_first_and_noise_is_not(runs: Runs) -> None:
    runs.keep("before", *took("a", 10.0), *took("b", 1.0), *took("c", 4.0))
    runs.keep("after", *took("a", 11.5), *took("b", 3.0), *took("c", 1.0))
    found = runs.compare()
    assert [(one.task, one.before, one.after) for one in found.slower] == [("b", 1.0, 3.0)]
    assert [one.task for one in found.faster] == ["c"]
    assert found.compared == 3


def test_what_earlier_runs_took_says_what_is_noise(runs: Runs) -> None:
    runs.keep("before", *took("a", 1.0), *took("b", 1.0), *took("c", 1.0))
    runs.keep("after", *took("a", 2.0), *took("b", 2.0), *took("c", 2.0))
    usual = {"a": Usual(1.0, 2.5, 9), "b": Usual(1.0, 1.1, 9), "c": Usual(1.0, 2.5, 2)}
    found = runs.compare(usual)
    assert [(one.task, one.runs) for one in found.slower] == [("b", 9), ("c", 0)]
    assert noise_of(0.001, 0.02, None) == 0.05


def test_endings_are_told_by_whether_they_are_news(runs: Runs) -> None:
    runs.keep("before", *took("a", 1.0), *failed("b"), *failed("c"))
    runs.keep("after", *failed("a"), *took("b", 1.0), TaskSkipped(1.0, "c", "upstream failed"))
    found = runs.compare()
    assert [(one.task, one.before, one.after, one.error) for one in found.failed_newly] == [
        ("a", "succeeded", "failed", "ValueError: oops")
    ]
    assert [(one.task, one.error) for one in found.failed_no_longer] == [("b", "ValueError: oops")]
    assert [(one.task, one.before, one.after) for one in found.ended_otherwise] == [("c", "failed", "skipped")]


def test_a_cached_result_is_no_other_end_and_has_no_time(runs: Runs) -> None:
    runs.keep("before", *took("a", 9.0))
    runs.keep("after", TaskCached(0.0, "a", "unchanged"))
    assert runs.compare().is_empty
    assert runs.compare().compared == 0


def test_the_graph_is_compared_as_it_was_at_the_end(runs: Runs) -> None:
    change = GraphChanged(1.0, "by hand", added=(AddedTask("d", ("a",)),), removed=("c",), rewired={"b": ("a", "d")})
    runs.keep("before", shape=SHAPE | {"old": ()})
    runs.keep("after", change)
    found = runs.compare()
    assert (found.came, found.went) == (("d",), ("c", "old"))
    assert [(one.task, one.gained, one.lost) for one in found.rewired] == [("b", ("d",), ())]


def test_policies_are_told_once_for_all_tasks_of_which_it_is_so_with_live_edits(runs: Runs) -> None:
    runs.keep("before", policies=({},))
    policies = ({"timeout": 9.0}, {"timeout": 9.0, "retry": {"": True, "retries": 5, "on": ["OSError"]}})
    live = PolicyChanged(1.0, "c", {"retries": 2, "restart": "always"})
    runs.keep("after", live, policies=policies, policy=(0, 1, 0))
    assert [(one.what, one.before, one.after, one.tasks) for one in runs.compare().policies] == [
        ("timeout", None, 9.0, ("a", "b", "c")),
        ("retries", 0, 5, ("b",)),
        ("on", None, ["OSError"], ("b",)),
        ("retries", 0, 2, ("c",)),
        ("restart", "no", "always", ("c",)),
    ]


def test_limits_breakers_inputs_and_code_are_compared(runs: Runs) -> None:
    before = {"pools": {"db": 4}, "resources": {"gpu": 1}, "breakers": {"api": {"failure_threshold": 3}}}
    runs.keep("before", setup=before, parameters={"day": 1}, fingerprints=("x", "y", "z"))
    after = {"pools": {"db": 4}, "breakers": {"api": {}}}
    live = (
        LimitChanged(1.0, 8, "by hand"),
        LimitChanged(1.0, 2, "by hand", "pool:db"),
        LimitChanged(1.0, 1, "", "window"),
    )
    runs.keep("after", *live, setup=after, parameters={"day": 2}, fingerprints=("x", "Y", "z"))
    found = runs.compare()
    assert {(one.what, one.before, one.after) for one in found.limits} == {
        ("max_parallel", 4, 8),
        ("pool db", 4, 2),
        ("resource gpu", 1, None),
        ("breaker api failure_threshold", 3, 5),
    }
    assert [(one.what, one.before, one.after) for one in found.inputs] == [("day", 1, 2)]
    assert found.code == ("b",)


def test_a_run_that_another_process_went_on_with_is_that_processes_graph(runs: Runs) -> None:
    runs.keep("before")
    runs.keep("after", *failed("a"))
    again = resume(runs.journal, record_of("after", {"a": (), "b": ("a",), "new": ("b",)}), 4)
    again.record(RunResumed(9.0, 0), TaskStarted(9.0, "a", 2), TaskSucceeded(9.5, "a", 2))
    again.writer.close()
    found = runs.compare()
    assert (found.came, found.went) == (("new",), ("c",))
    assert facts_of(runs.journal.load("after")).tasks["a"].seconds == 0.5
    assert [(one.task, one.after) for one in found.ended_otherwise] == [("a", "succeeded")]


def test_only_runs_before_the_earlier_one_say_what_is_usual(tmp_path: Path) -> None:
    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        for number, seconds in enumerate((1.0, 2.0, 3.0, 50.0, 90.0)):
            session = begin(journal, record_of(f"r{number}", {"a": ()}))
            session.start(f"r{number}", 1)
            session.writer.took(("a",), ("f",), (seconds,))
            assert session.writer.close()
        (usual,) = journal.usual("/somewhere/g.py", "g", ("a",), ("f",), before="r3").values()
        assert usual == Usual(2.0, 3.0, 3)
        assert journal.usual("/somewhere/g.py", "g", ("a",), ("f",), before="r0") == {}
