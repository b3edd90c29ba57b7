"""Pictures of fixed screens: frozen clock, frozen run. `pytest --snapshot-update` makes them anew; look at them then."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import FakeEngine, finished_with_failures, hostile, running_mix
from console_scenes import steered
from console_services import services
from dagtop_app.console import ConsoleApp

SIZES = {"80x24": (80, 24), "160x45": (160, 45)}
SCENES = {
    "mix": running_mix,
    "hostile": hostile,
    "finished": finished_with_failures,
    "steered": steered,
    "services": services,
}


def app_of(scene: str) -> ConsoleApp:
    engine = FakeEngine(SCENES[scene]())
    engine.logs.add("load_orders", "insert 881 \x1b[31mfailed\x1b[0m", at=240.0, stream="log", level="ERROR")
    return ConsoleApp(engine, title="nightly.py", now=lambda: 0.0)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("scene", SCENES)
def test_tasks(snap_compare: Any, scene: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(scene), terminal_size=size)


POPUPS = {"detail": "enter", "help": "question_mark", "quit": "q"}
MORE = {"confirm": ["down", "down", "x"], "logs": ["l"]}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("what", POPUPS)
def test_popups(snap_compare: Any, what: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of("mix"), press=[POPUPS[what]], terminal_size=size)


@pytest.mark.parametrize("what", MORE)
def test_more_at_80x24(snap_compare: Any, what: str) -> None:
    assert snap_compare(app_of("mix"), press=MORE[what], terminal_size=(80, 24))


GUARDS = {"gate": ["a"], "breakers": ["b"], "edit": ["e"]}


@pytest.mark.parametrize("what", GUARDS)
def test_what_a_person_decides_at_80x24(snap_compare: Any, what: str) -> None:
    assert snap_compare(app_of("steered"), press=GUARDS[what], terminal_size=(80, 24))


KEPT = {"policy": ["P"], "edit-restarts": ["e"]}


@pytest.mark.parametrize("what", KEPT)
def test_what_is_wanted_of_a_service_at_80x24(snap_compare: Any, what: str) -> None:
    assert snap_compare(app_of("services"), press=KEPT[what], terminal_size=(80, 24))


def test_no_colour(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_of("mix"), terminal_size=(80, 24))


@pytest.mark.parametrize("theme", ["dagtop-light", "textual-light"])
def test_themes(snap_compare: Any, theme: str) -> None:
    app = app_of("mix")
    app.theme = theme
    assert snap_compare(app, terminal_size=(100, 30))
