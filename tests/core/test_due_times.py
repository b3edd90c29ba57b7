"""Due times: the calendar, summer time, leap days. What the time is, is always an argument."""

from __future__ import annotations

import ast
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import dagtop.core.schedule
import pytest
from dagtop import ExecutorConfig, Graph, OptionError
from dagtop.core.schedule import NICKNAMES, Missed, Overlap, Timetable, schedule_of, seconds_between
from hypothesis import given, settings
from hypothesis import strategies as st

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu")


def table(zone: str = "UTC", **options: object) -> Timetable:
    schedule = schedule_of(timezone=zone, **options)  # type: ignore[arg-type]
    assert schedule is not None
    return Timetable(schedule, ZoneInfo(zone))


def stamp(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def local(timetable: Timetable, start: str, count: int) -> list[str]:
    zone = timetable.zone.key  # type: ignore[attr-defined]
    due = islice(timetable.iterate(stamp(start, zone), stamp(start, zone)), count)
    return [datetime.fromtimestamp(moment, timetable.zone).isoformat(" ", "minutes") for moment in due]


moments = st.floats(stamp("2020-01-01"), stamp("2030-01-01"))
minute = st.sampled_from(["0", "30", "15,45", "*/10", "7-9", "59"])
hour = st.sampled_from(["*", "2", "1-3", "0,12", "*/6", "23"])
day = st.sampled_from(["*", "1", "29", "L", "*/2"])
weekday = st.sampled_from(["*", "SUN", "1-5"])
lines = st.builds("{} {} {} * {}".format, minute, hour, day, weekday)
months = st.sampled_from(["2026-03", "2026-04", "2026-10", "2026-11", "2028-02"])


class TestSummerTime:
    def test_B44_a_time_that_is_skipped_comes_at_the_end_of_the_gap(self) -> None:
        berlin = table("Europe/Berlin", cron="30 2 * * *")
        assert local(berlin, "2026-03-28 00:00", 3) == [
            "2026-03-28 02:30+01:00",
            "2026-03-29 03:00+02:00",
            "2026-03-30 02:30+02:00",
        ]
        york = table("America/New_York", cron="30 2 * * *")
        assert local(york, "2026-03-08 00:00", 2) == ["2026-03-08 03:00-04:00", "2026-03-09 02:30-04:00"]

    def test_B44_a_gap_of_half_an_hour_is_one_too(self) -> None:
        howe = table("Australia/Lord_Howe", cron="15 2 * * *")
        assert local(howe, "2026-10-04 00:00", 2) == ["2026-10-04 02:30+11:00", "2026-10-05 02:15+11:00"]

    def test_B44_a_time_that_comes_twice_comes_due_once_the_first_time(self) -> None:
        berlin = table("Europe/Berlin", cron="30 2 * * *")
        assert local(berlin, "2026-10-25 00:00", 2) == ["2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00"]
        howe = table("Australia/Lord_Howe", cron="45 1 * * *")
        assert local(howe, "2026-04-05 00:00", 2) == ["2026-04-05 01:45+11:00", "2026-04-06 01:45+10:30"]

    def test_B44_who_begins_to_wait_in_the_second_of_two_equal_hours_waits_for_tomorrow(self) -> None:
        berlin = table("Europe/Berlin", cron="30 2 * * *")
        second = stamp("2026-10-25 02:10", "Europe/Berlin", fold=1)
        assert berlin.after(second, second) == stamp("2026-10-26 02:30", "Europe/Berlin")

    @pytest.mark.parametrize(("day", "quarters"), [("2026-03-29", 92), ("2026-10-25", 100), ("2026-06-01", 96)])
    def test_B44_what_runs_more_often_than_hourly_goes_by_the_time_that_passes(self, day: str, quarters: int) -> None:
        berlin = table("Europe/Berlin", cron="*/15 * * * *")
        start = stamp(f"{day} 00:00", "Europe/Berlin") - 1
        due = list(islice(berlin.iterate(start, start), quarters + 1))
        assert {later - sooner for sooner, later in pairwise(due)} == {900.0}
        assert datetime.fromtimestamp(due[-1], berlin.zone).isoformat()[11:16] == "00:00"

    def test_B44_an_interval_knows_no_summer_time(self) -> None:
        berlin = table("Europe/Berlin", every="1d")
        assert local(berlin, "2026-03-28 12:00", 2) == ["2026-03-29 13:00+02:00", "2026-03-30 13:00+02:00"]

    @given(st.sampled_from(ZONES), lines, months)
    @settings(max_examples=40, deadline=None)
    def test_B44_every_day_has_what_its_calendar_says(self, zone: str, line: str, month: str) -> None:
        """Against the same line on a clock without summer time."""
        timetable, plain = table(zone, cron=line), table("UTC", cron=line)
        start = f"{month}-01 00:00"
        found, wanted = _by_day(timetable, stamp(start, zone)), _by_day(plain, stamp(start))
        assert found.keys() - wanted.keys() == set()
        changed = {a for a in wanted if _offset(timetable, a) != _offset(timetable, a + timedelta(days=1))}
        assert {a: n for a, n in found.items() if a not in changed} == {
            a: n for a, n in wanted.items() if a not in changed
        }
        if not line.startswith("*") and line.split()[1][0] != "*":  # nothing is lost, and nothing comes twice
            assert all(1 <= found[a] <= wanted[a] for a in changed)


def _by_day(timetable: Timetable, first: float) -> dict[date, int]:
    """How often it is due on each day of a month."""
    found: dict[date, int] = {}
    month = datetime.fromtimestamp(first, timetable.zone).month
    for due in timetable.iterate(first - 1, first):
        day = datetime.fromtimestamp(due, timetable.zone).date()
        if day.month != month:
            return found
        found[day] = found.get(day, 0) + 1
    raise AssertionError("it comes to an end")


def _offset(timetable: Timetable, day: date) -> timedelta | None:
    return datetime(day.year, day.month, day.day, tzinfo=timetable.zone).utcoffset()


class TestOrder:
    @given(st.sampled_from(ZONES), lines, moments)
    @settings(max_examples=100, deadline=None)
    def test_B44_due_times_grow_and_each_is_the_first_after_the_one_before(
        self, zone: str, line: str, moment: float
    ) -> None:
        timetable = table(zone, cron=line)
        due = list(islice(timetable.iterate(moment, moment), 6))
        assert all(later > sooner for sooner, later in pairwise([moment, *due]))
        for sooner, later in pairwise([moment, *due]):
            assert timetable.after(sooner, moment) == later
            assert timetable.after(later - 0.5, moment) == later

    @given(st.floats(0.01, 1e6), moments, st.floats(0, 1e7))
    def test_B44_intervals_are_counted_from_the_anchor_and_never_drift(
        self, every: float, anchor: float, later: float
    ) -> None:
        timetable = table(every=every)
        due = timetable.after(anchor + later, anchor)
        assert due is not None
        assert anchor + later < due <= anchor + later + every * 1.001 + 1e-6
        times = (due - anchor) / every
        assert times == pytest.approx(round(times), abs=1e-4 + 1e-6 / every)

    @given(st.sampled_from(ZONES), lines, moments, st.floats(60, 8 * 86400), st.integers(1, 5))
    @settings(max_examples=20, deadline=None)
    def test_B44_the_latest_due_times_are_the_last_of_all_of_them(
        self, zone: str, line: str, moment: float, long: float, most: int
    ) -> None:
        timetable = table(zone, cron=line)
        every = [due for due in islice(timetable.iterate(moment, moment), 3000) if due <= moment + long]
        assert timetable.latest(moment, moment + long, moment, most) == every[-most:]

    def test_B44_the_latest_of_ten_years_of_seconds_are_found_at_once(self) -> None:
        """A clock that was wrong by years, and a cron line of every second: 300 million due times, of which three count."""
        timetable = table(cron="* * * * * *")
        start = stamp("2016-01-01")
        now = stamp("2026-01-01")
        assert timetable.latest(start, now, start, 3) == [now - 2, now - 1, now]

    def test_B44_a_leap_day_comes_every_four_years(self) -> None:
        assert local(table(cron="0 12 29 2 *"), "2026-01-01", 3) == [
            "2028-02-29 12:00+00:00",
            "2032-02-29 12:00+00:00",
            "2036-02-29 12:00+00:00",
        ]

    def test_B44_the_last_day_of_the_month(self) -> None:
        found = local(table(cron="0 0 L * *"), "2028-01-15", 3)
        assert found == ["2028-01-31 00:00+00:00", "2028-02-29 00:00+00:00", "2028-03-31 00:00+00:00"]

    def test_B44_the_end_of_the_calendar_is_the_end(self) -> None:
        timetable = table("Europe/Berlin", cron="0 0 1 1 *")
        assert timetable.after(stamp("9999-06-01"), 0) is None


class TestMoments:
    def test_B44_they_are_sorted_once_each_and_come_to_an_end(self) -> None:
        timetable = table("Europe/Berlin", at=["2026-12-31 12:00", "2026-12-24T18:00", "2026-12-24T17:00+00:00"])
        assert local(timetable, "2026-01-01", 5) == ["2026-12-24 18:00+01:00", "2026-12-31 12:00+01:00"]

    def test_B44_one_without_an_offset_is_meant_in_the_schedule_s_zone_and_one_with_is_not(self) -> None:
        given_ = [datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 12, tzinfo=UTC)]  # noqa: DTZ001 - that is the point
        assert local(table("America/New_York", at=given_), "2026-01-01", 5) == [
            "2026-07-01 08:00-04:00",
            "2026-07-01 12:00-04:00",
        ]

    def test_B44_one_in_a_gap_is_as_long_after_its_beginning(self) -> None:
        assert local(table("Europe/Berlin", at="2026-03-29 02:30"), "2026-01-01", 1) == ["2026-03-29 03:30+02:00"]


class TestOptions:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            (15, 15.0),
            ("15m", 900.0),
            ("1h30m", 5400.0),
            ("1h 30m", 5400.0),
            ("2d", 172800.0),
            ("500ms", 0.5),
            ("1.5s", 1.5),
        ],
    )
    def test_B44_intervals_are_seconds_or_texts(self, text: object, seconds: float) -> None:
        assert seconds_between(text) == seconds
        assert seconds_between(timedelta(seconds=seconds)) == seconds

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"every": 0}, "at least 0.01 seconds, not 0"),
            ({"every": "soon"}, '"15m"'),
            ({"every": "15"}, '"15m"'),
            ({"every": "15m!"}, '"15m"'),
            ({"every": True}, "not True"),
            ({"every": float("nan")}, "not nan"),
            ({"every": 10**30}, "at most 1000 years"),
            ({"every": 10**400}, "at most 1000 years"),
            ({"every": "99999w"}, "at most 1000 years"),
            ({"cron": "0 25 * * *"}, "cron '0 25 * * *' cannot be read: bad hour; it takes minute, hour"),
            ({"cron": "0 2 * *"}, "wrong number of fields"),
            ({"cron": ""}, "wrong number of fields"),
            ({"cron": "0 0 30 2 *"}, "bad day-of-month"),
            ({"cron": "* * */20 * 1L"}, "never comes due"),
            ({"cron": 5}, "cron must be a text"),
            ({"at": "tomorrow"}, "at must be a datetime"),
            ({"at": []}, "at least one moment"),
            ({"at": date(2026, 1, 1)}, "at must be a datetime"),
            ({"at": iter(["2026-01-01"])}, "or a list of them"),
            ({"every": 5, "cron": "0 2 * * *"}, "every and cron both say when"),
            ({"cron": "0 2 * * *", "timezone": "Europe/Berln"}, "did you mean 'Europe/Berlin'?"),
            ({"cron": "0 2 * * *", "timezone": "../../etc/passwd"}, "name of a time zone"),
            ({"cron": "0 2 * * *", "timezone": 3}, "name of a time zone"),
            ({"missed": "never"}, "missed must be one of 'skip', 'once', 'all'"),
            ({"overlap": "both"}, "overlap must be one of 'skip', 'queue', 'cancel'"),
            ({"schedule": "0 2 * * *"}, "here it is 'cron'"),
            ({"interval": 5}, "here it is 'every'"),
        ],
    )
    def test_B44_a_graph_with_a_wrong_one_is_refused_in_one_sentence(
        self, options: dict[str, object], told: str
    ) -> None:
        with pytest.raises(OptionError) as refused:
            Graph("g", **options)
        (flaw,) = refused.value.problems
        assert told in flaw.message
        assert "\n" not in flaw.message
        assert "test_due_times.py" in flaw.place

    def test_B44_the_usual_lines_have_names(self) -> None:
        for name, line in NICKNAMES.items():
            schedule = schedule_of(cron=name.upper())
            assert schedule is not None
            assert schedule.cron == line

    def test_B44_a_run_says_when_over_what_the_graph_says_and_keeps_the_rest(self) -> None:
        graph = Graph("g", cron="0 2 * * *", timezone="Europe/Berlin", missed="once", overlap="queue")
        schedule = ExecutorConfig(every=5).over(graph.config).schedule()
        assert schedule is not None
        assert (schedule.every, schedule.cron, schedule.timezone) == (5.0, "", "Europe/Berlin")
        assert (schedule.missed, schedule.overlap) == (Missed.ONCE, Overlap.QUEUE)

    def test_B44_without_a_word_of_when_there_is_no_schedule(self) -> None:
        assert ExecutorConfig().schedule() is None
        assert ExecutorConfig(missed="all").schedule() is None


def test_nothing_here_asks_what_time_it_is() -> None:
    """The import of `datetime` is the one that import-linter lets through into the core."""
    tree = ast.parse(Path(dagtop.core.schedule.__file__).read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert names & {"now", "utcnow", "today", "time", "localtime", "monotonic"} == set()


class TestSeconds:
    def test_B44_the_seconds_of_a_cron_line_come_first(self) -> None:
        line = table(cron="30 0 2 * * *")
        first = line.after(stamp("2026-05-01 00:00"), 0.0)
        assert first == stamp("2026-05-01 02:00:30")

    @pytest.mark.parametrize("wrong", ["0 2 * * * 75", "75 0 2 * * *", "* * * *"])
    def test_a_line_that_cannot_be_read_is_told_that_seconds_come_first(self, wrong: str) -> None:
        with pytest.raises(ValueError, match="or these with seconds before them"):
            schedule_of(cron=wrong)
