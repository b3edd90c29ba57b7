"""View 4 in the console: every key of it, a log of a hundred thousand lines, hostile lines, and one selection with the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from console_fakes import HOSTILE, FakeEngine, hostile, running_mix
from console_pilot import Seen, console
from dagtop_app.logs.store import LogStore
from dagtop_app.views.logs import Logs
from rich.cells import cell_len
from textual import events

pytestmark = pytest.mark.anyio


def engine_with_lines() -> FakeEngine:
    engine = FakeEngine(running_mix())
    add = engine.logs.add
    add("load_orders", "opens orders", at=140.0, stream="log", level="INFO")
    add("load_orders", "duplicate key 881", at=165.0, stream="log", level="ERROR")
    add("sync_crm", "page 1 of 9", at=180.0)
    add("load_orders", "opens orders again", at=200.0, stream="log", level="DEBUG", attempt=2)
    add("load_orders", "moans", at=201.0, stream="stderr", attempt=2)
    add("sync_crm", "page 2 of 9", at=250.0, attempt=2)
    add("", "a child of nobody", at=251.0)
    return engine


def view(seen: Seen) -> Logs:
    return seen.app.main.logs_view


def texts(seen: Seen) -> list[str]:
    roll = view(seen).roll
    return [roll.line(place).text for place in range(len(roll))]


ALL = [
    "opens orders", "duplicate key 881", "page 1 of 9", "opens orders again", "moans", "page 2 of 9", "a child of nobody",
]  # fmt: skip


class TestWhose:
    async def test_all_lines_have_their_task_and_attempt_those_of_one_a_line_before_each_attempt(self) -> None:
        async with console(engine_with_lines(), (100, 30)) as seen:
            await seen.press("4")
            assert "sync_crm      #2 page 2 of 9" in seen.text
            assert "(process)        a child of nobody" in seen.text
            await seen.press("escape")
            seen.app.main.select(seen.engine.latest.plan.index["load_orders"])
            await seen.press("l")
            assert "Log load_orders" in seen.text
            assert "── attempt 1 · 2:20 → 2:41 · failed · IntegrityError ─" in seen.text
            assert "── attempt 2 · 2:50 → 3:11 · failed · IntegrityError ─" in seen.text

    async def test_c_goes_through_all_the_selected_the_marked_and_the_filtered(self) -> None:
        async with console(engine_with_lines(), (100, 30)) as seen:
            main = seen.app.main
            main.select(seen.engine.latest.plan.index["sync_crm"])
            await seen.press("4")
            assert texts(seen) == ALL
            await seen.press("c")
            assert texts(seen) == ["page 1 of 9", "page 2 of 9"]
            await seen.press("c")
            assert texts(seen) == ALL
            main.roster.marks.toggle(["sync_crm", "load_orders"])
            await seen.press("c", "c")
            assert "of 2 tasks that are marked" in seen.text
            assert texts(seen) == ALL[:-1]
            main.set_filter("load_", problems=False)
            await seen.press("c")
            assert "of 1 task that pass" in seen.text or "Log load_orders" in seen.text
            assert texts(seen) == [ALL[0], ALL[1], ALL[3], ALL[4]]

    async def test_l_with_marked_tasks_merges_their_logs(self) -> None:
        async with console(engine_with_lines(), (100, 30)) as seen:
            seen.app.main.roster.marks.toggle(["sync_crm", "load_orders"])
            await seen.press("l")
            assert "Log of 2 tasks" in seen.text
            assert texts(seen) == ALL[:-1]

    async def test_a_command_in_words_merges_too(self) -> None:
        async with console(engine_with_lines(), (100, 30)) as seen:
            await seen.press("colon", *"logs *_", "enter")
            seen.app.main.show_logs(["sync_crm", "load_orders"])
            await seen.settle()
            assert texts(seen) == ALL[:-1]

    async def test_brackets_go_to_the_next_task_and_select_it(self) -> None:
        async with console(engine_with_lines(), (100, 30)) as seen:
            await seen.press("l")
            first = seen.selected
            await seen.press("right_square_bracket")
            assert seen.selected != first
            assert view(seen).subject.one == seen.selected
            await seen.press("left_square_bracket")
            assert seen.selected == first == view(seen).subject.one


class TestNarrowing:
    async def test_levels(self) -> None:
        async with console(engine_with_lines(), (100, 30)) as seen:
            await seen.press("4", "greater_than_sign")
            assert "info or worse" in seen.text
            assert texts(seen) == [it for it in ALL if it != "opens orders again"]
            await seen.press("greater_than_sign", "greater_than_sign", "greater_than_sign")
            assert texts(seen) == ["duplicate key 881"]
            await seen.press("less_than_sign")
            assert texts(seen) == ["duplicate key 881", "moans"]
            await seen.press("escape")
            assert texts(seen) == ALL
            assert seen.app.main.view == "logs"

    async def test_streams_and_since(self) -> None:
        async with console(engine_with_lines(), (100, 30)) as seen:
            await seen.press("4", "H", "H", "H")
            assert texts(seen) == ["moans"]
            await seen.press("H", "s")
            assert "since 1m" in seen.text
            assert texts(seen) == ["opens orders again", "moans", "page 2 of 9", "a child of nobody"]
            await seen.press("s", "s", "s")
            assert texts(seen) == ALL

    async def test_nothing_left_says_why_and_how_to_go_on(self) -> None:
        async with console(engine_with_lines()) as seen:
            await seen.press("4", "slash", *"&nowhere", "enter")
            assert "No line is left: only nowhere." in seen.text
            await seen.press("escape")
            assert texts(seen) == ALL


class TestSearch:
    async def test_a_search_counts_marks_and_goes_round(self) -> None:
        async with console(engine_with_lines()) as seen:
            await seen.press("4", "slash", *"PAGE", "enter")
            assert "2 × PAGE" in seen.text
            await seen.press("n", "n", "N")
            assert "no match" not in seen.text
            await seen.press("slash", *"xx", "enter", "n")
            assert "no match" in seen.text
            await seen.press("escape")
            assert view(seen).roll.needle == ""

    async def test_an_expression(self) -> None:
        async with console(engine_with_lines()) as seen:
            await seen.press("4")
            view(seen).look_for("/page [12]/")
            await seen.press("f", "f")
            assert "2 × /page [12]/" in seen.text


class TestLooks:
    async def test_times(self) -> None:
        async with console(engine_with_lines()) as seen:
            await seen.press("4")
            assert "    4:11 (process)" in seen.text
            await seen.press("t")
            assert "    4:11 (process)" not in seen.text
            assert "times clock" in seen.text
            await seen.press("t")
            assert " (process)        a child" in seen.text
            await seen.press("t")
            assert "4:11 (process)" in seen.text

    async def test_a_long_line_is_cut_or_wrapped_and_can_be_read_to_its_end(self) -> None:
        engine = FakeEngine(running_mix())
        engine.logs.add("sync_crm", "begin " + "word " * 2_000 + "finish")
        async with console(engine) as seen:
            await seen.press("4")
            assert "begin" in seen.text
            assert "finish" not in seen.text
            await seen.press("W")
            assert "finish" in seen.text
            await seen.press("home")
            assert "begin" in seen.text
            await seen.press("pagedown")
            assert "begin" not in seen.text
            assert "finish" not in seen.text
            await seen.press("end")
            assert "finish" in seen.text

    async def test_every_row_comes_by_when_one_goes_down_and_up_one_by_one(self) -> None:
        engine = FakeEngine(running_mix())
        for n in range(30):
            words = " ".join(f"{n}-{word}" for word in range(40))
            engine.logs.add("sync_crm", f"row-{n} {words}", attempt=1 + n // 10)
        async with console(engine) as seen:
            seen.app.main.select(engine.latest.plan.index["sync_crm"])
            await seen.press("l", "W", "home")
            pane = view(seen).pane
            down = [tuple(pane.on_screen[:1])]
            for _ in range(200):
                pane.move("down")
                down.append(tuple(pane.on_screen[:1]))
            up = [tuple(pane.on_screen[:1])]
            for _ in range(200):
                pane.move("up")
                up.append(tuple(pane.on_screen[:1]))
            assert list(dict.fromkeys(up)) == list(dict.fromkeys(down))[::-1]
            await seen.press("end")
            assert "row-29" in seen.text

    async def test_a_line_that_is_drawn(self) -> None:
        async with console(engine_with_lines()) as seen:
            await seen.press("4", "equals_sign")
            assert "══ mark 1 · " in seen.text
            seen.engine.logs.add("sync_crm", "page 3 of 9", at=252.0)
            await seen.settle()
            lines = [line for line in seen.lines if "mark 1" in line or "page 3" in line]
            assert "mark 1" in lines[0]
            assert "page 3" in lines[1]

    async def test_the_mouse_wheel_stops_following_and_takes_it_up_at_the_end(self) -> None:
        engine = FakeEngine(running_mix())
        for n in range(200):
            engine.logs.add("sync_crm", f"line {n}")
        async with console(engine) as seen:
            await seen.press("4")
            pane = view(seen).pane
            at: dict[str, Any] = {
                "widget": pane, "x": 1, "y": 1, "delta_x": 0, "delta_y": 0, "button": 0,
                "shift": False, "meta": False, "ctrl": False,
            }  # fmt: skip
            pane._on_mouse_scroll_up(events.MouseScrollUp(**at))
            await seen.settle()
            assert "f follows" in seen.text
            pane._on_mouse_scroll_down(events.MouseScrollDown(**at))
            await seen.settle()
            assert "following" in seen.text

    async def test_what_is_selected_with_the_mouse_is_copied(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with console(engine_with_lines()) as seen:
            copied: list[str] = []
            monkeypatch.setattr(seen.app, "copy_to_clipboard", copied.append)
            await seen.press("4")
            y = next(y for y, line in enumerate(seen.lines) if "a child of nobody" in line)
            await seen.pilot.mouse_down(offset=(0, y))
            await seen.pilot.hover(offset=(60, y))
            await seen.pilot.mouse_up(offset=(60, y))
            await seen.press("ctrl+c")
            assert "a child of nobody" in "".join(copied)
            assert seen.app.screen is seen.app.main


class TestMuch:
    async def test_a_hundred_thousand_lines_are_searched_and_filtered_and_only_what_is_seen_is_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine = FakeEngine(running_mix())
        engine.logs.store = store = LogStore()  # type: ignore[attr-defined]  # as that of a real engine has one
        lines = [_Line(n, "sync_crm" if n % 50_000 else "load_orders", f"line {n}") for n in range(100_000)]
        store.add(lines)  # type: ignore[arg-type]
        read: list[int] = []
        line = LogStore.line
        monkeypatch.setattr(LogStore, "line", lambda self, number: read.append(number) or line(self, number))
        async with console(engine) as seen:
            await seen.press("4")
            assert len(view(seen).roll) == 100_000
            assert "line 99999" in seen.text
            await seen.press("home")
            assert "line 0 " in seen.text
            assert len(read) < 2_000
            seen.app.main.select(engine.latest.plan.index["load_orders"])
            await seen.press("c")
            while view(seen).roll.is_busy:
                await seen.settle()
            await seen.settle()
            assert texts(seen) == ["line 0", "line 50000"]
            await seen.press("c", "slash", *"777", "enter")
            while view(seen).roll.is_busy:
                await seen.settle()
            assert view(seen).roll.match_count == sum("777" in str(n) for n in range(100_000))

    async def test_scrolled_up_the_same_lines_stay_while_older_ones_are_found(self) -> None:
        engine = FakeEngine(running_mix())
        engine.logs.store = store = LogStore()  # type: ignore[attr-defined]
        store.add(_Line(n, "sync_crm", f"line {n}") for n in range(50_000))  # type: ignore[arg-type]
        async with console(engine) as seen:
            seen.app.main.select(engine.latest.plan.index["sync_crm"])
            await seen.press("l", "pageup")
            pane, roll = view(seen).pane, view(seen).roll
            before = roll.number(pane.top)
            while roll.is_busy:
                await seen.settle()
            assert roll.number(pane.top) == before
            assert len(roll) == 50_000
            await seen.press("home", "pagedown")
            before = roll.number(pane.top)
            await seen.press("greater_than_sign")
            while roll.is_busy:
                await seen.settle()
            assert roll.number(pane.top) == before


class _Line:
    attempt, stream, level = 1, "stdout", ""

    def __init__(self, number: int, task: str, text: str) -> None:
        self.number, self.at, self.task, self.text = number, number / 1_000, task, text


class TestHostile:
    @pytest.mark.parametrize("keys", [["4"], ["l"], ["4", "W"], ["4", "t"], ["4", "slash", *"x", "enter"]])
    async def test_lines_as_an_enemy_writes_them(self, keys: Sequence[str]) -> None:
        engine = FakeEngine(hostile())
        for n, text in enumerate(HOSTILE):
            engine.logs.add(HOSTILE[-1 - n], text, stream="log", level=text, attempt=n)
            engine.logs.add(text, text * 3, stream=text)
        async with console(engine) as seen:
            await seen.press(*keys)
            for key in (
                "home",
                "pagedown",
                "end",
                "c",
                "c",
                "c",
                "equals_sign",
                "greater_than_sign",
                "H",
                "y",
                "escape",
            ):
                await seen.press(key)
                assert "\x1b" not in seen.text
                assert all(cell_len(line) <= 80 for line in seen.lines)
