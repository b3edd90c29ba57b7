"""Which tasks that came while a run went on have to come again when it is resumed, and whose outputs still count."""

from __future__ import annotations

from itertools import pairwise

import pytest
from dagtop.core.events import AddedTask, AnyEvent, GraphChanged, TaskFailed, TaskSkipped, TaskStarted, TaskTimedOut
from dagtop.core.failure import Failure
from journal_scene import chain
from test_journal_resume import Story

SHAPE = {"start": (), "report": ("start",)}
NO = Failure(error="ValueError", message="no")


def spawned(by: str, *names: str, before: str = "", **upstream: str) -> GraphChanged:
    added = (*(AddedTask(name, (by,)) for name in names), *(AddedTask(name, (of,)) for name, of in upstream.items()))
    rewired = {before: ("start", *names)} if before else {}
    return GraphChanged(4.0, f"spawned by {by}", added, (), rewired, by)


def story(*events: AnyEvent) -> Story:
    return Story(SHAPE).happen(TaskStarted(3.0, "start", 1), *events).succeed("start")


def test_whoever_spawned_what_has_finished_is_kept_and_nothing_comes_again() -> None:
    plan = story(spawned("start", "page")).succeed("page").plan(SHAPE)
    assert plan.kept == {"start": "start 1"}
    assert plan.left == ("report",)
    assert plan.spawned == {}
    assert plan.reruns == {}


@pytest.mark.parametrize(
    "ending", [TaskStarted(9.0, "b", 1), TaskFailed(9.0, "b", 1, NO), TaskTimedOut(9.0, "b", 1, NO), None]
)
def test_it_runs_again_for_the_sake_of_one_that_has_not_finished_and_the_others_keep_their_outputs(
    ending: AnyEvent | None,
) -> None:
    told = story(spawned("start", "a", "b")).succeed("a")
    plan = (told.happen(ending) if ending is not None else told).plan(SHAPE)
    assert plan.reruns == {"start": "it spawns its tasks again: b has to run"}
    assert plan.spawned == {"a": "a 1"}


def test_one_that_was_skipped_is_done() -> None:
    plan = story(spawned("start", "page")).happen(TaskSkipped(9.0, "page", "nothing new")).plan(SHAPE)
    assert plan.reruns == {}


def test_it_runs_again_for_the_sake_of_what_waits_for_one_that_has_finished() -> None:
    plan = story(spawned("start", "page", before="report")).succeed("page").plan(SHAPE)
    assert plan.reruns == {"start": "it spawns its tasks again: report has to run"}
    assert plan.spawned == {"page": "page 1"}
    done = story(spawned("start", "page", before="report")).succeed("page", "report").plan(SHAPE)
    assert done.reruns == {}


def test_a_task_whose_own_upstream_another_one_spawned_brings_that_one_back_too() -> None:
    shape = {"one": (), "two": ()}
    told = Story(shape).happen(spawned("one", "page")).succeed("one", "page")
    told.happen(spawned("two", links="page")).succeed("two")
    plan = told.plan(shape)
    assert plan.reruns == {
        "one": "it spawns its tasks again: links has to run",
        "two": "it spawns its tasks again: links has to run",
    }
    assert plan.spawned == {"page": "page 1"}


def test_what_was_made_from_one_that_has_to_run_runs_too() -> None:
    told = story(spawned("start", "a"), spawned("start", b="a", other="start")).succeed("b", "other")
    plan = told.plan(SHAPE)
    assert plan.spawned == {"other": "other 1"}


def test_B39_if_the_code_of_the_one_that_spawned_them_changed_nothing_of_theirs_counts() -> None:
    told = story(spawned("start", "a", "b")).succeed("a", "b")
    plan = told.plan(SHAPE, ["new", "f"])
    assert plan.reruns == {"start": "its code or options changed"}
    assert plan.spawned == {}
    assert told.plan(SHAPE, ["new", "f"], trust_changes=True).reruns == {}


def test_B39_nor_if_something_before_it_runs_again() -> None:
    shape = chain(["first", "start", "report"])
    told = Story(shape).succeed("first").happen(spawned("start", "a", "b")).succeed("start", "a")
    plan = told.plan(shape, ["new", "f", "f"])
    assert plan.reruns == {"first": "its code or options changed", "start": "its upstream first runs again"}
    assert plan.spawned == {}


def test_B39_nor_if_that_ran_again_in_a_process_that_died_before_they_did() -> None:
    shape = chain(["first", "start", "report"])
    told = Story(shape).succeed("first").happen(spawned("start", "a", "b")).succeed("start", "a")
    told = told.go_on(shape, ["new", "f", "f"]).succeed("first", attempt=2)
    told.happen(TaskStarted(9.0, "start", 2), spawned("start", "a", "b")).succeed("start", attempt=2)
    plan = told.plan(shape, ["new", "f", "f"])
    assert plan.kept == {"first": "first 2"}
    assert plan.reruns == {"start": "it spawns its tasks again: a has to run"}
    assert plan.spawned == {}


def test_one_that_only_spawned_again_in_a_process_that_died_does_not_spoil_what_had_finished() -> None:
    told = story(spawned("start", "a", "b")).succeed("a").go_on(SHAPE)
    told.happen(TaskStarted(9.0, "start", 2), spawned("start", "a", "b")).succeed("start", attempt=2)
    plan = told.plan(SHAPE)
    assert plan.reruns == {"start": "it spawns its tasks again: b has to run"}
    assert plan.spawned == {"a": "a 1"}


def test_what_is_not_spawned_any_more_is_waited_for_no_longer() -> None:
    told = story(spawned("start", "a", "b", before="report")).succeed("a").go_on(SHAPE)
    told.happen(TaskStarted(9.0, "start", 2), spawned("start", "a", before="report")).succeed("start", attempt=2)
    told.succeed("a", "report")
    plan = told.plan(SHAPE)
    assert plan.reruns == {}
    assert plan.left == ()


def test_of_a_graph_that_does_not_have_the_spawning_task_any_more_nothing_comes() -> None:
    plan = story(spawned("start", "page")).plan({"report": ()})
    assert plan.left == ("report",)
    assert plan.reruns == {"start": "it is gone from the graph"}
    assert plan.spawned == {}


def test_long_chains_of_tasks_that_spawn_each_other_are_no_trouble() -> None:
    told = story()
    names = ["start", *(f"t{number}" for number in range(3000))]
    for above, name in pairwise(names):
        told.happen(spawned(above, name))
    plan = told.succeed(*names[1:-1]).plan(SHAPE)
    assert plan.reruns == {"start": "it spawns its tasks again: t2999 has to run"}
    assert plan.spawned == {}
