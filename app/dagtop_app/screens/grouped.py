"""The keys that go into and out of groups of tasks, and what other keys do on one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from dagtop.core.snapshot import TaskRow

from dagtop_app.lines import rule
from dagtop_app.screens.commanding import Commanding
from dagtop_app.tasks.grouping import Folding, Pack
from dagtop_app.widgets.painted import Painted

#: Of more marked tasks it is not looked at each whether a key would do something to it.
_LOOKED_AT = 100

_SAID = {
    Folding.ALL: "tasks of one name and a number are one row each; ⏎ goes into it",
    Folding.NONE: "every task is a row of its own",
    Folding.USUAL: "the elements of large maps are one row",
}


#: Views in which a group is one row.
_FOLDED = frozenset({"tasks", "timeline"})


class Grouped(Commanding):
    """Groups in the table: one row that stands for many tasks."""

    @property
    def pack(self) -> Pack | None:
        """The group under the cursor, where groups are shown."""
        if self.view == "graph" and self.graph.sheet is not None:
            return self.graph.pack
        return self.roster.pack if self.view in _FOLDED or self.view == "graph" else None

    @property
    def chosen_rows(self) -> Sequence[TaskRow]:
        """The tasks that keys act on: what is marked, or all of the group under the cursor, or the task there."""
        pack = self.pack
        if pack is None or self.roster.marks:
            return super().chosen_rows
        rows = self.snapshot.rows
        return [rows[index] for index in pack.members if index < len(rows)]

    @property
    def some_chosen(self) -> Sequence[TaskRow]:
        """Some of many chosen tasks, to tell which keys would do something; () if one is chosen."""
        marks, rows, index = self.roster.marks, self.roster.snapshot.rows, self.roster.snapshot.plan.index
        if marks:
            return [rows[index[name]] for name in islice(marks.names, _LOOKED_AT) if name in index]
        pack = self.pack
        return self.table.rolls.of(self.roster.snapshot, pack).some if pack is not None else ()

    @property
    def telling_row(self) -> TaskRow | None:
        """The task under the cursor; of a group the one that is most in need of a look."""
        pack = self.pack
        return self.selected_row if pack is None else self.table.rolls.of(self.roster.snapshot, pack).worst

    def action_select(self) -> None:
        """Mark what is under the cursor, the group that is shown as one or the one task, and go on to the next line."""
        if (pack := self.pack) is None:
            super().action_select()
            return
        rows = self.snapshot.rows
        self.roster.marks.toggle([rows[index].name for index in pack.members if index < len(rows)])
        self.step_on()
        self.draw()

    def action_detail(self) -> None:
        """Go into a group; of a task everything, full size."""
        if (pack := self.pack) is not None and self.view != "graph":
            self.roster.open_group(pack.key)
            self.bridge.say("")
            self.draw()
        else:
            super().action_detail()

    def leave_group(self) -> bool:
        """Back to the table in which the group is one row. False if none is opened."""
        left = self.view in _FOLDED and self.roster.close_group()
        if left:
            self.draw()
        return left

    def action_back(self) -> None:
        """One step back: what is open, marks, the filter, the group."""
        roster = self.roster
        elsewhere = self.is_asking or self.inspector.has_focus or roster.marks or roster.marks.anchor is not None
        if elsewhere or roster.wanted or roster.wanted.error or roster.problems or not self.leave_group():
            super().action_back()

    def turn_groups(self) -> None:
        """Fold all that can be folded, or nothing."""
        self.bridge.say(_SAID[self.roster.grouping.turn()])
        self.roster.touched = True
        self.roster.rebuild()
        self.draw()

    def draw_group_side(self, painted: Painted) -> bool:
        """The inspector of the group under the cursor, and the line above it. False if there is none."""
        pack = self.pack
        if pack is None:
            return False
        from dagtop_app.tasks.grouping_texts import group_side, group_title  # noqa: PLC0415 - few runs have groups

        snapshot = self.roster.snapshot
        label = pack.label or self.roster.grouping.label(pack.key, pack.members)
        rolled = self.table.rolls.of(snapshot, pack)
        left, right = group_title(rolled, label)
        painted.set_lines([rule(left, right, painted.size.width)])
        self.inspector.draw(pack.key, lambda cells, height: group_side(snapshot, rolled, cells, height))
        return True
