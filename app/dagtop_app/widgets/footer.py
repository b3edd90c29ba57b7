"""The last line: the keys that matter now, complete ones only, with ? always last."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from dagtop_app.actions import Action
from dagtop_app.lines import Line, Span, line_width, sides
from dagtop_app.settings.keymap import help_key, shown_of
from dagtop_app.text import width
from dagtop_app.widgets.painted import Painted


def footer_line(actions: Sequence[tuple[Action, bool]], cells: int) -> Line:
    """As many entries as fit, the most important first, and Help at the right end. Disabled ones are greyed."""
    last: list[Span] = [(help_key(), "key"), (" Help ", "dim")]
    left: list[Span] = [(" ", "")]
    for action, enabled in actions:
        if not shown_of(action):  # its key was given to another
            continue
        entry: list[Span] = [
            (shown_of(action), "key" if enabled else "off"),
            (f" {action.label}", "dim" if enabled else "off"),
            ("  ", ""),
        ]
        if line_width(left) + line_width(entry) + line_width(last) > cells:
            break
        left.extend(entry)
    return sides(left, last, cells)


class Footer(Painted):
    """Keys and what they do."""

    class Pressed(Message):
        """An entry was clicked."""

        def __init__(self, shown: str) -> None:
            super().__init__()
            self.shown = shown

    def show(self, actions: Sequence[tuple[Action, bool]]) -> None:
        """Draw these entries."""
        if self.size.width:
            self.set_lines([footer_line(actions, self.size.width)])

    def on_click(self, event: events.Click) -> None:
        """A click on an entry is its key."""
        edge, entry = 0, ""
        for text, style in self.lines[0] if self.lines else ():
            if style in {"key", "off"} and not text.startswith(" "):
                entry = text
            edge += width(text)
            if event.x < edge:
                break
        if entry:
            self.post_message(self.Pressed(entry))
