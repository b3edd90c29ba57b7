"""The selected task in detail: at the right where there is room, at the bottom otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dagtop.core.snapshot import RunSnapshot, TaskRow

from dagtop_app.bridge import LogLine
from dagtop_app.lines import Line
from dagtop_app.tasks import inspector as inspector_model
from dagtop_app.widgets.painted import PaintedScroll

if TYPE_CHECKING:
    from dagtop.core.forecast import Usual


class Inspector(PaintedScroll):
    """Draws `inspector_model`; `at_length` chooses between all sections and the few most telling lines."""

    at_length = False
    usual: Mapping[int, Usual] = {}
    """How long tasks usually take, by index."""
    returned: Callable[[TaskRow], str] = staticmethod(lambda row: "")
    """What a task that went well returned, in words."""
    _subject: str | None = None

    def show(self, snapshot: RunSnapshot, row: TaskRow | None, logs: Sequence[LogLine]) -> None:
        """Draw the task."""
        cells = self.cells
        if not cells or not self.display:
            return
        if row is None:
            self.set_lines([((" No task is selected.", "dim"),)])
            return
        self._be_about(row.name)
        usual, returned = self.usual.get(row.index), self.returned(row)
        if self.at_length:
            self.set_lines(inspector_model.full(snapshot, row, logs, cells, usual, returned))
        else:
            height = max(1, self.size.height)
            self.set_lines(inspector_model.short(snapshot, row, logs, cells, height, usual, returned))

    def draw(self, subject: str, lines: Callable[[int, int], Sequence[Line]]) -> None:
        """Draw what is no single task: `lines` makes it for so many cells and lines."""
        if self.cells and self.display:
            self._be_about(subject)
            self.set_lines(lines(self.cells, max(1, self.size.height)))

    def _be_about(self, subject: str) -> None:
        if subject != self._subject:
            self._subject = subject
            self.scroll_to(y=0, animate=False, force=True)
