"""Which tasks of a graph are drawn as one: nodes of a graph of graphs, tasks with a name and a number, tasks in a row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from dagtop.core.paths import SLASH

from dagtop_app.faces import ASCII
from dagtop_app.graphview import GraphModel
from dagtop_app.graphview.folding import PART, Fold, Folded, chains, fold
from dagtop_app.tasks.groups import group_of, groups_of, label_of
from dagtop_app.text import cut, name_of

#: A group of more tasks is not opened at once but first into so many parts at most.
_AT_ONCE, _PARTS = 50, 20
#: Cells of each end of a row of tasks.
_END = 11
_TO = ">" if ASCII else "→"


def fold_tasks(
    model: GraphModel,
    names: Sequence[str],
    *,
    opened: Collection[str] = frozenset(),
    keep: Collection[int] = frozenset(),
    paths: bool = False,
) -> Folded:
    """The graph with all groups folded but those that are opened.

    Parameters
    ----------
    names: what the tasks are called here, by node of the model.
    opened: keys of the groups that a person has opened.
    keep: nodes of the model that are never folded.
    paths: whether what is before a slash in a name makes a group.
    """
    free = [node for node in range(model.size) if node not in keep]
    groups = [part for group in _groups(names, free, opened, paths=paths) for part in _parts(group, names, opened)]
    folded = fold(model, groups, lambda whole, members: _label(whole, [names[node] for node in members]))
    groups = [group for group in folded.folds.values() if group.key not in opened]
    if len(groups) < len(folded.folds):
        folded = fold(model, groups)
    single = {
        node for node, members in enumerate(folded.members) if node not in folded.folds and members[0] not in keep
    }
    rows = [tuple([folded.members[node][0] for node in row]) for row in chains(folded.model, single)]
    found = [_row(row, names) for row in rows]
    found = [row for row in found if row.key not in opened]
    return fold(model, [*groups, *found]) if found else folded


def _groups(names: Sequence[str], free: Sequence[int], opened: Collection[str], *, paths: bool) -> Iterator[Fold]:
    """By the outermost level that is not opened, else by name."""
    levels: dict[str, list[int]] = {}
    rest: list[int] = []
    for node in free:
        place = names[node].find(SLASH) if paths else -1
        while place >= 0 and names[node][: place + 1] in opened:
            place = names[node].find(SLASH, place + 1)
        if place < 0:
            rest.append(node)
        else:
            levels.setdefault(names[node][: place + 1], []).append(node)
    for key, members in levels.items():
        if len(members) > 1:
            yield Fold(key=key, label=name_of(key, 64), members=tuple(members))
    for group in groups_of([names[node] for node in rest]):
        members = [rest[place] for place in group.members]
        yield Fold(key=group.key, label=group.label, members=tuple(members))


def _parts(group: Fold, names: Sequence[str], opened: Collection[str]) -> Iterator[Fold]:
    """A group that is not opened as it is, one that is opened in parts if it is large."""
    if group.key not in opened:
        yield group
        return
    count = len(group.members)
    if count <= _AT_ONCE or group.key.endswith(SLASH):
        return
    each = 10
    while -(-count // each) > _PARTS:
        each *= 10
    for start in range(0, count, each):
        members = group.members[start : start + each]
        label = _label(group, [names[node] for node in members])
        yield from _parts(Fold(key=f"{group.key}{PART}{start}+{each}", label=label, members=members), names, opened)


def _label(whole: Fold, names: Sequence[str]) -> str:
    key = whole.key.partition(PART)[0]
    return label_of(key, names) if all(group_of(name) == key for name in names) else whole.label


def _row(row: tuple[int, ...], names: Sequence[str]) -> Fold:
    first, last = names[row[0]], names[row[-1]]
    label = f"{cut(name_of(first), _END)}{_TO}{cut(name_of(last), _END)}"
    return Fold(key=f"{first}{PART}{_TO}", label=label, members=tuple(sorted(row)))
