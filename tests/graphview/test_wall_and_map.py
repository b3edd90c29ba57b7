"""Half a cell for each node, and the map of a drawing."""

from __future__ import annotations

import pytest
from dagtop_app.graphview import GraphModel, Highlight, Line, Minimap, Part, Rect, Scale, Sizes, Wall, pile_up
from dagtop_app.graphview.wall import columns_of
from graphview_shapes import PlainTexts, canvas_of, chain, fan, model_of


def wall_of(model: GraphModel, height: int, *, halves: bool = True) -> Wall:
    return Wall(pile_up(model, Sizes.of(Scale.PILL, [1] * model.size)), height, PlainTexts(model), halves=halves)


def owners(line: Line) -> set[int]:
    return {node for run in line.runs for node in (run.owner, run.below) if node >= 0}


@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("model", [chain(5), fan(50), model_of(7, [])], ids=["chain", "fan", "apart"])
def test_every_node_has_its_place(model: GraphModel, *, halves: bool) -> None:
    wall = wall_of(model, 6, halves=halves)
    seen = [owners(wall.line(y, 0, wall.width)) for y in range(wall.height)]
    assert sum(map(len, seen)) == model.size
    for node in range(model.size):
        rect = wall.rect_of(node)
        assert node in seen[rect.y]
        found = wall.node_at(rect.x, rect.y)
        assert found is not None
        assert wall.rect_of(found) == rect


def test_two_nodes_share_a_cell_and_layers_are_blocks() -> None:
    wall = wall_of(fan(9), 2)
    assert (wall.width, wall.height) == (7, 2)
    assert [run.part for run in wall.line(0, 2, 5).runs] == [Part.PAIR] * 3
    assert wall.line(0, 2, 3).runs[0].below >= 0
    assert columns_of([1, 9, 1], 2) == 7
    assert columns_of([1, 9, 1], 2, halves=False) == 9


def test_outside_of_the_wall_there_is_nothing() -> None:
    wall = wall_of(fan(9), 2)
    assert wall.line(5, 0, 10).runs == ()
    assert wall.node_at(1, 0) is None
    assert wall.node_at(-1, 0) is None
    assert wall_of(model_of(0, []), 5).height == 0


def test_the_pile_is_a_layout_that_highlights_exactly() -> None:
    layout = pile_up(fan(4), Sizes.of(Scale.PILL, [1] * 6))
    found = Highlight.of(layout, 2, [0, 1, 5])
    assert found.upstream == {0, 2}
    assert found.downstream == {2, 5}
    assert found.critical == {0, 1, 5}


def test_a_pile_is_given_up_when_it_is_not_wanted() -> None:
    from dagtop_app.graphview import LayoutCancelled

    with pytest.raises(LayoutCancelled):
        pile_up(chain(3), Sizes.of(Scale.PILL, [1] * 3), lambda: True)


def test_the_map_has_a_dot_for_every_node_and_shows_the_window() -> None:
    canvas = canvas_of(fan(30))
    minimap = Minimap(canvas, 12, 6)
    rows = [minimap.line(y, Rect(0, 0, canvas.width // 2, canvas.height)) for y in range(6)]
    assert sorted(node for row in rows for cell in row for node in cell.nodes) == list(range(32))
    assert all((cell.text != " ") == bool(cell.nodes) for row in rows for cell in row)
    assert [cell.in_window for cell in rows[3]] == [True] * 6 + [False] * 6


def test_a_map_in_ascii_has_no_braille() -> None:
    minimap = Minimap(canvas_of(fan(30)), 12, 6, dots=False)
    assert all(cell.text.isascii() for y in range(6) for cell in minimap.line(y, Rect(0, 0, 5, 5)))
