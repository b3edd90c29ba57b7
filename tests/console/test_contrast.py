"""What is really on the screen can be read: every word of every view and popup, in every theme, on what it stands on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from console_fakes import FakeEngine
from console_pilot import Clock, Seen
from console_scenes import steered
from dagtop_app.console import ConsoleApp
from dagtop_app.views.listed import VIEWS
from dagtop_themes import palettes
from rich.color import Color
from rich.style import Style
from test_theming import contrast

pytestmark = pytest.mark.anyio

#: Popups and lines to type in, by the key that opens them on the table.
POPUPS = ("enter", "e", "q", "slash")
#: Colours are mixed, and rounded to 256 steps.
LEAST = 4.45


def colours(style: Style) -> tuple[str, str] | None:
    """(ink, paper) of what is painted."""
    ink, paper = (style.bgcolor, style.color) if style.reverse else (style.color, style.bgcolor)
    found = [one.triplet.hex for one in (ink, paper) if isinstance(one, Color) and one.triplet is not None]
    return (found[0], found[1]) if len(found) == 2 else None


def words(app: ConsoleApp) -> Iterator[tuple[str, Style]]:
    """Every piece of text in front: what lies below a popup is meant to step back."""
    boxes = [box.region for box in app.screen.query("#box")]
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        x = 0
        for segment in strip:
            inside = not boxes or any(box.contains(x, y) for box in boxes)
            x += segment.cell_length
            if inside and segment.style is not None and any(char.isalnum() for char in segment.text):
                yield segment.text, segment.style


def unreadable(app: ConsoleApp) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for text, style in words(app):
        both = colours(style)
        share = contrast(*both) if both is not None else 1.0
        if share < LEAST:
            found.append((text.strip(), round(share, 1)))
    return found


@pytest.mark.parametrize("theme", [palette.name for palette in palettes()])
async def test_every_word_on_the_screen_can_be_read(theme: str) -> None:
    clock, engine = Clock(), FakeEngine(steered())
    for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        engine.logs.add("load", f"at level {level}", at=1.0, stream="log", level=level)
    app = ConsoleApp(engine, title="nightly.py", theme=theme, now=clock)
    async with app.run_test(size=(132, 40)) as pilot:
        seen = Seen(app, pilot, engine, clock)
        for view in VIEWS:
            if view.name != "meta":
                await app.main.run_action(view.action)
                await seen.settle()
                assert unreadable(app) == [], view.name
        await app.main.run_action("view('tasks')")
        for key in POPUPS:
            await seen.press(key)
            assert unreadable(app) == [], key
            await seen.press("escape", "escape")
