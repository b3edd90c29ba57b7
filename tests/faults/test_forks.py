"""A plain function that forks: the child is the function's own affair, but it must not stay behind as a worker of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import pytest
from journal_scene import environ_for_children

#: Forks; the child comes back out of the function in one way or another. The parent tells how it ended.
PROGRAM = """
    import os, sys
    from dagtop import Graph

    graph = Graph("g")

    @graph.task
    def forks():
        child = os.fork()
        if child == 0:
            {ending}
            return None
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    print(graph.run()["forks"].output)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize(
    ("ending", "code"), [("pass", 0), ("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit('bye')", 1), ("1 / 0", 1)]
)
def test_a_forked_child_that_comes_back_ends_instead_of_waiting_for_work(ending: str, code: int) -> None:
    """It became one more worker thread, alone in a process that never ended, and the task waited for it for ever."""
    program = dedent(PROGRAM).format(ending=ending)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environ_for_children(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == (f"{code}\n", 0)
    assert ("ZeroDivisionError" in done.stderr) == (ending == "1 / 0")
