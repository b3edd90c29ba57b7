"""A line to type in that gets what was typed before it had the focus, too."""

from __future__ import annotations

from textual import events
from textual.widgets import Input


class Typed(Input):
    """Takes letters that were on their way to another widget when it got the focus, in the order they were typed in."""

    early = 0
    """Where the next of them belongs: before all that came by itself."""

    def opens(self, text: str) -> None:
        """Begin with that text."""
        self.value, self.cursor_position, self.early = text, len(text), len(text)

    def takes_early(self, event: events.Key) -> bool:
        """Whether that is a letter that came up to the app from another widget; a line that has the focus lets none come up."""
        if not event.is_printable or not event.character:
            return False
        at, cursor = min(self.early, len(self.value)), self.cursor_position
        self.insert(event.character, at)
        self.early = at + len(event.character)
        self.cursor_position = max(cursor + len(event.character), self.early)
        return True
