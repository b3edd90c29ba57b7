"""Every key of every action is pressed in its view, on a rich run: something is seen, asked, sent or told each time.

A new action is pressed here by itself; one that needs something before it can do anything has it in `BEFORE` or `TASK`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from console_pilot import Clock, Seen
from console_rich import FakeReplay, rich_engine, rich_replay
from dagtop_app.actions import ACTIONS, NO_KEY, Action
from dagtop_app.console import ConsoleApp
from dagtop_app.widgets.graph_view import GraphView

pytestmark = pytest.mark.anyio

VIEW_KEYS = {
    "tasks": "1",
    "graph": "2",
    "timeline": "3",
    "logs": "4",
    "breakers": "5",
    "escalations": "6",
    "events": "7",
}
#: The task under the cursor, where another one than the one that failed is needed.
TASK = {
    "task.cancel": "shop/extract_events", "task.abandon": "shop/warm_cache", "task.hold": "shop/publish",
    "task.step": "shop/snapshot_config", "task.where": "shop/extract_events", "task.down": "up/api", "task.policy": "up/api",
    "task.scale": "up/copies", "run.breaker": "feeds/sync_crm", "run.pool": "pages/fetch_1",
    "run.acknowledge": "feeds/load_orders", "run.gate": "pages/deploy", "graph.left": "shop/join_orders",
}  # fmt: skip
#: Has all of the graph go out of its window, after `f` showed a part of it and `=` had that fit.
LARGER = ("greater_than_sign",) * 4
#: What is pressed before, so that there is something to do.
BEFORE: dict[str, tuple[str, ...]] = {
    "move.up": ("j", "j"), "move.top.vim": ("j", "g"), "move.top": ("j",), "move.half-up": ("G",), "move.page-up": ("G",),
    "look.back": ("exclamation_mark",), "edit.undo": ("plus",),
    "graph.pan-left": (*LARGER, "right_square_bracket"), "graph.pan-right": (*LARGER, *("left_square_bracket",) * 2),
}  # fmt: skip


class Pressed(Seen):
    """A console whose keys are tried."""

    async def look(self, view: str, action: Action) -> None:
        """Begin from where the key can do something: its view, its task, nothing open, nothing told."""
        while self.app.screen is not self.app.main:
            await self.pilot.press("escape")
        main = self.app.main
        main.close_ask(clear=True)
        main.set_filter("", problems=False)
        main.clear_marks()
        main.roster.show_flat(True)
        main.action_view(view)
        index = main.roster.snapshot.plan.index[TASK.get(action.id, "shop/load_orders")]
        main.roster.select(index)
        if action.id.startswith("graph.pan") and main.query_one(GraphView).focus_part is not None:
            await self.pilot.press("f")
        for key in BEFORE.get(action.id, ("",)):
            if key:
                await self.pilot.press(key)
            await self.app.workers.wait_for_complete()
        self.app.bridge.say("")
        self.engine.sent.clear()
        await self.settle()

    async def rested(self) -> Any:
        """What is seen when nothing follows any more."""
        while (now := self.seen()) != await self._later():
            pass
        return now

    async def _later(self) -> Any:
        await self.settle()
        return self.seen()

    def seen(self) -> Any:
        """All that a key may change."""
        engine = self.engine
        told = engine.told if isinstance(engine, FakeReplay) else []
        strips = self.app.screen._compositor.render_strips()
        screens = [id(screen) for screen in self.app.screen_stack]
        focused = self.app.focused.id if self.app.focused is not None else ""
        return [[*strip] for strip in strips], [*engine.sent], [*told], screens, self.app.clipboard, focused


@asynccontextmanager
async def tried(view: str) -> AsyncIterator[Pressed]:
    engine, clock = rich_replay() if view == "replay" else rich_engine(), Clock()
    app = ConsoleApp(engine, title="nightly.py", now=clock)
    async with app.run_test(size=(100, 30)) as pilot:
        seen = Pressed(app, pilot, engine, clock)
        await seen.settle()
        yield seen


@pytest.mark.parametrize("view", ["", *VIEW_KEYS, "replay"])
async def test_every_key_does_something_that_can_be_seen(view: str) -> None:
    silent = []
    async with tried(view) as seen:
        for action in ACTIONS:
            if action.view != view:
                continue
            where = view if view in VIEW_KEYS else "tasks"
            for key in action.keys.split(","):
                await seen.look("graph" if action.id == "view.tasks" else where, action)
                before = await seen.rested()
                if key and not key.startswith(NO_KEY):
                    await seen.pilot.press(key)
                else:
                    await seen.app.main.run_action(action.do)
                await seen.settle()
                if seen.seen() == before:
                    silent.append((action.id, key))
                assert seen.app.is_running, action.id
    assert silent == []


@pytest.mark.parametrize("view", [*VIEW_KEYS, "replay"])
async def test_a_key_that_is_no_action_changes_nothing(view: str) -> None:
    """Or the test above would say little."""
    async with tried(view) as seen:
        await seen.look(view if view in VIEW_KEYS else "tasks", ACTIONS[0])
        before = await seen.rested()
        for key in ("f9", "ctrl+g"):
            await seen.press(key)
            assert await seen.rested() == before


def test_every_view_with_keys_of_its_own_is_tried() -> None:
    assert {action.view for action in ACTIONS} <= {"", "replay", "runs", *VIEW_KEYS}  # those of "runs": test_run_list
    assert {*TASK, *BEFORE} <= {action.id for action in ACTIONS}
