"""Boxes above the console."""

from __future__ import annotations

import pytest
from console_fakes import FakeEngine, running_mix
from console_pilot import console
from dagtop_app.screens.popup import Popup

pytestmark = pytest.mark.anyio


async def test_lines_that_are_too_wide_go_on_below_where_all_is_to_be_read() -> None:
    """What is different between two runs was cut at the edge of a narrow terminal."""
    words = " ".join(f"word{number}" for number in range(30))
    async with console(FakeEngine(running_mix()), size=(80, 24)) as seen:
        seen.app.push_screen(Popup("What is different", [((words, ""),)], full=True, fold=True))
        await seen.settle()
        assert all(f"word{number}" in seen.text for number in range(30))
