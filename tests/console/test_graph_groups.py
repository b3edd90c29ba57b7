"""The graph view at large scales: groups folded into boxes with bars, the wall, the map; and lanes beside the table."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console_fakes import FakeEngine, S, many, running_mix, snapshot_of
from console_pilot import console
from dagtop.core.breakers import BreakerView
from dagtop.core.guards import Breaker, BreakerState
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.snapshot import RunSnapshot
from dagtop_app.graph.loading import Sheet, Wish, load
from dagtop_app.graph.words import NodeWords, bar_of, inset_of
from dagtop_app.graphview import Scale
from dagtop_app.lines import line_width
from test_graph_view import Shown, graph

pytestmark = pytest.mark.anyio


def mapped(count: int = 100, /, **rows: dict[str, Any]) -> RunSnapshot:
    """start, load[0..count-1], end; the first ten have succeeded, one has failed, two run."""
    edges: dict[str, tuple[str, ...]] = {"start": ()}
    edges |= {f"load[{n}]": ("start",) for n in range(count)}
    edges |= {"end": tuple(f"load[{n}]" for n in range(count)), "other": ("start",)}
    states = [S.SUCCEEDED] * 10 + [S.FAILED] + [S.RUNNING] * 2
    given: dict[str, dict[str, Any]] = {
        f"load[{n}]": {"state": state, "attempt": 1, "started_at": 1.0, "ended_at": 2.0}
        for n, state in enumerate(states[:count])
    }
    return snapshot_of(edges, {"start": {"state": S.SUCCEEDED, "attempt": 1}, **given, **rows})


class TestGroups:
    async def test_tasks_with_one_name_are_one_box_with_a_bar_and_how_far_they_are(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            assert (shown.sheet.scale, shown.sheet.is_folded) == (Scale.BOX, True)
            assert "✖ load[0..99]" in shown.drawn
            assert "1✖ 10/100" in shown.drawn
            assert "█" in shown.drawn
            assert "103 tasks · 3 levels · boxes · 1 group folded · fit" in shown.seen.text

    async def test_the_line_below_says_what_is_in_the_group_and_that_keys_act_on_all_of_it(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("end", "h")
            foot = shown.seen.lines[shown.view.region.bottom]
            assert "load[0..99]  ✖1 ●2 ○87 ✔10 · keys act on all of it · Enter opens" in foot
            assert shown.seen.selected == "load[10]"
            assert len(shown.seen.app.main.chosen_rows) == 100

    async def test_keys_act_on_all_of_a_group_after_what_it_would_lose_was_told(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("end", "h", "x")
            assert shown.seen.app.screen is not shown.seen.app.main
            assert "2" in shown.seen.text
            await shown.press("enter")
            named = {getattr(command, "task", None) for command in shown.seen.engine.sent}
            assert {"load[11]", "load[12]"} <= named

    async def test_space_marks_all_of_a_group_or_one_task_and_shows_it(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("end", "space")
            assert "○*end" in shown.drawn
            await shown.press("h", "space")
            assert "✖*load[0..99]" in shown.drawn
            assert len(shown.seen.app.main.chosen_rows) == 101
            await shown.press("space", "end", "space")
            assert not shown.seen.app.main.roster.marks
            assert "*" not in shown.drawn

    async def test_the_first_task_of_a_group_that_is_drawn_by_itself_stands_for_itself(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("H", "home", "l")
            while shown.cursor != "load[0]":
                await shown.press("k")
            assert [row.name for row in shown.seen.app.main.chosen_rows] == ["load[0]"]

    async def test_enter_opens_a_group_in_its_place_and_escape_closes_it(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("end", "h", "enter")
            assert "load[10..19]" in shown.drawn
            assert shown.seen.selected == "load[10]"
            await shown.press("enter")
            assert "✖ load[10]" in shown.drawn
            assert "load[20..29]" in {bundle.label for bundle in shown.sheet.bundles.values()}
            await shown.press("escape", "escape")
            assert "load[0..99]" in shown.drawn
            assert shown.seen.app.main.view == "graph"

    async def test_enter_on_a_task_shows_all_about_it(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("end", "enter")
            assert shown.seen.app.screen is not shown.seen.app.main

    async def test_the_inspector_is_about_the_group_or_the_task_as_it_is_drawn(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("end", "h")
            assert "load[0..99] · 100 tasks" in shown.seen.text
            await shown.press("H")
            assert "load[0..99] · 100 tasks" not in shown.seen.text
            assert "── load[10] ──" in shown.seen.text

    async def test_capital_h_shows_every_task_and_folds_them_again(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("H")
            assert (shown.sheet.is_folded, len(shown.sheet.tasks)) == (False, 103)
            await shown.press("H")
            assert shown.sheet.is_folded
            await shown.press("H", "equals_sign")
            assert shown.sheet.is_folded

    async def test_a_bar_moves_with_its_tasks(self) -> None:
        scene = mapped()
        engine = FakeEngine(scene)
        async with console(engine, (120, 40)) as seen:
            shown = Shown(seen)
            await shown.press("2")
            for n in range(50, 60):
                engine.change(f"load[{n}]", state=S.SUCCEEDED)
            await seen.settle()
            assert "1✖ 20/100" in shown.drawn
            engine.change("load[10]", state=S.SUCCEEDED)
            await seen.settle()
            assert " 21/100" in shown.drawn
            assert "● load[0..99]" in shown.drawn

    async def test_the_lines_of_a_group_are_dashed_until_all_of_it_is_over(self) -> None:
        done: dict[str, dict[str, Any]] = {f"load[{n}]": {"state": S.SUCCEEDED} for n in range(100)}
        async with graph(mapped(100, **done), (120, 40)) as shown:
            await shown.press("home")
            assert "╟──" in shown.drawn or "╟━━" in shown.drawn
        async with graph(mapped(), (120, 40)) as shown:
            assert "╟┄" in shown.drawn or "╟┅" in shown.drawn

    async def test_around_a_task_groups_are_folded_and_the_task_is_not(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("end", "f")
            names = shown.seen.engine.latest.plan.names
            assert "end" in {names[task] for task in shown.sheet.tasks}
            assert shown.sheet.is_folded

    async def test_the_critical_path_goes_through_a_group(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("c")
            pieces = shown.view.critical.pieces(shown.sheet)
            assert [len(piece) for piece in pieces] == [3]

    async def test_the_next_problem_is_found_in_its_group(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("home", "n")
            assert shown.view.cursor is not None
            assert shown.view.cursor.node in shown.sheet.bundles

    async def test_a_filter_lights_the_groups_that_have_it(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("slash", *"load[7]", "enter")
            assert shown.view.sought == {shown.sheet.nodes[8]}

    async def test_few_tasks_are_not_folded(self) -> None:
        async with graph(mapped(8), (60, 20)) as shown:
            assert not shown.sheet.is_folded

    async def test_pills_say_how_far_a_group_is(self) -> None:
        async with graph(mapped(), (120, 40)) as shown:
            await shown.press("s")
            assert "✖ load[0..99] 10/100" in shown.drawn


class TestWallAndMap:
    async def test_a_wall_has_half_a_cell_for_each_task_and_a_glyph_for_what_failed(self) -> None:
        async with graph(mapped(1000), (120, 40)) as shown:
            await shown.press("less_than_sign", "less_than_sign", "less_than_sign")
            assert shown.sheet.scale is Scale.WALL
            assert shown.drawn.count("✖") == 1
            assert shown.drawn.count("▀") >= 499

    async def test_if_not_all_fit_several_share_half_a_cell(self) -> None:
        async with graph(mapped(4000), (60, 20)) as shown:
            await shown.press(*["less_than_sign"] * 3)
            assert shown.sheet.scale is Scale.WALL
            assert max(len(bundle.tasks) for bundle in shown.sheet.bundles.values()) == 3
            assert shown.view.drawing is not None
            assert shown.view.drawing.width <= 60

    async def test_without_colour_every_task_of_a_wall_has_its_glyph(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        async with graph(mapped(1000), (120, 40)) as shown:
            await shown.press("less_than_sign", "less_than_sign", "less_than_sign")
            assert shown.sheet.scale is Scale.WALL
            assert "▀" not in shown.drawn
            assert shown.drawn.count("○") > 500

    async def test_keys_walk_over_a_wall(self) -> None:
        async with graph(many(3_000), (160, 45)) as shown:
            before = shown.cursor
            await shown.press("l")
            after = shown.cursor
            await shown.press("h")
            assert (shown.cursor, after) == (before, f"load_{int(before[-6:]) + 10:06}")

    async def test_the_map_is_there_when_the_drawing_is_larger_and_capital_w_hides_it(self) -> None:
        async with graph(mapped(120), (100, 40)) as shown:
            assert not any("\u2801" <= char <= "\u28ff" for char in shown.drawn)
            await shown.press("H")
            assert any("\u2801" <= char <= "\u28ff" for char in shown.drawn)
            await shown.press("W")
            assert not any("\u2801" <= char <= "\u28ff" for char in shown.drawn)
            await shown.press("W")
            assert any("\u2801" <= char <= "\u28ff" for char in shown.drawn)

    async def test_a_click_on_the_map_goes_there_and_selects_nothing(self) -> None:
        async with graph(mapped(120), (100, 40)) as shown:
            await shown.press("H", "home")
            before, top = shown.cursor, shown.view.scroll_offset.y
            corner = shown.view._map_region(shown.view.window)
            assert corner is not None
            await shown.seen.pilot.click(shown.view, offset=(corner.right - 18, corner.bottom - 2))
            await shown.seen.settle()
            assert shown.view.scroll_offset.y > top
            assert shown.cursor == before

    async def test_hostile_names_make_groups_that_are_drawn_as_pictures_of_themselves(self) -> None:
        edges: dict[str, tuple[str, ...]] = {"a": ()}
        for name in ("\x1b[31m", "\u202e", "名前" * 300, "x" * 10_000, "[/bold]", " "):
            edges |= {f"{name}[{n}]": ("a",) for n in range(30)}
        async with graph(snapshot_of(edges, {}), (80, 24)) as shown:
            assert shown.sheet.is_folded
            await shown.press("l", "j", "j", "enter", "s", "s", "s", "H", "t", "2")
            assert "\x1b" not in shown.seen.text
            assert "\u202e" not in shown.seen.text


class TestBoxes:
    def test_a_bar_is_exactly_as_long_as_its_room_and_shows_every_problem(self) -> None:
        counts = {S.SUCCEEDED: 9_801, S.RUNNING: 8, S.FAILED: 3, S.WAITING: 188}
        for cells in (1, 4, 10, 37):
            spans = bar_of(counts, cells)
            assert line_width(spans) == cells
        assert "✖" in "".join(text for text, _ in bar_of(counts, 10))
        assert bar_of({S.SUCCEEDED: 3}, 5) == [("█████", "ok")]
        assert bar_of({}, 3) == [("   ", "")]

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"state": S.RUNNING, "attempt": 1}, ""),
            ({"state": S.RUNNING, "attempt": 2}, "2/3"),
            ({"state": S.FAILED, "attempt": 5}, "5 tries"),
            ({"state": S.RUNNING, "attempt": 1, "started_at": 1.0, "progress": (5.0, 10.0, "")}, "█████·····"),
            ({"state": S.READY, "policy": TaskPolicy(circuit="api")}, "◐ api"),
            ({"state": S.SUCCEEDED, "attempt": 1, "policy": TaskPolicy(circuit="api")}, ""),
        ],
    )
    def test_a_box_tells_tries_progress_and_breaker(self, fields: dict[str, Any], said: str) -> None:
        half = BreakerView(
            name="api", spec=Breaker("api"), state=BreakerState.HALF_OPEN, computed=BreakerState.HALF_OPEN, failures=0
        )
        given = {"policy": TaskPolicy(retry=Retry(retries=2))} | fields
        scene = snapshot_of({"a": ()}, {"a": given}, breakers=(half,))
        assert inset_of(scene, scene.rows[0], 10) == said

    async def test_what_a_box_tells_stands_in_its_lower_edge(self) -> None:
        rows = {"a": {"state": S.RUNNING, "attempt": 2, "policy": TaskPolicy(retry=Retry(retries=2))}}
        async with graph(snapshot_of({"a": (), "b": ("a",)}, rows), (80, 24)) as shown:
            assert " 2/3 ─╯" in shown.drawn or " 2/3 ━┛" in shown.drawn

    def test_counts_of_a_group_follow_every_change_of_state(self) -> None:
        scene = mapped()
        sheet = load(Wish(plan=scene.plan, room=(120, 40)), None, lambda: False)
        assert sheet is not None
        words = NodeWords(sheet, scene)
        node = sheet.nodes[1]
        assert words.counts(node)[S.RUNNING] == 2
        engine = FakeEngine(scene)
        engine.change("load[11]", state=S.SUCCEEDED)
        moved = [(was, row) for was, row in zip(scene.rows, engine.latest.rows, strict=True) if was is not row]
        words.take(engine.latest, moved)
        assert (words.counts(node)[S.RUNNING], words.counts(node)[S.SUCCEEDED]) == (1, 11)
        words.take(msgspec.structs.replace(engine.latest, version=99), None)
        assert words.counts(node)[S.SUCCEEDED] == 11


class TestGrowing:
    def test_a_group_that_grows_stays_where_it_is(self) -> None:
        def drawn(count: int, before: Sheet | None) -> Sheet:
            sheet = load(
                Wish(plan=mapped(count).plan, room=(120, 40), opened=frozenset({"other"})), before, lambda: False
            )
            assert sheet is not None
            return sheet

        first = drawn(100, None)
        second = drawn(140, first)
        assert second.is_folded
        assert first.layout.model.names == second.layout.model.names
        assert first.layout.rows == second.layout.rows
        assert {bundle.label for bundle in second.bundles.values()} == {"load[0..139]"}

    def test_another_scale_of_a_folded_graph_takes_the_same_order(self) -> None:
        plan = mapped().plan
        first = load(Wish(plan=plan, room=(120, 40), folded=True), None, lambda: False)
        assert first is not None
        second = load(Wish(plan=plan, room=(120, 40), folded=True, scale=Scale.PILL), first, lambda: False)
        assert second is not None
        assert second.atlas.layout is first.atlas.layout

    async def test_three_quick_steps_are_three_sizes(self) -> None:
        async with graph(mapped(1000), (120, 40)) as shown:
            await shown.seen.pilot.press("less_than_sign", "less_than_sign", "less_than_sign")
            await shown.press("k")
            assert shown.sheet.scale is Scale.WALL


class TestLanes:
    async def test_t_puts_the_graph_beside_the_table_and_problems_first_again(self) -> None:
        async with console(FakeEngine(running_mix()), (100, 40)) as seen:
            await seen.press("t")
            assert "├─✔" in seen.text
            assert "sort lanes" in seen.text
            await seen.press("t")
            assert "├─✔" not in seen.text

    async def test_t_in_the_graph_shows_them_too(self) -> None:
        async with graph(running_mix(), (100, 40)) as shown:
            await shown.press("t")
            assert shown.seen.app.main.view == "tasks"
            assert "├─✔" in shown.seen.text

    async def test_with_a_filter_no_line_is_drawn_to_what_is_hidden(self) -> None:
        async with console(FakeEngine(running_mix()), (100, 40)) as seen:
            await seen.press("t", "exclamation_mark")
            assert "├─" not in seen.text
            await seen.press("exclamation_mark")
            assert "├─✔" in seen.text

    async def test_a_line_changes_with_the_task_that_it_comes_from(self) -> None:
        scene = snapshot_of({"a": (), "b": ("a",), "c": ("a",)}, {})
        engine = FakeEngine(scene)
        async with console(engine, (100, 40)) as seen:
            await seen.press("t")
            assert "├┄○" in seen.text
            engine.change("a", state=S.SUCCEEDED)
            await seen.settle()
            assert "├─○" in seen.text
