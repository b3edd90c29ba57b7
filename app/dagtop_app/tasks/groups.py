"""Which tasks belong together by their names: load[0], load[1] … or load_1, load_2 …; for the table and for the graph. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dagtop.core.values import dataclass

from dagtop_app.text import name_of

#: A name with a number in brackets: what comes before it.
_NUMBERED = re.compile(r"(.*[^\d\[])\[\d{1,18}\]", re.DOTALL | re.ASCII)
#: So many tasks with one name and a number in brackets are a group, and so many with a number at the end: step_1 and step_2
#: may well be two different things.
BRACKETED, NUMBERED = 2, 4
#: What stands for the number in the key of a group.
_ANY_BRACKETED, _ANY = "[*]", "*"


def group_of(name: str) -> str | None:
    """What all tasks of one group share: "load[*]" of "load[12]", "load_*" of "load_3"; None of a name without a number.

    Whether there are enough of them for a group is told by `groups_of`.
    """
    if not name or name[-1] not in "]0123456789":
        return None
    if name[-1] != "]":  # nearly all: the pattern takes three times as long
        before = name.rstrip("0123456789")
        return before + _ANY if before[-1:] not in {"", "["} and len(name) - len(before) <= 18 else None
    found = _NUMBERED.fullmatch(name)
    if found is None:
        return None
    return found[1] + _ANY_BRACKETED


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Tasks that belong together."""

    key: str
    """The same for a group as long as the run lasts, however many there are of it."""
    label: str
    """What it is called on screen, cleaned: "load[0..9999]"."""
    members: Sequence[int]
    """Places in the names it was made from, in their order."""


def groups_of(names: Iterable[str], *, bracketed: int = BRACKETED, numbered: int = NUMBERED) -> list[Group]:
    """The groups among some names, in the order of their first members; with fewer members there is no group."""
    known = names if isinstance(names, Sequence) else tuple(names)
    found: dict[str, list[int]] = {}
    for place, name in enumerate(known):
        key = group_of(name)
        if key is not None:
            found.setdefault(key, []).append(place)
    return [
        Group(key=key, label=label_of(key, [known[place] for place in members]), members=tuple(members))
        for key, members in found.items()
        if len(members) >= (bracketed if key.endswith(_ANY_BRACKETED) else numbered)
    ]


def label_of(key: str, names: Sequence[str], limit: int = 512) -> str:
    """What a group of these names is called: its first and last number, as they are written."""
    closing = "]" if key.endswith(_ANY_BRACKETED) else ""
    before = len(key) - len(_ANY_BRACKETED) + 1 if closing else len(key) - len(_ANY)
    numbers = [name[before : len(name) - len(closing)] for name in names]
    first, last = min(numbers, key=int), max(numbers, key=int)
    span = first if first == last else f"{first}..{last}"
    ending = f"{span}{closing}"
    return name_of(key[:before], max(8, limit - len(ending))) + ending
