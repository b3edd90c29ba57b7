"""The timeline as a widget: one line per task, of which only the visible ones are made."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from dagtop.core.plan import Plan
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import BAD, FINAL, RUN_OVER
from dagtop.observe.story import Story
from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.strip import Strip

from dagtop_app.actions import bindings
from dagtop_app.faces import ENTERED
from dagtop_app.levels.model import relative
from dagtop_app.levels.texts import end_of
from dagtop_app.lines import Line
from dagtop_app.tasks.grouping import Pack
from dagtop_app.tasks.grouping_texts import Rolled, Rolls
from dagtop_app.text import name_of, width
from dagtop_app.timeline.ahead import NOTHING, Ahead
from dagtop_app.timeline.bars import spans_of
from dagtop_app.timeline.lens import Lens, Window
from dagtop_app.timeline.load import Gauges
from dagtop_app.timeline.model import (
    ORDERS,
    Columns,
    Scene,
    columns,
    coming,
    empty_line,
    failures,
    group_line,
    ordered,
    row_line,
    span_of,
)
from dagtop_app.widgets.messages import Opened, Selected
from dagtop_app.widgets.painted import PaintedScroll, paint, place_after

if TYPE_CHECKING:
    from dagtop_app.screens.main import MainScreen

#: Names looked at to find how wide the first column should be.
_MEASURED = 2000
#: To put the rows in order takes at most this share of the time.
_SHARE = 0.03
_NO_COLUMNS = Columns(8, 1, 0, 6, 0)


class TimelinePane(PaintedScroll):
    """One line per task of those that the table shows, in an order of its own."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("timeline")]

    def __init__(self, desk: MainScreen, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.desk = desk
        self.lens = Lens()
        self.order = "start"
        self.critical = True
        self.whole = False
        """Whether a run that was gone on with is shown from its very beginning."""
        self.shown: Sequence[int] = ()
        """Indices of the tasks, top to bottom."""
        self.place = 0
        """The line of the cursor."""
        self._stood: tuple[int | None, int] = (None, 0)
        """The task under the cursor when it was last drawn, and its line."""
        self.ahead: Ahead = NOTHING
        self.gauges = Gauges()
        self.rolls = Rolls()
        self.scene = Scene(desk.roster.snapshot, Story(), {}, NOTHING, Window(0.0, 1.0, 1), _NO_COLUMNS, critical=True)
        self._groups_ahead: tuple[Ahead, dict[str, tuple[float, float] | None]] = (NOTHING, {})
        self._groups_failed: dict[str, tuple[Rolled, Sequence[float]]] = {}
        self._ordered: tuple[object, ...] = ()
        self._tasks: tuple[object, ...] = ()
        self._order_due = 0.0
        self._drawn: dict[int, tuple[TaskRow, bool, bool, Line, Scene]] = {}
        self._drawn_for: tuple[object, ...] = ()
        self._measured: tuple[Plan | None, str | None] = (None, None)
        self._longest = 0

    # -- drawing -----------------------------------------------------------------------------------------------------

    def show(self, *, moved: bool) -> None:
        """Draw what has changed; `moved`: the rows or the cursor are others."""
        desk, snapshot = self.desk, self.desk.roster.snapshot
        story, usual = desk.bridge.story, desk.bridge.usual
        self.ahead = desk.foresee()
        moved = self._arrange(snapshot, story) or moved
        self._measure(snapshot)
        start, end = span_of(snapshot, story, self.ahead, whole=self.whole)
        cols = columns(self.cells, self._longest)
        over = snapshot.state in RUN_OVER
        window = self.lens.window(start, snapshot.at, end, cols.chart, over=over)
        self.scene = Scene(snapshot, story, usual, self.ahead, window, cols, self.critical)
        self.resize_to(len(self.shown))
        if moved:
            self._find_cursor()
        self._refresh_changed()

    def row_at(self, place: int) -> TaskRow | None:
        """The task on a line."""
        rows = self.scene.snapshot.rows
        return rows[self.shown[place]] if place < len(self.shown) and self.shown[place] < len(rows) else None

    def _line(self, row: TaskRow, *, cursor: bool, marked: bool) -> Line:
        scene, grouping = self.scene, self.desk.roster.grouping
        pack = grouping.packs.get(row.index)
        if pack is not None:
            label = grouping.label(pack.key, pack.members)
            rolled, load = self.rolls.of(scene.snapshot, pack), self.gauges.group(pack.key)
            failed, ahead = self._group_failed(pack, rolled), self._group_ahead(pack)
            return group_line(scene, rolled, load, label, cursor=cursor, marked=marked, failed=failed, ahead=ahead)
        pieces = spans_of(scene.story, scene.snapshot, row)
        return row_line(scene, row, pieces, cursor=cursor, marked=marked, name=self._called(row))

    def _group_failed(self, pack: Pack, rolled: Rolled) -> Sequence[float]:
        """When members of a group failed; found once for each look at how it stands."""
        if not any(rolled.counts.get(state) for state in BAD):
            return ()
        known = self._groups_failed.get(pack.key)
        if known is None or known[0] is not rolled:
            known = self._groups_failed[pack.key] = (rolled, failures(self.scene.snapshot, pack))
        return known[1]

    def _group_ahead(self, pack: Pack) -> tuple[float, float] | None:
        """What is to come of a group; found once for each look ahead."""
        if self._groups_ahead[0] is not self.ahead:
            self._groups_ahead = (self.ahead, {})
        known = self._groups_ahead[1]
        if pack.key not in known:
            known[pack.key] = coming(self.scene, *pack.members)
        return known[pack.key]

    def _called(self, row: TaskRow) -> str:
        roster = self.desk.roster
        if not roster.levels.there:
            return name_of(row.name, 200)
        entered = f" {ENTERED}" if roster.levels.is_node(row.index) else ""
        if roster.by_level:
            return name_of(relative(row.name, roster.level), 200) + entered
        return end_of(row.name, self.scene.columns.name - len(entered)) + entered

    def _refresh_changed(self) -> None:
        """Draw those visible lines again that are not as they were."""
        scene, roster = self.scene, self.desk.roster
        looks_at = (
            self._now_cell(),
            len(self.shown),
            scene.window,
            scene.columns,
            scene.critical,
            scene.ahead.on_path,
            scene.now is None,
            id(scene.story),
        )
        if looks_at != self._drawn_for:
            self._drawn_for = looks_at
            self._drawn.clear()
            self.refresh()
            return
        top = self.scroll_offset.y
        for y in range(self.scrollable_content_region.height):
            row, known = self.row_at(top + y), self._drawn.get(y)
            if row is None:
                self._drawn.pop(y, None)
                continue
            cursor, marked = top + y == self.place, row.name in roster.marks
            if known is not None and known[0] is row and known[1:3] == (cursor, marked) and self._stands_still(row):
                continue
            line = self._line(row, cursor=cursor, marked=marked)
            if known is None or known[3] != line:
                self.refresh(Region(0, y, self.size.width, 1))
            self._drawn[y] = (row, cursor, marked, line, scene)

    def _now_cell(self) -> int | None:
        """The cell of now, which all lines have: they are drawn again when it moves on."""
        scene = self.scene
        return None if scene.now is None else scene.window.cell(scene.now)

    def _stands_still(self, row: TaskRow) -> bool:
        """Whether its line is the same until the row is another one, or now is in another cell."""
        return row.state in FINAL and row.index not in self.desk.roster.grouping.packs

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        width_, place = self.cells, self.scroll_offset.y + y
        row = self.row_at(place)
        if row is None:
            return paint(self, empty_line(self.scene), width_)
        cursor, marked = place == self.place, row.name in self.desk.roster.marks
        known = self._drawn.get(y)
        if known is not None and known[0] is row and known[1:3] == (cursor, marked) and known[4] is self.scene:
            line = known[3]  # made a moment ago, to see whether it has changed
        else:
            line = self._line(row, cursor=cursor, marked=marked)
            self._drawn[y] = (row, cursor, marked, line, self.scene)
        return paint(self, line, width_, "cursor" if cursor else "")

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other tasks are visible now."""
        self._drawn.clear()
        super().watch_scroll_y(old_value, new_value)

    def notify_style_update(self) -> None:
        """Another theme."""
        self._drawn.clear()
        super().notify_style_update()

    # -- order and cursor -----------------------------------------------------------------------------------------------

    def _arrange(self, snapshot: RunSnapshot, story: Story) -> bool:
        """Put the tasks in order if that may be another one now. True if it is."""
        order = self.desk.roster.order
        ends = snapshot.rows if self.order == "longest" else None
        starts = self.ahead.starts if self.order == "start" else None
        what = (order, story, ends, starts, self.order, len(story.tracks))
        if self._ordered and all(map(_same, what, self._ordered)):
            return False
        roster, now = self.desk.roster, self.desk.now()
        tasks = (roster.wanted, roster.problems, roster.level, roster.flat, len(order))
        same_tasks = bool(self._ordered) and self._ordered[4] == self.order and self._tasks == tasks
        if now < self._order_due and same_tasks:
            return False
        begun, before = time.perf_counter(), self.shown
        self._ordered, self._tasks = what, tasks
        self.shown = ordered(self.order, order, snapshot, story, self.ahead)
        self._order_due = now + (time.perf_counter() - begun) / _SHARE
        return before != self.shown

    def _find_cursor(self) -> None:
        """Put the cursor on the selected task, and keep that in sight."""
        selected = self.desk.roster.selected
        if not (self.place < len(self.shown) and self.shown[self.place] == selected):
            try:
                self.place = self.shown.index(selected) if selected is not None else 0
            except ValueError:
                self.place = min(self.place, max(0, len(self.shown) - 1))
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if height <= 0:
            return
        stays, before = self._stood
        self._stood = (selected, self.place)
        if stays == selected:
            if not 0 <= before - top < height:
                return  # it was scrolled out of sight, by the mouse
            if top and self.desk.roster.touched and before != self.place:
                self.scroll_to(y=max(0, top + self.place - before), animate=False, force=True)
                top = self.scroll_offset.y
        if self.place < top:
            self.scroll_to(y=self.place, animate=False, force=True)
        elif self.place >= top + height:
            self.scroll_to(y=self.place - height + 1, animate=False, force=True)

    def _measure(self, snapshot: RunSnapshot) -> None:
        roster = self.desk.roster
        level = roster.level if roster.by_level else f"/{len(roster.grouping.packs)}{roster.grouping.opened}"
        if self._measured[0] is not snapshot.plan or self._measured[1] != level:
            self._measured = (snapshot.plan, level)
            self._longest = max((width(name) for name in self._names(snapshot)), default=0)

    def _names(self, snapshot: RunSnapshot) -> Iterable[str]:
        roster, names = self.desk.roster, snapshot.plan.names
        if roster.grouping.packs:
            packs = roster.grouping.packs
            return [
                roster.grouping.label(pack.key, pack.members) + f" {ENTERED}"
                if (pack := packs.get(index)) is not None
                else name_of(names[index], 200)
                for index in roster.order[:_MEASURED]
            ]
        if not roster.by_level:
            return [name_of(name, 200) for name in names[:_MEASURED]]
        children = roster.levels.children(roster.level)[:_MEASURED]
        return [name_of(relative(names[index], roster.level), 200) + f" {ENTERED}" for index in children]

    def move(self, how: str) -> None:
        """Move the cursor, see `place_after`."""
        place = place_after(how, self.place, len(self.shown) - 1, max(1, self.scrollable_content_region.height))
        if place is not None:
            self.go(place)

    def go(self, place: int) -> None:
        """Put the cursor on a line and tell everybody."""
        self.place = max(0, min(place, len(self.shown) - 1))
        if self.desk.roster.select(self.shown[self.place]):  # seen at once; the rest of the screen comes a moment later
            self._find_cursor()
            self._refresh_changed()
        self.post_message(Selected(self.shown[self.place]))

    def on_click(self, event: events.Click) -> None:
        """The cursor goes where the mouse was clicked; twice opens the task."""
        place = self.scroll_offset.y + event.y
        if not 0 <= place < len(self.shown):
            return
        self.go(place)
        if event.chain == 2:
            self.post_message(Opened(self.shown[self.place]))

    # -- keys ----------------------------------------------------------------------------------------------------------

    def do(self, what: str) -> str:
        """A key of this view; returns what is to be said of it."""
        window, chart = self.scene.window, self.scene.columns.chart
        match what:
            case "closer" | "farther":
                if not self.lens.zoom(1 if what == "closer" else -1, window, self._anchor()):
                    return "that is as far as it goes"
            case "fit":
                if self.lens.fitted and len(self.desk.bridge.story.sessions) > 1:
                    self.whole = not self.whole
                self.lens.fit()
            case "left" | "right":
                self.lens.pan((1 if what == "right" else -1) * max(1, chart // 8), window)
            case "far-left" | "far-right":
                self.lens.pan((1 if what == "far-right" else -1) * max(1, chart // 2), window)
            case "follow":
                if self.scene.now is None:
                    return "the run is over: there is no now to follow"
                self.lens.follow(window)
            case "critical":
                self.critical = not self.critical
            case "order":
                names = list(ORDERS)
                self.order = names[(names.index(self.order) + 1) % len(names)]
                return ORDERS[self.order]
            case _:
                pass
        return ""

    def back(self) -> bool:
        """Step back from a zoom. False if there is none."""
        if self.lens.fitted:
            return False
        self.lens.fit()
        return True

    def _anchor(self) -> float:
        """What stays where it is while it is zoomed: now if that is followed or all is seen, else the selected task."""
        scene, row = self.scene, self.row_at(self.place)
        if scene.now is not None and (self.lens.fitted or self.lens.following):
            if self.lens.fitted:
                self.lens.following = True
            return scene.now
        if row is not None:
            pieces = spans_of(scene.story, scene.snapshot, row)
            if pieces:
                return (pieces[0].start + pieces[-1].end) / 2
        return (scene.window.left + scene.window.right) / 2

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """Back in time."""
        self._pan_by_mouse(event, -4)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """On in time."""
        self._pan_by_mouse(event, 4)

    def _pan_by_mouse(self, event: events.MouseEvent, by: int) -> None:
        event.stop()
        self.lens.pan(by, self.scene.window)
        self.desk.draw()

    def forget(self) -> None:
        """Another run: nothing is known of what is to come."""
        self.ahead, self._ordered = NOTHING, ()


def _same(one: object, other: object) -> bool:
    return one == other if isinstance(one, (str, int)) else one is other
