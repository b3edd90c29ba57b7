"""Everything that reaches the terminal in ASCII, whoever drew it: our widgets, borders, scrollbars, the palette."""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from dagtop_app.terminal.ascii_form import ascii_of


class AsciiFilter(LineFilter):
    """Draws with ASCII only; letters that people wrote stay as they are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """A line in ASCII."""
        return [
            segment if segment.text.isascii() else Segment(_form(segment.text), segment.style, segment.control)
            for segment in segments
        ]


@lru_cache(maxsize=4096)
def _form(text: str) -> str:
    return ascii_of(text)
