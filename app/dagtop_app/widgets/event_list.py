"""The list of events: any number of them, of which only the visible ones are put into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.strip import Strip

from dagtop_app.actions import bindings
from dagtop_app.events.roll import EventRoll
from dagtop_app.events.texts import event_line, tell, time_text
from dagtop_app.lines import Line
from dagtop_app.widgets.messages import Opened, Selected
from dagtop_app.widgets.painted import PaintedScroll, paint, place_after


class EventList(PaintedScroll):
    """Events with a cursor. It follows the newest until a person moves the cursor up."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("events")]

    def __init__(self, roll: EventRoll, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.roll = roll
        self.following = True
        self.wall = False
        """Whether times are those of the clock on the wall."""
        self.started_at = 0.0
        self.index_of: Mapping[str, int] = {}
        """Places of tasks, to tell which one was selected."""
        self._number = 0
        """Of the event that the cursor is on."""
        self._drawn: dict[int, tuple[int, bool]] = {}

    @property
    def place(self) -> int:
        """Where the cursor is; -1 without any events."""
        return (
            len(self.roll.shown) - 1
            if self.following
            else max(0, self.roll.place_of(self._number))
            if self.roll.shown
            else -1
        )

    @property
    def cursor(self) -> int:
        """Where the bar is drawn; -1 while it follows: keys act on the selected task then, not on what comes by."""
        return -1 if self.following else self.place

    @property
    def about(self) -> str:
        """The task that the event under the cursor is about; "" for none."""
        place = self.place
        return tell(self.roll.shown[place][1]).task if place >= 0 else ""

    def show(self, *, anew: bool = False) -> None:
        """Draw what is new; `anew`: everything is in another place, or looks different."""
        self.resize_to(len(self.roll.shown))
        if anew:
            self._drawn.clear()
            self.refresh()
        if self.following:
            self.scroll_to(y=len(self.roll.shown), animate=False, force=True)
        self._refresh_changed()

    def _refresh_changed(self) -> None:
        top, shown, cursor = self.scroll_offset.y, self.roll.shown, self.cursor
        for y in range(self.scrollable_content_region.height):
            place = top + y
            now = (shown[place][0], place == cursor) if place < len(shown) else None
            if self._drawn.get(y) != now:
                self.refresh_line(y)

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        cells, place = self.cells, self.scroll_offset.y + y
        if place >= len(self.roll.shown):
            self._drawn.pop(y, None)
            return Strip.blank(cells, self.base)
        cursor = place == self.cursor
        self._drawn[y] = (self.roll.shown[place][0], cursor)
        return paint(self, self.line(place, cursor=cursor), cells, "cursor" if cursor else "")

    def line(self, place: int, *, cursor: bool) -> Line:
        """One event in one line."""
        event = self.roll.shown[place][1]
        return event_line(tell(event), time_text(event.at, self.started_at, wall=self.wall), self.cells, cursor=cursor)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Others are visible now."""
        self._drawn.clear()
        super().watch_scroll_y(old_value, new_value)

    def notify_style_update(self) -> None:
        """Another theme."""
        self._drawn.clear()
        super().notify_style_update()

    def move(self, how: str) -> None:
        """Move the cursor, see `place_after`."""
        place = place_after(how, self.place, len(self.roll.shown) - 1, max(1, self.scrollable_content_region.height))
        if place is not None:
            self.go(place)

    def go(self, place: int) -> None:
        """Put the cursor on a line and tell everybody; at the end it follows what comes."""
        last = len(self.roll.shown) - 1
        if last < 0:
            return
        place = min(max(0, place), last)
        self.following = place == last
        self._number = self.roll.shown[place][0]
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if height > 0 and not top <= place < top + height:
            self.scroll_to(y=place if place < top else place - height + 1, animate=False, force=True)
        self._refresh_changed()
        self._select()

    def _select(self) -> None:
        index = self.index_of.get(self.about)
        if index is not None:
            self.post_message(Selected(index))

    def follow(self) -> None:
        """Go to the newest and stay there; or stay here."""
        if self.following:
            self._number = self.roll.shown[-1][0] if self.roll.shown else 0
            self.following = False
            self._select()
        else:
            self.go(len(self.roll.shown) - 1)
            self.following = True

    def on_click(self, event: events.Click) -> None:
        """The cursor goes where the mouse was clicked; twice opens the task."""
        place = self.scroll_offset.y + event.y
        if not 0 <= place < len(self.roll.shown):
            return
        self.go(place)
        index = self.index_of.get(self.about)
        if event.chain == 2 and index is not None:
            self.post_message(Opened(index))
