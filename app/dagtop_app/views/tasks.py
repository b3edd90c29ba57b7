"""View 1: the table of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dagtop_app.chrome.view_model import table_title
from dagtop_app.lines import Span
from dagtop_app.text import plural
from dagtop_app.views.base import View
from dagtop_app.widgets.task_table import ColumnHead, TaskTable

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen


class Tasks(View[TaskTable]):
    """One line for each task."""

    name = "tasks"
    footer: ClassVar[str] = (
        "task.detail task.logs task.why task.cancel task.restart task.hold task.edit look.filter app.command"
        " task.mark task.restart-downstream edit.undo look.problems run.retry-failed task.where look.sort run.more run.fewer"
        " run.breaker run.pool run.pause run.drain app.quit"
    )

    def __init__(self, desk: MainScreen) -> None:
        super().__init__(desk)
        self.head = ColumnHead(id="head")
        self.pane = TaskTable(desk.roster, self.head, id="table")
        self.parts = (self.head, self.pane)

    def show(self, *, moved: bool = False) -> None:
        self.pane.show(moved=moved)

    def do(self, what: str) -> object:
        roster = self.desk.roster
        if what == "tree":
            self.desk.sort_by("lanes")
        elif what == "lanes":
            self.desk.sort_by("problems" if roster.sort == "lanes" else "lanes")
        elif what == "group":
            self.desk.turn_groups()
        return None

    def title(self) -> tuple[list[Span], list[Span]]:
        roster = self.desk.roster
        left, right = table_title(
            self.desk.snapshot,
            len(roster.order) - roster.kept,
            roster.sort,
            roster.wanted.text,
            reverse=roster.reverse,
            problems=roster.problems,
        )
        return self._group_title() or self.desk.level_title(left), right

    def _group_title(self) -> list[Span]:
        """Of an opened group which, and of a table with groups how many; [] without any."""
        roster = self.desk.roster
        grouping, order = roster.grouping, roster.order
        if roster.wanted or roster.problems or roster.sort == "lanes":  # of what is shown then nothing is folded
            return []
        if grouping.opened:
            label = grouping.opened_label(order)
            return [("Tasks ", "title"), (label, ""), (f" · {plural(len(order), 'task')}", "dim")]
        if not grouping.packs:
            return []
        groups = plural(len(grouping.packs), "group")
        if roster.levels.there:
            return [*self.desk.level_title([]), (f", {groups}", "dim")]
        return [("Tasks ", "title"), (f"{len(roster.snapshot.rows):,}", ""), (f" · {groups}", "dim")]
