"""What stands below the table on a large terminal: the latest events, and the end of the selected task's log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagtop.core.snapshot import RunSnapshot, TaskRow
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message

from dagtop_app.events.roll import EventRoll
from dagtop_app.events.texts import event_line, tell, time_text
from dagtop_app.lines import Line, rule
from dagtop_app.tasks.inspector import log_spans
from dagtop_app.text import name_of
from dagtop_app.widgets.painted import Painted

if TYPE_CHECKING:
    from dagtop.observe.story import Story

    from dagtop_app.bridge import LogLine

#: Lines of each of the two.
LINES = 5


class Panel(Painted):
    """One of the two; a click opens the view that has all of it."""

    class Clicked(Message):
        """It was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, action: str, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._opens = action

    def on_click(self, event: events.Click) -> None:
        """Open the view."""
        event.stop()
        self.post_message(self.Clicked(self._opens))


class Foot(Horizontal):
    """Events at the left, the log at the right, as wide as the inspector above it."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.roll = EventRoll()
        self._events = Panel("view('events')", id="foot-events")
        self._log = Panel("logs(True)", id="foot-log")

    def compose(self) -> ComposeResult:
        """Side by side."""
        yield self._events
        yield Vertical(self._log, id="foot-side")

    def show(self, story: Story, snapshot: RunSnapshot, row: TaskRow | None, logs: Sequence[LogLine]) -> None:
        """Draw what is new."""
        self.roll.take(story, snapshot)
        cells = self._events.size.width
        latest = list(self.roll.latest(LINES))[::-1]
        lines: list[Line] = [rule([("Events", "title")], [("7", "key"), (" all", "dim")], cells)]
        lines += [event_line(tell(it), time_text(it.at, snapshot.started_at, wall=False), cells) for _, it in latest]
        self._events.set_lines(lines if latest else [*lines, (("  nothing has happened yet", "dim"),)])
        name = name_of(row.name, 60) if row is not None else ""
        head = rule([("Log ", "title"), (name, "")], [("l", "key"), (" all", "dim")], self._log.size.width)
        told: list[Line] = [((" ", ""), *log_spans(line)) for line in logs[-LINES:]]
        self._log.set_lines([head, *(told or [(("  nothing was printed or logged", "dim"),)])])
