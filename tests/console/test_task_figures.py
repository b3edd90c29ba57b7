"""Figures in the console tell tasks: what stands for a node is none, nor is what was removed."""

from __future__ import annotations

import pytest
from console_fakes import S
from console_nested import nested
from dagtop.core.snapshot import RunSnapshot
from dagtop_app.chrome.view_model import run_line, tally_line
from dagtop_app.levels.model import Levels
from dagtop_app.screens.commanding import status_text
from dagtop_app.tasks.tally import counts_of, done_of, tallied

GONE = {"state": S.CANCELLED, "ended_at": 40.0, "gone": True}


def scene() -> RunSnapshot:
    """Two tasks are done, two run, one failed, one is skipped, four wait; a node and the task in it were removed."""
    return nested({"publish": GONE, "publish/upload": GONE})


@pytest.mark.parametrize("is_shown", [False, True], ids=["as the engine has it", "as the console shows it"])
def test_nodes_and_what_was_removed_are_no_tasks(is_shown: bool) -> None:
    """The header counted what was removed, and a node that was, which other figures did not."""
    raw = scene()
    snapshot = Levels().take(raw) if is_shown else raw
    assert dict(counts_of(snapshot)) == {S.SUCCEEDED: 2, S.RUNNING: 2, S.FAILED: 1, S.SKIPPED: 1, S.WAITING: 4}
    assert done_of(snapshot) == (4, 10)
    figures = {tally.word: count for tally, count in tallied(snapshot) if count}
    assert figures == {"running": 2, "waiting": 4, "ok": 2, "failed": 1, "skipped": 1, "removed": 1}
    assert " 4/10 " in "".join(text for text, _ in run_line(snapshot, "nightly.py", 100))
    assert "4 waiting" in "".join(text for text, _ in tally_line(snapshot, 132))
    assert status_text(snapshot) == "running: 2 running, 4 waiting, 2 ok, 1 failed, 1 skipped"
