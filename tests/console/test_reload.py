"""Ctrl+r: the graph file is read again, what is different is shown, and applied if a person says so."""

from __future__ import annotations

from typing import Any

import pytest
from console_fakes import FakeEngine
from console_pilot import console
from console_scenes import steered
from dagtop.core.commands import SwapGraph
from dagtop.runtime.comparing import UpdatePlan
from dagtop_app.reloading.file import Difference, Reloader

pytestmark = pytest.mark.anyio


class FakeReloader:
    """Has its answer ready."""

    path = "etl.py"
    is_busy = False

    def __init__(self, answer: Difference | str) -> None:
        self.answer: Difference | str | None = answer
        self.ready: Difference | str | None = None

    def begin(self) -> bool:
        self.ready = self.answer
        return True

    def take(self) -> Difference | str | None:
        answer, self.ready = self.ready, None
        return answer

    lines = staticmethod(Reloader.lines)

    def command(self, difference: Difference) -> SwapGraph:
        return SwapGraph(7)


def difference(**plan: Any) -> Difference:
    again = plan.pop("again", ())
    version: Any = None
    return Difference(UpdatePlan(**plan), version, again)


@pytest.mark.parametrize("key", ["y", "escape"])
async def test_what_is_different_is_shown_and_applied_only_if_a_person_says_so(key: str) -> None:
    engine = FakeEngine(steered())
    async with console(engine) as seen:
        found = difference(added=("new\x1b[31m",), changed=("a",), untouched=("b", "c"), again=("a", "d"))
        seen.app.main.reloader = FakeReloader(found)  # type: ignore[assignment]
        await seen.press("ctrl+r")
        assert "The file has changed" in seen.text
        assert "~ changed: a" in seen.text
        assert "2 tasks untouched" in seen.text
        assert "2 tasks run again" in seen.text
        assert "\x1b" not in seen.text
        await seen.press(key)
        assert engine.sent == ([SwapGraph(7)] if key == "y" else [])


async def test_a_broken_file_is_told_with_its_line_and_changes_nothing() -> None:
    engine = FakeEngine(steered())
    async with console(engine) as seen:
        seen.app.main.reloader = FakeReloader("etl.py:3: SyntaxError: no\n    x = (\n        ^")  # type: ignore[assignment]
        await seen.press("ctrl+r")
        assert "etl.py:3: SyntaxError" in seen.text
        await seen.press("enter")
        assert "the run goes on as it was" in seen.text
        assert engine.sent == []


async def test_a_written_file_is_read_without_a_key_and_nothing_is_asked_when_nothing_is_different() -> None:
    engine = FakeEngine(steered())
    async with console(engine) as seen:
        seen.app.main.reloader = FakeReloader(difference(untouched=("a",)))  # type: ignore[assignment]
        seen.app.main.hear_of_file()
        await seen.settle()
        assert "nothing is different" in seen.text
        assert engine.sent == []


async def test_a_run_without_a_file_says_so() -> None:
    async with console(FakeEngine(steered())) as seen:
        await seen.press("ctrl+r")
        assert "no file of its own" in seen.text
