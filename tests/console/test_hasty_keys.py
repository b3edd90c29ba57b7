"""Keys that come faster than the screen follows: none is taken for an answer twice, and none breaks the console."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from console_fakes import FakeEngine, running_mix
from console_pilot import Seen, console
from textual import events

pytestmark = pytest.mark.anyio


async def in_a_burst(seen: Seen, *keys: str) -> None:
    """All of them are there before the first one is looked at, as on a slow line or with a key that is held down."""
    for key in keys:
        seen.app.post_message(events.Key(key, key if len(key) == 1 else None))
    for _ in range(len(keys)):
        await seen.settle()


@pytest.mark.parametrize("answers", [["y"] * 5, ["enter"] * 5, ["escape"] * 5, ["y", "escape", "q", "escape"]])
async def test_a_question_is_answered_once(answers: list[str]) -> None:
    """The second y closed the screen below: the console ended with a traceback, and the run with it."""
    engine = FakeEngine(running_mix())
    async with console(engine) as seen:
        await seen.press("K")
        assert len(seen.app.screen_stack) == 2
        await in_a_burst(seen, *answers)
        assert seen.app.is_running
        assert seen.app.screen_stack[0] is seen.app.main
        assert len(engine.sent) == (answers[0] != "escape")


@pytest.mark.parametrize("key", ["e", "colon", "question_mark", "T", "w"])
@pytest.mark.parametrize("answer", ["enter", "escape"])
async def test_whatever_has_opened_is_closed_once(key: str, answer: str) -> None:
    async with console(FakeEngine(running_mix())) as seen:
        await seen.press(key)
        await in_a_burst(seen, *[answer] * 5)
        assert seen.app.is_running
        assert seen.app.screen_stack[0] is seen.app.main


@pytest.mark.parametrize("keys", [["pagedown"] * 3, ["pageup", "down"], ["escape"] * 5, ["enter"] * 5])
async def test_the_palette_takes_keys_before_it_has_been_laid_out(keys: list[str]) -> None:
    """Page down looked for a line that was not there yet, and the console ended with a KeyError."""
    async with console(FakeEngine(running_mix())) as seen:
        await in_a_burst(seen, "ctrl+p", *keys)
        await in_a_burst(seen, *keys)
        await seen.press("escape", "escape")
        assert seen.app.is_running
        assert seen.app.screen_stack[0] is seen.app.main


async def test_the_pager_gets_the_lines_that_were_shown_though_others_are_chosen_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were looked up on a thread among those that are shown then: too few, and the console ended with an IndexError."""
    engine = FakeEngine(running_mix())
    for number in range(5):
        engine.logs.add("load_orders" if number == 2 else "sync_crm", f"line {number}", at=200.0)
    async with console(engine, (100, 30)) as seen:
        given: list[Iterable[str]] = []
        monkeypatch.setattr(seen.app, "page", lambda lines, name: given.append(lines))
        await seen.press("4", "o")
        seen.app.main.logs_view.open_named("load_orders")
        assert [line.rpartition("line ")[2] for line in given[0]] == ["0", "1", "2", "3", "4"]
        await seen.press("o")
        seen.app.main.logs_view.open_named(None)
        assert [line.rpartition("line ")[2] for line in given[1]] == ["2"]
