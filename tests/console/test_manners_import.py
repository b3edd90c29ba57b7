"""What a graph file has started or copied by the time that the console comes writes into the logs, and what is typed is for
the console only, whatever tasks do with descriptor 0."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest
from console_terminal import PATIENCE, on_terminal

LEAVES = """
    import logging, os, subprocess, sys
    import anyio
    from pathlib import Path
    from dagtop import Graph

    print("BY-IMPORT")
    os.system("echo BY-IMPORTED-CHILD >&2")
    script = "while [ ! -e tell ]; do sleep 0.02; done; echo BY-CHILD; echo BY-CHILD-ERR >&2; echo > told"
    child = subprocess.Popen(["sh", "-c", script])
    copy = os.fdopen(os.dup(1), "w")
    copy_of_errors = os.dup(2)
    graph = Graph("leaves")

    @graph.task
    async def waits():
        Path("tell").touch()
        while not Path("told").exists():
            await anyio.sleep(0.02)
        print("BY-COPY", file=copy, flush=True)
        os.write(copy_of_errors, b"BY-COPY-ERR\\n")
        Path("all").touch()
        await anyio.sleep(1000)
"""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was never made"
        time.sleep(0.01)


def test_what_was_started_or_copied_while_the_file_was_read_writes_into_the_logs(tmp_path: Path) -> None:
    with on_terminal(tmp_path, LEAVES, "--no-journal") as real:
        real.until("RUNNING")
        first = real.raw.index("\x1b[?1049h")
        assert real.raw.index("BY-IMPORT\r") < real.raw.index("BY-IMPORTED-CHILD") < first, "seen as ever"
        wait_for(tmp_path / "all")
        for _ in range(10):
            real.look()
        assert "BY-" not in real.raw[first:]
        real.press("4")
        for way in ("BY-CHILD", "BY-CHILD-ERR", "BY-COPY", "BY-COPY-ERR"):
            real.until(way)
        assert "BY-IMPORT" not in real.text
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        real.check_that_all_is_restored()


def test_a_file_that_cannot_be_loaded_has_all_that_it_printed_before_the_error(tmp_path: Path) -> None:
    graph = """
    import sys
    print("FIRST")
    print("SECOND", file=sys.stderr)
    print("x" * 300_000)
    raise ValueError("THIRD")
    """
    with on_terminal(tmp_path, graph) as real:
        assert real.end() == 2
        order = [real.raw.index(it) for it in ("FIRST", "SECOND", "THIRD")]
        assert order == sorted(order)
        assert real.raw.count("x") >= 300_000
        assert "1049" not in real.raw


def test_a_file_that_asks_is_answered(tmp_path: Path) -> None:
    graph = """
    import anyio
    from dagtop import Graph

    graph = Graph(input("NAME? "))

    @graph.task
    async def waits():
        await anyio.sleep(1000)
    """
    with on_terminal(tmp_path, graph, "--no-journal") as real:
        real.until("NAME? ")
        real.press("asked\n")
        real.until("RUNNING")
        real.until("asked")
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        real.check_that_all_is_restored()


TAKES_KEYS = """
    import os, subprocess, sys
    import anyio
    from pathlib import Path
    from dagtop import Graph

    graph = Graph("takes keys", max_parallel=1)

    def closes():
        os.close(0)

    def reads():
        Path("read").write_text(repr(sys.stdin.read()))

    def asks():
        input("What? ")

    def has_child():
        Path("read").write_text(repr(subprocess.run(["cat"], stdout=subprocess.PIPE).stdout.decode()))

    graph.add("takes", %s)

    @graph.task(depends_on=["takes"], trigger="all_done")
    async def waits():
        Path("waits").touch()
        await anyio.sleep(1000)
"""


@pytest.mark.parametrize("how", ["closes", "reads", "asks", "has_child"])
def test_whatever_a_task_does_with_stdin_keys_are_for_the_console(tmp_path: Path, how: str) -> None:
    """A task that read there took the keys, and one that closed it ended the console."""
    with on_terminal(tmp_path, TAKES_KEYS % how, "--no-journal") as real:
        real.until("RUNNING")
        wait_for(tmp_path / "waits")
        real.press_until("4", "Log of all tasks")
        real.press_until("1", "sort problems")
        real.resize(70, 20)
        real.press("\x1a")
        real.until("comes back to it")
        real.press("exit\n")
        real.press_until("7", "Events")
        real.press("q")
        real.until("Stay")
        real.press("k")
        assert real.end() == 130
        real.check_that_all_is_restored()
    if how in {"reads", "has_child"}:
        assert (tmp_path / "read").read_text() == "''"


FORKS = """
    import os, time
    import anyio
    from pathlib import Path
    from dagtop import Graph

    graph = Graph("forks")

    @graph.task
    def forks():
        if os.fork() == 0:
            os.setsid()
            deadline = time.monotonic() + 60
            while not Path("over").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            files = [file for file in Path("/proc/self/fd").iterdir() if file.exists()]
            Path("held.part").write_text("\\n".join(os.readlink(file) for file in files))
            os.rename("held.part", "held")
            os._exit(0)

    @graph.task(depends_on=["forks"])
    async def waits():
        Path("waits").touch()
        await anyio.sleep(1000)
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at /proc")
def test_a_forked_child_that_outlives_a_kill_does_not_keep_the_terminal_from_being_put_right(tmp_path: Path) -> None:
    """It held the pipe at whose end the guard knows that we have gone."""
    with on_terminal(tmp_path, FORKS, "--no-journal") as real:
        real.until("RUNNING")
        wait_for(tmp_path / "waits")
        real.child.kill(signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while "\x1b[?1049l" not in real.raw or real.raw.rfind("\x1b[?25h") < real.raw.rfind("\x1b[?25l"):
            real.look()
            assert time.monotonic() < deadline
        (tmp_path / "over").touch()
        wait_for(tmp_path / "held")
        assert not re.search(r"/dev/(pts|tty)", (tmp_path / "held").read_text()), (tmp_path / "held").read_text()
