"""The list of runs: any number of them, of which only the visible ones are put into words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import tzinfo

from textual import events
from textual.message import Message
from textual.strip import Strip

from dagtop_app.lines import Line
from dagtop_app.runs.list_model import Columns, Kept, columns, run_line
from dagtop_app.widgets.listing import one_bar
from dagtop_app.widgets.painted import PaintedScroll, paint, place_after


class RunTable(PaintedScroll):
    """Runs with a cursor, which stays on its run wherever that goes."""

    class Moved(Message):
        """The cursor is on another run."""

    class Opened(Message):
        """A run was clicked twice."""

    def __init__(self, *, id: str | None = None, zone: tzinfo | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.rows: Sequence[Kept] = ()
        self.now = 0.0
        self.marked: Collection[str] = ()
        self.empty: Callable[[int], Sequence[Line]] = lambda cells: ()
        """What stands there if there are no rows."""
        self._zone = zone
        self._run = ""
        self._place = 0
        self._drawn: dict[int, Line] = {}
        self._columns: Columns | None = None
        one_bar(self)

    @property
    def cols(self) -> Columns:
        """What fits."""
        if self._columns is None:
            self._columns = columns(self.cells, self.rows)
        return self._columns

    @property
    def place(self) -> int:
        """Where the cursor is, from 0; -1 without any runs."""
        return self._place if self.rows else -1

    @property
    def row(self) -> Kept | None:
        """The run under the cursor."""
        return self.rows[self._place] if self.rows else None

    def show(self, rows: Sequence[Kept], now: float, marked: Collection[str]) -> None:
        """Show these. The run of the cursor is gone: it stays at its place."""
        before, self.rows, self.now, self.marked = self.rows, rows, now, marked
        if rows is not before:
            self._columns = None
            self._find()
        self.resize_to(max(1, len(rows)))
        self._refresh_changed()

    def _find(self) -> None:
        rows = self.rows
        if not rows:
            return
        if not (self._place < len(rows) and rows[self._place].run == self._run):
            found = next((at for at, one in enumerate(rows) if one.run == self._run), None)
            self._place = min(self._place, len(rows) - 1) if found is None else found
            self._run = rows[self._place].run
        self.follow()

    def _refresh_changed(self) -> None:
        top = self.scroll_offset.y
        for y in range(self.scrollable_content_region.height):
            if self._drawn.get(y) != self._line(top + y):
                self.refresh_line(top + y)

    def _line(self, place: int) -> Line:
        if not self.rows:
            lines = self.empty(self.cells)
            return lines[place] if place < len(lines) else ()
        if place >= len(self.rows):
            return ()
        row = self.rows[place]
        return run_line(
            row, self.cols, self.now, cursor=place == self.place, marked=row.run in self.marked, zone=self._zone
        )

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        cells, place = self.cells, self.scroll_offset.y + y
        line = self._drawn[y] = self._line(place)
        if not line:
            return Strip.blank(cells, self.base)
        return paint(self, line, cells, "cursor" if self.rows and place == self.place else "")

    def on_resize(self) -> None:
        """Other columns."""
        self._columns = None
        self._drawn.clear()
        super().on_resize()

    def follow(self) -> None:
        """Scroll so that the cursor is visible."""
        place, top, height = self.place, self.scroll_offset.y, self.scrollable_content_region.height
        if height > 0 and place >= 0 and not top <= place < top + height:
            self.scroll_to(y=place if place < top else place - height + 1, animate=False, force=True)

    def move(self, how: str) -> None:
        """Move the cursor, see `place_after`."""
        place = place_after(how, self.place, len(self.rows) - 1, max(1, self.scrollable_content_region.height))
        if place is not None:
            self.go(place)

    def go(self, place: int) -> None:
        """Put the cursor on a line and tell everybody."""
        if not self.rows:
            return
        self._place = min(max(place, 0), len(self.rows) - 1)
        self._run = self.rows[self._place].run
        self.follow()
        self._refresh_changed()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """The cursor goes where the mouse was clicked; twice opens the run."""
        place = self.scroll_offset.y + event.y
        if 0 <= place < len(self.rows):
            self.go(place)
            if event.chain == 2:
                self.post_message(self.Opened())
