"""Which tasks the table shows, in which order, and where the cursor is. Pure, and fast for 100,000 rows.

The order never jumps under the cursor: the cursor is a task, not a line; the task under it keeps its rank while the
cursor is on it; and nothing moves for a moment after a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagtop.core.snapshot import EMPTY, RunSnapshot, TaskRow

from dagtop_app.levels.model import Levels
from dagtop_app.tasks import row_orders
from dagtop_app.tasks.filters import Filter, is_problem, matches
from dagtop_app.tasks.grouping import Grouping, Pack
from dagtop_app.tasks.marks import Marks
from dagtop_app.tasks.table_columns import is_slow

if TYPE_CHECKING:
    from dagtop.core.forecast import Usual

#: Seconds after a key during which the order stands still.
CALM = 2.0

#: Rows looked at per second, at most, to keep the order: of 100,000 twice a second, of 10,000 at every look.
PACE = 200_000


class Roster:
    """The order of the table."""

    def __init__(self) -> None:
        self.snapshot: RunSnapshot = EMPTY
        self.order: Sequence[int] = ()
        """Indices of the tasks shown, top to bottom."""
        self.sort = "problems"
        self.reverse = False
        self.wanted = Filter("")
        self.problems = False
        self.selected: int | None = None
        """Index of the task under the cursor."""
        self.touched = False
        """Whether a person has moved the cursor; before that it stays on the first line."""
        self.marks = Marks()
        self.grouping = Grouping()
        self.usual: Mapping[int, Usual] = {}
        """How long tasks take as a rule, by index, as far as that is known."""
        self.columns: tuple[str, ...] = ()
        """The columns that a person wants to see; () is all that there is room for."""
        self.levels = Levels()
        self.level = ""
        """The path of the node whose inside is shown, "" for the outermost level."""
        self.flat = False
        """Whether all tasks are shown by their paths, and not level by level."""
        self._left_at: dict[str, int] = {}
        self._place: int = 0
        self._extra: int | None = None
        self._pinned: tuple[int, TaskRow] | None = None
        self._calm_until = float("-inf")
        self._rest_until = float("-inf")
        self._behind = False

    @property
    def place(self) -> int:
        """The line that the cursor is on; 0 if nothing is shown."""
        return self._place

    @property
    def row(self) -> TaskRow | None:
        """The row under the cursor."""
        rows = self.snapshot.rows
        return rows[self.selected] if self.selected is not None and self.selected < len(rows) else None

    @property
    def by_level(self) -> bool:
        """Whether one level is shown; whoever looks for something looks through all of them."""
        return self.levels.there and not (self.flat or self.wanted or self.problems)

    @property
    def drawn_level(self) -> str | None:
        """The level that a drawing is about; while something is looked for, that of the task under the cursor. None: all."""
        if self.flat or not self.levels.there:
            return None
        return self.level if self.by_level or self.selected is None else self.levels.home(self.selected)

    def touch(self, now: float) -> None:
        """A key was pressed: the cursor stays where it is, and nothing moves for a moment."""
        if not self.touched:
            self._pinned = None
            self.touched = True
        self._pin()
        self._calm_until = now + CALM

    def rest(self, now: float) -> None:
        """The order was just worked out on a person's word: it stands for as long as working it out may take its share."""
        self._rest_until = now + len(self.snapshot.rows) / PACE

    def show(self, snapshot: RunSnapshot, now: float) -> bool:
        """Take a snapshot. True if the order may have changed."""
        before = self.snapshot
        self.snapshot = snapshot = self.levels.take(snapshot)
        self.grouping.take(snapshot.plan)
        if snapshot.plan is not before.plan and self.marks:
            self.marks.keep(snapshot.plan)
        if snapshot.plan is not before.plan and not self._take_plan(before):
            self.rebuild()
            return True
        grown = len(snapshot.rows) - len(before.rows)
        self._behind |= snapshot.rows is not before.rows or bool(self.usual and int(snapshot.at) != int(before.at))
        if grown and not self.is_due(now):
            self._append(grown)
            return True
        if not self.is_due(now):
            return False
        self.rest(now)
        return self.rebuild()

    def _take_plan(self, before: RunSnapshot) -> bool:
        """The cursor stays on its task, by name. False if this is another graph, and not the same one grown.

        Whoever grows appends; tasks that go keep their place.
        """
        rows, old = self.snapshot.rows, before.rows
        if self.selected is not None and self.selected < len(old):
            self.selected = self.snapshot.plan.index.get(old[self.selected].name, self.selected)
        self.level = self.levels.nearest(self.level)
        if not old or len(rows) < len(old):
            return False
        return rows[0].name == old[0].name and rows[len(old) - 1].name == old[-1].name

    def _append(self, grown: int) -> None:
        """New tasks come to the end, where they move nothing, until the order may change again."""
        rows = self.snapshot.rows
        first = len(rows) - grown
        if self.by_level:
            shown = [index for index in range(first, len(rows)) if self.levels.home(index) == self.level]
        else:
            new = matches(rows[first:], self.wanted, problems=self.problems)
            shown = [rows[first + place].index for place in new] if isinstance(new, range) else new
        self.order = [*self.order, *self.grouping.absorb(shown)]
        self._find_cursor()

    def _is_slow(self, row: TaskRow) -> bool:
        return is_slow(self.snapshot, row, self.usual)

    def is_due(self, now: float) -> bool:
        """Whether rows have changed since the order was worked out, and it may change now."""
        return self._behind and now >= self._calm_until and now >= self._rest_until

    def rebuild(self) -> bool:
        """Work the order out anew. True if it is another one."""
        self._behind = False
        before = self.order
        shown = self._wanted()
        if self.selected is not None and self.touched and self.problems and self.row is not None:
            shown = self._kept(shown)
        if self._extra is not None and self._extra == self.selected and self._extra not in shown:
            shown = [*shown, self._extra]
        self.order = self._sorted(shown)
        self._find_cursor()
        return self.order != before

    def _wanted(self) -> Sequence[int]:
        if self.by_level:
            return self._folded(self.levels.children(self.level))
        shown = matches(self.snapshot.rows, self.wanted, problems=self.problems)
        if self.problems and self.levels.there:  # the task that failed, and not each node around it too
            return [index for index in shown if not self.levels.is_node(index)]
        return self._folded(shown)

    def _folded(self, shown: Sequence[int]) -> Sequence[int]:
        """Groups as one row each, unless something is looked for, or lanes go from task to task."""
        if self.wanted or self.problems or self.sort == "lanes":
            self.grouping.unfold()
            return shown
        shown = self.grouping.fold(shown)
        if self.selected is not None:
            self.selected = self.grouping.head_of(self.selected)
        return shown

    @property
    def pack(self) -> Pack | None:
        """The group that the row under the cursor stands for; None if it is a task."""
        return self.grouping.packs.get(self.selected) if self.selected is not None else None

    def names_at(self, index: int) -> list[str]:
        """The tasks that a row stands for."""
        pack, names = self.grouping.packs.get(index), self.snapshot.plan.names
        return [names[index]] if pack is None else [names[member] for member in pack.members]

    def open_group(self, key: str) -> None:
        """Show what is in a group."""
        self.grouping.opened = key
        self.touched = True
        self.selected, self._place = None, 0
        self.rebuild()

    def close_group(self) -> bool:
        """Show the group as one row again, the cursor on it. False if none is opened."""
        if not self.grouping.opened:
            return False
        self.grouping.opened = ""
        self.touched = True
        self.rebuild()
        return True

    @property
    def kept(self) -> int:
        """How many of "problems only" are none any more and are shown as the cursor is on them."""
        row = self.row
        return int(self.problems and row is not None and row.index in self.order and not is_problem(row))

    def _kept(self, shown: Sequence[int]) -> Sequence[int]:
        """The task under the cursor does not vanish from "problems only" the moment it is well again."""
        row = self.row
        assert row is not None
        if self.levels.is_node(row.index) or row.index in shown or not self.wanted(row) or row.index not in self.order:
            return shown
        return sorted([*shown, row.index])

    def _sorted(self, shown: Sequence[int]) -> Sequence[int]:
        if self.sort == "graph":
            return shown[::-1] if self.reverse else shown
        rows = self.snapshot.rows
        if self.by_level:  # what is elsewhere has no say
            keys = dict(zip(shown, self._keys([rows[index] for index in shown]), strict=True))
            for head, pack in self.grouping.packs.items():
                if head in keys:
                    keys[head] = min(self._keys([rows[member] for member in pack.members]))
            if self._pins and self._pinned is not None and self._pinned[0] in keys:
                keys[self._pinned[0]] = self._pinned_key(self._pinned[1])
            return sorted(shown, key=keys.__getitem__, reverse=self.reverse)
        every = self._keys(rows)
        for head, least in self.grouping.least(every.__getitem__).items():
            every[head] = least
        if self._pins and self._pinned is not None and self._pinned[0] < len(every):
            every[self._pinned[0]] = self._pinned_key(self._pinned[1])
        return sorted(shown, key=every.__getitem__, reverse=self.reverse)

    @property
    def _pins(self) -> bool:
        return self.touched and self.sort in {"problems", "state"} and self.pack is None

    def _pinned_key(self, row: TaskRow) -> float:
        return row_orders.rank(row) if self.sort == "problems" else row_orders.LIFE[row.state]

    def _pin(self) -> None:
        """The task under the cursor counts as what it is now until the cursor leaves it."""
        row = self.row
        if row is None:
            self._pinned = None
        elif self._pinned is None or self._pinned[0] != row.index:
            self._pinned = (row.index, row)

    def _keys(self, rows: Sequence[TaskRow]) -> list[Any]:
        level = self.level if self.by_level else None
        return row_orders.keys_of(self.sort, self.snapshot, rows, usual=self.usual, level=level)

    def _find_cursor(self) -> None:
        if not self.order:
            self._place = 0
            self.selected = None
            return
        if self.touched and self.selected is not None:
            try:
                self._place = self.order.index(self.selected)
                return
            except ValueError:
                pass
        self.go(self._place if self.touched else 0)

    def go(self, place: int) -> None:
        """Put the cursor on a line, the nearest one there is."""
        if not self.order:
            return
        self._place = min(max(0, place), len(self.order) - 1)
        self.selected = self.order[self._place]
        self._pin()

    def extend(self) -> None:
        """The cursor was moved: a range that is being marked goes to it."""
        anchor = self.snapshot.plan.index.get(self.marks.anchor) if self.marks.anchor is not None else None
        if anchor is None:
            return
        try:
            first = self.order.index(anchor)
        except ValueError:
            first = self._place
        low, high = sorted((first, self._place))
        self.marks.reach(name for index in self.order[low : high + 1] for name in self.names_at(index))

    def invert_marks(self) -> None:
        """Of what is shown mark what is not marked, and the other way round."""
        self.marks.invert(name for index in self.order for name in self.names_at(index))

    def select(self, index: int) -> bool:
        """Put the cursor on a task, in the level where it is. False if the filter hides it."""
        if self.by_level and index < len(self.snapshot.rows) and (home := self.levels.home(index)) != self.level:
            self.level = home
            self.rebuild()
        self._show_inside(index)
        try:
            place = self.order.index(index)
        except ValueError:
            return False
        self.touched = True
        self.go(place)
        return True

    def _show_inside(self, index: int) -> None:
        """Open the group that hides a task, or close the one that it is not in."""
        grouping = self.grouping
        if grouping.opened and grouping.key_of(index) != grouping.opened:
            grouping.opened = ""
            self.rebuild()
        if grouping.head_of(index) != index:
            self.open_group(grouping.key_of(index))

    def keep(self, index: int) -> None:
        """Put the cursor on a task; if a filter hides it, it is shown all the same until the cursor leaves it."""
        if not self.select(index):
            self._extra = self.selected = index
            self.touched = True
            self.rebuild()

    def find(self, test: Callable[[TaskRow], bool], step: int) -> bool:
        """Move the cursor to the next (step 1) or previous (-1) task that passes `test`, around the end."""
        if self.by_level or self.grouping.packs or self.grouping.opened:
            return self._find_anywhere(test, step)
        count = len(self.order)
        rows = self.snapshot.rows
        for far in range(1, count + 1):
            place = (self._place + step * far) % count
            if test(rows[self.order[place]]):
                self.go(place)
                return True
        return False

    def _find_anywhere(self, test: Callable[[TaskRow], bool], step: int) -> bool:
        """The same through all levels, as the graph declares the tasks."""
        rows, start = self.snapshot.rows, self.selected or 0
        for far in range(1, len(rows) + 1):
            index = (start + step * far) % len(rows)
            if not self.levels.is_node(index) and test(rows[index]):
                return self.select(index)
        return False

    # -- levels ----------------------------------------------------------------------------------------------

    def enter(self, index: int) -> None:
        """Show what is in a node: the cursor is where it was when the node was left, or on the first line."""
        self._go_to_level(self.snapshot.plan.names[index], None)

    def leave(self) -> bool:
        """Show the level around this one, the cursor on the node that was left. False at the outermost one."""
        node = self.levels.node_of(self.level)
        if not self.by_level or node is None:
            return False
        if self.selected is not None:
            self._left_at[self.level] = self.selected
        self._go_to_level(self.levels.outer(self.level), node)
        return True

    def _go_to_level(self, path: str, index: int | None) -> None:
        self.level = path
        self.touched = True
        self._place = 0
        if index is None:
            index = self._left_at.get(path)
        self.selected = index
        self.rebuild()

    def show_flat(self, flat: bool) -> None:
        """All tasks by their paths, or level by level: then the one that the cursor is on."""
        self.flat = flat
        if self.touched:
            self._come_home()
        else:
            self.rebuild()

    def look_for(self, wanted: Filter, *, problems: bool) -> None:
        """Show what passes a filter, from all levels. Without one the level is shown that the cursor has come to."""
        looked = bool(self.wanted or self.problems)
        wanted.slow = self._is_slow
        self.wanted, self.problems = wanted, problems
        if looked:
            self._come_home()
        else:
            self.rebuild()

    def _come_home(self) -> None:
        if self.by_level and self.selected is not None:
            self.level = self.levels.home(self.selected)
            self.touched = True
        self.rebuild()
