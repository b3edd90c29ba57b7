"""What can go wrong while a graph is being drawn.

Exception
 ├─ GraphCycleError (ValueError)   the edges go round in a circle
 ├─ UnknownNodeError (ValueError)  an edge names a node that is not listed
 └─ LayoutCancelled                the caller no longer wants the drawing
"""

from __future__ import annotations

from collections.abc import Callable


class GraphCycleError(ValueError):
    """The edges go round in a circle; `names` lists the nodes of one such circle in order."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(f"draw a graph with a cycle: {' -> '.join((*names, names[0]))}; remove one of these edges")


class UnknownNodeError(ValueError):
    """An edge names a node that is not in the list of names."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"draw an edge of {name!r}: no node has this name; add it to the names")


class LayoutCancelled(Exception):  # noqa: N818 - a way out, not a mistake
    """The caller's `cancelled()` said yes; nothing was changed."""


def stop_if(cancelled: Callable[[], bool]) -> None:
    """Give up between two phases of a layout.

    Raises:
        LayoutCancelled: the caller no longer wants the result.
    """
    if cancelled():
        raise LayoutCancelled
