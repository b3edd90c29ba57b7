"""Finding the way through a drawing with the arrow keys: sideways along the edges, up and down within a layer."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import assert_never

from dagtop.core.values import dataclass

from .layout import Layout

TRAIL = 64
"""Steps that can be walked back."""


class Direction(StrEnum):
    """Where to go."""

    LEFT = "left"
    """To the parent in the nearest row."""
    RIGHT = "right"
    """To the child in the nearest row."""
    UP = "up"
    """To the node above in the same layer."""
    DOWN = "down"
    """To the node below in the same layer."""
    HOME = "home"
    """To the source of the critical path."""
    END = "end"
    """To the sink of the critical path."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A node, and the sideways steps that led to it."""

    node: int
    trail: tuple[tuple[Direction, int], ...] = ()
    """(direction, node it was taken from), the last step last; the opposite step goes back there."""


def first_cursor(layout: Layout) -> Cursor | None:
    """The topmost node of the first layer; nothing in an empty graph."""
    nodes = layout.nodes_in(0) if layout.layers else []
    return Cursor(nodes[0]) if nodes else None


def move(layout: Layout, cursor: Cursor, direction: Direction, critical: Sequence[int] = ()) -> Cursor:
    """Take one step; where there is no way the cursor stays as it is."""
    match direction:
        case Direction.RIGHT:
            return _sideways(layout, cursor, direction, layout.model.children[cursor.node])
        case Direction.LEFT:
            return _sideways(layout, cursor, direction, layout.model.parents[cursor.node])
        case Direction.UP:
            return _within_layer(layout, cursor, -1)
        case Direction.DOWN:
            return _within_layer(layout, cursor, 1)
        case Direction.HOME:
            return Cursor(critical[0]) if critical else cursor
        case Direction.END:
            return Cursor(critical[-1]) if critical else cursor
        case _ as unreachable:
            assert_never(unreachable)


def _sideways(layout: Layout, cursor: Cursor, direction: Direction, ways: Sequence[int]) -> Cursor:
    back = Direction.LEFT if direction is Direction.RIGHT else Direction.RIGHT
    if cursor.trail and cursor.trail[-1][0] is back and cursor.trail[-1][1] in ways:
        return Cursor(cursor.trail[-1][1], cursor.trail[:-1])
    if not ways:
        return cursor
    rows, ranks = layout.rows, layout.graph.ranks
    here = cursor.node
    nearest = min(ways, key=lambda n: (abs(rows[n] - rows[here]), abs(ranks[n] - ranks[here]), rows[n]))
    return Cursor(nearest, (*cursor.trail, (direction, here))[-TRAIL:])


def _within_layer(layout: Layout, cursor: Cursor, step: int) -> Cursor:
    nodes = layout.nodes_in(layout.graph.ranks[cursor.node])
    place = nodes.index(cursor.node) + step
    return Cursor(nodes[place]) if 0 <= place < len(nodes) else cursor
