"""View 0: the tree of all nodes of a graph of graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dagtop_app.lines import Span
from dagtop_app.views.base import View
from dagtop_app.widgets.level_tree import LevelTree

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen


class Meta(View[LevelTree]):
    """One line for each node, with what its tasks come to."""

    name = "meta"
    footer: ClassVar[str] = (
        "task.detail task.logs task.why task.cancel task.restart task.restart-downstream task.hold view.tasks look.filter"
        " level.flat app.command edit.undo app.quit"
    )

    def __init__(self, desk: MainScreen) -> None:
        super().__init__(desk)
        head = desk.stage.tasks.head
        self.pane = LevelTree(desk.roster, head, id="tree")
        self.parts = (head, self.pane)

    def show(self, *, moved: bool = False) -> None:
        roster = self.desk.roster
        self.pane.take(roster.snapshot, roster.selected, roster.level)

    def title(self) -> tuple[list[Span], list[Span]]:
        return self.desk.tree_title()
