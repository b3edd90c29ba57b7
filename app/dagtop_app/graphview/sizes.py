"""How much room a node takes at each scale."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import assert_never

from dagtop.core.values import dataclass


class Scale(StrEnum):
    """How large the nodes are drawn."""

    BOX = "box"
    """A frame of three rows around glyph, label and note."""
    PILL = "pill"
    """One row of glyph and label, and a free row."""
    OVERVIEW = "overview"
    """One cell per node, and lines where there is room for them."""
    WALL = "wall"
    """Half a cell per node, or for several."""

    @property
    def is_small(self) -> bool:
        """Whether a node is one cell at most."""
        return self is Scale.OVERVIEW or self is Scale.WALL


BOX_LIMIT = 60
PILL_LIMIT = 2_000
TRACK_LIMIT = 48
"""A channel with more columns than this is a thicket nobody reads."""


def suggest_scale(nodes: int, widest_channel: int = 0) -> Scale:
    """The largest scale at which a graph of this size still reads well."""
    if nodes > PILL_LIMIT or widest_channel > TRACK_LIMIT:
        return Scale.OVERVIEW
    return Scale.BOX if nodes <= BOX_LIMIT else Scale.PILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Rows and cells per node; the same for all nodes except the width of the label."""

    scale: Scale
    labels: tuple[int, ...]
    """Width in cells that the label of each node would like."""
    label_limit: int
    note: int
    """Width in cells of the text after the label, its leading space included."""

    @classmethod
    def of(cls, scale: Scale, labels: Sequence[int]) -> Sizes:
        """The usual sizes of a scale for nodes with labels this many cells wide.

        Raises:
            ValueError: overview and wall are not made of labels; use `Overview` or `Wall`.
        """
        match scale:
            case Scale.BOX:
                return cls(scale=scale, labels=tuple(labels), label_limit=22, note=6)
            case Scale.PILL:
                return cls(scale=scale, labels=tuple(labels), label_limit=18, note=0)
            case Scale.OVERVIEW | Scale.WALL:
                raise ValueError(f"lay out an {scale} from labels: build it from a pill layout instead")
            case _ as unreachable:
                assert_never(unreachable)

    @property
    def rows(self) -> int:
        """Rows of one node."""
        return 3 if self.scale is Scale.BOX else 1

    @property
    def gap(self) -> int:
        """Free rows between a node and whatever is above it. A box needs none: its frame keeps the lines apart."""
        return 0 if self.scale is Scale.BOX else 1

    @property
    def around(self) -> int:
        """Cells of a node beside label and note: glyph, spaces, sides of the frame."""
        return 4

    def label_width(self, nodes: Sequence[int]) -> int:
        """Width of the labels in a column of these nodes."""
        return min(self.label_limit, max((self.labels[node] for node in nodes), default=0))
