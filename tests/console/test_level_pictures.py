"""Pictures of the levels of a graph of graphs. `pytest --snapshot-update` makes them anew; look at them then."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import FakeEngine
from console_nested import nested
from dagtop_app.console import ConsoleApp
from textual.pilot import Pilot

SIZES = {"80x24": (80, 24), "132x40": (132, 40)}
SCENES = {
    "top": [],
    "inside": ["enter"],
    "deep": ["down", "enter", "enter"],
    "tree": ["down", "0"],
    "flat": ["underscore"],
    "cancel": ["down", "x"],
}


def app_of() -> ConsoleApp:
    engine = FakeEngine(nested())
    engine.logs.add("exports/orders", "insert 881 \x1b[31mfailed\x1b[0m", at=30.0, stream="log", level="ERROR")
    engine.logs.add("ingest/raw/page_b", "page 3 of 4", at=250.0)
    return ConsoleApp(engine, title="nightly.py", now=lambda: 0.0)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("scene", SCENES)
def test_levels(snap_compare: Any, scene: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(), press=SCENES[scene], terminal_size=size)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("keys", [["2"], ["2", "enter"]], ids=["top", "inside"])
def test_drawings(snap_compare: Any, keys: list[str], size: tuple[int, int]) -> None:
    async def walk(pilot: Pilot[None]) -> None:
        for key in keys:
            await pilot.press(key)
            for _ in range(3):  # the drawing is hung up, the screen is told what is selected in it, and draws that
                await pilot.app.workers.wait_for_complete()
                await pilot.pause()
                pilot.app.main.poll()  # type: ignore[attr-defined]
                await pilot.pause()

    assert snap_compare(app_of(), run_before=walk, terminal_size=size)
