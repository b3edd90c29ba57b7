"""What is typed in one go while the console is busy: letters that were on their way to the table when the line got the focus."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, running_mix
from console_pilot import console
from textual import events
from textual.widgets import Input

pytestmark = pytest.mark.anyio


class TestLettersThatComeLate:
    """On a busy machine `/extract` typed at once lost letters, and those were keys of the table: `x` cancels."""

    async def test_letters_on_their_way_to_the_table_belong_to_the_filter(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("slash", "r", "d")
            main = seen.app.main
            assert main.ask.has_focus
            for letter in ("o", "x", "a", "colon"):
                character = ":" if letter == "colon" else letter
                main.pane._forward_event(events.Key(letter, character))
            await seen.settle()
            assert main.ask.value in {"rdoxa:", "oxa:rd"}
            assert seen.app.screen is main
            assert engine.sent == []

    async def test_they_come_before_what_the_line_took_by_itself(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            main = seen.app.main
            await seen.press("slash")
            main.ask.focus()
            await seen.settle()
            await seen.press("e", "r", "s")
            for letter in "ord":
                main.pane._forward_event(events.Key(letter, letter))
            await seen.settle()
            assert main.ask.value == "orders"
            await seen.press("x")
            assert main.ask.value == "ordersx"

    async def test_a_command_loses_no_letters(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            main = seen.app.main
            await seen.press("colon")
            line = seen.app.screen.query_one("#command", Input)
            line.focus()
            await seen.settle()
            await seen.press("t", "o")
            for letter in "go":
                main.pane._forward_event(events.Key(letter, letter))
            await seen.settle()
            assert line.value == "goto"
            assert engine.sent == []
