"""The row of every carrier, given the order in the layers.

Each sweep moves every layer as close as possible to the rows its carriers want, keeping order and distance. That is
isotonic regression, solved exactly by pool-adjacent-violators (Ayer et al. 1955; Best and Chakravarti 1990) on
integers. Two rules matter:

* A sweep looks at one side only; asking both sides bends lines that could be straight.
* The hub rule: a neighbour pulls with 1/degree, and a carrier whose side of the sweep is only hubs follows its other
  side. Else the whole drawing collapses towards `start` or `report`.

At the end single carriers are straightened: moved within their free room onto the row of a neighbour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .errors import stop_if
from .layering import LayeredGraph
from .ordering import Layers

SWEEPS = 6
HUB = 16
"""Carriers with more neighbours are not straightened: it would be quadratic and pointless."""
OLD_PULL = 50.0
"""Weight of the old row of a carrier in a stable relayout."""
NO_PULL = 0.01
"""Weight of a carrier without neighbours on this side: next to nothing, or it drags its layer."""
BEND_COST = 1.5
"""A bend costs as much as this many rows of line."""


def assign_rows(
    graph: LayeredGraph,
    layers: Layers,
    rows: int,
    gap: int,
    pulls: Mapping[int, int],
    cancelled: Callable[[], bool],
) -> list[int]:
    """The centre row of every carrier, the topmost cell at row 0; `pulls` gives the old rows of a stable relayout."""
    offsets = [_stack(graph, layer, rows, gap) for layer in layers]
    place = _centred(graph, layers, offsets)
    for carrier, row in pulls.items():
        place[carrier] = row
    forwards, backwards = _sides(graph)
    best, best_length = place[:], -1
    for sweep in range(SWEEPS):
        stop_if(cancelled)
        forward = sweep % 2 == 0
        neighbours = forwards if forward else backwards
        for rank in range(len(layers)) if forward else range(len(layers) - 1, -1, -1):
            _move_layer(graph, layers[rank], offsets[rank], neighbours, place, pulls)
        length = _vertical_length(graph, layers, place)
        if best_length < 0 or length < best_length:
            best, best_length = place[:], length
    stop_if(cancelled)
    for order in (range(len(layers)), range(len(layers) - 1, -1, -1)):
        for rank in order:
            _straighten(graph, layers[rank], offsets[rank], best, pulls)
    half = rows // 2
    top = min((row - (half if carrier < graph.node_count else 0) for carrier, row in enumerate(best)), default=0)
    return [row - top for row in best]


def fit_in_order(wanted: Sequence[float], weights: Sequence[float], offsets: Sequence[int]) -> list[int]:
    """Integer rows closest to `wanted` with row[i+1] - row[i] >= offsets[i+1] - offsets[i]
    (pool-adjacent-violators)."""
    blocks: list[tuple[float, float, int, int]] = []  # sum of weight * row, sum of weights, first index, row
    for index, offset in enumerate(offsets):
        weight = weights[index]
        total = weight * (wanted[index] - offset)
        first, row = index, round(total / weight)
        while blocks and blocks[-1][3] > row:
            other_total, other_weight, first, _ = blocks.pop()
            total += other_total
            weight += other_weight
            row = round(total / weight)
        blocks.append((total, weight, first, row))
    result: list[int] = []
    for number, (_, _, first, row) in enumerate(blocks):
        end = blocks[number + 1][2] if number + 1 < len(blocks) else len(offsets)
        result.extend([row + offsets[index] for index in range(first, end)])
    return result


def _stack(graph: LayeredGraph, layer: Sequence[int], rows: int, gap: int) -> list[int]:
    """The rows of a layer packed as tightly as allowed; differences are the least distances."""
    half = (rows - 1) // 2
    offsets: list[int] = []
    row = 0
    above_is_node = False
    for index, carrier in enumerate(layer):
        is_node = carrier < graph.node_count
        if index:
            row += 1 + half * (is_node + above_is_node) + (gap if is_node or above_is_node else 0)
        offsets.append(row)
        above_is_node = is_node
    return offsets


def _centred(graph: LayeredGraph, layers: Layers, offsets: Sequence[Sequence[int]]) -> list[int]:
    place = [0] * graph.size
    tallest = max((stack[-1] for stack in offsets if stack), default=0)
    for layer, stack in zip(layers, offsets, strict=True):
        shift = (tallest - stack[-1]) // 2
        for carrier, row in zip(layer, stack, strict=True):
            place[carrier] = row + shift
    return place


def _sides(graph: LayeredGraph) -> tuple[list[list[int]], list[list[int]]]:
    """The neighbours each carrier follows in forward and in backward sweeps (the hub rule)."""
    up, down = graph.up, graph.down
    left = [sum([1 / len(down[other]) for other in near]) for near in up]
    right = [sum([1 / len(up[other]) for other in near]) for near in down]
    carriers = range(graph.size)
    forwards = [up[c] if left[c] >= 0.5 * right[c] else down[c] for c in carriers]
    backwards = [down[c] if right[c] >= 0.5 * left[c] else up[c] for c in carriers]
    return forwards, backwards


def _move_layer(
    graph: LayeredGraph,
    layer: Sequence[int],
    offsets: Sequence[int],
    neighbours: Sequence[Sequence[int]],
    place: list[int],
    pulls: Mapping[int, int],
) -> None:
    nodes = graph.node_count
    wanted: list[float] = []
    weights: list[float] = []
    for carrier in layer:
        near = neighbours[carrier]
        row: float
        if not near:
            row, weight = place[carrier], NO_PULL
        elif len(near) == 1:
            row = place[near[0]]
            weight = (1.0, 3.0, 8.0)[(carrier >= nodes) + (near[0] >= nodes)]
        else:
            rows = sorted([place[other] for other in near])
            middle = len(rows) // 2
            row = rows[middle] if len(rows) % 2 else (rows[middle - 1] + rows[middle]) / 2
            weight = 2.0 if carrier >= nodes else 1.0
        old = pulls.get(carrier)
        if old is not None:
            row = (row * weight + old * OLD_PULL) / (weight + OLD_PULL)
            weight += OLD_PULL
        wanted.append(row)
        weights.append(weight)
    for carrier, moved in zip(layer, fit_in_order(wanted, weights, offsets), strict=True):
        place[carrier] = moved


def _vertical_length(graph: LayeredGraph, layers: Layers, place: Sequence[int]) -> int:
    """Vertical ink: one run for each carrier with its bus, not one for each segment; each bend counts one more."""
    total = 0
    for layer in layers[:-1]:
        for carrier in layer:
            top = bottom = place[carrier]
            for other in graph.down[carrier]:
                row = place[other]
                if row < top:
                    top = row
                elif row > bottom:
                    bottom = row
            if bottom > top:
                total += bottom - top + 1
    return total


def _straighten(
    graph: LayeredGraph, layer: Sequence[int], offsets: Sequence[int], place: list[int], pulls: Mapping[int, int]
) -> None:
    for index, carrier in enumerate(layer):
        near = graph.up[carrier] + graph.down[carrier]
        if carrier in pulls or not 0 < len(near) <= HUB:
            continue
        here = place[carrier]
        rows = [place[other] for other in near]
        best = here
        cost = _bend_cost(here, rows)
        for row in sorted(set(rows)):
            if row == here:
                continue
            if index and row < place[layer[index - 1]] + offsets[index] - offsets[index - 1]:
                continue
            if index + 1 < len(layer) and row > place[layer[index + 1]] - offsets[index + 1] + offsets[index]:
                continue
            cheaper = _bend_cost(row, rows)
            if cheaper < cost:
                best, cost = row, cheaper
        place[carrier] = best


def _bend_cost(row: int, rows: Sequence[int]) -> float:
    return sum([abs(row - other) + (BEND_COST if other != row else 0.0) for other in rows])
