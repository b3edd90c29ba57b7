"""A terminal that is too small for the console: no key acts on what nobody sees, and what works there is said."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, finished_with_failures, running_mix
from console_pilot import console
from dagtop.core.commands import CancelRun, DrainRun
from dagtop_app.actions import ACTIONS
from dagtop_app.screens.popup import Popup

pytestmark = pytest.mark.anyio

WORK = {"q", "question_mark", "f1", "ctrl+z", "ctrl+q", "ctrl+c"}
OTHERS = sorted({key for action in ACTIONS for key in action.keys.split(",") if key} - WORK)


@pytest.mark.parametrize("size", [(59, 30), (100, 14), (20, 5), (1, 1)])
async def test_keys_do_nothing_that_is_not_seen(size: tuple[int, int]) -> None:
    engine = FakeEngine(running_mix())
    async with console(engine, size) as seen:
        selected, view = seen.selected, seen.app.main.view
        for key in OTHERS:
            await seen.pilot.press(key)
        await seen.settle()
        assert engine.sent == []
        assert seen.app.screen is seen.app.main
        await seen.pilot.resize_terminal(100, 30)
        await seen.settle()
        assert (seen.selected, seen.app.main.view) == (selected, view)
        assert not seen.app.main.is_asking
        assert not seen.app.main.roster.marks


async def test_it_is_said_which_keys_work() -> None:
    async with console(FakeEngine(running_mix()), (40, 10)) as seen:
        assert "q ? Ctrl+z only · the rest needs 60x15" in seen.text
        await seen.press("question_mark")
        assert isinstance(seen.app.screen, Popup)
        await seen.press("escape")
        assert seen.app.screen is seen.app.main


async def test_it_is_said_too_when_the_terminal_becomes_so_small() -> None:
    """Nothing was drawn until the run had told something new: never, of one that is over."""
    async with console(FakeEngine(finished_with_failures()), (80, 24)) as seen:
        await seen.pilot.resize_terminal(40, 10)
        await seen.settle()
        assert "q ? Ctrl+z only" in seen.text
        await seen.pilot.resize_terminal(80, 24)
        await seen.settle()
        assert "load_orders" in seen.text


async def test_one_can_leave_and_sees_the_answers() -> None:
    engine = FakeEngine(running_mix())
    async with console(engine, (40, 12)) as seen:
        await seen.press("q")
        assert "Stay" in seen.text
        await seen.press("d")
        assert engine.sent == [DrainRun()]


async def test_a_question_that_cannot_be_read_any_more_is_not_answered() -> None:
    engine = FakeEngine(running_mix())
    async with console(engine) as seen:
        await seen.press("K")
        await seen.pilot.resize_terminal(20, 4)
        await seen.press("y", "enter")
        assert engine.sent == []
        assert len(seen.app.screen_stack) == 2
        await seen.press("escape")
        assert seen.app.screen is seen.app.main


async def test_a_line_that_is_being_typed_waits_for_room() -> None:
    engine = FakeEngine(running_mix())
    async with console(engine) as seen:
        await seen.press("colon", *"cancel run")
        await seen.pilot.resize_terminal(20, 4)
        await seen.press("enter")
        assert engine.sent == []
        await seen.pilot.resize_terminal(80, 24)
        await seen.press("enter", "y")
        assert engine.sent == [CancelRun()]
