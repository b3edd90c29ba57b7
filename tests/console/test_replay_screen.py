"""The console before a stored run: the keys of the player, and that nothing can be changed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from console_pilot import Clock, Seen
from dagtop import Graph, Retry, TaskContext
from dagtop.core import events as ev
from dagtop.journal.memory import MemoryJournal
from dagtop.ports.journal import RunRecord
from dagtop.runtime.replay import Replay
from dagtop.runtime.transport import Transport
from dagtop_app.console import ConsoleApp
from dagtop_app.lines import line_width
from dagtop_app.runs.transport_texts import bar, moment_at, transport_line

pytestmark = pytest.mark.anyio

STANDING = Transport(
    number=50,
    last=100,
    at=5.0,
    end=10.0,
    playing=False,
    speed=1.0,
    heading=None,
    indexed=True,
    troubles=(),
    following=False,
)


def text(transport: Transport, cells: int) -> str:
    return "".join(part for part, _ in transport_line(transport, cells))


@pytest.mark.parametrize("cells", [20, 40, 60, 80, 100, 132, 160])
def test_the_line_fills_the_width_exactly(cells: int) -> None:
    for transport in (STANDING, STANDING._replace(playing=True, at=0.0), STANDING._replace(at=10.0, following=True)):
        assert line_width(transport_line(transport, cells)) == cells


def test_the_instant_stands_on_the_bar_where_it_is_in_the_run() -> None:
    assert "".join(part for part, _ in bar(STANDING, 11)) == "━━━━━●─────"
    assert "".join(part for part, _ in bar(STANDING._replace(at=0.0), 11)) == "●──────────"
    assert "".join(part for part, _ in bar(STANDING._replace(at=10.0), 11)) == "━━━━━━━━━━●"


def test_problems_stand_out_on_the_bar() -> None:
    spans = bar(STANDING._replace(troubles=((80, 8.0),)), 11)
    assert "".join(part for part, _ in spans) == "━━━━━●──▲──"
    assert ("▲", "fail") in spans


def test_a_run_without_time_has_a_bar_too() -> None:
    assert "".join(part for part, _ in bar(STANDING._replace(at=0.0, end=0.0), 10)) == "●─────────"


@pytest.mark.parametrize("cells", [60, 100, 160])
def test_a_click_on_the_bar_is_the_moment_that_is_drawn_there(cells: int) -> None:
    knob = text(STANDING, cells).index("●")
    moment = moment_at(STANDING, knob, cells)
    assert moment is not None
    assert "".join(text(STANDING._replace(at=moment), cells)).index("●") == knob
    assert moment_at(STANDING, 1, cells) is None
    assert moment_at(STANDING, cells - 1, cells) is None


def test_it_says_how_much_of_the_run_has_been_read_and_that_it_looks_back() -> None:
    assert "reading the run… 37 %" in text(STANDING._replace(read=0.379, indexed=False), 100)
    assert "reading what was before…" in text(STANDING._replace(filling=True), 100)
    assert "reading" not in text(STANDING, 100)


def test_moments_of_short_runs_are_told_to_the_point_where_events_can_be_told_apart() -> None:
    assert "0:01.234" in text(STANDING._replace(at=1.2341, end=9.0), 100)
    assert "0:41.20" in text(STANDING._replace(at=41.2, end=50.0), 100)
    assert "1:15.5" in text(STANDING._replace(at=75.5, end=500.0), 100)
    assert "20:34 ●" in text(STANDING._replace(at=1234.0, end=1235.0), 100).replace("━", "")


def graph() -> Graph:
    made = Graph("kept")

    @made.task
    def first(ctx: TaskContext) -> None:
        ctx.log.info("hello")

    @made.task(depends_on=[first], retries=Retry(1, base=0))
    def fails() -> None:
        raise OSError("no")

    made.add("after", lambda: None, depends_on=["fails"])
    return made


@asynccontextmanager
async def replayed() -> AsyncIterator[tuple[Seen, Replay]]:
    """At its end."""
    journal = MemoryJournal()
    await _run(journal)
    replay = Replay(journal.load("last"), at_end=True)
    clock = Clock()
    app = ConsoleApp(replay, title="replay of kept.py", now=clock)
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Seen(app, pilot, replay, clock)  # type: ignore[arg-type]  # it is asked for nothing that this has not
        replay.start()
        await there(seen, lambda: replay.transport.indexed and replay.transport.heading is None)
        yield seen, replay
    replay.close()
    assert replay.join(20)


async def _run(journal: MemoryJournal) -> None:
    from dagtop import DAGExecutor

    await DAGExecutor(graph(), journal=journal, capture=True).run()


async def there(seen: Seen, true: Callable[[], object]) -> None:
    """The replay has a thread of its own."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        await seen.pilot.pause(0.01)
    await seen.settle()


async def pressed(seen: Seen, replay: Replay, *keys: str) -> None:
    await seen.press(*keys)
    await there(seen, lambda: replay.transport.heading is None)


class TestReplay:
    async def test_it_shows_the_run_as_it_ended(self) -> None:
        async with replayed() as (seen, _):
            assert "✖ FAILED" in seen.lines[0]
            assert "replay of kept.py" in seen.lines[0]
            assert "OSError: no" in seen.text

    async def test_events_are_gone_through_one_by_one(self) -> None:
        async with replayed() as (seen, replay):
            last = replay.transport.last
            await pressed(seen, replay, "left_square_bracket")
            assert f"event {last - 1} of {last}" in seen.lines[-2]
            await pressed(seen, replay, "right_square_bracket")
            assert f"event {last} of {last}" in seen.lines[-2]

    async def test_the_beginning_and_the_end(self) -> None:
        async with replayed() as (seen, replay):
            await pressed(seen, replay, "ctrl+home")
            assert "event 0 of" in seen.lines[-2]
            assert "WAITING" in seen.text
            assert "OSError" not in seen.text
            await pressed(seen, replay, "ctrl+end")
            assert "OSError: no" in seen.text

    async def test_problems_are_jumped_to(self) -> None:
        async with replayed() as (seen, replay):
            numbers = [number for number, _ in replay.transport.troubles]
            await pressed(seen, replay, "ctrl+home")
            await pressed(seen, replay, "right_curly_bracket")
            assert replay.transport.number == numbers[0]
            await pressed(seen, replay, "left_curly_bracket")
            assert "no problem before" in seen.text

    async def test_a_fiftieth_forward_and_back(self) -> None:
        async with replayed() as (seen, replay):
            await pressed(seen, replay, "ctrl+home")
            await pressed(seen, replay, "full_stop")
            first = replay.transport.at
            assert first > 0
            await pressed(seen, replay, "comma")
            assert replay.transport.at == 0.0

    async def test_it_plays_from_the_beginning_at_the_speed_that_is_chosen(self) -> None:
        async with replayed() as (seen, replay):
            await seen.press(*["plus"] * 20)
            assert "1800×" in seen.lines[-2]
            await seen.press("space")
            await there(seen, lambda: replay.transport.number == replay.transport.last and not replay.transport.playing)
            await seen.press(*["minus"] * 20)
            assert "0.1×" in seen.lines[-2]

    async def test_the_log_is_that_of_the_instant(self) -> None:
        async with replayed() as (seen, replay):
            await seen.press("4")
            assert "hello" in seen.text
            await pressed(seen, replay, "ctrl+home")
            assert "hello" not in seen.text
            await pressed(seen, replay, "ctrl+end")
            assert "hello" in seen.text

    @pytest.mark.parametrize("key", ["x", "r", "R", "F", "p", "m", "P", "e", "u", "d", "K", "D", "Z"])
    async def test_nothing_can_be_changed(self, key: str) -> None:
        async with replayed() as (seen, replay):
            before = list(replay.latest.rows)
            await seen.press(key)
            await there(seen, lambda: True)
            assert list(replay.latest.rows) == before
            assert len(seen.app.screen_stack) == 1

    async def test_the_keys_are_letters_where_something_is_typed(self) -> None:
        async with replayed() as (seen, replay):
            await seen.press("slash", "f", "full_stop", "space", "comma")
            assert seen.app.main.ask.value == "f. ,"
            assert replay.transport.number == replay.transport.last

    async def test_q_leaves_at_once(self) -> None:
        async with replayed() as (seen, _):
            await seen.press("q")
            assert not seen.app.is_running or seen.app.return_code == 0

    async def test_a_click_on_the_bar_goes_to_that_moment(self) -> None:
        async with replayed() as (seen, replay):
            line = seen.lines[-2]
            place = (line.index("━") + line.index("●")) // 2
            await seen.pilot.click("#time-bar", offset=(place, 0))
            await there(seen, lambda: replay.transport.heading is None and replay.transport.at < replay.transport.end)
            assert seen.lines[-2].index("●") == place


async def test_G_goes_along_with_a_run_that_goes_on_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagtop.runtime.replay.FOLLOWING", 0.001)
    monkeypatch.setattr("dagtop.runtime.replay_index.FOLLOWING", 0.001)
    journal = MemoryJournal()
    record = RunRecord(
        run="r1", graph="g", source="", started_at=0.0, pid=1, names=("a",), upstream=((),), fingerprints=("f",)
    )
    writer = journal.begin(record, lambda task, message: None)
    writer.record(1, [ev.RunStarted(0.0, "r1", "g", 0.0, 1, 4), ev.TaskReady(1.0, "a")])
    replay = Replay(journal.load("last"), at_end=True)
    app = ConsoleApp(replay, title="replay of g", now=Clock())
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Seen(app, pilot, replay, Clock())  # type: ignore[arg-type]  # it is asked for nothing that this has not
        replay.start()
        await there(seen, lambda: replay.transport.following)
        assert "event 2 of 2 · live" in seen.lines[-2]
        await pressed(seen, replay, "ctrl+home")
        assert "G goes along with it" in seen.lines[-2]
        writer.record(3, [ev.TaskStarted(2.0, "a", 1)])
        await there(seen, lambda: replay.transport.last == 3)
        assert replay.transport.number == 0
        await seen.press("G")
        await there(seen, lambda: replay.transport.following and replay.transport.number == 3)
        assert "event 3 of 3 · live" in seen.lines[-2]
    replay.close()
    assert replay.join(20)
