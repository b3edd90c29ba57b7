"""Graph files that are read again while their runs go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dagtop import DAGExecutor, RunState
from dagtop.errors import DagtopError
from dagtop.graph import source
from dagtop.loaders.again import files_of, read_again
from dagtop.loaders.python import load
from dagtop_app.commandline.options import GraphOptions, OutputOptions
from dagtop_app.launching.executing import executor_for
from dagtop_app.launching.preparing import Prepared, prepare
from dagtop_app.reloading.file import Reloader

PATIENCE = 60.0

Write = Callable[..., Path]
Dagtop = Any
"""The fixture `run`."""

pytestmark = pytest.mark.usefixtures("interpreter_as_it_was")

GRAPH = """
from dagtop import Graph, Reconciler
from helper import value

graph = Graph("g")

@graph.task
def a():
    return value()

@graph.task
def b(a):
    return a + 1
"""


@pytest.fixture
def file(write: Write) -> Path:
    write("helper.py", "def value():\n    return 1\n")
    return write("g.py", GRAPH)


def ready(path: Path) -> tuple[Prepared, DAGExecutor]:
    prepared = prepare(str(path), GraphOptions(), {})
    return prepared, executor_for(prepared, [], journal=None, output=OutputOptions(no_plugins=True))


def test_what_is_different_is_told_before_it_is_applied(file: Path, write: Write) -> None:
    prepared, executor = ready(file)
    reloader = Reloader(prepared, executor)
    assert reloader.look().plan.is_empty
    write("g.py", GRAPH.replace("a + 1", "a + 2") + "graph.add('c', lambda a: a)\n")
    found = reloader.look()
    assert (found.plan.added, found.plan.changed, found.plan.untouched) == (("c",), ("b",), ("a",))
    assert reloader.lines(found) == ["+ added: c", "~ changed: b", "  1 task untouched"]


@pytest.mark.parametrize("edited", ["g.py", "helper.py"])
def test_the_first_edit_of_a_run_is_seen_though_nothing_was_compared_before(
    file: Path, write: Write, edited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of what runs was looked up after the file was read again: it was the new text, and nothing was different."""
    monkeypatch.setattr(
        source, "_of_code", source._of_code.__wrapped__
    )  # that another test has read the same code is no help
    reloader = Reloader(*ready(file))
    text, tasks = (
        (GRAPH.replace("a + 1", "a + 12"), "b") if edited == "g.py" else ("def value():\n    return 30\n", "a")
    )
    write(edited, text)
    assert reloader.lines(reloader.look())[0] == f"~ changed: {tasks}"


def test_what_changed_runs_again_with_what_was_made_of_it_also_when_only_a_module_beside_it_changed(
    file: Path, write: Write
) -> None:
    prepared, executor = ready(file)
    reloader = Reloader(prepared, executor)
    run = executor.start(hold_open=True)
    with run:
        next(iter(run.events("run.finished")))
        write("helper.py", "def value():\n    return 7\n")
        found = reloader.look()
        assert found.plan.changed == ("a",)
        assert found.again == ("a", "b")
        run.send(reloader.command(found)).wait(PATIENCE)
    assert (run.result["a"].output, run.result["b"].output) == (7, 8)
    assert run.result["a"].attempts == run.result["b"].attempts == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def broken(:\n", r"g\.py:1: SyntaxError"),
        ("\nimport nowhere_at_all\n", r"g\.py:2: raises ModuleNotFoundError"),
        ("import sys\n\nsys.exit(3)\n", r"g\.py:3: calls sys\.exit"),
        (
            GRAPH + "graph.add('c', lambda d: d)\ngraph.add('d', lambda c: c)\n",
            r"g\.py:14: these tasks wait for each other",
        ),
        (GRAPH + "services = Reconciler(graph)\n", "defines a Reconciler now"),
        (GRAPH.replace('Graph("g")', 'Graph("g", every=60)'), "it says otherwise when it is due; start dagtop anew"),
        ("x = 1\n", "defines no "),
        (GRAPH.replace("def b(a)", "def b(nobody)"), r"g\.py:\d+.*nobody"),
    ],
)
def test_a_broken_file_changes_nothing_and_says_why(file: Path, write: Write, text: str, why: str) -> None:
    prepared, executor = ready(file)
    reloader = Reloader(prepared, executor)
    known = {name: sys.modules[name] for name in ("g", "helper")}
    write("g.py", text)
    with pytest.raises(DagtopError, match=why):
        reloader.look()
    assert reloader.is_broken
    assert {name: sys.modules[name] for name in known} == known
    write("g.py", GRAPH)
    assert reloader.look().plan.is_empty
    assert not reloader.is_broken


def test_a_file_that_does_not_come_to_its_end_is_given_up_with_the_line_where_it_hangs(
    file: Path, write: Write
) -> None:
    prepared, executor = ready(file)
    write("g.py", GRAPH + "\nwhile True:\n    pass\n")
    with pytest.raises(DagtopError, match=r"g\.py:1[56]: it has not come to its end within 0\.2 s"):
        Reloader(prepared, executor, patience=0.2).look()
    for thread in threading.enumerate():
        if thread.name == "dagtop:reads the file again":
            thread.join(PATIENCE)
            assert not thread.is_alive()
    assert sys.modules["g"].graph.name == "g"


def test_functions_of_the_version_before_go_on_with_what_they_knew(file: Path, write: Write) -> None:
    def again() -> Any:
        return read_again(str(file), lambda: load(str(file), beside_a_run=True))

    before = load(str(file)).module
    write("helper.py", "def value():\n    return 2\n")
    after = again().module
    assert (before.a(), after.a()) == (1, 2)
    assert {Path(one).name for one in files_of(str(file))} == {"g.py", "helper.py"}


def test_worker_processes_run_the_version_that_was_read_last(file: Path, write: Write) -> None:
    text = GRAPH.replace("@graph.task\n", "@graph.task(backend='process')\n")
    write("g.py", text)
    prepared, executor = ready(file)
    reloader = Reloader(prepared, executor)
    with executor.start(hold_open=True) as run:
        next(iter(run.events("run.finished")))
        write("g.py", "import nowhere_at_all\n")
        with pytest.raises(DagtopError):
            reloader.look()
        run.restart("a").wait(PATIENCE)
        write("helper.py", "def value():\n    return 30\n")
        write("g.py", text.replace("a + 1", "a + 12"))
        run.send(reloader.command(reloader.look())).wait(PATIENCE)
    assert (run.result["a"].output, run.result["b"].output) == (30, 42)


class Running:
    """`dagtop run` in a process of its own, whose lines can be waited for."""

    def __init__(self, dagtop: Dagtop, *arguments: str) -> None:
        self.process = dagtop.start(*arguments, stderr=subprocess.STDOUT)
        self.lines: list[str] = []

    def until(self, text: str) -> None:
        """Read on until a line holds the text."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        raise AssertionError("".join(self.lines))

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


SERVICE = """
import time
from dagtop import Graph, Reconciler

graph = Graph("services")

@graph.task
def web(ctx):
    ctx.ready()
    print("web is up, version 1")
    while not ctx.cancelled:
        time.sleep(0.01)

@graph.task
def db(ctx):
    print("db is up")
    while not ctx.cancelled:
        time.sleep(0.01)

services = Reconciler(graph)
"""


def test_a_reconciler_that_is_watched_replaces_what_changed_and_nothing_else(run: Dagtop, write: Write) -> None:
    write("s.py", SERVICE)
    run.environ["WATCHFILES_FORCE_POLLING"] = "1"
    running = Running(run, "run", "--plain", "--watch", "s.py")
    try:
        running.until("web is up, version 1")
        _rewrite(run.folder / "s.py", lambda text: text + "oops(\n")
        running.until("the run goes on as it was")
        assert "s.py:21" in running.lines[-1]
        _rewrite(run.folder / "s.py", lambda _: SERVICE.replace("version 1", "version 2"))
        running.until("~ changed: web")
        running.until("web is up, version 2")
        assert sum("db started" in line for line in running.lines) == 1
        assert running.interrupt() in (0, 130)
    finally:
        running.process.kill()
        running.process.wait()


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    """As editors do: another file takes its place."""
    new = path.with_suffix(".new")
    new.write_text(change(path.read_text()))
    os.replace(new, path)


def test_a_schedule_is_not_watched(run: Dagtop, write: Write) -> None:
    write("e.py", "from dagtop import Graph\ngraph = Graph('g', every=60).add('a', lambda: 1)\n")
    done = run("run", "--watch", "e.py")
    assert done.returncode == 2
    assert "--watch is for one run that goes on" in done.stderr


def test_a_graph_that_is_read_again_ends_as_its_latest_version_does(file: Path, write: Write) -> None:
    prepared, executor = ready(file)
    reloader = Reloader(prepared, executor)
    with executor.start(hold_open=True) as run:
        next(iter(run.events("run.finished")))
        write("g.py", GRAPH.replace("return a + 1", "raise ValueError(a)"))
        run.send(reloader.command(reloader.look())).wait(PATIENCE)
    assert run.result.state is RunState.FAILED


SERVICES = """
from dagtop import Graph, Probe, Reconciler

graph = Graph("g")

def well():
    return True

@graph.task(restart="always", alive=Probe(well, interval=1))
def a():
    return 1

shop = Reconciler(graph)
"""


@pytest.mark.parametrize(
    "edit",
    [("return True", "return not False"), ("Probe(well,", "Probe(lambda: True,"), ("interval=1", "interval=2")],
    ids=["its body", "a lambda", "its interval"],
)
def test_B30_an_edited_probe_is_a_difference_that_disturbs_nothing(write: Write, edit: tuple[str, str]) -> None:
    path = write("s.py", SERVICES)
    prepared, executor = ready(path)
    reloader = Reloader(prepared, executor)
    with executor.start(hold_open=True) as run:
        assert reloader.look().plan.is_empty
        write("s.py", SERVICES.replace(*edit))
        found = reloader.look()
        assert reloader.lines(found) == ["= policies: a"]
        assert not found.again
        assert run.send(reloader.command(found)).wait(PATIENCE) == "1 task with other options"
        assert reloader.look().plan.is_empty
        run.cancel().wait(PATIENCE)


ERRORS = """
from dagtop import Graph, Retry
from helper import OwnError

graph = Graph("g")
graph.add("a", lambda: 1, retries=Retry(3, on=(OwnError, OSError)))
"""


def test_error_types_of_a_module_that_was_read_again_are_no_difference(write: Write) -> None:
    """Every reload named all tasks that retry after an error of the file's own, because its type is a new object each time."""
    write("helper.py", "class OwnError(Exception): ...\n")
    path = write("g.py", ERRORS)
    reloader = Reloader(*ready(path))
    write("g.py", ERRORS + "graph.add('b', lambda: 2)\n")
    assert reloader.lines(reloader.look()) == ["+ added: b", "  1 task untouched"]
    write("g.py", ERRORS.replace(", OSError", ""))
    assert reloader.lines(reloader.look()) == ["= policies: a"]
