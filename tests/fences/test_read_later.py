"""What the first paint waits for: modules that only answer keys are read after it."""

from __future__ import annotations

import subprocess
import sys

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
    return {name for name in later.LATER if type(sys.modules[name]).__name__ != "_LazyModule"}
print(sorted(read()))
for _ in later.rest():
    pass
print(sorted(set(later.LATER) - read()))
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there everything is read at once")
def test_what_answers_keys_is_read_after_the_first_paint() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[]", "[]"]


def test_every_view_is_read_before_it_is_asked_for() -> None:
    views = {f"dagtop_app.views.{view.name}" for view in VIEWS}
    assert views - set(later.ALSO) == {"dagtop_app.views.tasks"}, "that one is the first screen"


def test_as_many_steps_as_are_said_read_the_rest() -> None:
    assert len(list(later.rest())) == later.COUNT
