"""What stands out: everything up- and downstream of a node, and the critical path.

Reachability is a search over the *layered* graph, trunks included. That is exact: a trunk only joins lines with the
same remaining targets, so whatever can be reached through it can be reached by each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dagtop.core.values import dataclass

from .drawing import Emphasis
from .ink import ChannelInk, Stroke
from .layout import Layout
from .model import reach


@dataclass(frozen=True, slots=True, eq=False)
class Highlight:
    """Sets of carriers, trunks included; `Highlight.of` makes it."""

    selected: int | None = None
    upstream: frozenset[int] = frozenset()
    """The selected node and all carriers that lead to it; empty if none is selected."""
    downstream: frozenset[int] = frozenset()
    """The selected node and all carriers that come from it; empty if none is selected."""
    critical: frozenset[int] = frozenset()
    """The carriers of the critical path."""

    @classmethod
    def of(cls, layout: Layout, selected: int | None = None, critical: Sequence[int] = ()) -> Highlight:
        """Search from `selected`; `critical` is a path of nodes, each a parent of the next."""
        graph = layout.graph
        way = [step for parent, child in pairwise(critical) for step in graph.way(parent, child)]
        path = frozenset([*critical, *(left for left, _ in way)])
        if selected is None:
            return cls(critical=path)
        return cls(
            selected,
            reach(selected, graph.up) | {selected},
            reach(selected, graph.down) | {selected},
            path,
        )

    @property
    def is_empty(self) -> bool:
        """Nothing stands out."""
        return self.selected is None and not self.critical

    def of_carrier(self, carrier: int) -> Emphasis:
        """How a node or trunk stands out."""
        if carrier == self.selected:
            return Emphasis.SELECTED
        if carrier in self.critical:
            return Emphasis.CRITICAL
        if carrier in self.downstream:
            return Emphasis.DOWNSTREAM
        return Emphasis.UPSTREAM if carrier in self.upstream else Emphasis.NONE

    def of_segment(self, left: int, right: int) -> Emphasis:
        """How a line between two neighbouring layers stands out."""
        for emphasis, members in reversed(self._groups()):
            if left in members and right in members:
                return emphasis
        return Emphasis.NONE

    def strokes(self, ink: ChannelInk, band: int) -> list[tuple[Emphasis, list[Stroke]]]:
        """What stands out in a band of a channel, the last wins.

        Upstream and downstream are closed under the search, so within each every carrier of a bus feeds every target
        of it. The critical path takes at most one segment of a channel.
        """
        found: list[tuple[Emphasis, list[Stroke]]] = []
        for emphasis, members in self._groups():
            if members:
                found.append((emphasis, list(_strokes_between(members, ink, band))))
        return found

    def _groups(self) -> tuple[tuple[Emphasis, frozenset[int]], ...]:
        return (
            (Emphasis.UPSTREAM, self.upstream),
            (Emphasis.DOWNSTREAM, self.downstream),
            (Emphasis.CRITICAL, self.critical),
        )


def _strokes_between(members: frozenset[int], ink: ChannelInk, band: int) -> Iterator[Stroke]:
    """The strokes of all segments with both ends in `members`."""
    for piece in ink.pieces(band):
        net = ink.channel.nets[piece.net]
        sources = _rows_of(net.carriers, net.source_rows, members)
        targets = _rows_of(net.targets, net.target_rows, members) if sources else []
        if targets:
            first = sources if piece.enters is None else piece.sources
            last = targets if piece.leaves is None else piece.targets
            yield from ink.strokes(piece, first, last, band, tails=True)


def _rows_of(carriers: Sequence[int], rows: Sequence[int], members: frozenset[int]) -> list[int]:
    return [row for carrier, row in zip(carriers, rows, strict=True) if carrier in members]
