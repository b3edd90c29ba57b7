"""View 6, the escalations: what stands, what is told of each, and what its keys send (B15, B22)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from console_alarms import alarmed, alarms, hostile_alarms, reports, story_events
from console_fakes import HOSTILE, FakeEngine, S, many
from console_pilot import Seen, console
from console_scenes import report_of
from dagtop.core import commands as do
from dagtop.core import events as ev
from dagtop.core.escalation import Cause
from dagtop.core.forecast import Usual
from dagtop.core.snapshot import RunSnapshot
from dagtop.observe.report.ticket import ticket
from dagtop.observe.story import Story
from dagtop_app import faces
from dagtop_app.chrome import badges
from dagtop_app.escalations import model, texts
from dagtop_app.escalations.model import Entry, Severity, Status
from dagtop_app.screens.form import Form
from dagtop_app.screens.popup import Popup
from msgspec.structs import replace


def shown(lines: Sequence[Any]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


def entry(number: int, snapshot: RunSnapshot | None = None) -> Entry:
    known = model.entries(alarms() if snapshot is None else snapshot)
    return next(one for one in known if one.report.number == number)


def scene(number: int, snapshot: RunSnapshot | None = None) -> texts.Scene:
    now, story = alarms() if snapshot is None else snapshot, Story()
    story.take(1, story_events())
    one = entry(number, now)
    return texts.Scene(now, story, one, model.deeds(now, one), model.way(now, one))


def with_row(task: str, **changes: Any) -> RunSnapshot:
    engine = FakeEngine(alarms())
    engine.change(task, **changes)
    return engine.latest


class TestHowTheyStand:
    def test_B15_what_stands_comes_first_then_what_somebody_looks_after_then_the_rest(self) -> None:
        assert [(one.report.number, one.status, one.severity) for one in model.entries(alarms())] == [
            (5, Status.OPEN, Severity.HIGH),
            (4, Status.OPEN, Severity.NOTE),
            (3, Status.ACKED, Severity.WARN),
            (6, Status.AGAIN, Severity.WARN),
            (1, Status.RESOLVED, Severity.WARN),
            (2, Status.REPEATED, Severity.WARN),
        ]

    def test_the_figures_and_the_badge_agree(self) -> None:
        snapshot = alarms()
        assert model.tally(model.entries(snapshot)) == (2, 1, 3)
        assert badges.escalations(snapshot) == "▲2"
        assert badges.escalations(alarms(acknowledged={})) == "▲3"
        assert badges.escalations(many(10)) == ""

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"state": S.SUCCEEDED}, Status.RESOLVED),
            ({"state": S.CACHED}, Status.RESOLVED),
            ({"state": S.SKIPPED}, Status.RESOLVED),
            ({"gone": True}, Status.RESOLVED),
            ({"state": S.WAITING}, Status.AGAIN),
            ({"state": S.READY}, Status.AGAIN),
            ({"state": S.RUNNING}, Status.AGAIN),
            ({"state": S.BACKOFF}, Status.AGAIN),
            ({"state": S.BLOCKED}, Status.OPEN),
            ({"state": S.TIMED_OUT}, Status.OPEN),
            ({"state": S.CANCELLED}, Status.RESOLVED),
        ],
    )
    def test_B15_one_is_resolved_when_its_task_came_to_a_good_end_later(
        self, changes: dict[str, Any], status: Status
    ) -> None:
        snapshot = with_row("load_orders", **changes)
        assert entry(5, snapshot).status is status
        open_now = sum(one.status is Status.OPEN for one in model.entries(snapshot))
        assert badges.escalations(snapshot) == (f"▲{open_now}" if open_now else "")

    def test_a_crash_loop_stands_until_its_task_serves(self) -> None:
        loop = report_of("heartbeat", number=7, state="backoff")
        for row, status in (
            ({"state": S.BACKOFF, "restarts": 5, "crashes": 5}, Status.OPEN),
            ({"state": S.RUNNING, "restarts": 5, "crashes": 5}, Status.OPEN),
            ({"state": S.RUNNING, "restarts": 5, "crashes": 5, "serving": True}, Status.RESOLVED),
            ({"state": S.RUNNING}, Status.RESOLVED),
            ({"state": S.BLOCKED, "restarts": 5, "crashes": 5}, Status.OPEN),
        ):
            snapshot = replace(with_row("heartbeat", **row), escalations=(loop,), escalation_count=1)
            assert entry(7, snapshot).status is status, row
            assert bool(badges.escalations(snapshot)) is (status is Status.OPEN)

    def test_a_task_that_is_not_in_the_graph_any_more_resolves_it(self) -> None:
        gone = report_of("nobody", number=9)
        assert entry(9, alarms(escalations=(gone,))).status is Status.RESOLVED


class TestWhatIsTold:
    def test_the_same_error_is_told_once(self) -> None:
        told = model.tries(reports()[4])
        assert [(one.record.number, one.same) for one in told] == [(1, False), (2, True), (3, True)]

    def test_the_chain_goes_down_to_what_gave_the_input(self) -> None:
        assert model.chain(alarms(), entry(5)) == [
            "IntegrityError",
            "UniqueViolation: orders_pk",
            "output of extract_orders",
        ]

    def test_the_chain_goes_up_to_the_task_that_failed_first(self) -> None:
        snapshot = with_row("build_mart", state=S.FAILED)
        mart = report_of("build_mart", number=9, cause=Cause.UPSTREAM)
        snapshot = replace(snapshot, escalations=(*snapshot.escalations, mart))
        assert model.chain(snapshot, entry(9, snapshot)) == ["load_orders: IntegrityError"]

    def test_what_is_near_are_others_with_the_error_breakers_and_edits_of_its_own(self) -> None:
        one = scene(5)
        assert next(model.near(one.snapshot, one.story, one.entry)) == "19 s before by you: load_orders: retries = 2"
        mail = scene(3)
        told = [*model.near(mail.snapshot, mail.story, mail.entry)]
        assert told[0] == "SMTPError also in sync_crm within a minute"

    def test_a_breaker_that_opened_shortly_before_is_near_to_what_asks_it(self) -> None:
        late = report_of("notify_ops", number=7, at=240.0, cause=Cause.UNAVAILABLE)
        snapshot = alarms(escalations=(late,))
        told = [*model.near(snapshot, scene(5).story, entry(7, snapshot))]
        assert told[0] == "breaker fx-api opened 40 s before"
        assert told[1] == "breaker smtp opened 6 s before"
        bug = alarms(escalations=(replace(late, cause=Cause.REPEATED),))
        assert next(model.near(bug, scene(5).story, entry(7, bug))) == "breaker smtp opened 6 s before"

    def test_B25_each_key_is_told_with_what_it_would_do_now(self) -> None:
        done = {deed.what: deed.radius for deed in scene(5).deeds}
        assert done["restart with everything after it"].runs_again == ("load_orders", "build_mart", "publish")
        assert done["restart it alone"].runs_again == ("load_orders",)
        assert "2 tasks that were skipped because of it may run" in done["take it as succeeded"].summary
        assert "skipped" in done["skip it"].summary

    def test_what_is_not_possible_now_says_why(self) -> None:
        snapshot = replace(with_row("extract_orders", state=S.FAILED))
        one = entry(5, snapshot)
        assert "extract_orders did not succeed" in model.deeds(snapshot, one)[0].radius.refusal
        lines = texts.detail(texts.Scene(snapshot, Story(), one, model.deeds(snapshot, one), None), 100, 40)
        assert "not now" in shown(lines)

    def test_a_restart_with_all_after_it_is_laid_out(self) -> None:
        way = scene(5).way
        assert way is not None
        assert way.tasks == ("load_orders", "build_mart", "publish")
        assert way.seconds is not None
        assert way.seconds > 30

    def test_how_long_that_takes_is_known_from_earlier_runs(self) -> None:
        snapshot = alarms()
        usual = {snapshot.plan.index[name]: Usual(10.0, 12.0, 3) for name in ("build_mart", "publish")}
        way = model.way(snapshot, entry(5), usual)
        assert way is not None
        assert way.seconds == 30.0 + 10.0 + 10.0

    def test_when_it_was_resolved_is_known_from_the_story(self) -> None:
        story = Story()
        story.take(
            1, [ev.TaskReady(30.0, "vacuum"), ev.TaskStarted(30.0, "vacuum", 2), ev.TaskSucceeded(41.0, "vacuum", 2)]
        )
        assert model.resolved_at(story, entry(1)) == 41.0
        assert model.resolved_at(Story(), entry(1)) is None

    @pytest.mark.parametrize("height", [1, 3, 6, 9, 12, 16, 25, 50])
    @pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
    def test_the_detail_fits_whatever_room_there_is(self, number: int, height: int) -> None:
        lines = texts.detail(scene(number), 78, height)
        assert 1 <= len(lines) <= height
        assert "WHAT" in shown(lines[:1])

    def test_with_little_room_what_can_be_done_stays(self) -> None:
        text = shown(texts.detail(scene(5), 78, 12))
        for told in ("WHAT", "TRIED", "BLAST", "NEAR", "DO", "PLAN", "skip it"):
            assert told in text

    def test_its_glyphs_are_ascii_where_that_was_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(faces, "ASCII", True)
        known = model.entries(alarms())
        cols = texts.columns(100, known)
        lines = [texts.row_line(alarms(), one, cols, cursor=False) for one in known]
        text = shown([*texts.detail(scene(5), 100, 40), *lines])
        assert text.replace("…", "").replace("·", "").isascii()


class TestTheTicket:
    def test_B15_it_is_markdown_with_all_that_somebody_elsewhere_needs(self) -> None:
        told = ticket(reports()[4], ev.EscalationAcknowledged(260.0, "load_orders", 5, "eve", "mine"), "open")
        for part in (
            "## ESC-5: load\\_orders failed",
            "**bug or bad input.**",
            "- error: `IntegrityError: duplicate key",
            "- comes from: `UniqueViolation: orders_pk`",
            "- looked after by eve: mine",
            "| 3 | 220.0 s | 30.0 s | failed |",
            "build\\_mart, publish",
            "### What can be done",
            "```text",
        ):
            assert part in told

    @pytest.mark.parametrize("name", [name for name in HOSTILE if len(name) < 100])
    def test_no_text_changes_its_form(self, name: str) -> None:
        hostile = replace(
            reports()[4], task=name, summary=name, options=(name, "- x", "```", "<script>"), inputs={name: name}
        )
        told = ticket(hostile)
        told.encode("utf-8")
        assert "\x1b" not in told
        assert "<script" not in told.replace("\\<script", "")
        assert [line for line in told.splitlines() if line.startswith("## ")] == told.splitlines()[:1]

    def test_a_traceback_with_fences_in_it_stays_in_its_own(self) -> None:
        report = reports()[4]
        failure = report.attempts[-1].failure
        assert failure is not None
        bad = replace(failure, traceback="a\n````\n## no\n")
        told = ticket(replace(report, attempts=(replace(report.attempts[-1], failure=bad),)))
        assert "`````text\na\n````\n## no" in told


@asynccontextmanager
async def view6(engine: FakeEngine | None = None, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Seen]:
    async with console(alarmed() if engine is None else engine, size) as seen:
        await seen.press("6")
        yield seen


@pytest.mark.anyio
class TestKeys:
    async def test_the_cursor_selects_the_task_of_the_escalation(self) -> None:
        async with view6() as seen:
            assert "2 open · 1 acked · 3 resolved" in seen.text
            assert "▌▲ ESC-5" in seen.text
            assert seen.selected == "load_orders"
            await seen.press("j")
            assert seen.selected == "push_crm"
            await seen.press("G")
            assert "▌· ESC-2" in seen.text
            assert seen.selected == "load_orders"

    async def test_it_shows_the_escalation_of_the_task_that_is_selected(self) -> None:
        async with console(alarmed()) as seen:
            seen.app.main.select(seen.engine.latest.plan.index["notify_ops"])
            await seen.press("6")
            assert "▌◇ ESC-3" in seen.text
            assert "you 1:10: mail is down, known" in " ".join(seen.text.split())

    async def test_B22_a_acknowledges_with_a_note_and_u_takes_it_back(self) -> None:
        async with view6() as seen:
            await seen.press("A")
            assert isinstance(seen.app.screen, Form)
            await seen.press(*"mine", "enter")
            assert seen.engine.sent == [do.AcknowledgeEscalation(5, "mine")]
            seen.engine.apply("escalation 5 of load_orders is acknowledged: mine")
            await seen.settle()
            await seen.press("u")
            assert seen.engine.sent[-1] == do.AcknowledgeEscalation(5, withdraw=True)

    async def test_the_cursor_stays_on_it_when_it_moves_down(self) -> None:
        async with view6() as seen:
            seen.engine.show(acknowledged={5: ev.EscalationAcknowledged(252.0, "load_orders", 5, "hand", "mine")})
            await seen.settle()
            assert "▌◇ ESC-5" in seen.text
            assert "2 open · 1 acked" in seen.text

    async def test_an_acknowledgement_can_be_left(self) -> None:
        async with view6() as seen:
            await seen.press("A", "x", "escape")
            assert seen.engine.sent == []

    async def test_one_that_is_acknowledged_can_be_opened_again_or_taken_over(self) -> None:
        async with view6() as seen:
            await seen.press("j", "j", "A")
            assert "you look after it: mail is down, known" in seen.text
            await seen.press("o")
            assert seen.engine.sent == [do.AcknowledgeEscalation(3, withdraw=True)]
            seen.engine.refuse("no")
            await seen.settle()
            await seen.press("A", "n", "end", *", sigh", "enter")
            assert seen.engine.sent[-1] == do.AcknowledgeEscalation(3, "mail is down, known, sigh")

    async def test_a_works_from_every_view(self) -> None:
        async with console(alarmed()) as seen:
            seen.app.main.select(seen.engine.latest.plan.index["push_crm"])
            await seen.press("A", "enter")
            assert seen.engine.sent == [do.AcknowledgeEscalation(4)]
            assert seen.app.main.view == "escalations"

    @pytest.mark.parametrize(
        ("keys", "command"),
        [
            (["R", "y"], do.RestartTask("load_orders", downstream=True)),
            (["r"], do.RestartTask("load_orders")),
            (["m", "2", "y"], do.SkipTask("load_orders")),
        ],
    )
    async def test_B22_keys_for_tasks_act_on_its_task(self, keys: list[str], command: do.Command) -> None:
        async with view6() as seen:
            await seen.press(*keys)
            assert seen.engine.sent == [command]

    async def test_o_shows_only_what_stands_and_esc_all(self) -> None:
        async with view6() as seen:
            await seen.press("o")
            assert "ESC-6" not in seen.text
            await seen.press("escape")
            assert "ESC-6" in seen.text
            assert seen.app.main.view == "escalations"
            await seen.press("escape")
            assert seen.app.main.view == "tasks"

    async def test_t_shows_its_traceback(self) -> None:
        async with view6() as seen:
            await seen.press("t")
            assert isinstance(seen.app.screen, Popup)
            assert "line 131, in load_orders" in seen.text

    async def test_y_copies_it_as_markdown(self) -> None:
        async with view6() as seen:
            await seen.press("y")
            assert seen.app.clipboard.startswith("## ESC-5: load\\_orders failed")
            assert "- now: open" in seen.app.clipboard

    async def test_enter_tells_everything(self) -> None:
        async with view6(size=(100, 50)) as seen:
            await seen.press("enter")
            assert isinstance(seen.app.screen, Popup)
            for told in ("WHAT IT WAS TOLD FROM", "WHAT CAN BE DONE", "TRACEBACK"):
                assert told in seen.text

    async def test_n_goes_to_the_next_that_nobody_looks_after(self) -> None:
        async with view6() as seen:
            tasks = []
            for _ in range(3):
                await seen.press("n")
                tasks.append(seen.selected)
            assert tasks == ["push_crm", "load_orders", "push_crm"]

    async def test_a_filter_looks_into_errors_too(self) -> None:
        async with view6() as seen:
            await seen.press("slash", *"535", "enter")
            assert "ESC-3" in seen.text
            assert "ESC-5 " not in seen.text


@pytest.mark.anyio
class TestWhatIsSeen:
    async def test_a_run_without_any_says_so(self) -> None:
        async with view6(FakeEngine(many(20))) as seen:
            assert "nothing was escalated" in seen.text
            await seen.press(*"Aoty", "enter", "j", "n", "escape")
            assert seen.engine.sent == []

    async def test_new_ones_come_and_the_cursor_stays(self) -> None:
        async with view6() as seen:
            await seen.press("j")
            fresh = report_of("fetch_fx_past", number=7, at=251.0)
            rows = list(seen.engine.latest.rows)
            index = seen.engine.latest.plan.index["fetch_fx_past"]
            rows[index] = replace(rows[index], state=S.FAILED)
            seen.engine.show(rows=tuple(rows), escalations=(*seen.engine.latest.escalations, fresh), escalation_count=7)
            await seen.settle()
            assert "▌▲ ESC-4" in seen.text
            assert "ESC-7" in seen.text
            assert "3 open" in seen.text

    async def test_a_new_one_is_told_in_every_view_but_not_over_a_command_that_is_under_way(self) -> None:
        async with console(alarmed()) as seen:
            assert "6 tells of it" not in seen.text
            known = seen.engine.latest.escalations
            seen.engine.show(escalations=(*known, report_of("fetch_fx_past", number=7)), escalation_count=7)
            await seen.settle()
            assert "ESC-7 fetch_fx_past: bug or bad input · 6 tells of it" in seen.text
            more = (report_of("a", number=8), report_of("b", number=9))
            seen.engine.show(escalations=(*known, *more), escalation_count=9)
            await seen.settle()
            assert "ESC-9 b: bug or bad input · and 1 more · 6 tells of it" in seen.text
            await seen.press("plus")
            seen.engine.show(escalations=(*known, report_of("c", number=10)), escalation_count=10)
            await seen.settle()
            assert "ESC-10" not in seen.lines[-2]

    async def test_what_became_of_it_is_told(self) -> None:
        async with view6() as seen:
            seen.engine.story.record(
                100,
                [ev.TaskReady(30.0, "vacuum"), ev.TaskStarted(30.0, "vacuum", 2), ev.TaskSucceeded(41.0, "vacuum", 2)],
            )
            await seen.press("G", "k")
            assert "ok 0:21 later" in seen.text

    @pytest.mark.parametrize("size", [(80, 24), (160, 45), (60, 15)])
    async def test_hostile_texts_do_no_harm(self, size: tuple[int, int]) -> None:
        async with view6(FakeEngine(hostile_alarms()), size) as seen:
            for _ in range(3):
                assert "\x1b" not in seen.text
                await seen.press("j", "t", "escape", "enter", "escape", "y", "A", "escape")
            assert seen.app.is_running
