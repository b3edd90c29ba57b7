"""The line that `:` opens: what it offers, what it says it would do, and what it does."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, finished_with_failures, hostile, many, running_mix
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
from dagtop_app.palette import WORDS, entry_of, offers, outlook
from dagtop_app.screens.command_line import CommandLine

pytestmark = pytest.mark.anyio


def lines(text: str, **given: object) -> list[str]:
    """The lines that are offered, in the mixed run."""
    return [offer.line for offer in offers(text, given.get("snapshot", running_mix()))]  # type: ignore[arg-type]


class TestOffers:
    def test_a_word_is_completed_and_an_alias_leads_to_it(self) -> None:
        assert lines("pol")[0] == "policy "
        assert lines("kill")[0] == "cancel "
        assert lines("pau")[0] == "pause"
        assert len(offers("", running_mix())) == len(WORDS)

    def test_tasks_are_offered_by_how_they_begin_then_by_what_they_contain(self) -> None:
        assert lines("cancel load") == ["cancel load_orders "]
        assert lines("cancel orders") == [
            f"cancel {name} " for name in ("extract_orders", "clean_orders", "join_orders", "load_orders")
        ]
        assert lines("hold sync_crm ext")[0] == "hold sync_crm extract_orders "

    def test_what_a_policy_takes_is_offered(self) -> None:
        assert "policy always " in lines("policy al")
        assert "policy retries=" in lines("policy ret")

    def test_filters_and_the_values_that_are_there(self) -> None:
        assert "cancel state:" in lines("cancel st")
        found = {offer.shown: offer.note for offer in offers("cancel state:", running_mix())}
        assert found["state:failed"] == "2 tasks"
        assert "state:cached" not in found

    def test_pools_and_breakers_by_name(self) -> None:
        assert lines("pool ", snapshot=steered()) == ["pool web "]
        assert lines("breaker tr", snapshot=steered()) == ["breaker trip "]
        assert lines("breaker trip ", snapshot=steered()) == ["breaker trip api ", "breaker trip mail "]
        assert lines("breaker force ha", snapshot=steered()) == ["breaker force half-open "]

    def test_views_orders_and_themes_are_offered(self) -> None:
        assert [o.line for o in offers("view ", running_mix(), views=("tasks", "graph"))] == [
            "view tasks ",
            "view graph ",
        ]
        assert lines("sort pro") == ["sort problems "]

    def test_names_that_are_no_word_are_quoted_and_hostile_ones_shown_safely(self) -> None:
        found = offers("cancel ", hostile())
        assert "[bold]x[/bold] [b +" in {offer.shown for offer in found}
        assert 'cancel "[bold]x[/bold] [b +" ' in {offer.line for offer in found}
        for offer in found:
            assert offer.shown.isprintable()
            assert offer.line.isprintable(), "it is put into the line as it is"

    def test_of_very_many_tasks_some_are_offered(self) -> None:
        found = offers("cancel load_0", many(20_000))
        assert 10 < len(found) <= 60

    def test_what_is_offered_can_be_entered(self) -> None:
        for offer in offers("cancel ", running_mix()):
            assert outlook(offer.line, running_mix()).text
            assert "no task" not in outlook(offer.line, running_mix()).text


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
            for word in WORDS:
                assert entry_of(word.word) is not None
                outlook(word.word, scene)
                outlook(f"{word.word} x y=z", scene)
                offers(f"{word.word} ", scene)


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
            assert "there are the views" in seen.text
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
                for word in WORDS:
                    if word.word not in {"theme", "quit"}:
                        seen.app.main.obey(word.word)
                        while seen.app.screen is not seen.app.main:
                            await seen.app.pop_screen()
                await seen.settle()
                assert seen.app.is_running
