"""Pictures of several tasks marked, the command line, the table with all its columns, editing several; at the four sizes."""

from __future__ import annotations

from typing import Any

import pytest
from console_events import happened
from console_fakes import FakeEngine, running_mix
from console_scenes import steered
from dagtop.core.forecast import Usual
from dagtop_app.console import ConsoleApp

SIZES = {"80x24": (80, 24), "100x30": (100, 30), "132x40": (132, 40), "160x45": (160, 45)}
THEMES = ("dagtop-dark", "dagtop-light", "dagtop-cvd")
PRESSED = {
    "marked": ["j", "space", "space", "j"],
    "range": ["j", "V", "j", "j", "j"],
    "asked": ["j", "j", "space", "space", "space", "x"],
    "command-line": ["colon", *"cancel tr"],
    "command-list": ["colon"],
    "edit-several": ["j", "j", "space", "space", "e"],
}


def app_of(scene: str) -> ConsoleApp:
    engine: Any = FakeEngine({"mix": running_mix, "steered": steered}[scene]())
    engine.story.record(1, happened())
    engine.usual = {index: Usual(1.0 + 7 * index, 30.0, 4) for index in range(12)}
    engine.logs.add("load_orders", "insert 881 \x1b[31mfailed\x1b[0m", at=240.0, stream="log", level="ERROR")
    return ConsoleApp(engine, title="nightly.py", now=lambda: 0.0)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("what", PRESSED)
def test_what_is_done_with_several(snap_compare: Any, what: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of("mix"), press=PRESSED[what], terminal_size=size)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_all_columns(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(app_of("steered"), terminal_size=size)


@pytest.mark.parametrize("theme", THEMES)
def test_all_columns_in_every_theme(snap_compare: Any, theme: str) -> None:
    app = app_of("steered")
    app.theme = theme
    assert snap_compare(app, press=["space", "7"], terminal_size=(100, 30))
