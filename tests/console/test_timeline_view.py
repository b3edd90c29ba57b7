"""View 3 as a person uses it: its keys, the one selection, what is drawn of a run that goes on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from console_fakes import FakeEngine, S, many
from console_nested import nested
from console_pilot import Seen, console
from dagtop.core import events as ev
from dagtop.core.snapshot import EMPTY
from dagtop.core.states import RunState
from dagtop.observe.story import Story
from dagtop_app import faces
from dagtop_app.widgets.timeline import TimelinePane
from timeline_scenes import enemies, engine_of, mapped, nightly, nothing_told, over, resumed

pytestmark = pytest.mark.anyio


def pane_of(seen: Seen) -> TimelinePane:
    pane = seen.app.main.pane
    assert isinstance(pane, TimelinePane)
    return pane


def row_of(seen: Seen, task: str) -> str:
    """The line of a task: the first one with its name behind the glyph, in the chart."""
    return next(line for line in seen.lines if line[3:].startswith(task[:14]) and "│" in line)


async def test_the_timeline_shows_what_each_task_spent_its_time_on() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3")
        assert "Timeline  nightly · r-7f3a" in seen.text
        assert "✖✖✖" in row_of(seen, "load_orders")
        assert "+112% ▲" in row_of(seen, "extract_events")
        assert "▓▓▓" in row_of(seen, "extract_events")
        assert "░░░" in row_of(seen, "train_ltv")
        assert "┊" in row_of(seen, "backfill_2019")
        assert "slots of 8" in seen.text
        assert "gpu 1" in seen.text
        assert "░ queued" in seen.text


async def test_zoom_pan_fit_and_follow() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3")
        assert " · fit · " in seen.text
        fitted = pane_of(seen).scene.window
        await seen.press(">")
        assert pane_of(seen).scene.window.step < fitted.step
        assert "follows now" in seen.text
        await seen.press("f")
        assert "follows now" not in seen.text
        left = pane_of(seen).scene.window.left
        await seen.press("h")
        assert pane_of(seen).scene.window.left < left
        await seen.press("right", "l", "shift+right")
        assert pane_of(seen).scene.window.left > left
        await seen.press("H", "shift+left")
        await seen.press("<", "<", "<")
        assert pane_of(seen).scene.window.step > fitted.step
        await seen.press("=")
        assert pane_of(seen).scene.window == fitted
        await seen.press(">", "escape")
        assert pane_of(seen).scene.window == fitted
        await seen.press("escape")
        assert seen.app.main.view == "tasks"


async def test_the_critical_path_is_shown_or_not() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3")
        assert "═" in row_of(seen, "auth_token")
        await seen.press("c")
        assert "═" not in row_of(seen, "auth_token")
        assert "critical path ═" not in seen.text


async def test_the_order_goes_round() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3")
        by_start = list(pane_of(seen).shown)
        assert "by start" in seen.text
        await seen.press("o")
        assert list(pane_of(seen).shown) == list(seen.app.main.roster.order)
        assert "table's order" in seen.text
        await seen.press("o")
        assert "longest first" in seen.text
        await seen.press("o")
        assert list(pane_of(seen).shown) == by_start


async def test_one_selection_goes_through_the_views() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("G")
        chosen = seen.selected
        await seen.press("3")
        assert pane_of(seen).row_at(pane_of(seen).place).name == chosen  # type: ignore[union-attr]
        await seen.press("home")
        assert seen.selected == "auth_token"
        await seen.press("j", "down")
        third = seen.selected
        assert any(line.startswith("▌") and str(third)[:14] in line for line in seen.lines)
        await seen.press("1")
        assert seen.selected == third
        await seen.press("3", "G")
        assert seen.selected == "backfill_2019"
        await seen.press("ctrl+u", "k", "pageup", "ctrl+d", "pagedown", "g", "g")
        assert seen.selected == "auth_token"


async def test_what_is_told_below_is_about_the_selected_task() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3")
        seen.app.main.select(seen.engine.latest.plan.index["load_orders"])
        await seen.settle()
        assert "FAILED 3/3" in seen.text
        assert "✖ IntegrityError" in seen.text
        assert "blocks build_mart" in seen.text
        assert "critical " in seen.text
        await seen.press("i")
        assert "FAILED 3/3" not in seen.text
        await seen.press("i")
        assert "FAILED 3/3" in seen.text


async def test_keys_that_steer_act_on_its_task() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3")
        seen.app.main.select(seen.engine.latest.plan.index["geo_enrich"])
        await seen.settle()
        await seen.press("p")
        assert [type(command).__name__ for command in seen.engine.sent] == ["ReleaseTask"]
        await seen.press("w")
        assert seen.app.screen is not seen.app.main


async def test_the_log_of_its_task_is_opened_with_t() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3", "home", "t")
        assert seen.app.main.view == "logs"
        assert "auth_token" in seen.text


async def test_the_filter_of_the_table_holds_here() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3", "slash", *"orders", "enter")
        names = {pane_of(seen).scene.snapshot.plan.names[index] for index in pane_of(seen).shown}
        assert names == {"extract_orders", "clean_orders", "join_orders", "load_orders"}
        await seen.press("n")
        assert seen.selected == "load_orders"


async def test_marked_tasks_are_marked_here() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3", "home", "space", "j", "j")
        assert any(line.startswith("*✔ auth_token") for line in seen.lines)


async def test_a_click_selects_and_a_second_one_opens() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3")
        await seen.pilot.click("#timeline", offset=(5, 1))
        await seen.settle()
        assert seen.selected == pane_of(seen).row_at(1).name  # type: ignore[union-attr]
        await seen.pilot.click("#timeline", offset=(5, 1), times=2)
        await seen.settle()
        assert seen.app.screen is not seen.app.main


async def test_it_grows_with_the_run() -> None:
    engine = nightly()
    async with console(engine, (160, 45)) as seen:
        await seen.press("3")
        before = row_of(seen, "extract_events").count("▓")
        engine.show(at=270.0)
        seen.clock.now += 18
        await seen.settle()
        assert row_of(seen, "extract_events").count("▓") > before
        engine.story.record(900, [ev.TaskSucceeded(271.0, "extract_events", 1)])
        engine.change("extract_events", state=S.SUCCEEDED, ended_at=271.0)
        engine.show(at=272.0)
        await seen.settle()
        assert "▓" not in row_of(seen, "extract_events")


async def test_a_run_that_is_over_has_no_now() -> None:
    async with console(over(), (160, 45)) as seen:
        await seen.press("3")
        assert "┊" not in "".join(line for line in seen.lines if "│" in line)
        await seen.press("f")
        assert "the run is over: there is no now to follow" in seen.text
        await seen.press(">")
        assert "follows now" not in seen.text


async def test_a_run_whose_past_is_not_known_is_drawn_from_what_is() -> None:
    async with console(nothing_told(), (160, 45)) as seen:
        await seen.press("3")
        assert "✖✖✖" in row_of(seen, "load_orders")
        assert "▓▓▓" in row_of(seen, "extract_events")


async def test_a_run_that_was_gone_on_with_shows_its_latest_part_or_all_of_it() -> None:
    async with console(resumed(), (160, 45)) as seen:
        await seen.press("3")
        assert "▓▓▓" in row_of(seen, "b")
        assert pane_of(seen).scene.window.left == pytest.approx(86400.0)
        await seen.press("=")
        assert pane_of(seen).scene.window.left == 0.0
        assert "lost with its process" in seen.text


async def test_the_past_of_a_long_run_is_read_bit_by_bit_and_that_is_told() -> None:
    engine = nightly()
    ticks = iter(range(1_000_000))
    engine.story = Story(now=lambda: float(next(ticks)))
    engine.story.record(1, [ev.TaskReady(1.0, "auth_token")] * 20_000)
    async with console(engine, (160, 45)) as seen:
        await seen.press("3")
        assert "reading 1" in seen.text
        while not engine.story.catch_up():
            pass
        await seen.settle()


async def test_another_engine_has_another_story() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3")
        other = engine_of(msgspec.structs.replace(nightly().latest, state=RunState.SUCCEEDED, run="r-other"))
        seen.app.bridge.attach(other)
        seen.app.main.on_attached()
        await seen.settle()
        assert "r-other" in seen.text
        assert pane_of(seen).scene.story is other.story


async def test_levels_have_a_row_for_each_node_and_are_entered() -> None:
    async with console(FakeEngine(nested()), (160, 45)) as seen:
        await seen.press("3", "home")
        assert any("▸" in line and "│" in line for line in seen.lines)
        before = set(pane_of(seen).shown)
        await seen.press("enter")
        assert set(pane_of(seen).shown) != before
        await seen.press("backspace")
        assert set(pane_of(seen).shown) == before


async def test_a_command_of_the_timeline_shows_it_first() -> None:
    async with console(nightly(), (160, 45)) as seen:
        await seen.app.main.run_action("do('closer', 'timeline')")
        await seen.settle()
        await seen.settle()
        assert "follows now" in seen.text
        assert 0.5 <= pane_of(seen).scene.window.step < 10


async def test_what_was_scrolled_to_stays_in_sight_when_rows_come() -> None:
    engine = engine_of(many(400))
    async with console(engine, (100, 30)) as seen:
        await seen.press("3", "home")
        pane_of(seen).scroll_to(y=100, animate=False, force=True)
        await seen.settle()
        engine.story.record(90_000, [ev.TaskReady(900.0, "load_000399")])
        engine.change("load_000399", state=S.READY)
        seen.clock.now += 60
        await seen.settle()
        assert pane_of(seen).scroll_offset.y == 100
        await seen.press("j")
        assert pane_of(seen).scroll_offset.y < 10


async def test_ten_thousand_rows_are_gone_through_and_only_those_in_sight_are_made() -> None:
    async with console(FakeEngine(many(10_000)), (160, 45)) as seen:
        await seen.press("3", "G", "pageup", *"kkkkk", "o", "o", ">", "h", "home", "end")
        assert seen.selected is not None
        assert len(pane_of(seen)._drawn) < 45


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (250, 70)])
@pytest.mark.parametrize("scene", [nightly, over, enemies, resumed, lambda: FakeEngine(EMPTY)])
async def test_every_key_works_at_every_size_on_anything(
    scene: Callable[[], FakeEngine], size: tuple[int, int]
) -> None:
    async with console(scene(), size) as seen:
        await seen.press(*"3>hlfco<=HjGo", "home", "i", "shift+right", "escape", "3")
        assert all(len(line) == size[0] or not line.isascii() for line in seen.lines)
        assert seen.app.is_running


async def test_ascii_draws_no_glyph_that_a_plain_terminal_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "ASCII", True)
    async with console(nightly(), (160, 45)) as seen:
        await seen.press("3")
        chart = [line.split("|")[1] for line in seen.lines[6:28] if line.count("|") >= 2]
        assert len(chart) > 15
        assert all(line.isascii() for line in chart)


async def test_a_group_is_one_row_with_how_many_of_it_ran_at_once_and_is_entered() -> None:
    async with console(mapped(), (160, 45)) as seen:
        await seen.press("3", "home", "j")
        row = row_of(seen, "load[0..19]")
        assert "█" in row
        assert "✖" in row.split("│")[1]
        assert "╌" in row
        assert "✔8 ●1 ◌10 ✖1" in row
        assert "load[0..19] · 20 tasks" in seen.text
        await seen.press("enter")
        assert len(pane_of(seen).shown) == 20
        assert "✖✖" in row_of(seen, "load[3]")
        await seen.press("escape")
        assert len(pane_of(seen).shown) == 3
        assert seen.app.main.view == "timeline"
