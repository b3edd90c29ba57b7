"""What is wanted of supervised tasks, and how they keep up with it. Most runs have none."""

from __future__ import annotations


class Desired:
    """By task index. Only the ledger changes it."""

    __slots__ = ("down", "generation", "gone", "restarts", "serving", "since")

    def __init__(self) -> None:
        self.serving: set[int] = set()
        """Tasks that do what they are there for, or did once: what depends on them may start."""
        self.restarts: dict[int, tuple[int, int]] = {}
        """(restarts, those after a failure) since it was healthy, or a person started it."""
        self.since: dict[int, int] = {}
        """How many attempts there had been before the first of those restarts was decided, and its run."""
        self.down: set[int] = set()
        """Tasks that a person wants down."""
        self.gone: set[int] = set()
        """Tasks that were removed from the graph."""
        self.generation: dict[int, int] = {}
        """Which version of what is wanted this is, where it is not the first."""

    def knows(self, index: int) -> bool:
        """Whether there is anything to tell of a task."""
        marked = index in self.serving or index in self.down or index in self.gone
        return marked or index in self.restarts or index in self.generation

    def grew_older(self, index: int) -> None:
        """Something else is wanted of a task now."""
        self.generation[index] = self.generation.get(index, 1) + 1
