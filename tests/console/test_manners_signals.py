"""Signals in a row, before anything is loaded, and after a stop: whose exit code it is, and that the terminal is as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from console_fakes import FakeEngine, running_mix
from console_terminal import ROOTS, on_terminal
from dagtop_app.console import ConsoleApp

#: Its clean-up lasts until a file is there.
SLOW = """
    import anyio
    from pathlib import Path
    from dagtop import Graph

    graph = Graph("slow")

    @graph.task
    async def slow():
        try:
            await anyio.sleep(1000)
        finally:
            with anyio.CancelScope(shield=True):
                while not Path("enough").exists():
                    await anyio.sleep(0.01)
"""

#: Sends itself a signal while a module of that name loads.
LOADS = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored by whoever runs the tests
module = sys.argv[1]
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)
        return None
sys.meta_path.insert(0, Finder())
from dagtop_app.entry import main
sys.argv[1:] = ["run", "it.py"]
main()
"""


@pytest.mark.parametrize(
    "module", ["dagtop_app.commandline.calling", "dagtop_app.settings.places", "dagtop_app.commandline.signals"]
)
def test_ctrl_c_while_the_command_loads_leaves_no_traceback(tmp_path: Path, module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOADS, module],
        cwd=tmp_path,
        env={"PYTHONPATH": ROOTS, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_the_first_of_several_signals_has_the_exit_code(tmp_path: Path) -> None:
    """SIGHUP behind Ctrl+C took its place."""
    with on_terminal(tmp_path, SLOW, "--no-journal") as real:
        real.until("RUNNING")
        real.child.kill(signal.SIGINT)
        real.until("leaves when")
        real.child.kill(signal.SIGHUP)
        (tmp_path / "enough").touch()
        assert real.end() == 130
        real.check_that_all_is_restored()


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    with on_terminal(tmp_path, SLOW, "--no-journal") as real:
        real.until("RUNNING")
        real.child.kill(signal.SIGTERM)
        real.until("leaves when")
        real.child.kill(signal.SIGINT)
        assert real.end() == 143
        real.check_that_all_is_restored()
        assert not (tmp_path / "enough").exists()


def test_sigquit_cleans_up_as_the_others_do(tmp_path: Path) -> None:
    (tmp_path / "enough").touch()
    with on_terminal(tmp_path, SLOW, "--no-journal") as real:
        real.until("RUNNING")
        real.child.kill(signal.SIGQUIT)
        assert real.end() == 131
        real.check_that_all_is_restored()


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP, None])
def test_after_a_stop_keys_work_once_and_the_terminal_is_given_back(tmp_path: Path, stop: int | None) -> None:
    """Going on without a stop began a second thread for keys, which the process never ended."""
    (tmp_path / "enough").touch()
    with on_terminal(tmp_path, SLOW, "--no-journal") as real:
        real.until("RUNNING")
        if stop is not None:
            real.child.kill(stop)
            while state(real.child.pid) != "T":
                real.look()
        if stop == signal.SIGTSTP:
            assert real.raw.rfind("\x1b[?1049l") > real.raw.rfind("\x1b[?1049h")
        seen = real.raw.count("\x1b[?1049h")
        real.child.kill(signal.SIGCONT)
        while real.raw.count("\x1b[?1049h") == seen:
            assert real.look()
        real.press("4")
        real.until("Log of all tasks")
        real.child.kill(signal.SIGTERM)
        assert real.end() == 143
        real.check_that_all_is_restored()


def state(pid: int) -> str:
    """Of a process: T, it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.anyio
async def test_a_sighup_that_comes_after_the_terminal_was_seen_to_be_gone_changes_nothing() -> None:
    """The end of the keys is often seen first: a run that was to go on then ended with exit code 129."""
    app = ConsoleApp(FakeEngine(running_mix()), title="gone.py", now=lambda: 0.0)  # type: ignore[arg-type]  # a fake
    async with app.run_test(size=(80, 24)):
        app.on_hangup = "run-on"
        app.terminal_gone()
        assert app.hear(signal.SIGHUP)
        app._terminate(signal.SIGHUP)
        assert (app.hung_up, app.terminated) == (True, None)
