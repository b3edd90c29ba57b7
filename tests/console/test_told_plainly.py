"""What keys say of services: plainly, and nothing that would be refused."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import FakeEngine, snapshot_of
from console_nested import with_nodes
from console_pilot import console
from dagtop.core import commands as do
from dagtop.core.events import CommandApplied
from dagtop.core.policy import Retry, TaskPolicy
from dagtop.core.restart import Restart
from dagtop.core.states import RunState, TaskState
from dagtop_app.bridge import Bridge
from dagtop_app.launching.farewell import farewell
from dagtop_app.screens.questions import help_lines
from dagtop_app.tasks.inspector import short
from dagtop_app.tasks.why import why


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


SERVES = TaskPolicy(restart=Restart(policy="always"))


def test_the_task_that_stands_for_replicas_tells_how_many_are_up() -> None:
    edges = {"web[0]": (), "web[1]": (), "web": ("web[0]", "web[1]")}
    rows: dict[str, dict[str, Any]] = {
        "web[0]": {"state": TaskState.RUNNING, "serving": True, "policy": SERVES},
        "web[1]": {"state": TaskState.RUNNING, "policy": SERVES},
        "web": {"state": TaskState.SUCCEEDED, "attempt": 1},
    }
    snapshot = snapshot_of(edges, rows)
    assert why(snapshot, snapshot.rows[2]).text.startswith("1/2 up")


def test_what_was_removed_does_not_count_at_the_end() -> None:
    rows: dict[str, dict[str, Any]] = {
        "a": {"state": TaskState.SUCCEEDED},
        "b": {"state": TaskState.CANCELLED, "gone": True},
    }
    told = farewell(snapshot_of(dict.fromkeys(rows, ()), rows, state=RunState.SUCCEEDED))
    assert told.splitlines()[0].endswith("1 ok")


def test_a_long_policy_takes_the_lines_that_are_free() -> None:
    policy = TaskPolicy(
        retry=Retry(4, cap=30.0), timeout=30.0, restart=Restart(policy="always"), tags=("one", "two", "three")
    )
    snapshot = snapshot_of({"a": ()}, {"a": {"state": TaskState.SUCCEEDED, "policy": policy}})
    lines = ["".join(text for text, _ in line) for line in short(snapshot, snapshot.rows[0], (), 60, 12)]
    policies = lines[next(place for place, line in enumerate(lines) if line.startswith(" policy")) :]
    assert len(policies) > 1
    assert policies[-1].endswith("tags one, two, three")
    assert all(len(line) <= 60 for line in policies)
    assert len(short(snapshot, snapshot.rows[0], (), 60, 6)) <= 6
