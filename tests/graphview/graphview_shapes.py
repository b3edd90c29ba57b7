"""Graphs with a known shape, and plain texts for their nodes. Nothing here is random without a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from dagtop_app.graphview.canvas import Canvas
from dagtop_app.graphview.drawing import NodeTexts
from dagtop_app.graphview.glyphs import UNICODE, Glyphs
from dagtop_app.graphview.layout import Layout, lay_out
from dagtop_app.graphview.model import GraphModel
from dagtop_app.graphview.router import route
from dagtop_app.graphview.sizes import Scale, Sizes

Edges = list[tuple[int, int]]


@dataclass(frozen=True)
class PlainTexts(NodeTexts):
    """Names, cut or padded; all characters are one cell wide."""

    model: GraphModel

    def glyph(self, node: int) -> str:
        return "o"

    def label(self, node: int, width: int) -> str:
        return self.model.names[node][:width].ljust(width)

    def note(self, node: int, width: int) -> str:
        return "1.2s".rjust(width)


def model_of(count: int, edges: Edges) -> GraphModel:
    return GraphModel.from_indices([f"n{node}" for node in range(count)], edges)


def laid_out(model: GraphModel, scale: Scale = Scale.PILL) -> Layout:
    return lay_out(model, Sizes.of(scale, [len(name) for name in model.names]))


def canvas_of(model: GraphModel, scale: Scale = Scale.PILL, glyphs: Glyphs = UNICODE) -> Canvas:
    return Canvas(route(laid_out(model, scale)), PlainTexts(model), glyphs)


def full_text(canvas: Canvas) -> list[str]:
    return [canvas.line(y, 0, canvas.width).text for y in range(canvas.height)]


def chain(count: int) -> GraphModel:
    return model_of(count, [(node, node + 1) for node in range(count - 1)])


def fan(count: int) -> GraphModel:
    """One parent, `count` children, one common grandchild."""
    return model_of(count + 2, [e for node in range(1, count + 1) for e in ((0, node), (node, count + 1))])


def diamonds(count: int) -> GraphModel:
    edges = [e for d in range(count) for a in (3 * d + 1, 3 * d + 2) for e in ((3 * d, a), (a, 3 * d + 3))]
    return model_of(3 * count + 1, edges)


def tree(depth: int) -> GraphModel:
    count = 2**depth - 1
    return model_of(count, [((node - 1) // 2, node) for node in range(1, count)])


def etl(count: int, seed: int = 1) -> GraphModel:
    """Pipelines extract, validate, stage, transform, mart with a few cross joins, between `start` and `report`."""
    rng = random.Random(seed)
    edges: Edges = []
    marts: list[int] = []
    last = 0

    def follow(*parents: int) -> int:
        nonlocal last
        last += 1
        edges.extend((parent, last) for parent in parents)
        return last

    while last < count - 3:
        validate = follow(follow(0))
        stage = follow(validate)
        if rng.random() < 0.5:
            follow(validate)
        transforms = [follow(stage) for _ in range(rng.choice((1, 2, 3, 3, 4)))]
        joined = [rng.choice(marts[-4:])] if marts and rng.random() < 0.7 else []
        marts.append(follow(*transforms, *joined))
    follow(follow(*(marts if count <= 400 else marts[-12:])))
    return model_of(last + 1, edges)


def layered(count: int, seed: int = 1) -> GraphModel:
    """About 0.8 * sqrt(n) layers, one to three parents, mostly from the layer before and near by; shuffled numbers."""
    rng = random.Random(seed)
    depth = max(3, int(count**0.5 * 0.8))
    layers: list[list[int]] = [[] for _ in range(depth)]
    for node in range(count):
        layers[node if node < depth else rng.randrange(depth)].append(node)
    edges: set[tuple[int, int]] = set()
    for rank in range(1, depth):
        for place, node in enumerate(layers[rank]):
            for _ in range(rng.choice((1, 2, 2, 3))):
                back = 1
                while back < rank and rng.random() < 0.2:
                    back += 1
                above = layers[rank - back]
                near = int(rng.gauss(place / len(layers[rank]) * len(above), max(1.0, len(above) * 0.06)))
                edges.add((above[max(0, min(len(above) - 1, near))], node))
    return _shuffled(count, sorted(edges), rng)


def uniform(count: int, seed: int = 1) -> GraphModel:
    """One to three parents anywhere before: no structure to find."""
    rng = random.Random(seed)
    edges = {(rng.randrange(node), node) for node in range(1, count) for _ in range(rng.choice((1, 2, 2, 3)))}
    return _shuffled(count, sorted(edges), rng)


def _shuffled(count: int, edges: Edges, rng: random.Random) -> GraphModel:
    numbers = list(range(count))
    rng.shuffle(numbers)
    mixed = [(numbers[parent], numbers[child]) for parent, child in edges]
    rng.shuffle(mixed)
    return model_of(count, mixed)
