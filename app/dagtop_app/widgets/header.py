"""The three lines at the top: the run, the counts, the views."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop.core.snapshot import RunSnapshot
from textual import events
from textual.message import Message

from dagtop_app.chrome.tabs import Tab, tab_line
from dagtop_app.chrome.view_model import run_line, tally_line
from dagtop_app.text import width
from dagtop_app.timeline.eta_texts import Left
from dagtop_app.widgets.painted import Painted


class Header(Painted):
    """The top of the console. It never scrolls and never lays out again."""

    crashed = False
    """Whether what is shown is the last of a stored run whose process died."""
    left: Left | None = None
    """How long the run is likely to go on, where that is known."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def show(
        self,
        snapshot: RunSnapshot,
        title: str,
        tabs: Sequence[Tab],
        current: str,
        next_run: str = "",
        crumbs: Sequence[str] = (),
    ) -> None:
        """Draw the run as it stands. `next_run` tells of a schedule, `crumbs` of the level that is shown."""
        cells = self.size.width
        if cells:
            self.set_lines(
                [
                    run_line(snapshot, title, cells, next_run, crumbs, crashed=self.crashed, left_over=self.left),
                    tally_line(snapshot, cells),
                    tab_line(tabs, current, cells),
                ]
            )

    def tells(self, text: str) -> bool:
        """Whether there was room for it."""
        return bool(self.lines) and any(text == span for span, _ in self.lines[0])

    def on_click(self, event: events.Click) -> None:
        """Open the view whose tab was clicked."""
        if event.y != 2 or len(self.lines) < 3:
            return
        edge, key = 0, ""
        for text, style in self.lines[2]:
            if style == "key" or (style == "tab-on" and text.strip().isdigit()):
                key = text.strip()
            if edge <= event.x < edge + width(text) and key.isdigit():
                self.post_message(self.Chosen(key))
                return
            edge += width(text)
