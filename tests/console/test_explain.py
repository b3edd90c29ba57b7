"""w: for every task in every state what it waits for, when it moves, and who did it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from console_alarms import alarmed, alarms, hostile_alarms, story_events
from console_fakes import FakeEngine, S, fail, hostile, running_mix, snapshot_of
from console_pilot import console
from dagtop.core import commands as do
from dagtop.core import events as ev
from dagtop.core.breakers import BreakerView
from dagtop.core.guards import Breaker, BreakerState, Gate
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.snapshot import Blocked, RunSnapshot
from dagtop.core.states import RunState, TaskState
from dagtop.observe.story import Story
from dagtop_app.tasks.explain import explain
from dagtop_app.tasks.why import why
from dagtop_app.text import clean

EDGES = {"up": (), "it": ("up",), "down": ("it",), "busy": ()}
_OPEN = BreakerView(
    name="api", spec=Breaker("api"), state=BreakerState.OPEN, computed=BreakerState.OPEN, probe_due_at=264.0
)


def scene(row: Mapping[str, Any], up: Mapping[str, Any] | None = None, **fields: Any) -> RunSnapshot:
    ok = {"state": S.SUCCEEDED, "attempt": 1, "started_at": 0.0, "ended_at": 1.0}
    busy = {
        "state": S.RUNNING,
        "attempt": 1,
        "started_at": 200.0,
        "policy": TaskPolicy(pool="web", resources={"gpu": 1}),
    }
    return snapshot_of(EDGES, {"up": up or ok, "it": row, "busy": busy}, **{"max_parallel": 1, **fields})


def told(snapshot: RunSnapshot, task: str = "it", story: Story | None = None) -> str:
    return "\n".join(text for text, _ in explain(snapshot, snapshot.rows[snapshot.plan.index[task]], story))


def story_of(*commands: tuple[float, str, do.Command]) -> Story:
    story = Story()
    story.take(1, [ev.CommandApplied(at, command, n, by, "done") for n, (at, by, command) in enumerate(commands, 1)])
    return story


class TestWhatItWaitsFor:
    def test_its_upstream_by_its_own_rule(self) -> None:
        text = told(scene({"state": S.WAITING}, up={"state": S.RUNNING, "started_at": 240.0, "attempt": 1}))
        assert "it needs 1 task; 0 of them done, 1 missing" in text
        assert "● up · running" in text
        assert "It starts when all of them have succeeded; if that cannot be any more, it is skipped." in text

    @pytest.mark.parametrize(
        ("policy", "rule"),
        [
            (TaskPolicy(trigger="any_success"), "when the first of them has succeeded"),
            (TaskPolicy(trigger="all_done"), "when all of them have ended, however that was"),
            (TaskPolicy(trigger="none_failed"), "when all of them have ended and none has failed"),
            (TaskPolicy(on_upstream_failure="fail"), "it fails with it"),
            (TaskPolicy(on_upstream_failure="run"), "it runs all the same"),
        ],
    )
    def test_every_rule_is_said(self, policy: TaskPolicy, rule: str) -> None:
        assert rule in told(scene({"state": S.WAITING, "policy": policy}, up={"state": S.WAITING}))

    def test_a_slot_and_who_has_them(self) -> None:
        text = told(scene({"state": S.READY}))
        assert "it has all it needs and could start now" in text
        assert "The slots are held by busy for 0:52." in text

    def test_a_pool_and_a_resource_and_who_has_them(self) -> None:
        policy = TaskPolicy(pool="web", resources={"gpu": 1})
        text = told(
            scene(
                {"state": S.READY, "policy": policy},
                limits={"pool:web": (1, 1), "resource:gpu": (1, 1)},
                max_parallel=4,
            )
        )
        assert "pool web is held by busy for 0:52" in text
        assert "gpu is held by busy for 0:52" in text

    def test_a_breaker_and_when_that_moves(self) -> None:
        text = told(scene({"state": S.READY, "policy": TaskPolicy(circuit="api")}, breakers=(_OPEN,), max_parallel=4))
        assert "breaker api is open: first probe in 12s" in text

    def test_a_person_at_its_gate_and_what_if_nobody_comes(self) -> None:
        asked = ev.GateWaiting(200.0, "it", "Sure?", 120.0)
        policy = TaskPolicy(gate=Gate(prompt="Sure?", timeout=120.0))
        text = told(scene({"state": S.HELD, "gate": asked, "policy": policy}))
        assert "If nobody decides: rejected in 68s. a decides." in text

    def test_its_backoff_and_how_often_it_may_be_tried_yet(self) -> None:
        policy = TaskPolicy(retry=Retry(retries=4))
        row = {
            "state": S.BACKOFF,
            "attempt": 7,
            "attempts_before": 5,
            "due_at": 264.0,
            "failure": fail("E", "no"),
            "policy": policy,
        }
        text = told(scene(row))
        assert "it is tried again in 12s" in text
        assert "3 further attempts allowed" in text, "those before it was restarted do not count"


class TestWhoDidIt:
    def test_a_hold_with_when_and_why(self) -> None:
        story = story_of((12.0, "console", do.HoldTask("it")))
        assert "but it is held by you, since 0:12. It starts when p releases it." in told(
            scene({"state": S.HELD, "held": True}), story=story
        )
        waiting = told(scene({"state": S.WAITING, "held": True}, up={"state": S.RUNNING}), story=story)
        assert "It is held by you, since 0:12. Whatever happens" in waiting

    def test_a_hold_of_another_terminal_names_who_gave_it(self) -> None:
        held = scene({"state": S.HELD, "held": True, "held_by": "ann@there"})
        assert why(held, held.rows[held.plan.index["it"]]).text == "held by ann@there · p releases it"
        assert "but it is held by ann@there. It starts when p releases it." in told(held)

    def test_what_was_done_to_it_by_whom_and_why(self) -> None:
        story = story_of(
            (12.0, "eve", do.RestartTask("it", reason="bad data")),
            (13.0, "console", do.CancelTask("other")),
            (14.0, "console", do.SetPolicy("it", retries=3)),
        )
        text = told(scene({"state": S.RUNNING, "started_at": 240.0, "attempt": 1}), story=story)
        assert "0:12 restart by eve: bad data" in text
        assert "0:14 set-policy by you: done" in text
        assert "other" not in text

    def test_a_node_that_it_is_in_counts(self) -> None:
        snapshot = snapshot_of({"node/it": ()}, {"node/it": {"state": S.RUNNING, "started_at": 1.0}})
        assert "hold by you" in told(snapshot, "node/it", story_of((12.0, "console", do.HoldTask("node"))))

    def test_a_paused_run_with_who_paused_it(self) -> None:
        story = story_of((20.0, "console", do.PauseRun()))
        for row, up in (({"state": S.READY}, None), ({"state": S.WAITING}, {"state": S.RUNNING})):
            text = told(scene(row, up, state=RunState.PAUSED), story=story)
            assert "The run is paused by you since 0:20: nothing new starts before Z goes on." in text
            assert "A slot becomes free" not in text

    @pytest.mark.parametrize(
        ("state", "said"),
        [
            (RunState.DRAINING, "The run is draining: drained by hand"),
            (RunState.CANCELLING, "The run is being stopped: drained by hand"),
        ],
    )
    def test_a_run_that_stops_with_the_reason(self, state: RunState, said: str) -> None:
        assert said in told(scene({"state": S.READY}, state=state, reason="drained by hand"))

    def test_who_looks_after_its_escalation(self) -> None:
        assert "ESC-5: nobody looks after it yet. A acknowledges it" in told(alarms(), "load_orders")
        assert "ESC-3: you look after it since 1:10: mail is down, known" in told(alarms(), "notify_ops")


class TestWhenItMoves:
    def test_of_a_running_task_when_its_time_is_up_and_what_then(self) -> None:
        row = {
            "state": S.RUNNING,
            "started_at": 240.0,
            "attempt": 1,
            "policy": TaskPolicy(timeout=30.0, retry=Retry(retries=2)),
        }
        text = told(scene(row))
        assert "Its time is up in 18s; then it is stopped." in text
        assert "If it fails, 2 further attempts may follow." in text
        assert "there is no further attempt" in told(scene({"state": S.RUNNING, "started_at": 240.0, "attempt": 1}))

    def test_one_that_keeps_the_loop_says_so(self) -> None:
        blocked = Blocked(task="it", seconds=2.5, stack="", where="nightly.py:3 in it")
        text = told(scene({"state": S.RUNNING, "started_at": 240.0, "attempt": 1}, blocked=blocked))
        assert "It keeps the event loop from going round, for 2.5 s so far, at nightly.py:3 in it." in text

    def test_one_that_was_told_to_stop(self) -> None:
        text = told(scene({"state": S.CANCELLING, "cancelling_at": 249.0, "reason": "cancelled by hand: wrong day"}))
        assert "it was told to stop 3s ago and has not stopped yet: cancelled by hand: wrong day." in text

    def test_of_a_failed_task_what_the_keys_would_do(self) -> None:
        text = told(scene({"state": S.FAILED, "attempt": 2, "failure": fail("E", "no")}))
        assert "it failed for good after 2 attempts." in text
        assert "r: it runs again; R: 2 tasks run again." in text or "r: it runs again" in text

    def test_one_that_never_came_to_an_attempt_says_so(self) -> None:
        text = told(scene({"state": S.FAILED, "failure": fail("CircuitOpenError", "circuit breaker 'api' is open")}))
        assert "it failed for good without an attempt." in text

    def test_of_a_skipped_task_what_has_to_succeed_first(self) -> None:
        up = {"state": S.FAILED, "attempt": 1, "failure": fail("E", "no")}
        text = told(scene({"state": S.SKIPPED, "reason": "upstream up failed"}, up))
        assert "It may run again once ✖ up has succeeded, or has been given an output (m)." in text
        assert (
            "r and R cannot run it now: its upstream up did not succeed; restart that one with its downstream." in text
        )

    def test_one_that_was_skipped_by_a_rule_can_run_all_the_same(self) -> None:
        text = told(scene({"state": S.SKIPPED, "reason": "when: full_refresh is False"}))
        assert "it was skipped: when: full_refresh is False." in text
        assert "r: it runs again" in text

    def test_of_a_good_one_how_long_it_took(self) -> None:
        row = {"state": S.SUCCEEDED, "attempt": 3, "started_at": 100.0, "ended_at": 141.0}
        assert "it is done in 0:41, at its 3rd attempt." in told(scene(row))


@pytest.mark.parametrize("snapshot", [running_mix(), hostile(), alarms(), hostile_alarms()])
@pytest.mark.parametrize(
    "state", [None, RunState.PAUSED, RunState.DRAINING, RunState.CANCELLING, RunState.PENDING, RunState.FAILED]
)
def test_there_is_an_answer_for_every_task_in_every_state_of_the_run(
    snapshot: RunSnapshot, state: RunState | None
) -> None:
    from msgspec.structs import replace

    story = Story()
    story.take(1, story_events())
    now = snapshot if state is None else replace(snapshot, state=state)
    for row in now.rows:
        lines = [*explain(now, row, story)]
        assert lines
        assert all(text and clean(text) == text for text, _ in lines)


@pytest.mark.parametrize("state", TaskState)
def test_every_state_says_who_what_and_what_helps(state: TaskState) -> None:
    row = {
        "state": state,
        "attempt": 1,
        "started_at": 240.0,
        "ended_at": 250.0,
        "due_at": 264.0,
        "reason": "said so",
        "failure": fail("E", "no"),
    }
    text = told(scene(row))
    assert text.startswith("it ")
    assert len(text.splitlines()) >= 1 if state in (S.SUCCEEDED, S.CACHED, S.BLOCKED) else len(text.splitlines()) >= 2


@pytest.mark.anyio
async def test_w_shows_what_was_done_by_hand() -> None:
    engine = alarmed()
    async with console(engine, (100, 40)) as seen:
        seen.app.main.select(engine.latest.plan.index["load_orders"])
        await seen.press("w")
        assert "3:51 set-policy by you" in seen.text


@pytest.mark.anyio
async def test_w_works_in_the_views_of_breakers_and_escalations() -> None:
    async with console(alarmed(), (100, 40)) as seen:
        await seen.press("5", "w")
        assert "Why fetch_fx_past" in seen.text
        await seen.press("escape", "6", "w")
        assert "Why " in seen.text
        assert isinstance(seen.engine, FakeEngine)
