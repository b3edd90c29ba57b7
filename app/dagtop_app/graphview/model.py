"""The graph as the drawing sees it: nodes are the integers 0 to n-1, edges are adjacency tuples.

Ranks are longest-path ranks (the first phase of Sugiyama, Tagawa and Toda, "Methods for visual understanding of
hierarchical system structures", 1981): a node stands in the first column in which it could run, and adding a child
never moves its ancestors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from dagtop.core.values import dataclass

from .errors import GraphCycleError, UnknownNodeError


@dataclass(frozen=True, slots=True, eq=False)
class GraphModel:
    """An acyclic graph; build it with `from_edges` or `from_indices`."""

    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    """(parent, child), each pair once."""
    parents: tuple[tuple[int, ...], ...]
    children: tuple[tuple[int, ...], ...]
    topological: tuple[int, ...]
    """All nodes, every parent before its children."""
    ranks: tuple[int, ...]
    """Number of edges on the longest path from a source to the node."""

    @classmethod
    def from_edges(cls, names: Iterable[str], edges: Iterable[tuple[str, str]]) -> GraphModel:
        """Build from names; repeated edges count once.

        Raises:
            UnknownNodeError: an edge uses a name that is not in `names`.
            GraphCycleError: the edges go round in a circle.
        """
        known = tuple(names)
        index = {name: node for node, name in enumerate(known)}
        pairs: list[tuple[int, int]] = []
        for edge in edges:
            for name in edge:
                if name not in index:
                    raise UnknownNodeError(name)
            pairs.append((index[edge[0]], index[edge[1]]))
        return cls.from_indices(known, pairs)

    @classmethod
    def from_indices(cls, names: Iterable[str], edges: Iterable[tuple[int, int]]) -> GraphModel:
        """Build from (parent, child) pairs of positions in `names`.

        Raises:
            GraphCycleError: the edges go round in a circle.
        """
        known = tuple(names)
        unique = tuple(dict.fromkeys(edges))
        children: list[list[int]] = [[] for _ in known]
        parents: list[list[int]] = [[] for _ in known]
        for parent, child in unique:
            children[parent].append(child)
            parents[child].append(parent)
        topological, ranks = _rank(children, parents)
        if len(topological) < len(known):
            raise GraphCycleError(tuple(known[node] for node in _find_cycle(parents, topological)))
        return cls(
            known, unique, tuple(map(tuple, parents)), tuple(map(tuple, children)), tuple(topological), tuple(ranks)
        )

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.names)

    def ancestors(self, node: int) -> frozenset[int]:
        """All nodes `node` waits for, itself not included."""
        return reach(node, self.parents)

    def descendants(self, node: int) -> frozenset[int]:
        """All nodes that wait for `node`, itself not included."""
        return reach(node, self.children)

    def around(self, node: int, depth: int) -> frozenset[int]:
        """The nodes at most `depth` edges up- or downstream of `node`, itself included."""
        found = {node}
        for neighbours in (self.parents, self.children):
            edge = {node}
            for _ in range(depth):
                edge = {other for here in edge for other in neighbours[here]}
                found |= edge
        return frozenset(found)

    def part(self, nodes: Collection[int]) -> GraphModel:
        """The graph of some of the nodes with the edges between them; nodes keep their names and get new numbers."""
        kept = sorted(nodes)
        number = {node: place for place, node in enumerate(kept)}
        edges = [(number[a], number[b]) for a, b in self.edges if a in number and b in number]
        return GraphModel.from_indices([self.names[node] for node in kept], edges)

    def critical_path(self, durations: Sequence[float] | None = None) -> tuple[int, ...]:
        """The path with the largest sum of durations from a source to a sink; of equal sums the one with more nodes.

        Without durations it is the longest path. An empty graph has an empty path.
        """
        if not self.names:
            return ()
        best: list[tuple[float, int]] = [(0.0, 0)] * self.size
        before: list[int | None] = [None] * self.size
        for node in self.topological:
            cost, hops = best[node]
            here = best[node] = (cost + (durations[node] if durations else 0.0), hops + 1)
            for child in self.children[node]:
                if here > best[child]:
                    best[child], before[child] = here, node
        path = []
        last: int | None = max(self.topological, key=best.__getitem__)
        while last is not None:
            path.append(last)
            last = before[last]
        return tuple(reversed(path))


def reach(start: int, neighbours: Sequence[Sequence[int]]) -> frozenset[int]:
    """Everything reachable from `start` along `neighbours`, `start` not included."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        for node in neighbours[waiting.pop()]:
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return frozenset(seen)


def _rank(children: list[list[int]], parents: list[list[int]]) -> tuple[list[int], list[int]]:
    """Kahn's topological order and longest-path ranks; the order is short if there is a cycle."""
    missing = [len(p) for p in parents]
    order = [node for node, count in enumerate(missing) if not count]
    ranks = [0] * len(parents)
    for node in order:
        below = ranks[node] + 1
        for child in children[node]:
            ranks[child] = max(ranks[child], below)
            missing[child] -= 1
            if not missing[child]:
                order.append(child)
    return order, ranks


def _find_cycle(parents: list[list[int]], ordered: list[int]) -> list[int]:
    """One cycle among the nodes that Kahn's order left over, lowest node first; each has a parent left over too."""
    done = set(ordered)
    node = next(node for node in range(len(parents)) if node not in done)
    place: dict[int, int] = {}
    while node not in place:
        place[node] = len(place)
        node = next(parent for parent in parents[node] if parent not in done)
    cycle = list(place)[place[node] :][::-1]
    first = cycle.index(min(cycle))
    return cycle[first:] + cycle[:first]
