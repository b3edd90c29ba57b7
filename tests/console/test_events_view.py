"""View 7: what has happened, in words; filters, following, going to the task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from console_events import engine_with_events, happened, one_of_each
from console_fakes import HOSTILE, FakeEngine, running_mix
from console_pilot import console
from dagtop.core import events as ev
from dagtop.core.commands import RestartTask
from dagtop.core.events import AnyEvent
from dagtop.observe.story import Story
from dagtop_app.console import ConsoleApp
from dagtop_app.events.roll import EventFilter, EventRoll
from dagtop_app.events.texts import Weight, event_line, tell
from dagtop_app.lines import line_width

pytestmark = pytest.mark.anyio


class TestWords:
    def test_every_kind_of_event_is_told(self) -> None:
        told = {type(event) for event in one_of_each("x")}
        assert set(get_args(AnyEvent)) - told - {ev.Log} <= {ev.EscalationAcknowledged, ev.BreakerChanged}
        for event in one_of_each("x"):
            assert tell(event).text, event

    def test_hostile_texts_are_shown_as_they_are_and_sent_nowhere(self) -> None:
        for text in HOSTILE:
            for event in one_of_each(text):
                line = event_line(tell(event), "0:00", 80, cursor=True)
                assert line_width(line) == 80, event
                assert all(char.isprintable() for part, _ in line for char in part), event

    def test_a_command_says_who_gave_it_and_why(self) -> None:
        told = [tell(event) for event in happened() if isinstance(event, (ev.CommandApplied, ev.CommandRefused))]
        assert [it.by for it in told] == ["by you", "by you", "by ada@office", "by you: it is late"]
        assert [it.who for it in told] == ["run", "geo_enrich", "calendar", "warm_cache"]
        assert told[2].text == "refused: it has ended already"

    def test_failures_weigh_more_than_starts(self) -> None:
        weights = {tell(event).kind: tell(event).weight for event in happened()}
        assert weights["start"] is Weight.DETAIL
        assert weights["ok"] is Weight.NEWS
        assert weights["retry"] is Weight.WARNING
        assert weights["failed"] is Weight.BAD

    def test_an_output_that_cannot_be_kept_is_a_note_and_no_problem(self) -> None:
        told = tell(ev.Problem(1.0, "journal", "the output is a set; it is not kept", "load"))
        assert (told.kind, told.who, told.weight, told.task) == ("note", "load", Weight.DETAIL, "load")
        assert tell(ev.Problem(1.0, "journal", "the disk is full")).weight is Weight.WARNING


class TestTheRoll:
    def roll(self, text: str = "", **given: Any) -> list[str]:
        story, roll = Story(), EventRoll()
        story.take(1, happened())
        roll.narrow(wanted=EventFilter(text), **given)
        roll.take(story, running_mix())
        return [f"{tell(event).kind} {tell(event).who}" for _, event in roll.shown]

    def test_details_are_left_out_at_first(self) -> None:
        assert "start notify_ops" not in self.roll()
        assert "start notify_ops" in self.roll(least=Weight.DETAIL)

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("kind:retry", ["retry load_orders", "retry fetch_fx_rates", "retry fetch_fx_rates"]),
            ("kind:breaker half", ["breaker fx-api"]),
            ("sev:bad !kind:escalate", ["failed notify_ops", "failed load_orders"]),
            ("by:ada", ["cancel calendar"]),
            ("task:geo kind:hold", ["hold geo_enrich", "hold geo_enrich"]),
            ("/integrity.*881/ kind:failed", ["failed load_orders"]),
            ("state:failed kind:retry", ["retry load_orders"]),
        ],
    )
    def test_the_filter(self, text: str, found: list[str]) -> None:
        assert self.roll(text) == found

    def test_a_wrong_filter_says_what_is_near_and_hides_nothing(self) -> None:
        assert "did you mean 'kind'" in EventFilter("knd:retry").error
        assert "not a regular expression" in EventFilter("/(/").error
        assert self.roll("knd:retry") == self.roll()
        assert "sev: takes" in EventFilter("sev:loud").error

    def test_what_is_new_is_looked_at_once(self) -> None:
        story, roll = Story(), EventRoll()
        told = happened()
        for place, event in enumerate(told):
            story.take(place + 1, [event])
            roll.take(story, running_mix())
        again = EventRoll()
        again.take(story, running_mix())
        assert roll.shown == again.shown
        assert not roll.take(story, running_mix())

    def test_another_story_or_an_earlier_instant_begins_anew(self) -> None:
        story, roll = Story(), EventRoll()
        story.take(1, happened())
        roll.take(story, running_mix())
        earlier = Story()
        earlier.take(1, happened()[:5])
        assert roll.take(earlier, running_mix())
        assert len(roll.shown) == 3

    def test_only_so_many_are_kept(self) -> None:
        story, roll = Story(), EventRoll()
        for start in range(1, 120_001, 20_000):
            story.take(start, [ev.RunPaused(float(n)) for n in range(start, start + 20_000)])
            roll.take(story, running_mix())
        assert 50_000 <= len(roll.shown) <= 55_000
        assert roll.shown[-1][0] == 120_000
        assert roll.place_of(120_000) == len(roll.shown) - 1


class TestKeys:
    async def test_it_follows_the_newest_and_stops_where_the_cursor_goes(self) -> None:
        engine = engine_with_events()
        async with console(engine) as seen:
            await seen.press("7")
            assert "Events 19" in seen.text
            assert "following" in seen.text
            assert "the disk is nearly full" in seen.text
            await seen.press("k", "k")
            assert "f follows" in seen.text
            engine.story.record(25, [ev.TaskSucceeded(251.0, "sessions", 1)])
            await seen.settle()
            assert seen.app.main.stage.current.pane.place == 16
            await seen.press("f")
            assert seen.app.main.stage.current.pane.place == 19

    async def test_the_cursor_selects_the_task_and_enter_goes_to_it(self) -> None:
        async with console(engine_with_events()) as seen:
            await seen.press("7", "k")
            assert seen.selected == "warm_cache"
            await seen.press("enter")
            assert seen.app.main.view == "tasks"
            assert seen.selected == "warm_cache"

    async def test_enter_on_an_event_of_the_run_says_so(self) -> None:
        async with console(engine_with_events()) as seen:
            await seen.press("7", "home", "enter")
            assert seen.app.main.view == "events"
            assert "about no task" in seen.text

    async def test_weights_are_gone_through(self) -> None:
        async with console(engine_with_events(), (100, 40)) as seen:
            await seen.press("7", "s")
            assert "warnings" in seen.text
            assert "succeeded" not in seen.text
            await seen.press("s", "s")
            assert "attempt 1 began" in seen.text
            await seen.press("escape")
            assert "attempt 1 began" not in seen.text

    async def test_only_those_of_one_task(self) -> None:
        async with console(engine_with_events(), (100, 30)) as seen:
            await seen.press("7", "k", "o")
            assert "Events 2 of warm_cache" in seen.text
            await seen.press("o")
            assert "Events 19" in seen.text

    async def test_the_filter_line_is_about_events_here(self) -> None:
        async with console(engine_with_events(), (100, 30)) as seen:
            await seen.press("7", "slash", *"kind:breaker")
            assert "Events 2" in seen.text
            await seen.press("enter", "escape")
            assert "Events 19" in seen.text
            await seen.press("escape")
            assert seen.app.main.view == "tasks"
            assert "filter off" in seen.text

    async def test_n_goes_to_the_next_that_matters(self) -> None:
        async with console(engine_with_events(), (100, 40)) as seen:
            await seen.press("7", "home", "n")
            assert seen.selected == "notify_ops"
            await seen.press("n")
            assert seen.selected == "load_orders"
            await seen.press("N")
            assert seen.selected == "notify_ops"

    async def test_keys_that_steer_act_on_the_task_of_the_event(self) -> None:
        engine = engine_with_events()
        async with console(engine, (100, 30)) as seen:
            await seen.press("7", "slash", *"kind:failed", "enter", "r")
            assert engine.sent == [RestartTask("load_orders")]

    async def test_the_time_is_since_the_beginning_or_on_the_wall(self) -> None:
        async with console(engine_with_events(), (100, 30)) as seen:
            await seen.press("7", "f")
            assert "4:10" in seen.text
            await seen.press("t")
            assert not any(line.startswith("▌4:10 ") for line in seen.lines)
            assert any(line.startswith("▌") and ":10 " in line for line in seen.lines)

    async def test_a_hundred_thousand_events_are_gone_through(self) -> None:
        engine = engine_with_events([ev.TaskSucceeded(float(n), "sessions", 1) for n in range(100_000)])
        async with console(engine) as seen:
            await seen.press("7")
            for _ in range(60):
                seen.app.main.poll()
            await seen.press("home", "pagedown", "G", "pageup")
            assert seen.app.is_running


SIZES = {"80x24": (80, 24), "100x30": (100, 30), "132x40": (132, 40), "160x45": (160, 45)}


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_pictures(snap_compare: Any, size: tuple[int, int], utc: None) -> None:
    app = ConsoleApp(engine_with_events(), title="nightly.py", now=lambda: 0.0)
    assert snap_compare(app, press=["7"], terminal_size=size)


def test_a_hostile_picture(snap_compare: Any) -> None:
    engine = FakeEngine(running_mix())
    engine.story.record(1, [event for text in HOSTILE[:6] for event in one_of_each(text)])
    assert snap_compare(ConsoleApp(engine, title="nightly.py", now=lambda: 0.0), press=["7"], terminal_size=(100, 30))


class TestBelowTheTable:
    async def test_the_latest_events_and_the_log_stand_there_where_there_is_room(self) -> None:
        engine = engine_with_events()
        engine.logs.add("load_orders", "insert 881 failed", at=240.0)
        async with console(engine, (160, 45)) as seen:
            await seen.settle()
            assert "── Events" in seen.text
            assert "Log load_orders" in seen.text
            assert "insert 881 failed" in seen.text
            assert next(line for line in seen.lines if "nearly full" in line).startswith(" 4:10")
            await seen.press("2")
            assert "── Events" not in seen.text
            await seen.press("1")
            await seen.pilot.click("#foot-events", offset=(20, 2))
            await seen.settle()
            assert seen.app.main.view == "events"

    async def test_on_smaller_terminals_they_do_not(self) -> None:
        for size in ((159, 45), (160, 39), (80, 24)):
            async with console(engine_with_events(), size) as seen:
                assert "── Events" not in seen.text

    async def test_it_comes_and_goes_with_the_size(self) -> None:
        async with console(engine_with_events(), (100, 30)) as seen:
            for size in ((170, 50), (60, 15), (170, 50)):
                await seen.pilot.resize_terminal(*size)
                await seen.settle()
                assert ("── Events" in seen.text) is (size == (170, 50))
