"""What keys say of services: plainly, and nothing that would be refused."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import FakeEngine, snapshot_of
from console_nested import with_nodes
from console_pilot import console
from dagtop.core import commands as do
from dagtop.core.events import CommandApplied
from dagtop_app.bridge import Bridge
from dagtop_app.screens.questions import help_lines


def undone(commands: list[do.Command], told: list[do.Command]) -> str:
    """What is said after `commands` were taken back."""
    engine: Any = FakeEngine(snapshot_of({"north": (), "south": ()}, {}))
    bridge = Bridge(engine)
    bridge.send_all(commands, "starting")
    _answer(bridge, engine, commands)
    assert bridge.undo()
    _answer(bridge, engine, told)
    return bridge.word.text


def _answer(bridge: Bridge, engine: Any, commands: list[do.Command]) -> None:
    first = len(engine.sent) - len(commands) + 1
    answers = tuple(
        CommandApplied(1.0, command, first + place, "console", "done") for place, command in enumerate(commands)
    )
    engine.latest = snapshot_of({"north": (), "south": ()}, {}, version=first + 10, answers=answers)
    bridge.poll()


def test_a_start_that_is_taken_back_says_plainly_that_it_stops_services() -> None:
    assert undone([do.StartTask("north")], [do.StopTask("north")]) == "undone: north is to be down again"
    both: list[do.Command] = [do.StartTask("north"), do.StartTask("south")]
    back: list[do.Command] = [do.StopTask("south"), do.StopTask("north")]
    assert undone(both, back) == "undone: 2 tasks are to be down again"


def test_the_list_of_keys_has_each_key_once_in_its_group() -> None:
    lines = ["".join(text for text, _ in line) for line in help_lines(90)]
    assert sum(line.startswith("m   ") for line in lines) == 1
    assert sum(line.startswith("K   ") for line in lines) == 1


@pytest.mark.anyio
async def test_replicas_of_a_graph_of_graphs_are_told_to_be_the_file_s() -> None:
    edges = {"shop/web[0]": (), "shop/web": ("shop/web[0]",), "shop": ("shop/web",)}
    async with console(FakeEngine(with_nodes(snapshot_of(edges, {}), ["shop"]))) as seen:
        await seen.press("underscore")
        seen.app.main.select(0)
        await seen.press("C")
        assert "the number of replicas is that of the file" in seen.text
