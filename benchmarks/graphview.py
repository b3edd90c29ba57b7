"""How long layout and routing take, as multiples of one breadth-first search over the same graph.

Ratios survive a busy or slow machine, milliseconds do not. Run it with the folders `app` and `engine` on PYTHONPATH.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TypeVar

from dagtop_app.graph.folding import fold_tasks
from dagtop_app.graphview import Canvas, GraphModel, Highlight, NodeTexts, Scale, Sizes, Wall, lay_out, pile_up, route
from dagtop_app.graphview.lanes import lay_lanes

T = TypeVar("T")


class Texts(NodeTexts):
    """The least a drawing needs."""

    def glyph(self, node: int) -> str:
        return "o"

    def label(self, node: int, width: int) -> str:
        return str(node)[:width].ljust(width)

    def note(self, node: int, width: int) -> str:
        return " " * width


def layered(count: int) -> GraphModel:
    """About 0.8 * sqrt(n) layers, one to three parents, mostly from the layer before and near by."""
    rng = random.Random(1)
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
    numbers = list(range(count))
    rng.shuffle(numbers)
    return GraphModel.from_indices(map(str, range(count)), [(numbers[a], numbers[b]) for a, b in sorted(edges)])


def etl(count: int) -> GraphModel:
    """Pipelines of extract, validate, stage, transform and mart with a few cross joins."""
    rng = random.Random(1)
    edges: list[tuple[int, int]] = []
    marts: list[int] = []
    last = 0

    def follow(*parents: int) -> int:
        nonlocal last
        last += 1
        edges.extend((parent, last) for parent in parents)
        return last

    while last < count - 3:
        stage = follow(follow(follow(0)))
        transforms = [follow(stage) for _ in range(rng.choice((1, 2, 3, 3, 4)))]
        joined = [rng.choice(marts[-4:])] if marts and rng.random() < 0.7 else []
        marts.append(follow(*transforms, *joined))
    follow(follow(*marts[-12:]))
    return GraphModel.from_indices(map(str, range(last + 1)), edges)


def search(model: GraphModel) -> int:
    """One breadth-first search from all sources: the yardstick."""
    queue = [node for node in range(model.size) if not model.parents[node]]
    seen = set(queue)
    for node in queue:
        for child in model.children[node]:
            if child not in seen:
                seen.add(child)
                queue.append(child)
    return len(seen)


def clock(work: Callable[[], T], rounds: int) -> tuple[float, T]:
    """Median milliseconds, and the last result."""
    times: list[float] = []
    while True:
        start = perf_counter()
        result = work()
        times.append((perf_counter() - start) * 1000)
        if len(times) == rounds:
            return median(times), result


def main() -> None:
    """Print one row per graph."""
    columns = ("search", "layout", "route", "screen", "select", "fold", "wall", "lanes")
    print(f"{'graph':8} {'nodes':>6} " + "".join(f"{name:>18} " for name in columns) + "crossings unresolved")
    for kind in (layered, etl):
        for count in (200, 1_000, 10_000):
            report(kind.__name__, kind(count))


def report(name: str, model: GraphModel) -> None:
    """Measure one graph: layout, routing, a first screen of 200x60, and that screen after a node was selected; groups by rank,
    a wall, and lanes."""
    rounds = 5 if model.size < 5_000 else 1
    sizes = Sizes.of(Scale.PILL, [len(text) for text in model.names])
    unit, _ = clock(lambda: search(model), 9)
    layout_time, layout = clock(lambda: lay_out(model, sizes), rounds)
    route_time, routing = clock(lambda: route(layout), rounds)
    x, y = routing.width // 2, routing.height // 2

    def screen(highlight: Highlight) -> None:
        canvas = Canvas(routing, Texts())
        canvas.highlight = highlight
        for row in range(y, y + 60):
            canvas.line(row, x, x + 200)

    screen_time, _ = clock(lambda: screen(Highlight()), rounds)
    select_time, _ = clock(lambda: screen(Highlight.of(layout, model.size // 2)), rounds)
    names = [f"rank{rank}_{node}" for node, rank in enumerate(model.ranks)]
    fold_time, _ = clock(lambda: fold_tasks(model, names), rounds)
    wall_time, _ = clock(lambda: Wall(pile_up(model, sizes), 45, Texts()).line(20, 0, 160), rounds)
    lanes_time, _ = clock(lambda: lay_lanes(model), rounds)
    times = (unit, layout_time, route_time, screen_time, select_time, fold_time, wall_time, lanes_time)
    cells = "".join(f"{time:8.2f} ms {time / unit:6.1f} " for time in times)
    print(f"{name:8} {model.size:6} {cells}{layout.crossings:9} {routing.unresolved:10}")


if __name__ == "__main__":
    main()
