"""The views, one above the other, of which one is shown. All but the first are made when they are first shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from dagtop_app.roster import Roster
from dagtop_app.widgets.painted import Painted
from dagtop_app.widgets.task_table import ColumnHead, TaskTable

if TYPE_CHECKING:
    from dagtop_app.widgets.graph_view import GraphView
    from dagtop_app.widgets.level_tree import LevelTree
    from dagtop_app.widgets.log_pane import LogPane


class Stage(Vertical):
    """The line above the view, and the view."""

    view = "tasks"
    """What is shown: "tasks", "graph", "logs" or "meta"."""

    def __init__(self, roster: Roster, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.rule = Painted(id="rule")
        self._head = ColumnHead(id="head")
        self.table = TaskTable(roster, self._head, id="table")
        self._graph: GraphView | None = None
        self._foot: Painted | None = None
        self._logs: LogPane | None = None
        self._roster = roster
        self._tree: LevelTree | None = None

    def compose(self) -> ComposeResult:
        """What the first paint needs."""
        yield self.rule
        yield self._head
        yield self.table

    @property
    def graph(self) -> GraphView:
        """View 2."""
        if self._graph is None:
            from dagtop_app.widgets.graph_view import GraphView  # noqa: PLC0415 - a tenth of all that start-up would load

            self._foot = Painted(id="graph-foot")
            self._graph = GraphView(self._foot, id="drawing")
            self._mount(self._graph, self._foot)
        return self._graph

    @property
    def has_logs(self) -> bool:
        """Whether view 4 has been shown."""
        return self._logs is not None

    @property
    def log_pane(self) -> LogPane:
        """View 4."""
        if self._logs is None:
            from dagtop_app.widgets.log_pane import LogPane  # noqa: PLC0415 - as above

            self._logs = LogPane(id="logs")
            self._mount(self._logs)
        return self._logs

    @property
    def level_tree(self) -> LevelTree:
        """View 0."""
        if self._tree is None:
            from dagtop_app.widgets.level_tree import LevelTree  # noqa: PLC0415 - as above

            self._tree = LevelTree(self._roster, self._head, id="tree")
            self._mount(self._tree)
        return self._tree

    @property
    def pane(self) -> TaskTable | GraphView | LogPane:
        """The view that is shown."""
        match self.view:
            case "graph":
                return self.graph
            case "logs":
                return self.log_pane
            case "meta":
                return self.level_tree
            case _:
                return self.table

    def show(self, view: str) -> None:
        """Show another view."""
        self.view = view
        shown = self.pane  # makes it
        self.table.display = shown is self.table
        self._head.display = isinstance(shown, TaskTable)
        for part, whose in ((self._graph, "graph"), (self._foot, "graph"), (self._logs, "logs"), (self._tree, "meta")):
            if part is not None:
                part.display = whose == view

    def _mount(self, *parts: Widget) -> None:
        self.mount(*parts)
        for part in parts:
            part.display = False
