"""The dialog that changes one task's policy while the run goes on."""

from __future__ import annotations

from functools import partial

from dagtop.core.commands import SetPolicy
from dagtop.core.snapshot import RunSnapshot, TaskRow

from dagtop_app.edit_model import Known, draft, fields_of, initial
from dagtop_app.filling import Field
from dagtop_app.screens.form import Form
from dagtop_app.text import name_of


class EditDialog(Form[SetPolicy]):
    """Dismissed with the command to send, or None."""

    def __init__(self, snapshot: RunSnapshot, row: TaskRow) -> None:
        start = initial(row.policy)
        super().__init__(
            f"Edit {name_of(row.name, 50)}",
            {name: Field(start[name], meaning) for name, meaning in fields_of(row.policy).items()},
            partial(draft, row.name, row.policy, known=Known.of(snapshot)),
            last="counts from the next decision on; u undoes it",
            subtitle="Tab next · ⏎ apply · esc keep",
        )
