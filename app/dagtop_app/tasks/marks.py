"""The tasks that are marked: keys act on all of them instead of on the one under the cursor. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from dagtop.core.plan import Plan

from dagtop_app.lines import Line
from dagtop_app.text import plural

#: What stands before a marked task.
SIGN = "*"


class Marks:
    """Marked tasks by name: a name stays while a graph grows, a place in it may not."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.anchor: str | None = None
        """Where a range began that goes on to wherever the cursor is."""
        self.version = 0
        """Another number whenever something else is marked."""
        self._before: frozenset[str] = frozenset()
        """What was marked before the range was begun."""

    def __bool__(self) -> bool:
        return bool(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def toggle(self, names: Collection[str]) -> None:
        """Mark these, or unmark them if all of them are marked. A range ends here."""
        self.anchor = None
        if self.names.issuperset(names):
            self.names.difference_update(names)
        else:
            self.names.update(names)
        self.version += 1

    def begin(self, name: str) -> None:
        """Mark from here to wherever the cursor goes."""
        self.anchor, self._before = name, frozenset(self.names)
        self.names.add(name)
        self.version += 1

    def reach(self, names: Iterable[str]) -> None:
        """The range now has these, and only these, besides what was marked before."""
        self.names = {*self._before, *names}
        self.version += 1

    def end(self) -> None:
        """The range is as it should be."""
        self.anchor = None

    def invert(self, shown: Iterable[str]) -> None:
        """Of those that are shown mark what is not marked, and the other way round; what is hidden stays as it is."""
        self.anchor = None
        self.names.symmetric_difference_update(shown)
        self.version += 1

    def clear(self) -> None:
        """Nothing is marked any more."""
        if self.names or self.anchor is not None:
            self.names, self.anchor = set(), None
            self.version += 1

    def keep(self, plan: Plan) -> None:
        """Forget those that are not in the graph any more."""
        gone = [name for name in self.names if name not in plan.index]
        if gone:
            self.names.difference_update(gone)
            self.version += 1
        if self.anchor is not None and self.anchor not in plan.index:
            self.anchor = None

    def places(self, plan: Plan) -> list[int]:
        """Where they are in the graph, in its order."""
        return sorted(plan.index[name] for name in self.names if name in plan.index)

    def told(self, shown: Collection[str] | None = None) -> str:
        """ "2 selected", for the line of answers; `shown`: those that a filter lets through."""
        if not self.names:
            return ""
        hidden = 0 if shown is None else len(self.names.difference(shown))
        word = f"{len(self.names):,} selected"
        if hidden:
            word += f" ({hidden:,} hidden)"
        return f"{word} · range" if self.anchor is not None else word


def marked_line(line: Line, *, cursor: bool) -> Line:
    """A line of the table with the sign of what is marked: in the first cell, or behind the glyph where the cursor is."""
    if len(line) < 2:
        return line
    edge, glyph = line[0], line[1]
    if not cursor:
        return ((SIGN, "mark"), *line[1:])
    return (edge, (glyph[0].rstrip(" ") or " ", glyph[1]), (SIGN, "mark"), *line[2:])


def whom(names: Sequence[str], name_of_one: str) -> str:
    """Who a command is for: one task by its name, several by their number."""
    return name_of_one if len(names) == 1 else plural(len(names), "task")
