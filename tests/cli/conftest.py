"""Graph files in a folder of their own, and the real `dagtop` command on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import dagtop
import dagtop_app
import dagtop_themes
import pytest

#: Long enough for the slowest machine; nothing waits for it unless something is broken.
PATIENCE = 60.0

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file into the test's folder: `write("etl.py", text)`."""

    def to_file(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return path

    return to_file


@pytest.fixture
def interpreter_as_it_was(tmp_path: Path) -> Iterator[None]:
    """Loading a graph file changes `sys.path` and `sys.modules`: forget what came from the test's folder."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


class Dagtop:
    """The command, in a process of its own, without a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        roots = [str(Path(package.__file__ or "").parent.parent) for package in (dagtop, dagtop_app, dagtop_themes)]
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DAGTOP_DB": str(folder / "runs.db"),
            "PYTHONPATH": os.pathsep.join(roots),
            "LANG": "C.UTF-8",
        }

    def __call__(self, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environ | (environ or {}),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )

    def start(self, *arguments: str, **options: object) -> subprocess.Popen[str]:
        """Start it, with stdout and stderr in pipes."""
        # What a shell starts in the background ignores Ctrl+C, and so would what it starts: dagtop leaves that as it is.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            options = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)} | options
        streams: dict[str, object] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # options override the streams
            self.command(*arguments), cwd=self.folder, env=self.environ, text=True, **(streams | options)
        )

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "dagtop_app", *arguments]


@pytest.fixture
def run(tmp_path: Path) -> Dagtop:
    """`run("check", "etl.py")`."""
    return Dagtop(tmp_path)


class Told(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def dagtop_here(tmp_path, monkeypatch, capfd, interpreter_as_it_was) -> Callable[..., Told]:
    """`dagtop_here("check", "etl.py")`: the command in this process, in the test's folder; for what needs no signals."""
    from dagtop_app.commandline.calling import call

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGTOP_DB", str(tmp_path / "runs.db"))
    monkeypatch.setenv("COLUMNS", "100")

    def run_here(*arguments: str) -> Told:
        capfd.readouterr()
        code = call(arguments)
        return Told(code, *capfd.readouterr())

    return run_here
