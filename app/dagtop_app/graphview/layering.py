"""Ranks become layers, and long edges get shared dummies.

Every edge is cut into segments between neighbouring layers. A *carrier* is what stands in a layer: a node (its own
number) or a dummy (numbers from the node count up). Unlike Sugiyama's one chain per edge, a dummy here is known by
its layer and the targets its line still has to reach, so all lines with the same way to go share one trunk: fan-outs
and fan-ins become one bus, and a carrier always has at most one dummy below it. Merging lines with *equal* remaining
targets never claims an edge that is not there.
"""

from __future__ import annotations

from dagtop.core.values import dataclass

from .model import GraphModel


@dataclass(frozen=True, slots=True, eq=False)
class LayeredGraph:
    """Carriers, their layers and the segments between neighbouring layers."""

    node_count: int
    layer_count: int
    ranks: list[int]
    """Layer of each carrier."""
    up: list[list[int]]
    """Carriers in the layer before that feed a carrier."""
    down: list[list[int]]
    """Carriers in the layer after that a carrier feeds."""

    @property
    def size(self) -> int:
        """Number of carriers."""
        return len(self.ranks)

    def targets(self, carrier: int) -> list[int]:
        """The nodes the line leaving `carrier` leads to."""
        found: list[int] = []
        trunk: int | None = carrier
        while trunk is not None:
            below, trunk = self.down[trunk], None
            for other in below:
                if other < self.node_count:
                    found.append(other)
                else:
                    trunk = other
        return found

    def sources(self, carrier: int) -> list[int]:
        """The nodes whose line `carrier` is: itself if it is a node, else all that feed the trunk."""
        found: list[int] = []
        seen = {carrier}
        waiting = [carrier]
        while waiting:
            here = waiting.pop()
            if here < self.node_count:
                found.append(here)
                continue
            for other in self.up[here]:
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return sorted(found)

    def trunk_of(self, node: int) -> list[int]:
        """The carriers of the line that leaves a node: itself and the dummies after it."""
        trunk = [node]
        while self.down[trunk[-1]] and self.down[trunk[-1]][-1] >= self.node_count:
            trunk.append(self.down[trunk[-1]][-1])
        return trunk

    def way(self, parent: int, child: int) -> list[tuple[int, int]]:
        """The segments (carrier, carrier) an edge runs through, left to right."""
        if self.size == self.node_count:  # no edge is cut
            return [(parent, child)]
        segments = []
        here = parent
        while True:
            below = self.down[here]
            step = child if self.ranks[here] + 1 == self.ranks[child] else below[-1]
            segments.append((here, step))
            if step == child:
                return segments
            here = step


def cut_into_layers(model: GraphModel) -> LayeredGraph:
    """Cut the long edges of `model` into segments."""
    graph = LayeredGraph(
        model.size,
        max(model.ranks, default=-1) + 1,
        list(model.ranks),
        [[] for _ in model.names],
        [[] for _ in model.names],
    )
    trunks: dict[tuple[int, int], int] = {}
    lists: dict[tuple[int, int], int] = {}
    for node in range(model.size):
        targets = sorted(model.children[node], key=lambda child: (model.ranks[child], child))
        _hang(graph, node, targets, _name_suffixes(targets, lists), trunks)
    return graph


def _name_suffixes(targets: list[int], lists: dict[tuple[int, int], int]) -> list[int]:
    """A number for each suffix of `targets`; equal suffixes get equal numbers (hash-consed lists, linear in the
    length)."""
    numbers = [0] * (len(targets) + 1)
    for place in range(len(targets) - 1, -1, -1):
        numbers[place] = lists.setdefault((targets[place], numbers[place + 1]), len(lists) + 1)
    return numbers


def _hang(
    graph: LayeredGraph, node: int, targets: list[int], suffixes: list[int], trunks: dict[tuple[int, int], int]
) -> None:
    """Connect `node` to its targets, layer by layer, sharing trunks with the nodes before it.

    A dummy is appended after the nodes a carrier feeds, so `down[carrier][-1]` is the trunk if there is one.
    """
    here, place = node, 0
    while place < len(targets):
        rank = graph.ranks[here] + 1
        while place < len(targets) and graph.ranks[targets[place]] == rank:
            _join(graph, here, targets[place])
            place += 1
        if place == len(targets):
            return
        trunk = trunks.get((rank, suffixes[place]))
        if trunk is not None:
            _join(graph, here, trunk)
            return
        trunk = trunks[rank, suffixes[place]] = graph.size
        graph.ranks.append(rank)
        graph.up.append([])
        graph.down.append([])
        _join(graph, here, trunk)
        here = trunk


def _join(graph: LayeredGraph, left: int, right: int) -> None:
    graph.down[left].append(right)
    graph.up[right].append(left)
