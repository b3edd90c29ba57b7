"""The breakers of the process, as several runs and threads ask them at once (B18, B19, B21)."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import pytest
from dagtop import DagtopError
from dagtop.core.breakers import BreakerView
from dagtop.core.events import AnyEvent, BreakerChanged, BreakerEvent
from dagtop.core.guards import Breaker, BreakerState
from dagtop.runtime.breaker_board import BreakerBoard
from dagtop.runtime.breaker_registry import Registry
from dagtop.runtime.breakers import RunBreakers

QUICK = Breaker("api", failure_threshold=1, recovery_timeout=10.0)


class Process:
    """A registry of its own, on a clock of its own."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now
        self.registry = Registry(lambda: self.now)
        self.board = BreakerBoard(self.registry)

    def run(self, *specs: Breaker, at: float = 0.0, names: Iterable[str] = ("api",)) -> Run:
        """A run that begins now."""
        return Run(self, specs, at, names)


class Run(RunBreakers):
    """A run's side of it, which keeps what it was told."""

    def __init__(self, process: Process, specs: Iterable[Breaker], at: float, names: Iterable[str]) -> None:
        self.woken: list[str] = []
        self.problems: list[str] = []
        super().__init__(
            {spec.name: spec for spec in specs},
            on_moved=self.woken.append,
            tell=self.problems.append,
            registry=process.registry,
        )
        self.process = process
        self.began = process.now - at
        self.begin(at, names)

    @property
    def at(self) -> float:
        return self.process.now - self.began

    def fail(self, index: int = 0) -> None:
        assert self.may_pass("api", index, self.at)
        self.ended("api", index, False, self.at, "down")

    def told(self) -> list[tuple[str, float]]:
        return [(event.type.removeprefix("breaker."), event.at) for event in self.moved(self.at)]


class TestRunsThatShareABreaker:
    def test_B18_what_one_run_finds_out_holds_for_the_other(self) -> None:
        process = Process()
        one, other = process.run(QUICK), process.run()
        one.fail()
        assert not other.may_pass("api", 0, other.at)
        assert other.woken == ["api"]
        assert one.woken == [], "whoever moved it looks by itself"

    def test_B18_failures_in_a_row_are_counted_over_all_runs(self) -> None:
        process = Process()
        one, other = process.run(Breaker("api", failure_threshold=2)), process.run()
        one.fail()
        other.fail()
        assert one.state("api", one.at) is BreakerState.OPEN

    def test_B21_every_run_tells_every_transition_exactly_once_in_its_own_time(self) -> None:
        process = Process()
        one = process.run(QUICK)
        process.now += 100
        other = process.run(at=7.0)  # a resumed run's seconds go on counting
        process.now += 1
        one.fail()
        assert (one.told(), other.told()) == ([("opened", 101)], [("opened", 8)])
        process.now += 10
        assert (one.next_due(), other.next_due()) == (111, 18)
        assert other.told() == [("half_opened", 18)]
        assert one.told() == [("half_opened", 111)]
        assert one.may_pass("api", 0, one.at)
        one.ended("api", 0, True, one.at, "")
        assert (one.told(), other.told()) == ([("closed", 111)], [("closed", 18)])
        assert (one.told(), other.told()) == ([], [])

    def test_a_transition_is_told_when_it_is_heard_so_that_times_do_not_go_back(self) -> None:
        process = Process()
        one, other = process.run(QUICK), process.run()
        one.fail()
        process.now += 4
        (event,) = other.moved(other.at)
        assert (event.at, getattr(event, "probe_in", None)) == (4, 6)

    def test_B19_there_is_one_probe_among_all_runs(self) -> None:
        process = Process()
        runs = [process.run(QUICK), process.run(), process.run()]
        runs[0].fail()
        process.now += 10
        assert [run.may_pass("api", 5, run.at) for run in runs] == [True, False, False]

    def test_B19_a_probe_that_is_given_back_wakes_the_runs_that_wait(self) -> None:
        process = Process()
        one, other = process.run(QUICK), process.run()
        one.fail()
        process.now += 10
        assert one.may_pass("api", 0, one.at)
        assert not other.may_pass("api", 0, other.at)
        other.woken.clear()
        one.ended("api", 0, None, one.at, "")
        assert other.woken == ["api"]
        assert other.may_pass("api", 0, other.at)

    def test_B19_a_run_that_ends_or_dies_gives_its_probe_back(self) -> None:
        process = Process()
        one, other = process.run(QUICK), process.run()
        one.fail()
        process.now += 10
        assert one.may_pass("api", 0, one.at)
        other.woken.clear()
        with one.in_use(one.at, ["api"]):
            pass  # left by whatever exception, too
        assert other.woken == ["api"]
        assert other.may_pass("api", 0, other.at)
        assert not one.may_pass("api", 1, one.at), "it is over"
        one.ended("api", 0, True, one.at, "")
        assert other.state("api", other.at) is BreakerState.HALF_OPEN

    def test_the_next_run_finds_it_as_the_last_one_left_it_and_says_so(self) -> None:
        process = Process()
        first = process.run(QUICK)
        first.fail()
        first.close()
        process.now += 4
        second = process.run(QUICK)
        assert not second.may_pass("api", 0, second.at)
        (event,) = second.moved(second.at)
        assert isinstance(event, BreakerEvent)
        assert (event.type, event.at, event.reason) == (
            "breaker.opened",
            0.0,
            "it was so before this run: 1 failure in a row: down",
        )
        assert second.next_due() == 6

    def test_a_breaker_that_recovered_while_nobody_looked_is_half_open_for_the_next_run(self) -> None:
        process = Process()
        first = process.run(QUICK)
        first.fail()
        first.close()
        process.now += 60
        second = process.run(QUICK)
        assert second.told() == [("half_opened", 0.0)]

    def test_a_run_on_a_virtual_clock_is_consistent_in_itself(self) -> None:
        """Its clock is ahead of the process by an hour, and nothing waits for an hour because of it."""
        process = Process()
        virtual = process.run(QUICK)
        assert virtual.may_pass("api", 0, 3_600.0)
        virtual.ended("api", 0, False, 3_600.0, "down")
        assert virtual.next_due() == 3_610.0
        virtual.close()
        later = process.run(QUICK)
        assert later.next_due() == 10.0

    def test_a_moment_that_is_due_has_come_whatever_the_floats_round_to(self) -> None:
        chance = Random(7)
        for _ in range(2_000):
            process = Process(chance.uniform(0, 1e7))
            run = process.run(Breaker("api", failure_threshold=1, recovery_timeout=chance.uniform(0, 100)))
            at = chance.uniform(0, 1e4)
            assert run.may_pass("api", 0, at)
            run.ended("api", 0, False, at, "down")
            due = run.next_due()
            assert due is not None
            run.moved(max(at, due))
            assert run.next_due() is None
            run.close()


class TestSettings:
    def test_the_first_run_that_declares_a_breaker_settles_it_and_the_next_is_told(self) -> None:
        process = Process()
        one, other = process.run(QUICK), process.run(Breaker("api", failure_threshold=7))
        assert other.spec("api") == one.spec("api") == QUICK
        (problem,) = other.problems
        assert "another run in progress has set (failure_threshold=1, recovery_timeout=10.0)" in problem
        assert one.problems == []

    def test_a_run_that_only_names_it_settles_nothing(self) -> None:
        process = Process()
        one = process.run()
        assert one.spec("api") == Breaker("api")
        other = process.run(QUICK)
        assert (one.spec("api"), one.problems, other.problems) == (QUICK, [], [])

    def test_once_nobody_uses_it_the_next_run_may_declare_it_otherwise_and_the_state_stays(self) -> None:
        process = Process()
        first = process.run(QUICK)
        first.fail()
        first.close()
        second = process.run(Breaker("api", recovery_timeout=50.0))
        assert second.problems == []
        assert (second.state("api", 0.0), second.next_due()) == (BreakerState.OPEN, 50.0)

    def test_what_becomes_of_a_task_at_an_open_breaker_is_each_runs_own_affair(self) -> None:
        process = Process()
        waits = process.run(QUICK)
        fails = process.run(Breaker("api", failure_threshold=1, recovery_timeout=10.0, on_open="fail"))
        assert fails.problems == []
        assert (waits.spec("api").on_open, fails.spec("api").on_open) == ("wait", "fail")

    def test_names_that_nobody_uses_and_that_have_no_story_are_not_kept(self) -> None:
        process = Process()
        run = process.run(names=[f"host{n}" for n in range(1_000)])
        run.trip("host7", 0.0, "hand")
        run.close()
        assert [view.name for view in process.board.list()] == ["host7"]


class TestWhatIsSeen:
    def test_B21_a_view_has_the_runs_own_times(self) -> None:
        process = Process()
        run = process.run(QUICK, at=50.0)
        process.now += 2
        run.fail()
        seen = run.view("api", run.at)
        assert (seen.opened_at, seen.probe_due_at, seen.recent[0].at) == (52.0, 62.0, 52.0)

    def test_views_that_have_not_changed_are_the_same_objects(self) -> None:
        process = Process()
        run = process.run(QUICK, names=["api", "db"])
        before = run.views(0.0)
        assert [view.name for view in before] == ["api", "db"]
        process.now += 1
        assert run.views(1.0) is before
        run.fail()
        after = run.views(1.0)
        assert (after[0] is before[0], after[1] is before[1]) == (False, True)

    def test_failures_that_leave_the_window_leave_the_view(self) -> None:
        process = Process()
        run = process.run(Breaker("api", window=10.0))
        run.fail()
        assert run.views(0.0)[0].failures == 1
        assert run.views(9.0) is run.views(9.5)
        assert run.views(10.0)[0].failures == 0

    def test_looking_at_a_breaker_makes_none(self) -> None:
        process = Process()
        run = process.run(names=[])
        assert run.view("other", 0.0).state is BreakerState.CLOSED
        assert (list(run.names()), process.board.list()) == ([], ())


class TestOtherSettings:
    def test_B22_they_are_in_force_for_all_that_use_it_and_every_run_hears_of_it(self) -> None:
        process = Process()
        first, second = process.run(QUICK), process.run(at=100.0)
        first.change("api", {"recovery_timeout": 3.0}, 0.0, "eve")
        assert second.spec("api").recovery_timeout == 3.0
        (told,) = second.moved(100.0)
        assert (told.type, told.at) == ("breaker.changed", 100.0)
        assert told == BreakerChanged(100.0, "api", "recovery_timeout 10 → 3, set by eve", {"recovery_timeout": 3.0})
        assert second.woken == ["api"]

    def test_one_that_is_open_may_be_asked_sooner(self) -> None:
        process = Process()
        run = process.run(QUICK)
        run.fail()
        assert run.next_due() == 10.0
        run.change("api", {"recovery_timeout": 3.0}, 0.0, "eve")
        assert run.next_due() == 3.0
        assert run.views(0.0)[0].probe_due_at == 3.0

    def test_whoever_comes_to_a_forced_one_is_told_who_forced_it_not_who_changed_it(self) -> None:
        process = Process()
        first = process.run(QUICK)
        first.force("api", "open", 0.0, "eve")
        first.change("api", {"recovery_timeout": 3.0}, 0.0, "bob")
        (told,) = process.run().moved(0.0)
        assert told.reason == "it was so before this run: held open by eve"


class TestTheBoard:
    def test_B21_code_can_trip_reset_and_hold_it_and_every_run_hears_of_it(self) -> None:
        process = Process()
        run = process.run(QUICK)
        process.board.trip("api")
        process.board.reset("api", by="nightly.py")
        process.board.force("api", "open")
        process.board.force("api", "")
        events: list[AnyEvent] = run.moved(run.at)
        assert [(event.type, getattr(event, "reason", "")) for event in events] == [
            ("breaker.opened", "tripped by code"),
            ("breaker.closed", "reset by nightly.py"),
            ("breaker.forced", "held open by code"),
            ("breaker.forced", "let go by code"),
        ]
        assert run.woken == ["api"] * 4

    def test_its_times_are_seconds_from_now(self) -> None:
        process = Process()
        process.board.trip("api")
        process.board.trip("api")
        process.now += 10
        seen: BreakerView = process.board.view("api")
        assert (seen.opened_at, seen.probe_due_at, seen.state) == (-10.0, 20.0, "open")
        process.now += 20
        assert process.board.view("api").state is BreakerState.HALF_OPEN

    def test_a_breaker_can_be_held_before_any_run_uses_it(self) -> None:
        process = Process()
        process.board.force("api", "open")
        run = process.run(QUICK)
        assert run.told() == [("forced", 0.0)]
        assert not run.may_pass("api", 0, 0.0)
        assert run.spec("api") == QUICK

    def test_one_that_does_not_exist_is_named_with_the_nearest_that_does(self) -> None:
        process = Process()
        process.run(QUICK)
        for ask in (process.board.view, process.board.reset, process.board.forget):
            with pytest.raises(DagtopError, match="no circuit breaker 'apo'; did you mean 'api'"):
                ask("apo")
        with pytest.raises(ValueError, match="not empty"):
            process.board.trip(" ")

    def test_forgetting_drops_what_nobody_uses(self) -> None:
        process = Process()
        run = process.run(QUICK)
        process.board.trip("old")
        with pytest.raises(DagtopError, match="used by a run in progress"):
            process.board.forget("api")
        process.board.forget()
        assert [view.name for view in process.board.list()] == ["api"]
        run.close()
        process.board.forget("api")
        assert process.board.list() == ()


class TestProcesses:
    def test_a_forked_child_begins_without_breakers_and_without_a_lock_that_nobody_will_release(self) -> None:
        process = Process()
        run = process.run(QUICK)
        run.fail()
        parents = process.registry.lock
        process.registry.after_fork()
        assert process.board.list() == ()
        assert process.registry.lock is not parents


class Together(threading.Barrier):
    """Threads that begin together. One that fails is not waited for; however slow the machine is, the others are."""

    def __init__(self, parties: int) -> None:
        super().__init__(parties)
        self.failed: list[BaseException] = []

    def thread(self, play: Callable[..., None], *args: Any) -> threading.Thread:
        def guarded() -> None:
            try:
                play(*args)
            except BaseException as error:
                self.failed.append(error)
                self.abort()

        return threading.Thread(target=guarded)


class TestThreads:
    def test_B19_many_threads_never_have_two_probes_and_every_run_hears_the_same_story(self) -> None:
        """Four runs in threads of their own hammer one breaker that is half open most of the time, others move it by hand."""
        registry = Registry(itertools.count().__next__)
        board = BreakerBoard(registry)
        spec = Breaker("api", failure_threshold=1, recovery_timeout=0.0, success_threshold=3)
        inside, most, heard = [0], [0], dict[int, tuple[RunBreakers, list[AnyEvent]]]()
        count = threading.Lock()
        together = Together(5)

        def hammer(number: int) -> None:
            chance = Random(number)
            run = RunBreakers({"api": spec}, on_moved=lambda _name: None, tell=lambda _problem: None, registry=registry)
            run.begin(0.0)
            board.force("api", "half_open")
            together.wait()
            told: list[AnyEvent] = []
            for n in range(500):
                if run.may_pass("api", n, n):
                    with count:
                        inside[0] += 1
                        most[0] = max(most[0], inside[0])
                    told += run.moved(n)
                    with count:
                        inside[0] -= 1
                    run.ended("api", n, chance.choice([True, False, None]), n, "down")
                told += run.moved(n)
            heard[number] = run, told

        def meddle() -> None:
            chance = Random(99)
            together.wait()
            for _ in range(300):
                chance.choice([board.trip, board.view])("api")

        threads = [together.thread(meddle), *(together.thread(hammer, n) for n in range(4))]
        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(usual)
        assert not together.failed
        for _ in range(2):  # whoever asks may move the breaker himself, which those who asked before hear the next time
            for run, told in heard.values():
                told.extend(run.moved(500))
        stories = [[(event.type, getattr(event, "reason", "")) for event in told] for _, told in heard.values()]
        for run, _ in heard.values():
            run.close()
        assert most == [1], "the place of HALF_OPEN was taken twice"
        shortest = min(map(len, stories))
        assert shortest > 100
        tails = {tuple(story[len(story) - shortest + 5 :]) for story in stories}
        assert len(tails) == 1, "the runs tell different stories"
        assert registry.entries["api"].users == []


def test_B18_who_began_first_gives_the_settings_whoever_takes_the_breaker_up_first() -> None:
    """Runs took breakers up in their own threads, and which of two was first there was a race."""
    registry = Registry(lambda: 0.0)
    told: dict[str, list[str]] = {"first": [], "second": []}

    def run(name: str, threshold: int) -> RunBreakers:
        specs = {"api": Breaker("api", failure_threshold=threshold)}
        return RunBreakers(specs, on_moved=lambda _name: None, tell=told[name].append, registry=registry)

    first, second = run("first", 3), run("second", 7)
    first.claim()
    second.claim()
    second.begin(0.0)
    first.begin(0.0)
    assert [one.spec("api").failure_threshold for one in (first, second)] == [3, 3]
    assert told["first"] == []
    (problem,) = told["second"]
    assert problem.startswith("breaker 'api' keeps what another run in progress has set (failure_threshold=3)")
    for one in (first, second):
        one.close()
    assert not registry.entries["api"].is_declared


def test_B18_a_run_that_never_began_leaves_no_settings_behind() -> None:
    registry = Registry(lambda: 0.0)
    specs = {"api": Breaker("api", failure_threshold=3)}
    gone = RunBreakers(specs, on_moved=lambda _name: None, tell=lambda _problem: None, registry=registry)
    gone.claim()
    gone.let_go()
    assert registry.entries["api"].claims == 0
    assert not registry.entries["api"].is_declared
