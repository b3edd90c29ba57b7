"""View 2: the graph, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dagtop_app.chrome.view_model import narrowed_by
from dagtop_app.lines import Span
from dagtop_app.views.base import View
from dagtop_app.widgets.graph_view import GraphView
from dagtop_app.widgets.painted import Painted

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen


class Graph(View[GraphView]):
    """Tasks and what they need, as boxes and lines."""

    name = "graph"
    inspector = "below"
    footer: ClassVar[str] = (
        "task.detail graph.focus graph.critical graph.less graph.more graph.fit graph.fold graph.logs task.why task.cancel"
        " task.restart app.command task.restart-downstream task.hold look.filter edit.undo graph.map graph.tree run.pause"
        " run.drain app.quit"
    )

    def __init__(self, desk: MainScreen) -> None:
        super().__init__(desk)
        foot = Painted(id="graph-foot")
        self.pane = GraphView(foot, id="drawing")
        self.parts = (self.pane, foot)

    def show(self, *, moved: bool = False) -> None:
        roster = self.desk.roster
        self.pane.mark(roster.marks)
        self.pane.critical.usual = self.desk.bridge.usual
        self.pane.show(roster.snapshot, roster.selected, self.desk.sought(), roster.drawn_level)

    def title(self) -> tuple[list[Span], list[Span]]:
        left, right = self.pane.title()
        roster = self.desk.roster
        return [*left, *narrowed_by(roster.wanted.text, problems=roster.problems)], right

    def do(self, what: str) -> object:
        if what == "tree":
            self.desk.action_do("tree", "tasks")
            return None
        return self.pane.do(what)

    def opened(self) -> bool:
        return self.pane.do("open")

    def back(self) -> bool:
        return self.pane.do("back")
