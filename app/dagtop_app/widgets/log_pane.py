"""A window on the lines of a roll. Only what is visible is read and drawn, however many lines there are and however long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.selection import Selection
from textual.strip import Strip

from dagtop_app.actions import bindings
from dagtop_app.lines import Line, fit_line
from dagtop_app.logs.roll import LogRoll, Look, rows_of
from dagtop_app.logs.store import Kept
from dagtop_app.widgets.painted import PaintedScroll, lines_of, paint

#: Rows that one turn of the mouse wheel goes.
_WHEEL = 3


class LogPane(PaintedScroll):
    """The lines of a roll.

    A line takes as many rows as it needs. What stands at the top is a line (the scroll offset) and one of its rows (`inside`),
    so that nothing has to be known of the lines that are not seen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("logs")]

    def __init__(self, roll: LogRoll, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.roll = roll
        self.look = Look()
        self.following = True
        self.inside = 0
        """The row of the top line that stands at the top."""
        self.header: Callable[[Kept], str] = lambda line: f"attempt {line.attempt}"
        self.nothing: Callable[[], Sequence[str]] = tuple
        """What stands here while there is no line."""
        self.moved = False
        """Whether a person has gone elsewhere since this was last set back."""
        self._visible: list[Line] | None = None

    @property
    def subject(self) -> str | None:
        """The task whose lines are shown, if it is one."""
        return self.roll.choice.subject.one

    @property
    def top(self) -> int:
        """The place of the line at the top."""
        return min(self.scroll_offset.y, max(0, len(self.roll) - 1))

    def rows(self, place: int) -> list[Line]:
        """All that is drawn for the line at a place."""
        return list(rows_of(self.roll, place, self.look, self.cells, self.header))

    # -- where it stands -------------------------------------------------------------------------------------

    def settle(self, moved: int = 0) -> None:
        """There are more lines, `moved` of them before all others: follow the end, or stay with the line that was at the top."""
        count, height = len(self.roll), max(1, self.size.height)
        last = self._last_page()
        # Any line may stand at the top: how many rows those below it take is not known.
        size = Size(self.cells, count + height - 1 if last > (0, 0) else 0)
        if size != self.virtual_size:
            self.virtual_size = size
        if self.following:
            self._go(*last)
        elif moved:
            self._go(self.scroll_offset.y + moved, self.inside)
        self.redraw()

    def redraw(self) -> None:
        """Everything may look different."""
        self._visible = None
        self.refresh()

    def _go(self, place: int, inside: int) -> None:
        self.inside = inside
        self._visible = None
        self.scroll_to(y=place, animate=False, force=True, immediate=True)
        self.refresh()

    def _last_page(self) -> tuple[int, int]:
        return self._above(len(self.roll), 0, max(1, self.size.height))

    def _above(self, place: int, inside: int, rows: int) -> tuple[int, int]:
        """What stands so many rows above a row."""
        rows -= inside
        while rows > 0 and place > 0:
            place -= 1
            rows -= len(self.rows(place))
        return (place, -rows) if rows <= 0 else (0, 0)

    def _below(self, place: int, inside: int, rows: int) -> tuple[int, int]:
        """What stands so many rows below a row; not below the last page."""
        end = self._last_page()
        while place < len(self.roll) and (place, inside) < end:
            height = len(self.rows(place))
            if inside + rows < height:
                return min((place, inside + rows), end)
            rows -= height - inside
            place, inside = place + 1, 0
        return min((place, inside), end)

    def move(self, how: str) -> None:
        """Scroll; going up stops following, the end takes it up again."""
        self.moved = True
        if how == "bottom":
            self.following = True
            self._go(*self._last_page())
        elif how == "top":
            self.following = False
            self._go(0, 0)
        elif by := lines_of(how, max(1, self.size.height)):
            self.scroll_rows(by)

    def scroll_rows(self, rows: int) -> None:
        """Go so many rows down, or up."""
        self.following, self.moved = False, True
        here = self.top, self.inside
        self._go(*(self._below(*here, rows) if rows > 0 else self._above(*here, -rows)))

    def look_at(self, place: int) -> None:
        """Have a line in the middle."""
        self.following, self.moved = False, True
        self._go(*min(self._above(place, 0, self.size.height // 2), self._last_page()))

    @property
    def middle(self) -> int:
        """The place of the line in the middle."""
        left, place = self.size.height // 2 + self.inside, self.top
        while place < len(self.roll) - 1 and (left := left - len(self.rows(place))) >= 0:
            place += 1
        return place

    def find(self, step: int) -> bool:
        """To the next or previous match, around the end."""
        place = self.roll.match(self.middle, step)
        if place is not None:
            self.look_at(place)
        return place is not None

    # -- what Textual asks -----------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """The rows of a line depend on the width."""
        self.settle()
        super().on_resize()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The scroll bar was dragged, or we moved."""
        super().watch_scroll_y(old_value, new_value)
        self._visible = None

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        event.prevent_default()
        self.scroll_rows(-_WHEEL)

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        event.prevent_default()
        self.scroll_rows(_WHEEL)
        self.following = (self.top, self.inside) == self._last_page()

    @property
    def on_screen(self) -> Sequence[Line]:
        """The rows on the screen."""
        if self._visible is None:
            self._visible = list(self._from_the_top())
        return self._visible

    def _from_the_top(self) -> Iterator[Line]:
        height, place, skipped = self.size.height, self.top, self.inside
        while height > 0 and place < len(self.roll):
            rows = self.rows(place)[skipped : skipped + height]
            yield from rows
            height -= len(rows)
            place, skipped = place + 1, 0

    def render_line(self, y: int) -> Strip:
        """One visible row."""
        cells = self.cells
        if not len(self.roll) and y < len(nothing := self.nothing()):
            return paint(self, fit_line((("  ", ""), (nothing[y], "dim")), cells), cells)
        if y >= len(self.on_screen):
            return Strip.blank(cells, self.base)
        strip = paint(self, fit_line(self.on_screen[y], cells), cells)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(y)) is not None:
            start, end = span
            end = cells if end == -1 else end
            style = self.screen.get_visual_style("screen--selection").rich_style
            parts = strip.divide([start, min(end, cells), cells]) if start < cells else [strip]
            if len(parts) == 3:
                strip = Strip.join([parts[0], parts[1].apply_style(style), parts[2]])
        return strip.apply_offsets(0, y)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """What is selected with the mouse."""
        return selection.extract("\n".join("".join(text for text, _ in row).rstrip() for row in self.on_screen)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Show what is selected."""
        self.refresh()
