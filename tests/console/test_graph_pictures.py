"""Pictures of the graph view: frozen clock, frozen run. `pytest --snapshot-update` makes them anew; look at them then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from console_fakes import FakeEngine, hostile, many, running_mix
from dagtop_app.console import ConsoleApp
from test_graph_groups import mapped
from textual.pilot import Pilot

SMALL, LARGE = (80, 24), (160, 45)
SIZES = {"80x24": SMALL, "100x30": (100, 30), "132x40": (132, 40), "160x45": LARGE}


def pressing(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Press keys, each after the drawing that the one before asked for is there."""

    async def press(pilot: Pilot[None]) -> None:
        for key in keys:
            await pilot.press(key)
            for _ in range(3):  # the drawing is hung up, the screen is told what is selected in it, and draws that
                await pilot.app.workers.wait_for_complete()
                await pilot.pause()

    return press


def app_of(scene: Any) -> ConsoleApp:
    return ConsoleApp(FakeEngine(scene), title="nightly.py", now=lambda: 0.0)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("keys", ["2", "2c", "2f"], ids=["whole", "critical", "focus"])
def test_the_graph(snap_compare: Any, keys: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(running_mix()), run_before=pressing(*keys), terminal_size=size)


def test_boxes(snap_compare: Any) -> None:
    assert snap_compare(app_of(running_mix()), run_before=pressing("2", "greater_than_sign"), terminal_size=LARGE)


def test_an_overview(snap_compare: Any) -> None:
    assert snap_compare(app_of(many(2_500)), run_before=pressing("2", "l"), terminal_size=LARGE)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("keys", ["2", "2⏎", "2H", "2<<<"], ids=["folded", "opened", "unfolded", "wall"])
def test_groups(snap_compare: Any, keys: str, size: tuple[int, int]) -> None:
    named = {"⏎": "enter", "<": "less_than_sign"}
    steps = [named.get(key, key) for key in keys]
    if "⏎" in keys:
        steps[1:1] = ["end", "h"]
    assert snap_compare(app_of(mapped(400)), run_before=pressing(*steps), terminal_size=size)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_lanes(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(running_mix()), run_before=pressing("t"), terminal_size=size)


def test_hostile_names(snap_compare: Any) -> None:
    assert snap_compare(app_of(hostile()), run_before=pressing("2"), terminal_size=SMALL)


def test_problems_only(snap_compare: Any) -> None:
    assert snap_compare(app_of(running_mix()), run_before=pressing("2", "exclamation_mark"), terminal_size=SMALL)


def test_no_colour(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_of(running_mix()), run_before=pressing("2"), terminal_size=SMALL)
