"""The graph as a view of the console: walked through along its edges, with keys and mouse."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import BindingType

from dagtop_app.actions import bindings
from dagtop_app.graph.critical import CriticalPath
from dagtop_app.graph.ground import Focus
from dagtop_app.graph.loading import DEEPEST, Sheet
from dagtop_app.graphview import Cursor, Direction, Scale, first_cursor, move
from dagtop_app.tasks.grouping import Pack
from dagtop_app.widgets.laid_out_graph import LaidOutGraph, Picture
from dagtop_app.widgets.messages import Opened, Selected

_SCALES = (Scale.WALL, Scale.OVERVIEW, Scale.PILL, Scale.BOX)
_STEPS = {
    "left": Direction.LEFT, "right": Direction.RIGHT, "up": Direction.UP, "down": Direction.DOWN,
    "top": Direction.HOME, "bottom": Direction.END,
}  # fmt: skip


class GraphView(LaidOutGraph):
    """A `View`. It follows the selection of the other views, and they follow its own."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("graph")]

    @property
    def pack(self) -> Pack | None:
        """The group at the cursor: keys act on all of it."""
        sheet, cursor = self.sheet, self.cursor
        bundle = sheet.bundles.get(cursor.node) if sheet is not None and cursor is not None else None
        if sheet is None or bundle is None or bundle.is_level or not sheet.is_folded or not self._fits(sheet):
            return None
        return Pack(bundle.key, bundle.tasks, bundle.label)

    def _take(self, picture: Picture) -> None:
        """In another drawing the selected task may stand for itself, or be in a group: everybody is told."""
        before = self.pack
        super()._take(picture)
        if self.pack != before and self._selected is not None:
            self._tell(self._selected)

    def move(self, how: str) -> None:
        """Along the edges, or scroll by pages."""
        if how in _STEPS:
            self.step(_STEPS[how])
        else:
            super().move(how)

    def do(self, what: str) -> bool:
        """A key of this view. False if there was nothing to do."""
        room = self.scrollable_content_region.size
        match what:
            case "left" | "right":
                self.step(_STEPS[what])
            case "pan-left" | "pan-right":
                self.pan(room.width // 2 * (1 if what == "pan-right" else -1), 0)
            case "more" | "less":
                self._change_reach(1 if what == "more" else -1)
            case "size":
                now = self._scale_now(self.sheet)
                self._set_scale(_SCALES[(_SCALES.index(now) - 1) % len(_SCALES)])
            case "fit":
                self.folded, self.opened = None, ()
                self._set_scale(None, whole=True)
            case "map":
                shown = self._map_region(self.window) is not None
                self.corner.wanted = not shown
                self.refresh()
            case "fold":
                self._fold()
            case "open":
                return self._open()
            case "critical":
                self._toggle_critical()
            case "focus":
                self._toggle_focus()
            case "back":
                return self._step_back()
            case _:
                return False
        return True

    def step(self, direction: Direction) -> None:
        """Take one step with the cursor; out of a part of the graph the part moves along."""
        sheet = self.sheet
        if sheet is None or not self._fits(sheet):
            return
        if self.cursor is None:
            self.cursor = first_cursor(sheet.layout)
            if self.cursor is not None:
                self._go(self.cursor)
            return
        path: list[int] = []
        if direction in {Direction.HOME, Direction.END}:
            critical = CriticalPath()
            critical.usual = self.critical.usual
            critical.find(sheet, self._snapshot)
            path = [node for piece in critical.pieces(sheet) for node in piece]
        cursor = move(sheet.layout, self.cursor, direction, path)
        if cursor is not self.cursor:
            self._go(cursor)
        elif self.focus_part is not None:
            self._leave_part(sheet, sheet.tasks[cursor.node], direction)

    def _go(self, cursor: Cursor) -> None:
        assert self.sheet is not None
        self.cursor = cursor
        self._light()
        self.reveal(cursor.node)
        assert self._words is not None
        self._tell(self._words.representative(cursor.node, self._selected))

    def _tell(self, task: int) -> None:
        self._selected = task
        self._posted.append(task)
        self.draw_foot()
        self.post_message(Selected(task))

    def _leave_part(self, sheet: Sheet, task: int, direction: Direction) -> None:
        model = sheet.ground.model
        ways = {Direction.LEFT: model.parents, Direction.RIGHT: model.children}.get(direction)
        if ways is not None and ways[task] and self.focus_part is not None:
            self.focus_part = Focus(ways[task][0], self.focus_part.depth)
            self._tell(ways[task][0])
            self._order()

    def _change_reach(self, step: int) -> None:
        """Of a part the depth, of the whole graph the scale."""
        sheet = self.sheet
        if sheet is None:
            return
        if self.focus_part is not None:
            depth = min(DEEPEST, max(1, (sheet.depth or 1) + step))
            if depth != sheet.depth:
                self.focus_part = Focus(self.focus_part.task, depth)
                self._order()
            return
        place = _SCALES.index(self._scale_now(sheet)) + step
        if 0 <= place < len(_SCALES):
            self._set_scale(_SCALES[place])

    def _scale_now(self, sheet: Sheet | None) -> Scale:
        """The one that is wished, even while its drawing is being made."""
        return self.scale or (sheet.scale if sheet is not None else Scale.PILL)

    def _set_scale(self, scale: Scale | None, *, whole: bool = False) -> None:
        if scale is not None and self.folded is None and self.sheet is not None and not self.sheet.scale.is_small:
            self.folded = self.sheet.is_folded  # another size is no reason to open or close anything
        self.scale, self.whole = scale, whole
        self._order()

    def _toggle_focus(self) -> None:
        if self.focus_part is not None:
            self.focus_part = None
        elif self._selected is not None:
            self.focus_part = Focus(self._selected, 0)
        self._order()

    def _open(self) -> bool:
        """Enter on a group: show what is in it, in its place. False on a task, and on a node of a graph of graphs."""
        sheet, cursor = self.sheet, self.cursor
        bundle = sheet.bundles.get(cursor.node) if sheet is not None and cursor is not None else None
        if sheet is None or bundle is None or bundle.is_level:
            return False
        if not sheet.is_folded:  # half a cell of a wall
            return False
        self.folded, self.opened = True, (*self.opened, bundle.key)
        self._order()
        return True

    def _fold(self) -> None:
        """Draw groups as one, or every task; what was opened last is closed first."""
        sheet = self.sheet
        if sheet is None:
            return
        if self.opened:
            self.opened = self.opened[:-1]
        else:
            self.folded = not sheet.is_folded
        if self.scale is not None and self.scale.is_small:
            self.scale = None
        self._order()

    def _toggle_critical(self) -> None:
        if self.critical:
            self.critical.forget()
            self._light()
        else:
            self._find_critical()
        self.post_message(self.Told())

    def _step_back(self) -> bool:
        if self.opened:
            self._fold()
        elif self.focus_part is not None:
            self._toggle_focus()
        elif self.critical:
            self._toggle_critical()
        else:
            return False
        return True

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        """Other nodes are visible."""
        super().watch_scroll_x(old_value, new_value)
        self.draw_foot()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other nodes are visible."""
        super().watch_scroll_y(old_value, new_value)
        self.draw_foot()

    def on_click(self, event: events.Click) -> None:
        """The node that was clicked is selected; twice opens it."""
        if self.jump_on_map(event.x, event.y):
            return
        node = self.node_under(event.x, event.y)
        if node is None or self.sheet is None:
            return
        self._go(Cursor(node))
        if event.chain == 2:
            self.post_message(Opened(self.sheet.tasks[node]))
