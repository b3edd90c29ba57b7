"""Whatever writes, by whatever way, writes into the logs and not over the screen of a real terminal."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from console_terminal import on_terminal

WRITES = """
    import atexit, ctypes, faulthandler, logging, multiprocessing, os, subprocess, sys, threading, time, warnings
    import anyio
    from pathlib import Path
    from dagtop import Graph, TaskContext

    graph = Graph("writes", max_parallel=1)
    atexit.register(print, "BY-ATEXIT")

    def far():
        print("BY-WORKER")
        os.write(2, b"BY-WORKER-FD\\n")

    def spawned():
        print("BY-MULTIPROCESSING", flush=True)

    @graph.task
    def threads():
        thread = threading.Thread(target=lambda: print("BY-THREAD"))
        thread.start()
        thread.join()

    @graph.task(depends_on=["threads"])
    def processes():
        context = multiprocessing.get_context("fork")
        process = context.Process(target=spawned)
        process.start()
        process.join()

    graph.add("worker", far, backend="process", depends_on=["processes"])

    @graph.task(depends_on=["worker"])
    def children():
        subprocess.run(["sh", "-c", "(echo BY-GRANDCHILD; echo BY-GRANDCHILD-ERR >&2) & wait"])
        subprocess.run(["sh", "-c", "exec printf 'BY-BAR 1%%\\\\rBY-BAR 100%%\\\\n' 1>&2"])

    @graph.task(depends_on=["children"])
    def stays():
        # Nobody waits for it; it writes when the console has long gone, and must not write on the terminal then.
        subprocess.Popen(
            ["sh", "-c", "echo BY-ORPHAN; while [ -e running ]; do sleep 0.02; done; echo BY-ORPHAN-LATE; touch told"],
            start_new_session=True,
        )

    @graph.task(depends_on=["stays"])
    def native():
        libc = ctypes.CDLL(None)
        libc.puts(b"BY-PUTS")
        libc.perror(b"BY-PERROR")
        libc.dprintf(2, b"BY-DPRINTF\\n")
        libc.fflush(None)
        faulthandler.dump_traceback(file=2, all_threads=False)

    @graph.task(depends_on=["native"])
    def handlers():
        logging.basicConfig(stream=sys.stderr, force=True)
        logging.getLogger("late").warning("BY-LATE-HANDLER")
        logging.lastResort.handle(logging.makeLogRecord({"msg": "BY-LAST-RESORT", "levelno": 40}))
        warnings.warn("BY-WARNING")
        sys.excepthook(ValueError, ValueError("BY-HOOK"), None)

    @graph.task(depends_on=["handlers"])
    async def waits():
        Path("all").touch()
        await anyio.sleep(1000)
"""

WAYS = (
    "THREAD", "MULTIPROCESSING", "WORKER", "WORKER-FD", "GRANDCHILD", "GRANDCHILD-ERR", "BAR 100%", "ORPHAN", "PUTS",
    "PERROR", "DPRINTF", "LATE-HANDLER", "LAST-RESORT", "WARNING", "HOOK",
)  # fmt: skip


def test_nothing_is_written_over_the_screen_by_whatever_way(tmp_path: Path) -> None:
    (tmp_path / "running").touch()
    with on_terminal(tmp_path, WRITES, "--no-journal", size=(110, 20)) as real:
        real.until("7/8")
        real.until("waits")
        for _ in range(5):
            real.look()
        assert "BY-" not in real.raw
        frame = real.text
        assert frame.count("Tasks") >= 1
        assert not re.search(r"Current thread|Traceback|BY-", frame)
        real.resize(110, 90)
        real.press("4")
        real.until("BY-THREAD")
        for way in WAYS:
            real.until(f"BY-{way}")
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        real.check_that_all_is_restored()
        after = real.raw[real.raw.rfind("\x1b[?1049l") :]
        assert "BY-ATEXIT" in after
        assert "BY-ORPHAN-LATE" not in after
    (tmp_path / "running").unlink()


def test_the_summary_is_at_most_twenty_lines_and_tells_report_and_how_to_go_on(tmp_path: Path) -> None:
    graph = """
    from dagtop import Graph

    graph = Graph("fails")

    def fails():
        raise ValueError("a long story " * 60)

    for number in range(60):
        graph.add(f"fails_{number}", fails)
    """
    with on_terminal(tmp_path, graph, "--report", "it.html", "--report", "it.md") as real:
        real.until("60/60")
        real.press("q")
        real.press("y")  # if that was not over yet, it was asked how
        assert real.end() == 1
        real.check_that_all_is_restored()
        after = re.sub(r"\x1b\[[?<>0-9;]*[A-Za-z]|\r", "", real.raw[real.raw.rfind("\x1b[?1049l") :])
        lines = [line for line in after.split("\n") if line.strip()]
        assert len(lines) <= 20
        assert "report: " in after
        assert "it.html" in after
        assert "dagtop resume" in after


GOES_ON = """
    import anyio
    from pathlib import Path
    from dagtop import Graph

    graph = Graph("goes on")

    def fails():
        raise ValueError("no")

    for number in range(30):
        graph.add(f"fails_{number}", fails)

    @graph.task
    async def waits():
        Path("runs").touch()
        await anyio.sleep(1000)
"""
BREAKS = """
    import dagtop_app.screens.main as main
    poll = main.MainScreen.poll
    def broken(self):
        if Path("runs").exists():
            raise RuntimeError("a bug in the console")
        poll(self)
    main.MainScreen.poll = broken
"""


@pytest.mark.parametrize("way", ["signal", "drain", "cancel", "now", "crash"])
def test_the_summary_tells_how_to_go_on_whatever_ends_the_console(tmp_path: Path, way: str) -> None:
    with on_terminal(tmp_path, GOES_ON + (BREAKS if way == "crash" else ""), "--report", "it.json") as real:
        match way:
            case "signal":
                real.until("30 failed")
                real.child.kill(signal.SIGTERM)
            case "crash":
                pass
            case _:
                real.until("30 failed")
                real.press("q")
                real.until("Stay")
                real.press({"drain": "d", "cancel": "k", "now": "!"}[way])
                if way == "drain":
                    real.until("leaves when")
                    real.press("\x03")
        real.end()
        real.check_that_all_is_restored()
        after = re.sub(r"\x1b\[[?<>0-9;]*[A-Za-z]|\r", "", real.raw[real.raw.rfind("\x1b[?1049l") :])
        summary = after[after.index("goes on:") :] if "goes on:" in after else ""
        assert summary, after
        assert len(summary.strip().split("\n")) <= 20
        assert re.search(r"go on with: dagtop resume \S+", summary), after
        assert "report: it.json" in summary or way == "now", after
