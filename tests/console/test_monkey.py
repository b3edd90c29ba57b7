"""A monkey at the console: random keys and sizes on a running graph. Nothing breaks, and screen and engine agree at the end.

It presses `KEYS` keys in each test; set DAGTOP_MONKEY for another number, 20,000 before a release.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from console_monkey import KEYS, SIZES, agrees, executor_of, flaky, keys_of, nested, services, settled
from dagtop.core.commands import CancelRun
from dagtop.observe.story import Story
from dagtop.runtime.thread import EngineThread
from dagtop_app.console import ConsoleApp

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("make", [flaky, services, nested])
async def test_a_monkey_breaks_nothing(make, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # for reports that it writes
    dice = random.Random(seed)
    engine = EngineThread(executor_of(make()), hold_open=True, story=Story())
    app = ConsoleApp(engine, title="monkey.py", begin=engine.start)
    monkeypatch.setattr(app, "copy_to_clipboard", lambda text: None)
    try:
        await play(app, engine, dice)
    finally:
        engine.send(CancelRun(reason="the test is over"), by="test")
        engine.close()
        assert engine.join(20)
    assert engine.error is None


async def play(app: ConsoleApp, engine: EngineThread, dice: random.Random) -> None:
    """Press keys, then look."""
    keys = keys_of(dice)
    async with app.run_test(size=SIZES[0]) as pilot:
        for _ in range(KEYS // 20):
            await pilot.press(*(next(keys) for _ in range(20)))
            if dice.random() < 0.1:
                await pilot.resize_terminal(*dice.choice(SIZES))
            assert engine.error is None
            assert app.is_running
        await pilot.resize_terminal(160, 45)
        for _ in range(12):
            await pilot.press("escape")
        engine.send(CancelRun(reason="the monkey is tired"), by="test")
        app.main.set_filter("", problems=False)
        if app.main.roster.levels.there and not app.main.roster.flat:
            await pilot.press("1", "underscore")
        await pilot.press("1")
        snapshot = await settled(pilot, app, engine)
        await pilot.pause()
        agrees(app, snapshot)
