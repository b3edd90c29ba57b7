"""Names of tasks in a graph of graphs: the path of the node that they are in, and their own name in it."""

from __future__ import annotations

from collections.abc import Sequence

#: Between the name of a node and what is in it.
SLASH = "/"


def is_inside(name: str, path: str) -> bool:
    """Whether a task is in the node of this path."""
    return name.startswith(path) and name[len(path) : len(path) + 1] == SLASH


def members(names: Sequence[str], path: str) -> list[str]:
    """The tasks in a node, at every level below it, and the node's own."""
    return [name for name in names if name == path or is_inside(name, path)]
