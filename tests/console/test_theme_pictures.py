"""Pictures in every theme, without colours and in ASCII. `pytest --snapshot-update` makes them anew; look at them then."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import FakeEngine, finished_with_failures, running_mix
from dagtop_app.console import ConsoleApp
from dagtop_themes import palettes

THEMES = [palette.name for palette in palettes()]


def app_of(*, done: bool = False, theme: str | None = None) -> ConsoleApp:
    engine = FakeEngine(finished_with_failures() if done else running_mix())
    engine.logs.add("load_orders", "insert 881 failed", at=240.0, stream="log", level="ERROR")
    return ConsoleApp(engine, title="nightly.py", theme=theme, now=lambda: 0.0)


@pytest.mark.parametrize("theme", THEMES)
def test_tasks_in_every_theme(snap_compare: Any, theme: str) -> None:
    assert snap_compare(app_of(theme=theme), terminal_size=(132, 40))


@pytest.mark.parametrize("theme", THEMES)
def test_a_question_in_every_theme(snap_compare: Any, theme: str) -> None:
    assert snap_compare(app_of(done=True, theme=theme), press=["R"], terminal_size=(100, 30))


def test_the_menu_of_themes(snap_compare: Any) -> None:
    assert snap_compare(app_of(), press=["T", "down"], terminal_size=(80, 24))


@pytest.mark.parametrize("size", [(80, 24), (132, 40)], ids=["80x24", "132x40"])
def test_in_ascii(snap_compare: Any, size: tuple[int, int]) -> None:
    app = app_of()
    app.is_ascii = True
    assert snap_compare(app, terminal_size=size)


def test_without_colours(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_of(), terminal_size=(132, 40))
