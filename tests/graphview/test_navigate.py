"""Arrow keys follow the edges."""

from __future__ import annotations

from dagtop_app.graphview import Cursor, Direction, first_cursor, move
from graphview_shapes import chain, diamonds, laid_out, layered, model_of, tree


def test_right_goes_to_the_child_in_the_nearest_row() -> None:
    layout = laid_out(model_of(4, [(0, 1), (0, 2), (0, 3)]))
    middle = layout.nodes_in(1)[1]
    assert move(layout, Cursor(0), Direction.RIGHT).node == middle


def test_left_undoes_right_step_by_step() -> None:
    layout = laid_out(layered(80))
    for start in range(80):
        cursor = Cursor(start)
        walked = [cursor]
        for _ in range(5):
            cursor = move(layout, cursor, Direction.RIGHT)
            if cursor.node == walked[-1].node:
                break
            walked.append(cursor)
        for before in reversed(walked[:-1]):
            cursor = move(layout, cursor, Direction.LEFT)
            assert cursor == before


def test_right_undoes_left() -> None:
    layout = laid_out(diamonds(1))
    top, bottom = layout.nodes_in(1)
    for node in (top, bottom):
        assert move(layout, move(layout, Cursor(node), Direction.LEFT), Direction.RIGHT) == Cursor(node)


def test_every_sideways_step_follows_an_edge() -> None:
    layout = laid_out(layered(80))
    edges = set(layout.model.edges)
    for node in range(80):
        right = move(layout, Cursor(node), Direction.RIGHT).node
        left = move(layout, Cursor(node), Direction.LEFT).node
        assert right == node or (node, right) in edges
        assert left == node or (left, node) in edges


def test_up_and_down_stay_in_the_layer_and_stop_at_its_ends() -> None:
    layout = laid_out(tree(4))
    nodes = layout.nodes_in(3)
    cursor = Cursor(nodes[0])
    for node in nodes[1:]:
        cursor = move(layout, cursor, Direction.DOWN)
        assert cursor.node == node
    assert move(layout, cursor, Direction.DOWN) == cursor
    assert move(layout, cursor, Direction.UP).node == nodes[-2]


def test_where_there_is_no_way_the_cursor_stays() -> None:
    layout = laid_out(model_of(1, []))
    for direction in Direction:
        assert move(layout, Cursor(0), direction) == Cursor(0)


def test_home_and_end_are_the_ends_of_the_critical_path() -> None:
    layout = laid_out(chain(6))
    path = layout.model.critical_path()
    assert move(layout, Cursor(3), Direction.HOME, path).node == 0
    assert move(layout, Cursor(3), Direction.END, path).node == 5


def test_the_trail_does_not_grow_without_end() -> None:
    layout = laid_out(chain(200))
    cursor = Cursor(0)
    for _ in range(199):
        cursor = move(layout, cursor, Direction.RIGHT)
    assert cursor.node == 199
    assert len(cursor.trail) == 64


def test_the_first_cursor_is_at_the_top_left() -> None:
    layout = laid_out(tree(3))
    assert first_cursor(layout) == Cursor(0)
    assert first_cursor(laid_out(model_of(0, []))) is None
