"""Several tasks at once: what is marked, what keys do with it, one question and one undo."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, S, finished_with_failures, many, running_mix
from console_nested import nested
from console_pilot import Seen, console
from dagtop.core.commands import (
    AbandonTask,
    CancelTask,
    HoldTask,
    MarkSucceeded,
    ReleaseTask,
    RestartTask,
    SetPolicy,
    SkipTask,
    StopTask,
)
from dagtop.core.events import CommandApplied
from dagtop_app.tasks.marks import Marks

pytestmark = pytest.mark.anyio


def marked(seen: Seen) -> list[str]:
    """The marked tasks, by name."""
    return sorted(seen.app.main.roster.marks.names)


async def mark(seen: Seen, *names: str) -> None:
    """Mark these tasks with the key."""
    main = seen.app.main
    for name in names:
        main.select(main.snapshot.plan.index[name])
        await seen.press("space")
    await seen.settle()


class TestTheModel:
    def test_a_range_gives_back_what_it_no_longer_reaches(self) -> None:
        marks = Marks()
        marks.toggle(["a"])
        marks.begin("c")
        marks.reach(["c", "d", "e"])
        marks.reach(["b", "c"])
        assert marks.names == {"a", "b", "c"}
        marks.end()
        marks.invert(["a", "b", "x"])
        assert marks.names == {"c", "x"}

    def test_all_of_some_are_unmarked_only_if_all_are_marked(self) -> None:
        marks = Marks()
        marks.toggle(["a", "b"])
        marks.toggle(["b", "c"])
        assert marks.names == {"a", "b", "c"}
        marks.toggle(["b", "c"])
        assert marks.names == {"a"}
        assert marks.told({"b"}) == "1 selected (1 hidden)"


class TestKeys:
    async def test_space_marks_and_goes_on_and_escape_unmarks(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("home", "space", "space")
            assert len(marked(seen)) == 2
            assert "── 2 selected ──" in seen.text
            assert sum(line.startswith("*") for line in seen.lines) == 2
            await seen.press("k")
            assert any(line.startswith("▌✖*") for line in seen.lines)
            await seen.press("escape")
            assert marked(seen) == []
            assert "selected ──" not in seen.text

    async def test_a_range_follows_the_cursor_and_ends(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            order = [seen.engine.latest.rows[i].name for i in seen.app.main.roster.order]
            await seen.press("home", "j", "V", "j", "j", "j")
            assert set(marked(seen)) == set(order[1:5])
            assert "4 selected · range" in seen.text
            await seen.press("k", "V", "j", "j")
            assert set(marked(seen)) == set(order[1:4])

    async def test_invert_is_about_what_is_shown(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await seen.press("slash", *"orders", "enter", "asterisk")
            assert marked(seen) == ["clean_orders", "extract_orders", "join_orders", "load_orders"]
            await seen.press("slash", "backspace", "enter")
            await mark(seen, "load_orders")
            assert marked(seen) == ["clean_orders", "extract_orders", "join_orders"]

    async def test_what_a_filter_hides_is_told(self) -> None:
        async with console(FakeEngine(running_mix())) as seen:
            await mark(seen, "vacuum", "load_orders")
            await seen.press("slash", *"orders", "enter")
            assert "2 selected (1 hidden)" in seen.text

    async def test_all_of_a_hundred_thousand_are_marked(self) -> None:
        async with console(FakeEngine(many(20_000))) as seen:
            await seen.press("asterisk")
            assert len(seen.app.main.roster.marks) == 20_000
            assert "20,000 selected" in seen.text

    async def test_a_task_that_leaves_the_graph_is_not_marked_any_more(self) -> None:
        engine = FakeEngine(many(30))
        async with console(engine) as seen:
            await seen.press("asterisk")
            engine.latest = many(10)
            await seen.settle()
            assert len(seen.app.main.roster.marks) == 10


class TestSteering:
    async def test_cancelling_several_asks_once_and_tells_what_all_would_lose(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await mark(seen, "extract_events", "train_ltv", "load_orders")
            await seen.press("x")
            assert "Cancel 3 tasks?" in seen.text
            assert "1 task told to stop" in seen.text
            assert "publish" in seen.text
            await seen.press("y")
            assert set(engine.sent) == {CancelTask("extract_events"), CancelTask("train_ltv")}
            assert "cancelling 3 tasks…" in seen.text

    async def test_nothing_is_sent_if_the_answer_is_no_and_a_reason_goes_to_all(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await mark(seen, "extract_events", "extract_users")
            await seen.press("x", "escape")
            assert engine.sent == []
            await seen.press("x", "w", *"late", "enter")
            assert engine.sent == [CancelTask("extract_events", "late"), CancelTask("extract_users", "late")]

    async def test_restarting_several_with_what_is_after_them_may_be_only_these(self) -> None:
        engine = FakeEngine(finished_with_failures())
        async with console(engine) as seen:
            await mark(seen, "clean_orders", "extract_items")
            await seen.press("R")
            assert "Restart 2 tasks and everything after them?" in seen.text
            assert "Only these 2" in seen.text
            await seen.press("o")
            assert set(engine.sent) == {RestartTask("clean_orders"), RestartTask("extract_items")}

    async def test_holding_several_is_undone_as_one(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await mark(seen, "train_ltv", "train_churn")
            await seen.press("p")
            assert set(engine.sent) == {HoldTask("train_ltv"), HoldTask("train_churn")}
            answer_all(engine)
            await seen.settle()
            assert "u undoes it" in seen.text
            await seen.press("u")
            assert set(engine.sent[2:]) == {ReleaseTask("train_ltv"), ReleaseTask("train_churn")}

    async def test_what_is_all_held_is_released(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await mark(seen, "geo_enrich", "snapshot_config")
            await seen.press("p")
            assert set(engine.sent) == {ReleaseTask("geo_enrich"), ReleaseTask("snapshot_config")}

    async def test_several_are_skipped_or_taken_as_succeeded(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await mark(seen, "train_ltv", "train_churn")
            await seen.press("m", "2")
            assert "Skip 2 tasks?" in seen.text
            await seen.press("y")
            assert set(engine.sent) == {SkipTask("train_ltv"), SkipTask("train_churn")}
            await seen.press("m", "1", "4", "2", "enter")
            assert set(engine.sent[2:]) == {MarkSucceeded("train_ltv", 42), MarkSucceeded("train_churn", 42)}

    async def test_the_policy_of_several_is_chosen_once(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await mark(seen, "train_ltv", "train_churn")
            await seen.press("P")
            assert "When are 2 tasks started again?" in seen.text
            await seen.press("3")
            assert set(engine.sent) == {
                SetPolicy("train_ltv", restart="always"),
                SetPolicy("train_churn", restart="always"),
            }

    async def test_several_are_stopped_and_stay_down(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await mark(seen, "extract_events", "extract_users")
            await seen.press("d", "y")
            assert set(engine.sent) == {StopTask("extract_events"), StopTask("extract_users")}

    async def test_a_node_and_a_task_may_be_marked_together(self) -> None:
        engine = FakeEngine(nested())
        async with console(engine) as seen:
            main = seen.app.main
            nodes = [index for index in main.roster.order if main.roster.levels.is_node(index)]
            await mark(seen, *[engine.latest.rows[index].name for index in nodes])
            assert len(marked(seen)) == len(nodes)
            await seen.press("p")
            assert len(engine.sent) > 0


def answer_all(engine: FakeEngine) -> None:
    """Say that all that was sent was carried out."""
    answers = [
        CommandApplied(at=1.0, command=command, id=place + 1, by="console", effect=f"done {command.verb}")
        for place, command in enumerate(engine.sent)
    ]
    engine.show(answers=tuple(answers))


async def test_keys_on_marks_leave_the_task_under_the_cursor_alone() -> None:
    engine = FakeEngine(running_mix())
    async with console(engine) as seen:
        await mark(seen, "notify_ops")
        seen.app.main.select(engine.latest.plan.index["load_orders"])
        await seen.press("r")
        assert engine.sent == [RestartTask("notify_ops")]
        assert engine.latest.rows[engine.latest.plan.index["load_orders"]].state is S.FAILED


class TestEditingSeveral:
    async def test_what_differs_stays_and_what_is_typed_goes_to_all(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine, (100, 40)) as seen:
            await mark(seen, "sync_crm", "fetch_fx_rates")
            await seen.press("e")
            assert "Edit 2 tasks" in seen.text
            assert "… is different for each" in seen.text
            await seen.press("tab", *"7", "enter")
            assert set(engine.sent) == {SetPolicy("sync_crm", timeout=7.0), SetPolicy("fetch_fx_rates", timeout=7.0)}

    async def test_a_wrong_value_is_told_once_and_nothing_is_sent(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine, (100, 40)) as seen:
            await mark(seen, "sync_crm", "fetch_fx_rates")
            await seen.press("e", *"x")
            assert "a whole number, please" in seen.text
            await seen.press("enter", "escape")
            assert engine.sent == []


class TestStep:
    async def test_one_held_task_is_released_at_a_time(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            await seen.press("comma")
            assert engine.sent == [ReleaseTask("snapshot_config")]
            assert "stepping: snapshot_config is released, 1 still held" in seen.text
            await mark(seen, "geo_enrich")
            await seen.press("comma")
            assert engine.sent[-1] == ReleaseTask("geo_enrich")

    async def test_without_a_held_task_it_says_how_to_hold_one(self) -> None:
        engine = FakeEngine(finished_with_failures())
        async with console(engine) as seen:
            await seen.press("comma")
            assert engine.sent == []
            assert "p holds a task before it starts" in seen.text


async def test_a_command_for_more_tasks_than_a_snapshot_has_answers_of_is_answered_and_undone() -> None:
    engine = FakeEngine(many(700))
    async with console(engine) as seen:
        waiting = [row.name for row in engine.latest.rows if row.state is S.WAITING]
        seen.app.main.roster.marks.toggle(waiting)
        await seen.press("p")
        assert len(engine.sent) == len(waiting) > 50
        answers = [
            CommandApplied(at=1.0, command=command, id=place + 1, by="console", effect="held")
            for place, command in enumerate(engine.sent)
        ]
        engine.story.record(1, answers)
        await seen.settle()
        assert "holding 200 tasks…" not in seen.text
        assert "u undoes" in seen.text
        await seen.press("u")
        assert len(engine.sent) == 2 * len(waiting)


class TestAbandon:
    async def test_a_task_that_does_not_stop_is_waited_for_no_longer(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            seen.app.main.select(engine.latest.plan.index["warm_cache"])
            await seen.press("X")
            assert "Wait no longer for warm_cache?" in seen.text
            await seen.press("y")
            assert engine.sent == [AbandonTask("warm_cache")]

    async def test_one_that_was_not_told_to_stop_is_told_first(self) -> None:
        engine = FakeEngine(running_mix())
        async with console(engine) as seen:
            seen.app.main.select(engine.latest.plan.index["extract_events"])
            await seen.press("X", "y")
            assert engine.sent == [CancelTask("extract_events")]
            assert "X again waits for it no longer" in seen.text
