"""What a drawing gives to the widget that paints it: runs of text that say what they belong to.

Colours are the widget's: it looks the state of a node up when it paints, so a drawing stays valid while states change.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from .highlight import Highlight
    from .layout import Layout


class Part(StrEnum):
    """What a run of text is."""

    BLANK = "blank"
    """Nothing; no owner."""
    LINE = "line"
    """Part of a bus between two layers; the owner is its first carrier."""
    TRUNK = "trunk"
    """A line on its way through a layer, or from a pill to the edge of its layer; the owner is its carrier."""
    FRAME = "frame"
    """The frame of a box, or the padding of a pill; the owner is the node."""
    GLYPH = "glyph"
    """The state glyph of the owner; in the overview all there is of it."""
    LABEL = "label"
    """The label of the owner."""
    NOTE = "note"
    """The text after the label of the owner."""
    INSET = "inset"
    """What stands in the lower edge of the owner's frame."""
    PAIR = "pair"
    """One cell for two nodes, the owner above the other; all there is of them on a wall."""
    BAR = "bar"
    """Part of the bar of a node that stands for several; its tone says what it is."""


class Emphasis(StrEnum):
    """Why a run stands out. Where several fit the last one here wins."""

    NONE = "none"
    """It does not; fade it if anything else does."""
    UPSTREAM = "upstream"
    """It leads to the selected node."""
    DOWNSTREAM = "downstream"
    """It comes from the selected node."""
    CRITICAL = "critical"
    """It is on the critical path."""
    SELECTED = "selected"
    """It is the selected node."""


class Run(NamedTuple):
    """Neighbouring cells of a line that belong together."""

    text: str
    part: Part
    owner: int
    emphasis: Emphasis
    tone: str = ""
    """What it is, as `NodeTexts.bar` says."""
    below: int = -1
    """Of a cell cut in two the owner of its lower half."""


class Line(NamedTuple):
    """One row of a drawing, from column `start`: whole parts only, so it may begin before and end after what was
    asked for."""

    start: int
    runs: tuple[Run, ...]

    @property
    def text(self) -> str:
        """The characters alone."""
        return "".join(run.text for run in self.runs)


class Rect(NamedTuple):
    """Cells of a drawing."""

    x: int
    y: int
    width: int
    height: int


class NodeTexts(Protocol):
    """What the nodes say just now; all text is already safe to print. Inherit it: not every drawing needs all of it."""

    def glyph(self, node: int) -> str:
        """One cell."""
        ...

    def label(self, node: int, width: int) -> str:
        """Exactly `width` cells, clipped or padded."""
        ...

    def note(self, node: int, width: int) -> str:
        """Exactly `width` cells, clipped or padded; not asked for if `width` is 0."""
        ...

    def inset(self, node: int, width: int) -> tuple[str, int]:
        """For the lower edge of the node's frame, "" for none; and how many cells it takes, at most `width`."""
        return "", 0

    def stands_for_several(self, node: int) -> bool:
        """Whether the node is drawn as one that stands for others: with a bar, and its label in the upper edge."""
        return False

    def bar(self, node: int, width: int) -> Sequence[tuple[str, str]]:
        """Exactly `width` cells for a node that stands for several: (text, tone) from left to right."""
        return ((" " * width, ""),)


class Drawing(Protocol):
    """What `Canvas` and `Overview` have in common."""

    layout: Layout

    @property
    def highlight(self) -> Highlight:
        """What stands out; set it to change it, then paint again."""
        ...

    @highlight.setter
    def highlight(self, highlight: Highlight) -> None: ...

    @property
    def width(self) -> int:
        """Columns of the whole drawing."""
        ...

    @property
    def height(self) -> int:
        """Rows of the whole drawing."""
        ...

    def line(self, y: int, x0: int, x1: int) -> Line:
        """Row `y`, covering at least the columns x0 to x1 - 1 as far as the drawing goes."""
        ...

    def node_at(self, x: int, y: int) -> int | None:
        """The node drawn at a cell."""
        ...

    def rect_of(self, node: int) -> Rect:
        """The cells of a node."""
        ...

    def lines_from(self, node: int) -> list[Rect]:
        """Cells to paint anew if the lines of a node change their colour; their bounding boxes, in no order."""
        ...

    def feeders(self, run: Run) -> tuple[int, ...]:
        """The nodes a line or trunk comes from, or the node a run is part of."""
        ...
