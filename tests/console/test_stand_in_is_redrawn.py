"""The line of a task that stands for replicas, which are up and down while its own state stays as it is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console_fakes import FakeEngine, S, snapshot_of
from console_pilot import console
from dagtop.core.policy import TaskPolicy
from dagtop.core.restart import Restart
from dagtop_app.widgets.task_table import TaskTable

pytestmark = pytest.mark.anyio

SERVES = TaskPolicy(restart=Restart(policy="always"))


async def test_it_tells_how_many_are_up_now() -> None:
    """A Reconciler that goes on with an earlier run began with "0/2 up", and said so for ever."""
    rows: dict[str, dict[str, Any]] = {
        "web[0]": {"state": S.RUNNING, "attempt": 2, "policy": SERVES},
        "web[1]": {"state": S.RUNNING, "attempt": 2, "policy": SERVES},
        "web": {"state": S.SUCCEEDED, "attempt": 1},
    }
    engine = FakeEngine(snapshot_of({"web[0]": (), "web[1]": (), "web": ("web[0]", "web[1]")}, rows))
    async with console(engine) as seen:
        assert "0/2 up" in seen.text
        engine.change("web[0]", serving=True)
        await seen.settle()
        assert "1/2 up" in seen.text
        engine.change("web[1]", serving=True)
        await seen.settle()
        assert "2/2 up" in seen.text
        assert "0/2 up" not in seen.text
        table, (replica, _, stand_in) = seen.app.main.pane, engine.latest.rows
        assert isinstance(table, TaskTable)
        assert not table._stands_still(stand_in)  # its line is looked at with every snapshot
        assert table._stands_still(msgspec.structs.replace(replica, state=S.SUCCEEDED))
