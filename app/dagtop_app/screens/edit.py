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
        self._start = initial(row.policy)

    def compose(self) -> ComposeResult:
        """A line for each field."""
        with Vertical(id="box"):
            for name, meaning in FIELDS.items():
                with Horizontal(classes="field"):
                    yield Label(name)
                    yield Input(self._start[name], id=name, select_on_focus=True)
                    yield Label(meaning, id=f"{name}-note", classes="note", markup=False)
            yield Painted(id="outlook")

    def on_mount(self) -> None:
        """Title, focus, first outlook."""
        box = self.query_one("#box")
        box.border_title = Content(f"Edit {cut(name_of(self._row.name), 44)}")
        box.border_subtitle = Content("Tab next · ⏎ apply · esc keep")
        self.query_one("#retries", Input).focus()
        self.call_after_refresh(self._check)

    def _check(self) -> Draft:
        typed = {name: self.query_one(f"#{name}", Input).value for name in FIELDS}
        now = draft(self._row.name, self._row.policy, typed)
        for name, meaning in FIELDS.items():
            note = self.query_one(f"#{name}-note", Label)
            note.update(Content(now.errors.get(name, meaning)))
            note.set_class(name in now.errors, "-bad")
        style = "dim" if now.command is None else "good"
        line: Line = ((now.outlook or "not yet: see the red line", style if not now.errors else "bad"),)
        self.query_one("#outlook", Painted).set_lines(
            [line, (("counts from the next decision on; u undoes it", "faint"),)]
        )
        return now

    def on_input_changed(self) -> None:
        """Check as it is typed."""
        self._check()

    def on_input_submitted(self) -> None:
        """Apply, if all is well."""
        now = self._check()
        if not now.errors:
            self.dismiss(now.command)
