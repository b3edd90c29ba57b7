"""What is found wrong with a graph: all of it is collected, and told at once."""

from __future__ import annotations

from collections.abc import Collection

from dagtop.errors import Flaw, GraphError

#: Flaws that come with the nearest name; of ten thousand misspelt names the first few tell enough.
HINTS = 20


class Flaws:
    """What has been found wrong, and of which kinds."""

    def __init__(self) -> None:
        self.found: list[tuple[type[GraphError], Flaw]] = []

    def add(self, kind: type[GraphError], message: str, place: str = "") -> None:
        self.found.append((kind, Flaw(message, place)))

    def hints(self, names: Collection[str]) -> Collection[str]:
        """The names among which the nearest is looked for: none any more after many flaws, for each look takes its time."""
        return names if len(self.found) < HINTS else ()

    def raise_all(self) -> None:
        if self.found:
            kinds = {kind for kind, _ in self.found}
            error = kinds.pop() if len(kinds) == 1 else GraphError
            raise error([flaw for _, flaw in self.found])
