"""Scratch directories of runs that were killed are removed by a later one; those of runs that go on are left alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from dagtop.runtime.scratch import Scratch

KILLED = """
import os, signal, sys
from dagtop import Graph

def leaves(ctx):
    (ctx.scratch_dir / "file").write_text("left")
    print(ctx.scratch_dir.parent, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

Graph("g").add("leaves", leaves).run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks that end with a process")
def test_B33_what_a_killed_process_left_is_removed_and_what_others_hold_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "dagtop-of-a-person").mkdir()
    killed = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = Path(killed.stdout.strip())
    assert (left.parent, left.is_dir()) == (tmp_path, True)
    goes_on = Scratch()
    mine = goes_on.path(0, "a b/c")
    assert mine.name == "0-a_b_c"
    for thread in threading.enumerate():
        if thread.name == "dagtop:removes":
            thread.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["dagtop-of-a-person", mine.parent.name])
    goes_on.clear_away()
    goes_on.clear_away()  # twice is once
    assert [path.name for path in tmp_path.iterdir()] == ["dagtop-of-a-person"]
