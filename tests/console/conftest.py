"""Fixtures of the console's tests: a frozen clock, no animation, asyncio only."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(
        Input, "_toggle_cursor", lambda self: None
    )  # a picture that takes long shows the cursor all the same


@pytest.fixture(autouse=True)
def _folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Reports are written into the current folder, also by tests that press any key."""
    monkeypatch.chdir(tmp_path)
