"""A monkey in a hurry: bursts of keys, clicks, pastes and sizes that nobody waits for. Nothing breaks, and all agrees at the end.

It does `KEYS` things in each test; set DAGTOP_MONKEY for another number, 20,000 before a release.
"""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest
from console_monkey import KEYS, agrees, executor_of, flaky, keys_of, nested, quick, services, settled
from dagtop import DAGExecutor
from dagtop.core.commands import CancelRun
from dagtop.journal.memory import MemoryJournal
from dagtop.observe.story import Story
from dagtop.runtime.replay import Replay
from dagtop.runtime.thread import EngineThread
from dagtop_app.console import ConsoleApp
from textual import events
from textual.geometry import Size
from textual.keys import KEY_TO_UNICODE_NAME, _character_to_key
from textual.pilot import Pilot

pytestmark = pytest.mark.anyio

PASTED = ("load_*", "a\nb\x1b[31m", "", "x" * 20_000, "名前 \u202e", "retries=3", "\ud800", "y")
#: Once in a test, at some time: nobody has a terminal that large, but programs have set it.
HUGE = (5000, 5000)


class Hurried:
    """Posts what a terminal sends, as fast as it comes."""

    def __init__(self, app: ConsoleApp, dice: random.Random) -> None:
        self.app, self.dice = app, dice
        self.keys = keys_of(dice)
        self.size = (80, 24)
        self.done: list[str] = []

    def burst(self) -> int:
        """Several things at once, of which nothing waits for another; how many."""
        count = self.dice.randint(1, 30)
        for _ in range(count):
            self.one()
        return count

    def one(self) -> None:
        """The next thing."""
        chance = self.dice.random()
        if chance < 0.85:
            self.key(next(self.keys))
        elif chance < 0.93:
            self.mouse()
        elif chance < 0.95:
            self.post(events.Paste(self.dice.choice(PASTED)))
        elif chance < 0.97:
            self.post(self.dice.choice([events.AppFocus, events.AppBlur])())
        else:
            self.resize(self.dice.choice([(1, 1), (self.dice.randint(1, 300), self.dice.randint(1, 100)), (80, 24)]))

    def key(self, key: str) -> None:
        """Of the keyboard."""
        try:
            character = unicodedata.lookup(KEY_TO_UNICODE_NAME.get(key, key))
        except KeyError:
            character = key if len(key) == 1 else None
        self.post(events.Key(key if key.isalnum() else _character_to_key(key) if len(key) == 1 else key, character))

    def mouse(self) -> None:
        """A click, a drag or a turn of the wheel anywhere."""
        wide, high = self.size
        x, y = self.dice.randrange(wide), self.dice.randrange(high)
        kinds: list[type[events.MouseEvent]] = self.dice.choice(
            [
                [events.MouseMove, events.MouseDown, events.MouseUp],
                [events.MouseDown, events.MouseUp, events.MouseDown, events.MouseUp],
                [events.MouseDown],
                [events.MouseUp],
                [events.MouseScrollDown] * 3,
                [events.MouseScrollUp] * 3,
                [events.MouseScrollRight, events.MouseScrollLeft],
            ]
        )
        for kind in kinds:
            button = 1 if kind in {events.MouseDown, events.MouseUp} else 0
            self.post(kind(None, x, y, 0, 0, button, False, False, False, x, y))

    def resize(self, size: tuple[int, int]) -> None:
        """The window is made larger or smaller."""
        self.size = size
        driver = self.app._driver
        assert driver is not None
        driver._size = size
        self.post(events.Resize(Size(*size), Size(*size)))

    def post(self, event: events.Event) -> None:
        """As the driver's thread does."""
        self.done.append(repr(event)[:80])
        assert self.app._driver is not None
        self.app._driver.process_message(event)


async def play(app: ConsoleApp, dice: random.Random, pilot: Pilot[None]) -> Hurried:
    """Bursts, with now and then a moment to look up; then quiet."""
    hurried = Hurried(app, dice)
    left, huge_at = KEYS, KEYS // 2
    while left > 0:
        left -= hurried.burst()
        if huge_at >= left > 0:
            huge_at = -1
            hurried.resize(HUGE)
            hurried.burst()
            hurried.resize((80, 24))
        if dice.random() < 0.3:
            await pilot.pause()
        else:
            await pilot.pause(0.001)
        assert app.is_running, hurried.done[-60:]
        assert app._exception is None, hurried.done[-60:]
    hurried.resize((160, 45))
    await pilot.pause()
    for _ in range(14):
        await pilot.press("escape")
    assert app.is_running, hurried.done[-60:]
    assert app.screen is app.main, (
        [(type(s).__name__, getattr(s, "_title_text", ""), getattr(s, "_is_answered", "")) for s in app.screen_stack],
        hurried.done[-60:],
    )
    return hurried


def made(engine: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ConsoleApp:
    """A console that cannot be left, and changes nothing outside."""
    monkeypatch.chdir(tmp_path)  # for reports that it writes
    begin = engine.start  # type: ignore[attr-defined]
    app = ConsoleApp(engine, title="monkey.py", begin=begin)  # type: ignore[arg-type]  # one of those that there are
    monkeypatch.setattr(app, "copy_to_clipboard", lambda text: None)
    monkeypatch.setattr(app, "exit", lambda *args, **options: setattr(app.main, "leaving", ""))
    return app


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("make", [flaky, services, nested, quick])
async def test_a_monkey_in_a_hurry_breaks_nothing(
    make, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = EngineThread(executor_of(make()), hold_open=True, story=Story())
    app = made(engine, monkeypatch, tmp_path)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await play(app, random.Random(seed), pilot)
            assert engine.error is None
            engine.send(CancelRun(reason="the monkey is tired"), by="test")
            app.main.set_filter("", problems=False)
            if app.main.roster.levels.there and not app.main.roster.flat:
                await pilot.press("1", "underscore")
            await pilot.press("1")
            snapshot = await settled(pilot, app, engine)
            await pilot.pause()
            agrees(app, snapshot)
    finally:
        engine.send(CancelRun(reason="the test is over"), by="test")
        engine.close()
        assert engine.join(20)
    assert engine.error is None


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_monkey_in_a_hurry_at_a_replay_breaks_nothing(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = MemoryJournal()
    await DAGExecutor(quick(), journal=journal, capture=True).run()
    replay = Replay(journal.load("last"), at_end=True)
    app = made(replay, monkeypatch, tmp_path)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await play(app, random.Random(seed), pilot)
            assert replay.error is None
            await pilot.press("1", "ctrl+end")
            app.main.set_filter("", problems=False)
            while replay.transport.heading is not None or replay.transport.number != replay.transport.last:
                await pilot.pause(0.01)
            app.main.poll()
            await pilot.pause()
            agrees(app, replay.latest)
    finally:
        replay.close()
        assert replay.join(20)
