"""The dialog that changes the policy of tasks while the run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dagtop.core.commands import SetPolicy
from dagtop.core.snapshot import RunSnapshot, TaskRow

from dagtop_app.screens.form import Form
from dagtop_app.steering.edit_model import MIXED, Known, draft_all, fields_of_all, initial_of_all, more_of
from dagtop_app.steering.filling import Field
from dagtop_app.tasks.marks import whom
from dagtop_app.text import name_of


class EditDialog(Form[tuple[SetPolicy, ...]]):
    """Dismissed with the commands to send, or None."""

    def __init__(self, snapshot: RunSnapshot, rows: Sequence[TaskRow]) -> None:
        start, known = initial_of_all(rows), Known.of(snapshot)
        super().__init__(
            f"Edit {whom([row.name for row in rows], name_of(rows[0].name, 50))}",
            {
                name: Field(start[name], meaning, "" if start[name] == MIXED else more_of(name, known))
                for name, meaning in fields_of_all(rows).items()
            },
            partial(draft_all, rows, start, known=known),
            last=f"{MIXED} is different for each and stays so"
            if MIXED in start.values()
            else "counts from the next decision on; u undoes it",
            subtitle="Tab next · ⏎ apply · esc keep",
        )
