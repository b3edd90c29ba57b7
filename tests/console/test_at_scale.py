"""What is done once, or not at all, so that keys are fast with 100,000 tasks. How fast: `benchmarks/console_keys.py`."""

from __future__ import annotations

import ast
from pathlib import Path

import dagtop_app
import pytest
from console_events import one_of_each
from console_fakes import FakeEngine, S, many, snapshot_of
from console_pilot import console
from dagtop.core.commands import RestartTask
from dagtop.observe.story import Story
from dagtop_app.events.roll import EventRoll
from dagtop_app.events.texts import WEIGHT_OF, Weight, tell
from dagtop_app.steering.node_commands import radius_of
from dagtop_app.tasks import inspector as inspector_model
from dagtop_app.tasks.filters import Filter, matches
from dagtop_app.terminal.manners import LARGEST
from hypothesis import given
from hypothesis import strategies as st

WORDS = ("load", "!load", "00", "/0[12]/", "~ld9", "state:failed", "!state:run", "state:", "LOAD_0", "/", "~")


@given(st.lists(st.sampled_from(WORDS), max_size=4), st.booleans())
def test_all_at_once_the_same_tasks_pass_a_filter_as_one_by_one(words: list[str], problems: bool) -> None:
    rows, wanted = many(300).rows, Filter(" ".join(words))
    alone = Filter("")
    found = [
        row.index for row in rows if wanted(row) and (not problems or row.index in matches([row], alone, problems=True))
    ]
    assert list(matches(rows, wanted, problems=problems)) == found


@pytest.mark.anyio
async def test_a_letter_of_a_filter_does_not_have_the_order_worked_out_twice() -> None:
    engine = FakeEngine(many(1_000))
    async with console(engine) as seen:
        await seen.press("slash")
        made: list[str] = []
        roster = seen.app.main.roster
        rebuild = roster.rebuild

        def counted() -> bool:
            made.append(roster.wanted.text)
            return rebuild()

        roster.rebuild = counted  # type: ignore[method-assign]  # it is counted
        for letter in "load":
            engine.change("load_000001", attempt=engine.latest.rows[1].attempt + 1)
            await seen.pilot.press(letter)
        assert made == ["l", "lo", "loa", "load"]
        engine.change("load_000001", state=S.FAILED)
        seen.clock.now += 5
        await seen.settle()
        assert made[-1] == "load"
        assert len(made) == 5


def test_how_many_tasks_come_after_one_is_counted_up_to_a_number() -> None:
    def told(count: int) -> str:
        edges = {f"t{n}": (f"t{n - 1}",) if n else () for n in range(count)}
        snapshot = snapshot_of(edges, {})
        lines = inspector_model.short(snapshot, snapshot.rows[0], (), 100, 8)
        return "\n".join("".join(text for text, _ in line) for line in lines)

    assert "(1,999 in all)" in told(2_000)
    assert "(over 2,000 in all)" in told(2_100)


def test_what_a_command_would_do_is_worked_out_once() -> None:
    snapshot = many(50)
    first = radius_of(snapshot, RestartTask("load_000000", downstream=True))
    assert radius_of(snapshot, RestartTask("load_000000", downstream=True)) is first
    assert radius_of(snapshot, RestartTask("load_000000")) is not first
    assert radius_of(many(60), RestartTask("load_000000", downstream=True)) is not first


@pytest.mark.parametrize("least", list(Weight))
def test_events_pass_by_their_type_as_they_would_by_what_is_told(least: Weight) -> None:
    events = one_of_each("a task")
    assert all(tell(event).weight is weight for event in events if (weight := WEIGHT_OF.get(type(event))) is not None)
    story, roll = Story(), EventRoll()
    story.record(1, events)
    story.catch_up()
    roll.narrow(least=least)
    roll.take(story, many(1))
    assert [event for _, event in roll.shown] == [event for event in events if tell(event).weight >= least]
    roll.narrow(least=Weight.DETAIL, only="a task")
    roll.take(story, many(1))
    assert [event for _, event in roll.shown] == [event for event in events if tell(event).task == "a task"]


def test_every_worker_says_what_it_does() -> None:
    """Without that Textual tells it from all that the work is given: a look ahead over 100,000 tasks froze keys for seconds."""
    silent = [
        f"{file.name}:{node.lineno}"
        for file in sorted(Path(dagtop_app.__file__).parent.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "run_worker"
        and "description" not in {keyword.arg for keyword in node.keywords}
    ]
    assert silent == []


@pytest.mark.anyio
async def test_of_a_huge_terminal_only_a_part_is_drawn_on() -> None:
    async with console(FakeEngine(many(100)), size=(5_000, 5_000)) as seen:
        assert seen.app.main.size == seen.app.size == LARGEST
        await seen.pilot.resize_terminal(100, 30)
        await seen.settle()
        assert seen.app.main.size == (100, 30)
        await seen.pilot.resize_terminal(5_000, 30)
        await seen.settle()
        assert seen.app.main.size == (LARGEST.width, 30)
