"""What a resumed run keeps, what it does again, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from dagtop.core.events import (
    AnyEvent,
    RunFinished,
    RunReopened,
    RunResumed,
    TaskBlocked,
    TaskCached,
    TaskCancelled,
    TaskFailed,
    TaskReady,
    TaskRestarted,
    TaskRetrying,
    TaskSkipped,
    TaskStale,
    TaskStarted,
    TaskSucceeded,
    TaskTimedOut,
)
from dagtop.core.failure import Failure
from dagtop.core.states import RunState
from dagtop.errors import JournalError
from dagtop.journal.memory import MemoryJournal
from dagtop.journal.resume import Resumption, plan_resumption
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_scene import Graph, Session, begin, chain, plan_of, record_of, resume

CHAIN = chain("abc")
NO = Failure(error="ValueError", message="no")


class Story:
    """One run through all its sessions, told in order."""

    def __init__(self, shape: Graph = CHAIN, fingerprints: Sequence[str] = ()) -> None:
        self.journal = MemoryJournal()
        self.session: Session = begin(self.journal, record_of("r1", shape, fingerprints))
        self.session.start()

    def succeed(self, *tasks: str, attempt: int = 1) -> Story:
        for task in tasks:
            self.session.succeed(task, f"{task} {attempt}", attempt)
        return self

    def happen(self, *events: AnyEvent) -> Story:
        self.session.record(*events)
        return self

    def plan(self, shape: Graph = CHAIN, fingerprints: Sequence[str] = (), **options: Any) -> Resumption:
        self.session.writer.close()
        marks = tuple(fingerprints) or ("f",) * len(shape)
        return plan_resumption(self.journal.load("r1"), plan_of(shape), marks, **options)

    def go_on(self, shape: Graph = CHAIN, fingerprints: Sequence[str] = (), **options: Any) -> Story:
        """As an executor does: the reruns are in the stream."""
        plan = self.plan(shape, fingerprints, **options)
        self.session = resume(self.journal, record_of("r1", shape, fingerprints), plan.next_event)
        self.happen(RunResumed(plan.at, len(plan.kept)))
        for task, reason in plan.reruns.items():
            if task in shape:
                self.happen(TaskRestarted(plan.at, task, reason))
        return self


def test_B38_exactly_what_had_not_finished_is_left_with_the_outputs_of_what_had() -> None:
    plan = Story().succeed("a", "b").happen(TaskStarted(5.0, "c", 1)).plan()
    assert plan.kept == {"a": "a 1", "b": "b 1"}
    assert plan.left == ("c",)
    assert plan.reruns == {}
    assert plan.attempts == {"a": 1, "b": 1, "c": 1}
    assert (plan.run, plan.next_event, plan.at, plan.started_at) == ("r1", 9, 5.0, 1000.0)
    assert plan.record == record_of("r1", CHAIN)
    assert not plan.nothing_left


@pytest.mark.parametrize(
    "ending",
    [
        TaskFailed(9.0, "b", 1, NO),
        TaskTimedOut(9.0, "b", 1, NO),
        TaskCancelled(9.0, "b", 1, "by hand"),
        TaskBlocked(9.0, "b", 1, "ceiling"),
        TaskRetrying(9.0, "b", 1, 3.0, NO),
        TaskSkipped(9.0, "b", "upstream failed"),
    ],
)
def test_a_task_that_ended_otherwise_runs_and_what_succeeded_after_it_runs_again(ending: AnyEvent) -> None:
    """Its downstream may have run all the same, by its trigger rule: without the output it will have now."""
    shape = {"x": (), "b": ("x",), "c": ("b",)}
    plan = Story(shape).happen(TaskStarted(1.0, "x", 1)).happen(ending).succeed("c").plan(shape)
    assert plan.kept == {}
    assert plan.left == ("x", "b", "c")
    assert plan.reruns == {"c": "its upstream b has yet to run"}


@pytest.mark.parametrize("undoing", [TaskRestarted(9.0, "a", "by hand"), TaskStarted(9.0, "a", 2)])
def test_a_success_that_was_thrown_away_does_not_count(undoing: AnyEvent) -> None:
    plan = Story().succeed("a", "b").happen(undoing).plan()
    assert plan.left == ("a", "b", "c")
    assert plan.reruns == {"b": "its upstream a has yet to run"}
    plan = Story().succeed("a").happen(undoing).succeed("a", attempt=2).plan()
    assert plan.kept == {"a": "a 2"}
    assert plan.attempts == {"a": 2}


def test_a_cached_task_keeps_its_result() -> None:
    story = Story()
    story.session.writer.output("a", 0, "from before")
    plan = story.happen(TaskCached(1.0, "a", "unchanged")).succeed("b").plan()
    assert plan.kept == {"a": "from before", "b": "b 1"}


def test_B39_a_changed_task_runs_again_and_so_does_what_depends_on_it() -> None:
    shape = {**CHAIN, "other": ()}
    plan = Story(shape).succeed("a", "b", "c", "other").plan(shape, ["f", "changed", "f", "f"])
    assert plan.kept == {"a": "a 1", "other": "other 1"}
    assert plan.left == ("b", "c")
    assert plan.reruns == {"b": "its code or options changed", "c": "its upstream b runs again"}


def test_B39_trusted_changes_keep_results() -> None:
    plan = Story().succeed("a", "b").plan(CHAIN, ["new", "new", "new"], trust_changes=True)
    assert plan.kept == {"a": "a 1", "b": "b 1"}
    assert plan.left == ("c",)


def test_a_task_with_other_dependencies_runs_again() -> None:
    shape = {"a": (), "b": (), "c": ("a",), "d": ("c",)}
    story = Story(shape).succeed("a", "b", "c", "d")
    plan = story.plan({"a": (), "b": (), "c": ("a", "b"), "d": ("c",)})
    assert plan.reruns == {"c": "its dependencies changed", "d": "its upstream c runs again"}
    plan = story.plan({"b": (), "a": (), "d": ("c",), "c": ("a",)})
    assert plan.left == ()


def test_new_tasks_run_and_those_that_are_gone_are_named() -> None:
    plan = Story().succeed("a", "b").plan({"a": (), "new": (), "c": ("a",)})
    assert plan.left == ("new", "c")
    assert plan.reruns == {"b": "it is gone from the graph"}


def test_B17_a_task_whose_output_is_not_stored_runs_again() -> None:
    story = Story().succeed("a")
    story.session.succeed("b", object())
    plan = story.plan()
    assert plan.left == ("b", "c")
    assert plan.reruns == {"b": "its output is not stored"}


def test_a_run_that_succeeded_has_nothing_left_even_if_an_output_was_not_stored() -> None:
    story = Story().succeed("a")
    story.session.succeed("b", object())
    plan = story.succeed("c").happen(RunFinished(9.0, RunState.SUCCEEDED, {})).plan()
    assert plan.nothing_left
    assert plan.reruns == {}
    assert plan.kept == {"a": "a 1", "c": "c 1"}


def test_a_run_that_succeeded_has_something_left_once_its_graph_changes() -> None:
    story = Story().succeed("a", "b", "c").happen(RunFinished(9.0, RunState.SUCCEEDED, {}))
    assert story.plan().nothing_left
    plan = story.plan(CHAIN, ["f", "f", "changed"])
    assert not plan.nothing_left
    assert plan.left == ("c",)


def test_a_run_that_died_between_its_last_task_and_its_end_is_not_over() -> None:
    plan = Story().succeed("a", "b", "c").plan()
    assert plan.left == ()
    assert not plan.nothing_left


def test_a_reopened_run_is_not_over() -> None:
    story = Story().succeed("a", "b", "c").happen(RunFinished(9.0, RunState.SUCCEEDED, {}), RunReopened(9.5))
    assert story.plan().ended is None


def test_a_join_after_a_branch_that_a_rule_skipped_keeps_its_result() -> None:
    shape = {"if": (), "yes": ("if",), "no": ("if",), "join": ("yes", "no"), "last": ("join",)}
    story = Story(shape).succeed("if").happen(TaskSkipped(2.0, "no", "the condition does not hold"))
    story.succeed("yes", "join")
    plan = story.plan(shape)
    assert list(plan.kept) == ["if", "yes", "join"]
    assert plan.left == ("last",)
    changed = story.plan(shape, ["f", "f", "changed", "f", "f"])
    assert changed.reruns == {"join": "its upstream no has yet to run"}


def test_a_task_made_from_an_older_result_of_its_upstream_runs_again_unless_it_is_known_as_stale() -> None:
    def story() -> Story:
        told = Story().succeed("a", "b")
        return told.happen(TaskRestarted(5.0, "a", "by hand")).succeed("a", attempt=2)

    assert story().plan().reruns == {"b": "its upstream a ran again after it"}
    stale = story().happen(TaskStale(9.0, "b", "a")).plan()
    assert stale.kept == {"a": "a 2", "b": "b 1"}


def test_an_upstream_that_came_later_by_the_tasks_own_rule_is_no_reason() -> None:
    shape = {"fast": (), "slow": (), "any": ("fast", "slow")}
    plan = Story(shape).succeed("fast", "any", "slow").plan(shape)
    assert plan.left == ()


# -- resuming what was resumed -----------------------------------------------------------------------------------------


def test_a_resumed_run_can_be_resumed_again() -> None:
    story = Story().succeed("a").go_on().succeed("b").go_on()
    plan = story.plan()
    assert plan.kept == {"a": "a 1", "b": "b 1"}
    assert plan.left == ("c",)
    story.go_on().succeed("c").happen(RunFinished(50.0, RunState.SUCCEEDED, {}))
    assert story.plan().nothing_left


def test_results_are_compared_with_the_code_that_made_them() -> None:
    """Changed, resumed, and changed back: what the second session made was made by code that is gone again."""
    story = Story(CHAIN, ["1", "1", "1"]).succeed("a", "b")
    story.go_on(CHAIN, ["2", "1", "1"]).succeed("a", attempt=2)
    assert story.plan(CHAIN, ["2", "1", "1"]).kept == {"a": "a 2"}
    assert story.plan(CHAIN, ["1", "1", "1"]).reruns == {"a": "its code or options changed"}
    assert story.plan(CHAIN, ["2", "1", "1"]).left == ("b", "c")


def test_a_second_crash_before_the_reruns_began_forgets_none_of_them() -> None:
    story = Story(CHAIN, ["1", "1", "1"]).succeed("a", "b")
    plan = story.plan(CHAIN, ["2", "1", "1"])
    story.session = resume(story.journal, record_of("r1", CHAIN, ["2", "1", "1"]), plan.next_event)
    story.happen(RunResumed(plan.at, 0))
    assert story.plan(CHAIN, ["2", "1", "1"]).reruns == plan.reruns
    assert story.plan(CHAIN, ["1", "1", "1"]).kept == {"a": "a 1", "b": "b 1"}


def test_an_open_run_is_not_resumed() -> None:
    story = Story().succeed("a")
    with pytest.raises(JournalError, match="still open in process"):
        plan_resumption(story.journal.load("r1"), plan_of(CHAIN), ["f"] * 3)


def test_a_run_of_another_graph_is_not_resumed() -> None:
    with pytest.raises(JournalError, match="of another graph"):
        Story().succeed("a").plan({"x": (), "y": ("x",)})
    assert Story().plan({}).left == ()


# -- properties --------------------------------------------------------------------------------------------------------


@st.composite
def stories(draw: st.DrawFn) -> tuple[Graph, Callable[[], Story], set[str]]:
    """A layered graph, and some of its tasks finished in a possible order, some of them twice."""
    size = draw(st.integers(1, 8))
    names = [f"t{number}" for number in range(size)]
    shape = {
        name: tuple(draw(st.lists(st.sampled_from(names[:place]), unique=True, max_size=3))) if place else ()
        for place, name in enumerate(names)
    }
    wanted = draw(st.sets(st.sampled_from(names)))
    done = {name for name in names if name in wanted and all_in(shape, name, wanted)}

    def tell() -> Story:
        story = Story(shape)
        for name in names:
            if name in done:
                story.succeed(name)
        return story

    return shape, tell, done


def all_in(shape: Graph, name: str, wanted: set[str]) -> bool:
    return all(needed in wanted and all_in(shape, needed, wanted) for needed in shape[name])


@given(stories(), st.data())
@settings(max_examples=60, deadline=None)
def test_any_run_keeps_what_is_done_and_unchanged_and_nothing_below_what_is_not(
    story: tuple[Graph, Callable[[], Story], set[str]], data: st.DataObject
) -> None:
    shape, tell, done = story
    changed = data.draw(st.sets(st.sampled_from(list(shape))))
    marks = ["changed" if name in changed else "f" for name in shape]
    plan = tell().plan(shape, marks)
    sound = {name for name in done if name not in changed}
    expected = {name for name in sound if all_in(shape, name, sound)}
    assert set(plan.kept) == expected
    assert set(plan.left) == set(shape) - expected
    assert set(plan.reruns) == done - expected
    told = tell().go_on(shape, marks)
    again = told.plan(shape, marks)
    assert (again.kept, again.left) == (plan.kept, plan.left)
    told.go_on(shape, marks)
    for name in plan.left:
        told.happen(TaskReady(99.0, name), TaskStarted(99.0, name, 2), TaskSucceeded(99.0, name, 2))
    assert told.plan(shape, marks).left == ()
