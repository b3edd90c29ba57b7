"""Graphs that grow while they are looked at: nothing jumps, nothing breaks, everything new is there."""

from __future__ import annotations

import threading

import pytest
from console_fakes import FakeEngine, S, counts_of, plan_of, running_mix
from console_pilot import Clock, Seen, console
from console_scenes import chain, grown
from dagtop import DAGExecutor, Graph, TaskContext
from dagtop.core.commands import HoldTask, ReleaseTask
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.runtime.thread import EngineThread
from dagtop_app.console import ConsoleApp
from dagtop_app.graph.loading import is_grown
from dagtop_app.tasks.roster import CALM, Roster

pytestmark = pytest.mark.anyio


async def drawn(seen: Seen) -> None:
    await seen.app.workers.wait_for_complete()
    await seen.settle()


def grow(seen: Seen, count: int) -> None:
    seen.engine.latest = grown(seen.engine.latest, count)


def cursor_line(seen: Seen) -> tuple[int, str]:
    return next((y, line[:12]) for y, line in enumerate(seen.lines) if line.startswith("▌"))


class TestOrder:
    def test_new_tasks_come_to_the_end_while_a_person_moves(self) -> None:
        roster = Roster()
        roster.show(chain(10), 0.0)
        roster.go(6)
        roster.touch(0.0)
        before, task = [*roster.order], roster.selected
        roster.show(grown(roster.snapshot, 14), 0.1)
        assert [*roster.order] == [*before, 10, 11, 12, 13]
        assert (roster.selected, roster.place) == (task, 6)
        roster.show(grown(roster.snapshot, 16), CALM + 0.1)
        assert sorted(roster.order) == [*range(16)]
        assert roster.selected == task

    def test_a_filter_counts_for_them_too(self) -> None:
        roster = Roster()
        roster.show(chain(10), 0.0)
        roster.wanted = type(roster.wanted)("page_001")
        roster.rebuild()
        roster.touch(0.0)
        roster.show(grown(roster.snapshot, 30), 0.1)
        assert [*roster.order] == [*range(10, 20)]

    def test_another_graph_begins_anew_but_the_cursor_stays_on_a_task_of_that_name(self) -> None:
        roster = Roster()
        roster.show(chain(10), 0.0)
        roster.go(6)
        roster.touch(0.0)
        assert roster.row is not None
        name = roster.row.name
        names = [row.name for row in roster.snapshot.rows][::-1]
        rows = tuple(TaskRow(index=place, name=name, state=S.WAITING) for place, name in enumerate(names))
        plan = plan_of(dict.fromkeys(names, ()), name="other")
        roster.show(RunSnapshot(plan=plan, rows=rows, counts=counts_of(rows), version=9), 0.1)
        assert roster.row is not None
        assert roster.row.name == name

    def test_a_plan_that_has_lost_or_renamed_tasks_is_another_one(self) -> None:
        small, large = chain(10), grown(chain(10), 12)
        assert is_grown(small.plan, large.plan)
        assert not is_grown(large.plan, small.plan)
        assert not is_grown(chain(10).plan, running_mix().plan)


class TestTable:
    async def test_the_cursor_stays_on_its_task_and_on_its_line(self) -> None:
        engine = FakeEngine(chain(200))
        async with console(engine) as seen:
            await seen.press("G", "k", "k")
            where = cursor_line(seen)
            for count in (201, 230, 600):
                grow(seen, count)
                await seen.settle()
                assert cursor_line(seen) == where
            seen.clock.now += 10
            engine.change("page_0001", state=S.FAILED)
            await seen.settle()
            assert cursor_line(seen) == where
            assert "601" not in seen.text
            assert "600" in seen.text

    async def test_what_is_new_can_be_selected_searched_and_steered(self) -> None:
        engine = FakeEngine(chain(20))
        async with console(engine) as seen:
            await seen.press("j")
            grow(seen, 40)
            await seen.settle()
            await seen.press("slash", *"page_0035", "enter")
            assert seen.selected == "page_0035"
            await seen.press("p")
            assert engine.sent == [HoldTask("page_0035")]
            engine.apply("held")
            engine.change("page_0035", held=True)
            await seen.settle()
            grow(seen, 80)
            await seen.settle()
            await seen.press("u")
            assert engine.sent[-1] == ReleaseTask("page_0035")
            await seen.press("enter", "escape", "w", "escape", "l", "escape", "escape")
            assert seen.selected == "page_0035"


class TestGraphView:
    async def test_the_drawing_grows_around_the_cursor(self) -> None:
        engine = FakeEngine(chain(12))
        async with console(engine, (160, 45)) as seen:
            await seen.press("2")
            await drawn(seen)
            for _ in range(2):
                await seen.press("l")
            view = seen.app.main.graph
            task = seen.selected
            assert view.cursor is not None
            before = view.place_of(view.cursor.node)
            grow(seen, 24)
            await seen.settle()
            await drawn(seen)
            assert seen.selected == task
            assert "page_0023" in seen.text
            assert view.cursor is not None
            assert view.sheet is not None
            assert engine.latest.plan.names[view.sheet.tasks[view.cursor.node]] == task
            assert view.place_of(view.cursor.node).y - before.y in range(-24, 25)

    async def test_a_drawing_is_finished_though_the_graph_goes_on_growing(self) -> None:
        engine = FakeEngine(chain(12))
        async with console(engine, (160, 45)) as seen:
            await seen.press("2")
            await drawn(seen)
            view = seen.app.main.graph
            for count in range(13, 60):
                grow(seen, count)
                seen.app.main.poll()
                engine.change(
                    f"page_{count - 1:04}", state=S.RUNNING
                )  # drawn or not yet, it is painted without a fault
                seen.app.main.poll()
            await drawn(seen)
            assert view.sheet is not None
            assert len(view.sheet.tasks) > 12
            view._rested()
            await drawn(seen)
            assert len(view.sheet.tasks) == 59

    async def test_focus_critical_path_and_filter_stay(self) -> None:
        engine = FakeEngine(chain(12))
        async with console(engine, (160, 45)) as seen:
            await seen.press("2")
            await drawn(seen)
            await seen.press("l")
            for key in ("c", "f"):
                await seen.press(key)
                await drawn(seen)
            view = seen.app.main.graph
            focus = view.focus_part
            assert focus is not None
            grow(seen, 30)
            await seen.settle()
            await drawn(seen)
            assert view.focus_part == focus
            assert view.critical
            await seen.press("slash", *"page_0029", "enter")
            await drawn(seen)
            await seen.press("n", "j", "k", "l", "h")
            await drawn(seen)
            assert seen.app.is_running


async def test_a_run_that_spawns_and_maps_is_followed_from_the_first_task_to_the_last() -> None:
    """The real engine: tasks come while the table, then the graph, is looked at."""
    graph = Graph("crawl")
    go = [threading.Event() for _ in range(3)]

    @graph.task
    def start(ctx: TaskContext) -> list[int]:
        go[0].wait(20)
        for number in range(3):
            ctx.spawn(f"page_{number}", lambda: 1, before=["report"])
        go[1].wait(20)
        return [1, 2, 3, 4]

    graph.map("part", lambda number: go[2].wait(20) and number, over="start")
    graph.add("report", lambda part: sum(part), depends_on=["start"])
    engine = EngineThread(DAGExecutor(graph), hold_open=True)
    app = ConsoleApp(engine, title="crawl.py", begin=engine.start)
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            seen = Seen(app, pilot, engine, Clock())  # type: ignore[arg-type]  # the real one
            await until(seen, "start")
            await seen.press("home", "j")
            task = seen.selected
            go[0].set()
            await until(seen, "page_2")
            assert seen.selected == task
            await seen.press("2")
            go[1].set()
            await until(seen, "part[3]")
            assert seen.selected == task
            go[2].set()
            await until(seen, "SUCCEEDED")
            await seen.press("1")
            assert seen.selected == task
    finally:
        for gate in go:
            gate.set()
        engine.close()
        assert engine.join(20)
    assert engine.result is not None
    assert engine.result["report"].output == 10


async def until(seen: Seen, text: str) -> None:
    """Wait for a text to appear: the engine runs in a thread of its own."""
    for _ in range(2000):
        await seen.settle()
        if text in seen.text:
            return
        await seen.pilot.pause(0.01)
    raise AssertionError(f"{text!r} never appeared:\n{seen.text}")
