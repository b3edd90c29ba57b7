"""Pictures of the timeline: frozen clock, frozen run. `pytest --snapshot-update` makes them anew; look at them then."""

from __future__ import annotations

from typing import Any

import pytest
from dagtop_app.console import ConsoleApp
from timeline_scenes import enemies, mapped, nightly, over, resumed

SIZES = {"80x24": (80, 24), "100x30": (100, 30), "132x40": (132, 40), "160x45": (160, 45)}
SCENES = {"mix": nightly, "over": over, "hostile": enemies, "mapped": mapped}


def app_of(scene: str) -> ConsoleApp:
    return ConsoleApp(SCENES[scene](), title="nightly.py", now=lambda: 0.0)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("scene", SCENES)
def test_timeline(snap_compare: Any, scene: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(scene), press=["3"], terminal_size=size)


def test_closer(snap_compare: Any) -> None:
    assert snap_compare(
        app_of("mix"), press=["3", "greater_than_sign", "greater_than_sign", "o"], terminal_size=(132, 40)
    )


def test_gone_on_with(snap_compare: Any) -> None:
    app = ConsoleApp(resumed(), title="nightly.py", now=lambda: 0.0)
    assert snap_compare(app, press=["3", "equals_sign"], terminal_size=(100, 30))


@pytest.mark.parametrize("theme", ["dagtop-light", "dagtop-cvd"])
def test_themes(snap_compare: Any, theme: str) -> None:
    app = app_of("mix")
    app.theme = theme
    assert snap_compare(app, press=["3"], terminal_size=(132, 40))


def test_no_colour(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_of("mix"), press=["3"], terminal_size=(80, 24))
