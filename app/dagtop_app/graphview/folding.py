"""Several nodes as one: groups become nodes of a smaller graph, which is laid out and drawn like any other.

The smaller graph is the quotient of the graph by the groups, and may have cycles even though the graph has none: `a`
before `b[*]` before `c`, and `c` in one group with `a`. As long as there is one (Kahn's order tells), the group with
the most ranks on it is cut into parts of one rank each. Nodes of one rank never depend on each other, so this ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from dagtop.core.values import dataclass

from .errors import GraphCycleError
from .model import GraphModel

#: What the name of a node that stands for others begins with; no task is called so.
MARK = "\0"
#: Between the key of a group and that of a part of it.
PART = "\0"
#: A group is cut into parts of one rank if they have so many members on average, else it is no group.
LEAST_PART = 2
#: Nodes in a row that are worth to be folded.
LEAST_CHAIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Nodes that are drawn as one."""

    key: str
    """The same as long as the run lasts."""
    label: str
    members: tuple[int, ...]
    """Nodes of the graph, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folded:
    """A graph in which some nodes stand for several of another one."""

    model: GraphModel
    members: tuple[tuple[int, ...], ...]
    """By node: those that it stands for, itself if it is not folded."""
    folds: Mapping[int, Fold]
    """By node that stands for several."""
    node_of: tuple[int, ...]
    """By node of the other graph: the node that stands for it."""


Relabel = Callable[[Fold, Sequence[int]], str]
"""What a part of a group is called that consists of these nodes."""


def fold(model: GraphModel, groups: Iterable[Fold], relabel: Relabel = lambda whole, _: whole.label) -> Folded:
    """Draw each group as one node. No node may be in two groups."""
    folds = list(groups)
    while True:
        folded = _quotient(model, folds)
        if isinstance(folded, Folded):
            return folded
        folds = _cut(model, folds, folded, relabel)


def _quotient(model: GraphModel, folds: Sequence[Fold]) -> Folded | frozenset[int]:
    """The smaller graph, or the places of the groups on and around its cycles."""
    unit = list(range(model.size))
    first = {group.members[0]: place for place, group in enumerate(folds)}
    for group in folds:
        for member in group.members:
            unit[member] = group.members[0]
    heads = [node for node in range(model.size) if unit[node] == node]
    number = {head: place for place, head in enumerate(heads)}
    node_of = tuple([number[head] for head in unit])
    edges = {(node_of[a], node_of[b]): None for a, b in model.edges if node_of[a] != node_of[b]}
    names = [MARK + folds[first[head]].key if head in first else model.names[head] for head in heads]
    try:
        small = GraphModel.from_indices(names, edges)
    except GraphCycleError:
        knotted = _knotted(len(heads), edges)
        return frozenset(first[heads[node]] for node in knotted if heads[node] in first)
    members = tuple([folds[first[head]].members if head in first else (head,) for head in heads])
    return Folded(
        model=small,
        members=members,
        folds={number[head]: folds[place] for head, place in first.items()},
        node_of=node_of,
    )


def _knotted(count: int, edges: Collection[tuple[int, int]]) -> set[int]:
    """What is left when all that comes before or after every cycle is taken away."""
    left = set(range(count))
    for source, target in ((0, 1), (1, 0)):
        follows: dict[int, list[int]] = {}
        missing = dict.fromkeys(left, 0)
        for edge in edges:
            if edge[0] in left and edge[1] in left:
                follows.setdefault(edge[source], []).append(edge[target])
                missing[edge[target]] += 1
        free = [node for node in left if not missing[node]]
        for node in free:
            left.discard(node)
            for other in follows.get(node, ()):
                missing[other] -= 1
                if not missing[other]:
                    free.append(other)
    return left


def _cut(model: GraphModel, folds: Sequence[Fold], knotted: frozenset[int], relabel: Relabel) -> list[Fold]:
    """The groups, the longest of those on the cycles in parts."""
    ranks = model.ranks

    def span(place: int) -> tuple[int, int]:
        members = folds[place].members
        spanned = [ranks[member] for member in members]
        return max(spanned) - min(spanned), -place

    worst = max(knotted, key=span)
    whole = folds[worst]
    by_rank: dict[int, list[int]] = {}
    for member in whole.members:
        by_rank.setdefault(ranks[member], []).append(member)
    parts: list[Fold] = []
    if len(whole.members) >= LEAST_PART * len(by_rank):
        for rank, members in sorted(by_rank.items()):
            if len(members) > 1:
                key = f"{whole.key}{PART}{rank}"
                parts.append(Fold(key=key, label=relabel(whole, members), members=tuple(members)))
    return [*folds[:worst], *parts, *folds[worst + 1 :]]


def chains(model: GraphModel, wanted: Collection[int], least: int = LEAST_CHAIN) -> list[tuple[int, ...]]:
    """Nodes in a row, each with nothing before it but the one before and nothing after it but the one after.

    Only `wanted` nodes are in them. To draw such a row as one node never makes a cycle.
    """
    parents, children = model.parents, model.children

    def next_of(node: int) -> int | None:
        if len(children[node]) != 1:
            return None
        other = children[node][0]
        return other if len(parents[other]) == 1 and other in wanted else None

    found: list[tuple[int, ...]] = []
    for node in model.topological:
        if node not in wanted:
            continue
        before = parents[node]
        if len(before) == 1 and before[0] in wanted and next_of(before[0]) == node:
            continue  # not the first of its row
        row = [node]
        while (other := next_of(row[-1])) is not None:
            row.append(other)
        if len(row) >= least:
            found.append(tuple(row))
    return found


def bundles(layers: Sequence[Sequence[int]], each: int) -> list[tuple[int, ...]]:
    """Each so many neighbours of a layer, for a picture in which a cell stands for several nodes."""
    return [tuple(layer[start : start + each]) for layer in layers for start in range(0, len(layer), each)]
