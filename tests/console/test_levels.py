"""Levels of a graph of graphs in the console: every key that goes into and out of nodes, or acts on one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from console_fakes import HOSTILE, FakeEngine, S, running_mix, snapshot_of
from console_nested import NESTED, in_nodes, nested, with_nodes
from console_pilot import Seen, console
from dagtop import DAGExecutor, Graph, MetaDAG, RunState
from dagtop.core import commands as do
from dagtop.core.events import CommandApplied
from dagtop.core.snapshot import RunSnapshot
from dagtop.runtime.thread import EngineThread
from dagtop_app.actions import ACTIONS, BY_ID
from dagtop_app.levels.model import Levels
from dagtop_app.screens.popup import Popup
from dagtop_app.steering.node_commands import orders
from msgspec.structs import replace

pytestmark = pytest.mark.anyio


def engine_of(scene: RunSnapshot | None = None) -> FakeEngine:
    return FakeEngine(nested() if scene is None else scene)


def shown(seen: Seen) -> list[str]:
    """The names in the table, or in the tree."""
    roster = seen.app.main.pane.roster  # type: ignore[union-attr]
    return [roster.snapshot.plan.names[index] for index in roster.order]


def line_of(seen: Seen, text: str) -> str:
    return next(line for line in seen.lines if text in line)


async def go_to(seen: Seen, name: str) -> None:
    seen.app.main.select(seen.engine.latest.plan.index[name])
    await seen.settle()


class TestGoingInAndOut:
    async def test_a_node_is_one_row_with_what_its_tasks_come_to(self) -> None:
        async with console(engine_of()) as seen:
            assert shown(seen) == ["exports", "ingest", "report", "publish"]
            assert "FAILED" in line_of(seen, "exports ▸")
            assert "✔ 1 ● 1 ✖ 1 ⊘ 1  orders" in line_of(seen, "exports ▸")
            assert "waits for exports, report" in line_of(seen, "publish ▸")
            assert "0 Meta" in seen.lines[2]
            assert "4/11" in seen.lines[0]

    async def test_enter_goes_in_and_backspace_out_and_the_cursor_is_where_it_was(self) -> None:
        async with console(engine_of()) as seen:
            await go_to(seen, "ingest")
            await seen.press("enter")
            assert shown(seen) == ["ingest/raw", "ingest/clean"]
            assert "nightly ▸ ingest" in seen.lines[0]
            assert "nightly ▸ ingest · 2 nodes" in seen.lines[3]
            await seen.press("enter", "j")
            assert seen.selected == "ingest/raw/page_a"
            assert "nightly ▸ ingest ▸ raw" in seen.lines[0]
            assert next(line for line in seen.lines if line.startswith("▌")).startswith("▌✔ page_a ")
            await seen.press("backspace")
            assert seen.selected == "ingest/raw"
            await seen.press("enter")
            assert seen.selected == "ingest/raw/page_a"
            await seen.press("backspace", "backspace")
            assert seen.selected == "ingest"
            await seen.press("backspace")
            assert "this is the outermost level" in seen.text

    async def test_escape_takes_one_step_back_at_a_time(self) -> None:
        async with console(engine_of()) as seen:
            await go_to(seen, "ingest/raw/page_b")
            for selected in ("ingest/raw", "ingest", "ingest"):
                await seen.press("escape")
                assert seen.selected == selected

    async def test_enter_on_a_task_shows_everything_about_it(self) -> None:
        async with console(engine_of()) as seen:
            await go_to(seen, "exports/orders")
            await seen.press("enter")
            assert isinstance(seen.app.screen, Popup)

    async def test_a_double_click_goes_in(self) -> None:
        async with console(engine_of()) as seen:
            await seen.pilot.click("#table", offset=(5, 1), times=2)
            await seen.settle()
            assert seen.app.main.roster.level == "ingest"

    async def test_flat_shows_all_paths_and_comes_back_to_the_level_of_the_task(self) -> None:
        async with console(engine_of(), (80, 40)) as seen:
            await seen.press("underscore")
            assert sorted(shown(seen)) == sorted(NESTED)
            assert "of all levels" in seen.lines[3]
            await go_to(seen, "ingest/clean/join")
            await seen.press("backspace")
            assert "all levels are shown already" in seen.text
            await seen.press("underscore")
            assert seen.selected == "ingest/clean/join"
            assert seen.app.main.roster.level == "ingest/clean"

    async def test_in_a_graph_without_nodes_the_keys_say_so_and_nothing_else_is_there(self) -> None:
        async with console(engine_of(running_mix())) as seen:
            for key in ("0", "underscore", "backspace"):
                await seen.press(key)
                assert "this graph has no nodes" in seen.text
                assert seen.app.main.view == "tasks"
            assert "0 Meta" not in seen.text
            assert "Levels" not in {BY_ID[action.id].group for action in seen.app.main.with_levels(())}


class TestMeta:
    async def test_0_shows_the_tree_of_all_levels(self) -> None:
        async with console(engine_of()) as seen:
            await seen.press("0")
            assert shown(seen) == ["ingest", "ingest/raw", "ingest/clean", "exports", "report", "publish"]
            assert "6 nodes" in seen.lines[3]
            assert "1 node failed" in seen.lines[3]
            assert line_of(seen, "  raw ▸").startswith(" ●   raw ▸")

    async def test_its_cursor_is_the_selection_and_enter_goes_into_the_node(self) -> None:
        async with console(engine_of()) as seen:
            await seen.press("0", "home", "j")
            assert seen.selected == "ingest/raw"
            await seen.press("enter")
            assert seen.app.main.view == "tasks"
            assert shown(seen) == ["ingest/raw/page_b", "ingest/raw/page_a"]

    async def test_who_only_looks_comes_back_to_the_task(self) -> None:
        async with console(engine_of()) as seen:
            await go_to(seen, "ingest/raw/page_a")
            await seen.press("0")
            assert seen.selected == "ingest/raw"
            await seen.press("escape")
            assert seen.selected == "ingest/raw/page_a"
            await seen.press("0", "j", "1")
            assert seen.selected == "ingest/clean"

    @pytest.mark.parametrize("keys", [("n",), ("exclamation_mark",), ("slash", *"orders", "enter")])
    async def test_what_is_looked_for_from_the_tree_is_shown_where_it_is(self, keys: tuple[str, ...]) -> None:
        async with console(engine_of()) as seen:
            await seen.press("0", *keys)
            assert seen.app.main.view == "tasks"
            assert seen.selected == "exports/orders"

    async def test_a_click_on_the_tab_opens_it(self) -> None:
        async with console(engine_of()) as seen:
            await seen.pilot.click("#header", offset=(seen.lines[2].index("0 Meta") + 2, 2))
            await seen.settle()
            assert seen.app.main.view == "meta"


class TestLookingForThings:
    async def test_a_filter_looks_through_all_levels_and_takes_you_there(self) -> None:
        async with console(engine_of()) as seen:
            await seen.press("slash", *"join", "enter")
            assert shown(seen) == ["ingest/clean/join"]
            assert "found in all levels" in seen.lines[3]
            await seen.press("escape")
            assert seen.selected == "ingest/clean/join"
            assert seen.app.main.roster.level == "ingest/clean"

    async def test_enter_on_a_node_that_was_found_goes_in(self) -> None:
        async with console(engine_of()) as seen:
            await seen.press("slash", *"clean", "enter")
            await go_to(seen, "ingest/clean")
            await seen.press("enter")
            assert sorted(shown(seen)) == ["ingest/clean/dedupe", "ingest/clean/join"]
            assert "filter off" in seen.text

    async def test_problems_are_tasks_of_all_levels_and_no_nodes(self) -> None:
        async with console(engine_of()) as seen:
            await seen.press("exclamation_mark")
            assert shown(seen) == ["exports/orders"]
            await seen.press("escape")
            assert seen.app.main.roster.level == "exports"

    async def test_n_goes_to_the_next_problem_in_whatever_level(self) -> None:
        scene = nested({"report/total": {"state": S.FAILED}})
        async with console(engine_of(scene)) as seen:
            found = []
            for _ in range(3):
                await seen.press("n")
                found.append((seen.selected, seen.app.main.roster.level))
            assert set(found) == {("exports/orders", "exports"), ("report/total", "report")}
            assert found[0] == found[2]


class TestSteeringANode:
    async def test_B35_x_tells_what_would_be_lost_and_stops_every_task_in_it(self) -> None:
        engine = engine_of()
        async with console(engine, (100, 30)) as seen:
            await go_to(seen, "ingest")
            await seen.press("x")
            assert "Cancel ingest?" in seen.text
            assert "1 task told to stop, 2 will not run, 3 after it skipped" in seen.text
            assert not engine.sent
            await seen.press("y")
            assert {getattr(one, "task", "") for one in engine.sent} == {
                "ingest/raw/page_b",
                "ingest/clean/dedupe",
                "ingest/clean/join",
            }

    async def test_B35_R_restarts_the_node_with_everything_after_it(self) -> None:
        engine = engine_of()
        async with console(engine, (100, 30)) as seen:
            await go_to(seen, "exports")
            await seen.press("R")
            assert "Restart exports and everything after it?" in seen.text
            await seen.press("y")
            assert engine.sent == [
                do.RestartTask(task=task, downstream=True)
                for task in ("exports/good", "exports/orders", "exports/slow")
            ]

    async def test_o_restarts_only_the_node(self) -> None:
        engine = engine_of()
        async with console(engine, (100, 30)) as seen:
            await go_to(seen, "exports")
            await seen.press("R", "o")
            assert len(engine.sent) == 4
            assert not any(getattr(one, "downstream", True) for one in engine.sent)

    async def test_a_reason_goes_to_all(self) -> None:
        engine = engine_of()
        async with console(engine, (100, 30)) as seen:
            await go_to(seen, "ingest")
            await seen.press("x", "w", *"late", "enter")
            assert {getattr(one, "reason", "") for one in engine.sent} == {"late"}

    async def test_B35_a_hold_of_a_node_is_answered_and_undone_as_one(self) -> None:
        engine = engine_of()
        async with console(engine, (100, 30)) as seen:
            await go_to(seen, "ingest")
            await seen.press("p")
            held = [do.HoldTask(task="ingest/clean/dedupe"), do.HoldTask(task="ingest/clean/join")]
            assert engine.sent == held
            for number, command in enumerate(held, 1):
                answer = do_applied(engine, command, number)
                engine.show(answers=(*engine.latest.answers, answer))
            await seen.settle()
            assert "ingest: 2 tasks will not start before they are released · u undoes it" in seen.text
            await seen.press("u")
            assert engine.sent[2:] == [do.ReleaseTask(task=one.task) for one in reversed(held)]

    async def test_p_releases_a_node_in_which_something_is_held(self) -> None:
        engine = engine_of(nested({"ingest/clean/join": {"held": True}, "ingest/clean/dedupe": {"held": True}}))
        async with console(engine) as seen:
            await go_to(seen, "ingest/clean")
            await seen.press("p")
            assert {type(one) for one in engine.sent} == {do.ReleaseTask}

    async def test_p_on_a_node_in_which_all_has_started_says_that_nothing_can_be_held(self) -> None:
        """It said that nothing in it is held."""
        started = {"state": S.RUNNING, "attempt": 1, "started_at": 0.0}
        engine = engine_of(nested({"ingest/clean/join": started, "ingest/clean/dedupe": started}))
        async with console(engine) as seen:
            await go_to(seen, "ingest/clean")
            await seen.press("p")
            assert engine.sent == []
            assert "nothing in it is still to start" in seen.text

    async def test_d_has_all_in_a_node_stay_down(self) -> None:
        engine = engine_of()
        async with console(engine, (100, 30)) as seen:
            await go_to(seen, "ingest/raw")
            await seen.press("d")
            assert "1 task told to stop, 5 after it skipped, all stay down" in seen.text
            await seen.press("y")
            assert engine.sent == [do.StopTask("ingest/raw/page_b")]

    async def test_P_changes_the_restart_policy_of_all_in_it(self) -> None:
        engine = engine_of()
        async with console(engine, (100, 30)) as seen:
            await go_to(seen, "report")
            await seen.press("P", "down", "enter")
            assert {type(one) for one in engine.sent} == {do.SetPolicy}
            assert [getattr(one, "task", "") for one in engine.sent] == ["report/total", "report/chart"]

    async def test_m_skips_all_in_it_or_takes_the_node_as_succeeded(self) -> None:
        engine = engine_of()
        async with console(engine, (100, 30)) as seen:
            await go_to(seen, "report")
            await seen.press("m", "2")
            assert "2 tasks will not run, 1 after it skipped" in seen.text
            await seen.press("y")
            assert {type(one) for one in engine.sent} == {do.SkipTask}
            await seen.press("m", "1", *"5", "enter")
            assert engine.sent[-1] == do.MarkSucceeded("report", 5)

    async def test_y_copies_the_name_of_the_node(self) -> None:
        async with console(engine_of()) as seen:
            await go_to(seen, "ingest/raw")
            await seen.press("y", "enter")
            assert seen.app.clipboard == "ingest/raw"

    async def test_i_and_s_and_S_go_on_as_they_do_elsewhere(self) -> None:
        async with console(engine_of()) as seen:
            await go_to(seen, "exports")
            await seen.press("S")
            assert shown(seen) == ["report", "publish", "ingest", "exports"]
            seen.app.main.sort_by("graph")
            await seen.settle()
            assert shown(seen) == ["ingest", "exports", "report", "publish"]
            assert seen.selected == "exports"
            for sort in ("name", "state", "time", "tries", "recent"):
                seen.app.main.sort_by(sort)
                await seen.settle()
                assert len(shown(seen)) == 4
            await seen.press("i")
            assert "node exports" not in seen.text

    async def test_a_refusal_names_the_node(self) -> None:
        engine = engine_of()
        async with console(engine) as seen:
            await go_to(seen, "publish")
            await seen.press("r")
            assert "publish: nothing in it has run yet" in seen.text
            assert not engine.sent

    async def test_keys_for_one_task_say_how_to_get_at_one(self) -> None:
        async with console(engine_of(), (120, 30)) as seen:
            await go_to(seen, "exports")
            for key in ("e", "at", "C"):
                await seen.press(key)
                assert "exports is a node" in seen.text, key
                assert seen.app.screen is seen.app.main

    async def test_w_tells_of_the_node(self) -> None:
        async with console(engine_of(), (100, 30)) as seen:
            await go_to(seen, "exports")
            await seen.press("w")
            assert "exports is a node of 4 tasks; 3 have ended" in seen.text

    async def test_l_shows_the_logs_of_all_tasks_in_it_as_they_come(self) -> None:
        engine = engine_of()
        engine.logs.add("ingest/raw/page_a", "hello of a")
        engine.logs.add("exports/slow", "of somebody else")
        async with console(engine) as seen:
            await go_to(seen, "ingest")
            await seen.press("l")
            assert "hello of a" in seen.text
            assert "of somebody else" not in seen.text
            engine.logs.add("exports/slow", "again of somebody else")
            engine.logs.add("ingest/raw/page_b", "hello of b")
            await seen.settle()
            assert "hello of b" in seen.text
            assert "somebody else" not in seen.text

    async def test_the_footer_greys_what_a_node_would_refuse(self) -> None:
        async with console(engine_of()) as seen:
            main = seen.app.main
            await go_to(seen, "exports")
            assert main.is_useful(BY_ID["task.cancel"])
            assert main.is_useful(BY_ID["task.restart"])
            assert not main.is_useful(BY_ID["task.edit"])
            await go_to(seen, "publish")
            assert not main.is_useful(BY_ID["task.restart"])
            assert main.is_useful(BY_ID["task.hold"])
            assert not main.is_useful(BY_ID["level.leave"])
            await go_to(seen, "publish/upload")
            assert main.is_useful(BY_ID["level.leave"])
            assert "⌫ Out" in seen.lines[-1]


def do_applied(engine: FakeEngine, command: do.Command, number: int) -> object:
    return CommandApplied(at=1.0, command=command, id=number, by="console", effect="held")


def test_a_real_run_takes_the_commands_for_a_node_one_after_the_other() -> None:
    tries: list[str] = []

    def orders_of_today() -> None:
        tries.append("orders")
        if len(tries) < 2:
            raise ValueError("no such page")

    exports = Graph("exports").add("orders", orders_of_today).add("mail", list, depends_on=["orders"]).add("good", list)
    report = Graph("report").add("total", list)
    engine = EngineThread(
        DAGExecutor(MetaDAG("nightly").add(exports).add(report, depends_on=["exports"])), hold_open=True
    )
    over = threading.Event()
    said: list[object] = []
    engine.start()
    try:
        until(lambda: engine.latest.state is RunState.FAILED)
        made = orders(engine.latest, do.RestartTask(task="exports", downstream=True))
        assert made is not None
        assert set(made.radius.runs_again) == {"exports/orders", "exports/mail", "exports/good", "report/total"}

        def heard(answer: object) -> None:
            said.append(answer)
            if len(said) == len(made.commands):
                over.set()

        for one in made.commands:
            engine.send(one, by="console", answered=heard)
        assert over.wait(10)
        assert {type(answer) for answer in said} == {CommandApplied}
        until(lambda: engine.latest.state is RunState.SUCCEEDED)
        levels = Levels()
        levels.take(engine.latest)
        assert levels.rolled(engine.latest.plan.index["exports"]).state is S.SUCCEEDED
    finally:
        engine.close()
        assert engine.join(10)


def until(so: Callable[[], bool]) -> None:
    """Wait until something is so, ten seconds at most."""
    pause = threading.Event()
    for _ in range(1000):
        if so():
            return
        pause.wait(0.01)
    raise AssertionError("it never was so")


class TestWhileItRuns:
    async def test_what_happens_in_a_node_is_seen_from_outside(self) -> None:
        engine = engine_of()
        async with console(engine) as seen:
            assert "●" in line_of(seen, "ingest ▸")
            engine.change("ingest/raw/page_b", state=S.FAILED, ended_at=260.0)
            await seen.settle()
            assert "✖ 1" in line_of(seen, "ingest ▸")
            assert "FAILED" in line_of(seen, "ingest ▸")

    async def test_a_task_that_comes_into_a_node_while_it_runs_is_shown_there(self) -> None:
        engine = engine_of()
        async with console(engine) as seen:
            await go_to(seen, "exports/slow")
            names = {**NESTED, "exports/late": ("exports/slow",)}
            grown = with_nodes(
                snapshot_of(names, {}), ["ingest/raw", "ingest/clean", "ingest", "exports", "report", "publish"]
            )
            engine.show(plan=grown.plan, rows=(*engine.latest.rows, grown.rows[-1]))
            seen.clock.now += 10
            await seen.settle()
            assert "exports/late" in shown(seen)
            assert seen.selected == "exports/slow"
            await seen.press("backspace")
            assert "○ 1" in line_of(seen, "exports ▸")

    async def test_a_level_that_goes_away_leaves_the_one_around_it(self) -> None:
        engine = engine_of()
        async with console(engine) as seen:
            await go_to(seen, "ingest/raw/page_a")
            edges = {"ingest/other": (), "ingest": ("ingest/other",)}
            other = with_nodes(snapshot_of(edges, {}), ["ingest"])
            engine.show(plan=other.plan, rows=other.rows)
            await seen.settle()
            assert seen.app.main.roster.level == "ingest"
            assert shown(seen) == ["ingest/other"]

    async def test_ten_thousand_tasks_in_nodes_are_gone_through_at_the_speed_of_keys(self) -> None:
        async with console(engine_of(in_nodes(10_000, 500))) as seen:
            assert len(shown(seen)) == 20
            await seen.press(
                "enter", *["pagedown"] * 6, *["j"] * 6, "backspace", "j", "enter", "backspace", "0", "j", "enter"
            )
            assert len(shown(seen)) == 500
            assert len(seen.app.main.table._drawn) <= 24

    async def test_every_action_works_in_every_view_on_nodes_of_any_name(self) -> None:
        edges: dict[str, tuple[str, ...]] = {}
        nodes = []
        for place, name in enumerate(HOSTILE):
            node = f"{place}{name.replace('/', '')}"
            edges |= {f"{node}/{name}": (), node: (f"{node}/{name}",)}
            nodes.append(node)
        scene = with_nodes(snapshot_of(edges, {}, graph="[red]\x1b]0;title\x07"), nodes)
        async with console(engine_of(scene)) as seen:
            for view in ("tasks", "graph", "logs", "meta"):
                for action in ACTIONS:
                    if action.id not in {"app.palette", "app.theme"}:
                        seen.app.main.action_view(view)
                        await seen.app.main.run_action(action.do)
                        if seen.app.screen is not seen.app.main:
                            await seen.app.pop_screen()
            await seen.settle()
            assert seen.app.is_running


class TestTheGraph:
    async def press(self, seen: Seen, *keys: str) -> None:
        for key in keys:
            await seen.pilot.press(key)
            await seen.app.workers.wait_for_complete()
            await seen.settle()

    async def test_the_level_is_drawn_and_entered_and_left(self) -> None:
        async with console(engine_of(), (132, 40)) as seen:
            await go_to(seen, "ingest")
            await self.press(seen, "2")
            view = seen.app.main.graph
            assert view.sheet is not None
            assert len(view.sheet.tasks) == 4
            assert "exports ▸" in seen.text
            assert "4 at this level" in seen.text
            await self.press(seen, "enter")
            assert [seen.engine.latest.plan.names[task] for task in view.sheet.tasks] == ["ingest/raw", "ingest/clean"]
            await self.press(seen, "l", "enter")
            assert "dedupe" in seen.text
            assert "Graph nightly ▸ ingest ▸ clean" in seen.text
            await self.press(seen, "backspace")
            assert seen.selected == "ingest/clean"
            await self.press(seen, "escape")
            assert seen.selected == "ingest"
            assert seen.app.main.view == "graph"
            await self.press(seen, "escape")
            assert seen.app.main.view == "tasks"

    async def test_focus_and_critical_path_are_those_of_the_level(self) -> None:
        async with console(engine_of(), (132, 40)) as seen:
            await go_to(seen, "exports")
            await self.press(seen, "2", "c")
            view = seen.app.main.graph
            assert view.sheet is not None
            assert set(view.critical.tasks) <= set(view.sheet.tasks)
            await self.press(seen, "c", "f")
            assert [seen.engine.latest.plan.names[task] for task in view.sheet.tasks] == ["exports", "publish"]
            await self.press(seen, "enter")
            assert view.focus_part is None
            assert len(view.sheet.tasks) == 4

    async def test_flat_draws_every_task(self) -> None:
        async with console(engine_of(), (132, 40)) as seen:
            await self.press(seen, "2", "underscore")
            assert seen.app.main.graph.sheet is not None
            assert len(seen.app.main.graph.sheet.tasks) == len(NESTED)

    async def test_of_a_filter_the_nodes_stand_out_that_have_it_in_them(self) -> None:
        async with console(engine_of(), (132, 40)) as seen:
            await self.press(seen, "2", "slash", *"join", "enter")
            view = seen.app.main.graph
            assert view.sheet is not None
            names = seen.engine.latest.plan.names
            assert [names[task] for task in view.sheet.tasks] == ["ingest/clean/dedupe", "ingest/clean/join"]
            assert view.sought is not None
            assert [names[view.sheet.tasks[node]] for node in view.sought] == ["ingest/clean/join"]

    async def test_a_node_is_painted_as_its_tasks_are(self) -> None:
        engine = engine_of()
        async with console(engine, (132, 40)) as seen:
            await self.press(seen, "2")
            assert "● ingest ▸" in seen.text
            engine.latest = replace(engine.latest, version=9)
            engine.change("ingest/raw/page_b", state=S.FAILED, ended_at=260.0)
            await seen.settle()
            assert "✖ ingest ▸" in seen.text
