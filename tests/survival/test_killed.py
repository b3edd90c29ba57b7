"""B33: a desired state survives the process that kept it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import dagtop
import dagtop_app
import dagtop_themes
import pytest

PATIENCE = 30.0

SERVICES = """
    import time
    from pathlib import Path
    from dagtop import Graph, Reconciler

    graph = Graph("services")
    HERE = Path(__file__).parent

    def serve(ctx, name):
        with (HERE / "starts.txt").open("a") as file:
            file.write(name + "\\n")
        ctx.ready()
        while not ctx.cancelled:
            time.sleep(0.01)

    @graph.task(restart="no")
    def migrate():
        with (HERE / "starts.txt").open("a") as file:
            file.write("migrate\\n")
        return 1

    @graph.task
    def db(ctx, migrate):
        serve(ctx, "db")

    @graph.task
    def web(ctx, db):
        serve(ctx, "web")

    @graph.task
    def extra(ctx):
        serve(ctx, "extra")

    @graph.task(restart="no", depends_on=["db"])
    def seed():
        with (HERE / "starts.txt").open("a") as file:
            file.write("seed\\n")

    services = Reconciler(graph)
"""


class Console:
    """`dagtop run` in a process of its own, that can be told, killed and started anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        roots = [str(Path(package.__file__ or "").parent.parent) for package in (dagtop, dagtop_app, dagtop_themes)]
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DAGTOP_DB": str(folder / "runs.db"),
            "PYTHONPATH": os.pathsep.join(roots),
            "LANG": "C.UTF-8",
        }
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self, *options: str, file: str = "services.py", how: str = "run") -> None:
        self.lines = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dagtop_app", how, "--plain", *options, file],
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._patience = threading.Timer(PATIENCE, self.process.kill)
        self._patience.start()

    def until(self, *texts: str) -> None:
        """Read on until each of the texts has been in a line."""
        assert self.process is not None
        assert self.process.stdout is not None
        left = {text for text in texts if not any(text in line for line in self.lines)}
        while left:
            line = self.process.stdout.readline()
            assert line, "".join(self.lines)
            self.lines.append(line)
            left = {text for text in left if text not in line}

    def tell(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "dagtop_app", "tell", "last", *arguments],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout + done.stderr

    def kill(self) -> None:
        """kill -9: nobody cleans up."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._patience.cancel()
            self.process = None

    def starts(self) -> list[str]:
        """Who began, in any order; then all of it is forgotten."""
        file = self.folder / "starts.txt"
        found = file.read_text().split() if file.exists() else []
        file.unlink(missing_ok=True)
        return sorted(found)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    (tmp_path / "services.py").write_text(dedent(SERVICES))
    one = Console(tmp_path)
    yield one
    one.kill()


def test_B33_after_kill_9_what_ran_runs_again_and_what_a_person_had_stopped_or_changed_stays_so(
    console: Console,
) -> None:
    """The peer restored a task that had run as running, and never started it (checkpoint_running_stuck)."""
    console.start()
    console.until("web is ready", "extra is ready", "seed succeeded")
    assert console.starts() == ["db", "extra", "migrate", "seed", "web"]
    console.tell("stop", "task=extra")
    console.tell("set-policy", "task=web", "restart=always", "max_restarts=9")
    console.tell("set-max-parallel", "limit=7")
    console.kill()

    console.start()
    console.until("goes on with run", "web is ready")
    told = "".join(console.lines)
    assert "extra stays stopped" in told
    assert "--new starts afresh" in told
    assert console.starts() == ["db", "web"]
    assert "max_restarts" in told
    console.kill()

    console.start("--new")
    console.until("web is ready", "extra is ready", "seed succeeded")
    assert console.starts() == ["db", "extra", "migrate", "seed", "web"]


def test_B33_in_a_node_too_what_a_person_had_stopped_or_changed_stays_so_after_kill_9_and_resume(
    console: Console,
) -> None:
    """It was forgotten: the services of a node came up as the file says."""
    text = dedent(SERVICES) + dedent("""
        from dagtop import MetaDAG
        import anyio
        work = Graph("work").add("long", lambda: time.sleep(1000), timeout=2000)
        meta = MetaDAG("meta").add(services, name="north").add(work)
        del services, graph, work
    """)
    (console.folder / "meta.py").write_text(text)
    console.start(file="meta.py")
    console.until("north/web is ready", "north/extra is ready", "north/seed succeeded", "work/long started")
    assert console.starts() == ["db", "extra", "migrate", "seed", "web"]
    console.tell("stop", "task=north/extra")
    console.tell("set-policy", "task=north/web", "restart=always", "max_restarts=9")
    console.tell("set-policy", "task=work/long", "retries=3")
    console.kill()

    console.start(file="last", how="resume")
    console.until("north/web is ready", "max_restarts")
    told = "".join(console.lines)
    assert "north/extra stays stopped, 1 live change in force again" in told
    assert "max_restarts" in told
    assert "retries" not in told
    assert console.starts() == ["db", "web"]
    answer = "north: 2 tasks told to stop, 2 down already, all stay down until they are started"
    assert answer in console.tell("stop", "task=north")


def test_B33_what_was_removed_stays_removed_and_comes_back_when_the_file_names_it_again(console: Console) -> None:
    """The peer's removed tasks came back from its checkpoint (checkpoint_removed_returns)."""
    file = console.folder / "services.py"
    text = file.read_text()
    console.start("--watch")
    console.until("web is ready", "extra is ready", "seed succeeded")
    console.tell("stop", "task=extra")
    new = console.folder / "services.new"
    new.write_text(text.replace("@graph.task\ndef extra", "def extra"))
    os.replace(new, file)
    console.until("- removed: extra", "graph changed")
    console.kill()
    console.starts()

    console.start()
    console.until("web is ready")
    assert console.starts() == ["db", "web"]
    console.kill()

    file.write_text(text)
    console.start()
    console.until("web is ready", "extra is ready")
    assert console.starts() == ["db", "extra", "web"]


def test_B33_a_second_start_of_what_runs_already_is_refused_and_told_the_ways_out(
    console: Console, tmp_path: Path
) -> None:
    """A second set of services came up beside the first one, and what was decided there was lost for the third start."""
    console.start()
    console.until("web is ready")
    other = Console(tmp_path)
    other.start()
    try:
        other.until("services is running already (run ", "--new starts another one")
        assert other.process is not None
        assert other.process.wait(PATIENCE) == 2
    finally:
        other.kill()
    other.start("--new")
    try:
        other.until("run 2")
    finally:
        other.kill()


def test_last_is_the_run_that_was_taken_up_latest_among_those_that_go_on(console: Console, tmp_path: Path) -> None:
    """A Reconciler that goes on keeps its id: a run that began after it, and is over, was told what was meant for it."""
    console.start()
    console.until("web is ready")
    console.kill()
    (tmp_path / "short.py").write_text("from dagtop import Graph\ngraph = Graph('short').add('a', lambda: 1)\n")
    other = Console(tmp_path)
    other.start(file="short.py")
    other.until("a succeeded")
    assert other.process is not None
    other.process.wait(PATIENCE)
    other.kill()
    console.start()
    console.until("goes on with run", "web is ready")
    assert "extra" in console.tell("stop", "task=extra")
