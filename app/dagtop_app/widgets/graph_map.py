"""The map in a corner of a drawing that is larger than its window."""

from __future__ import annotations

from collections.abc import Iterator

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip

from dagtop_app.faces import ASCII, task_face
from dagtop_app.graph.words import NodeWords, worst
from dagtop_app.graphview import Drawing, Minimap, Rect
from dagtop_app.widgets.graph_inks import Inks, Look

#: Cells of the map at most, frame included, and the share of the window that it takes at most.
_LARGEST, _SHARE = Size(36, 11), 0.34
#: The least window in which there is room for one.
_LEAST = Size(50, 10)
#: It is there by itself in a window of so many rows if the drawing is larger than so many windows.
_ROWS, _WINDOWS = 16, 2.0
_TITLE = " map "
_FRAME = (
    (("+", "-", "+"), ("|", " ", "|"), ("+", "-", "+"))
    if ASCII
    else (("╭", "─", "╮"), ("│", " ", "│"), ("╰", "─", "╯"))
)


class MapCorner:
    """Where the map is, and its lines."""

    def __init__(self, inks: Inks) -> None:
        self.wanted: bool | None = None
        """As a person wants it; None: where it helps."""
        self._inks = inks
        self._made: tuple[Drawing, Size, Minimap] | None = None

    def region(self, drawing: Drawing, window: Rect, avoid: Region | None) -> Region | None:
        """Its cells of the window, in a corner where it hides not what is looked at; None if there is none."""
        room = Size(window.width, window.height)
        if self.wanted is False or room.width < _LEAST.width or room.height < _LEAST.height:
            return None
        fits = drawing.width <= room.width and drawing.height <= room.height
        if fits or (
            self.wanted is None and (room.height < _ROWS or drawing.width * drawing.height < _WINDOWS * room.area)
        ):
            return None
        size = Size(min(_LARGEST.width, int(room.width * _SHARE)), min(_LARGEST.height, int(room.height * _SHARE)))
        right, bottom = room.width - size.width, room.height - size.height
        for x, y in ((right, bottom), (right, 0), (0, bottom), (0, 0)):
            region = Region(x, y, size.width, size.height)
            if avoid is None or not region.overlaps(avoid):
                return region
        return None

    def lay_over(self, strip: Strip, y: int, region: Region, drawing: Drawing, words: NodeWords, window: Rect) -> Strip:
        """A line of the window with that of the map on it, and nothing of the drawing in the cells next to it."""
        row = y - region.y
        if not -1 <= row <= region.height:
            return strip
        ground = self._inks[Look("")]
        left, right = max(0, region.x - 1), min(window.width, region.right + 1)
        if not 0 <= row < region.height:
            middle = [Segment(" " * (right - left), ground)]
        else:
            middle = [*self._line(row, region.size, drawing, words, window)]
            middle.insert(0, Segment(" " * (region.x - left), ground))
            middle.append(Segment(" " * (right - region.right), ground))
        return Strip.join([strip.crop(0, left), Strip(middle), strip.crop(right)])

    def _line(self, row: int, size: Size, drawing: Drawing, words: NodeWords, window: Rect) -> Iterator[Segment]:
        frame = self._inks[Look("rule")]
        left, filling, right = _FRAME[0 if not row else 2 if row == size.height - 1 else 1]
        if filling != " ":
            title = _TITLE if not row and size.width > len(_TITLE) + 4 else ""
            yield Segment(left + filling * bool(title), frame)
            yield Segment(title, self._inks[Look("dim")])
            yield Segment(filling * (size.width - 2 - len(title) - bool(title)) + right, frame)
            return
        yield Segment(left, frame)
        for cell in self._minimap(drawing, Size(size.width - 2, size.height - 2)).line(row - 1, window):
            ground = "cursor" if cell.in_window else ""
            yield Segment(cell.text, self._style(words, cell.nodes, ground))
        yield Segment(right, frame)

    def _style(self, words: NodeWords, nodes: tuple[int, ...], ground: str) -> Style:
        if not nodes:
            return self._inks[Look("", ground=ground)]
        state = worst([words.state(node) for node in nodes])
        return self._inks[Look(task_face(state).style, ground=ground)]

    def _minimap(self, drawing: Drawing, size: Size) -> Minimap:
        made = self._made
        if made is None or made[0] is not drawing or made[1] != size:
            made = self._made = (drawing, size, Minimap(drawing, size.width, size.height, dots=not ASCII))
        return made[2]
