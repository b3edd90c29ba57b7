"""The dialog that changes one task's policy while the run goes on."""

from __future__ import annotations

from dagtop.core.commands import SetPolicy
from dagtop.core.snapshot import TaskRow
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from dagtop_app.edit_model import FIELDS, Draft, draft, initial
from dagtop_app.lines import Line
from dagtop_app.text import cut, name_of
from dagtop_app.widgets.painted import Painted


class EditDialog(ModalScreen[SetPolicy | None]):
    """Dismissed with the command to send, or None."""

    BINDINGS = [  # noqa: RUF012 - Textual's way
        Binding("escape", "dismiss(None)", "Keep", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, row: TaskRow) -> None:
        super().__init__()
        self._row = row
        start = initial(row.policy)
        # Held here and not looked up: a dialog may be closed again before its parts are mounted.
        self._inputs = {name: Input(start[name], id=name, select_on_focus=True) for name in FIELDS}
        self._notes = {name: Label(meaning, classes="note", markup=False) for name, meaning in FIELDS.items()}
        self._outlook = Painted(id="outlook")
        self._box = Vertical(id="box")

    def compose(self) -> ComposeResult:
        """A line for each field."""
        with self._box:
            for name in FIELDS:
                with Horizontal(classes="field"):
                    yield Label(name)
                    yield self._inputs[name]
                    yield self._notes[name]
            yield self._outlook

    def on_mount(self) -> None:
        """Title, focus, first outlook."""
        self._box.border_title = Content(f"Edit {cut(name_of(self._row.name), 44)}")
        self._box.border_subtitle = Content("Tab next · ⏎ apply · esc keep")
        self._inputs["retries"].focus()
        self.call_after_refresh(self._check)

    def _check(self) -> Draft:
        typed = {name: field.value for name, field in self._inputs.items()}
        now = draft(self._row.name, self._row.policy, typed)
        for name, meaning in FIELDS.items():
            note = self._notes[name]
            note.update(Content(now.errors.get(name, meaning)))
            note.set_class(name in now.errors, "-bad")
        style = "dim" if now.command is None else "good"
        line: Line = ((now.outlook or "not yet: see the red line", style if not now.errors else "bad"),)
        self._outlook.set_lines([line, (("counts from the next decision on; u undoes it", "faint"),)])
        return now

    def on_input_changed(self) -> None:
        """Check as it is typed."""
        self._check()

    def on_input_submitted(self) -> None:
        """Apply, if all is well."""
        now = self._check()
        if not now.errors:
            self.dismiss(now.command)
