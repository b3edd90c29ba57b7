"""A few fields to fill in, checked as they are typed: for reasons, values, limits and policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Label

from dagtop_app import faces
from dagtop_app.lines import Line
from dagtop_app.screens.asked import Asked
from dagtop_app.steering.filling import Checked, Field
from dagtop_app.text import clean, cut
from dagtop_app.widgets.painted import Painted

T = TypeVar("T")


class Form(Asked[T | None]):
    """Dismissed with what was filled in, or None."""

    BINDINGS = [  # noqa: RUF012 - Textual's way
        Binding("escape", "dismiss(None)", "Keep", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(
        self,
        title: str,
        fields: Mapping[str, Field],
        check: Callable[[Mapping[str, str]], Checked[T]],
        *,
        lines: Sequence[Line] = (),
        last: str = "",
        subtitle: str = "⏎ go on · esc keep",
    ) -> None:
        super().__init__()
        self._title_text, self._subtitle = cut(clean(title), 60), subtitle
        self._said = check
        self._above, self._last = list(lines), last
        self._meanings = {name: field.note for name, field in fields.items()}
        self._more = {name: field.more for name, field in fields.items()}
        # Held here and not looked up: a dialog may be closed again before its parts are mounted.
        self.inputs = {
            name: Input(field.initial, id=name.replace(" ", "-"), select_on_focus=True)
            for name, field in fields.items()
        }
        self._labels = {name: Label(f" {name}", markup=False) for name in fields}
        self._notes = {name: Label(field.note, classes="note", markup=False) for name, field in fields.items()}
        self._text = Painted(id="text-above")
        self._outlook = Painted(id="outlook")
        self._box = Vertical(id="box")

    def compose(self) -> ComposeResult:
        """A line for each field."""
        with self._box:
            if self._above:
                self._text.styles.height = len(self._above) + 1
                yield self._text
            with VerticalScroll(id="fields", can_focus=False):
                for name, field in self.inputs.items():
                    with Horizontal(classes="field"):
                        yield self._labels[name]
                        yield field
                        yield self._notes[name]
            yield self._outlook

    def on_mount(self) -> None:
        """Title, focus, first outlook."""
        self._box.border_title = Content(self._title_text)
        self._box.border_subtitle = Content(self._subtitle)
        next(iter(self.inputs.values())).focus()
        self._text.set_lines(self._above)
        self.call_after_refresh(self.check)

    def check(self) -> Checked[T]:
        """What the fields say now, shown below them."""
        now = self._said({name: field.value for name, field in self.inputs.items()})
        for name, note in self._notes.items():
            wrong = now.errors.get(name)
            note.update(Content(self._meanings[name] if wrong is None else f"{_wrong()} {wrong}"))
            note.set_class(name in now.errors, "-bad")
        style = "bad" if now.errors else "dim" if now.result is None else "good"
        line: Line = ((now.outlook or _told(now.errors), style),)
        self._outlook.set_lines([line, ((self._told_last, "faint"),)])
        return now

    @property
    def _told_last(self) -> str:
        """What there is to know of the field that is typed into, else of all of it."""
        typed = next((name for name, field in self.inputs.items() if field.has_focus), "")
        return self._more.get(typed) or self._last

    def on_descendant_focus(self, _: events.DescendantFocus) -> None:
        """Mark the field that is typed into, without a colour too."""
        edge = ">" if faces.ASCII else "▌"
        for name, label in self._labels.items():
            label.update(Content(f"{edge if self.inputs[name].has_focus else ' '}{name}"))
        self.check()

    def on_input_changed(self) -> None:
        """Check as it is typed."""
        self.check()

    def on_input_submitted(self) -> None:
        """Done, if all is well."""
        now = self.check()
        if not now.errors:
            self.dismiss(now.result)


def _wrong() -> str:
    return "!" if faces.ASCII else "✖"


def _told(errors: Mapping[str, str]) -> str:
    """What keeps the form from being done, with the field's name; "" if nothing does."""
    wrong = [f"{_wrong()} {name}: {text}" for name, text in errors.items()]
    return f"not yet: {' · '.join(wrong)}" if wrong else ""
