"""The levels of a graph of graphs: what is in which node, and what its tasks come to. Pure; kept up row by row.

A node has a task of its own, which waits until all that is in the node has ended. On screen that task's row stands for the whole
node: `Levels.take` gives a snapshot in which it has the state, the times and the progress of what is inside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple, TypeVar

import msgspec
from dagtop.core.paths import SLASH
from dagtop.core.plan import EMPTY_PLAN, Plan
from dagtop.core.snapshot import EMPTY, RunSnapshot, TaskRow
from dagtop.core.states import ACTIVE, BAD, FINAL, GOOD, TaskState
from dagtop.core.values import dataclass

from dagtop_app.faces import Face, face_of
from dagtop_app.tasks.upkeep import is_between_rounds

_S = TaskState
_T = TypeVar("_T")

#: Which state a node has whose tasks are in several: the first of these that one of them is in.
_FIRST = (
    _S.FAILED, _S.TIMED_OUT, _S.BLOCKED, _S.BACKOFF, _S.CANCELLING, _S.RUNNING, _S.READY, _S.HELD, _S.WAITING,
    _S.CANCELLED, _S.SUCCEEDED, _S.CACHED, _S.SKIPPED,
)  # fmt: skip
_RANK = {state: rank for rank, state in enumerate(_FIRST)}


class Rolled(NamedTuple):
    """What the tasks below a node come to at one moment. As long as nothing of it changes it is the same object."""

    state: TaskState
    faces: Mapping[Face, int]
    """How many tasks look how; none that nobody does."""
    total: int
    done: int
    """How many have ended, for good or bad."""
    begun: float | None
    """Start of the first attempt."""
    ended: float | None
    """None while it goes on, and if nothing in it ran."""
    failed: Sequence[int]
    active: Sequence[int]
    serving: int
    """How many supervised tasks do what they are there for."""

    @property
    def has_begun(self) -> bool:
        """Whether anything in it has been more than waited for."""
        return self.begun is not None or self.done > 0

    @property
    def goes_on(self) -> bool:
        """Whether something in it runs, or is still to run."""
        return self.done < self.total


@dataclass(slots=True, eq=False)
class _Level:
    """One node, or the whole graph: what is directly in it, and the books about all that is below."""

    path: str
    index: int = -1
    """Of the node's own task; -1 of the whole graph."""
    around: _Level | None = None
    depth: int = 0
    children: list[int] = field(default_factory=list)
    states: Counter[TaskState] = field(default_factory=Counter)
    faces: Counter[Face] = field(default_factory=Counter)
    total: int = 0
    begun: float | None = None
    ended: float | None = None
    failed: dict[int, None] = field(default_factory=dict)
    active: dict[int, None] = field(default_factory=dict)
    serving: set[int] = field(default_factory=set)

    def add(self, row: TaskRow, sign: int) -> None:
        """Enter a task's row into the books, or (sign -1) strike it out."""
        _count(self.states, _S.RUNNING if is_between_rounds(row) else row.state, sign)
        _count(self.faces, face_of(row), sign)
        self.total += sign
        for listed, states in ((self.failed, BAD), (self.active, ACTIVE)):
            if row.state in states:
                listed.pop(row.index, None)
                if sign > 0:
                    listed[row.index] = None
        if sign < 0:
            self.serving.discard(row.index)
        else:
            self._note(row)

    def _note(self, row: TaskRow) -> None:
        if row.serving:
            self.serving.add(row.index)
        first = row.history[0].started_at if row.history else row.started_at
        if first is not None and (self.begun is None or first < self.begun):
            self.begun = first
        if row.state in FINAL and row.ended_at is not None and (self.ended is None or row.ended_at > self.ended):
            self.ended = row.ended_at

    def rolled(self, own: TaskRow) -> Rolled:
        """What it comes to; `own` is the row of the node's own task."""
        done = sum(count for state, count in self.states.items() if state in FINAL)
        over = done == self.total
        worst = min(self.states, key=_RANK.__getitem__, default=own.state)
        state = own.state if over and own.state in FINAL else worst
        ended = self.ended if over and self.begun is not None else None
        return Rolled(
            state, dict(self.faces), self.total, done, self.begun, ended, tuple(self.failed), tuple(self.active),
            len(self.serving),
        )  # fmt: skip


class Levels:
    """Kept up with the snapshots of a run."""

    def __init__(self) -> None:
        self.snapshot: RunSnapshot = EMPTY
        """The latest, as it is shown."""
        self._seen: RunSnapshot = EMPTY
        self._plan: Plan = EMPTY_PLAN
        self._top = _Level("")
        self._by_path: dict[str, _Level] = {}
        self._by_index: dict[int, _Level] = {}
        self._home: list[_Level] = []
        self._rolled: dict[int, Rolled] = {}
        self._needs: dict[int, Sequence[int]] = {}
        self._tree: Sequence[int] | None = None

    @property
    def there(self) -> bool:
        """Whether the graph has nodes at all."""
        return bool(self._by_index)

    # -- keeping up ------------------------------------------------------------------------------------------

    def take(self, snapshot: RunSnapshot) -> RunSnapshot:
        """Take the latest snapshot, and give it as it is shown: a node's row stands for what is in the node, and the counts are
        of tasks without the nodes. One of a graph without nodes stays as it is."""
        plan, before = snapshot.plan, self._seen
        self._seen = snapshot
        if not plan.nodes:
            if self._by_index or plan is not self._plan:
                self._forget(plan)
            self.snapshot = snapshot
            return snapshot
        if plan is not self._plan:
            if not self._grow(plan, before, snapshot):
                self._begin(plan, snapshot)
        elif snapshot.rows is not before.rows:
            self._compare(before.rows, snapshot.rows)
        else:
            self.snapshot = msgspec.structs.replace(snapshot, rows=self.snapshot.rows, counts=self.snapshot.counts)
            return self.snapshot
        self.snapshot = self._shown(snapshot)
        return self.snapshot

    def _forget(self, plan: Plan) -> None:
        self._plan = plan
        self._top = _Level("")
        self._by_path, self._by_index, self._home = {"": self._top}, {}, []
        self._rolled, self._needs, self._tree = {}, {}, None

    def _begin(self, plan: Plan, snapshot: RunSnapshot) -> None:
        self._forget(plan)
        for index in sorted(plan.nodes, key=lambda it: plan.names[it].count(SLASH)):
            path = plan.names[index]
            around = self._around(path)
            level = _Level(path, index, around, around.depth + 1)
            self._by_path[path] = self._by_index[index] = level
        self._settle(0, plan, snapshot.rows)

    def _around(self, name: str) -> _Level:
        """The innermost node that a path is in."""
        while SLASH in name:
            name = name.rpartition(SLASH)[0]
            if (level := self._by_path.get(name)) is not None:
                return level
        return self._top

    def _settle(self, first: int, plan: Plan, rows: Sequence[TaskRow]) -> None:
        """Put the tasks from `first` on where they belong."""
        for index in range(first, len(plan.names)):
            home = self._around(plan.names[index])
            self._home.append(home)
            home.children.append(index)
            if index not in self._by_index and index < len(rows):
                self._enter(rows[index], 1)

    def _grow(self, plan: Plan, before: RunSnapshot, snapshot: RunSnapshot) -> bool:
        """Take the tasks that have come behind those that there were. False if this is another graph."""
        old, count = self._plan, len(self._home)
        grown = 0 < count <= len(plan.names) and len(plan.nodes) == len(self._by_index) and len(before.rows) == count
        if not grown or old.names[0] != plan.names[0] or old.names[count - 1] != plan.names[count - 1]:
            return False
        if any(plan.names[index] != level.path for index, level in self._by_index.items()):
            return False
        self._plan = plan
        self._needs.clear()
        self._compare(before.rows, snapshot.rows[:count])
        self._settle(count, plan, snapshot.rows)
        return True

    def _compare(self, before: Sequence[TaskRow], now: Sequence[TaskRow]) -> None:
        if before is now:
            return
        for was, row in zip(before, now, strict=False):
            if was is not row:
                if row.index in self._by_index:
                    self._rolled.pop(row.index, None)
                elif _tells(was) != _tells(row):
                    self._enter(was, -1)
                    self._enter(row, 1)

    def _enter(self, row: TaskRow, sign: int) -> None:
        level: _Level | None = self._home[row.index]
        while level is not None:
            level.add(row, sign)
            self._rolled.pop(level.index, None)
            level = level.around

    def _shown(self, snapshot: RunSnapshot) -> RunSnapshot:
        rows, before = list(snapshot.rows), self.snapshot.rows
        counts = dict(snapshot.counts)
        for index in self._by_index:
            if index >= len(rows):
                continue
            own = rows[index]
            counts[own.state] = counts.get(own.state, 0) - 1
            fresh = index not in self._rolled
            rolled = self.rolled(index, own)
            if not fresh and index < len(before) and before[index].name == own.name:
                rows[index] = before[index]
                continue
            rows[index] = msgspec.structs.replace(
                own, state=rolled.state, attempt=1 if rolled.begun is not None else 0, started_at=rolled.begun,
                ended_at=rolled.ended, progress=(rolled.done, rolled.total, ""), serving=False,
            )  # fmt: skip
        return msgspec.structs.replace(snapshot, rows=rows, counts=counts)

    # -- looking ---------------------------------------------------------------------------------------------

    def is_node(self, index: int | None) -> bool:
        """Whether a task stands for a node."""
        return index in self._by_index

    def rolled(self, index: int, own: TaskRow | None = None) -> Rolled:
        """What is in a node, as it is now."""
        found = self._rolled.get(index)
        if found is None:
            row = own if own is not None else self._seen.rows[index]
            found = self._rolled[index] = self._by_index[index].rolled(row)
        return found

    def states(self, index: int) -> Mapping[TaskState, int]:
        """How many tasks in a node are in which state."""
        return self._by_index[index].states

    def has(self, path: str) -> bool:
        """Whether there is such a level."""
        return path in self._by_path

    def children(self, path: str) -> Sequence[int]:
        """What is directly in a level: tasks, and the own tasks of nodes."""
        level = self._by_path.get(path)
        return level.children if level is not None else ()

    def nodes_in(self, path: str) -> int:
        """How many nodes are directly in a level."""
        return sum(1 for level in self._by_index.values() if level.around is not None and level.around.path == path)

    def home(self, index: int) -> str:
        """The path of the level that a task, or a node, is in."""
        return self._home[index].path if index < len(self._home) else ""

    def depth(self, index: int) -> int:
        """How many levels there are around a node; 0 at the top."""
        return self._by_index[index].depth - 1

    def node_of(self, path: str) -> int | None:
        """The own task of the node of this path; None for the whole graph."""
        level = self._by_path.get(path)
        return level.index if level is not None and level.index >= 0 else None

    def nearest(self, path: str) -> str:
        """The level of this path, or if it has gone the innermost one around it that there is."""
        while path and path not in self._by_path:
            path = path.rpartition(SLASH)[0]
        return path

    def outer(self, path: str) -> str:
        """The path of the level around one."""
        level = self._by_path.get(path)
        return level.around.path if level is not None and level.around is not None else ""

    def crumbs(self, path: str) -> Sequence[str]:
        """The names of the levels on the way to one, outermost first, without the whole graph."""
        names: list[str] = []
        level = self._by_path.get(path)
        while level is not None and level.around is not None:
            names.append(relative(level.path, level.around.path))
            level = level.around
        return names[::-1]

    def child(self, path: str, index: int) -> int | None:
        """What of a level a task is, or is in; None if it is elsewhere."""
        level = self._home[index]
        while level.path != path:
            if level.around is None:
                return None
            index, level = level.index, level.around
        return index

    def tree(self) -> Sequence[int]:
        """The own tasks of all nodes, each followed by those of the nodes in it."""
        if self._tree is None:
            self._tree = tuple(self._walk(self._top))
        return self._tree

    def _walk(self, level: _Level) -> Iterator[int]:
        for index in level.children:
            inner = self._by_index.get(index)
            if inner is not None:
                yield index
                yield from self._walk(inner)

    def below(self, index: int) -> Iterator[int]:
        """All tasks in a node, at every level below it, without the own tasks of nodes."""
        for inside in self._by_index[index].children:
            if inside in self._by_index:
                yield from self.below(inside)
            else:
                yield inside

    def is_met(self, index: int) -> bool:
        """Whether a task, or a node, is there for what depends on it: it has come to a good end, or serves."""
        own = self._seen.rows[index]
        return own.state in GOOD or own.serving

    def needs(self, index: int) -> Sequence[int]:
        """What stands before a node: the tasks, and nodes, outside of it that tasks in it depend on."""
        found = self._needs.get(index)
        if found is None:
            path, upstream = self._by_index[index].path, self._plan.upstream
            inside = {index, *self.below(index)}
            home = self.home(index)
            outside = {above for task in inside for above in upstream[task] if not self._is_inside(above, path)}
            lifted = {above if (up := self.child(home, above)) is None else up for above in outside}
            found = self._needs[index] = tuple(sorted(lifted))
        return found

    def feeds(self, index: int) -> Sequence[int]:
        """What comes after a node in its level: tasks, and the nodes of tasks that depend on it."""
        home = self.home(index)
        below = (self.child(home, task) for task in self._plan.downstream[index])
        return tuple(dict.fromkeys(task for task in below if task is not None))

    def _is_inside(self, index: int, path: str) -> bool:
        level: _Level | None = self._by_index.get(index, self._home[index])
        while level is not None:
            if level.path == path:
                return True
            level = level.around
        return False


def relative(name: str, level: str) -> str:
    """What something is called in a level: its path without that of the level."""
    return name.removeprefix(level + SLASH) if level else name


def _count(book: Counter[_T], key: _T, step: int) -> None:
    book[key] += step
    if not book[key]:
        del book[key]


def _tells(row: TaskRow) -> tuple[object, ...]:
    """What of a row the books are about."""
    return row.state, face_of(row), row.serving, row.started_at, row.ended_at, is_between_rounds(row)
