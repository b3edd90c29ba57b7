"""The story of a run: what its tasks spent their time on, and what was done to it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import anyio
import dagtop
import pytest
from dagtop.core import commands as do
from dagtop.core import events as ev
from dagtop.core.events import AnyEvent
from dagtop.core.failure import Failure
from dagtop.errors import JournalError
from dagtop.journal.memory import MemoryJournal
from dagtop.observe import spans, story
from dagtop.observe.load import Load
from dagtop.observe.spans import Kind, Span
from dagtop.observe.story import Edit, GraphEdit, Limit, Story, Turn
from dagtop.testing import rehearse

BROKEN = Failure(error="IntegrityError", message="dup key", where="", traceback="")


def told(*events: AnyEvent) -> Story:
    """The story of those events."""
    made = Story()
    made.take(1, events)
    return made


def spans_of(made: Story, task: str = "a", at: float = 100.0) -> list[tuple[str, float, float, str]]:
    track = made.track(task)
    assert track is not None
    return [(span.kind.value, span.start, span.end, span.ending) for span in track.until(at)]


def facts(made: Story) -> dict[str, Any]:
    """All that a story tells."""
    return {
        "spans": {name: (list(track.until(1e9)), track.dropped, track.first) for name, track in made.tracks.items()},
        "load": [(at, made.load.level_at(at)) for at in made.load.at],
        "breakers": {name: list(turns) for name, turns in made.breakers.items()},
        "edits": [(edit.at, edit.seq, edit.by, type(edit.command), edit.text) for edit in made.edits],
        "limits": {what: list(limits) for what, limits in made.limits.items()},
        "graph": list(made.graph_edits),
        "pauses": list(made.pauses),
        "sessions": made.sessions,
        "events": [(number, event.type, event.at) for number, event in made.events],
        "seen": (made.seen, made.at),
    }


# -- a task's time ----------------------------------------------------------------------------------------------------


def test_a_task_queues_and_then_runs() -> None:
    made = told(ev.TaskReady(1.0, "a"), ev.TaskStarted(3.0, "a", 1), ev.TaskSucceeded(7.5, "a", 1))
    assert spans_of(made) == [("queue", 1.0, 3.0, ""), ("run", 3.0, 7.5, "succeeded")]


def test_what_took_no_time_is_not_told_unless_it_is_an_attempt() -> None:
    made = told(ev.TaskReady(1.0, "a"), ev.TaskStarted(1.0, "a", 1), ev.TaskSucceeded(1.0, "a", 1))
    assert spans_of(made) == [("run", 1.0, 1.0, "succeeded")]


def test_failed_attempts_are_told_with_the_time_between_them() -> None:
    made = told(
        ev.TaskReady(0.0, "a"),
        ev.TaskStarted(0.0, "a", 1),
        ev.TaskRetrying(1.0, "a", 1, 5.0, BROKEN),
        ev.TaskRetrying(2.0, "a", 1, 1.0, BROKEN),  # its backoff was changed meanwhile
        ev.TaskReady(3.0, "a"),
        ev.TaskStarted(4.0, "a", 2),
        ev.TaskRetrying(5.0, "a", 2, 1.0, BROKEN, timed_out=True),
        ev.TaskReady(6.0, "a"),
        ev.TaskStarted(6.0, "a", 3),
        ev.TaskFailed(9.0, "a", 3, BROKEN),
    )
    assert spans_of(made) == [
        ("run", 0.0, 1.0, "failed"),
        ("backoff", 1.0, 3.0, ""),
        ("queue", 3.0, 4.0, ""),
        ("run", 4.0, 5.0, "timed_out"),
        ("backoff", 5.0, 6.0, ""),
        ("run", 6.0, 9.0, "failed"),
    ]
    track = made.track("a")
    assert track is not None
    assert [(s.attempt, s.note) for s in track.spans if s.kind is Kind.RUN] == [
        (1, "IntegrityError"),
        (2, "IntegrityError"),
        (3, "IntegrityError"),
    ]


def test_a_supervised_task_is_told_run_by_run() -> None:
    made = told(
        ev.TaskReady(0.0, "a"),
        ev.TaskStarted(0.0, "a", 1),
        ev.TaskRestarting(4.0, "a", 1, 1.0, 1, 0),
        ev.TaskReady(5.0, "a"),
        ev.TaskStarted(5.0, "a", 2),
        ev.TaskRestarting(6.0, "a", 2, 1.0, 2, 1, BROKEN),
        ev.TaskBlocked(7.0, "a", 2, "restarted too often", BROKEN),
    )
    assert spans_of(made) == [
        ("run", 0.0, 4.0, "succeeded"),
        ("backoff", 4.0, 5.0, ""),
        ("run", 5.0, 6.0, "failed"),
        ("backoff", 6.0, 7.0, ""),
    ]


def test_of_a_service_that_is_started_again_for_ever_the_latest_spans_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "SPANS", 10)
    events: list[AnyEvent] = [ev.TaskReady(0.0, "a")]
    for number in range(1, 101):
        events += [
            ev.TaskStarted(number * 2.0, "a", number),
            ev.TaskRestarting(number * 2.0 + 1, "a", number, 1.0, number, 0),
        ]
    track = told(*events).track("a")
    assert track is not None
    assert 10 <= len(track.spans) <= 20
    assert track.spans[-1] == Span(Kind.RUN, 200.0, 201.0, 100, "succeeded")
    assert track.dropped + len(track.spans) == 1 + 100 + 99
    assert track.first == 0.0


def test_a_cancelled_task_that_had_begun_and_one_that_had_not() -> None:
    made = told(
        ev.TaskReady(0.0, "a"),
        ev.TaskStarted(1.0, "a", 1),
        ev.TaskCancelling(2.0, "a", 1, "by hand"),
        ev.TaskCancelled(3.0, "a", 1, "by hand"),
        ev.TaskReady(0.0, "b"),
        ev.TaskCancelled(4.0, "b", 0, "by hand"),
        ev.TaskCancelled(4.0, "c", 0, "by hand"),
    )
    assert spans_of(made) == [("queue", 0.0, 1.0, ""), ("run", 1.0, 3.0, "cancelled")]
    assert spans_of(made, "b") == [("queue", 0.0, 4.0, "")]
    assert made.track("c") is None


def test_a_task_that_is_held_or_stands_at_its_gate() -> None:
    made = told(
        ev.TaskHeld(0.0, "a"),  # still waiting for its upstream: that is nobody's time yet
        ev.TaskReleased(0.5, "a"),
        ev.TaskReady(1.0, "a"),
        ev.TaskHeld(2.0, "a"),
        ev.TaskReleased(4.0, "a"),
        ev.TaskReady(4.0, "a"),
        ev.GateWaiting(5.0, "a", "may it?"),
        ev.GateDecided(8.0, "a", True, "ann", ""),
        ev.TaskReady(8.0, "a"),
        ev.TaskStarted(8.0, "a", 1),
    )
    assert spans_of(made, at=9.0) == [
        ("queue", 1.0, 2.0, ""),
        ("held", 2.0, 4.0, ""),
        ("queue", 4.0, 5.0, ""),
        ("gate", 5.0, 8.0, ""),
        ("run", 8.0, 9.0, "running"),
    ]


def test_what_was_cached_or_given_by_a_person_is_a_point() -> None:
    made = told(
        ev.TaskCached(2.0, "a", "same input"),
        ev.TaskStarted(1.0, "b", 1),
        ev.TaskFailed(2.0, "b", 1, BROKEN),
        ev.TaskRestarted(3.0, "b", "by hand"),
        ev.TaskSucceeded(3.0, "b", 1, "marked by a person"),
    )
    assert spans_of(made) == [("point", 2.0, 2.0, "cached")]
    assert spans_of(made, "b") == [("run", 1.0, 2.0, "failed"), ("point", 3.0, 3.0, "marked by a person")]


def test_a_restart_ends_an_attempt_that_was_told_to_stop() -> None:
    made = told(
        ev.TaskStarted(1.0, "a", 1),
        ev.TaskCancelling(2.0, "a", 1, "restarted by hand"),
        ev.TaskRestarted(3.0, "a", "by hand"),
        ev.TaskReady(3.0, "a"),
        ev.TaskStarted(4.0, "a", 2),
    )
    assert spans_of(made, at=5.0) == [
        ("run", 1.0, 3.0, "cancelled"),
        ("queue", 3.0, 4.0, ""),
        ("run", 4.0, 5.0, "running"),
    ]


def test_an_earlier_moment_is_told_as_it_was_then() -> None:
    made = told(ev.TaskReady(1.0, "a"), ev.TaskStarted(3.0, "a", 1), ev.TaskSucceeded(7.0, "a", 1))
    assert spans_of(made, at=0.5) == []
    assert spans_of(made, at=2.0) == [("queue", 1.0, 2.0, "")]
    assert spans_of(made, at=5.0) == [("queue", 1.0, 3.0, ""), ("run", 3.0, 5.0, "running")]


def test_tasks_are_in_the_order_in_which_they_became_ready() -> None:
    made = told(ev.TaskReady(1.0, "z"), ev.TaskReady(1.0, "a"), ev.TaskStarted(1.0, "a", 1))
    assert list(made.tracks) == ["z", "a"]
    assert [made.numbered(number).name for number in (0, 1)] == ["z", "a"]


# -- the run ----------------------------------------------------------------------------------------------------------


def test_a_run_that_another_process_goes_on_with_has_lost_what_went_on() -> None:
    made = told(
        ev.RunStarted(0.0, "r", "g", 1.7e9, 2, 4),
        ev.TaskReady(0.0, "a"),
        ev.TaskStarted(1.0, "a", 1),
        ev.RunPaused(2.0),
        ev.TaskReady(5.0, "b"),
        ev.RunResumed(900.0, 0),
        ev.TaskReady(900.0, "a"),
        ev.TaskStarted(901.0, "a", 2),
    )
    assert spans_of(made, at=902.0) == [
        ("queue", 0.0, 1.0, ""),
        ("run", 1.0, 5.0, "lost"),
        ("queue", 900.0, 901.0, ""),
        ("run", 901.0, 902.0, "running"),
    ]
    assert spans_of(made, "b") == []
    assert (made.sessions, list(made.pauses), made.paused_at) == ([0.0, 900.0], [(2.0, 5.0)], None)
    assert (made.load.now, made.load.peak) == (1, 1)


def test_edits_are_told_with_who_and_why() -> None:
    made = told(
        ev.CommandApplied(1.0, do.CancelRun("enough"), 7, "ann", "cancelling the run"),
        ev.CommandRefused(2.0, do.CancelTask("a"), 8, "bob", "it is over"),
    )
    first, second = made.edits
    assert first == Edit(1.0, 1, "ann", do.CancelRun("enough"), True, "cancelling the run")
    assert first.why == "enough"
    assert (second.seq, second.by, second.applied, second.text) == (2, "bob", False, "it is over")


def test_limits_breakers_pauses_and_the_graph_are_told_over_time() -> None:
    made = told(
        ev.RunStarted(0.0, "r", "g", 1.7e9, 2, 4),
        ev.LimitChanged(3.0, 8, "by ann"),
        ev.LimitChanged(4.0, 2, "by ann", "pool:db"),
        ev.BreakerOpened(5.0, "api", "5 of 5 failed", 20.0),
        ev.BreakerForced(6.0, "api", "by ann", "closed"),
        ev.BreakerHalfOpened(25.0, "api", "its time has come"),
        ev.BreakerChanged(25.5, "api", "recovery_timeout 30 → 5, set by ann", {"recovery_timeout": 5.0}),
        ev.RunPaused(26.0),
        ev.RunContinued(30.0),
        ev.GraphChanged(31.0, "spawned by a", (ev.AddedTask("b"),), ("c", "d")),
    )
    assert list(made.limits["max_parallel"]) == [Limit(0.0, 4), Limit(3.0, 8, "by ann")]
    assert [made.limit_at("max_parallel", at) for at in (0.0, 2.9, 3.0)] == [4, 4, 8]
    assert (made.limit_at("pool:db", 1.0), made.limit_at("pool:db", 4.0)) == (None, 2)
    assert list(made.breakers["api"]) == [
        Turn(5.0, "open", "5 of 5 failed", probe_in=20.0),
        Turn(6.0, "closed", "by ann", forced=True),
        Turn(25.0, "half_open", "its time has come"),
        Turn(25.5, "", "recovery_timeout 30 → 5, set by ann"),
    ]
    assert list(made.pauses) == [(26.0, 30.0)]
    assert list(made.graph_edits) == [GraphEdit(31.0, "spawned by a", 1, 2, 0)]


def test_tasks_that_come_and_go_while_the_run_goes_on_are_tasks_like_others() -> None:
    made = told(
        ev.TaskStarted(0.0, "a", 1),
        ev.GraphChanged(1.0, "spawned by a", (ev.AddedTask("new", ("a",)),)),
        ev.TaskSucceeded(2.0, "a", 1),
        ev.TaskReady(2.0, "new"),
        ev.TaskStarted(3.0, "new", 1),
        ev.GraphChanged(4.0, "a new version", (), ("new",)),
        ev.TaskCancelled(5.0, "new", 1, "removed"),
        ev.GraphChanged(6.0, "a new version", (), (), {}, "", ("new",)),
        ev.TaskRestarted(6.0, "new", "a new version"),
        ev.TaskReady(6.0, "new"),
        ev.TaskStarted(7.0, "new", 2),
    )
    assert spans_of(made, "new", at=8.0) == [
        ("queue", 2.0, 3.0, ""),
        ("run", 3.0, 5.0, "cancelled"),
        ("queue", 6.0, 7.0, ""),
        ("run", 7.0, 8.0, "running"),
    ]


def test_the_latest_events_are_kept_with_their_numbers_and_without_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "EVENTS", 3)
    made = Story()
    made.take(1, [ev.TaskReady(float(n), f"t{n}") for n in range(5)])
    made.take(6, [ev.Log(9.0, "t1", 1, "stdout", "", "hello"), ev.TaskStarted(9.0, "t1", 1)])
    assert [(number, event.type) for number, event in made.events] == [
        (4, "task.ready"),
        (5, "task.ready"),
        (7, "task.started"),
    ]
    assert made.seen == 7


# -- on two threads -----------------------------------------------------------------------------------------------------


class Ticking:
    """A clock that goes on by a second with every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_nothing_is_taken_before_somebody_catches_up() -> None:
    made = Story()
    made.record(1, [ev.TaskReady(0.0, "a")])
    assert (made.tracks, made.statistics().waiting) == ({}, 1)
    assert made.catch_up()
    assert (list(made.tracks), made.statistics().waiting, made.seen) == (["a"], 0, 1)


def test_a_budget_ends_catching_up_in_the_middle_of_a_batch() -> None:
    made = Story(now=Ticking())
    made.record(1, [ev.TaskReady(float(n), f"t{n}") for n in range(2000)])
    looks = 0
    while not made.catch_up(2.0):
        looks += 1
        assert made.seen == len(made.tracks)
    assert looks > 1
    assert (made.seen, len(made.tracks)) == (2000, 2000)


def test_batches_come_from_another_thread_meanwhile() -> None:
    made = Story()

    def engine() -> None:
        for n in range(2000):
            made.record(
                3 * n + 1, [ev.TaskReady(n, f"t{n}"), ev.TaskStarted(n, f"t{n}", 1), ev.TaskSucceeded(n, f"t{n}", 1)]
            )

    thread = threading.Thread(target=engine)
    thread.start()
    while thread.is_alive():
        made.catch_up(0.001)
    thread.join()
    assert made.catch_up()
    assert (made.seen, len(made.tracks), made.load.now, made.load.peak) == (6000, 2000, 0, 1)
    assert [number for number, _ in made.events] == list(range(1, 6001))


def test_when_nobody_catches_up_lines_and_progress_are_left_out_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(story, "WAITING", 10)
    made = Story()
    made.record(1, [ev.Log(0.0, "a", 1, "stdout", "", "x")] * 11)
    made.record(12, [ev.TaskReady(1.0, "a"), ev.Log(1.0, "a", 1, "stdout", "", "x"), ev.TaskProgress(1.0, "a", 1.0)])
    assert made.statistics().thinned == 2
    made.record(15, [ev.TaskStarted(2.0, "a", 1)])
    assert made.catch_up()
    assert [(number, event.type) for number, event in made.events] == [(12, "task.ready"), (15, "task.started")]
    assert made.statistics().waiting == 0


def test_a_batch_of_which_nothing_is_left_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "WAITING", 0)
    made = Story()
    made.record(1, [ev.Log(0.0, "a", 1, "stdout", "", "x")] * 2)
    made.record(3, [ev.Log(0.0, "a", 1, "stdout", "", "x")] * 2)
    made.record(5, [])
    assert made.catch_up()
    assert made.statistics().waiting == 0


# -- what earlier processes told --------------------------------------------------------------------------------------


def test_the_past_is_read_a_bit_at_a_time_and_before_what_is_told_now() -> None:
    past = [ev.RunStarted(0.0, "r", "g", 1.7e9, 2, 4), *(ev.TaskReady(1.0, f"t{n}") for n in range(999))]
    made = Story(past=lambda: past, now=Ticking())
    made.record(1001, [ev.RunResumed(50.0, 0), ev.TaskReady(50.0, "t0")])
    assert not made.catch_up(1.0)
    assert 0 < made.seen < 1000
    while not made.catch_up(1.0):
        pass
    assert (made.seen, made.sessions) == (1002, [0.0, 50.0])


def test_a_past_that_cannot_be_read_is_told_and_the_rest_goes_on() -> None:
    def broken() -> Iterator[AnyEvent]:
        yield ev.RunStarted(0.0, "r", "g", 1.7e9, 2, 4)
        raise JournalError("events 2 to 9 are damaged")

    def not_there() -> Sequence[AnyEvent]:
        raise JournalError("there is no run 'r'")

    for past, problem in ((broken, "events 2 to 9 are damaged"), (not_there, "there is no run 'r'")):
        made = Story(past=past)
        made.record(10, [ev.TaskReady(50.0, "a")])
        assert made.catch_up()
        assert (made.problem, made.seen, list(made.tracks)) == (problem, 10, ["a"])


# -- live and from the journal ------------------------------------------------------------------------------------------


def eventful(unit: float = 1.0) -> dagtop.Graph:
    """A graph in which much happens; `unit` is how many seconds a second of it takes."""
    graph = dagtop.Graph("eventful")
    tries = {"flaky": 0}

    async def slow() -> None:
        await anyio.sleep(3 * unit)

    async def flaky() -> None:
        tries["flaky"] += 1
        await anyio.sleep(unit)
        if tries["flaky"] < 3:
            raise ValueError("not yet")

    async def broken() -> None:
        await anyio.sleep(0.5 * unit)
        raise RuntimeError("never")

    async def spawns(ctx: dagtop.TaskContext) -> None:
        ctx.spawn("came_later", slow)

    graph.add("slow", slow)
    graph.add("flaky", flaky, retries=dagtop.Retry(retries=3, base=2.0 * unit, jitter=0))
    graph.add("broken", broken, depends_on=["slow"])
    graph.add("never", slow, depends_on=["broken"])
    graph.add("spawns", spawns)
    graph.add("late", slow, depends_on=["slow", "flaky"], timeout=unit)
    return graph


def _folded(batches: Sequence[tuple[int, Sequence[AnyEvent]]]) -> Story:
    made = Story()
    for first, batch in batches:
        made.record(first, batch)
    assert made.catch_up()
    return made


def test_the_story_of_a_real_run_is_the_same_however_its_events_are_cut() -> None:
    run = rehearse(
        eventful(),
        max_parallel=2,
        commands=[(1.5, do.SetMaxParallel(3)), (2.0, do.PauseRun()), (4.0, do.ContinueRun())],
    )
    events = list(run.events)
    whole = told(*events)
    assert [s.ending for s in whole.tracks["flaky"].spans if s.kind is Kind.RUN] == ["failed", "failed", "succeeded"]
    assert whole.tracks["late"].spans[-1].ending == "timed_out"
    assert any(name.endswith("came_later") for name in whole.tracks)
    assert whole.load.now == 0
    assert [limit.limit for limit in whole.limits["max_parallel"]] == [2, 3]
    dice = random.Random(7)
    for _ in range(10):
        cuts = sorted({0, len(events), *(dice.randrange(len(events)) for _ in range(8))})
        batches = [(a + 1, events[a:b]) for a, b in pairwise(cuts)]
        assert facts(_folded(batches)) == facts(whole)


def test_folding_the_journal_gives_what_was_folded_live() -> None:
    journal, live = MemoryJournal(), Story()
    executor = dagtop.DAGExecutor(
        eventful(0.01), dagtop.ExecutorConfig(max_parallel=2), recorders=[live], journal=journal, capture=True
    )
    anyio.run(executor.run)
    assert live.catch_up()
    stored = Story()
    stored.take(1, list(journal.load(executor.run_id).events()))
    assert facts(stored) == facts(live)
    assert live.seen > 20


# -- how many at once -----------------------------------------------------------------------------------------------------


def brute(steps: Sequence[tuple[float, int]], start: float, end: float) -> float:
    area, level, last = 0.0, 0, steps[0][0]
    for at, by in [*steps, (1e9, 0)]:
        area += level * max(0.0, min(at, end) - max(last, start))
        level, last = level + by, at
    return area / (end - start)


def test_the_mean_of_any_stretch_is_what_counting_gives() -> None:
    dice = random.Random(3)
    steps: list[tuple[float, int]] = []
    level, at = 0, 0.0
    for _ in range(300):
        at += dice.choice((0.0, 0.1, 2.0))
        by = -1 if level and dice.random() < 0.5 else 1
        level += by
        steps.append((at, by))
    made = Load()
    for at, by in steps:
        made.step(at, 5 * by)
    for _ in range(50):
        start = dice.uniform(-5, at)
        end = start + dice.uniform(0.01, 40)
        assert made.mean(start, end) == pytest.approx(brute(steps, start, end))
    assert (made.now, made.peak) == (level, max(made.level_at(at) for at, _ in steps))
    assert made.most(0.0, at) == made.peak


def test_nothing_has_happened_and_the_load_is_nought() -> None:
    made = Load()
    assert (made.now, made.peak, made.mean(0.0, 5.0), made.most(0.0, 5.0), made.level_at(3.0)) == (0, 0, 0.0, 0, 0)


def test_a_load_keeps_its_latest_changes_and_still_knows_the_level() -> None:
    made = Load(100)
    for n in range(501):
        made.step(float(n), 1 if n % 2 == 0 else -1)
        made.trim()
    assert len(made) <= 201
    assert made.dropped + len(made) == 501
    assert (made.now, made.mean(480.0, 500.0)) == (1, pytest.approx(0.5))


def test_some_take_more_than_one() -> None:
    made = Load()
    made.step(0.0, 1, 3)
    made.step(1.0, 2)
    assert (made.now, made.peak, made.mean(0.0, 1.0)) == (4, 4, 3.0)
    made.step(2.0, -1, 3)
    assert (made.now, made.peak, made.most(0.5, 5.0)) == (1, 4, 4)


def test_time_that_goes_backwards_is_taken_to_stand_still() -> None:
    made = Load()
    made.step(5.0, 1)
    made.step(4.0, 2)
    assert (list(made.at), made.now) == ([5.0, 5.0], 2)
