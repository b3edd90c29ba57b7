"""The line that `:` opens: commands with arguments, completed, and weighed while they are typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label

from dagtop_app.lines import Line, Span, fit_line, rule
from dagtop_app.screens.asked import Asked
from dagtop_app.text import fit, width
from dagtop_app.widgets.painted import Painted
from dagtop_app.widgets.typed import Typed
from dagtop_app.words.completing import Offer
from dagtop_app.words.palette import Outlook

#: So many offers are shown at once, where there is room.
_SHOWN = 8
#: So many lines are remembered.
_REMEMBERED = 200


class Words(NamedTuple):
    """What the line asks while it is typed."""

    offers: Callable[[str], list[Offer]]
    outlook: Callable[[str], Outlook]


class CommandLine(Asked[str | None]):
    """Dismissed with what was entered, or None.

    Parameters
    ----------
    words: what could come next, and what the line would do.
    history: earlier lines, oldest first; a line that is entered is put there.
    begin: what stands in it at first.
    """

    SIGN = ":"
    takes_first = False
    """Whether the first offer is chosen unless another one is."""

    def __init__(self, words: Words, history: list[str], begin: str = "") -> None:
        super().__init__()
        self._words = words
        self._history = history
        self._back = 0
        """How far back in the history; 0: what is typed now."""
        self._draft = begin
        self._offers: list[Offer] = []
        self._at: int | None = None
        """Which offer is chosen."""
        self.input = Typed(begin, id="command", select_on_focus=False)
        self.input.early = len(begin)
        self.list = Painted(id="offers")
        self._outlook = Painted(id="command-outlook")

    def compose(self) -> ComposeResult:
        """From the bottom up: the line, what it would do, what could come next."""
        with Vertical(id="command-box"):
            yield self.list
            yield self._outlook
            with Horizontal(id="command-row"):
                yield Label(self.SIGN, id="command-sign")
                yield self.input

    def on_mount(self) -> None:
        """Ready to type."""
        self.input.focus()
        self.input.cursor_position = len(self.input.value)
        self.call_after_refresh(self.renew)

    def on_resize(self) -> None:
        """Another size."""
        self.call_after_refresh(self.renew)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Every letter counts."""
        event.stop()
        self._at = None
        self.renew()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the chosen offer; else the line is entered."""
        event.stop()
        if self._at is not None:
            self.take(self._offers[self._at])
        else:
            self.enter(event.value.strip())

    def enter(self, line: str) -> None:
        """The line as it stands is meant."""
        if line and line not in self._history[-1:]:
            self._history.append(line)
            del self._history[:-_REMEMBERED]
        self.dismiss(line or None)

    def types_early(self, event: events.Key) -> bool:
        """Letters that came before the line had the focus, and the Enter behind them, are meant for it all the same."""
        if event.key == "enter" and not self.input.has_focus:
            self.enter(self.input.value.strip())
            return True
        return self.input.takes_early(event)

    def on_key(self, event: events.Key) -> None:
        """Keys that are no letters."""
        match event.key:
            case "escape" | "ctrl+c":
                self.dismiss(None)
            case "backspace" if not self.input.value:
                self.dismiss(None)
            case "tab":
                if self._offers:
                    self.take(self._offers[self._at or 0])
            case "down" | "ctrl+n":
                self._choose(1)
            case "up" | "shift+tab":
                if self._at is None and (not self.input.value or self._back):
                    self._recall(1)
                else:
                    self._choose(-1)
            case _:
                return
        event.stop()
        event.prevent_default()

    def _choose(self, step: int) -> None:
        if self._back and self._at is None:
            self._recall(-step)
        elif self._offers:
            last = len(self._offers) - 1
            if self._at is None:
                self._at = 0 if step > 0 else last
            else:
                place = self._at + step
                self._at = place if 0 <= place <= last else None
            self._draw()

    def _recall(self, step: int) -> None:
        """An earlier line, or a later one."""
        if not self._back:
            self._draft = self.input.value
        self._back = max(0, min(len(self._history), self._back + step))
        with self.prevent(Input.Changed):
            self.input.value = self._history[-self._back] if self._back else self._draft
        self.input.cursor_position = len(self.input.value)
        self.renew()

    def take(self, offer: Offer) -> None:
        """An offer is put into the line."""
        self._at, self._back = None, 0
        self.input.value = offer.line
        self.input.cursor_position = len(offer.line)

    def renew(self) -> None:
        """Ask again: another letter, or the run went on."""
        text = self.input.value
        self._offers = self._words.offers(text)
        if self._at is not None and self._at >= len(self._offers):
            self._at = None
        if self.takes_first and self._at is None and self._offers:
            self._at = 0
        self._draw()

    def _draw(self) -> None:
        cells = self.size.width
        if not cells:
            return
        said = self._words.outlook(self.input.value)
        if said.tone == "warn" and self._offers and not self.input.value.endswith(" "):
            said = said._replace(tone="dim")  # a word is still being typed
        more = len(self._offers)
        note: list[Span] = [(f"{(self._at or 0) + 1}/{more:,}" if self._at is not None else f"{more:,} offered", "dim")]
        self._outlook.set_lines([rule([(said.text, said.tone)], note if more else [], cells)])
        lines = offer_lines(self._offers, self._at, cells, max(0, min(_SHOWN, self.size.height - 6)))
        self.list.styles.height = len(lines)
        self.list.display = bool(lines)
        self.list.set_lines(lines)


def offer_lines(offers: Sequence[Offer], at: int | None, cells: int, most: int) -> list[Line]:
    """The offers around the chosen one, each in one line."""
    first = 0 if at is None else max(0, min(at - most // 2, len(offers) - most))
    shown = offers[first : first + most]
    widest = min(max((width(offer.shown) for offer in shown), default=0), max(12, cells * 2 // 5))
    lines: list[Line] = []
    for place, offer in enumerate(shown, first):
        on = place == at
        spans: list[Span] = [
            ("▌" if on else " ", "mark"),
            (fit(offer.shown, widest), "strong" if on else "key"),
            ("  ", ""),
            (offer.note, "dim"),
        ]
        lines.append(fit_line(spans, cells))
    return lines
