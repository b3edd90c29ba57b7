"""What views tell the screen. One selection is shared by all views."""

from __future__ import annotations

from typing import Protocol

from dagtop.core.snapshot import RunSnapshot
from textual.message import Message


class Selected(Message):
    """The cursor of a view is on another task: its place in `RunSnapshot.rows`."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


class Opened(Message):
    """A task was opened (Enter, double click)."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


class Resized(Message):
    """A painted widget has another size: what it shows has to be made anew."""


class View(Protocol):
    """A pane of the console. The screen calls it ten times a second at most, and only while it is visible.

    A view posts `Selected` when its own cursor moves. Keys of its own are its `BINDINGS`: it has the focus while it is
    shown, so they win over the screen's.
    """

    def show(self, snapshot: RunSnapshot, selected: int | None) -> None:
        """Draw the snapshot with the cursor on the task `selected` (an index, None for no task)."""
        ...

    def move(self, how: str) -> None:
        """ "up", "down", "half-up", "half-down", "page-up", "page-down", "top" or "bottom"."""
        ...
