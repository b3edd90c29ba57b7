"""The table of tasks: only visible lines are made, only changed ones are drawn again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from dagtop.core.plan import Plan
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import FINAL
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from dagtop_app.actions import bindings
from dagtop_app.chrome.view_model import row_line
from dagtop_app.faces import ENTERED
from dagtop_app.levels.model import relative
from dagtop_app.levels.texts import end_of, node_line
from dagtop_app.lines import Line
from dagtop_app.tasks.grouping import Pack
from dagtop_app.tasks.marks import marked_line
from dagtop_app.tasks.roster import Roster
from dagtop_app.tasks.table_columns import Beside, Columns, Have, column_at, columns, head_line
from dagtop_app.tasks.upkeep import keeps
from dagtop_app.text import name_of, width
from dagtop_app.widgets.messages import Opened, Selected
from dagtop_app.widgets.painted import Painted, PaintedScroll, paint, place_after

#: Cells of a task's glyph, in whose place its lanes stand.
_GLYPH = 2
#: Names looked at to find how wide the first column should be.
_MEASURED = 2000


if TYPE_CHECKING:
    from dagtop.core.breakers import BreakerView

    from dagtop_app.graphview.lanes import Lanes
    from dagtop_app.tasks.grouping_texts import Rolls


class ColumnHead(Painted):
    """The titles above the table."""

    class Sorted(Message):
        """A title was clicked."""

        def __init__(self, sort: str) -> None:
            super().__init__()
            self.sort = sort

    cols: Columns | None = None
    shift = 0
    """Cells of lanes left of the first column."""

    def on_click(self, event: events.Click) -> None:
        """Sort by the column that was clicked."""
        by = column_at(self.cols, event.x - self.shift) if self.cols is not None else ""
        if by:
            self.post_message(self.Sorted(by))


class TaskTable(PaintedScroll):
    """One line per task. The order and the cursor are the `Roster`'s; this draws them."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("tasks")]

    def __init__(self, roster: Roster, head: ColumnHead, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.roster = roster
        self._head = head
        self._drawn: dict[int, tuple[TaskRow, bool, Line]] = {}
        self._cols = columns(80, 16)
        self._measured: tuple[Plan | None, object] = (None, None)
        self._longest = 0
        self._marked = 0
        self._beside = Beside()
        self._rolls: Rolls | None = None
        self._views: Sequence[BreakerView] = ()
        self._lanes: Lanes | None = None
        self._stood: tuple[int | None, int] = (None, 0)
        """The task under the cursor when it was last drawn, and its place in the order."""

    def show(self, *, moved: bool) -> None:
        """Draw what has changed since the last time; `moved`: the order or the cursor is another one."""
        snapshot = self.roster.snapshot
        roster = self.roster
        shown = (roster.level if roster.by_level else None, roster.grouping.opened, len(roster.grouping.packs))
        if self._measured[0] is not snapshot.plan or self._measured[1] != shown:
            self._measured = (snapshot.plan, shown)
            self._longest = max((width(name_of(name, 200)) for name in self.names()), default=0)
            self._drawn.clear()
        if self._marked != self.roster.marks.version:
            self._marked = self.roster.marks.version
            self._drawn.clear()
        self._fit_columns()
        self.resize_to(len(self.roster.order))
        if moved:
            self._stay()
            self.follow()
        self._stood = (self.roster.selected, self.roster.place)
        self._refresh_changed(snapshot)

    def names(self) -> Iterable[str]:
        """The names that the first column has to have room for."""
        roster, names = self.roster, self.roster.snapshot.plan.names
        packs = roster.grouping.packs
        if packs:
            level = roster.level if roster.by_level else ""
            labels = [f"{self._label(pack)} {ENTERED}" for pack in packs.values()]
            return [
                *labels,
                *(relative(names[index], level) for index in roster.order[:_MEASURED] if index not in packs),
            ]
        if not roster.by_level:
            return names[:_MEASURED]
        return [
            relative(names[index], roster.level) + f" {ENTERED}"
            for index in roster.levels.children(roster.level)[:_MEASURED]
        ]

    def line(self, row: TaskRow, *, cursor: bool) -> Line:
        """One task, or one node, in one line, with a sign if it is marked."""
        line = self._unmarked(row, cursor=cursor)
        if self._lanes is not None:
            line = self._beside_lanes(self._lanes, row, line)
        if row.name not in self.roster.marks:
            return line
        return marked_line(line, cursor=cursor and self._lanes is None)  # lanes have no cell to spare

    @property
    def rolls(self) -> Rolls:
        """How groups stand."""
        if self._rolls is None:
            from dagtop_app.tasks.grouping_texts import Rolls  # noqa: PLC0415 - few runs have groups

            self._rolls = Rolls()
        return self._rolls

    def _group_line(self, pack: Pack, *, cursor: bool) -> Line:
        from dagtop_app.tasks.grouping_texts import group_line  # noqa: PLC0415 - as above

        snapshot, rolled = self.roster.snapshot, self.rolls.of(self.roster.snapshot, pack)
        return group_line(snapshot, rolled, self._label(pack), self._cols, cursor=cursor)

    def _label(self, pack: Pack) -> str:
        roster = self.roster
        label = roster.grouping.label(pack.key, pack.members)
        return relative(label, roster.level) if roster.by_level else label

    def _unmarked(self, row: TaskRow, *, cursor: bool) -> Line:
        roster = self.roster
        pack = roster.grouping.packs.get(row.index)
        if pack is not None:
            return self._group_line(pack, cursor=cursor)
        if not roster.levels.there:
            return row_line(roster.snapshot, row, self._cols, cursor=cursor, beside=self._beside)
        is_node = roster.levels.is_node(row.index)
        name = relative(row.name, roster.level) if roster.by_level else end_of(row.name, self._cols.task - 2 * is_node)
        if is_node:
            return node_line(roster.levels, row, self._cols, name, cursor=cursor)
        return row_line(roster.snapshot, row, self._cols, cursor=cursor, name=name, beside=self._beside)

    def _stay(self) -> None:
        """The task under the cursor stays where it is on the screen when others come or go above it; not at the very top, where
        what comes is to be seen."""
        roster, (task, before) = self.roster, self._stood
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if top and roster.touched and task == roster.selected and roster.place != before and 0 <= before - top < height:
            self.scroll_to(y=max(0, top + roster.place - before), animate=False, force=True)

    def _fit_columns(self) -> None:
        lanes = self._find_lanes()
        shift = max(0, lanes.width - _GLYPH) if lanes is not None else 0
        cells = self.cells - shift
        roster, snapshot = self.roster, self.roster.snapshot
        if self._beside.usual is not roster.usual or self._views is not snapshot.breakers:
            self._views = snapshot.breakers
            self._beside = Beside(roster.usual, {view.name: view for view in snapshot.breakers})
            self._drawn.clear()
        have = Have(self.app.size.width, bool(roster.usual), bool(snapshot.breakers), roster.columns)
        cols = columns(cells, self._longest, have)
        if cols != self._cols or lanes is not self._lanes:
            self._cols, self._lanes = cols, lanes
            self._drawn.clear()
        self._head.cols, self._head.shift = cols, shift
        head = head_line(cols, roster.sort, cells, reverse=roster.reverse, kept=keeps(snapshot))
        self._head.set_lines([((" " * shift, "head"), *head)])

    def _find_lanes(self) -> Lanes | None:
        """The graph's lines beside the tasks, if that is the order and none of them is hidden."""
        roster = self.roster
        if roster.sort != "lanes" or roster.reverse or not roster.order:
            return None
        from dagtop_app.graph.lanes import lanes_of  # noqa: PLC0415 - the drawing of graphs is loaded when it is shown

        lanes = lanes_of(roster.snapshot.plan, roster.level if roster.by_level else None, self.cells)
        return lanes if lanes is not None and len(lanes.order) == len(roster.order) else None

    def _beside_lanes(self, lanes: Lanes, row: TaskRow, line: Line) -> Line:
        from dagtop_app.graph.lanes import lane_spans  # noqa: PLC0415 - as above

        return (line[0], *lane_spans(lanes, self.roster.snapshot.rows, row), *line[2:])

    def resize_to(self, count: int) -> None:
        """Say how many lines there are."""
        size = Size(self.cells, count)
        if size != self.virtual_size:
            self.virtual_size = size

    def follow(self) -> None:
        """Scroll so that the cursor is visible."""
        place, top, height = self.roster.place, self.scroll_offset.y, self.scrollable_content_region.height
        if height <= 0:
            return
        if place < top:
            self.scroll_to(y=place, animate=False, force=True)
        elif place >= top + height:
            self.scroll_to(y=place - height + 1, animate=False, force=True)

    def _refresh_changed(self, snapshot: RunSnapshot) -> None:
        top, order = self.scroll_offset.y, self.roster.order
        height = self.scrollable_content_region.height
        for y in range(height):
            place = top + y
            if place >= len(order):
                if self._drawn.pop(y, None) is not None:
                    self.refresh(Region(0, y, self.size.width, 1))
                continue
            row, cursor = snapshot.rows[order[place]], place == self.roster.place
            known = self._drawn.get(y)
            if known is not None and known[0] is row and known[1] is cursor and self._stands_still(row):
                continue
            line = self.line(row, cursor=cursor)
            if known is None or known[2] != line:
                self.refresh(Region(0, y, self.size.width, 1))
            self._drawn[y] = (row, cursor, line)

    def _stands_still(self, row: TaskRow) -> bool:
        """Whether its line is the same until the row is another one."""
        roster, index = self.roster, row.index
        many = roster.levels.is_node(index) or index in roster.grouping.packs
        many = many or f"{row.name}[0]" in roster.snapshot.plan.index  # it tells how many of its replicas are up
        return row.state in FINAL and self._lanes is None and not many

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        cells, place = self.cells, self.scroll_offset.y + y
        order, snapshot = self.roster.order, self.roster.snapshot
        if place >= len(order) or order[place] >= len(snapshot.rows):
            return Strip.blank(cells, self.base)
        row, cursor = snapshot.rows[order[place]], place == self.roster.place
        line = self.line(row, cursor=cursor)
        self._drawn[y] = (row, cursor, line)
        return paint(self, line, cells, "cursor" if cursor else "")

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other tasks are visible now: what was drawn tells nothing any more."""
        self._drawn.clear()
        super().watch_scroll_y(old_value, new_value)

    def notify_style_update(self) -> None:
        """Another theme."""
        self._drawn.clear()
        super().notify_style_update()

    def move(self, how: str) -> None:
        """Move the cursor, see `place_after`."""
        page = max(1, self.scrollable_content_region.height)
        place = place_after(how, self.roster.place, len(self.roster.order) - 1, page)
        if place is not None:
            self.go(place)

    def go(self, place: int) -> None:
        """Put the cursor on a line and tell everybody."""
        self.roster.go(place)
        self.roster.extend()
        self.show(moved=True)
        if self.roster.selected is not None:
            self.post_message(Selected(self.roster.selected))

    def on_click(self, event: events.Click) -> None:
        """The cursor goes where the mouse was clicked; twice opens the task."""
        place = self.scroll_offset.y + event.y
        if not 0 <= place < len(self.roster.order):
            return
        self.go(place)
        if event.chain == 2 and self.roster.selected is not None:
            self.post_message(Opened(self.roster.selected))
