"""A run that still goes on, compared with an earlier one."""

from __future__ import annotations

from dagtop.core.events import RunFinished, RunStarted, TaskFailed, TaskStarted, TaskSucceeded
from dagtop.core.failure import Failure
from dagtop.core.states import RunState
from dagtop.journal.compare import compare
from dagtop.journal.compare_facts import facts_of
from dagtop.journal.memory import MemoryJournal
from journal_scene import begin, record_of

SHAPE = {"a": (), "b": (), "c": ("a",)}


def test_only_what_has_ended_is_told() -> None:
    journal = MemoryJournal()
    whole = begin(journal, record_of("before", SHAPE))
    done = [event for task in SHAPE for event in (TaskStarted(0.0, task, 1), TaskSucceeded(1.0, task, 1))]
    whole.record(RunStarted(0.0, "before", "g", 1000.0, 3, 4), *done, RunFinished(1.0, RunState.SUCCEEDED, {}))
    whole.writer.close()
    open_still = begin(journal, record_of("after", SHAPE))
    open_still.record(RunStarted(0.0, "after", "g", 2000.0, 3, 4), TaskStarted(0.0, "a", 1), TaskStarted(0.0, "b", 1))
    open_still.record(TaskFailed(1.0, "b", 1, Failure(error="OSError", message="no")))

    def found() -> tuple[list[str], list[str]]:
        told = compare(facts_of(journal.load("before")), facts_of(journal.load("after")))
        return [one.task for one in told.failed_newly], [one.task for one in told.ended_otherwise]

    assert found() == (["b"], [])
    open_still.writer.close()  # its process is gone: now that is how they ended
    assert found() == (["b"], ["a", "c"])
