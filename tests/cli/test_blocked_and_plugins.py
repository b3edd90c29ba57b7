"""What `dagtop run` says while a task keeps the engine's loop, and which plugins it uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagtop.core.events import LoopBlocked
from dagtop.core.snapshot import Blocked
from dagtop.errors import DagtopError
from dagtop.loaders import plugins
from dagtop_app.plain.events import PlainLines, blocked_sentence

ROOT = Path(__file__).parents[2]
ROOTS = os.pathsep.join(str(ROOT / name) for name in ("engine", "app", "themes"))

BLOCKS = """
import pathlib, time
from dagtop import Graph
graph = Graph("g")

@graph.task
async def greedy():
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
"""


@pytest.mark.parametrize("form", ["--plain", "--json"])
def test_B37_a_blocked_loop_is_told_on_stderr_while_it_is_blocked(tmp_path: Path, form: str) -> None:
    (tmp_path / "blocks.py").write_text(BLOCKS)
    process = subprocess.Popen(
        [sys.executable, "-m", "dagtop_app", "run", "blocks.py", form, "--no-journal"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ROOTS, "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("dagtop: greedy keeps the event loop from going round, for ")
        assert "blocks.py:" in line
        assert line.endswith("in greedy\n")
        (tmp_path / "go").touch()
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert ("loop.blocked" if form == "--json" else "greedy kept the event loop from going round for ") in out


def test_the_sentences_are_safe_for_a_terminal() -> None:
    told = Blocked(task="a\x1b[2J", attempt=1, seconds=1.0, stack="", where="f\x1b.py:1 in f")
    assert "\x1b" not in blocked_sentence(told)
    event = LoopBlocked(1.0, "a\x1b[2J", 1, 2.0, '  File "x\x1b.py", line 3, in f\n    time.sleep(2)\n')
    line = PlainLines().line(event)
    assert "\x1b" not in line
    assert "kept the event loop from going round for 2.0s: File" in line


PLUGIN = """
from dagtop import Plugin

class Pager(Plugin):
    def after_run(self, run):
        print("paged:", run.state.value)
"""

USES = """
from dagtop import DAGExecutor, Graph, Plugin
graph = Graph("g")
graph.add("a", lambda: None)

class Own(Plugin):
    def after_task(self, task):
        print("own:", task.task)

executor = DAGExecutor(graph, plugins=[Own()])

@executor.hooks.after_run
def over(run):
    print("hook:", run.state.value)
"""


@pytest.mark.parametrize(
    ("options", "paged"), [((), True), (("--no-plugins",), False), (("--no-plugins", "--plugin", "pager"), True)]
)
def test_installed_plugins_are_used_unless_they_are_left_out_and_the_files_own_always(
    tmp_path: Path, options: tuple[str, ...], paged: bool
) -> None:
    (tmp_path / "pager_module.py").write_text(PLUGIN)
    info = tmp_path / "pager-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pager\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dagtop.plugins]\npager = pager_module:Pager\n")
    (tmp_path / "uses.py").write_text(USES)
    done = subprocess.run(
        [sys.executable, "-m", "dagtop_app", "run", "uses.py:executor", "--plain", "--no-journal", *options],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([ROOTS, str(tmp_path)]),
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert ("paged: succeeded" in said) is paged
    assert "own: a" in said
    assert "hook: succeeded" in said
    assert "problem" not in said


def dagtop_run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "uses.py").write_text("from dagtop import Graph\ngraph = Graph('g').add('a', print)\nprint('loaded')\n")
    return subprocess.run(
        [sys.executable, "-m", "dagtop_app", "run", "uses.py", "--plain", "--no-journal", *options],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([ROOTS, str(folder)]), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_plugin_that_is_not_there_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    done = dagtop_run(tmp_path, "--plugin", "otell")
    told = "dagtop: could not load plugin 'otell': there is no such plugin; did you mean 'otel'?; there are otel, prometheus"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1


def test_a_plugin_whose_extra_is_not_installed_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "find_spec", lambda _: None)
    with pytest.raises(DagtopError) as caught:
        plugins.check_names(["prometheus"])
    assert str(caught.value) == (
        "could not load plugin 'prometheus': prometheus_client is not installed: pip install 'dagtop[prometheus]'"
    )
