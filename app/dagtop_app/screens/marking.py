"""The keys that mark tasks: what is marked is what other keys act on."""

from __future__ import annotations

from collections.abc import Sequence

from dagtop.core.snapshot import TaskRow

from dagtop_app.screens.steering import Steering
from dagtop_app.tasks.roster import Roster


class Marking(Steering):
    """Marks, on the roster that all views share."""

    roster: Roster

    @property
    def chosen_rows(self) -> Sequence[TaskRow]:
        """The tasks that keys act on: those that are marked, or else the one under the cursor."""
        rows, marks = self.snapshot.rows, self.roster.marks
        if marks:
            return [rows[place] for place in marks.places(self.snapshot.plan) if place < len(rows)]
        row = self.selected_row
        return [row] if row is not None else []

    def draw(self) -> None:
        """Draw everything as it is now."""
        raise NotImplementedError

    def action_select(self) -> None:
        """Mark the task under the cursor, or unmark it, and go on to the next line."""
        if (row := self._chosen()) is None:
            return
        self.roster.marks.toggle([row.name])
        self.step_on()
        self.draw()

    def step_on(self) -> None:
        """To the next line, in a view that has lines."""
        raise NotImplementedError

    def action_select_range(self) -> None:
        """Mark from here to wherever the cursor goes; the second time the range is as it is."""
        marks = self.roster.marks
        if marks.anchor is not None:
            marks.end()
        elif (row := self._chosen()) is not None:
            marks.begin(row.name)
        self.draw()

    def action_select_invert(self) -> None:
        """Of what is shown mark what is not marked, and the other way round."""
        self.roster.invert_marks()
        self.draw()

    def marked_text(self) -> str:
        """How many are marked, and how many of these are not shown; "" if none is."""
        roster = self.roster
        if not roster.marks or not (roster.wanted or roster.problems):
            return roster.marks.told()
        rows = roster.snapshot.rows
        return roster.marks.told({rows[index].name for index in roster.order})

    def clear_marks(self) -> bool:
        """Esc: end a range, then unmark everything. False if nothing was marked."""
        marks = self.roster.marks
        if not marks and marks.anchor is None:
            return False
        marks.clear()
        return True
