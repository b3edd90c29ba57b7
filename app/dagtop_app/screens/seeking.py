"""The line that a filter or a search is typed in, and the order of the tasks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import events
from textual.widget import Widget
from textual.widgets import Input

from dagtop_app.screens import questions
from dagtop_app.screens.keeping import Keeping
from dagtop_app.screens.popup import Popup
from dagtop_app.tasks import row_orders
from dagtop_app.tasks.filters import Filter
from dagtop_app.tasks.roster import Roster
from dagtop_app.widgets import typed
from dagtop_app.widgets.stage import Stage

if TYPE_CHECKING:
    from dagtop_app.widgets.typed import Typed

#: After so many seconds the line to type in has the focus: keys that were pressed in one go are still on their way to the table.
_OPENS = 0.03


class Seeking(Keeping):
    """Which tasks are shown, and in which order. The parts it names are the main screen's."""

    roster: Roster
    stage: Stage
    now: Callable[[], float] = time.monotonic
    _ask_line: Typed | None = None
    _opens_ask = False
    """Whether that line was asked for, and has not got the focus yet."""

    @property
    def view(self) -> str:
        """The name of what is shown: "tasks", "graph" and so on."""
        return self.stage.current.name

    @property
    def pane(self) -> Widget:
        """The widget of the view that is shown."""
        pane: Widget = self.stage.current.pane
        return pane

    @property
    def ask(self) -> Typed:
        """The line to type a filter, or a search, in; made when it is first needed."""
        if self._ask_line is None:
            self._ask_line = typed.Typed(id="ask", select_on_focus=False)
            self.mount(self._ask_line, before="#word")
        return self._ask_line

    @property
    def is_asking(self) -> bool:
        """Whether that line is open."""
        return self._ask_line is not None and self._ask_line.has_class("-open")

    def draw(self) -> None:
        """Draw everything as it is now."""
        raise NotImplementedError

    def action_view(self, name: str) -> None:
        """Show a view."""
        raise NotImplementedError

    # -- filter and order ------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Open the line to type a filter, or a search, in."""
        ask = self.ask
        ask.opens(self.stage.current.sought)
        ask.placeholder = self.stage.current.asks
        ask.add_class("-open")
        self._opens_ask = True
        self.set_timer(_OPENS, self._focus_ask)
        self.call_after_refresh(self.draw)

    def _focus_ask(self) -> None:
        if self._opens_ask and self.is_asking:
            self.ask.focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The line has what is typed from here on by itself."""
        if event.widget is self._ask_line:
            self._opens_ask = False

    def types_early(self, event: events.Key) -> bool:
        """Keys that came before the line had the focus are meant for it all the same; whether this was one."""
        if not self.is_asking:
            return False
        ask = self.ask
        if not self._opens_ask:
            return ask.has_focus and ask.takes_early(
                event
            )  # it was on its way to the table when the line got the focus
        match event.key:
            case "enter":
                self.stage.current.look_for(ask.value)
                self.close_ask()
            case "escape":
                self.close_ask(clear=True)
            case "backspace":
                ask.action_delete_left()
                ask.early = ask.cursor_position
            case _:
                ask.takes_early(event)
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        """The filter works while it is typed."""
        if event.input.id == "ask" and event.input.has_class("-open"):
            event.stop()
            self.stage.current.look_for(event.value)
            self.roster.rest(self.now())
            self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps the filter."""
        event.stop()
        self.close_ask()

    def close_ask(self, *, clear: bool = False) -> None:
        """Close the line; with `clear` without a filter."""
        ask = self.ask
        if clear:
            ask.value = ""
            self.stage.current.look_for("")
        ask.remove_class("-open")
        self._opens_ask = False
        self.pane.focus()
        self.call_after_refresh(self.draw)

    def set_filter(self, text: str, *, problems: bool) -> None:
        """Show only what passes; with `problems` only what is one."""
        self.roster.look_for(Filter(text), problems=problems)

    def action_problems(self) -> None:
        """Problems only, or everything."""
        self.set_filter(self.roster.wanted.text, problems=not self.roster.problems)
        if self.view == "logs":
            self.action_view("tasks")
        self.draw()

    def action_sort(self) -> None:
        """The menu of orders."""
        choices, at = questions.menu(row_orders.SORTS, self.roster.sort)

        def chosen(sort: str | None) -> None:
            if sort is not None:
                self.sort_by(sort)

        self.app.push_screen(Popup("Sort by", [], choices, pick=True, at=at, note="S turns it round"), chosen)

    def sort_by(self, sort: str) -> None:
        """Another order."""
        self.roster.sort, self.roster.reverse = sort, False
        self.roster.rebuild()
        self.roster.rest(self.now())
        self.draw()

    def action_reverse(self) -> None:
        """The other way round."""
        self.roster.reverse = not self.roster.reverse
        self.roster.rebuild()
        self.roster.rest(self.now())
        self.draw()
