"""The order of the carriers in each layer, with few crossings.

Several starts (depth first from the sources, breadth first from the sinks, undirected depth first for small graphs),
each followed by alternating sweeps of the median (Eades and Wormald 1994) and barycentre (Sugiyama et al. 1981)
heuristics; after each sweep "greedy switch" (Eades and Kelly 1986) swaps neighbours while that removes crossings. The
best order seen wins; all ties are broken by position, so the result depends on the graph alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence

from .errors import stop_if
from .layering import LayeredGraph

Layers = list[list[int]]

SWEEPS = 8
PATIENCE = 3
"""Sweeps without a better order before a start is given up."""
SWITCH_LIMIT = 6_000
"""Above this many carriers greedy switch runs once per start instead of after each sweep."""
SMALL = 600
"""Up to this many carriers a third start is tried."""
LARGE = 20_000
"""Above this many carriers only one start is tried."""


def order_layers(graph: LayeredGraph, cancelled: Callable[[], bool]) -> tuple[Layers, int]:
    """The best order found, and its number of crossings."""
    starts = [_depth_first(graph, undirected=False)]
    if graph.size <= LARGE:
        starts.append(_breadth_first_from_sinks(graph))
    if graph.size <= SMALL:
        starts.append(_depth_first(graph, undirected=True))
    results = [_improve(graph, layers, cancelled) for layers in starts]
    crossings, layers = min(results, key=lambda result: result[0])
    return layers, crossings


def order_beside(graph: LayeredGraph, old_rows: Mapping[int, int], cancelled: Callable[[], bool]) -> tuple[Layers, int]:
    """Keep the carriers in `old_rows` in their old order and put each new one where it crosses least (stable
    relayout)."""
    layers: Layers = [[] for _ in range(graph.layer_count)]
    for carrier in range(graph.size):
        layers[graph.ranks[carrier]].append(carrier)
    for layer in layers:
        layer.sort(key=lambda carrier: (carrier not in old_rows, old_rows.get(carrier, 0)))
    position = [0] * graph.size
    for layer in layers:
        _number(layer, position)
    for forwards in (True, False, True):
        stop_if(cancelled)
        neighbours = graph.up if forwards else graph.down
        for layer in layers if forwards else reversed(layers):
            keys = {carrier: _median(neighbours[carrier], position, position[carrier]) for carrier in layer}
            kept = [carrier for carrier in layer if carrier in old_rows]
            for carrier in layer:
                if carrier not in old_rows:
                    kept.insert(_cheapest_slot(keys[carrier], [keys[other] for other in kept]), carrier)
            layer[:] = kept
            _number(layer, position)
    return layers, count_crossings(layers, position, graph.down)


def count_crossings(layers: Layers, position: Sequence[int], down: Sequence[Sequence[int]]) -> int:
    """Number of crossings between segments (inversions counted by insertion into a sorted list)."""
    total = 0
    for layer in layers:
        seen: list[int] = []
        for carrier in layer:
            below = down[carrier]
            if len(below) == 1:
                place = position[below[0]]
                slot = bisect_right(seen, place)
                total += len(seen) - slot
                seen.insert(slot, place)
            elif below:
                places = sorted([position[other] for other in below])
                for place in places:
                    total += len(seen) - bisect_right(seen, place)
                for place in places:
                    seen.insert(bisect_right(seen, place), place)
    return total


def _improve(graph: LayeredGraph, layers: Layers, cancelled: Callable[[], bool]) -> tuple[int, Layers]:
    """Sweep from one start until it stops getting better."""
    position = [0] * graph.size
    for layer in layers:
        _number(layer, position)
    best = count_crossings(layers, position, graph.down)
    best_layers = [layer[:] for layer in layers]
    stale = 0
    for sweep in range(SWEEPS):
        if stale == PATIENCE or not best:
            break
        stop_if(cancelled)
        _sweep(graph, layers, position, forwards=sweep % 2 == 0, median=sweep % 4 < 2)
        if graph.size <= SWITCH_LIMIT:
            _greedy_switch(graph, layers, position, rounds=1)
        crossings = count_crossings(layers, position, graph.down)
        stale += 1
        if crossings < best:
            best, stale = crossings, 0
            best_layers = [layer[:] for layer in layers]
    if graph.size > SWITCH_LIMIT and best:
        stop_if(cancelled)
        for layer in best_layers:
            _number(layer, position)
        _greedy_switch(graph, best_layers, position, rounds=2)
        best = count_crossings(best_layers, position, graph.down)
    return best, best_layers


def _sweep(graph: LayeredGraph, layers: Layers, position: list[int], *, forwards: bool, median: bool) -> None:
    neighbours = graph.up if forwards else graph.down
    order = range(1, len(layers)) if forwards else range(len(layers) - 2, -1, -1)
    for rank in order:
        layer = layers[rank]
        keys: list[float] = []
        for place, carrier in enumerate(layer):
            near = neighbours[carrier]
            if len(near) == 1:
                keys.append(position[near[0]])
            elif median or not near:
                keys.append(_median(near, position, place))
            else:
                keys.append(sum([position[other] for other in near]) / len(near))
        layer[:] = [layer[place] for place in sorted(range(len(layer)), key=keys.__getitem__)]
        _number(layer, position)


def _median(near: Sequence[int], position: Sequence[int], otherwise: int) -> float:
    if not near:
        return otherwise
    places = sorted([position[other] for other in near])
    middle = len(places) // 2
    return places[middle] if len(places) % 2 else (places[middle - 1] + places[middle]) / 2


def _number(layer: Sequence[int], position: list[int]) -> None:
    for place, carrier in enumerate(layer):
        position[carrier] = place


def _cheapest_slot(key: float, others: Sequence[float]) -> int:
    """Where to insert `key` into the fixed list `others` for the fewest inversions: behind its equals."""
    cost = best = slot = 0
    for place, other in enumerate(others):
        cost += (other > key) - (other < key)
        if cost <= best:
            best, slot = cost, place + 1
    return slot


def _greedy_switch(graph: LayeredGraph, layers: Layers, position: list[int], rounds: int) -> None:
    up, down = graph.up, graph.down
    for _ in range(rounds):
        gained = False
        for layer in layers:
            for place in range(len(layer) - 1):
                first, second = layer[place], layer[place + 1]
                gain = _gain(up[first], up[second], position) + _gain(down[first], down[second], position)
                if gain > 0:
                    layer[place], layer[place + 1] = second, first
                    position[first], position[second] = place + 1, place
                    gained = True
        if not gained:
            break


def _gain(first: Sequence[int], second: Sequence[int], position: Sequence[int]) -> int:
    """Crossings saved on one side by swapping two neighbours."""
    if len(first) == 1 and len(second) == 1:
        left, right = position[first[0]], position[second[0]]
        return (left > right) - (left < right)
    places = sorted([position[other] for other in second])
    gain = 0
    for other in first:
        place = position[other]
        gain += bisect_left(places, place) - (len(places) - bisect_right(places, place))
    return gain


def _depth_first(graph: LayeredGraph, *, undirected: bool) -> Layers:
    """Preorder from the sources: a tree is drawn without crossings. Undirected also keeps the parents of a join
    together."""
    layers: Layers = [[] for _ in range(graph.layer_count)]
    seen = [False] * graph.size
    roots = [carrier for carrier in range(graph.size) if not graph.up[carrier]]
    for root in roots:
        waiting = [root]
        while waiting:
            carrier = waiting.pop()
            if seen[carrier]:
                continue
            seen[carrier] = True
            layers[graph.ranks[carrier]].append(carrier)
            if undirected:
                waiting.extend(graph.up[carrier])
            waiting.extend(reversed(graph.down[carrier]))
    return layers


def _breadth_first_from_sinks(graph: LayeredGraph) -> Layers:
    layers: Layers = [[] for _ in range(graph.layer_count)]
    seen = [False] * graph.size
    roots = [carrier for carrier in range(graph.size) if not graph.down[carrier]]
    roots.sort(key=graph.ranks.__getitem__, reverse=True)
    for root in roots:
        if seen[root]:
            continue
        seen[root] = True
        waiting = [root]
        for carrier in waiting:
            layers[graph.ranks[carrier]].append(carrier)
            for other in graph.up[carrier]:
                if not seen[other]:
                    seen[other] = True
                    waiting.append(other)
    return layers
