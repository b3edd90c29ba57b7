"""The line that `:` opens: what it offers, what it says it would do, and what it does."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, finished_with_failures, hostile, running_mix
from console_pilot import console
from console_scenes import steered
from dagtop.core.commands import (
    CancelTask,
    HoldTask,
    RestartTask,
    SetMaxParallel,
    SetPolicy,
    SetPoolLimit,
    TripBreaker,
)
from dagtop_app.screens.command_line import CommandLine
from dagtop_app.words.palette import outlook
from dagtop_app.words.vocabulary import VOCABULARY

pytestmark = pytest.mark.anyio


class TestOutlook:
    def test_it_tells_what_would_be_lost(self) -> None:
        told = outlook("cancel extract_events train_ltv", running_mix())
        assert told.tone == "bad"
        assert "1 task told to stop" in told.text

    def test_it_tells_what_is_wrong_and_what_is_near(self) -> None:
        assert "did you mean" in outlook("cancel load_order", running_mix()).text
        assert outlook("cance load_order", running_mix()).tone == "warn"
        assert "would be refused" in outlook("cancel extract_orders", running_mix()).text

    def test_what_is_marked_is_meant_if_nothing_is_named(self) -> None:
        assert outlook("hold", running_mix(), chosen=["train_ltv", "train_churn"]).tone == "good"
        assert "needs a task" in outlook("hold", running_mix()).text

    def test_every_word_has_an_outlook_on_anything(self) -> None:
        for scene in (running_mix(), hostile(), steered(), finished_with_failures()):
            for word in VOCABULARY:
                outlook(word.word, scene)
                outlook(f"{word.word} x y=z", scene)


class TestTheLine:
    async def test_a_policy_goes_to_all_that_a_pattern_means(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine, (100, 30)) as seen:
            await seen.press("colon", *"policy always train_*")
            assert isinstance(seen.app.screen, CommandLine)
            await seen.press("enter")
            assert set(engine.sent) == {
                SetPolicy("train_ltv", restart="always"),
                SetPolicy("train_churn", restart="always"),
            }

    async def test_what_it_would_do_is_said_while_it_is_typed_and_asked_once(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine, (100, 30)) as seen:
            await seen.press("colon", *"cancel train_*")
            assert "will not run" in seen.text
            await seen.press("enter")
            assert "Cancel 2 tasks?" in seen.text
            assert engine.sent == []
            await seen.press("y")
            assert set(engine.sent) == {CancelTask("train_ltv"), CancelTask("train_churn")}

    async def test_tab_takes_what_is_offered_and_the_arrows_choose(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine, (100, 30)) as seen:
            await seen.press("colon", *"restart notify", "tab", "enter")
            assert engine.sent == [RestartTask("notify_ops")]
            await seen.press("colon", *"hold train", "down", "down", "enter", "enter")
            assert engine.sent[1:] == [HoldTask("train_churn")]

    async def test_limits_pools_and_breakers(self) -> None:
        engine = FakeEngine(steered())
        async with console(engine, (100, 30)) as seen:
            await seen.press("colon", *"limit 5", "enter")
            await seen.press("colon", *"pool web 4", "enter")
            await seen.press("colon", *"breaker trip api", "enter")
            assert engine.sent == [SetMaxParallel(5), SetPoolLimit("web", 4), TripBreaker("api")]

    async def test_going_to_a_task_sorting_filtering_and_views(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("colon", *"goto warm_cache", "enter")
            assert seen.selected == "warm_cache"
            await seen.press("colon", *"sort name", "enter")
            assert "sort name" in seen.text
            await seen.press("colon", *"tasks orders", "enter")
            assert "4 of 25" in seen.text
            await seen.press("colon", *"view graph", "enter")
            assert seen.app.main.view == "graph"
            await seen.press("colon", *"view nowhere", "enter")
            assert "there is no view" in seen.text
            await seen.press("colon", *"why publish", "enter")
            assert "Why publish" in seen.text

    async def test_help_tells_the_words(self) -> None:
        async with console(FakeEngine(running_mix()), (100, 40)) as seen:
            await seen.press("colon", *"help lim", "enter")
            assert "limit N | +N | -N" in seen.text
            assert "cancel TASK" not in seen.text
            await seen.press("escape", "colon", *"help", "enter")
            assert "cancel TASK… | run" in seen.text

    async def test_an_error_is_told_and_sends_nothing(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("colon", *"cancel nobody", "enter")
            assert engine.sent == []
            assert "there is no task 'nobody'" in seen.text

    async def test_earlier_lines_come_back(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("colon", *"sort name", "enter", "colon", *"sort time", "enter")
            await seen.press("colon", "up", "up")
            screen = seen.app.screen
            assert isinstance(screen, CommandLine)
            assert screen.input.value == "sort name"
            await seen.press("down", "down")
            assert screen.input.value == ""

    async def test_what_is_marked_is_meant(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("colon", *"select train_*", "enter")
            assert "2 selected" in seen.text
            await seen.press("colon", *"hold", "enter")
            assert set(engine.sent) == {HoldTask("train_ltv"), HoldTask("train_churn")}

    async def test_escape_leaves_it_and_letters_steer_nothing(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("colon", *"xKDq", "escape")
            assert seen.app.screen is seen.app.main
            assert engine.sent == []

    async def test_every_word_alone_is_answered(self) -> None:
        for scene in (running_mix(), steered(), finished_with_failures()):
            engine = FakeEngine(scene)
            async with console(engine) as seen:
                for word in VOCABULARY:
                    if word.word not in {"theme", "quit"}:
                        seen.app.main.obey(word.word)
                        while seen.app.screen is not seen.app.main:
                            await seen.app.pop_screen()
                await seen.settle()
                assert seen.app.is_running
