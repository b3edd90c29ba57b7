"""Widgets made of lines, drawn from what the view models give. Only lines that changed are drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from dagtop_app.lines import Line, Span, fit_line
from dagtop_app.settings.keymap import rekeyed, unsteered
from dagtop_app.widgets.inks import Inks, inks
from dagtop_app.widgets.messages import Resized

if TYPE_CHECKING:
    _AnyWidget = Widget
else:  # Textual takes the style sheets of a class from its first base that is a widget: the mix-in must be none
    _AnyWidget = object


def lines_of(how: str, page: int) -> int:
    """How many lines a key of moving goes down, or up if negative: "up", "down", "half-up" and so on; 0 for another word."""
    half = max(1, page // 2)
    return {"up": -1, "down": 1, "half-up": -half, "half-down": half, "page-up": -page, "page-down": page}.get(how, 0)


def place_after(how: str, here: int, last: int, page: int) -> int | None:
    """Where a key of moving leads from a line: one of those of `lines_of`, or "top" or "bottom".

    It may be before the first line or after the last one. None for another word, or where there are no lines.
    """
    if last < 0:
        return None
    if how in {"top", "bottom"}:
        return 0 if how == "top" else last
    by = lines_of(how, page)
    return here + by if by else None


class Based(_AnyWidget):
    """Mixed into a widget that works out its own style once, not for every line: that took half of the time to draw one."""

    _base: Style | None = None
    _is_of_replay: bool | None = None

    @property
    def is_of_replay(self) -> bool:
        """Whether it stands on a screen that plays a run, of which nothing can be changed."""
        if self._is_of_replay is None:
            engine = getattr(getattr(self.screen, "bridge", None), "engine", None)
            self._is_of_replay = bool(getattr(engine, "is_replay", False))
        return self._is_of_replay

    @property
    def base(self) -> Style:
        """What lies under everything, as Rich has it."""
        if self._base is None:
            self._base = self.rich_style
        return self._base

    def notify_style_update(self) -> None:
        """Another theme, or another class."""
        self._base = None
        super().notify_style_update()


def paint(widget: Based, line: Line, cells: int, ground: str = "") -> Strip:
    """A line as the terminal gets it. `ground` is a style class laid under all of it."""
    base = widget.base
    styles = inks(widget)
    if ground:
        base += styles[ground]
    line = rekeyed(unsteered(line) if widget.is_of_replay else line)
    if styles.colourless:
        line = without_tails(line, styles)
    segments = [Segment(text, base + styles[style] if style else base) for text, style in line]
    return Strip(segments).adjust_cell_length(cells, base)


def without_tails(line: Line, styles: Inks) -> Line:
    """A line in which no padding is underlined."""
    found: list[Span] = []
    for text, style in line:
        word = text.strip(" ")
        if word != text and style and styles[style].underline:
            before, _, after = text.partition(word) if word else (text, "", "")
            found += [span for span in ((before, ""), (word, style), (after, "")) if span[0]]
        else:
            found.append((text, style))
    return tuple(found)


class Painted(Based, Widget):
    """A few lines, set as a whole; as high as its style says."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []

    @property
    def lines(self) -> Sequence[Line]:
        """What is shown."""
        return self._lines

    def on_resize(self) -> None:
        """What is shown depends on the width."""
        self.post_message(Resized())

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines; those that are as before are not drawn again."""
        for y, line in enumerate(lines):
            if y >= len(self._lines) or self._lines[y] != line:
                self.refresh(Region(0, y, max(1, self.size.width), 1))
        if len(lines) < len(self._lines):
            self.refresh()
        self._lines = list(lines)

    def render_line(self, y: int) -> Strip:
        """One line of the widget."""
        cells = self.size.width
        if y >= len(self._lines):
            return Strip.blank(cells, self.base)
        return paint(self, fit_line(self._lines[y], cells), cells)


class PaintedScroll(Based, ScrollView, can_focus=True, inherit_bindings=False):
    """Any number of lines, of which only the visible ones are drawn."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []

    @property
    def lines(self) -> Sequence[Line]:
        """Everything there is to scroll through."""
        return self._lines

    @property
    def cells(self) -> int:
        """Width of a line."""
        return self.scrollable_content_region.width

    def on_resize(self) -> None:
        """What is shown depends on the width."""
        self.post_message(Resized())

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines; visible ones that are as before are not drawn again."""
        before, self._lines = self._lines, list(lines)
        self.resize_to(len(lines))
        top = self.scroll_offset.y
        for y in range(top, min(top + self.size.height, max(len(before), len(lines)))):
            if y >= len(before) or y >= len(lines) or before[y] != lines[y]:
                self.refresh_line(y)

    def resize_to(self, count: int) -> None:
        """Say how many lines there are."""
        size = Size(self.cells, count)
        if size != self.virtual_size:
            self.virtual_size = size

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        cells, place = self.cells, self.scroll_offset.y + y
        if place >= len(self._lines):
            return Strip.blank(cells, self.base)
        return paint(self, fit_line(self._lines[place], cells), cells)

    def move(self, how: str) -> None:
        """Scroll, see `place_after`."""
        y = place_after(how, self.scroll_offset.y, len(self.lines), max(1, self.size.height))
        if y is not None:
            self.scroll_to(y=y, animate=False, force=True)
