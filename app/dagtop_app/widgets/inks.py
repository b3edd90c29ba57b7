"""The style classes of the view models as Rich styles: worked out when first drawn with, once per theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from dagtop_themes.inks import COLOURLESS, INKS
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.css.styles import Styles
from textual.widget import Widget


class Inks(dict[str, Style]):
    """The Rich style of each style class under one theme.

    Not component classes of the widgets: Textual works each of those out again for each widget whenever any class on the
    screen changes, which took four fifths of the time to the first paint.
    """

    def __init__(self, variables: Mapping[str, str], *, colourless: bool) -> None:
        super().__init__()
        self.variables = variables
        self.colourless = colourless

    def __missing__(self, name: str) -> Style:
        """Mix a style, once."""
        style = self[name] = self._styles(name).partial_rich_style
        return style

    def color(self, name: str) -> Color:
        """The colour of the text, to mix it with others."""
        return self._styles(name).color

    def _styles(self, name: str) -> Styles:
        ink, styles = INKS[name], Styles()
        if ink.color:
            styles.color = self._color(ink.color)
        if ink.background:
            styles.background = self._color(ink.background)
        text_style = COLOURLESS.get(name, ink.text_style) if self.colourless else ink.text_style
        if text_style:
            styles.text_style = text_style
        return styles

    def _color(self, name: str) -> Color | str:
        """A variable's value; what Textual's own themes call "auto 60%" is so much of black or white on the background."""
        value = self.variables[name]
        if not value.startswith("auto"):
            return value
        paper = Color.parse(self.variables["background"])
        share = value.removeprefix("auto").strip().removesuffix("%")
        return paper.blend(paper.get_contrast_text(1.0), float(share) / 100 if share else 1.0, 1.0)


_known: WeakKeyDictionary[App[Any], Inks] = WeakKeyDictionary()


def inks(widget: Widget) -> Inks:
    """The styles of the widget's app as its theme is now."""
    app = widget.app
    known = _known.get(app)
    if known is None or known.variables is not app.theme_variables:
        known = _known[app] = Inks(app.theme_variables, colourless=app.no_color)
    return known
