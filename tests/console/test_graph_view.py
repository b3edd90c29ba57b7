"""The graph in the console: laid out beside it, walked along its edges, alive."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from console_fakes import FakeEngine, S, hostile, many, running_mix, snapshot_of
from console_pilot import Seen, console
from dagtop.core.snapshot import RunSnapshot
from dagtop_app.graph.loading import Sheet, Wish, load
from dagtop_app.graphview import Scale
from dagtop_app.screens.popup import Popup
from dagtop_app.widgets import laid_out_graph
from dagtop_app.widgets.graph_view import GraphView
from textual.geometry import Offset, Region

pytestmark = pytest.mark.anyio


class Shown:
    """The graph view of a console under test."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    @property
    def view(self) -> GraphView:
        return self.seen.app.main.graph

    @property
    def sheet(self) -> Sheet:
        assert self.view.sheet is not None
        return self.view.sheet

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.seen.pilot.press(key)
            await self.seen.app.workers.wait_for_complete()
            await self.seen.settle()

    @property
    def cursor(self) -> str:
        assert self.view.cursor is not None
        return self.seen.engine.latest.plan.names[self.sheet.tasks[self.view.cursor.node]]

    @property
    def drawn(self) -> str:
        """The drawing alone."""
        region = self.view.region
        return "\n".join(line[region.x : region.right] for line in self.seen.lines[region.y : region.bottom])


@asynccontextmanager
async def graph(scene: RunSnapshot, size: tuple[int, int] = (160, 45)) -> AsyncIterator[Shown]:
    async with console(FakeEngine(scene), size) as seen:
        shown = Shown(seen)
        await shown.press("2")
        yield shown


def pair(**rows: dict[str, object]) -> RunSnapshot:
    return snapshot_of({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}, rows)


class TestWhatIsSeen:
    async def test_every_task_has_its_name_and_the_glyph_of_its_state(self) -> None:
        async with graph(running_mix(), (200, 60)) as shown:
            for text in (
                "✔ extract_orders",
                "● dedupe_events",
                "✖ load_orders",
                "▽ build_mart",
                "↻ fetch_fx_rates",
                "‖ ",
            ):
                assert text in shown.drawn

    async def test_the_title_says_how_large_the_graph_is_and_how_it_is_drawn(self) -> None:
        async with graph(running_mix(), (80, 24)) as shown:
            assert "25 tasks · 7 levels · pills · fit" in shown.seen.text

    async def test_small_graphs_are_boxes_with_a_word_or_a_time_in_them(self) -> None:
        rows = {"a": {"state": S.SUCCEEDED, "started_at": 1.0, "ended_at": 3.5}, "b": {"state": S.BLOCKED}}
        async with graph(pair(**rows), (120, 40)) as shown:
            assert shown.sheet.scale is Scale.BOX
            assert "│✔ a  2.5s├" in shown.drawn
            assert "▽ b block" in shown.drawn

    async def test_what_lies_outside_is_counted_by_side(self) -> None:
        async with graph(running_mix(), (80, 24)) as shown:
            hidden = shown.view.hidden
            assert min(hidden.left, hidden.below) > 0
            assert f"◀ {hidden.left}" in shown.seen.text
            assert f"▼ {hidden.below}" in shown.seen.text

    async def test_lines_of_tasks_that_are_not_over_are_dashed(self) -> None:
        async with graph(pair(a={"state": S.SUCCEEDED}, b={"state": S.RUNNING}), (120, 40)) as shown:
            await shown.press("less_than_sign")
            line = next(line for line in shown.drawn.splitlines() if "● b" in line)
            assert "┅" in line.partition("● b")[2]
            assert "━" in line.partition("● b")[0]

    async def test_an_empty_graph_says_so(self) -> None:
        async with graph(FakeEngine().latest) as shown:
            assert "There is no task to draw." in shown.seen.text
            await shown.press("l", "j", "f", "c", "s", "home", "equals_sign")

    async def test_a_single_task_is_drawn_and_nothing_leads_away_from_it(self) -> None:
        async with graph(snapshot_of({"only": ()}, {})) as shown:
            await shown.press("l", "h", "j", "k", "home", "end", "f", "greater_than_sign", "less_than_sign")
            assert shown.cursor == "only"
            assert "○ only" in shown.drawn

    async def test_hostile_names_are_drawn_as_pictures_of_themselves(self) -> None:
        async with graph(hostile(), (160, 45)) as shown:
            await shown.press("s", "s", "s", "f", "end")
            assert "\x1b" not in shown.seen.text
            assert all(len(line.rstrip("\n")) <= 160 for line in shown.seen.lines)

    async def test_ten_thousand_tasks_are_a_wall_that_names_the_selected_one(self) -> None:
        async with graph(many(3_000), (160, 45)) as shown:
            assert shown.sheet.scale is Scale.WALL
            assert f"{shown.seen.selected} " in shown.seen.lines[shown.view.region.bottom]


class TestKeys:
    async def test_arrows_and_hjkl_follow_the_edges_and_find_back(self) -> None:
        async with graph(pair()) as shown:
            await shown.press("home", "l")
            child = shown.cursor
            assert child in {"b", "c"}
            await shown.press("right")
            assert shown.cursor == "d"
            await shown.press("left")
            assert shown.cursor == child
            await shown.press("down" if child == "b" else "k")
            assert {shown.cursor, child} == {"b", "c"}
            await shown.press("h")
            assert shown.cursor == "a"

    async def test_home_and_end_are_the_ends_of_the_critical_path(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press("end")
            assert shown.cursor == "publish"
            await shown.press("home")
            assert shown.cursor == "auth_token"

    async def test_c_shows_the_critical_path_and_its_length(self) -> None:
        rows = {
            "b": {"state": S.SUCCEEDED, "started_at": 0.0, "ended_at": 1.0},
            "c": {"state": S.SUCCEEDED, "started_at": 0.0, "ended_at": 90.0},
        }
        async with graph(pair(**rows)) as shown:
            await shown.press("c")
            assert [shown.seen.engine.latest.plan.names[task] for task in shown.view.critical.tasks] == ["a", "c", "d"]
            assert "critical path" in shown.seen.text
            await shown.press("c")
            assert "critical path" not in shown.seen.text

    async def test_s_goes_through_the_sizes_and_equals_fits_again(self) -> None:
        async with graph(running_mix()) as shown:
            seen = [shown.sheet.scale]
            for _ in range(3):
                await shown.press("s")
                seen.append(shown.sheet.scale)
            assert set(seen) == set(Scale)
            await shown.press("equals_sign")
            assert (shown.view.scale, shown.sheet.scale) == (None, seen[0])

    async def test_equals_shows_all_of_it_however_small(self) -> None:
        """A first look is to be read, and the rest scrolled to; but a fit is to fit."""
        async with graph(running_mix(), (80, 20)) as shown:
            assert not shown.sheet.scale.is_small
            await shown.press("equals_sign")
            assert (shown.view.scale, shown.view.whole) == (None, True)
            assert shown.sheet.scale.is_small
            await shown.press("greater_than_sign")
            assert (shown.view.whole, shown.sheet.scale) == (False, Scale.PILL)

    async def test_smaller_and_larger_stop_at_the_ends(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press(*["less_than_sign"] * 4)
            assert shown.sheet.scale is Scale.WALL
            await shown.press(*["greater_than_sign"] * 4)
            assert shown.sheet.scale is Scale.BOX

    async def test_f_shows_what_is_around_the_task_and_depth_changes_how_much(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press("f", "less_than_sign", "less_than_sign", "less_than_sign")
            names = shown.seen.engine.latest.plan.names
            assert shown.sheet.depth == 1
            assert {names[task] for task in shown.sheet.tasks} == {"join_orders", "load_orders", "build_mart"}
            assert "around load_orders ±1" in shown.seen.text
            await shown.press("greater_than_sign")
            assert shown.sheet.depth == 2
            await shown.press("f")
            assert len(shown.sheet.tasks) == 25

    async def test_a_step_out_of_the_part_takes_the_part_along(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press("f", "less_than_sign", "less_than_sign", "l", "l")
            assert shown.cursor == "publish" == shown.seen.selected
            assert "around publish ±1" in shown.seen.text

    async def test_escape_goes_back_from_part_and_path_before_it_goes_to_the_table(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press("c", "f", "escape")
            assert not shown.sheet.is_part
            assert shown.view.critical
            await shown.press("escape")
            assert not shown.view.critical
            assert shown.seen.app.main.view == "graph"
            await shown.press("escape")
            assert shown.seen.app.main.view == "tasks"

    async def test_pages_and_brackets_scroll_and_leave_the_cursor_alone(self) -> None:
        async with graph(many(200), (80, 24)) as shown:
            before, offset = shown.cursor, shown.view.scroll_offset
            await shown.press("pagedown", "right_square_bracket", "ctrl+d")
            assert shown.view.scroll_offset != offset
            assert shown.cursor == before

    async def test_enter_opens_the_task_and_o_its_log(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press("enter")
            assert isinstance(shown.seen.app.screen, Popup)
            await shown.press("escape", "o")
            assert shown.seen.app.main.log_pane.subject == "load_orders"

    async def test_a_click_selects_and_a_second_one_opens(self) -> None:
        async with graph(running_mix()) as shown:
            node = shown.sheet.nodes[shown.seen.engine.latest.plan.index["join_orders"]]
            place = shown.view.place_of(node) + Offset(2, 0)
            await shown.seen.pilot.click("#drawing", offset=place)
            await shown.seen.settle()
            assert shown.seen.selected == "join_orders"
            await shown.seen.pilot.click("#drawing", offset=shown.view.place_of(node) + Offset(2, 0), times=2)
            await shown.seen.settle()
            assert isinstance(shown.seen.app.screen, Popup)


class TestOneSelection:
    async def test_the_table_and_the_graph_follow_each_other(self) -> None:
        async with graph(running_mix()) as shown:
            assert shown.cursor == "load_orders" == shown.seen.selected
            await shown.press("h")
            assert shown.seen.selected == "join_orders"
            await shown.press("1", "j")
            chosen = shown.seen.selected
            await shown.press("2")
            assert shown.cursor == chosen

    async def test_quick_keys_are_not_undone_by_an_older_selection(self) -> None:
        async with graph(many(300)) as shown:
            plan = shown.seen.engine.latest.plan
            for _ in range(6):
                shown.view.do("right")
                shown.seen.app.main.poll()
            at = shown.cursor
            await shown.seen.settle()
            assert shown.cursor == at == shown.seen.selected
            assert plan.index[at] >= 60

    async def test_leaving_in_haste_does_not_make_it_deaf(self) -> None:
        async with graph(running_mix()) as shown:
            shown.view.do("left")
            shown.seen.app.main.action_view("tasks")
            await shown.press("j", "home")
            chosen = shown.seen.selected
            await shown.press("2")
            assert shown.cursor == chosen

    async def test_the_next_problem_is_shown(self) -> None:
        async with graph(running_mix(), (80, 24)) as shown:
            await shown.press("n")
            assert shown.cursor == shown.seen.selected != "load_orders"
            node = shown.view.cursor.node if shown.view.cursor else 0
            assert Region(0, 0, *shown.view.size).contains_point(shown.view.place_of(node))

    async def test_a_filter_makes_tasks_stand_out_and_walking_on_keeps_it(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press("slash", *"orders", "enter")
            names = shown.seen.engine.latest.plan.names
            sought = shown.view.sought
            assert sought is not None
            assert {names[shown.sheet.tasks[node]] for node in sought} >= {"clean_orders", "join_orders", "load_orders"}
            await shown.press("l")
            assert shown.cursor == "build_mart" == shown.seen.selected
            assert shown.seen.app.main.roster.wanted.text == "orders"

    async def test_a_filter_holds_in_a_drawing_that_is_made_anew(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press("slash", *"orders", "enter")
            sheet = shown.view.sheet
            shown.view._order()
            await shown.seen.app.workers.wait_for_complete()
            await shown.seen.pilot.pause()
            assert shown.view.sheet is not sheet
            assert shown.view.sought is not None

    async def test_problems_only_keeps_the_whole_graph_in_sight(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press("exclamation_mark")
            assert shown.view.sought is not None
            assert "extract_items" in shown.drawn
            await shown.press("exclamation_mark")
            assert shown.view.sought is None


class TestChanges:
    async def test_a_state_is_painted_without_another_layout(self) -> None:
        async with graph(running_mix()) as shown:
            sheet, drawing = shown.view.sheet, shown.view.drawing
            assert "● dedupe_events" in shown.drawn
            shown.seen.engine.change("dedupe_events", state=S.SUCCEEDED, ended_at=250.0)
            await shown.seen.settle()
            assert "✔ dedupe_events" in shown.drawn
            assert (shown.view.sheet, shown.view.drawing) == (sheet, drawing)

    async def test_only_the_task_and_its_lines_are_painted_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with graph(running_mix()) as shown:
            asked: list[Region] = []

            def refresh(*regions: Region, **_: object) -> GraphView:
                asked.extend(regions)
                return shown.view

            monkeypatch.setattr(shown.view, "refresh", refresh)
            shown.seen.engine.change("sessions", state=S.RUNNING, started_at=250.0)
            shown.seen.app.main.poll()
            assert asked
            assert sum(region.area for region in asked) < shown.view.size.area // 4

    async def test_the_time_in_a_box_goes_on(self) -> None:
        async with graph(pair(a={"state": S.RUNNING, "started_at": 240.0})) as shown:
            assert "0:12" in shown.drawn
            shown.seen.clock.now = 3.0
            await shown.seen.settle()
            assert "0:15" in shown.drawn

    async def test_another_graph_is_laid_out_and_tasks_that_stay_keep_their_rows(self) -> None:
        async with graph(running_mix()) as shown:
            await shown.press("f")
            edges = dict.fromkeys(("new",), ()) | {
                name: tuple(
                    shown.seen.engine.latest.plan.names[up] for up in shown.seen.engine.latest.plan.upstream[place]
                )
                for place, name in enumerate(shown.seen.engine.latest.plan.names)
            }
            shown.seen.engine.latest = snapshot_of(edges, {}, version=2)
            await shown.press("j")
            assert not shown.sheet.is_part
            assert len(shown.sheet.tasks) == 26
            assert shown.sheet.wish.plan is shown.seen.engine.latest.plan

    async def test_resizing_at_random_never_breaks_the_drawing(self) -> None:
        chance = random.Random(7)
        async with graph(running_mix()) as shown:
            for key in ("s", "f", "s", "c", "f", "s", "equals_sign"):
                await shown.press(key, chance.choice("hjkl"))
                for _ in range(2):
                    size = chance.choice(((1, 1), (20, 5), (60, 15), (61, 40), (80, 24), (132, 16), (200, 60)))
                    await shown.seen.pilot.resize_terminal(*size)
            await shown.seen.pilot.resize_terminal(160, 45)
            await shown.press("j")
            assert shown.cursor in shown.drawn


class TestTheWorker:
    async def test_the_screen_says_what_it_waits_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        go = threading.Event()

        def slow(wish: Wish, before: Sheet | None, cancelled: object) -> Sheet | None:
            assert go.wait(30)
            return load(wish, before, lambda: False)

        monkeypatch.setattr(laid_out_graph, "load", slow)
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("2")
            assert "laying out 25 tasks…" in seen.text
            await seen.press("l", "c", "f")
            go.set()
            await seen.app.workers.wait_for_complete()
            await seen.settle()
            assert "laying out" not in seen.text

    async def test_leaving_cancels_a_layout_in_the_middle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begun, gone = threading.Event(), threading.Event()

        def endless(wish: Wish, before: Sheet | None, cancelled: object) -> Sheet | None:
            begun.set()
            while not cancelled():  # type: ignore[operator]
                gone.wait(0.001)
            gone.set()
            return None

        monkeypatch.setattr(laid_out_graph, "load", endless)
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("2")
            assert begun.wait(30)
        await asyncio.to_thread(gone.wait, 30)
        assert gone.is_set()

    async def test_another_size_cancels_the_one_that_is_being_made(self) -> None:
        async with graph(running_mix()) as shown:
            view = shown.view
            view.do("size")
            first = view._worker
            view.do("size")
            assert first is not None
            assert first.is_cancelled
            await shown.press("j")
            assert shown.sheet.scale is view.scale

    async def test_a_size_that_comes_before_the_first_drawing_is_the_one_that_it_is_made_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a loaded machine boxes came out as pills: the scale was chosen for a view that had no size yet."""
        may_go = threading.Event()

        def held(wish: Wish, before: Sheet | None, cancelled: Callable[[], bool]) -> Sheet | None:
            may_go.wait(30)
            return load(wish, before, cancelled)

        monkeypatch.setattr(laid_out_graph, "load", held)
        async with console(FakeEngine(running_mix()), (80, 24)) as seen:
            await seen.press("2")
            await seen.pilot.resize_terminal(200, 70)
            await seen.settle()
            view = seen.app.main.graph
            assert view.sheet is None
            may_go.set()
            await seen.app.workers.wait_for_complete()
            await seen.settle()
            assert view.sheet is not None
            assert view.sheet.wish.room == tuple(view.scrollable_content_region.size)
            assert view.sheet.scale is Scale.BOX

    async def test_a_layout_that_breaks_is_told_and_the_console_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(wish: Wish, before: Sheet | None, cancelled: object) -> Sheet | None:
            raise ZeroDivisionError("no room")

        monkeypatch.setattr(laid_out_graph, "load", broken)
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("2")
            for _ in range(3):
                await seen.settle()
            assert "The graph cannot be drawn: ZeroDivisionError" in seen.text
            await seen.press("1")
            assert "load_orders" in seen.text


class TestLoading:
    def test_an_unwanted_drawing_is_given_up(self) -> None:
        assert load(Wish(plan=running_mix().plan), None, lambda: True) is None

    @pytest.mark.parametrize("room", [(300, 100), (160, 40), (80, 20), (40, 8), (20, 5)])
    def test_the_whole_is_in_the_room(self, room: tuple[int, int]) -> None:
        for plan in (running_mix().plan, many(36).plan):
            sheet = load(Wish(plan=plan, room=room, whole=True), None, lambda: False)
            assert sheet is not None
            routing = sheet.atlas.maps.get(sheet.scale)
            assert sheet.scale.is_small or (routing and routing.width < room[0] and routing.height <= room[1])

    def test_the_order_is_worked_out_once_per_plan(self) -> None:
        plan = running_mix().plan
        first = load(Wish(plan=plan, scale=Scale.PILL), None, lambda: False)
        assert first is not None
        second = load(Wish(plan=plan, scale=Scale.BOX), first, lambda: False)
        assert second is not None
        assert second.atlas.layout is first.atlas.layout
        assert second.layout.layers is first.layout.layers
        third = load(Wish(plan=plan, scale=Scale.PILL), second, lambda: False)
        assert third is not None
        assert third.layout is first.layout

    def test_being_cancelled_in_the_middle_leaves_nothing_behind(self) -> None:
        calls = iter([False] * 3)
        assert load(Wish(plan=running_mix().plan), None, lambda: next(calls, True)) is None
        assert next(calls, True)


async def test_without_colour_and_in_ascii_the_glyphs_carry_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("faces", "graph.texts", "graph.words", "widgets.graph_inks"):
        monkeypatch.setattr(f"dagtop_app.{module}.ASCII", True)
    monkeypatch.setenv("NO_COLOR", "1")
    async with graph(running_mix()) as shown:
        assert "! load_orders" in shown.drawn
        assert shown.drawn.isascii()
