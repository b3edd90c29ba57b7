"""The colours of the console: our themes, the user's own, read again when they are written, and without any."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagtop_themes
from textual.app import App
from textual.filter import LineFilter
from textual.theme import Theme
from textual.widget import Widget

from dagtop_app import faces
from dagtop_app.settings import theming
from dagtop_app.widgets.ascii_filter import AsciiFilter

#: Where a theme that is not ours gets the colours of our style classes from.
_FALLBACK = {
    "run": "text-primary", "queue": "text-accent", "wait": "text-muted", "retry": "text-warning", "ok": "text-success",
    "fail": "text-error", "block": "text-secondary", "skip": "text-muted", "stop": "text-secondary", "held": "text-accent",
    "dim": "text-muted", "faint": "text-muted", "rule": "panel-lighten-2", "off": "text-muted", "bar": "panel-lighten-2",
    "key": "text-accent", "cursor": "panel", "chip": "panel",
}  # fmt: skip

#: The theme that needs no choice.
FIRST = "dagtop-dark"
#: The one of a terminal without colours, as NO_COLOR asks for: bold, underline and reverse carry what they did.
COLOURLESS = "ansi-dark"

#: Seconds between two looks at whether a theme was written.
_LOOK = 0.25


class Themed(App[None]):
    """An app with themes of ours and of the user's.

    Parameters
    ----------
    theme: the one to begin with; "" or None is the usual one.
    themes: the folder of the user's own.
    """

    def __init__(self, *, theme: str | None, themes: Path | None) -> None:
        self.is_colourless = "NO_COLOR" in os.environ
        self._first = "" if self.is_colourless or theme not in {None, "", FIRST} else FIRST
        self._themes = themes
        self._read = theming.Themes()
        self._written = False
        self.is_ascii = faces.ASCII
        self._ascii = AsciiFilter()
        super().__init__(ansi_color=True if self.is_colourless else None)
        if not self._first:
            wanted = COLOURLESS if self.is_colourless else theme or FIRST
            self.theme = wanted if wanted in self.available_themes else FIRST

    def _register_palettes(self) -> None:
        """Called when Textual asks for the first colours, so that the style sheet is not read in its own ones before."""
        for palette in dagtop_themes.palettes():
            self.register_theme(theme_of(palette))
        if self._themes is not None and not self.is_colourless:
            self._read = theming.read_themes(self._themes)
            for palette in self._read.palettes:
                self.register_theme(theme_of(palette))
        if self._first:
            self.set_reactive(App.theme, self._first)
            self.add_class(f"-theme-{self._first}", update=False)

    def get_css_variables(self) -> dict[str, str]:
        """Textual's, and for every theme the colours of our style classes."""
        if FIRST not in self.available_themes:
            self._register_palettes()
        variables = super().get_css_variables()
        for name, source in _FALLBACK.items():
            variables.setdefault(f"dt-{name}", variables[source])
        return variables

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, and ours where only ASCII is to be drawn."""
        filters = super().get_line_filters()
        return [*filters, self._ascii] if self.is_ascii else filters

    def begin_themes(self) -> None:
        """Once the app is there: have what is painted follow the theme, and the theme its file."""
        self.theme_changed_signal.subscribe(self, self._repaint)
        if self._themes is not None:
            self.set_interval(_LOOK, self._look_at_themes)
        self.tell_of_themes(self._read.problems)

    def _repaint(self, _: Theme) -> None:
        """Widgets know their own colours, but not those of the style classes in them."""
        for screen in self.screen_stack:
            for widget in screen.walk_children(Widget):
                widget.refresh()

    # -- choosing --------------------------------------------------------------------------------------------

    def pick_theme(self) -> None:
        """The menu of themes, which shows each before it is taken."""
        from dagtop_app.screens.theme_picker import KEEP, ThemePicker, theme_choices  # noqa: PLC0415 - only when it is wanted

        if self.is_colourless:
            self.tell("NO_COLOR is set: there are no colours to choose from")
            return
        ours = [palette.name for palette in dagtop_themes.palettes()]
        others = [
            name for name in self.available_themes if name not in {*ours, *self.own_themes} and "ansi" not in name
        ]
        choices = theme_choices(ours, self.own_themes, others)
        before, names = self.theme, [choice.value for choice in choices]

        def chosen(name: str | None) -> None:
            if name is None:
                self.theme = before
            else:
                self.theme = name.removeprefix(KEEP)
                self.keep_theme(self.theme) if name.startswith(KEEP) else self.tell(f"theme {self.theme}")

        self.push_screen(ThemePicker(choices, names.index(before) if before in names else 0), chosen)

    def keep_theme(self, name: str) -> None:
        """Have a theme from now on, in later runs too."""

    def tell(self, text: str) -> None:
        """Say something that is neither good nor bad."""

    # -- the user's own --------------------------------------------------------------------------------------

    @property
    def own_themes(self) -> tuple[str, ...]:
        """The names of the user's."""
        return tuple(palette.name for palette in self._read.palettes)

    def hear_of_themes(self) -> None:
        """A theme was written; may be called from any thread."""
        self._written = True

    def _look_at_themes(self) -> None:
        if self._written:
            self._written = False
            self.read_themes_again()

    def read_themes_again(self) -> None:
        """Take what the files say now. One that is broken, or gone, leaves its colours as they were."""
        if self._themes is None or self.is_colourless:
            return
        before = {palette.name: palette for palette in self._read.palettes}
        read = theming.read_themes(self._themes)
        now = {palette.name: palette for palette in read.palettes}
        self._read = read
        for name, palette in now.items():
            if before.get(name) != palette:
                self.register_theme(theme_of(palette))
        if self.theme in now and before.get(self.theme) != now[self.theme]:
            self.mutate_reactive(App.theme)
        self.tell_of_themes(read.problems)

    def tell_of_themes(self, problems: tuple[str, ...]) -> None:
        """Say what is wrong with the user's themes."""


def theme_of(palette: dagtop_themes.Palette) -> Theme:
    """A palette as Textual wants it."""
    base: Any = palette.base
    return Theme(
        name=palette.name,
        dark=palette.dark,
        primary=base["primary"],
        secondary=base["secondary"],
        accent=base["accent"],
        success=base["success"],
        warning=base["warning"],
        error=base["error"],
        foreground=base["foreground"],
        background=base["background"],
        surface=base["surface"],
        panel=base["panel"],
        variables={f"dt-{name}": colour for name, colour in palette.states.items()},
    )
