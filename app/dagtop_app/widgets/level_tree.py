"""The tree of all levels of a graph of graphs: one line per node, with what its tasks come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dagtop.core.snapshot import RunSnapshot, TaskRow

from dagtop_app.levels.model import relative
from dagtop_app.levels.texts import node_line
from dagtop_app.lines import Line
from dagtop_app.tasks.roster import Roster
from dagtop_app.tasks.table_columns import LAYERS
from dagtop_app.widgets.task_table import ColumnHead, TaskTable


class Tree(Roster):
    """The nodes in the order of the tree; the cursor follows the one of the tasks."""

    def __init__(self, main: Roster) -> None:
        super().__init__()
        self.levels = main.levels
        self.sort = LAYERS
        self.touched = True

    @property
    def by_level(self) -> bool:
        """All levels are shown."""
        return False

    def take(self, snapshot: RunSnapshot, selected: int | None, level: str) -> None:
        """What is shown now; the cursor is on the node that is selected, or that what is selected is in."""
        self.snapshot = snapshot
        if selected is not None and not self.levels.is_node(selected):
            selected = self.levels.node_of(self.levels.home(selected))
        self.selected = selected if selected is not None else self.levels.node_of(level)
        self.rebuild()

    def _wanted(self) -> Sequence[int]:
        return self.levels.tree()

    def _sorted(self, shown: Sequence[int]) -> Sequence[int]:
        return shown


class LevelTree(TaskTable):
    """A table of nodes."""

    roster: Tree

    def __init__(self, main: Roster, head: ColumnHead, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(Tree(main), head, id=id)

    def names(self) -> Iterable[str]:
        """As they stand in the tree."""
        levels, names = self.roster.levels, self.roster.snapshot.plan.names
        for index in levels.tree():
            yield f"{'  ' * levels.depth(index)}{relative(names[index], levels.home(index))} >"

    def line(self, row: TaskRow, *, cursor: bool) -> Line:
        """One node."""
        levels = self.roster.levels
        name = relative(row.name, levels.home(row.index))
        return node_line(levels, row, self._cols, name, cursor=cursor, indent=levels.depth(row.index))

    def take(self, snapshot: RunSnapshot, selected: int | None, level: str) -> None:
        """Draw the snapshot."""
        self.roster.take(snapshot, selected, level)
        self.show(moved=True)
