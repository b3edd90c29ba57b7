"""View 4: what tasks print and log."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dagtop_app.lines import Span
from dagtop_app.text import name_of, plural
from dagtop_app.views.base import View
from dagtop_app.widgets.log_pane import LogPane

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen


class Logs(View[LogPane]):
    """The lines of one task, or of all."""

    name = "logs"
    inspector = ""
    asks = "search the log"
    footer: ClassVar[str] = (
        "look.back log.follow look.filter find.next log.times log.wrap view.logs task.logs view.tasks app.command app.quit"
    )

    def __init__(self, desk: MainScreen) -> None:
        super().__init__(desk)
        self.pane = LogPane(id="logs")
        self.parts = (self.pane,)

    def show(self, *, moved: bool = False) -> None:
        self.pane.show(self.desk.bridge.engine.logs)

    def tick(self) -> bool:
        return self.pane.show(self.desk.bridge.engine.logs)

    def attached(self) -> None:
        self.pane.open(self.pane.subject, self.desk.bridge.engine.logs)

    def title(self) -> tuple[list[Span], list[Span]]:
        pane = self.pane
        who = name_of(pane.subject, 60) if pane.subject is not None else "of all tasks"
        right: list[Span] = [(plural(len(pane.lines), "line"), "dim"), (" · ", "dim")]
        right.append(("following", "good") if pane.following else ("f follows", "warn"))
        if pane.needle:
            right += [(" · ", "dim"), (f"{pane.match_count} × ", "warn"), (pane.needle[:24], "match")]
        return [("Log ", "title"), (who, "")], right

    def move(self, how: str) -> None:
        super().move(how)
        self.desk.draw()

    def back(self) -> bool:
        if not self.pane.needle:
            return False
        self.pane.search("")
        return True

    def next(self, step: int) -> bool:
        return self.pane.find(step)

    @property
    def nothing_next(self) -> str:
        return "no match" if self.pane.needle else "/ searches the log"

    @property
    def sought(self) -> str:
        return self.pane.needle

    def look_for(self, text: str) -> None:
        self.pane.search(text)
