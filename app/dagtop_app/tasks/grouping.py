"""Tasks that belong together by their names, one row of the table each: `load[0..9999]`. Pure, fast for 100,000 rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from dagtop.core.plan import EMPTY_PLAN, Plan

from dagtop_app.tasks.groups import BRACKETED, NUMBERED, group_of, label_of

#: So many elements of one map are folded by themselves; fewer are seen one by one.
FOLDED_FROM = 12
#: Of more tasks the first and the last one are taken for the least and the greatest number.
_MEASURED = 5_000


class Folding(StrEnum):
    """What is folded."""

    USUAL = "usual"
    """The elements of large maps."""
    ALL = "all"
    """All that have one name and a number."""
    NONE = "none"
    """Nothing."""


class Pack(NamedTuple):
    """A group in the table: one row, that of its first task, stands for all of them."""

    key: str
    members: Sequence[int]
    """Places in the graph, of those that are shown in this row."""
    label: str = ""
    """What it is called on screen, if its key does not tell."""


class Grouping:
    """Which rows stand for groups, and which group is opened."""

    def __init__(self) -> None:
        self.folding = Folding.USUAL
        self.opened = ""
        """Key of the group whose inside is shown; "" for none."""
        self.packs: Mapping[int, Pack] = {}
        """The groups that are shown, by the place of the task whose row stands for them."""
        self._plan: Plan = EMPTY_PLAN
        self._keys: list[str | None] = []
        self._members: dict[str, int] = {}
        """By key: how many there are of it."""
        self._heads: dict[str, int] = {}
        self._labels: dict[str, tuple[int, str]] = {}

    def take(self, plan: Plan) -> None:
        """Look at the names of a graph; of one that has grown only at the new ones."""
        if plan is self._plan:
            return
        names, known = plan.names, len(self._keys)
        same = (
            known
            and len(names) >= known
            and names[0] == self._plan.names[0]
            and names[known - 1] == self._plan.names[-1]
        )
        if not same:
            self._keys, self._members, self._labels, known = [], {}, {}, 0
        for index in range(known, len(names)):
            key = None if index in plan.nodes else group_of(names[index])
            self._keys.append(key)
            if key is not None:
                self._members[key] = self._members.get(key, 0) + 1
        self._plan = plan

    def _folds(self) -> set[str]:
        """The keys of the groups that are large enough."""
        if self.folding is Folding.NONE:
            return set()
        bracketed, numbered = (BRACKETED, NUMBERED) if self.folding is Folding.ALL else (FOLDED_FROM, None)
        return {
            key
            for key, count in self._members.items()
            if (count >= bracketed if key.endswith("]") else numbered is not None and count >= numbered)
        }

    def fold(self, shown: Sequence[int]) -> Sequence[int]:
        """What is shown, with each group as its first task; if one is opened, what is in it."""
        if self.opened:
            inside = [index for index in shown if index < len(self._keys) and self._keys[index] == self.opened]
            if inside:
                self.unfold()
                return inside
            self.opened = ""
        folds = self._folds()
        if not folds:
            self.unfold()
            return shown
        keys, known, found = self._keys, len(self._keys), dict[str, list[int]]()
        left: list[int] = []
        for index in shown:
            key = keys[index] if index < known else None
            if key is None or key not in folds:
                left.append(index)
                continue
            members = found.get(key)
            if members is None:
                found[key] = [index]
                left.append(index)
            else:
                members.append(index)
        self.packs = {members[0]: Pack(key, members) for key, members in found.items() if len(members) > 1}
        self._heads = {pack.key: head for head, pack in self.packs.items()}
        return left

    def unfold(self) -> None:
        """Nothing is folded now."""
        self.packs, self._heads = {}, {}

    def absorb(self, new: Sequence[int]) -> list[int]:
        """Tasks that came while the run goes on: those of a group that is shown join it; the others."""
        left: list[int] = []
        for index in new:
            key = self._keys[index] if index < len(self._keys) else None
            if self.opened:
                if key == self.opened:
                    left.append(index)
            elif key is not None and (head := self._heads.get(key)) is not None:
                list_of(self.packs[head]).append(index)
            else:
                left.append(index)
        return left

    def head_of(self, index: int) -> int:
        """The task whose row stands for this one: itself, unless it is folded into a group."""
        key = self._keys[index] if 0 <= index < len(self._keys) else None
        return self._heads.get(key, index) if key is not None else index

    def key_of(self, index: int) -> str:
        """The group that a task belongs to, folded or not; "" for none."""
        return (self._keys[index] or "") if 0 <= index < len(self._keys) else ""

    def label(self, key: str, members: Sequence[int]) -> str:
        """What a group is called on screen: "load[0..9999]"."""
        known = self._labels.get(key)
        if known is None or known[0] != len(members):
            names = self._plan.names
            named = members if len(members) <= _MEASURED else (members[0], members[-1])
            known = self._labels[key] = (len(members), label_of(key, [names[index] for index in named]))
        return known[1]

    def opened_label(self, shown: Sequence[int]) -> str:
        """What the opened group is called."""
        return self.label(self.opened, shown) if self.opened and shown else ""

    def turn(self) -> Folding:
        """Fold nothing, or all that can be folded."""
        self.folding = Folding.NONE if self.packs or self.opened else Folding.ALL
        self.opened = ""
        return self.folding

    def least(self, key_of: Callable[[int], object]) -> dict[int, object]:
        """By the first task of each group: the least key of its members, by which it is sorted."""
        return {head: min(map(key_of, pack.members)) for head, pack in self.packs.items()}  # type: ignore[type-var]  # all of one kind


def list_of(pack: Pack) -> list[int]:
    """The members of a pack, to be added to."""
    assert isinstance(pack.members, list)
    return pack.members
