"""A window on a drawing of a graph: only visible lines are made, only what changed is painted again."""

from __future__ import annotations

from collections.abc import Iterable

from dagtop.core.states import TaskState
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Offset, Region, Size, Spacing
from textual.strip import Strip

from dagtop_app.graph.extents import Extents, Hidden
from dagtop_app.graph.words import NodeWords
from dagtop_app.graphview import Canvas, Drawing, Emphasis, Highlight, Overview, Part, Rect, Run, Wall
from dagtop_app.tasks.marks import SIGN
from dagtop_app.widgets.graph_inks import PLAIN, Inks, bar_look, cell_look, dashed, line_look, node_look, pair_text
from dagtop_app.widgets.graph_map import MapCorner
from dagtop_app.widgets.painted import PaintedScroll

#: With more changes than this at once everything visible is painted again, which then costs less.
_MANY = 48
#: Cells that stay visible around the node that is looked at.
_MARGIN = Spacing(1, 6, 1, 6)
_NOWHERE = Hidden(0, 0, 0, 0)


class DrawnGraph(PaintedScroll):
    """Paints a `Drawing`, or a few lines of text while there is none."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.drawing: Drawing | None = None
        self.sought: frozenset[int] | None = None
        """The nodes that a filter wants; None without one."""
        self.marked: frozenset[int] = frozenset()
        """Nodes with a task that a person has marked."""
        self._words: NodeWords | None = None
        self._extents: Extents | None = None
        self._inks = Inks(self)
        self.corner = MapCorner(self._inks)
        self._styles: dict[tuple[object, ...], Style] = {}
        self._lines_of: dict[tuple[Part, int], tuple[tuple[TaskState, ...], bool]] = {}

    # -- what is shown ---------------------------------------------------------------------------------------

    def hang(self, drawing: Drawing, words: NodeWords, extents: Extents | None = None) -> None:
        """Show another drawing."""
        self.drawing, self._words = drawing, words
        self._extents = extents or Extents(drawing)
        self._lines_of.clear()
        self._measure()
        self.refresh()

    def take_down(self, lines: Iterable[str]) -> None:
        """Show a few words instead."""
        self.drawing = self._words = self._extents = None
        self.set_lines([(), *((("  " + line, "dim"),) for line in lines)])

    def light(self, highlight: Highlight) -> None:
        """Make something else stand out."""
        if self.drawing is not None:
            self.drawing.highlight = highlight
            self.refresh()

    def seek(self, nodes: frozenset[int] | None) -> None:
        """Make the nodes stand out that a filter wants."""
        if nodes != self.sought:
            self.sought = nodes
            self._lines_of.clear()
            self.refresh()

    def repaint(self, changed: list[int], ticking: list[int]) -> None:
        """Paint the nodes in another state with their lines, and those of which only the note is another one."""
        drawing = self.drawing
        if drawing is None or not (changed or ticking):
            return
        if changed:
            self._lines_of.clear()
        if len(changed) > _MANY:
            self.refresh()
            return
        window = self.window
        rects = [drawing.rect_of(node) for node in (*changed, *ticking)]
        for node in changed:
            rects += drawing.lines_from(node)
        if (corner := self._map_region(window)) is not None:
            self.refresh(corner)
        seen = {region for rect in rects if (region := self._on_screen(rect, window)) is not None}
        if len(seen) > 4 * _MANY:
            self.refresh()
        elif seen:
            self.refresh(*seen)

    @property
    def is_small(self) -> bool:
        """Whether a node is a single cell."""
        return isinstance(self.drawing, (Overview, Wall))

    # -- where things are ------------------------------------------------------------------------------------

    @property
    def origin(self) -> Offset:
        """Where the drawing begins: in the middle if there is room."""
        if self.drawing is None:
            return Offset(0, 0)
        room = self.scrollable_content_region.size
        return Offset(max(1, (room.width - self.drawing.width) // 2), max(0, (room.height - self.drawing.height) // 2))

    @property
    def window(self) -> Rect:
        """The part of the drawing that is visible."""
        room, left = self.scrollable_content_region.size, self.scroll_offset - self.origin
        return Rect(left.x, left.y, room.width, room.height)

    @property
    def hidden(self) -> Hidden:
        """How many nodes are not visible, by side."""
        return self._extents.outside(self.window) if self._extents is not None else _NOWHERE

    def place_of(self, node: int) -> Offset:
        """Where on screen a node begins."""
        assert self.drawing is not None
        rect, window = self.drawing.rect_of(node), self.window
        return Offset(rect.x - window.x, rect.y - window.y)

    def node_under(self, x: int, y: int) -> int | None:
        """The node at a cell of the screen."""
        window = self.window
        return self.drawing.node_at(window.x + x, window.y + y) if self.drawing is not None else None

    def reveal(self, node: int) -> None:
        """Scroll as little as is needed to see a node."""
        if self.drawing is not None and self.size:
            rect, origin = self.drawing.rect_of(node), self.origin
            room = self.scrollable_content_region.size
            margin = _MARGIN if room.width > rect.width + 14 and room.height > rect.height + 2 else Spacing()
            region = Region(*rect).translate(origin)
            before = self.scroll_offset.x
            self.scroll_to_region(region, spacing=margin, animate=False)
            if self.scroll_offset.x != before:
                self._snap(rect)

    def _snap(self, rect: Rect) -> None:
        """Begin at a whole label, if what is looked at stays visible."""
        if not isinstance(self.drawing, Canvas):
            return
        routing, window = self.drawing.routing, self.window
        rank = routing.layer_at(window.x)
        left, right = routing.lefts[rank], routing.right(rank)
        if not left < window.x < right:
            return
        step = left - 1 - window.x
        if rect.x + rect.width > window.x + step + window.width:
            step = right - window.x
        if rect.x >= window.x + step:
            self.pan(step, 0)

    def pan(self, x: int, y: int) -> None:
        """Scroll by so many cells."""
        self.scroll_to(self.scroll_offset.x + x, self.scroll_offset.y + y, animate=False)

    @property
    def allow_horizontal_scroll(self) -> bool:
        """Also without a scrollbar: the line below the drawing says how much there is."""
        return True

    @property
    def allow_vertical_scroll(self) -> bool:
        """As above."""
        return True

    def fit_window(self) -> None:
        """The window has another size: the drawing may stand elsewhere in it."""
        self._measure()
        self.refresh()

    def _measure(self) -> None:
        drawing = self.drawing
        if drawing is not None:
            size = Size(drawing.width + 2, drawing.height)
            if size != self.virtual_size:
                self.virtual_size = size

    def _on_screen(self, rect: Rect, window: Rect) -> Region | None:
        region = Region(rect.x - window.x, rect.y - window.y, rect.width, rect.height)
        seen = region.intersection(Region(0, 0, window.width, window.height))
        return seen or None

    # -- painting --------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Another theme."""
        self._inks.clear()
        self._styles.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """One visible line."""
        drawing = self.drawing
        if drawing is None:
            return super().render_line(y)
        window = self.window
        strip = self._drawn_line(y, drawing, window)
        corner = self._map_region(window)
        if corner is None or self._words is None:
            return strip
        return self.corner.lay_over(strip, y, corner, drawing, self._words, window)

    def _drawn_line(self, y: int, drawing: Drawing, window: Rect) -> Strip:
        base = self.base
        line = drawing.line(window.y + y, max(0, window.x), window.x + window.width)
        if not line.runs:
            return Strip.blank(window.width, base)
        segments: list[Segment] = []
        start = line.start
        if start > window.x:
            segments.append(Segment(" " * (start - window.x), base))
            start = window.x
        segments += self._segments(line.runs)
        return Strip(segments).crop_extend(window.x - start, window.x - start + window.width, base)

    def jump_on_map(self, x: int, y: int) -> bool:
        """Go to where the map was clicked. False if there is none at this cell."""
        window, drawing = self.window, self.drawing
        corner = self._map_region(window)
        if corner is None or drawing is None or not corner.contains(x, y):
            return False
        wide, high = corner.width - 2, corner.height - 2
        across = min(1.0, max(0.0, (x - corner.x - 0.5) / wide))
        down = min(1.0, max(0.0, (y - corner.y - 0.5) / high))
        left = int(across * drawing.width) - window.width // 2
        top = int(down * drawing.height) - window.height // 2
        self.scroll_to(left + self.origin.x, top + self.origin.y, animate=False)
        return True

    def _map_region(self, window: Rect) -> Region | None:
        """Where the map is, in cells of the screen."""
        drawing = self.drawing
        if drawing is None or self.is_small:
            return None
        selected = drawing.highlight.selected
        avoid = self._on_screen(drawing.rect_of(selected), window) if selected is not None else None
        return self.corner.region(drawing, window, avoid)

    def _segments(self, runs: Iterable[Run]) -> Iterable[Segment]:
        """The runs as the terminal gets them; neighbours of one style are one piece."""
        assert self.drawing is not None
        idle, small, blank = self.drawing.highlight.is_empty, self.is_small, self._inks[PLAIN]
        text, style = "", None
        for run in runs:
            shown = run.text
            if run.part is Part.BLANK:
                ink = blank
            elif run.part is Part.LINE or run.part is Part.TRUNK:
                states, passed = self._feeding(run)
                look, waits = line_look(run, states, passed=passed or small)
                ink = self._inks[look]
                if waits:
                    shown = dashed(shown)
            elif run.part is Part.BAR:
                ink = self._inks[bar_look(run)]
            elif run.part is Part.PAIR:
                shown, ink = self._pair(run)
            else:
                ink = self._node_style(run, idle=idle, small=small)
                if run.part is Part.GLYPH and run.owner in self.marked:
                    shown = SIGN if small else shown.rstrip(" ") + SIGN
            if ink is not style:
                if text:
                    yield Segment(text, style)
                text, style = "", ink
            text += shown
        if text:
            yield Segment(text, style)

    def _node_style(self, run: Run, *, idle: bool, small: bool) -> Style:
        assert self._words is not None
        state = self._words.state(run.owner)
        sought = None if self.sought is None else run.owner in self.sought
        key = (run.part, run.emphasis, state, sought, idle, small, run.text == " ")
        style = self._styles.get(key)
        if style is None:
            apart = run.emphasis is Emphasis.NONE and not idle
            look = cell_look(run, state, sought=sought) if small else node_look(run, state, apart=apart, sought=sought)
            style = self._styles[key] = self._inks[look]
        return style

    def _pair(self, run: Run) -> tuple[str, Style]:
        """Half a cell for each of two nodes: colours, but a glyph where a person is needed."""
        assert self._words is not None
        states = [self._words.state(node) for node in (run.owner, run.below) if node >= 0]
        sought = None
        if self.sought is not None:
            sought = run.owner in self.sought or run.below in self.sought
        found = self._styles.get((Part.PAIR, run.emphasis, *states, sought))
        if found is None:
            found = self._styles[Part.PAIR, run.emphasis, *states, sought] = self._inks.pair(run, states, sought=sought)
        return pair_text(run, states), found

    def _feeding(self, run: Run) -> tuple[tuple[TaskState, ...], bool]:
        """The states of the tasks that a line comes from, and whether a filter passes over all of them."""
        assert self.drawing is not None
        assert self._words is not None
        key = (run.part, run.owner)
        found = self._lines_of.get(key)
        if found is None:
            nodes = self.drawing.feeders(run)
            states = tuple(sorted({state for node in nodes for state in self._words.states(node)}))
            passed = self.sought is not None and self.sought.isdisjoint(nodes)
            found = self._lines_of[key] = (states, passed)
        return found
