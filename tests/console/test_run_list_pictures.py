"""Pictures of the list of runs: one of every kind, frozen clock. `pytest --snapshot-update` makes them anew: look at them."""

from __future__ import annotations

from typing import Any

import pytest
from console_runs import FakeJournal, list_app, open_list, some
from dagtop_app.console import ConsoleApp
from textual.pilot import Pilot

SIZES = {"80x24": (80, 24), "100x30": (100, 30), "132x40": (132, 40), "160x45": (160, 45)}
KEYS: dict[str, list[str]] = {
    "filtered": ["slash", *"graph:night", "enter", "j"],
    "cancel": ["j", "x"],
    "marked": ["j", "j", "space", "j"],
}


def app_of() -> ConsoleApp:
    return list_app(FakeJournal(some()))


def opened(*keys: str) -> Any:
    """What is done before the picture is taken: the list is opened and read, then keys are pressed."""

    async def before(pilot: Pilot[None]) -> None:
        await pilot.pause()
        open_list(pilot.app)  # type: ignore[arg-type]  # it is ours
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
        await pilot.pause()

    return before


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_the_list(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(), terminal_size=size, run_before=opened("j", "j"))


@pytest.mark.parametrize("what", KEYS)
def test_what_is_done_with_it(snap_compare: Any, what: str) -> None:
    assert snap_compare(app_of(), terminal_size=(80, 24), run_before=opened(*KEYS[what]))


@pytest.mark.parametrize("theme", ["dagtop-light", "dagtop-cvd", "dagtop-contrast"])
def test_themes(snap_compare: Any, theme: str) -> None:
    app = app_of()
    app.theme = theme
    assert snap_compare(app, terminal_size=(100, 30), run_before=opened("j", "j"))


def test_no_colour(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_of(), terminal_size=(80, 24), run_before=opened("j", "j"))
