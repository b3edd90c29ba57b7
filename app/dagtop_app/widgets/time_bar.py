"""The line of a replay, which can be clicked."""

from __future__ import annotations

from dagtop.runtime.transport import Transport
from textual import events
from textual.message import Message

from dagtop_app.runs.transport_texts import moment_at, transport_line
from dagtop_app.widgets.painted import Painted


class TimeBar(Painted):
    """Where a replay is."""

    class Chosen(Message):
        """A moment was clicked."""

        def __init__(self, at: float) -> None:
            super().__init__()
            self.at = at

    _shown: Transport | None = None

    def show(self, transport: Transport) -> None:
        """Draw it."""
        self._shown = transport
        if self.size.width:
            self.set_lines([transport_line(transport, self.size.width)])

    def on_click(self, event: events.Click) -> None:
        """Go to the moment that was clicked."""
        at = moment_at(self._shown, event.x, self.size.width) if self._shown is not None else None
        if at is not None:
            self.post_message(self.Chosen(at))
