"""Gates, marks, breakers, pools, places: the keys, the questions, the commands."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, S, running_mix
from console_pilot import Seen, console
from console_scenes import steered
from dagtop.core.breakers import BreakerView
from dagtop.core.commands import (
    ApproveTask,
    CancelTask,
    ForceBreaker,
    MarkSucceeded,
    RejectTask,
    ResetBreaker,
    RetryFailed,
    SetPolicy,
    SetPoolLimit,
    SkipTask,
    TripBreaker,
)
from dagtop.core.guards import Breaker, BreakerState
from dagtop_app.screens.form import Form
from msgspec.structs import replace

pytestmark = pytest.mark.anyio


async def select(seen: Seen, task: str) -> None:
    seen.app.main.select(seen.engine.latest.plan.index[task])
    await seen.settle()


class TestGates:
    async def test_a_task_at_its_gate_cannot_be_overlooked(self) -> None:
        async with console(FakeEngine(steered())) as seen:
            row = next(line for line in seen.lines if "deploy" in line)
            assert "◫" in row
            assert "GATE" in row
            assert "◫1 gate" in seen.lines[1]
            assert "1 task at a gate · a decides" in seen.lines[-2]
            assert seen.lines[-1].strip().startswith("a Gate")
            await select(seen, "deploy")
            assert "Deploy 14 pages to production?" in seen.text
            await seen.press("2")
            await seen.app.workers.wait_for_complete()
            await seen.settle()
            assert "◫ deploy" in seen.text

    async def test_the_question_shows_prompt_deadline_and_what_a_rejection_loses(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine, (100, 30)) as seen:
            await seen.press("a")  # whatever is selected: there is only one
            assert "May deploy go on?" in seen.text
            assert "Deploy 14 pages to production?" in seen.text
            assert "skipped in 68s if nobody decides" in seen.text
            assert "rejected, 1 task after it will not run either" in seen.text
            engine.show(at=262.0)
            await seen.settle()
            seen.app.screen.renew()
            await seen.pilot.pause()
            assert "skipped in 58s" in seen.text

    @pytest.mark.parametrize(("key", "kind"), [("a", ApproveTask), ("y", ApproveTask), ("r", RejectTask)])
    async def test_it_is_approved_or_rejected_with_a_reason(self, key: str, kind: type) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await seen.press("a", key)
            assert isinstance(seen.app.screen, Form)
            await seen.press("o", "k", "enter")
            assert engine.sent == [kind("deploy", "ok")]

    async def test_escape_decides_nothing(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await seen.press("a", "escape")
            assert "nothing was decided" in seen.text
            await seen.press("a", "a", "escape")
            assert engine.sent == []

    async def test_one_that_was_decided_meanwhile_says_so(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await seen.press("a")
            engine.change("deploy", state=S.RUNNING, gate=None)
            await seen.settle()
            seen.app.screen.renew()
            await seen.pilot.pause()
            assert "it does not stand at its gate any more" in seen.text
            await seen.press("escape", "a")
            assert "no task stands at a gate" in seen.text

    async def test_it_is_found_by_filter_problems_and_n(self) -> None:
        async with console(FakeEngine(steered())) as seen:
            await seen.press("slash", *"state:gate", "enter")
            assert "1 of 13" in seen.text
            await seen.press("escape", "exclamation_mark")
            assert "deploy" in seen.text
            await seen.press("exclamation_mark", "home", "n")
            assert seen.selected == "deploy"


class TestMarks:
    @pytest.mark.parametrize(
        ("typed", "value"),
        [("", None), ("3", 3), ('{"a": [1]}', {"a": [1]}), ("some text", "some text"), ("NaN", "NaN"), ('"x"', "x")],
    )
    async def test_an_output_is_given_as_json_or_text(self, typed: str, value: object) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await select(seen, "load")
            await seen.press("m", "1")
            seen.app.screen.inputs["value"].value = typed
            await seen.press("tab", "b", "y", "enter")
            assert engine.sent == [MarkSucceeded("load", value, "by")]

    async def test_what_it_means_is_told_as_it_is_typed(self) -> None:
        async with console(FakeEngine(steered())) as seen:
            await select(seen, "load")
            await seen.press("m", "enter")
            assert "downstream gets None" in seen.text
            seen.app.screen.inputs["value"].value = "[1, 2, 3]"
            await seen.pilot.pause()
            assert "downstream gets a list of 3" in seen.text

    async def test_a_task_is_skipped_after_what_it_loses_was_shown(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await select(seen, "index")
            await seen.press("m", "2")
            assert "Skip index?" in seen.text
            assert "will not run" in seen.text
            await seen.press("w", "n", "o", "enter")
            assert engine.sent == [SkipTask("index", "no")]

    async def test_what_runs_cannot_be_marked(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await select(seen, "fetch_1")
            await seen.press("m", "1")
            assert "fetch_1 runs now; cancel it first" in seen.text
            assert engine.sent == []

    async def test_all_that_failed_runs_again(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("F")
            assert "Run again all that failed?" in seen.text
            await seen.press("y")
            assert engine.sent == [RetryFailed()]

    async def test_a_task_is_cancelled_with_a_reason(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await select(seen, "fetch_1")
            await seen.press("x", "w", *"slow", "enter")
            assert engine.sent == [CancelTask("fetch_1", "slow")]


class TestBreakers:
    async def test_that_of_the_selected_task_is_opened_at_once(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await select(seen, "fetch_4")
            await seen.press("b")
            assert "Breaker mail is open: first probe in 12s" in seen.text
            assert "5 failures in a row: SMTPError" in seen.text
            await seen.press("c")
            assert engine.sent == [ResetBreaker("mail")]
            engine.apply("breaker mail closes")
            await seen.settle()
            await seen.press("u")
            assert engine.sent[-1] == TripBreaker("mail")

    @pytest.mark.parametrize(
        ("key", "command", "back"),
        [
            ("t", TripBreaker("api"), ResetBreaker("api")),
            ("o", ForceBreaker("api", "open"), ForceBreaker("api", "")),
            ("k", ForceBreaker("api", "closed"), ForceBreaker("api", "")),
            ("h", ForceBreaker("api", "half_open"), ForceBreaker("api", "")),
        ],
    )
    async def test_any_other_is_picked_and_all_of_it_can_be_undone(
        self, key: str, command: object, back: object
    ) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await select(seen, "scratch")
            await seen.press("b")
            assert "mail  open" in seen.text
            await seen.press("1", key)
            assert engine.sent == [command]
            engine.apply()
            await seen.settle()
            await seen.press("u")
            assert engine.sent[-1] == back

    async def test_one_that_is_held_is_let_go(self) -> None:
        view = BreakerView(
            name="api", spec=Breaker("api"), state=BreakerState.OPEN, computed=BreakerState.CLOSED, forced=BreakerState.OPEN
        )  # fmt: skip
        engine = FakeEngine(steered(breakers=(view,)))
        async with console(engine) as seen:
            await seen.press("b")
            assert "by itself it would be closed" in seen.text
            await seen.press("l")
            assert engine.sent == [ForceBreaker("api", "")]

    async def test_without_any_it_says_so(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("b")
            assert "no task asks a circuit breaker" in seen.text
            await seen.press("number_sign")
            assert "the run has no pools" in seen.text


class TestPools:
    async def test_the_limit_is_changed_and_undone(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await seen.press("number_sign", "x")
            assert "a whole number, please" in seen.text
            await seen.press("backspace", "5")
            assert "pool web: 2 → 5 at once" in seen.text
            await seen.press("enter")
            assert engine.sent == [SetPoolLimit("web", 5)]
            engine.apply("pool web")
            await seen.settle()
            await seen.press("u")
            assert engine.sent[-1] == SetPoolLimit("web", 2)


class TestWhere:
    async def test_the_stack_of_a_running_task_is_shown_and_looked_at_again(self) -> None:
        engine = FakeEngine(steered())
        engine.place = '  File "load.py", line 12, in load\n    time.sleep(60)\n'
        async with console(engine) as seen:
            await select(seen, "fetch_1")
            await seen.press("at")
            assert 'File "load.py", line 12, in load' in seen.text
            engine.place = "fetch_1 does not run: it is \x1b[31msucceeded"
            for _ in range(6):
                seen.app.screen.renew()
            await seen.pilot.pause()
            assert "fetch_1 does not run: it is ␛[31msucceeded" in seen.text
            assert set(engine.asked_where) == {"fetch_1"}


class TestEdit:
    async def test_every_field_fits_a_small_terminal(self) -> None:
        async with console(FakeEngine(steered()), (60, 24)) as seen:
            await seen.press("e")
            for name in ("retries", "retry_on_timeout", "on_upstream_failure", "circuit", "pool"):
                assert name in seen.text

    async def test_rules_order_breaker_and_pool_are_changed_and_undone(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine) as seen:
            await select(seen, "fetch_3")
            await seen.press("e")
            for name, text in {
                "retry_on_timeout": "n", "trigger": "all_d", "on_upstream_failure": "run", "priority": "-3", "cost": "2.5",
                "circuit": "mail", "pool": "",
            }.items():  # fmt: skip
                seen.app.screen.inputs[name].value = text
            await seen.press("enter")
            changed = SetPolicy(
                task="fetch_3", retry_on_timeout=False, trigger="all_done", on_upstream_failure="run", priority=-3, cost=2.5,
                circuit="mail", pool="",
            )  # fmt: skip
            assert engine.sent == [changed]
            engine.apply()
            await seen.settle()
            await seen.press("u")
            assert engine.sent[-1] == replace(
                changed, retry_on_timeout=True, trigger="all_success", on_upstream_failure="skip", priority=0, cost=-1.0,
                circuit="api", pool="web",
            )  # fmt: skip

    async def test_a_pool_that_is_not_there_and_a_breaker_that_is_new_are_told(self) -> None:
        async with console(FakeEngine(steered())) as seen:
            await select(seen, "fetch_3")
            await seen.press("e")
            seen.app.screen.inputs["pool"].value = "wbe"
            await seen.pilot.pause()
            assert "there is web" in seen.text
            seen.app.screen.inputs["pool"].value = "web"
            seen.app.screen.inputs["circuit"].value = "maps"
            await seen.pilot.pause()
            assert "maps is a new breaker" in seen.text
