"""A graph with a schedule in the console: it waits, counts down, and another engine comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from console_fakes import FakeEngine, snapshot_of
from console_nested import with_nodes
from console_pilot import Clock, Seen
from dagtop.core import commands as do
from dagtop.core.agenda import Agenda
from dagtop.core.schedule import Timetable, schedule_of
from dagtop.core.snapshot import EMPTY
from dagtop.core.states import RunState, TaskState
from dagtop_app.console import ConsoleApp
from dagtop_app.launching.due_texts import at_text, left_text, missed_text
from dagtop_app.reloading.next_run import NextRun
from dagtop_app.reloading.timekeeper import NodeKeeper, NotBegun, Timekeeper

BEGIN = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
EDGES: dict[str, tuple[str, ...]] = {"load": (), "publish": ("load",)}


class Starting(FakeEngine):
    """An engine of a schedule: it can be started, and anybody may send."""

    started = False

    def start(self) -> None:
        self.started = True

    def send(self, command: do.Command, *, by: str) -> int:
        self.sent.append(command)
        return len(self.sent)

    def goes_on(self, run: str = "r-1", at: float = 1.0) -> None:
        self.latest = snapshot_of(EDGES, {"load": {"state": TaskState.RUNNING, "started_at": 0.0}}, run=run, at=at)

    def ends(self, run: str = "r-1") -> None:
        done = {"state": TaskState.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 2.0}
        self.latest = snapshot_of(
            EDGES, {"load": done, "publish": done}, run=run, at=2.0, state=RunState.SUCCEEDED, version=9
        )


class Kept(Seen):
    """A console under test with the wall clock in hand, and the engines that were made."""

    wall = Clock()
    made: list[Starting]


@asynccontextmanager
async def console(size: tuple[int, int] = (120, 30), **options: Any) -> AsyncIterator[Kept]:
    wall, clock, made = Clock(), Clock(), list[Starting]()
    wall.now = BEGIN
    schedule = schedule_of(**({"every": 3600} | options))
    assert schedule is not None

    def make() -> Starting:
        made.append(Starting())
        return made[-1]

    keeper = Timekeeper(Agenda(Timetable(schedule, UTC), BEGIN), make, wall=wall)
    first = NotBegun(snapshot_of(EDGES, {}).plan, 8)
    app = ConsoleApp(first, title="nightly.py", now=clock, keeper=keeper)
    async with app.run_test(size=size) as pilot:
        seen = Kept(app, pilot, FakeEngine(), clock)
        seen.wall, seen.made = wall, made
        await seen.settle()
        yield seen


@pytest.mark.anyio
class TestWaiting:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    async def test_before_the_first_due_time_the_tasks_are_shown_and_it_counts_down(self) -> None:
        async with console() as seen:
            assert "WAITING" in seen.lines[0]
            assert "next run at 13:00" in seen.lines[0]
            assert "in 1:00:00" in seen.lines[0]
            assert "load" in seen.text
            assert "publish" in seen.text
            assert ". runs it now" in seen.text
            seen.wall.now += 47 * 60 + 56
            await seen.settle()
            assert "in 12:04" in seen.lines[0]
            assert seen.made == []

    async def test_a_narrow_terminal_counts_down_above_the_footer(self) -> None:
        async with console(size=(80, 24)) as seen:
            assert "next run" not in seen.lines[0]
            assert "next run at 13:00" in seen.lines[-2]

    async def test_at_the_due_time_an_engine_begins_and_the_last_run_stays_until_it_tells_something(self) -> None:
        async with console() as seen:
            seen.wall.now += 3600
            await seen.settle()
            (engine,) = seen.made
            assert engine.started
            assert engine.latest is EMPTY
            assert "publish" in seen.text
            engine.goes_on()
            await seen.settle()
            assert "RUNNING" in seen.lines[0]
            assert "next run at 14:00" in seen.text
            engine.ends()
            await seen.settle()
            assert "the run is over: all is well" in seen.text
            seen.wall.now += 3600
            await seen.settle()
            assert len(seen.made) == 2
            assert engine.closed

    async def test_the_log_is_that_of_the_run_that_is_shown(self) -> None:
        async with console() as seen:
            await seen.press("4")
            for number in (1, 2):
                seen.wall.now += 3600
                await seen.settle()
                engine = seen.made[-1]
                engine.goes_on(f"r-{number}")
                engine.logs.add("load", f"words of run {number}")
                await seen.settle()
                engine.ends(f"r-{number}")
                await seen.settle()
            assert "words of run 2" in seen.text
            assert "words of run 1" not in seen.text

    async def test_a_key_runs_it_now_and_never_two_side_by_side(self) -> None:
        async with console() as seen:
            await seen.press("full_stop")
            (engine,) = seen.made
            engine.goes_on()
            await seen.settle()
            await seen.press("full_stop")
            assert "a run goes on already" in seen.text
            assert len(seen.made) == 1

    async def test_a_due_time_while_a_run_goes_on_is_told_as_left_out(self) -> None:
        async with console() as seen:
            await seen.press("full_stop")
            seen.made[0].goes_on()
            seen.wall.now += 3601
            await seen.settle()
            assert len(seen.made) == 1
            seen.made[0].ends()
            await seen.settle()
            assert "1 due time was missed, and left out" in seen.text

    async def test_overlap_cancel_cancels_the_run_once_and_begins_the_next_when_it_has_ended(self) -> None:
        async with console(overlap="cancel") as seen:
            await seen.press("full_stop")
            seen.made[0].goes_on()
            seen.wall.now += 3600
            await seen.settle()
            await seen.settle()
            assert seen.made[0].sent == [do.CancelRun(reason="the next run is due")]
            seen.made[0].ends()
            await seen.settle()
            assert len(seen.made) == 2

    async def test_commands_before_the_first_run_are_refused_in_words(self) -> None:
        async with console() as seen:
            await seen.press("p")
            assert "there is no run yet" in seen.text

    async def test_leaving_while_it_waits_asks_nothing_and_begins_nothing(self) -> None:
        async with console() as seen:
            await seen.press("q")
            assert seen.app.return_code == 0
            assert seen.made == []

    async def test_a_graph_without_a_schedule_says_so(self) -> None:
        app = ConsoleApp(FakeEngine(snapshot_of(EDGES, {})), title="nightly.py", now=Clock())
        async with app.run_test() as pilot:
            await pilot.press("full_stop")
            app.main.poll()
            assert app.bridge.word.text == "the graph has no schedule; r and R run tasks again"


class TestTexts:
    @pytest.mark.parametrize(
        ("due", "told"),
        [
            ("2026-06-01 13:00", "13:00"),
            ("2026-06-01 13:00:05", "13:00:05"),
            ("2026-06-02 02:00", "Tue 02:00"),
            ("2026-06-07 02:00", "Sun 02:00"),
            ("2026-06-08 02:00", "2026-06-08 02:00"),
        ],
    )
    def test_a_due_time_is_told_as_far_as_it_is_away(self, due: str, told: str) -> None:
        moment = datetime.fromisoformat(due).replace(tzinfo=UTC).timestamp()
        assert at_text(moment, BEGIN, UTC, UTC) == told

    def test_a_place_with_another_time_is_named(self) -> None:
        from zoneinfo import ZoneInfo

        assert at_text(BEGIN + 60, BEGIN, ZoneInfo("Asia/Tokyo"), UTC) == "21:01 Asia/Tokyo"

    @pytest.mark.parametrize(
        ("seconds", "told"),
        [(0.2, "1 s"), (45, "45 s"), (125, "2 m 5 s"), (11520, "3 h 12 m"), (3600, "1 h"), (200000, "2 d 7 h")],
    )
    def test_how_long_it_is_until_then(self, seconds: float, told: str) -> None:
        assert left_text(seconds) == told

    def test_what_was_missed_is_counted_up_to_a_thousand(self) -> None:
        assert missed_text(1, 1000) == "1 due time was missed, and left out"
        assert missed_text(1000, 1000) == "at least 1,000 due times were missed, and left out"


class Again:
    """A reader of the file that has its answer ready."""

    is_busy = False

    def __init__(self, found: NextRun | str) -> None:
        self._found = found
        self._ready: NextRun | str | None = None

    def begin(self) -> bool:
        self._ready = self._found
        return True

    def take(self) -> NextRun | str | None:
        answer, self._ready = self._ready, None
        return answer


@pytest.mark.anyio
async def test_ctrl_r_has_the_next_run_be_of_the_file_as_it_is_now() -> None:
    async with console() as seen:
        idle = NotBegun(snapshot_of({"fetch": ()}, {}).plan, 8)
        prepared: Any = None
        found = NextRun(prepared, prepared, None, "+ added: fetch · - removed: load, publish", idle)
        seen.app.main.reloader = Again(found)  # type: ignore[assignment]
        await seen.press("ctrl+r")
        await seen.settle()
        assert "the next run is of the file as it is now: + added: fetch" in seen.text
        assert "WAITING" in seen.lines[0]
        assert any(line.split()[:3].count("fetch") for line in seen.lines[3:10])


@pytest.mark.anyio
async def test_other_due_times_hold_from_now_on() -> None:
    async with console() as seen:
        schedule = schedule_of(every=60)
        assert schedule is not None
        keeper = seen.app.main.keeper
        assert isinstance(keeper, Timekeeper)
        keeper.go_by(Agenda(Timetable(schedule, UTC), BEGIN))
        await seen.settle()
        assert "next run at 12:01" in seen.lines[0]


@pytest.mark.anyio
async def test_of_nodes_with_schedules_nothing_is_offered_that_would_be_refused() -> None:
    async with console() as seen:
        schedule = schedule_of(every=60)
        assert schedule is not None
        engine = FakeEngine(with_nodes(snapshot_of({"in/a": (), "in": ("in/a",)}, {}), ["in"]))
        seen.app.bridge.attach(engine)
        seen.app.main.keeper = NodeKeeper({"in": Timetable(schedule, UTC)}, wall=lambda: seen.wall.now)
        done = {"state": TaskState.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 2.0}
        over = snapshot_of(
            {"in/a": (), "in": ("in/a",)}, {"in/a": done, "in": done}, version=9, state=RunState.SUCCEEDED
        )
        engine.latest = with_nodes(over, ["in"])
        await seen.settle()
        assert "all is done until then" in seen.text
        assert "the run is over" not in seen.text
        assert "Run now" not in seen.text
        await seen.press("full_stop")
        assert "only nodes of it have schedules" in seen.text


@pytest.mark.anyio
async def test_the_detail_that_is_open_follows_the_task_into_the_next_run() -> None:
    """It said "the run has not begun" through all the runs of a schedule."""
    async with console() as seen:
        await seen.press("enter")
        before = seen.text
        seen.wall.now += 3600
        await seen.settle()
        seen.made[0].goes_on()
        await seen.settle()
        seen.app.screen.renew()  # type: ignore[attr-defined]  # which it does ten times a second
        await seen.settle()
        assert "the run has not begun" in before
        assert "the run has not begun" not in seen.text
