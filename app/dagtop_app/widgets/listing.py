"""A list of lines with a cursor, for views whose lines are no tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events
from textual.strip import Strip

from dagtop_app.lines import Line, fit_line
from dagtop_app.widgets.painted import PaintedScroll, paint, place_after


def one_bar(widget: PaintedScroll) -> None:
    """A scroll bar of one cell, which has its place also while there is nothing to scroll."""
    widget.styles.scrollbar_size_vertical = 1
    widget.styles.scrollbar_gutter = "stable"
    widget.styles.overflow_x = "hidden"


class Listing(PaintedScroll):
    """Lines, each with a key by which the cursor stays on it wherever it moves.

    Parameters
    ----------
    moved: called when a person has put the cursor on another line.
    opened: called when a line was clicked twice.
    """

    def __init__(
        self,
        *,
        moved: Callable[[], None],
        opened: Callable[[], None],
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self.key: object = None
        """Of the line that the cursor is on; None without any."""
        self._keys: list[object] = []
        self._moved, self._opened = moved, opened
        one_bar(self)

    @property
    def place(self) -> int:
        """Where the cursor is, from 0; -1 without any lines."""
        return self._keys.index(self.key) if self.key in self._keys else -1

    def show(self, keys: Sequence[object], lines: Sequence[Line]) -> None:
        """Show these. The line of the cursor is gone: it stays at its place."""
        before = self.place
        self._keys = list(keys)
        if self.key not in self._keys:
            self.key = self._keys[min(max(before, 0), len(keys) - 1)] if keys else None
            self.refresh()
        self.set_lines(lines)
        self.follow()

    def follow(self) -> None:
        """Scroll so that the cursor is visible."""
        place, top, height = self.place, self.scroll_offset.y, self.scrollable_content_region.height
        if height > 0 and place >= 0 and not top <= place < top + height:
            self.scroll_to(y=place if place < top else place - height + 1, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        cells, place = self.cells, self.scroll_offset.y + y
        if place >= len(self._lines):
            return Strip.blank(cells, self.base)
        return paint(self, fit_line(self._lines[place], cells), cells, "cursor" if place == self.place else "")

    def move(self, how: str) -> None:
        """Move the cursor, see `place_after`."""
        place = place_after(how, self.place, len(self._keys) - 1, max(1, self.scrollable_content_region.height))
        if place is not None:
            self.go(place)

    def go(self, place: int) -> None:
        """Put the cursor on a line."""
        before, self.key = self.key, self._keys[min(max(place, 0), len(self._keys) - 1)]
        if self.key != before:
            self.refresh()
        self.follow()
        self._moved()

    def on_click(self, event: events.Click) -> None:
        """The cursor goes where the mouse was clicked; twice opens it."""
        place = self.scroll_offset.y + event.y
        if 0 <= place < len(self._keys):
            self.go(place)
            if event.chain == 2:
                self._opened()
