"""The graph of one level of a graph of graphs: nodes stand for all that is in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dagtop.core.paths import SLASH
from dagtop.core.plan import Plan


class Part(NamedTuple):
    """What is directly in a level, and what depends on what there."""

    members: Sequence[int]
    edges: Sequence[tuple[int, int]]
    """(needed, needs): by what is in the nodes, where nodes stand for it."""


def part_of(plan: Plan, path: str) -> Part:
    """The graph of one level."""
    nodes = {plan.names[index]: index for index in plan.nodes}
    lifted = [_lifted(plan.names[index], index, path, nodes) for index in range(len(plan.names))]
    edges = {
        (above, mine): None
        for index, needed in enumerate(plan.upstream)
        if (mine := lifted[index]) is not None
        for up in needed
        if (above := lifted[up]) is not None and above != mine
    }
    members = dict.fromkeys(member for member in lifted if member is not None)
    return Part(sorted(members), list(edges))


def _lifted(name: str, index: int, path: str, nodes: Mapping[str, int]) -> int | None:
    """What of a level a task is, or is in."""
    if path and not name.startswith(path + SLASH):
        return None
    outermost, place = index, len(path) + 1 if path else 0
    while (place := name.find(SLASH, place)) >= 0:
        if (node := nodes.get(name[:place])) is not None:
            return node
        place += 1
    return outermost
