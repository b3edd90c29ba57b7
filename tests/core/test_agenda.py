"""What is started when: what was missed, what overlaps, and clocks that jump. Every look is given the time."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dagtop.core.agenda import MOST, SET_BACK, TOLERANCE, Agenda, Fire, PassedOver
from dagtop.core.schedule import Timetable, schedule_of
from hypothesis import given, settings
from hypothesis import strategies as st

HOUR, DAY = 3600.0, 86400.0
BEGIN = datetime(2026, 6, 1, tzinfo=ZoneInfo("UTC")).timestamp()


def agenda(zone: str = "UTC", begin: float = BEGIN, **options: Any) -> Agenda:
    schedule = schedule_of(**({} if {"cron", "at"} & options.keys() else {"every": HOUR}) | options)
    assert schedule is not None
    return Agenda(Timetable(schedule, ZoneInfo(zone)), begin)


def looks(kept: Agenda, now: float) -> list[Fire | PassedOver]:
    """All that is told at one look at the clock; runs take no time."""
    told: list[Fire | PassedOver] = []
    while (found := kept.look(now)) is not None:
        told.append(found)
    return told


def fires(kept: Agenda, now: float) -> list[float]:
    """How many hours after the beginning the runs were due that begin at one look."""
    return [(found.due - BEGIN) / HOUR for found in looks(kept, now) if isinstance(found, Fire)]


class TestOnTime:
    def test_B44_nothing_is_due_before_its_time_and_everything_once(self) -> None:
        kept = agenda()
        assert kept.next_due(BEGIN) == BEGIN + HOUR
        assert kept.look(BEGIN) is None
        assert kept.look(BEGIN + HOUR - 0.01) is None
        assert kept.look(BEGIN + HOUR) == Fire(due=BEGIN + HOUR)
        kept.ended(BEGIN + HOUR + 5)
        assert kept.look(BEGIN + HOUR + 5) is None
        assert kept.next_due(BEGIN + HOUR + 5) == BEGIN + 2 * HOUR

    def test_B44_a_look_that_is_a_minute_late_is_on_time(self) -> None:
        assert agenda().look(BEGIN + HOUR + TOLERANCE) == Fire(due=BEGIN + HOUR)
        assert agenda().look(BEGIN + HOUR + TOLERANCE + 1) == PassedOver(count=1, latest=BEGIN + HOUR)

    def test_B44_what_comes_is_listed_without_changing_anything(self) -> None:
        kept = agenda()
        assert kept.coming(BEGIN, 3) == [BEGIN + HOUR, BEGIN + 2 * HOUR, BEGIN + 3 * HOUR]
        assert kept.look(BEGIN + HOUR) == Fire(due=BEGIN + HOUR)

    def test_B44_moments_that_have_all_passed_leave_nothing_to_wait_for(self) -> None:
        kept = agenda(at=["2026-06-01 01:00+00:00"])
        assert kept.look(BEGIN + HOUR) == Fire(due=BEGIN + HOUR)
        assert kept.next_due(BEGIN + HOUR) is None
        assert agenda(at=["2025-06-01 01:00+00:00"]).next_due(BEGIN) is None


class TestMissed:
    """The machine slept from half past one to half past five: 2, 3, 4 and 5 h were missed."""

    WAKES = BEGIN + 5.5 * HOUR

    def after(self, **options: Any) -> Agenda:
        kept = agenda(**options)
        assert fires(kept, BEGIN + HOUR) == [1]
        kept.ended(BEGIN + HOUR + 1)
        assert kept.look(BEGIN + 1.5 * HOUR) is None
        return kept

    def test_B44_skip_leaves_them_out_and_says_how_many(self) -> None:
        kept = self.after()
        assert looks(kept, self.WAKES) == [PassedOver(count=4, latest=BEGIN + 5 * HOUR)]
        assert kept.next_due(self.WAKES) == BEGIN + 6 * HOUR

    def test_B44_once_makes_one_run_up_for_all_of_them(self) -> None:
        kept = self.after(missed="once")
        assert looks(kept, self.WAKES) == [Fire(due=BEGIN + 5 * HOUR, made_up=True, passed_over=3)]

    def test_B44_all_gives_each_its_own_run_in_order(self) -> None:
        assert fires(self.after(missed="all"), self.WAKES) == [2, 3, 4, 5]

    def test_B44_the_overlap_policy_has_no_say_in_what_was_slept_through(self) -> None:
        for overlap in ("queue", "cancel"):
            assert fires(self.after(overlap=overlap), self.WAKES) == []

    def test_B44_waking_up_at_the_due_time_runs_it_and_leaves_the_others_out(self) -> None:
        for missed in ("skip", "once"):
            kept = self.after(missed=missed)
            assert looks(kept, BEGIN + 5 * HOUR + 30) == [Fire(due=BEGIN + 5 * HOUR, passed_over=3)]

    def test_B44_of_a_very_long_sleep_the_latest_thousand_are_made_up_for(self) -> None:
        kept = agenda(every=1, missed="all")
        found = fires(kept, BEGIN + 30 * DAY)
        assert len(found) == MOST
        assert found[-1] == 30 * 24


class TestOverlap:
    """A run of one o'clock lasts until half past three: 2 and 3 h were due meanwhile."""

    ENDS = BEGIN + 3.5 * HOUR

    def after(self, **options: Any) -> Agenda:
        kept = agenda(**options)
        assert fires(kept, BEGIN + HOUR) == [1]
        assert kept.must_give_way(BEGIN + 1.5 * HOUR) is False
        kept.ended(self.ENDS)
        return kept

    def test_B44_skip_hands_them_on_to_what_is_missed(self) -> None:
        assert looks(self.after(), self.ENDS) == [PassedOver(count=2, latest=BEGIN + 3 * HOUR)]
        assert fires(self.after(missed="once"), self.ENDS) == [3]
        assert fires(self.after(missed="all"), self.ENDS) == [2, 3]

    def test_B44_queue_runs_each_of_them_after_it(self) -> None:
        for missed in ("skip", "once", "all"):
            assert fires(self.after(overlap="queue", missed=missed), self.ENDS) == [2, 3]

    def test_B44_a_run_that_ends_moments_after_the_due_time_still_overlapped_it(self) -> None:
        kept = agenda()
        assert fires(kept, BEGIN + HOUR) == [1]
        kept.ended(BEGIN + 2 * HOUR + 1)
        assert looks(kept, BEGIN + 2 * HOUR + 1) == [PassedOver(count=1, latest=BEGIN + 2 * HOUR)]

    def test_B44_cancel_asks_the_run_to_give_way_at_the_due_time_and_runs_that_one(self) -> None:
        kept = agenda(overlap="cancel")
        assert fires(kept, BEGIN + HOUR) == [1]
        assert kept.must_give_way(BEGIN + 2 * HOUR - 1) is False
        assert kept.must_give_way(BEGIN + 2 * HOUR) is True
        kept.ended(BEGIN + 2 * HOUR + 90)  # it cleaned up for longer than the tolerance
        assert looks(kept, BEGIN + 2 * HOUR + 90) == [Fire(due=BEGIN + 2 * HOUR, made_up=True)]

    @pytest.mark.parametrize("overlap", ["skip", "queue"])
    def test_B44_no_other_policy_makes_a_run_give_way(self, overlap: str) -> None:
        kept = agenda(overlap=overlap)
        assert fires(kept, BEGIN + HOUR) == [1]
        assert kept.must_give_way(BEGIN + 5 * HOUR) is False

    def test_B44_a_queue_does_not_grow_by_what_is_slept_through_after_the_run(self) -> None:
        kept = self.after(overlap="queue")
        assert fires(kept, BEGIN + 9.5 * HOUR) == [2, 3]


class TestClocks:
    def test_B44_a_clock_set_back_a_little_runs_nothing_twice(self) -> None:
        kept = agenda(cron="0 * * * *")
        assert fires(kept, BEGIN + HOUR) == [1]
        for now in (BEGIN + HOUR - 60, BEGIN + 0.5 * HOUR, BEGIN + HOUR, BEGIN + HOUR + 59):
            assert looks(kept, now) == []
        assert kept.next_due(BEGIN + 0.5 * HOUR) == BEGIN + 2 * HOUR
        assert fires(kept, BEGIN + 2 * HOUR) == [2]

    def test_B44_a_clock_that_was_wrong_by_years_does_not_stop_the_schedule(self) -> None:
        kept = agenda(cron="0 * * * *")
        assert len(looks(kept, BEGIN + 4000 * DAY)) == 1
        now = BEGIN + 1.5 * HOUR
        assert looks(kept, now) == []
        assert kept.next_due(now) == BEGIN + 2 * HOUR
        assert fires(kept, BEGIN + 2 * HOUR) == [2]

    def test_B44_an_interval_goes_on_as_if_the_clock_had_not_been_set_back(self) -> None:
        """Ten minutes were left of the hour; they are after it too."""
        kept = agenda()
        assert looks(kept, BEGIN + 50 * 60) == []
        set_back = BEGIN + 50 * 60 - 5 * DAY
        assert looks(kept, set_back) == []
        assert kept.next_due(set_back) == pytest.approx(set_back + 600)
        assert len(looks(kept, set_back + 600)) == 1

    def test_B44_a_clock_set_back_while_a_run_goes_on_overlaps_nothing_that_comes(self) -> None:
        kept = agenda(cron="0 * * * *")
        assert fires(kept, BEGIN + HOUR) == [1]
        kept.ended(BEGIN + 1.9 * HOUR)
        assert looks(kept, BEGIN + 1.1 * HOUR) == []
        assert fires(kept, BEGIN + 2 * HOUR) == [2]

    @given(
        st.sampled_from([{"every": 1800}, {"cron": "*/20 * * * *"}, {"cron": "30 2 * * *"}]),
        st.sampled_from(["skip", "once", "all"]),
        st.sampled_from(["skip", "queue", "cancel"]),
        st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe"]),
        st.lists(st.tuples(st.floats(0, DAY), st.floats(0, 3 * HOUR)), max_size=8),
    )
    @settings(max_examples=50, deadline=None)
    def test_B44_whatever_sleeps_and_however_long_it_runs_nothing_is_lost_twice_or_early(
        self,
        when: dict[str, object],
        missed: str,
        overlap: str,
        zone: str,
        steps: list[tuple[float, float]],
    ) -> None:
        """Each due time that has passed is accounted for once: by a run, or by being told as left out."""
        begin = datetime(2026, 10, 23, tzinfo=ZoneInfo(zone)).timestamp()
        kept = agenda(zone, begin, missed=missed, overlap=overlap, **when)
        now, accounted, last = begin, 0, begin
        for sleeps, lasts in steps:
            now, runs = now + sleeps, lasts
            while (found := kept.look(now)) is not None:
                if isinstance(found, Fire):
                    assert last < found.due <= now
                    last = found.due
                    accounted += 1 + found.passed_over
                    now, runs = now + runs, 0.0  # else a queue of long runs has no end
                    kept.ended(now)
                else:
                    last = found.latest
                    accounted += found.count
            due = kept.next_due(now)
            assert due is not None
            assert due > now
        wanted = 0
        for due in kept.timetable.iterate(begin, begin):
            if due > now:
                break
            wanted += 1
        assert accounted == wanted

    @given(
        st.sampled_from([{"every": 1800}, {"cron": "*/20 * * * *"}, {"cron": "30 2 * * *"}]),
        st.lists(st.floats(-2 * DAY, 2 * DAY), max_size=20),
    )
    @settings(max_examples=50, deadline=None)
    def test_B44_however_the_clock_jumps_the_next_due_time_is_never_far(
        self, when: dict[str, object], jumps: list[float]
    ) -> None:
        kept = agenda(begin=BEGIN, **when)
        now = BEGIN
        for jump in jumps:
            now += jump
            while (found := kept.look(now)) is not None:
                assert (found.due if isinstance(found, Fire) else found.latest) <= now
            due = kept.next_due(now)
            assert due is not None
            assert now < due <= now + DAY + SET_BACK + 1
