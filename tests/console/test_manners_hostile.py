"""Tasks that do to their process what they like, on a real terminal: the console goes on, answers keys, and restores it."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from console_terminal import PATIENCE, on_terminal

HOSTILE = """
    import os, resource, signal, sys, threading
    import anyio
    from pathlib import Path
    from dagtop import Graph

    folder = Path.cwd()
    graph = Graph("hostile", max_parallel=1)
    before = []

    def one(function):
        graph.add(function.__name__, function, trigger="all_done", depends_on=before[:])
        before[:] = [function.__name__]

    @one
    def closes_standard_descriptors():
        for number in range(3):
            os.close(number)

    @one
    def opens_files_that_get_their_numbers():
        return [os.open(folder / "file", os.O_CREAT | os.O_WRONLY) for _ in range(3)]

    @one
    def closes_the_streams():
        sys.stdout.close()
        sys.stderr.close()

    @one
    def puts_nothing_there():
        sys.stdout = sys.stderr = sys.stdin = None

    @one
    def goes_into_a_folder_that_is_removed():
        (folder / "gone").mkdir()
        os.chdir(folder / "gone")
        (folder / "gone").rmdir()

    @one
    def forks_and_returns_twice():
        return os.fork()

    @one
    def traces():
        sys.settrace(lambda *_: None)
        sys.setprofile(lambda *_: None)

    @one
    async def traces_the_loop():
        sys.settrace(lambda *_: None)

    @one
    def takes_signals():
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    @one
    def empties_the_environment():
        os.environ.clear()
        os.umask(0o777)

    @one
    def allows_no_more_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    @one
    def starts_a_thread_that_stays():
        threading.Thread(target=threading.Event().wait, daemon=True).start()

    @one
    def leaves():
        sys.exit(3)

    @one
    def is_no_exception():
        raise BaseException("base")

    @one
    def interrupts():
        raise KeyboardInterrupt

    @one
    async def waits():
        (folder / "waits").touch()
        await anyio.sleep(1000)
"""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was never made"
        time.sleep(0.01)


def test_whatever_tasks_do_to_the_process_the_console_is_left_as_ever(tmp_path: Path) -> None:
    with on_terminal(tmp_path, HOSTILE, "--no-journal") as real:
        real.until("RUNNING")
        wait_for(tmp_path / "waits")
        real.until("15/16")
        real.press_until("2", "Graph hostile")
        real.press_until("3", "critical path")
        real.press_until("4", "Log of all tasks")
        real.resize(120, 40)
        real.press_until("1", "sort problems")
        real.press("\x1a")
        real.until("comes back to it")
        real.press("exit\n")
        real.press_until("7", "Events")
        real.press("q")
        real.until("Stay")
        real.press("k")
        assert real.end() == 130
        real.check_that_all_is_restored()
        assert "Traceback" not in real.raw


FAR = """
    from dagtop import Graph

    graph = Graph("far")

    def far():
        import os, time
        from pathlib import Path
        Path("pid.part").write_text(str(os.getpid()))
        os.rename("pid.part", "pid")
        time.sleep(1000)

    def local():
        import threading
        threading.Event().wait()

    graph.add("far", far, backend="process")
    graph.add("local", local)
"""


def test_the_kill_of_a_child_is_told_and_leaves_the_terminal_alone(tmp_path: Path) -> None:
    with on_terminal(tmp_path, FAR, "--no-journal") as real:
        real.until("RUNNING")
        wait_for(tmp_path / "pid")
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        real.until("1 failed")
        real.until("WorkerDiedError")
        real.press_until("7", "Events")
        real.press("q")
        real.until("Stay")
        real.press("!")
        real.end()
        real.check_that_all_is_restored()


STORM = ((1, 1), (1, 1), (2, 1), (1, 2), (0, 0), (500, 1), (1, 200), (59, 14), (60, 15), (80, 24), (300, 90))


def test_a_storm_of_sizes_with_keys_between_breaks_nothing(tmp_path: Path) -> None:
    graph = """
    import anyio
    from dagtop import Graph

    graph = Graph("storm", max_parallel=4)

    async def ticks():
        await anyio.sleep(0.05)

    async def waits():
        await anyio.sleep(1000)

    for number in range(300):
        graph.add(f"ticks[{number}]", ticks)
        graph.add(f"after_{number}", waits if number == 299 else ticks, depends_on=[f"ticks[{number}]"])
    """
    dice = random.Random(7)
    with on_terminal(tmp_path, graph, "--no-journal") as real:
        real.until("RUNNING")
        for _ in range(150):
            wide, high = dice.choice(STORM)
            real.child.setwinsize(high, wide)
            real.screen.resize(max(1, high), max(1, wide))
            if dice.random() < 0.5:
                real.press(dice.choice("1234567?:/jkGgOw0\x1b\r\t"))
            assert real.look(0.002), real.raw[-3000:]
        real.resize(100, 30)
        for _ in range(12):
            real.press("\x1b")
            for _ in range(3):
                assert real.look(), real.raw[-3000:]
        real.press_until("1", "sort problems")
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        real.check_that_all_is_restored()
        assert "Traceback" not in real.raw
