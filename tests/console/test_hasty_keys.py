"""Keys that come faster than the screen follows: none is taken for an answer twice, and none breaks the console."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from console_fakes import FakeEngine, running_mix, snapshot_of
from console_pilot import Seen, console
from dagtop_app.words.action_palette import offers
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


async def test_a_question_below_another_one_is_answered_and_closes_when_it_is_the_foremost() -> None:
    """It closed the one before it, and then took no key any more: the console was locked."""
    engine = FakeEngine(running_mix())
    async with console(engine) as seen:
        await seen.press("K")
        below = seen.app.screen
        seen.app.main.action_help()
        await seen.settle()
        assert len(seen.app.screen_stack) == 3
        below.dismiss("no")
        await seen.settle()
        assert len(seen.app.screen_stack) == 3
        await seen.press("escape")
        await seen.settle()
        assert seen.app.screen is seen.app.main
        assert engine.sent == []


async def test_lanes_while_a_group_is_open_break_nothing() -> None:
    """The group's numbers were looked for in names of tasks that are not in it."""
    names = [f"load[{n}]" for n in range(40)]
    async with console(FakeEngine(snapshot_of({"list": (), **dict.fromkeys(names, ("list",))}, {}))) as seen:
        seen.app.main.roster.open_group("load[*]")
        await seen.press("t")
        assert seen.app.is_running
        assert "sort lanes" in seen.text


def test_the_palette_offers_what_fits_best() -> None:
    names = running_mix().plan.names
    assert offers("theme", names)[0].line == "app.theme"
    assert offers("cancel", names)[0].line == "task.cancel"
    assert offers("warm_ca", names)[-1].shown == "go to warm_cache"
    assert offers("qzx", names) == []


async def test_the_palette_runs_an_action_and_goes_to_a_task() -> None:
    async with console(FakeEngine(running_mix())) as seen:
        await seen.press("ctrl+p", *"warm_cache", "enter")
        await seen.settle()
        assert seen.selected == "warm_cache"
        await seen.press("ctrl+p", *"timeline", "enter")
        await seen.settle()
        assert seen.app.main.view == "timeline"
        await seen.press("ctrl+p", *"no such thing", "enter")
        assert seen.app.screen is seen.app.main
