"""The views, one above the other, of which one is shown. All but the first are made when they are first shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical

from dagtop_app.views.listed import BY_NAME
from dagtop_app.views.tasks import Tasks
from dagtop_app.widgets.painted import Painted

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen
    from dagtop_app.views.base import View


class Stage(Vertical):
    """The line above the view, and the view."""

    def __init__(self, desk: MainScreen, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.rule = Painted(id="rule")
        self.tasks = Tasks(desk)
        self.current: View[Any] = self.tasks
        """What is shown."""
        self._desk = desk
        self._made: dict[str, View[Any]] = {self.tasks.name: self.tasks}

    def compose(self) -> ComposeResult:
        """What the first paint needs."""
        yield self.rule
        yield from self.tasks.parts

    def has(self, name: str) -> bool:
        """Whether the view has been shown."""
        return name in self._made

    def view(self, name: str) -> View[Any]:
        """The view of that name; made if it has not been."""
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = BY_NAME[name].kind(self._desk)
            new = [part for part in found.parts if part.parent is None]
            self.mount(*new)
            for part in new:
                part.display = False
        return found

    @property
    def made(self) -> list[View[Any]]:
        """Those that have been shown."""
        return list(self._made.values())

    def show(self, name: str) -> None:
        """Show another view."""
        self.current = self.view(name)
        shown = self.current.parts
        for view in self._made.values():
            for part in view.parts:
                part.display = part in shown
