"""The timeline's parts: what part of time is seen, how a task's time is drawn, what is to come."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest
from console_fakes import S, counts_of, hostile, many, plan_of, running_mix, snapshot_of
from dagtop.core import commands as do
from dagtop.core import events as ev
from dagtop.core.breakers import BreakerView
from dagtop.core.events import AnyEvent
from dagtop.core.forecast import Usual
from dagtop.core.guards import Breaker, BreakerState
from dagtop.core.policy import Restart, Retry, TaskPolicy, Trigger
from dagtop.core.snapshot import RunSnapshot
from dagtop.core.states import RunState
from dagtop.observe.spans import Kind, Span
from dagtop.observe.story import Story
from dagtop_app import faces
from dagtop_app.lines import line_width
from dagtop_app.text import width
from dagtop_app.timeline import load as timeline_load
from dagtop_app.timeline.ahead import NOTHING, look_ahead
from dagtop_app.timeline.bars import BRUSHES, cells, glyph, inked, level_glyph, spans_of
from dagtop_app.timeline.detail import attempts_line, detail_lines, detail_title, path_line
from dagtop_app.timeline.frame import edge_line, gauge_line, head_lines, legend_line, signs, title
from dagtop_app.timeline.lens import STEPS, Lens, Window, fitting, step_text, tick_text, ticks
from dagtop_app.timeline.load import Gauges
from dagtop_app.timeline.model import (
    ORDERS,
    Scene,
    against_usual,
    columns,
    empty_line,
    note,
    ordered,
    row_line,
    span_of,
)
from timeline_scenes import engine_of, nightly, over, pooled, resumed


def drawn(*spans: Span, window: Window | None = None, **options: object) -> str:
    made = cells(spans, window or Window(0.0, 1.0, 20), **options)  # type: ignore[arg-type]
    return "".join(glyph(brush) for brush in made).rstrip()


def run(start: float, end: float, ending: str = "succeeded", attempt: int = 1) -> Span:
    return Span(Kind.RUN, start, end, attempt, ending)


def text_of(line: object) -> str:
    return "".join(text for text, _ in line)  # type: ignore[attr-defined]


def scene_of(snapshot: RunSnapshot, story: Story | None = None, *, wide: int = 160, **more: object) -> Scene:
    story = story or Story()
    usual: dict[int, Usual] = more.pop("usual", {})  # type: ignore[assignment]
    ahead = look_ahead(snapshot, usual)
    start, end = span_of(snapshot, story, ahead)
    cols = columns(wide, 20)
    return Scene(snapshot, story, usual, ahead, Lens().window(start, snapshot.at, end, cols.chart), cols, True)


class TestBars:
    def test_each_part_of_a_tasks_time_has_a_glyph_of_its_own(self) -> None:
        assert drawn(Span(Kind.QUEUE, 0, 3), run(3, 8)) == "░░░█████"
        assert drawn(Span(Kind.QUEUE, 0, 3), run(3, 8, "running")) == "░░░▓▓▓▓▓"
        assert drawn(run(0, 3, "failed"), Span(Kind.BACKOFF, 3, 6), run(6, 8)) == "✖✖✖···██"
        assert drawn(run(0, 3, "timed_out")) == "✖✖✖"
        assert drawn(run(0, 3, "cancelled")) == "■■■"
        assert drawn(run(0, 3, "lost")) == "╳╳╳"
        assert drawn(Span(Kind.HELD, 0, 2), Span(Kind.GATE, 2, 4)) == "‖‖◫◫"
        assert drawn(Span(Kind.POINT, 4, 4, 0, "cached")) == "    ◇"

    def test_the_critical_path_shows_in_what_went_well(self) -> None:
        assert drawn(run(0, 3), critical=True) == "═══"
        assert drawn(run(0, 3, "failed"), run(3, 5, "running"), critical=True) == "✖✖✖▓▓"

    def test_now_goes_through_what_is_empty_and_what_is_to_come_is_behind_it(self) -> None:
        assert drawn(run(0, 3), now=6.0) == "███   ┊"
        assert drawn(run(0, 3, "running"), ahead=(3.0, 7.0), now=3.0) == "▓▓▓┊╌╌╌"
        assert drawn(ahead=(5.0, 8.0), now=2.0) == "  ┊  ╌╌╌"

    def test_a_short_attempt_is_seen_and_a_short_wait_is_not(self) -> None:
        assert drawn(Span(Kind.QUEUE, 2.0, 2.2), run(2.2, 2.3)) == "  █"

    def test_a_failure_is_never_hidden_by_what_came_after_it_in_the_same_cell(self) -> None:
        assert drawn(run(1.0, 1.2, "failed"), Span(Kind.BACKOFF, 1.2, 1.3), run(1.3, 3.9)) == " ✖██"

    def test_two_attempts_that_touch_are_told_apart(self) -> None:
        assert drawn(run(0, 3), run(3, 6)) == "██▉███"

    def test_only_what_is_seen_is_drawn(self) -> None:
        window = Window(100.0, 1.0, 5)
        assert drawn(run(0, 50), run(98, 102), run(104, 200), window=window) == "██  █"
        assert drawn(run(0, 50), window=window) == ""
        assert drawn(run(50, 500, "running"), window=window) == "▓▓▓▓▓"

    def test_any_spans_in_any_window_fill_it_exactly(self) -> None:
        dice = random.Random(5)
        for _ in range(300):
            spans, at = [], dice.uniform(0, 50)
            for _ in range(dice.randrange(12)):
                end = at + dice.choice((0.0, 0.01, 0.5, 3.0, 80.0))
                spans.append(
                    Span(dice.choice(list(Kind)), at, end, 1, dice.choice(("succeeded", "failed", "lost", "odd")))
                )
                at = end
            window = Window(dice.uniform(-20, 120), dice.choice((0.01, 1.0, 33.0)), dice.randrange(1, 60))
            made = cells(spans, window, critical=dice.random() < 0.5, ahead=(at, at + 9), now=dice.uniform(0, 99))
            assert len(made) == window.cells
            assert sum(len(text) for text, _ in inked(made)) == window.cells

    def test_every_glyph_has_one_in_ascii_and_no_two_of_the_legend_look_alike(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert all(width(look.glyph) == 1 and look.plain.isascii() and len(look.plain) == 1 for look in BRUSHES)
        assert len({look.plain for look in BRUSHES if look.word or not look.glyph.strip()}) == 14
        monkeypatch.setattr(faces, "ASCII", True)
        assert drawn(Span(Kind.QUEUE, 0, 2), run(2, 4, "failed"), run(4, 6), now=8.0) == "::!!==  |"
        assert level_glyph(0.5).isascii()

    def test_a_level_that_is_above_nothing_is_seen(self) -> None:
        assert [level_glyph(share) for share in (0.0, 0.001, 0.5, 1.0, 7.0)] == [" ", "▁", "▄", "█", "█"]

    def test_of_a_task_of_which_nothing_was_told_its_row_tells(self) -> None:
        snapshot = running_mix()
        kinds = {
            row.name: [(s.kind.value, s.ending) for s in spans_of(Story(), snapshot, row)] for row in snapshot.rows
        }
        assert kinds["auth_token"] == [("run", "succeeded")]
        assert kinds["load_orders"] == [
            ("run", "failed"),
            ("backoff", ""),
            ("run", "failed"),
            ("backoff", ""),
            ("run", "failed"),
        ]
        assert kinds["sync_crm"] == [("run", "timed_out"), ("backoff", "")]
        assert kinds["extract_events"] == [("run", "running")]
        assert kinds["join_orders"][0] == ("run", "failed")
        assert kinds["train_ltv"] == [("queue", "")]
        assert kinds["build_mart"] == []


class TestLens:
    def test_a_fitted_timeline_takes_the_next_round_step_when_it_has_grown_out_of_one(self) -> None:
        assert [fitting(seconds, 100) for seconds in (1.0, 99.0, 100.0, 101.0, 251.0, 6000.0)] == [
            0.01,
            1.0,
            1.0,
            1.5,
            3.0,
            60.0,
        ]
        lens = Lens()
        assert lens.window(0.0, 50.0, 99.0, 100) == Window(0.0, 1.0, 100)
        assert lens.window(0.0, 50.0, 100.0, 100) == Window(0.0, 1.0, 100)

    def test_zoom_keeps_what_is_under_the_anchor(self) -> None:
        lens = Lens()
        window = lens.window(0.0, 100.0, 100.0, 100)
        assert lens.zoom(1, window, 40.0)
        closer = lens.window(0.0, 100.0, 100.0, 100)
        assert closer.step == 0.5
        assert closer.cell(40.0) in {39, 40}
        assert lens.zoom(-1, closer, 40.0)
        assert lens.window(0.0, 100.0, 100.0, 100).step == 1.0

    def test_zoom_ends_somewhere_in_both_directions(self) -> None:
        lens = Lens()
        for keys in (1, -1):
            window = lens.window(0.0, 100.0, 100.0, 100)
            while lens.zoom(keys, window, 50.0):
                window = lens.window(0.0, 100.0, 100.0, 100)
            assert lens.step in {STEPS[0], STEPS[-1]}

    def test_a_run_that_is_over_fills_the_width_and_is_zoomed_by_round_steps_from_there(self) -> None:
        lens = Lens()
        window = lens.window(0.0, 298.0, 298.0, 100, over=True)
        assert (window.left, window.right) == (0.0, pytest.approx(298.0))
        assert step_text(window.step) == "2.98s/cell"
        assert lens.zoom(1, window, 100.0)
        assert lens.step == 1.5
        lens.fit()
        assert lens.zoom(-1, lens.window(0.0, 298.0, 298.0, 100, over=True), 100.0)
        assert lens.step == 5.0

    def test_pan_stays_within_sight_of_the_run(self) -> None:
        lens = Lens()
        for by in (-10_000, 10_000):
            lens.pan(by, lens.window(0.0, 100.0, 100.0, 50))
            window = lens.window(0.0, 100.0, 100.0, 50)
            assert window.left <= 100.0
            assert window.right >= 0.0

    def test_now_stays_where_it_is_while_it_is_followed(self) -> None:
        lens = Lens()
        lens.zoom(1, lens.window(0.0, 500.0, 500.0, 100), 500.0)
        lens.following = True
        places = {lens.window(0.0, at, at, 100).cell(at) for at in (500.0, 777.7, 1234.5)}
        assert len(places) <= 2
        assert all(70 <= place <= 90 for place in places)
        lens.follow(lens.window(0.0, 1300.0, 1300.0, 100))
        assert not lens.following

    def test_marks_are_at_round_times_and_do_not_touch(self) -> None:
        dice = random.Random(2)
        for _ in range(200):
            window = Window(dice.uniform(-100, 1e5), dice.choice(STEPS), dice.randrange(20, 150))
            marks = list(ticks(window, 11))
            assert all(0 <= mark.cell < window.cells for mark in marks)
            gaps = [b.cell - a.cell for a, b in pairwise(marks)]
            assert all(gap >= 9 for gap in gaps)
            assert all(mark.text for mark in marks)

    def test_times_are_as_precise_as_they_need_to_be(self) -> None:
        assert [tick_text(*one) for one in ((0.0, 10.0), (62.0, 2.0), (1.5, 0.5), (61.25, 0.05), (3725.0, 300.0))] == [
            "0:00", "1:02", "1.5s", "1:01.25", "1:02:05",
        ]  # fmt: skip
        assert [step_text(step) for step in (0.005, 0.5, 3.0, 60.0, 5400.0, 86400.0)] == [
            "5ms/cell", "500ms/cell", "3s/cell", "1m/cell", "90m/cell", "1d/cell",
        ]  # fmt: skip

    def test_of_a_run_that_was_gone_on_with_the_latest_part_is_seen_first(self) -> None:
        engine = resumed()
        assert span_of(engine.latest, engine.story, NOTHING)[0] == 86400.0
        assert span_of(engine.latest, engine.story, NOTHING, whole=True)[0] == 0.0


class TestAhead:
    def usual(self, snapshot: RunSnapshot, **seconds: float) -> dict[int, Usual]:
        return {snapshot.plan.index[name]: Usual(one, one, 3) for name, one in seconds.items()}

    def test_what_is_to_come_follows_what_is_usual(self) -> None:
        snapshot = snapshot_of(
            {"a": (), "b": ("a",), "c": ("b",), "d": ()},
            {
                "a": {"state": S.RUNNING, "attempt": 1, "started_at": 10.0},
                "d": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 5.0},
            },
            at=12.0,
        )
        ahead = look_ahead(snapshot, self.usual(snapshot, a=10.0, b=20.0, c=3.0))
        assert ahead.ends[0] == pytest.approx(20.0)
        assert (ahead.starts[1], ahead.ends[1]) == (pytest.approx(20.0), pytest.approx(40.0))
        assert ahead.end == pytest.approx(43.0)
        assert list(ahead.path) == [0, 1, 2]
        assert ahead.slack[3] == pytest.approx(10.0 + 20.0 + 3.0 - 5.0)

    def test_without_anything_known_nothing_is_said_to_come(self) -> None:
        snapshot = snapshot_of(
            {"a": (), "b": ("a",)}, {"a": {"state": S.RUNNING, "attempt": 1, "started_at": 0.0}}, at=3.0
        )
        assert look_ahead(snapshot, {}).end is None

    def test_what_a_task_says_of_its_progress_tells_more_than_what_is_usual(self) -> None:
        row = {"state": S.RUNNING, "attempt": 1, "started_at": 0.0, "progress": (25.0, 100.0, "")}
        snapshot = snapshot_of({"a": ()}, {"a": row}, at=10.0)
        assert look_ahead(snapshot, self.usual(snapshot, a=500.0)).ends[0] == pytest.approx(40.0)

    def test_the_first_bit_of_the_work_says_little_of_the_rest(self) -> None:
        """Half a hundredth done after two seconds once stretched a run of 13 seconds to ten minutes."""
        for done, end in ((0.0, 10.0), (0.5, 17.8), (5.0, 16.0), (12.5, 13.0), (25.0, 8.0)):
            row = {"state": S.RUNNING, "attempt": 1, "started_at": 0.0, "progress": (done, 100.0, "")}
            snapshot = snapshot_of({"a": ()}, {"a": row}, at=2.0)
            assert look_ahead(snapshot, self.usual(snapshot, a=10.0)).ends[0] == pytest.approx(end, abs=0.05)
        for hostile_progress in ((5e-324, 1e308, ""), (float("inf"), float("inf"), ""), (float("nan"), 1.0, "")):
            row = {"state": S.RUNNING, "attempt": 1, "started_at": 0.0, "progress": hostile_progress}
            snapshot = snapshot_of({"a": ()}, {"a": row}, at=2.0)
            assert 2.0 <= (look_ahead(snapshot, self.usual(snapshot, a=10.0)).end or 0.0) <= 18.0

    def test_a_cheap_task_that_ends_first_does_not_foretell_the_dear_ones(self) -> None:
        dear = {f"t{n}": {"policy": TaskPolicy(cost=100.0)} for n in range(5)}
        first = {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 0.9, "policy": TaskPolicy(cost=1.0)}
        edges: dict[str, tuple[str, ...]] = {"first": (), **dict.fromkeys(dear, ())}
        assert look_ahead(snapshot_of(edges, {"first": first, **dear}, at=1.0), {}).end is None
        half = {"state": S.RUNNING, "attempt": 1, "started_at": 0.0, "progress": (50.0, 100.0, ""), **dear["t0"]}
        rows: dict[str, dict[str, object]] = {"first": first, **dear, "t0": half}
        ahead = look_ahead(snapshot_of(edges, rows, at=10.0, max_parallel=5), {})
        assert ahead.ends[1] == pytest.approx(20.0)
        assert ahead.end == pytest.approx(31.0, abs=1.0)

    @pytest.mark.parametrize("done", [0.1, 0.5, 3.0, 40.0])
    def test_what_is_fitted_is_what_the_title_says(self, done: float) -> None:
        row = {"state": S.RUNNING, "attempt": 1, "started_at": 0.0, "progress": (done, 100.0, "")}
        snapshot = snapshot_of({"a": ()}, {"a": row}, at=2.0)
        scene = scene_of(snapshot, usual=self.usual(snapshot, a=10.0))
        end = scene.ahead.end
        assert end is not None
        assert scene.window.left == 0.0
        assert end <= scene.window.right <= 1.6 * end
        assert f"ends at ~0:{int(end):02}" in text_of(title(scene, Lens(), "start", 160, reading=0)[1])

    def test_a_task_that_takes_longer_than_usual_is_always_about_to_end(self) -> None:
        snapshot = snapshot_of({"a": ()}, {"a": {"state": S.RUNNING, "attempt": 1, "started_at": 0.0}}, at=100.0)
        assert look_ahead(snapshot, self.usual(snapshot, a=10.0)).ends[0] == pytest.approx(110.0)

    def test_slots_and_pools_are_waited_for(self) -> None:
        snapshot = pooled()
        ahead = look_ahead(snapshot, self.usual(snapshot, train_seg=60.0, train_ltv=40.0, score=5.0))
        assert ahead.starts[1] == pytest.approx(60.0)
        assert ahead.ends[2] == pytest.approx(105.0)
        edges = {f"t{n}": () for n in range(4)}
        narrow = snapshot_of(
            edges, {name: {"state": S.READY, "ready_at": 0.0} for name in edges}, at=0.0, max_parallel=2, window=2
        )
        assert sorted(look_ahead(narrow, {n: Usual(10.0, 10.0, 1) for n in range(4)}).starts.values()) == [
            0.0,
            0.0,
            10.0,
            10.0,
        ]

    def test_what_waits_for_a_person_or_for_what_failed_does_not_come(self) -> None:
        snapshot = snapshot_of(
            {"gone": (), "never": ("gone",), "cleans": ("gone",), "held": (), "after": ("held",), "ok": ()},
            {
                "gone": {"state": S.FAILED, "attempt": 1, "started_at": 0.0, "ended_at": 4.0},
                "cleans": {"policy": TaskPolicy(trigger=Trigger.ALL_DONE)},
                "held": {"state": S.HELD, "held": True},
                "ok": {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 4.0},
            },
            at=5.0,
        )
        ahead = look_ahead(snapshot, {})
        assert {snapshot.plan.names[index] for index in ahead.ends} == {"cleans"}

    def test_a_paused_run_starts_nothing(self) -> None:
        rows = {"a": {"state": S.RUNNING, "attempt": 1, "started_at": 0.0}, "b": {"state": S.READY, "ready_at": 0.0}}
        snapshot = snapshot_of({"a": (), "b": ()}, rows, at=1.0, state=RunState.PAUSED)
        ahead = look_ahead(snapshot, self.usual(snapshot, a=5.0, b=5.0))
        assert (set(ahead.ends), ahead.starts) == ({0}, {})

    def test_a_backoff_is_waited_for(self) -> None:
        rows = {
            "a": {
                "state": S.BACKOFF,
                "attempt": 1,
                "started_at": 0.0,
                "ended_at": 1.0,
                "due_at": 30.0,
                "policy": TaskPolicy(retry=Retry(retries=2)),
            }
        }
        snapshot = snapshot_of({"a": ()}, rows, at=5.0)
        assert look_ahead(snapshot, self.usual(snapshot, a=7.0)).starts == {0: 30.0}

    @pytest.mark.parametrize(("forced", "starts"), [(None, {0: 30.0, 1: 37.0}), (BreakerState.OPEN, {})])
    def test_an_open_breaker_is_waited_for(self, forced: BreakerState | None, starts: dict[int, float]) -> None:
        """The header said "ETA ~0:00" for as long as nothing ran."""
        view = BreakerView(
            name="api",
            spec=Breaker("api"),
            state=BreakerState.OPEN,
            computed=BreakerState.OPEN,
            forced=forced,
            probe_due_at=30.0,
        )
        rows = {"a": {"state": S.READY, "ready_at": 0.0, "policy": TaskPolicy(circuit="api")}}
        snapshot = snapshot_of({"a": (), "b": ("a",)}, rows, at=5.0, breakers=(view,))
        ahead = look_ahead(snapshot, self.usual(snapshot, a=7.0, b=1.0))
        assert (ahead.starts, ahead.end) == (starts, 38.0 if starts else None)

    def test_services_have_no_end(self) -> None:
        always = TaskPolicy(restart=Restart(policy="always"))
        rows = {"web": {"state": S.RUNNING, "attempt": 1, "started_at": 0.0, "policy": always, "serving": True}}
        snapshot = snapshot_of({"web": (), "seed": ()}, rows, at=5.0)
        ahead = look_ahead(snapshot, {0: Usual(9.0, 9.0, 2), 1: Usual(1.0, 1.0, 2)})
        assert 0 not in ahead.ends
        assert (ahead.end, ahead.path) == (None, ())

    def test_random_runs_end_and_keep_the_order_of_what_needs_what(self) -> None:
        dice = random.Random(11)
        for _ in range(150):
            n = dice.randrange(1, 14)
            edges = {f"t{i}": tuple(f"t{j}" for j in range(i) if dice.random() < 0.3) for i in range(n)}
            rows = {
                name: {"state": dice.choice(list(S)), "attempt": 1, "started_at": 1.0, "ended_at": 3.0, "due_at": 9.0}
                for name in edges
            }
            snapshot = snapshot_of(edges, rows, at=5.0, max_parallel=dice.randrange(1, 4), limits={"pool:p": (0, 1)})
            ahead = look_ahead(snapshot, {i: Usual(dice.uniform(0.1, 9), 9.0, 1) for i in range(n)})
            for index, start in ahead.starts.items():
                assert start >= 5.0
                assert ahead.ends.get(index, start) >= start
                if snapshot.rows[index].state is not S.WAITING:  # it would not be there with such an upstream
                    continue
                for above in snapshot.plan.upstream[index]:
                    assert ahead.ends.get(above, 0.0) <= start + 1e-9

    def test_an_empty_run_has_nothing_to_come(self) -> None:
        assert look_ahead(RunSnapshot(), {}) == NOTHING


class TestRows:
    def test_what_began_first_is_at_the_top_and_what_never_began_at_the_bottom(self) -> None:
        engine = nightly()
        snapshot = engine.latest
        made = ordered("start", range(len(snapshot.rows)), snapshot, engine.story, look_ahead(snapshot, {}))
        names = [snapshot.plan.names[index] for index in made]
        assert names[:2] == ["auth_token", "calendar"]
        assert names[-1] == "backfill_2019"

    def test_the_order_of_the_table_and_what_ran_longest(self) -> None:
        engine = nightly()
        snapshot, order = engine.latest, [5, 3, 9]
        assert ordered("table", order, snapshot, engine.story, NOTHING) == order
        longest = ordered("longest", range(len(snapshot.rows)), snapshot, engine.story, NOTHING)
        assert snapshot.plan.names[longest[0]] == "extract_events"
        for how in ORDERS:
            assert sorted(ordered(how, order, snapshot, Story(), NOTHING)) == sorted(order)

    def test_a_hundred_thousand_tasks_are_put_in_order(self) -> None:
        snapshot = many(100_000)
        made = ordered("start", range(100_000), snapshot, Story(), NOTHING)
        assert len(set(made)) == 100_000

    @pytest.mark.parametrize("wide", [59, 80, 99, 109, 132, 160, 250])
    def test_every_line_is_as_wide_as_the_screen(self, wide: int) -> None:
        for snapshot in (running_mix(), hostile(), over().latest):
            scene = scene_of(snapshot, engine_of(snapshot).story, wide=wide)
            for row in snapshot.rows:
                pieces = spans_of(scene.story, snapshot, row)
                line = row_line(scene, row, pieces, cursor=True, marked=False, name="x")
                assert line_width(line) == wide, row.name
            assert line_width(empty_line(scene)) <= wide
            for head in head_lines(scene, "start", axis=True):
                assert line_width(head) <= wide

    def test_names_and_errors_of_enemies_are_harmless(self) -> None:
        snapshot = hostile()
        scene = scene_of(snapshot, engine_of(snapshot).story)
        for row in snapshot.rows:
            pieces = spans_of(scene.story, snapshot, row)
            lines = [
                ((note(scene, row, pieces)),),
                *detail_lines(scene, row, pieces, 160, 3),
                detail_title(scene, row)[0],
                detail_title(scene, row)[1],
                path_line(scene, row, 160),
            ]
            for line in lines:
                assert all(char.isprintable() for char in text_of(line)), row.name

    def test_each_state_says_what_matters_of_it(self) -> None:
        engine = nightly()
        snapshot = engine.latest
        scene = scene_of(snapshot, engine.story, usual=engine.usual)  # type: ignore[attr-defined]
        said = {row.name: note(scene, row, spans_of(engine.story, snapshot, row))[0] for row in snapshot.rows}
        assert said["extract_orders"] == "-8%"
        assert said["extract_items"] == "+17%"
        assert said["extract_events"] == "+112% ▲"
        assert said["load_orders"] == "3 tries"
        assert said["sync_crm"] == "in 3s"
        assert said["notify_ops"] == "SMTPAuthenticationError"
        assert said["vacuum"] == "cancelled by hand"
        assert (said["build_mart"], said["backfill_2019"]) == ("blocked", "skipped")
        assert said["dedupe_events"] == "~0:20 left"
        assert said["snapshot_config"] == "held"
        assert all(said.values())

    def test_more_and_less_than_usual(self) -> None:
        usual = Usual(10.0, 12.0, 5)
        told = [against_usual(usual, seconds) for seconds in (10.1, 9.2, 11.6, 15.5, 400.0)]
        assert [one[0] for one in told if one] == ["=", "-8%", "+16%", "+55% ▲", "40× ▲"]
        assert against_usual(None, 3.0) is None
        assert against_usual(usual, None) is None

    def test_who_waits_for_a_resource_is_told_with_how_much_there_is(self) -> None:
        snapshot = pooled()
        scene = scene_of(snapshot)
        assert note(scene, snapshot.rows[1], ())[0] == "gpu 1/1"
        assert note(scene, snapshot.rows[0], ())[0] == "holds gpu"


class TestAround:
    def test_slots_and_pools_tell_how_full_they_were(self) -> None:
        snapshot = pooled()
        engine = engine_of(snapshot)
        scene, gauges = scene_of(snapshot, engine.story), Gauges()
        assert gauges.take(engine.story, snapshot)
        slots = gauges.slots(engine.story, snapshot, scene.window)
        assert (slots.title, slots.notes[0]) == ("slots of 8", "now 1 · peak 1 · idle 88%")
        assert set(slots.cells.strip()) == {"▁"}
        (gpu,) = gauges.pools(snapshot, scene.window, 4)
        assert (gpu.title, gpu.notes) == ("gpu 1", ("train_seg → train_ltv", "1/1"))
        assert set(gpu.cells.strip()) == {"█"}
        assert line_width(gauge_line(scene, gpu, "queue")) <= 160
        narrow = scene_of(snapshot, engine.story, wide=80)
        many_slots = gpu._replace(title="slots of 1,000", notes=("now 10 · peak 11", "10/1,000"))
        assert text_of(gauge_line(narrow, many_slots, "run")).rstrip().endswith("│ 10")
        assert gauges.take(Story(), snapshot)
        assert gauges.pools(snapshot, scene.window, 4)[0].cells.strip() == ""

    def test_how_full_the_slots_were_is_told_against_how_many_there_were_then(self) -> None:
        engine = resumed()
        engine.story.take(20, [ev.LimitChanged(86410.0, 1, "by ann"), ev.LimitChanged(86415.0, 2, "by ann")])
        scene = scene_of(engine.latest, engine.story)
        drawn = Gauges().slots(engine.story, engine.latest, scene.window).cells
        cell = scene.window.cell
        assert [drawn[cell(at)] for at in (86405.0, 86412.0, 86418.0)] == ["▂", "█", "▄"]

    def test_a_long_story_is_looked_at_a_bit_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timeline_load, "_PIECE", 3)
        engine = nightly()
        gauges, looks = Gauges(), 0
        while not gauges.take(engine.story, engine.latest):
            looks += 1
        assert looks > 5

    def test_the_legend_says_as_much_as_there_is_room_for(self) -> None:
        for wide in (60, 80, 100, 160):
            assert line_width(legend_line(wide)) <= wide
        assert "lost with its process" in text_of(legend_line(200))

    def test_the_line_above_loses_the_least_important_first(self) -> None:
        engine = nightly()
        scene = scene_of(engine.latest, engine.story, usual=engine.usual)  # type: ignore[attr-defined]
        for wide in (60, 80, 100, 160):
            left, right = title(scene, Lens(), "start", wide, reading=0)
            assert line_width(left) + line_width(right) + 8 <= wide
        left, right = title(scene, Lens(), "start", 160, reading=0)
        assert "nightly · r-7f3a" in text_of(left)
        assert "ends at ~" in text_of(right)
        assert "by start" in text_of(right)
        assert "reading 9,000 events" in text_of(title(scene, Lens(), "start", 80, reading=9000)[1])

    def test_the_axis_has_a_mark_under_each_time(self) -> None:
        scene = scene_of(running_mix())
        times, axis = head_lines(scene, "start", axis=True)
        assert text_of(axis).index("┴") == text_of(times).index("0:00")
        assert "┴" in text_of(edge_line(scene, last=False))
        assert "┴" not in text_of(edge_line(scene, last=True))

    def test_what_was_done_to_the_run_and_what_tripped_is_on_the_axis(self) -> None:
        engine = engine_of(running_mix())
        told: list[AnyEvent] = [
            ev.CommandApplied(20.0, do.SetMaxParallel(4), 1, "ann", "max_parallel is 4"),
            ev.CommandRefused(40.0, do.SetMaxParallel(0), 2, "ann", "that is none"),
            ev.RunPaused(60.0),
            ev.RunContinued(90.0),
            ev.BreakerOpened(130.0, "api", "5 of 5 failed", 20.0),
            ev.BreakerForced(160.0, "api", "by ann", "open"),
            ev.RunPaused(250.0),
        ]
        engine.story.take(500, told)
        scene = scene_of(engine.latest, engine.story)
        found = {cell: sign.word for cell, sign in signs(scene).items()}
        cell = scene.window.cell
        assert found[cell(20.0)] == "live edit"
        assert cell(40.0) not in found
        assert {found[place] for place in range(cell(60.0), cell(90.0) + 1)} == {"paused"}
        assert found[cell(130.0)] == "breaker opened"
        assert cell(160.0) not in found
        assert found[cell(251.0)] == "paused"
        axis = text_of(head_lines(scene, "start", axis=True)[1])
        assert all(glyph_ in axis for glyph_ in "◆‖▲")
        assert "◆ live edit" in text_of(legend_line(200, sorted(set(signs(scene).values()))))
        assert "◆" not in text_of(legend_line(200))

    def test_of_many_attempts_the_latest_are_told(self) -> None:
        spans = [run(n, n + 0.5, "failed", n + 1) for n in range(40)]
        told = text_of(attempts_line(spans, 100))
        assert "38 before" in told or "37 before" in told
        assert "40  0:39" in told
        assert line_width(attempts_line(spans, 100)) == 100

    def test_the_critical_path_is_told_around_the_selected_task(self) -> None:
        engine = nightly()
        snapshot = engine.latest
        scene = scene_of(snapshot, engine.story, usual=engine.usual)  # type: ignore[attr-defined]
        on = snapshot.rows[scene.ahead.path[1]]
        assert on.name in text_of(path_line(scene, on, 160))
        off = next(row for row in snapshot.rows if row.index not in scene.ahead.on_path)
        assert "slack" in text_of(path_line(scene, off, 160))
        assert path_line(scene._replace(ahead=NOTHING), on, 160) == ()

    def test_without_a_task_nothing_is_told(self) -> None:
        scene = scene_of(running_mix())
        assert detail_lines(scene, None, (), 80, 3) == []
        assert text_of(detail_title(scene, None)[0]) == "no task"

    def test_below_the_rows_progress_is_a_bar_with_its_share(self) -> None:
        scene = scene_of(running_mix())
        row = scene.snapshot.rows[scene.snapshot.plan.index["dedupe_events"]]
        told = [text_of(line) for line in detail_lines(scene, row, (), 120, 3)]
        assert any(line.startswith(" now      71% ██████████████") and "71 of 100 files" in line for line in told)


def test_nodes_have_what_is_in_them_before_them() -> None:
    plan = plan_of({"in/a": (), "in/b": ("in/a",), "in": ("in/b",)})
    object.__setattr__(plan, "nodes", frozenset({2}))
    snapshot = snapshot_of({"x": ()}, {})
    rows = snapshot_of(
        {"in/a": (), "in/b": ("in/a",), "in": ("in/b",)},
        {"in/a": {"state": S.RUNNING, "attempt": 1, "started_at": 0.0}},
        at=2.0,
    ).rows
    made = msgspec.structs.replace(snapshot, plan=plan, rows=rows, counts=counts_of(rows), at=2.0)
    ahead = look_ahead(made, {0: Usual(10.0, 10.0, 1), 1: Usual(5.0, 5.0, 1)})
    assert (ahead.starts[2], ahead.ends[2]) == (pytest.approx(2.0), pytest.approx(15.0))
