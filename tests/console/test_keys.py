"""Every key of the console, pressed before a fake engine: what is sent, and what the screen says."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, S, fail, finished_with_failures, hostile, many, running_mix
from console_pilot import console
from dagtop.core.commands import (
    CancelRun,
    CancelTask,
    ContinueRun,
    DrainRun,
    HoldTask,
    PauseRun,
    ReleaseTask,
    RestartTask,
    SetMaxParallel,
    SetPolicy,
)
from dagtop.core.events import Problem
from dagtop.core.states import RunState
from dagtop_app.actions import ACTIONS, KEPT_FOOTER, footer_of
from dagtop_app.screens import questions
from dagtop_app.screens.edit import EditDialog
from dagtop_app.screens.popup import Popup
from dagtop_app.views.listed import BY_NAME, VIEWS
from dagtop_app.widgets.footer import footer_line
from msgspec.structs import replace
from textual import events
from textual.color import Color

pytestmark = pytest.mark.anyio


class TestTheList:
    def test_no_two_actions_share_a_key_or_an_id(self) -> None:
        for view in {action.view for action in ACTIONS}:
            keys = [key for action in ACTIONS if action.view == view and action.keys for key in action.keys.split(",")]
            assert len(keys) == len(set(keys)), view
        assert len({action.id for action in ACTIONS}) == len(ACTIONS)

    def test_nothing_destructive_is_on_ctrl_and_a_letter(self) -> None:
        steering = [action for action in ACTIONS if action.group == "Steer"]
        # Reading the file again shows what is different, and waits for a yes.
        assert [action.id for action in steering if "ctrl+" in action.keys] in ([], ["run.reload"])

    async def test_the_help_lists_every_key(self) -> None:
        async with console(FakeEngine(running_mix()), (120, 240)) as seen:
            await seen.press("question_mark")
            for action in ACTIONS:
                assert (action.help[:40] in seen.text) is (action.group != "Levels"), action

    async def test_every_binding_of_the_screen_has_an_id(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            bindings = [binding for them in seen.app.main._bindings.key_to_bindings.values() for binding in them]
            ours = {binding.id for binding in bindings} - {None}
            assert {action.id for action in ACTIONS if not action.view and action.keys} <= ours

    async def test_every_action_works_in_every_view_on_anything_and_on_nothing(self) -> None:
        for scene in (hostile(), FakeEngine().latest):
            async with console(FakeEngine(scene)) as seen:
                for view in ("tasks", "graph", "logs") if len(scene.rows) else ("tasks",):
                    for action in ACTIONS:
                        if action.id not in {"app.palette", "app.theme"}:
                            seen.app.main.action_view(view)
                            await seen.app.main.run_action(action.do)
                            if seen.app.screen is not seen.app.main:
                                await seen.app.pop_screen()
                await seen.settle()
                assert seen.app.is_running


class TestMoving:
    async def test_the_cursor_moves_by_lines_pages_and_to_the_ends(self) -> None:
        engine = FakeEngine(many(10_000))
        async with console(engine) as seen:
            roster = seen.app.main.roster
            page = seen.app.main.table.scrollable_content_region.height
            for keys, place in (
                (("j",), 1), (("down", "down"), 3), (("k",), 2), (("up", "up", "up"), 0),
                (("pagedown",), page), (("ctrl+d",), page + page // 2),
                (("ctrl+u",), page), (("pageup",), 0), (("G",), 9999), (("g", "g"), 0), (("end",), 9999), (("home",), 0),
            ):  # fmt: skip
                await seen.press(*keys)
                assert roster.place == place, keys
                assert any(line.startswith("▌") for line in seen.lines)

    async def test_ten_thousand_tasks_are_gone_through_at_the_speed_of_keys(self) -> None:
        async with console(FakeEngine(many(10_000))) as seen:
            await seen.press(*["pagedown"] * 8, *["j"] * 12)
            shown = [line for line in seen.lines if "load_" in line]
            assert any("▌" in line for line in shown)
            assert len(seen.app.main.table._drawn) <= 24

    async def test_n_goes_from_problem_to_problem(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            names = []
            for _ in range(7):
                await seen.press("n")
                names.append(seen.selected)
            assert names == [
                "notify_ops",
                "fetch_fx_rates",
                "sync_crm",
                "build_mart",
                "warm_cache",
                "load_orders",
                "notify_ops",
            ]
            await seen.press("N")
            assert seen.selected == "load_orders"

    async def test_a_click_selects_and_a_click_on_a_title_sorts(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.pilot.click("#table", offset=(10, 3))
            await seen.settle()
            assert seen.selected == "sync_crm"
            await seen.pilot.click("#head", offset=(5, 0))
            await seen.settle()
            assert "sort name" in seen.text
            assert seen.selected == "sync_crm"

    async def test_the_cursor_stays_on_its_task_while_the_run_goes_on(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("j", "j")
            assert seen.selected == "fetch_fx_rates"
            seen.clock.now += 10
            engine.change("calendar", state=S.FAILED, failure=fail("E", "late"))
            await seen.settle()
            assert seen.selected == "fetch_fx_rates"
            assert "calendar" in next(line for line in seen.lines if "FAILED" in line)


class TestLooking:
    async def test_a_filter_works_while_it_is_typed_and_escape_clears_it(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("slash", *"orders")
            assert "Tasks 4 of 25" in seen.text
            await seen.press("enter", "j")
            assert seen.selected is not None
            assert "orders" in seen.selected
            await seen.press("escape")
            assert "Tasks 25 " in seen.text

    async def test_letters_typed_into_the_filter_steer_nothing(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("slash", *"xrRpDKZ1q", "plus", "minus", "exclamation_mark")
            assert engine.sent == []
            assert seen.app.screen is seen.app.main

    async def test_a_wrong_filter_says_why(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("slash", "slash", "left_parenthesis", "slash")
            assert "not a regular expression" in seen.text

    async def test_problems_only_shows_problems_only(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("exclamation_mark")
            assert "Tasks 6 of 25" in seen.text
            assert "problems only" in seen.text
            await seen.press("escape")
            assert "Tasks 25 " in seen.text

    async def test_the_order_is_chosen_from_a_menu_and_turned_round(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("s", "down", "down", "enter")
            assert "sort name ↓" in seen.text
            await seen.press("home")
            assert seen.selected == "auth_token"
            await seen.press("S", "home")
            assert seen.selected == "warm_cache"

    async def test_why_explains_at_length(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            seen.app.main.select(seen.engine.latest.plan.index["publish"])
            await seen.press("w")
            assert "In the end it waits for" in seen.text
            await seen.press("escape")
            assert seen.app.screen is seen.app.main

    async def test_enter_opens_everything_about_the_task(self) -> None:
        async with console(FakeEngine(running_mix()), (100, 60)) as seen:
            await seen.press("enter")
            for part in ("ATTEMPTS", "LAST ERROR", "nightly.py:131", "UPSTREAM", "DOWNSTREAM", "2 retries"):
                assert part in seen.text

    async def test_the_inspector_follows_the_cursor_and_can_be_hidden(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            assert "why     IntegrityError" in seen.text
            await seen.press("j", "j", "j")
            assert "── sync_crm" in seen.text
            await seen.press("i")
            assert "── sync_crm" not in seen.text

    async def test_logs_of_one_task_and_of_all(self) -> None:
        engine = FakeEngine(running_mix())
        engine.logs.add("load_orders", "first \x1b[2J line", at=1.0)
        engine.logs.add("sync_crm", "second line", at=2.0, stream="log", level="ERROR")
        async with console(engine) as seen:
            await seen.press("l")
            assert "Log load_orders" in seen.text
            assert "first ␛[2J line" in seen.text
            assert "second line" not in seen.text
            await seen.press("L")
            assert "second line" in seen.text
            engine.logs.add("sync_crm", "third line", at=3.0)
            await seen.settle()
            assert "third line" in seen.text
            assert "0:03" in seen.text
            await seen.press("t", "t")
            assert "0:03" not in seen.text
            await seen.press("slash", *"second", "enter")
            assert "1 ×" in seen.text
            await seen.press("escape", "escape")
            assert "Tasks 25" in seen.text

    async def test_an_empty_log_says_what_comes_there_and_how_to_leave(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("l")
            assert "This task has printed and logged nothing yet." in seen.text
            assert "4 shows the logs of all tasks" in seen.text
            await seen.press("L")
            assert "Nothing has been printed or logged yet." in seen.text
            engine.logs.add("sync_crm", "first line")
            await seen.settle()
            assert "first line" in seen.text
            assert "logged yet" not in seen.text

    async def test_following_stops_when_one_scrolls_up_and_goes_on_at_the_end(self) -> None:
        engine = FakeEngine(running_mix())
        for n in range(200):
            engine.logs.add("sync_crm", f"line number {n}")
        async with console(engine) as seen:
            await seen.press("4")
            assert "line number 199" in seen.text
            await seen.press("pageup")
            engine.logs.add("sync_crm", "line number 200")
            await seen.settle()
            assert "line number 200" not in seen.text
            await seen.press("G")
            assert "line number 200" in seen.text

    async def test_a_flood_of_logs_is_all_there(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("4")
            for n in range(30_000):
                engine.logs.add("sync_crm", f"line {n}")
            await seen.settle()
            await seen.settle()
            assert len(seen.app.main.log_pane.roll) == 30_000
            assert "line 29999" in seen.text
            await seen.press("home")
            assert "line 0 " in seen.text

    async def test_the_palette_finds_actions_and_tasks(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("ctrl+p", *"warm_cache")
            await seen.pilot.pause(0.3)
            await seen.press("enter")
            await seen.pilot.pause(0.1)
            await seen.press("escape")
            assert seen.app.is_running


class TestSteering:
    async def test_cancel_shows_what_is_lost_and_asks(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            seen.app.main.select(engine.latest.plan.index["train_ltv"])
            await seen.press("x")
            assert "Cancel train_ltv?" in seen.text
            assert "publish" in seen.text
            assert engine.sent == []
            await seen.press("escape")
            assert engine.sent == []
            await seen.press("x", "y")
            assert engine.sent == [CancelTask(task="train_ltv")]
            assert "cancelling train_ltv…" in seen.text
            engine.apply("train_ltv will not run")
            await seen.settle()
            assert "train_ltv will not run" in seen.text

    async def test_an_open_question_tells_what_the_command_would_do_now(self) -> None:
        """It showed what was lost when it was opened, and offered to cancel a task that had ended since."""
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            seen.app.main.select(engine.latest.plan.index["train_ltv"])
            await seen.press("x")
            popup = seen.app.screen
            assert isinstance(popup, Popup)
            assert "train_ltv will not run" in seen.text
            engine.change("train_ltv", state=S.RUNNING, attempt=1, started_at=251.0)
            await seen.settle()
            popup.renew()
            await seen.settle()
            assert "train_ltv is told to stop" in seen.text
            engine.change("train_ltv", state=S.SUCCEEDED, ended_at=252.0)
            await seen.settle()
            popup.renew()
            await seen.settle()
            assert "no longer possible: train_ltv has ended already" in seen.text
            await seen.press("y", "enter")
            assert seen.app.screen is popup
            await seen.press("escape")
            assert engine.sent == []

    async def test_a_refusal_is_told_with_its_reason(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("x")
            assert engine.sent == []
            assert "has ended already" in seen.text
            await seen.press("plus")
            engine.refuse("the run is over")
            await seen.settle()
            assert "set-max-parallel refused: the run is over" in seen.text

    async def test_restarting_a_failed_task_needs_no_question(self) -> None:
        engine = FakeEngine(finished_with_failures())
        async with console(engine) as seen:
            await seen.press("r")
            assert engine.sent == [RestartTask(task="load_orders")]

    async def test_restarting_with_everything_after_it_asks_and_offers_less(self) -> None:
        engine = FakeEngine(finished_with_failures())
        async with console(engine) as seen:
            await seen.press("R")
            assert "everything after it?" in seen.text
            await seen.press("o")
            assert engine.sent == [RestartTask(task="load_orders")]
            await seen.press("R", "enter")
            assert engine.sent[-1] == RestartTask(task="load_orders", downstream=True)

    async def test_hold_and_release_and_undo(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            seen.app.main.select(engine.latest.plan.index["publish"])
            await seen.press("p")
            assert engine.sent == [HoldTask(task="publish")]
            engine.change("publish", held=True)
            engine.apply("publish will not start before it is released")
            await seen.settle()
            assert "u undoes it" in seen.text
            await seen.press("u")
            assert engine.sent[-1] == ReleaseTask(task="publish")
            engine.apply("publish may start")
            await seen.settle()
            assert "undone: publish may start" in seen.text
            await seen.press("p")
            assert engine.sent[-1] == ReleaseTask(task="publish")

    async def test_more_and_fewer_at_once(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("plus")
            await seen.press("minus")
            assert engine.sent == [SetMaxParallel(limit=9), SetMaxParallel(limit=7)]
            await seen.press("u")
            assert "nothing to undo" in seen.text

    async def test_pause_goes_on_when_pressed_again(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("Z")
            engine.show(state=RunState.PAUSED)
            await seen.settle()
            assert "PAUSED" in seen.lines[0]
            await seen.press("Z")
            assert engine.sent == [PauseRun(), ContinueRun()]

    async def test_drain_and_cancel_of_the_run_ask(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("D")
            assert "Drain the run?" in seen.text
            await seen.press("y", "K")
            assert "Cancel the whole run?" in seen.text
            await seen.press("enter")
            assert [type(command) for command in engine.sent] == [DrainRun, CancelRun]

    async def test_the_edit_dialog_checks_as_it_is_typed_and_sends_what_changed(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("e", "x")
            assert isinstance(seen.app.screen, EditDialog)
            assert "a whole number, please" in seen.text
            await seen.press("enter")
            assert isinstance(seen.app.screen, EditDialog)
            await seen.press("backspace", "4", "tab", "backspace", "backspace", "9", "enter")
            assert engine.sent == [SetPolicy(task="load_orders", retries=4, timeout=9.0)]
            engine.apply("load_orders: retries = 4, timeout = 9.0")
            await seen.settle()
            await seen.press("u")
            assert engine.sent[-1] == SetPolicy(task="load_orders", retries=2, timeout=60)

    async def test_disabled_keys_stay_in_the_footer(self) -> None:
        async with console(FakeEngine(finished_with_failures())) as seen:
            assert "x Cancel" in seen.lines[-1]
            line = seen.app.main.query_one("#footer").lines[0]
            assert ("x", "off") in line
            assert ("r", "key") in line


class TestFooter:
    @pytest.mark.parametrize("view", [*(view.name for view in VIEWS), "kept"])
    async def test_entries_are_complete_and_help_is_last_at_any_width(self, view: str) -> None:
        actions = KEPT_FOOTER if view == "kept" else footer_of(BY_NAME[view].kind.footer)
        entries = [f"{action.shown} {action.label}" for action in actions]
        for cells in range(20, 240):
            line = footer_line([(action, True) for action in actions], cells)
            text = "".join(part for part, _ in line)
            assert len(text) == cells
            assert text.endswith("? Help ")
            left = text.removesuffix("? Help ").strip()
            assert left == "" or left in {"  ".join(entries[:count]) for count in range(1, len(entries) + 1)}

    async def test_the_footer_is_that_of_the_view(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            for key, first in (("4", "Esc Back"), ("1", "⏎ Detail")):
                await seen.press(key)
                assert seen.lines[-1].strip().startswith(first)


class TestLeaving:
    async def test_a_finished_run_is_left_without_a_question(self) -> None:
        for key in ("q", "ctrl+q", "ctrl+c"):
            async with console(FakeEngine(finished_with_failures())) as seen:
                await seen.pilot.press(key)
                assert not seen.app.is_running or seen.app._exit

    async def test_while_tasks_run_it_asks_and_stays(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            for key in ("q", "ctrl+q", "ctrl+c"):
                await seen.press(key)
                assert "Quit while 4 tasks run?" in seen.text
                await seen.press("escape")
                assert seen.app.screen is seen.app.main
            assert engine.sent == []

    @pytest.mark.parametrize(("key", "command"), [("d", DrainRun), ("k", CancelRun)])
    async def test_drain_and_cancel_leave_when_the_run_is_over(self, key: str, command: type) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("q", key)
            assert [type(it) for it in engine.sent] == [command]
            assert not seen.app._exit
            assert "leaves when 4 tasks have ended" in seen.text
            engine.show(state=RunState.CANCELLED)
            await seen.settle()
            assert seen.app._exit

    async def test_each_way_to_leave_names_its_exit_code(self) -> None:
        mix = running_mix()
        well = {state: count for state, count in mix.counts.items() if state not in {S.FAILED, S.BLOCKED}}
        for counts, code in ((mix.counts, 1), (well, 130), ({S.RUNNING: 2, S.SUCCEEDED: 5}, 0)):
            labels = [choice.label for choice in questions.quit_choices(replace(mix, counts=counts))]
            assert [label.rpartition(" ")[2] for label in labels[:3]] == [str(code), "130", "130"]

    @pytest.mark.parametrize(
        ("counts", "told"),
        [
            ({S.WAITING: 1}, "1 task has not run yet."),
            ({S.WAITING: 2, S.BACKOFF: 1, S.BLOCKED: 1}, "2 tasks have not run yet. 1 would run again in a while."),
            ({S.BACKOFF: 2}, "2 tasks would run again in a while."),
        ],
    )
    async def test_leaving_tells_what_has_not_run_from_what_would_run_again(
        self, counts: dict[S, int], told: str
    ) -> None:
        lines = questions.quit_lines(replace(running_mix(), rows=(), counts=counts))
        assert lines == [((told, "dim"),)]

    async def test_a_run_that_ends_while_it_is_asked_how_to_leave_is_simply_left(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("q")
            popup = seen.app.screen
            assert isinstance(popup, Popup)
            engine.latest = replace(finished_with_failures(), version=2)
            await seen.settle()
            popup.renew()
            await seen.settle()
            assert "the run is over" in seen.text
            assert "Cancel all" not in seen.text
            await seen.pilot.press("enter")
            assert seen.app._exit
            assert engine.sent == []

    async def test_ctrl_c_three_times_leaves_at_once(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("ctrl+c")
            await seen.press("ctrl+c")
            assert [type(it) for it in engine.sent] == [CancelRun]
            assert not seen.app._exit
            await seen.pilot.press("ctrl+c")
            assert seen.app._exit
            assert seen.app.main.leaving == "now"

    async def test_leaving_at_once_sends_nothing(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.pilot.press("q", "exclamation_mark")
            assert seen.app._exit
            assert engine.sent == []


class TestTruth:
    async def test_times_go_on_between_two_snapshots(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            assert "RUNNING 4:12" in seen.lines[0]
            seen.clock.now += 5
            await seen.settle()
            assert "RUNNING 4:17" in seen.lines[0]
            assert "in 7s · ReadTimeout" in seen.text

    async def test_times_stand_still_when_the_run_is_over(self) -> None:
        async with console(FakeEngine(finished_with_failures())) as seen:
            seen.clock.now += 500
            await seen.settle()
            assert "FAILED 4:57" in seen.lines[0]

    async def test_problems_around_the_run_are_counted_and_told(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            engine.show(problems=(Problem(at=1.0, source="journal", message="disk \x1b full"),), problem_count=3)
            await seen.settle()
            assert "journal: disk ␛ full" in seen.lines[-2]
            assert "▲ 3 problems" in seen.lines[-2]

    async def test_a_broken_engine_is_shown_not_hidden(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            engine.error = RuntimeError("a [bug] \x1b")
            engine.show(broken="RuntimeError: a [bug] \x1b")
            await seen.settle()
            assert "BROKEN  4:12" in seen.lines[0]
            assert "the engine broke down, nothing goes on: RuntimeError: a [bug] ␛" in seen.lines[1]
            seen.clock.now += 60
            await seen.settle()
            assert "BROKEN  4:12" in seen.lines[0]
            for key in ("r", "R", "x", "P", "e", "m", "d", "C", "K", "D", "Z", "plus", "F", "u", "p"):
                await seen.press(key)
                assert not isinstance(seen.app.screen, Popup), key
                assert "the engine broke down: nothing goes on any more" in seen.lines[-2], key
            assert engine.sent == []
            await seen.press("w", "escape", "q")
            assert seen.app._exit

    async def test_a_run_that_has_not_begun_is_no_problem(self) -> None:
        engine = FakeEngine()
        async with console(engine) as seen:
            assert "STARTING" in seen.text
            engine.latest = running_mix()
            await seen.settle()
            assert "load_orders" in seen.text


class TestSizes:
    async def test_any_size_and_any_change_of_size_is_survived(self) -> None:
        async with console(FakeEngine(hostile())) as seen:
            sizes = [(w, h) for w in (1, 59, 60, 80, 132) for h in (1, 15, 24, 50)]
            for place, (wide, high) in enumerate(sizes):
                await seen.pilot.resize_terminal(wide, high)
                if place % 7 == 0:
                    await seen.press("1" if place % 2 else "4", "question_mark", "escape")
                await seen.settle()
                assert seen.app.is_running
                assert len(seen.lines) == high

    async def test_a_tiny_terminal_shows_counts_and_how_to_quit(self) -> None:
        async with console(FakeEngine(running_mix()), (40, 10)) as seen:
            assert "3 running" in seen.text
            assert "q ? Ctrl+z only" in seen.text
            assert "Detail" not in seen.text

    async def test_a_dialog_stays_inside_a_small_terminal(self) -> None:
        async with console(FakeEngine(running_mix()), (60, 15)) as seen:
            await seen.press("q")
            assert "Stay" in seen.text
            assert all(line.count("│") in {0, 2} for line in seen.lines)

    async def test_popup_is_one_screen(self) -> None:
        async with console(FakeEngine(running_mix()), (100, 30)) as seen:
            await seen.press("question_mark")
            assert isinstance(seen.app.screen, Popup)
            await seen.pilot.resize_terminal(62, 16)
            await seen.press("G", "escape")
            assert seen.app.screen is seen.app.main


class TestThemes:
    async def test_another_theme_draws_what_is_there_in_its_colours(self) -> None:
        """Two palettes may differ in nothing but the colours of states: the widgets' own colours then tell nothing."""
        async with console(FakeEngine(finished_with_failures())) as seen:
            for name in ("dagtop-dark", "dagtop-cvd", "dagtop-light", "textual-light", "dagtop-dark"):
                seen.app.theme = name
                await seen.settle()
                wanted = Color.parse(seen.app.theme_variables["dt-fail"]).rich_color
                strips = seen.app.screen._compositor.render_strips()
                found = [
                    part.style for strip in strips for part in strip if part.text.startswith("FAILED") and part.style
                ]
                assert {style.color for style in found} == {wanted}, name


class TestFirstShown:
    async def test_views_are_made_when_they_are_first_shown_and_kept(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            main = seen.app.main
            assert not [*main.query("#drawing"), *main.query("#logs"), *main.query("#ask"), *main.query("#tiny")]
            for key, part in (("2", "#drawing"), ("4", "#logs"), ("slash", "#ask")):
                await seen.press(key)
                (made,) = main.query(part)
                assert made.display
                assert made.has_focus
                await seen.press("escape", "1", key)
                assert main.query(part).nodes == [made]
                await seen.press("escape", "1")
            assert main.table.has_focus
            assert not main.graph.display
            assert "load_orders" in seen.text

    async def test_the_first_layout_is_the_last(self) -> None:
        """Whether there is room for the inspector is known before anything is drawn."""
        async with console(FakeEngine(running_mix()), (160, 45)) as seen:
            assert {"-wide", "-room", "-tall", "-taller"} <= seen.app.main.classes
            assert seen.app.main.side.size.width > 40


class TestTypingFast:
    """Of one packet, as a slow line or another program sends them: nothing is waited for between the keys."""

    async def typed(self, seen, *keys: str) -> None:
        for key in keys:
            seen.app.post_message(events.Key(key, key if len(key) == 1 else {"slash": "/", "colon": ":"}.get(key)))
        for _ in range(4):
            await seen.pilot.pause(0.03)
            await seen.settle()

    async def test_letters_behind_a_slash_are_the_filter(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await self.typed(seen, "slash", *"xrape")
            assert seen.app.main.ask.value == "xrape"
            assert len(seen.app.screen_stack) == 1
            assert seen.engine.sent == []

    async def test_enter_behind_them_keeps_the_filter_and_restarts_nothing(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await self.typed(seen, "slash", *"load", "enter")
            assert seen.app.main.roster.wanted.text == "load"
            assert not seen.app.main.is_asking
            await seen.press("escape")
            assert not seen.app.main.roster.wanted

    async def test_letters_behind_a_colon_are_the_command(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await self.typed(seen, "colon", *"goto load_orders", "enter")
            assert seen.selected == "load_orders"
            assert len(seen.app.screen_stack) == 1
            assert seen.engine.sent == []
