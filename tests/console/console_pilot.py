"""What the tests see of a running console: the cells of the screen, line by line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from console_fakes import FakeEngine
from dagtop_app.console import ConsoleApp
from textual.pilot import Pilot


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Seen:
    """A console under test."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[None], engine: FakeEngine, clock: Clock) -> None:
        self.app, self.pilot, self.engine, self.clock = app, pilot, engine, clock

    async def press(self, *keys: str) -> None:
        """Press keys and let the screen settle."""
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        """Look at the engine now instead of in a tenth of a second."""
        await self.pilot.pause()
        self.app.main.poll()
        await self.pilot.pause()

    @property
    def lines(self) -> list[str]:
        """The screen as text."""
        screen = self.app.screen
        return ["".join(segment.text for segment in strip) for strip in screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        """The screen in one text."""
        return "\n".join(self.lines)

    @property
    def selected(self) -> str | None:
        """Name of the task under the cursor."""
        row = self.app.main.selected_row
        return row.name if row is not None else None


@asynccontextmanager
async def console(engine: FakeEngine, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Seen]:
    """A console before a fake engine."""
    clock = Clock()
    app = ConsoleApp(engine, title="nightly.py", now=clock)
    async with app.run_test(size=size) as pilot:
        seen = Seen(app, pilot, engine, clock)
        await seen.settle()
        yield seen
