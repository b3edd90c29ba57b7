"""What views have in common that are a list, and below it all about the line under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from dagtop_app.views.base import View
from dagtop_app.widgets.listing import Listing, one_bar
from dagtop_app.widgets.painted import Painted, PaintedScroll

if TYPE_CHECKING:
    from dagtop.core.snapshot import TaskRow

    from dagtop_app.screens.main import MainScreen

L = TypeVar("L", bound=Listing)


class ListView(View[L]):
    """A line of titles, the list, a line above what is told at length.

    Parameters
    ----------
    kind: the widget of the list.
    """

    def __init__(self, desk: MainScreen, kind: type[L]) -> None:
        super().__init__(desk)
        one = self.name.removesuffix("s")
        self._head = Painted(id=f"{one}-head")
        self.pane = kind(moved=self._moved, opened=desk.action_detail, id=self.name)
        self._rule = Painted(id=f"{one}-rule")
        self._detail = PaintedScroll(id=f"{one}-detail")
        self._detail.can_focus = False
        one_bar(self._detail)
        self.parts = (self._head, self.pane, self._rule, self._detail)
        for part in (self._head, self._rule):
            part.styles.height = 1
        self._detail.styles.height = "1fr"
        self._sought = ""
        self._came_with: int | None = None
        """The selected task when the list was last drawn."""

    @property
    def about(self) -> int | None:
        """The task that the line under the cursor is about. It is selected as soon as a key moves the cursor, not by a look."""
        raise NotImplementedError

    @property
    def row(self) -> TaskRow | None:
        about, rows = self.about, self.desk.snapshot.rows
        return rows[about] if about is not None and about < len(rows) else super().row

    def _moved(self) -> None:
        about = self.about
        if about is not None and about != self.desk.roster.selected:
            self._select(about)
        self.desk.draw()

    def _select(self, index: int) -> None:
        self.desk.roster.keep(index)
        self._came_with = self.desk.roster.selected

    def _fit(self, count: int, most: int) -> None:
        """Give the list as many lines as it has, at most so many."""
        height = max(1, min(count, most))
        if self.pane.styles.height is None or self.pane.styles.height.value != height:
            self.pane.styles.height = height

    @property
    def _room(self) -> int:
        """Lines of the list and of what is told at length."""
        return self.desk.stage.size.height - 3

    @property
    def _popup_cells(self) -> int:
        """Cells of a line in a popup of full size."""
        return max(30, self.desk.app.size.width * 94 // 100 - 8)

    def _unchanged(self) -> None:
        """A question was not answered."""
        self.desk.bridge.say("nothing was changed")
        self.desk.draw_word()

    def _step_among(self, keys: Sequence[object], step: int) -> bool:
        """Put the cursor on the next of these, or the one before. False if there are none."""
        if not keys:
            return False
        here = list(keys).index(self.pane.key) if self.pane.key in keys else -step
        self.pane.key = keys[(here + step) % len(keys)]
        self._moved()
        return True

    def back(self) -> bool:
        was, self._sought = self._sought, ""
        return bool(was)

    @property
    def sought(self) -> str:
        return self._sought

    def look_for(self, text: str) -> None:
        self._sought = text.strip()
