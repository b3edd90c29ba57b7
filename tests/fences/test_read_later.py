"""What the first paint waits for: modules that only answer keys are read after it."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from dagtop_app.launching import later
from dagtop_app.views.listed import VIEWS

#: In a process of its own, in which nothing has been imported yet: what of it was read nevertheless, before and after.
PROGRAM = """
import sys
from dagtop_app.launching import later
later.put_off()
import dagtop_app.commands.watching, dagtop_app.console
def read():
    return {name for name in later.LATER if type(sys.modules[name]) is not later.Unread}
print(sorted(read()))
for _ in later.rest():
    pass
print(sorted(set(later.LATER) - read()))
"""


def test_what_answers_keys_is_read_after_the_first_paint() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[]", "[]"]


def test_every_view_is_read_before_it_is_asked_for() -> None:
    views = {f"dagtop_app.views.{view.name}" for view in VIEWS}
    assert views - set(later.ALSO) == {"dagtop_app.views.tasks"}, "that one is the first screen"


def test_what_ends_a_process_that_does_not_end_is_read_in_time() -> None:
    """A task that used up all file descriptors could have kept the last resort from being imported, and the process alive."""
    headless = ast.parse(Path(later.__file__).parents[1].joinpath("plain", "headless.py").read_text())
    wanted = {
        node.module
        for function in ast.walk(headless)
        if isinstance(function, ast.FunctionDef) and function.name in {"leave_at_once", "end_process_soon"}
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom)
    }
    assert wanted == {"dagtop_app.plain.events"}
    assert wanted <= set(later.ALSO)


def test_each_step_reads_one() -> None:
    assert list(later.rest()) == [*later.LATER, *later.ALSO]


@pytest.fixture
def unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module that is put off."""
    package = tmp_path / "put_off_here"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(later, "LATER", ("put_off_here.one",))
    for name in ("put_off_here", "put_off_here.one"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    later.put_off()
    return package / "one.py"


def test_a_module_that_could_not_be_read_is_read_when_it_is_asked_for_again(unread: Path) -> None:
    """A task had used up all file descriptors for a moment: keys that needed the module failed for as long as the console ran."""
    module = sys.modules["put_off_here.one"]
    unread.rename(unread.with_suffix(".gone"))
    with pytest.raises(OSError, match=r"one\.py"):
        _ = module.value
    unread.with_suffix(".gone").rename(unread)
    assert module.value == 1
    assert type(module) is not later.Unread


def test_another_thread_waits_until_the_module_has_been_read(unread: Path) -> None:
    """Python's own way let it find the module half read: `no attribute`."""
    unread.write_text(
        "import sys\nsteps = sys.modules['put_off_steps']\nsteps.begun.set()\nsteps.asks.wait(10)\nvalue = 1\n"
    )
    steps = sys.modules["put_off_steps"] = type(sys)("put_off_steps")
    steps.begun, steps.asks = threading.Event(), threading.Event()  # type: ignore[attr-defined]
    module, found = sys.modules["put_off_here.one"], list[object]()

    def ask() -> None:
        found.append(getattr(module, "value", None))

    threads = [threading.Thread(target=ask), threading.Thread(target=lambda: (steps.asks.set(), ask()))]
    threads[0].start()
    assert steps.begun.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(10)
    del sys.modules["put_off_steps"]
    assert found == [1, 1]
