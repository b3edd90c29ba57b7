"""How long tasks usually take, in a run that goes on: who is slow, when it is likely to be over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from console_fakes import FakeEngine, S, many, running_mix, snapshot_of
from console_pilot import console
from dagtop.core import commands as do
from dagtop.core.forecast import Usual
from dagtop.core.policy import TaskPolicy
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import RunState
from dagtop_app.chrome.view_model import run_line
from dagtop_app.plain.looks import Looks
from dagtop_app.tasks.filters import Filter
from dagtop_app.tasks.inspector import full, short
from dagtop_app.timeline import foresight
from dagtop_app.timeline.ahead import NOTHING, Ahead, expected, look_ahead, rough_end
from dagtop_app.timeline.eta_texts import Left, left_of_run, left_spans
from dagtop_app.timeline.foresight import Foresight
from dagtop_app.timeline.usual_texts import usual_spans
from dagtop_app.words.palette import outlook
from dagtop_app.words.parsing import WordError, parse
from msgspec.structs import replace

pytestmark = pytest.mark.anyio


def text_of(line: Any) -> str:
    return "".join(text for text, _ in line)


def usual_of(snapshot: RunSnapshot, **seconds: float) -> dict[int, Usual]:
    return {snapshot.plan.index[name]: Usual(median, 2 * median, 5) for name, median in seconds.items()}


def engine_with(snapshot: RunSnapshot, **seconds: float) -> FakeEngine:
    engine = FakeEngine(snapshot)
    engine.usual = usual_of(snapshot, **seconds)  # type: ignore[attr-defined]  # asked for where it is there
    return engine


def one(**row: Any) -> RunSnapshot:
    """A task, and one after it, 100 s after the run began."""
    return snapshot_of({"first": (), "then": ("first",)}, {"first": row}, at=100.0)


def running(**more: Any) -> RunSnapshot:
    return one(state=S.RUNNING, attempt=1, ready_at=40.0, started_at=40.0, **more)


class TestWhatIsLikely:
    """`running()` has run for 60 s."""

    def likely(self, snapshot: RunSnapshot, **seconds: float) -> float:
        return expected(snapshot, usual_of(snapshot, **seconds))[1][0]

    def test_by_what_is_usual(self) -> None:
        assert self.likely(running(), first=90.0) == 90.0

    def test_one_that_takes_longer_is_on_the_way_to_the_longest(self) -> None:
        assert self.likely(running(), first=50.0) == 60.0 + (100.0 - 60.0) / 2

    def test_beyond_the_longest_it_is_taken_to_need_a_little_more(self) -> None:
        assert self.likely(running(), first=20.0) == pytest.approx(66.0)

    def test_its_own_progress_tells_more(self) -> None:
        assert self.likely(running(progress=(3, 4, "")), first=500.0) == pytest.approx(80.0)

    def test_its_timeout_ends_it(self) -> None:
        policy = TaskPolicy(timeout=70.0)
        assert self.likely(running(policy=policy), first=90.0) == 70.0
        assert self.likely(running(policy=policy, progress=(1, 10, "")), first=90.0) == 70.0

    def test_that_of_one_that_has_not_begun_too(self) -> None:
        assert self.likely(one(policy=TaskPolicy(timeout=7.0)), first=90.0) == 7.0

    def test_it_never_ends_before_now(self) -> None:
        assert self.likely(running(policy=TaskPolicy(timeout=5.0)), first=90.0) == 60.0

    def test_what_waits_for_it_starts_then(self) -> None:
        snapshot = running(policy=TaskPolicy(timeout=70.0))
        ahead = look_ahead(snapshot, usual_of(snapshot, first=90.0, then=30.0))
        assert ahead.starts[1] == 110.0
        assert ahead.end == 140.0

    def test_very_many_tasks_are_spread_over_the_slots(self) -> None:
        names = [f"t{number}" for number in range(200)]
        snapshot = snapshot_of(dict.fromkeys(names, ()), {name: {"state": S.READY} for name in names}, at=10.0)
        usual = {index: Usual(1.0 + index % 5, 9.0, 4) for index in range(200)}
        end = rough_end(snapshot, usual)
        exact = look_ahead(snapshot, usual).end
        assert end is not None
        assert exact is not None
        assert abs(end - exact) < 0.1 * (exact - snapshot.at)
        assert rough_end(replace(snapshot, state=RunState.SUCCEEDED), usual) is None


class TestForesight:
    def made(self, now: Callable[[], float] = lambda: 0.0) -> tuple[Foresight, list[Callable[[], None]]]:
        waiting: list[Callable[[], None]] = []
        return Foresight(now, waiting.append), waiting

    def test_few_tasks_are_looked_ahead_of_at_once_and_not_again_too_soon(self) -> None:
        clock = [0.0]
        seer, waiting = self.made(lambda: clock[0])
        snapshot = running()
        first = seer.look(snapshot, usual_of(snapshot, first=90.0))
        assert first.ends[0] == 130.0
        again = replace(snapshot, rows=list(snapshot.rows), at=101.0)
        assert seer.look(again, {}) is first
        clock[0] = 1e6
        assert seer.look(again, {}) is not first
        assert waiting == []

    def test_many_are_looked_ahead_of_beside_and_what_is_of_another_graph_is_not_taken(self) -> None:
        seer, waiting = self.made()
        snapshot = replace(many(foresight.AT_ONCE + 1), state=RunState.RUNNING)
        assert seer.look(snapshot, {0: Usual(5.0, 6.0, 3)}) is NOTHING
        assert seer.look(snapshot, {}) is NOTHING
        (work,) = waiting
        work()
        assert seer.look(snapshot, {}).end is not None
        seer.forget()
        seer.look(snapshot, {})
        waiting.pop()()
        assert seer.look(running(), {}).end is None

    def test_of_too_many_only_the_end_is_estimated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(foresight, "TOO_MANY", 900)
        seer, waiting = self.made()
        snapshot = replace(many(1_000), state=RunState.RUNNING)
        seer.look(snapshot, {0: Usual(5.0, 6.0, 3)})
        waiting.pop()()
        found = seer.look(snapshot, {})
        assert found.end is not None
        assert found.path == ()


class TestTheHeader:
    def test_it_tells_what_is_left_and_where_there_is_room_the_critical_path(self) -> None:
        left = Left(171.0, 400.0)
        assert text_of(left_spans(left, 80)) == " ~2:51 "
        assert text_of(left_spans(left, 132)) == " ETA ~2:51 "
        assert text_of(left_spans(left, 160)) == " ETA ~2:51   crit. path 6:40 "
        assert left_spans(None, 160) == []
        for cells in (60, 80, 100, 132, 160):
            assert len(text_of(run_line(running(), "nightly.py", cells, left_over=left))) == cells

    def test_one_that_has_crashed_has_nothing_left_and_its_word_stands_apart_from_the_time(self) -> None:
        line = text_of(run_line(running(), "nightly.py", 132, crashed=True, left_over=Left(171.0)))
        assert "~" not in line
        assert "CRASHED  " in line  # the first space is on the ground of the word

    def test_of_a_run_that_is_paused_or_over_nothing_is_said(self) -> None:
        ahead = Ahead(end=200.0)
        assert left_of_run(running(), ahead) == Left(100.0)
        for state in (RunState.PAUSED, RunState.DRAINING, RunState.SUCCEEDED):
            assert left_of_run(replace(running(), state=state), ahead) is None
        assert left_of_run(running(), NOTHING) is None

    async def test_it_is_there_once_earlier_runs_are_known(self) -> None:
        snapshot = running()
        async with console(engine_with(snapshot, first=90.0, then=30.0)) as seen:
            assert "~1:00" in seen.lines[0]
        async with console(FakeEngine(snapshot)) as seen:
            assert "~" not in seen.lines[0]


class TestWhoIsSlow:
    def test_state_slow_is_who_runs_far_longer_than_usual(self) -> None:
        snapshot = running_mix()
        usual = usual_of(snapshot, extract_events=112.0, extract_users=900.0)
        for text, passes in (("state:slow", True), ("state:sl", True), ("!state:slow", False)):
            wanted = Filter(text)
            assert not wanted.error
            wanted.slow = lambda row: row.index in usual and row.name == "extract_events"
            rows = {row.name: row for row in snapshot.rows}
            assert wanted(rows["extract_events"]) is passes
            assert wanted(rows["extract_users"]) is not passes

    async def test_a_task_comes_into_the_filter_when_it_becomes_slow_though_nothing_happens(self) -> None:
        engine = engine_with(running(), first=45.0)
        async with console(engine, (100, 30)) as seen:
            await seen.press("slash", *"state:slow", "enter")
            assert len(seen.app.main.roster.order) == 0
            seen.clock.now += 10.0
            await seen.settle()
            assert [seen.app.main.snapshot.plan.names[index] for index in seen.app.main.roster.order] == ["first"]
            assert "▲ 1.6× usual" in seen.text

    async def test_it_is_told_by_glyph_and_word_in_table_and_inspector(self) -> None:
        async with console(engine_with(running_mix(), extract_events=112.0), (132, 40)) as seen:
            await seen.press("slash", *"extract_events", "enter")
            assert any("extract_events" in line and "▲ 2.1× usual" in line for line in seen.lines)
            assert "usual 1:52 · p95 3:44 · 5 runs  ▲ 2.1× usual" in seen.text
            await seen.press("enter")
            assert "USUALLY" in seen.text


class TestInWords:
    def test_plain_lines_know_who_is_slow(self) -> None:
        snapshot, looks = running_mix(), Looks()
        assert [*looks.answer(parse("tasks state:slow", snapshot), snapshot)] == ["No task is like that."]
        looks.usual = usual_of(snapshot, extract_events=112.0, extract_users=900.0)
        (line,) = looks.answer(parse("tasks state:slow", snapshot), snapshot)
        assert line.startswith("extract_events")
        looks = Looks()
        looks.usual = usual_of(snapshot, extract_events=112.0, extract_users=40.0)
        assert len([*looks.answer(parse("sort slow", snapshot), snapshot)]) == 1
        first, second = looks.answer(parse("tasks state:slow", snapshot), snapshot)
        assert first.startswith("extract_events")  # 2.1 times as long as usual
        assert second.startswith("extract_users")

    def test_a_command_knows_who_is_slow_as_the_table_does(self) -> None:
        """`cancel state:slow` found nobody, though the filter did: what is usual was not told to it."""
        snapshot = running_mix()
        usual = usual_of(snapshot, extract_events=112.0, extract_users=900.0)
        assert [*parse("cancel state:slow", snapshot, usual=usual).commands] == [do.CancelTask("extract_events")]
        assert "extract_events" in outlook("cancel state:slow", snapshot, usual=usual).text
        with pytest.raises(WordError, match="no task is state:slow"):
            parse("cancel state:slow", snapshot)

    async def test_the_line_behind_a_colon_knows_who_is_slow(self) -> None:
        engine = engine_with(running_mix(), extract_events=112.0, extract_users=900.0)
        async with console(engine, (100, 30)) as seen:
            await seen.press("colon", *"hold state:slow", "enter")
            assert "hold: extract_events runs already" in seen.text

    def test_what_is_usual_and_how_this_one_compares(self) -> None:
        known = Usual(50.0, 80.0, 12)
        assert text_of(usual_spans(running(), running().rows[0], known)) == "usual 0:50 · p95 1:20 · 12 runs"
        done = one(state=S.SUCCEEDED, attempt=1, started_at=0.0, ended_at=99.0)
        assert text_of(usual_spans(done, done.rows[0], known)).endswith("this time 2.0×")
        assert text_of(usual_spans(done, done.rows[0], Usual(95.0, 95.0, 1))) == "usual 1:35 · 1 run"
        assert usual_spans(done, done.rows[0], None) == []
        stopped = one(state=S.CANCELLED, attempt=1, started_at=0.0, ended_at=1.0)
        assert "this time" not in text_of(usual_spans(stopped, stopped.rows[0], known))

    def test_the_inspector_is_as_before_where_nothing_is_known(self) -> None:
        snapshot = running()
        row = snapshot.rows[0]
        assert "usual" not in "".join(map(text_of, full(snapshot, row, (), 60)))
        assert "usual" not in "".join(map(text_of, short(snapshot, row, (), 60, 8)))
        assert "usual 0:50" in "".join(map(text_of, short(snapshot, row, (), 60, 8, Usual(50.0, 80.0, 12))))
