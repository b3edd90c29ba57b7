"""The menu of themes: what the cursor is on is what the console looks like, until it is taken or left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual import events

from dagtop_app.faces import TASK_FACES, drawn
from dagtop_app.lines import Line
from dagtop_app.screens.popup import Choice, Popup

if TYPE_CHECKING:
    from dagtop_app.settings.themed import Themed

#: What our own themes are for.
_MEANT: Mapping[str, str] = {
    "dagtop-dark": "usual",
    "dagtop-light": "light",
    "dagtop-cvd": "colour-blind",
    "dagtop-contrast": "high contrast",
}

#: Behind the name that is taken for good.
KEEP = "keep:"


def theme_choices(ours: Sequence[str], own: Sequence[str], others: Sequence[str]) -> list[Choice]:
    """One answer for each theme: ours, the user's, Textual's."""
    names = [*dict.fromkeys([*ours, *own, *others])]
    widest = max(len(name) for name in names)
    notes = {**dict.fromkeys(others, "Textual"), **_MEANT, **dict.fromkeys(own, "yours")}
    return [Choice((), "", f"{name:<{widest}}  {notes.get(name, '')}", name) for name in names]


def _sample() -> Line:
    """How states look in it."""
    faces = list(TASK_FACES.values())
    return tuple(span for face in faces for span in ((f"{drawn(face)} ", face.style),))


class ThemePicker(Popup):
    """Dismissed with a theme's name, one behind `KEEP`, or None: then it is as it was before."""

    app: Themed

    def __init__(self, choices: Sequence[Choice], at: int) -> None:
        super().__init__("Theme", [_sample()], choices, pick=True, at=at, note="⏎ takes · s for good · esc")
        self._shown_at = at

    def _draw(self) -> None:
        super()._draw()
        lines = len(self._body) + 1
        top, height = (
            self._text.scroll_offset.y,
            max(1, int(self._text.styles.height.value) if self._text.styles.height else 1),
        )
        place = lines + self._at
        if place >= top + height or place < top:
            self._text.scroll_to(
                y=max(0, place - height + 1 if place >= top else place - lines), animate=False, force=True
            )
        if self._at != self._shown_at:
            self._shown_at = self._at
            self.app.theme = self.choices[self._at].value

    def on_key(self, event: events.Key) -> None:
        """As any menu; s takes it for good, and Home, End and the letters of names go far."""
        if event.key == "s":
            event.stop()
            event.prevent_default()
            self.dismiss(f"{KEEP}{self.choices[self._at].value}")
        elif event.key in {"home", "g", "end", "G"}:
            event.stop()
            event.prevent_default()
            self._at = 0 if event.key in {"home", "g"} else len(self.choices) - 1
            self._draw()
        else:
            super().on_key(event)
