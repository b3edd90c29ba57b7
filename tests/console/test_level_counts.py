"""What a level that is drawn as one node says of the tasks in it, while they go on.

A monkey of 20,000 keys found it: the bar of a level stood still, for only the node had been looked at, and was counted as a task.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from console_fakes import FakeEngine, S
from console_nested import nested
from console_pilot import console
from dagtop.core.states import TaskState
from dagtop_app.graph.loading import Sheet, Wish, load
from dagtop_app.graph.words import NodeWords


def outermost() -> Sheet:
    sheet = load(Wish(plan=nested().plan, room=(120, 40), level=""), None, lambda: False)
    assert sheet is not None
    return sheet


@pytest.mark.parametrize("seed", range(5))
def test_counts_of_a_level_are_those_of_its_tasks_whatever_moves(seed: int) -> None:
    dice, sheet, engine = random.Random(seed), outermost(), FakeEngine(nested())
    words = NodeWords(sheet, engine.latest)
    for node in sheet.bundles:
        words.counts(node)
    for _ in range(60):
        before = engine.latest
        engine.change(dice.choice(before.plan.names), state=dice.choice(list(TaskState)))
        moved = [(was, row) for was, row in zip(before.rows, engine.latest.rows, strict=True) if was is not row]
        words.take(engine.latest, [pair for pair in moved if pair[0].state is not pair[1].state])
        for node, bundle in sheet.bundles.items():
            counted = Counter(engine.latest.rows[task].state for task in bundle.tasks)
            assert {state: count for state, count in words.counts(node).items() if count} == dict(counted)


@pytest.mark.anyio
async def test_the_bar_of_a_level_moves_with_the_tasks_in_it() -> None:
    engine = FakeEngine(nested())
    async with console(engine, (132, 40)) as seen:
        await seen.press("2")
        await seen.app.workers.wait_for_complete()
        await seen.settle()
        assert "1/4" in seen.text
        engine.change("exports/slow", state=S.SUCCEEDED)
        await seen.settle()
        assert "2/4" in seen.text
        engine.change("exports", state=S.SUCCEEDED)
        await seen.settle()
        assert "2/4" in seen.text
