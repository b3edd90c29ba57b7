"""A box above the console: a question with keys, a menu, or a text to scroll."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from dagtop_app.chrome.view_model import is_small
from dagtop_app.lines import Line, Span, line_width
from dagtop_app.screens.asked import Asked
from dagtop_app.text import clean, cut, width, wrap
from dagtop_app.widgets.painted import PaintedScroll

#: Seconds between two looks at a run that goes on below a question.
_RENEWED_EVERY = 0.1


class Choice(NamedTuple):
    """One answer."""

    keys: tuple[str, ...]
    """Textual's names of the keys that give it."""
    shown: str
    label: str
    value: str
    tone: str = ""
    """Style class of the label."""


class Question(NamedTuple):
    """What a popup asks, as things are now."""

    title: str
    lines: Sequence[Line]
    choices: Sequence[Choice]


class Popup(Asked[str | None]):
    """Lines, and answers below them. Dismissed with an answer's value, or None by Esc.

    With `pick` the answers are a menu: up and down move, Enter takes. Otherwise up and down scroll. `renew` gives the
    question anew while it is open, or None if it is still the same. With `fold` lines that are too wide go on below.
    """

    def __init__(
        self,
        title: str,
        lines: Sequence[Line],
        choices: Sequence[Choice] = (),
        *,
        note: str = "",
        pick: bool = False,
        grave: bool = False,
        full: bool = False,
        fold: bool = False,
        at: int = 0,
        renew: Callable[[], Question | None] | None = None,
    ) -> None:
        super().__init__()
        self._renew = renew
        self._title_text = cut(clean(title), 90)
        self._body = list(lines)
        self.choices = list(choices)
        self._note = note
        self._pick = pick
        self._full, self._grave, self._fold = full, grave, fold
        self._at = at
        # Held here and not looked up: a popup may be closed again before its parts are mounted.
        self._text = PaintedScroll(id="text")
        self._box = Vertical(id="box", classes=f"{'-grave' if grave else ''} {'-full' if full else ''}")

    def compose(self) -> ComposeResult:
        """One box."""
        with self._box:
            yield self._text

    def on_mount(self) -> None:
        """Set the title and draw."""
        self._box.border_title = Content(self._title_text)
        if self._note:
            self._box.border_subtitle = Content(self._note)
        self._draw()
        self._text.focus()
        if self._renew is not None:
            self.set_interval(_RENEWED_EVERY, self.renew)

    def on_resize(self) -> None:
        """Another size."""
        self._draw()

    def _shown(self) -> list[Line]:
        lines: list[Line] = [] if self.choices and is_small(*self.app.size) else list(self._body)
        if self.choices and lines:
            lines.append(())
        widest = max((len(choice.shown) for choice in self.choices), default=0)
        for place, choice in enumerate(self.choices):
            on = self._pick and place == self._at
            spans: list[Span] = [("▌" if on else " ", "mark"), (f"{choice.shown:<{widest}}  ", "key")]
            spans.append((choice.label, "strong" if on else choice.tone))
            lines.append(tuple(spans))
        if not (self._grave or self._fold):
            return lines
        indent = 4 if self._fold else widest + 3
        folded = [part for line in lines for part in _folded(line, self._room, indent)]
        return folded if self._fold or len(folded) <= self._high else lines

    @property
    def _high(self) -> int:
        return max(1, self.app.size.height * 92 // 100 - 5)

    @property
    def _room(self) -> int:
        return max(20, self.app.size.width * 94 // 100 - 8)

    def renew(self) -> None:
        """Ask what is to be asked now: the run went on."""
        question = self._renew() if self._renew is not None else None
        if question is not None and self.is_mounted:
            self._title_text = cut(clean(question.title), 90)
            self._box.border_title = Content(self._title_text)
            self._body, self.choices = list(question.lines), list(question.choices)
            self._draw()

    def _draw(self) -> None:
        lines, text = self._shown(), self._text
        if not self._full:
            widest = max([line_width(line) for line in lines] + [len(self._title_text) + 4, 30])
            text.styles.width = min(widest + 1, self._room)
            text.styles.height = min(len(lines), self._high)
        text.set_lines(lines)
        text.refresh()

    def on_key(self, event: events.Key) -> None:
        """Answer, move or scroll."""
        event.stop()
        event.prevent_default()
        key = event.key
        for choice in self.choices:
            if key in choice.keys:
                self.dismiss(choice.value)
                return
        if key in {"escape", "q", "ctrl+c", "ctrl+q"} or (not self.choices and key in {"enter", "question_mark"}):
            self.dismiss(None)
        elif self._pick and key == "enter":
            self.dismiss(self.choices[self._at].value)
        elif self._pick and key in {"up", "k", "down", "j"}:
            self._at = (self._at + (-1 if key in {"up", "k"} else 1)) % len(self.choices)
            self._draw()
        else:
            self._scroll(key)

    def _scroll(self, key: str) -> None:
        moves = {
            "up": "up", "k": "up", "down": "down", "j": "down", "pageup": "page-up", "pagedown": "page-down",
            "space": "page-down", "home": "top", "g": "top", "end": "bottom", "G": "bottom",
            "ctrl+d": "half-down", "ctrl+u": "half-up",
        }  # fmt: skip
        if key in moves:
            self._text.move(moves[key])


def _folded(line: Line, cells: int, indent: int) -> list[Line]:
    """A line as several, if it is wider: what is to be decided upon is read to its end. A glyph stays with its name."""
    if line_width(line) < cells:
        return [line]
    lines: list[Line] = []
    row: list[Span] = []
    for place, (text, style) in enumerate(line):
        follows = width(line[place + 1][0].rstrip()) if width(text) <= 2 and place + 1 < len(line) else 0
        used = line_width(row)
        if row and used > indent and used + width(text.rstrip()) + follows >= cells:
            lines.append(tuple(row))
            row = [(" " * indent, "")]
        left = cells - line_width(row) - 1
        *full, last = [text] if width(text) <= left else wrap(text, max(10, left)) or [""]
        for part in full:
            lines.append((*row, (part, style)))
            row = [(" " * indent, "")]
        row.append((last, style))
    return [*lines, tuple(row)]
