"""To look at a view changes nothing; the third line names the views as long as there is room for; each names the filter."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, running_mix
from console_pilot import Seen, console
from console_rich import rich_engine
from dagtop.core import commands as do
from dagtop_app.chrome.tabs import Tab, tab_line
from dagtop_app.chrome.view_model import narrowed_by
from dagtop_app.lines import line_width, rule
from dagtop_app.timeline.ahead import Ahead
from dagtop_app.timeline.lens import Window
from dagtop_app.timeline.model import Scene, columns, row_line
from dagtop_app.views.listed import VIEWS

TABS = [Tab(view.key, view.label, {"5": "▲1", "6": "▲2"}.get(view.key, ""), view.short) for view in VIEWS]


def text_of(tabs: list[Tab], current: str, cells: int) -> str:
    return "".join(text for text, _ in tab_line(tabs, current, cells))


def standing(seen: Seen) -> tuple[object, ...]:
    """All that a look must leave alone."""
    roster = seen.app.main.roster
    return roster.selected, roster.level, roster.flat, roster.grouping.opened, roster.place, [*roster.order]


async def select(seen: Seen, name: str) -> None:
    seen.app.main.select(seen.engine.latest.plan.index[name])
    await seen.settle()


@pytest.mark.anyio
class TestLooks:
    @pytest.mark.parametrize("start", ["shop/calendar", "up/api", "map/list", "map/load[3]"])
    async def test_a_visit_of_any_view_selects_nothing_and_goes_nowhere(self, start: str) -> None:
        async with console(rich_engine(), (100, 30)) as seen:
            await select(seen, start)
            before = standing(seen)
            for view in VIEWS:
                await seen.press(view.key, "1")
                assert standing(seen) == before, view.name

    async def test_keys_act_on_what_is_under_the_cursor_of_the_inbox_though_nothing_is_selected_by_it(self) -> None:
        async with console(rich_engine(), (100, 30)) as seen:
            await select(seen, "shop/calendar")
            await seen.press("6")
            task = seen.selected
            assert task is not None
            assert task.startswith("feeds/")
            await seen.press("p")
            assert seen.engine.sent[-1:] == [do.HoldTask(task)] or task in seen.app.main.bridge.word.text
            assert standing(seen)[0] == seen.engine.latest.plan.index["shop/calendar"]
            await seen.press("j")
            assert seen.app.main.roster.row is not None
            assert seen.app.main.roster.row.name == seen.selected != "shop/calendar"

    async def test_keys_stay_about_one_task_of_a_breaker_while_others_get_into_trouble(self) -> None:
        async with console(rich_engine(), (100, 30)) as seen:
            await select(seen, "shop/calendar")
            await seen.press("5")
            first = seen.selected
            assert first is not None
            assert first != "shop/calendar"
            engine: FakeEngine = seen.engine
            circuit = next(row for row in engine.latest.rows if row.name == first).policy.circuit
            for row in engine.latest.rows:
                if row.policy.circuit == circuit and row.name != first:
                    engine.change(row.name, state="failed")
            await seen.settle()
            assert seen.selected == first

    async def test_where_there_are_no_breakers_and_nothing_was_escalated_their_keys_are_grey(self) -> None:
        async with console(FakeEngine(running_mix()), (100, 30)) as seen:
            for key, view, said in (
                ("5", "breakers", "no task asks a circuit breaker"),
                ("6", "escalations", "nothing was"),
            ):
                await seen.press(key)
                assert said in seen.text
                main = seen.app.main
                own = [action for action in main.footer_actions() if action.view == view]
                assert own
                assert not any(map(main.is_useful, own))

    async def test_the_help_begins_with_the_keys_of_the_view_that_is_shown(self) -> None:
        async with console(rich_engine(), (100, 30)) as seen:
            for view in VIEWS:
                await seen.press(view.key, "question_mark")
                shown = [line for line in seen.lines if "where you are" in line]
                if view.name in {"tasks", "meta"}:
                    assert not shown
                else:
                    assert len(shown) == 1
                    assert f" {view.name.upper()}  where you are " in shown[0]
                await seen.press("escape", "1")

    async def test_timeline_and_graph_name_the_filter_of_the_table(self) -> None:
        async with console(rich_engine(), (100, 30)) as seen:
            for key in ("2", "3"):
                await seen.press(key)
                assert "filter" not in seen.lines[3]
            await seen.press("slash", *"load", "enter", "exclamation_mark")
            for key in ("2", "3"):
                await seen.press(key)
                assert "· ! problems only · filter load" in seen.lines[3]


class TestTabs:
    @pytest.mark.parametrize("current", [view.key for view in VIEWS])
    def test_they_fit_any_width_and_name_what_is_shown(self, current: str) -> None:
        shown = next(tab for tab in TABS if tab.key == current)
        for cells in range(170):
            line = tab_line(TABS, current, cells)
            assert line_width(line) == cells
            text = "".join(part for part, _ in line)
            if cells >= 40:
                assert f"{shown.key} {shown.short[:5]}" in text
                assert all(tab.key in text and tab.badge in text for tab in TABS)

    def test_no_name_is_shorter_than_it_has_to_be(self) -> None:
        plain = [tab._replace(badge="") for tab in TABS]
        assert "6 Escalations " in text_of(plain, "1", 80)
        assert text_of(plain, "1", 80).split() == [
            *"1 Tasks 2 Graph 3 Time 4 Logs 5 Breakers 6 Escalations 7 Events 0 Meta".split()
        ]
        assert text_of(TABS, "1", 80).split() == [
            *"1 Tasks 2 Graph 3 Time 4 Logs 5 Breakers ▲1 6 Escal ▲2 7 Events 0 Meta".split()
        ]
        wide = text_of(TABS, "1", 100)
        assert all(f"{tab.key} {tab.name} " in wide for tab in TABS)

    def test_wider_is_never_shorter(self) -> None:
        letters = [sum(char.isalpha() for char in text_of(TABS, "3", cells)) for cells in range(40, 96)]
        assert letters == sorted(letters)


class TestLines:
    def test_of_a_note_that_does_not_fit_the_last_part_is_kept_longest(self) -> None:
        between = (" · ", "dim")
        note = [("first of all", ""), between, ("second", ""), between, ("last", "good")]
        texts = ["".join(text for text, _ in rule([("Title", "title")], note, cells)) for cells in (60, 40, 24, 14)]
        assert "first of all · second · last" in texts[0]
        assert " second · last ──" in texts[1]
        assert "first" not in texts[1]
        assert texts[2].endswith(" last ──")
        assert "last" not in texts[3]
        assert [len(text) for text in texts] == [60, 40, 24, 14]

    def test_without_a_filter_nothing_is_said_of_it(self) -> None:
        assert narrowed_by("", problems=False) == []

    def test_a_node_that_waits_is_to_take_as_long_as_what_is_in_it(self) -> None:
        engine = rich_engine()
        snapshot = engine.latest
        index = next(iter(snapshot.plan.nodes))
        row = snapshot.rows[index]
        seconds = [1.0] * len(snapshot.rows)
        seconds[index] = 0.0
        ahead = Ahead(starts={index: 300.0}, ends={index: 390.0}, end=390.0, seconds=seconds)
        scene = Scene(snapshot, engine.story, {}, ahead, Window(0.0, 1.0, 40), columns(100, 20), critical=False)
        text = "".join(part for part, _ in row_line(scene, row, (), cursor=False, marked=False, name="node"))
        assert "~1:30" in text
