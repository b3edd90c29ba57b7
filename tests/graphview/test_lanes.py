"""Lanes: the lines of a graph beside the list of its nodes."""

from __future__ import annotations

import random

import pytest
from dagtop_app.graphview.glyphs import ASCII, DOWN, LEFT, RIGHT, UP
from dagtop_app.graphview.lanes import STEP, Lanes, lay_lanes
from dagtop_app.graphview.model import GraphModel
from graphview_shapes import chain, diamonds, fan, model_of


def drawn(model: GraphModel, lanes: Lanes) -> list[str]:
    return ["".join(text for text, _ in lanes.cells(node, "o")).rstrip() for node in lanes.order]


def scattered(count: int, seed: int) -> GraphModel:
    rng = random.Random(seed)
    edges = {(rng.randrange(node), node) for node in range(1, count) for _ in range(rng.choice((0, 1, 1, 2)))}
    return model_of(count, sorted(edges))


def read(model: GraphModel, lanes: Lanes) -> set[tuple[int, int]]:
    """The edges that the lines show: down each column, and across each row to the glyph in it, or from it by an arrow."""
    found: set[tuple[int, int]] = set()
    running: dict[int, list[int]] = {}
    for node in lanes.order:
        row = lanes.rows[lanes.place[node]]
        joined = [_joined(lanes, node)] if row.joins else []
        for direction in (-1, 1):
            column = row.column + direction
            while 0 <= column < len(row.bits) and not (joined and direction > 0):
                sides = row.bits[column][0] & (LEFT | RIGHT | UP | DOWN)
                if not sides & (LEFT if direction > 0 else RIGHT):
                    break
                if sides & UP and _glyph(lanes, node, column) != "┼":
                    found.update((parent, node) for parent in running[column])
                column += direction
        if row.column in running:
            found.update((parent, node) for parent in running.pop(row.column))
        for column, (sides, _, _) in enumerate(row.bits):
            if column != row.column and not sides & DOWN:
                running.pop(column, None)
        for column in joined:
            running.setdefault(column, []).append(node)
        if model.children[node] and not joined:
            running[row.column] = [node]
    return found


def _joined(lanes: Lanes, node: int) -> int:
    """The column that an arrow leads to."""
    row = lanes.rows[lanes.place[node]]
    column = row.column + 1
    while _glyph(lanes, node, column) in "┼─":
        column += 1
    return column


def _glyph(lanes: Lanes, node: int, column: int) -> str:
    return lanes.cells(node, "o")[2 * column][0]


@pytest.mark.parametrize("seed", range(8))
def test_what_the_lines_show_are_the_edges(seed: int) -> None:
    model = scattered(40, seed)
    assert read(model, lay_lanes(model, most=100)) == set(model.edges)


@pytest.mark.parametrize("seed", range(12))
def test_lines_that_are_shared_read_back_too(seed: int) -> None:
    rng = random.Random(seed)
    edges: set[tuple[int, int]] = set()
    for start in range(0, 40, 8):  # blocks in which several nodes feed the same ones, and lines that pass them
        targets = rng.sample(range(start + 8, start + 14), rng.choice((1, 2, 3)))
        for node in rng.sample(range(start, start + 8), rng.choice((3, 4, 6))):
            edges |= {(node, target) for target in targets}
        edges |= {(rng.randrange(start + 8), rng.randrange(start + 8, 54)) for _ in range(3)}
    model = model_of(54, sorted(edges))
    lanes = lay_lanes(model, most=100)
    assert read(model, lanes) == set(model.edges)


@pytest.mark.parametrize("model", [chain(5), fan(4), diamonds(3)], ids=["chain", "fan", "diamonds"])
def test_structured_graphs_read_back(model: GraphModel) -> None:
    assert read(model, lay_lanes(model)) == set(model.edges)


def test_a_chain_is_one_column() -> None:
    assert drawn(chain(3), lay_lanes(chain(3))) == ["o", "o", "o"]


def test_a_fan_opens_and_closes() -> None:
    assert drawn(fan(3), lay_lanes(fan(3))) == ["o", "├─o▸╮", "├─o▸┤", "o▸──┤", "    o"]


def test_two_nodes_with_the_same_goal_have_lines_of_their_own() -> None:
    assert drawn(diamonds(1), lay_lanes(diamonds(1))) == ["o", "├─o", "o │", "o─╯"]


def test_pipelines_with_one_end_share_a_line_whatever_their_number() -> None:
    edges = [e for n in range(100) for e in ((0, 2 * n + 1), (2 * n + 1, 2 * n + 2), (2 * n + 2, 201))]
    model = model_of(202, edges)
    lanes = lay_lanes(model)
    assert lanes.columns == 3
    assert read(model, lanes) == set(model.edges)


def test_every_parent_stands_above_its_children_and_every_node_once() -> None:
    model = scattered(60, 1)
    lanes = lay_lanes(model)
    assert sorted(lanes.order) == list(range(60))
    assert all(lanes.place[parent] < lanes.place[child] for parent, child in model.edges)


def test_lines_above_the_limit_are_left_out_and_the_rows_say_so() -> None:
    model = scattered(80, 2)
    lanes = lay_lanes(model, most=4)
    assert lanes.columns <= 5
    assert any(row.is_cut for row in lanes.rows)
    assert all(len(line) <= lanes.width for line in drawn(model, lanes))
    assert lanes.width == lanes.columns * STEP


def test_some_nodes_only_have_lanes_of_their_own() -> None:
    model = model_of(5, [(1, 3)])
    lanes = lay_lanes(model, [1, 3])
    assert lanes.order == (1, 3)
    assert lanes.place == (-1, 0, -1, 1, -1)


def test_ascii_lanes_have_only_ascii() -> None:
    model = scattered(40, 3)
    lanes = lay_lanes(model, most=5)
    assert "".join(text for node in lanes.order for text, _ in lanes.cells(node, "o", ASCII)).isascii()


def test_an_empty_graph_has_no_rows() -> None:
    assert lay_lanes(model_of(0, [])).columns == 0
