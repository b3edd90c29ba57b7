"""Every view of one rich scene in every theme, without colours and in ASCII; meta and replay at every size."""

from __future__ import annotations

from typing import Any

import pytest
from console_rich import rich_engine, rich_replay
from dagtop_app.console import ConsoleApp
from dagtop_app.views import listed
from dagtop_themes import palettes
from test_graph_pictures import pressing

VIEWS: dict[str, list[str]] = {
    "tasks": ["underscore"], "graph": ["end", "2", "enter"], "timeline": ["underscore", "3"], "logs": ["4"],
    "breakers": ["5"], "escalations": ["6"], "events": ["7"], "meta": ["0"],
}  # fmt: skip
OF_REPLAYS = [
    *((view, size) for view in ("tasks", "timeline") for size in ("80x24", "100x30", "132x40", "160x45")),
    *((view, "100x30") for view in ("graph", "logs", "breakers", "escalations", "events", "meta")),
]
LOOKS = [*(palette.name for palette in palettes()), "no-colour", "ascii"]
SIZES = {"80x24": (80, 24), "100x30": (100, 30), "132x40": (132, 40), "160x45": (160, 45)}


def shown_as(look: str, monkeypatch: pytest.MonkeyPatch) -> ConsoleApp:
    if look == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    theme = None if look in {"no-colour", "ascii"} else look
    app = ConsoleApp(rich_engine(), title="nightly.py", theme=theme, now=lambda: 0.0)
    app.is_ascii = look == "ascii"
    return app


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("view", VIEWS)
def test_views(snap_compare: Any, view: str, look: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = shown_as(look, monkeypatch)
    assert snap_compare(app, run_before=pressing("home", *VIEWS[view]), terminal_size=SIZES["100x30"])


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_meta(snap_compare: Any, size: tuple[int, int]) -> None:
    app = ConsoleApp(rich_engine(), title="nightly.py", now=lambda: 0.0)
    assert snap_compare(app, run_before=pressing("home", "0"), terminal_size=size)


@pytest.mark.parametrize(("view", "size"), OF_REPLAYS, ids=[f"{view}-{size}" for view, size in OF_REPLAYS])
def test_replay(snap_compare: Any, view: str, size: str) -> None:
    app = ConsoleApp(rich_replay(), title="replay of nightly.py", now=lambda: 0.0)
    assert snap_compare(app, run_before=pressing("home", *VIEWS[view]), terminal_size=SIZES[size])


def test_there_is_a_picture_of_every_view() -> None:
    assert [*VIEWS] == [view.name for view in listed.VIEWS]
