"""View 5, the circuit breakers: what it tells, and what its keys send (B18 to B22)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from console_alarms import alarmed, alarms, breakers, hostile_alarms, story_events
from console_fakes import FakeEngine, S, fail, many
from console_pilot import Seen, console
from dagtop.core import commands as do
from dagtop.core import events as ev
from dagtop.core.breakers import BreakerView
from dagtop.core.guards import Breaker, BreakerState
from dagtop.core.policy import TaskPolicy
from dagtop.observe.story import Story, Turn
from dagtop_app import faces
from dagtop_app.breakers import model, rows, texts
from dagtop_app.breakers.edit import breaker_fields, breaker_settings
from dagtop_app.breakers.machine import drawing
from dagtop_app.chrome import badges
from dagtop_app.screens.form import Form
from dagtop_app.screens.popup import Popup

B = BreakerState


def shown(lines: Sequence[Any]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def scene_of(name: str, selected: int | None = None) -> texts.Scene:
    snapshot, story = alarms(), Story()
    story.take(1, story_events())
    users, calls = model.Users(), model.Calls()
    users.take(snapshot)
    calls.take(story, snapshot)
    view = next(view for view in snapshot.breakers if view.name == name)
    return texts.Scene(snapshot, story, view, users, calls, selected)


class TestUsers:
    def test_they_follow_policies_and_states_from_snapshot_to_snapshot(self) -> None:
        snapshot, users = alarms(), model.Users()
        users.take(snapshot)
        assert [snapshot.plan.names[i] for i in users.tasks("fx-api")] == ["fetch_fx_rates", "fetch_fx_past"]
        assert (users.count("fx-api"), users.count("fx-api", S.READY), users.count("nobody")) == (2, 1, 0)
        engine = FakeEngine(snapshot)
        engine.change("fetch_fx_past", state=S.RUNNING)
        users.take(engine.latest)
        assert (users.count("fx-api", S.READY), users.count("fx-api", S.RUNNING)) == (0, 2)
        engine.change("fetch_fx_past", policy=TaskPolicy(circuit="crm"))
        users.take(engine.latest)
        assert (users.count("fx-api"), users.count("crm")) == (1, 3)
        assert users.asked_by(snapshot.plan.index["fetch_fx_past"]) == "crm"

    def test_another_run_begins_anew(self) -> None:
        users = model.Users()
        users.take(alarms())
        users.take(many(50))
        assert users.count("fx-api") == 0

    def test_a_task_that_was_removed_asks_no_more(self) -> None:
        engine, users = FakeEngine(alarms()), model.Users()
        engine.change("fetch_fx_past", gone=True)
        users.take(engine.latest)
        assert users.count("fx-api") == 1


class TestCalls:
    def test_attempts_that_a_breaker_let_through_are_its_calls(self) -> None:
        calls = scene_of("fx-api").calls
        assert [(call.at, call.ok) for call in calls.of("fx-api")] == [
            (154.0, False),
            (159.0, False),
            (164.0, False),
            (200.0, False),
        ]
        assert [call.ok for call in calls.of("crm")] == [True]
        assert calls.rejected == {"smtp": 1}

    def test_what_was_cancelled_neither_succeeded_nor_failed(self) -> None:
        story, calls = Story(), model.Calls()
        story.take(1, [ev.TaskStarted(1.0, "sync_crm", 1), ev.TaskCancelled(2.0, "sync_crm", 1, "by hand")])
        calls.take(story, alarms())
        assert calls.of("crm") == ()

    def test_going_back_in_time_begins_anew(self) -> None:
        story, calls = Story(), model.Calls()
        story.take(1, story_events())
        calls.take(story, alarms())
        earlier = Story()
        earlier.take(1, story_events()[:5])
        calls.take(earlier, alarms())
        assert len(calls.of("fx-api")) == 1

    @pytest.mark.parametrize(("count", "longest"), [(1, 1.0), (20, 19.0), (100, 95.0)])
    def test_p95_is_what_95_of_100_did_not_exceed(self, count: int, longest: float) -> None:
        assert model.p95([model.Call(0.0, float(n), ok=True) for n in range(1, count + 1)]) == longest

    def test_the_latest_minute_is_told_in_pieces_oldest_first(self) -> None:
        calls = [
            model.Call(at, 1.0, ok)
            for at, ok in ((3.0, False), (43.0, True), (56.0, True), (58.0, False), (95.0, False))
        ]
        assert model.lately(calls, 100.0, 10) == "+.?......!"
        assert model.lately([], 100.0, 4) == "...."


class TestTheStory:
    def test_stretches_are_the_states_in_force(self) -> None:
        turns = [
            Turn(10.0, "open", ""),
            Turn(15.0, "closed", "", True),
            Turn(20.0, "half_open", ""),
            Turn(22.0, "", "recovery_timeout 30 → 5, set by hand"),
            Turn(25.0, "", "", True),
        ]
        assert [tuple(one) for one in model.stretches(turns, 30.0)] == [
            (0.0, 10.0, "closed"), (10.0, 15.0, "open"), (15.0, 25.0, "closed"), (25.0, 30.0, "half_open"),
        ]  # fmt: skip

    def test_what_a_breaker_cost_is_the_time_that_tasks_waited_while_it_was_not_closed(self) -> None:
        scene = scene_of("fx-api")
        cost = texts.cost_of(scene)
        assert cost is not None
        assert (cost.tasks, cost.seconds) == (2, 72.0), "from 170 to 190, and from 200 to now, less than both together"

    def test_what_tasks_of_the_critical_path_waited_is_told_apart(self) -> None:
        engine = FakeEngine(alarms())
        engine.change("heartbeat", started_at=251.0)  # else that alone is longer than everything else
        scene = scene_of("fx-api")._replace(snapshot=engine.latest)
        cost = texts.cost_of(scene)
        assert cost is not None
        assert cost.critical == 65.0, "fetch_fx_rates waited from 170 to 190 and from 200 to 245"
        text = shown(texts.detail(scene, 100, 30, cost=cost))
        assert "+1:05 on the critical path so far" in text

    def test_one_that_was_always_closed_cost_nothing(self) -> None:
        assert texts.cost_of(scene_of("crm")) == (0.0, 0.0, 0)

    def test_without_a_story_the_breaker_tells_its_own(self) -> None:
        view = breakers()[1]
        assert [turn.state for turn in model.turns_of(view, Story())] == ["open", "half_open", "open", "half_open"]


class TestTheMachine:
    @pytest.mark.parametrize("tall", [False, True])
    @pytest.mark.parametrize("view", breakers(), ids=lambda view: view.name)
    def test_the_state_in_force_stands_out(self, view: BreakerView, tall: bool) -> None:
        lines = drawing(view, 252.0, 100, tall=tall)
        names = {B.CLOSED: "closed", B.OPEN: "open", B.HALF_OPEN: "half-open"}
        assert f"║ {names[view.state]} ║" in shown(lines)
        assert shown(lines).count("║") == 2
        assert len({sum(len(text) for text, _ in line) for line in lines}) == 1 or not tall

    def test_it_says_what_leads_where(self) -> None:
        text = shown(drawing(breakers()[1], 252.0, 100, tall=True))
        for told in ("3 failures in a row", "20s", "1 of 2 probes succeeded", "the probe fails"):
            assert told in text
        assert "in 12s of 30s" in shown(drawing(breakers()[3], 252.0, 100, tall=True))

    def test_what_does_not_fit_is_not_drawn(self) -> None:
        assert drawing(breakers()[0], 0.0, 40, tall=True) == []

    def test_it_is_drawn_in_ascii_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(faces, "ASCII", True)
        assert shown(drawing(breakers()[1], 252.0, 100, tall=True)).isascii()


class TestTheTexts:
    def test_next_says_what_happens_or_who_holds_it(self) -> None:
        snapshot = alarms()
        told = {view.name: rows.next_text(snapshot, view) for view in snapshot.breakers}
        assert told == {"crm": "-", "fx-api": "probe 2/2", "maps": "open, you 3:58", "smtp": "in 12s"}

    def test_those_that_need_attention_come_first(self) -> None:
        assert [view.name for view in model.order_of(breakers())] == ["fx-api", "smtp", "maps", "crm"]
        assert model.counts(breakers()) == (1, 1, 1)
        assert badges.breakers(alarms()) == "▲3"
        assert badges.breakers(alarms(breakers=())) == ""

    def test_the_markdown_tells_its_story(self) -> None:
        told = texts.markdown(scene_of("maps"))
        assert told.startswith("### Breaker maps: open (forced; by itself closed)")
        assert "3:58 held open: held open by hand" in told

    @pytest.mark.parametrize("height", [1, 4, 7, 10, 14, 20, 40])
    @pytest.mark.parametrize("name", ["crm", "fx-api", "maps", "smtp"])
    def test_the_detail_fits_whatever_room_there_is(self, name: str, height: int) -> None:
        scene = scene_of(name)
        lines = texts.detail(scene, 78, height, cost=texts.cost_of(scene))
        assert 1 <= len(lines) <= height


class TestTheForm:
    SPEC = Breaker("api", failure_threshold=5, recovery_timeout=30.0)

    def typed(self, spec: Breaker, **fields: str) -> Any:
        values = {label: field.initial for label, field in breaker_fields(spec).items()}
        return breaker_settings(spec, 3)({**values, **{name.replace("_", " "): text for name, text in fields.items()}})

    def test_only_what_is_different_is_sent(self) -> None:
        made = self.typed(self.SPEC, trips="3", window="60", rate="50%")
        assert made.result == do.SetBreaker("api", failure_threshold=3, window=60.0, failure_rate=0.5)
        assert made.outlook == "trips 5 → 3, window none → 60, rate none → 0.5 · for 3 tasks"

    def test_as_it_is_it_changes_nothing(self) -> None:
        assert self.typed(self.SPEC).result is None
        windowed = Breaker("api", window=60.0, failure_rate=0.25)
        assert self.typed(windowed) == (None, {}, "as it is now")

    def test_an_empty_window_takes_it_away(self) -> None:
        made = self.typed(Breaker("api", window=60.0), window="")
        assert made.result == do.SetBreaker("api", window=0)

    @pytest.mark.parametrize(
        ("fields", "where"),
        [
            ({"trips": "0"}, "trips"),
            ({"trips": "²"}, "trips"),
            ({"trips": "many"}, "trips"),
            ({"probes": "-1"}, "probes"),
            ({"probes": "nan"}, "probes"),
            ({"rate": "50%"}, "rate"),
            ({"window": "60", "rate": "200%"}, "rate"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field(self, fields: dict[str, str], where: str) -> None:
        made = self.typed(self.SPEC, **fields)
        assert made.result is None
        assert [*made.errors] == [where]


@asynccontextmanager
async def view5(engine: FakeEngine | None = None, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Seen]:
    async with console(alarmed() if engine is None else engine, size) as seen:
        await seen.press("5")
        yield seen


@pytest.mark.anyio
class TestKeys:
    async def test_the_cursor_goes_from_breaker_to_breaker_and_tasks_follow(self) -> None:
        async with view5() as seen:
            assert seen.selected == "fetch_fx_past", "of those that ask it the one that waits"
            await seen.press("j")
            assert "▌○ smtp" in seen.text
            assert seen.selected == "notify_ops"
            await seen.press("G")
            assert "▌● crm" in seen.text
            await seen.press("g", "g", "right")
            assert seen.selected == "fetch_fx_rates"
            await seen.press("left")
            assert seen.selected == "fetch_fx_past"

    async def test_it_shows_the_breaker_of_the_task_that_is_selected(self) -> None:
        async with console(alarmed()) as seen:
            seen.app.main.select(seen.engine.latest.plan.index["notify_dev"])
            await seen.press("5")
            assert "▌○ smtp" in seen.text
            assert seen.selected == "notify_dev"

    @pytest.mark.parametrize(
        ("keys", "command"),
        [
            ("c", do.ResetBreaker("fx-api")),
            ("t", do.TripBreaker("fx-api")),
            ("H", do.ForceBreaker("fx-api", "half_open")),
            ("fo", do.ForceBreaker("fx-api", "open")),
            ("fk", do.ForceBreaker("fx-api", "closed")),
            ("fh", do.ForceBreaker("fx-api", "half_open")),
        ],
    )
    async def test_B22_each_key_sends_its_command(self, keys: str, command: do.Command) -> None:
        async with view5() as seen:
            await seen.press(*keys)
            assert seen.engine.sent == [command]
            assert "fx-api" in seen.lines[-2], "it is said at once"
            assert "…" in seen.lines[-2]

    async def test_a_forced_one_is_let_go(self) -> None:
        async with view5() as seen:
            await seen.press("j", "j", "f")
            assert "Let it go" in seen.text
            await seen.press("l")
            assert seen.engine.sent == [do.ForceBreaker("maps", "")]
            seen.engine.apply("breaker maps goes by itself again")
            await seen.settle()
            await seen.press("u")
            assert seen.engine.sent[-1] == do.ForceBreaker("maps", "open")

    async def test_force_can_be_left(self) -> None:
        async with view5() as seen:
            await seen.press("f", "escape")
            assert seen.engine.sent == []
            assert "nothing was changed" in seen.text

    async def test_where_tasks_would_fail_at_it_a_trip_is_asked_first(self) -> None:
        closed = msgspec.structs.replace(breakers()[3], state=B.CLOSED, computed=B.CLOSED)
        async with view5(alarmed(alarms(breakers=(closed,)))) as seen:
            await seen.press("t")
            assert "1 task that would start soon will fail at it" in seen.text
            await seen.press("escape")
            assert seen.engine.sent == []
            await seen.press("t", "y")
            assert seen.engine.sent == [do.TripBreaker("smtp")]

    async def test_B22_its_settings_are_edited_checked_as_typed_and_undone(self) -> None:
        async with view5() as seen:
            await seen.press("e")
            assert isinstance(seen.app.screen, Form)
            await seen.press("0")
            assert "a whole number of at least 1" in seen.text
            await seen.press("backspace", "7")
            assert "trips 3 → 7 · for 2 tasks" in seen.text
            await seen.press("enter")
            assert seen.engine.sent == [do.SetBreaker("fx-api", failure_threshold=7)]
            seen.engine.apply("breaker fx-api: failure_threshold = 7")
            await seen.settle()
            await seen.press("u")
            assert seen.engine.sent[-1] == do.SetBreaker("fx-api", failure_threshold=3)

    async def test_an_edit_can_be_left(self) -> None:
        async with view5() as seen:
            await seen.press("e", "9", "escape")
            assert seen.engine.sent == []

    async def test_y_copies_it_as_markdown(self) -> None:
        async with view5() as seen:
            await seen.press("y")
            assert seen.app.clipboard.startswith("### Breaker fx-api: half-open")

    async def test_enter_tells_everything(self) -> None:
        async with view5(size=(100, 40)) as seen:
            await seen.press("enter")
            assert isinstance(seen.app.screen, Popup)
            assert "WHO ASKS IT" in seen.text
            assert "trips at 3 failures in a row" in seen.text

    async def test_n_goes_to_the_next_that_is_not_closed(self) -> None:
        async with view5() as seen:
            names = []
            for _ in range(3):
                await seen.press("n")
                names.append(seen.app.main.pane.key)  # type: ignore[attr-defined]
            assert names == ["smtp", "maps", "fx-api"]

    async def test_a_filter_finds_one_by_its_name(self) -> None:
        async with view5() as seen:
            await seen.press("slash", *"crm", "enter")
            assert "crm" in seen.text
            assert "smtp " not in seen.text
            await seen.press("escape")
            assert "smtp " in seen.text

    async def test_a_click_puts_the_cursor_there_and_two_open_it(self) -> None:
        async with view5() as seen:
            await seen.pilot.click("#breakers", offset=(5, 2))
            await seen.settle()
            assert "▌○ maps" in seen.text
            await seen.pilot.click("#breakers", offset=(5, 2), times=2)
            await seen.settle()
            assert isinstance(seen.app.screen, Popup)

    async def test_keys_for_tasks_mean_the_same_as_everywhere(self) -> None:
        async with view5() as seen:
            await seen.press("x", "y")
            assert seen.engine.sent == [do.CancelTask("fetch_fx_past")]

    async def test_b_is_about_the_breaker_under_the_cursor(self) -> None:
        async with view5() as seen:
            await seen.press("b")
            assert "Breaker fx-api is half-open" in seen.text


@pytest.mark.anyio
class TestWhatIsSeen:
    async def test_a_forced_state_stands_beside_the_computed_one(self) -> None:
        async with view5() as seen:
            await seen.press("j", "j")
            assert "FORCED" in seen.text
            assert "by itself it is closed" in seen.text

    async def test_who_waits_and_for_how_long(self) -> None:
        async with view5() as seen:
            assert "1 task: fetch_fx_past 0:52" in seen.text
            assert "convert_prices" in seen.text
            assert "2 tasks waited at it for" in seen.text

    async def test_a_run_without_breakers_says_so(self) -> None:
        async with view5(FakeEngine(many(20))) as seen:
            assert "no task asks a circuit breaker" in seen.text
            await seen.press(*"ctHfey", "enter", "j", "n")
            assert seen.engine.sent == []

    async def test_it_follows_the_run(self) -> None:
        async with view5() as seen:
            closed = msgspec.structs.replace(breakers()[1], state=B.CLOSED, computed=B.CLOSED, failures=0)
            seen.engine.show(breakers=(closed,))
            await seen.settle()
            assert "▌● fx-api   closed" in seen.text
            seen.engine.story.record(100, [ev.TaskRetrying(252.0, "fetch_fx_rates", 5, 1.0, fail("E", "x"))])
            await seen.settle()
            assert "of 5 calls went well" in seen.text

    @pytest.mark.parametrize("size", [(80, 24), (160, 45), (60, 15)])
    async def test_hostile_names_do_no_harm(self, size: tuple[int, int]) -> None:
        async with view5(FakeEngine(hostile_alarms()), size) as seen:
            for _ in range(3):
                assert "\x1b" not in seen.text
                assert all(len(line) <= 2 * size[0] for line in seen.lines)
                await seen.press("j", "e", "escape", "f", "escape", "enter", "escape", "y")
            assert seen.app.is_running
