"""Pictures of the views of breakers and escalations at every size: frozen clock, frozen run."""

from __future__ import annotations

from typing import Any

import pytest
from console_alarms import alarmed, hostile_alarms
from console_fakes import FakeEngine
from dagtop_app.console import ConsoleApp

SIZES = {"80x24": (80, 24), "100x30": (100, 30), "132x40": (132, 40), "160x45": (160, 45)}
VIEWS = {"breakers": "5", "escalations": "6"}


def app_of(engine: FakeEngine) -> ConsoleApp:
    return ConsoleApp(engine, title="nightly.py", now=lambda: 0.0)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("view", VIEWS)
def test_views(snap_compare: Any, view: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(alarmed()), press=[VIEWS[view]], terminal_size=size)


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_texts(snap_compare: Any, view: str) -> None:
    assert snap_compare(app_of(FakeEngine(hostile_alarms())), press=[VIEWS[view]], terminal_size=(100, 30))


MORE = {"forced": ["5", "j", "j"], "edit": ["5", "e"], "ack": ["6", "A"], "came-again": ["6", "G"]}


@pytest.mark.parametrize("what", MORE)
def test_more_at_80x24(snap_compare: Any, what: str) -> None:
    assert snap_compare(app_of(alarmed()), press=MORE[what], terminal_size=(80, 24))


@pytest.mark.parametrize("theme", ["dagtop-light", "dagtop-cvd"])
@pytest.mark.parametrize("view", VIEWS)
def test_themes(snap_compare: Any, view: str, theme: str) -> None:
    app = app_of(alarmed())
    app.theme = theme
    assert snap_compare(app, press=[VIEWS[view]], terminal_size=(80, 24))
