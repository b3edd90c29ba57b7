"""Where everything stands: layers, order, rows and column widths. A pure function of its arguments.

The phases (layers, order, rows) are those of Sugiyama et al. (1981); each is described in its own module. A layout
does not change when states change, so it can be made in a worker thread and used by the painter for as long as the
graph stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dagtop.core.values import dataclass

from .coordinates import assign_rows
from .errors import stop_if
from .layering import LayeredGraph, cut_into_layers
from .model import GraphModel
from .ordering import Layers, order_beside, order_layers
from .sizes import Sizes

Key = str | tuple[int, frozenset[str]]
"""What a carrier is called in all layouts: the name of the node, or (layer, names the trunk still has to reach)."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A finished layout; `lay_out` makes it."""

    model: GraphModel
    sizes: Sizes
    graph: LayeredGraph
    layers: Layers
    """Carriers of each layer from top to bottom."""
    rows: tuple[int, ...]
    """Centre row of each carrier."""
    label_widths: tuple[int, ...]
    """Width of the labels in each layer; 0 where a layer has only trunks."""
    crossings: int
    height: int
    """Rows of the whole drawing."""

    def column_width(self, rank: int) -> int:
        """Cells of a layer, frames included."""
        label = self.label_widths[rank]
        return label + self.sizes.around + self.sizes.note if label else 1

    def nodes_in(self, rank: int) -> list[int]:
        """The nodes of a layer from top to bottom, without the trunks."""
        return [carrier for carrier in self.layers[rank] if carrier < self.graph.node_count]


def never() -> bool:
    """Not cancelled."""
    return False


def lay_out(
    model: GraphModel,
    sizes: Sizes,
    previous: Layout | None = None,
    cancelled: Callable[[], bool] = never,
) -> Layout:
    """Lay out `model`; with `previous`, nodes that stay keep their relative order and stay near their old rows.

    Raises:
        LayoutCancelled: `cancelled()` said yes between two phases or sweeps.
    """
    stop_if(cancelled)
    graph = cut_into_layers(model)
    stop_if(cancelled)
    old_rows = _old_rows(model, graph, previous) if previous else {}
    if 2 * len(old_rows) > graph.size:
        layers, crossings = order_beside(graph, old_rows, cancelled)
    else:
        layers, crossings = order_layers(graph, cancelled)
        old_rows = {}
    if previous is None or previous.sizes.scale is not sizes.scale:
        old_rows = {}
    rows = assign_rows(graph, layers, sizes.rows, sizes.gap, old_rows, cancelled)
    widths = _label_widths(graph, layers, sizes)
    height = _height(graph, rows, sizes)
    if old_rows and previous is not None:
        # Columns only widen, so that what is on the right does not wobble.
        before = previous.label_widths
        widths = [max(w, before[r]) if w and r < len(before) else w for r, w in enumerate(widths)]
    return Layout(model, sizes, graph, layers, tuple(rows), tuple(widths), crossings, height)


def rescale(layout: Layout, sizes: Sizes, cancelled: Callable[[], bool] = never) -> Layout:
    """The same order at another scale.

    Raises:
        LayoutCancelled: `cancelled()` said yes between two sweeps.
    """
    graph, layers = layout.graph, layout.layers
    rows = assign_rows(graph, layers, sizes.rows, sizes.gap, {}, cancelled)
    widths = _label_widths(graph, layers, sizes)
    height = _height(graph, rows, sizes)
    return Layout(layout.model, sizes, graph, layers, tuple(rows), tuple(widths), layout.crossings, height)


def pile_up(model: GraphModel, sizes: Sizes, cancelled: Callable[[], bool] = never) -> Layout:
    """Nodes in their layers, each near those that it needs, for drawings without lines: a hundred thousand in a second.

    Raises:
        LayoutCancelled: `cancelled()` said yes between two layers.
    """
    layers: Layers = [[] for _ in range(max(model.ranks, default=-1) + 1)]
    for node, rank in enumerate(model.ranks):
        layers[rank].append(node)
    rows = [0] * model.size
    for layer in layers:
        stop_if(cancelled)
        wanted = [_mean_row(model.parents[node], rows, place) for place, node in enumerate(layer)]
        layer[:] = [layer[place] for place in sorted(range(len(layer)), key=wanted.__getitem__)]
        for place, node in enumerate(layer):
            rows[node] = place
    graph = LayeredGraph(
        model.size, len(layers), list(model.ranks), [list(p) for p in model.parents], [list(c) for c in model.children]
    )
    widths = _label_widths(graph, layers, sizes)
    return Layout(model, sizes, graph, layers, tuple(rows), tuple(widths), 0, _height(graph, rows, sizes))


def _mean_row(parents: Sequence[int], rows: Sequence[int], otherwise: int) -> float:
    return sum([rows[parent] for parent in parents]) / len(parents) if parents else otherwise


def _height(graph: LayeredGraph, rows: Sequence[int], sizes: Sizes) -> int:
    half = sizes.rows // 2
    nodes = max((row + half for row in rows[: graph.node_count]), default=-1)
    return max(nodes, max(rows[graph.node_count :], default=-1)) + 1


def _label_widths(graph: LayeredGraph, layers: Layers, sizes: Sizes) -> list[int]:
    widths = []
    for layer in layers:
        nodes = [carrier for carrier in layer if carrier < graph.node_count]
        widths.append(max(1, sizes.label_width(nodes)) if nodes else 0)
    return widths


def _old_rows(model: GraphModel, graph: LayeredGraph, previous: Layout) -> Mapping[int, int]:
    """Carrier -> old row, for carriers that were in the same layer before."""
    old = previous.graph
    known = {
        key: (old.ranks[carrier], previous.rows[carrier]) for carrier, key in enumerate(_keys(previous.model, old))
    }
    rows: dict[int, int] = {}
    for carrier, key in enumerate(_keys(model, graph)):
        rank, row = known.get(key, (-1, 0))
        if rank == graph.ranks[carrier]:
            rows[carrier] = row
    return rows


def _keys(model: GraphModel, graph: LayeredGraph) -> list[Key]:
    names = model.names
    trunks = range(graph.node_count, graph.size)
    return [*names, *((graph.ranks[t], frozenset(names[node] for node in graph.targets(t))) for t in trunks)]
