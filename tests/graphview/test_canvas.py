"""Painting a part gives what painting all of it gives, and every cell knows whose it is."""

from __future__ import annotations

import random
import unicodedata
from itertools import pairwise

import pytest
from dagtop_app.graphview import ASCII, UNICODE, Canvas, Emphasis, GraphModel, Highlight, Overview, Part, Scale
from dagtop_app.graphview.braille import dotted_line
from dagtop_app.graphview.glyphs import DOWN, LEFT, RIGHT, UP
from dagtop_app.graphview.ink import BAND
from graphview_reading import heavy_sides, read_edges
from graphview_shapes import PlainTexts, canvas_of, etl, fan, full_text, laid_out, layered, model_of, uniform

SCALES = [Scale.BOX, Scale.PILL]
MODELS = [
    pytest.param(etl(60), id="etl"),
    pytest.param(layered(60), id="layered"),
    pytest.param(uniform(40), id="uniform"),
]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("model", MODELS)
def test_any_window_shows_what_the_whole_drawing_shows(model: GraphModel, scale: Scale) -> None:
    whole = full_text(canvas_of(model, scale))
    assert {len(row) for row in whole} == {len(whole[0])}
    canvas = canvas_of(model, scale)
    rng = random.Random(3)
    for _ in range(300):
        y, x0 = rng.randrange(canvas.height), rng.randrange(canvas.width)
        x1 = min(canvas.width, x0 + rng.randrange(1, 60))
        line = canvas.line(y, x0, x1)
        assert line.start <= x0
        assert line.text[x0 - line.start : x1 - line.start] == whole[y][x0:x1]
        assert len(line.text) >= x1 - line.start


@pytest.mark.parametrize("model", MODELS)
def test_overview_windows_show_what_the_whole_overview_shows(model: GraphModel) -> None:
    overview = Overview(laid_out(model), 90, 25, PlainTexts(model))
    whole = [overview.line(y, 0, overview.width).text for y in range(overview.height)]
    for y in range(overview.height):
        assert overview.line(y, 5, 30).text == whole[y][5:30]


def test_a_small_window_makes_few_tiles() -> None:
    canvas = canvas_of(etl(600))
    for y in range(100, 130):
        canvas.line(y, 40, 100)
    assert canvas.tile_count <= 8
    assert canvas.tile_count < len(canvas.routing.channels) * (canvas.height // BAND)


def test_tiles_are_forgotten() -> None:
    routing = canvas_of(fan(20 * BAND)).routing
    canvas = Canvas(routing, PlainTexts(routing.layout.model), tiles=10)
    assert full_text(canvas) == full_text(Canvas(routing, PlainTexts(routing.layout.model)))
    assert canvas.tile_count == 10


def test_what_is_outside_is_empty() -> None:
    canvas = canvas_of(etl(30))
    assert canvas.line(-1, 0, 10).runs == ()
    assert canvas.line(canvas.height, 0, 10).runs == ()
    assert canvas.line(0, canvas.width, canvas.width + 10).runs == ()


@pytest.mark.parametrize("scale", SCALES)
def test_clicking_a_node_finds_it_and_nothing_else_does(scale: Scale) -> None:
    canvas = canvas_of(layered(40), scale)
    cells = {}
    for node in range(40):
        rect = canvas.rect_of(node)
        for y in range(rect.y, rect.y + rect.height):
            for x in range(rect.x, rect.x + rect.width):
                cells[x, y] = node
    for y in range(canvas.height):
        for x in range(-1, canvas.width + 1):
            assert canvas.node_at(x, y) == cells.get((x, y))


def test_clicking_a_cell_of_the_overview_finds_the_node() -> None:
    model = layered(300)
    overview = Overview(laid_out(model), 100, 20, PlainTexts(model))
    places = {overview.rect_of(node)[:2] for node in range(model.size)}
    assert len(places) == model.size
    for node in range(model.size):
        x, y, _, _ = overview.rect_of(node)
        assert overview.node_at(x, y) == node
        assert 0 <= x < overview.width
        assert 0 <= y < overview.height <= 20


def test_lines_know_the_edges_they_stand_for() -> None:
    model = layered(60)
    canvas = canvas_of(model)
    seen: set[tuple[int, int]] = set()
    for y in range(canvas.height):
        for run in canvas.line(y, 0, canvas.width).runs:
            edges = canvas.edges_of(run)
            assert edges <= set(model.edges)
            assert bool(edges) == (run.part in {Part.LINE, Part.TRUNK})
            assert {parent for parent, _ in edges} <= set(canvas.feeders(run))
            seen |= edges
    assert seen == set(model.edges)


def test_a_part_of_a_node_is_fed_by_the_node_and_nothing_by_nobody() -> None:
    canvas = canvas_of(etl(30))
    for y in range(canvas.height):
        for run in canvas.line(y, 0, canvas.width).runs:
            if run.part is Part.BLANK:
                assert canvas.feeders(run) == ()
            elif run.part is Part.LABEL:
                assert canvas.feeders(run) == (run.owner,)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("model", MODELS)
def test_heavy_lines_lead_to_what_a_search_over_the_edges_finds(model: GraphModel, scale: Scale) -> None:
    plain = canvas_of(model, scale)
    heavy = Canvas(plain.routing, PlainTexts(model))
    for node in range(0, model.size, 7):
        heavy.highlight = Highlight.of(heavy.layout, node)
        above, below = model.ancestors(node) | {node}, model.descendants(node) | {node}
        upward = read_edges(plain, heavy_sides(heavy, {Emphasis.UPSTREAM}))
        assert upward == {(a, b) for a, b in model.edges if a in above and b in above}
        downward = read_edges(plain, heavy_sides(heavy, {Emphasis.DOWNSTREAM}))
        assert downward == {(a, b) for a, b in model.edges if a in below and b in below}


def test_the_critical_path_is_heavy_from_source_to_sink() -> None:
    model = layered(60)
    plain = canvas_of(model)
    path = model.critical_path()
    heavy = Canvas(plain.routing, PlainTexts(model))
    heavy.highlight = Highlight.of(heavy.layout, critical=path)
    found = read_edges(plain, heavy_sides(heavy, {Emphasis.CRITICAL}))
    assert found == set(pairwise(path))


def test_the_critical_path_wins_over_the_way_to_the_selected_node() -> None:
    model = model_of(4, [(0, 1), (1, 2), (0, 3)])
    canvas = canvas_of(model)
    canvas.highlight = Highlight.of(canvas.layout, 2, model.critical_path())
    found = {(run.part, run.emphasis) for y in range(canvas.height) for run in canvas.line(y, 0, canvas.width).runs}
    assert {emphasis for part, emphasis in found if part is Part.LINE} == {Emphasis.CRITICAL, Emphasis.NONE}
    assert canvas.highlight.of_segment(0, 1) is Emphasis.CRITICAL


def test_nodes_say_how_they_stand_out() -> None:
    model = model_of(5, [(0, 1), (1, 2), (2, 3)])
    canvas = canvas_of(model)
    canvas.highlight = Highlight.of(canvas.layout, 1)
    found = {}
    for y in range(canvas.height):
        for run in canvas.line(y, 0, canvas.width).runs:
            if run.part is Part.LABEL:
                found[run.owner] = run.emphasis
    assert found == {
        0: Emphasis.UPSTREAM,
        1: Emphasis.SELECTED,
        2: Emphasis.DOWNSTREAM,
        3: Emphasis.DOWNSTREAM,
        4: Emphasis.NONE,
    }


def test_the_selected_box_has_a_heavy_frame() -> None:
    canvas = canvas_of(model_of(2, [(0, 1)]), Scale.BOX)
    canvas.highlight = Highlight.of(canvas.layout, 0)
    assert full_text(canvas) == [
        "┏━━━━━━━━━━┓  ╭──────────╮",
        "┃o n0  1.2s┠━━┤o n1  1.2s│",
        "┗━━━━━━━━━━┛  ╰──────────╯",
    ]


def test_a_short_pill_has_a_longer_line_and_a_pill_without_children_none() -> None:
    model = GraphModel.from_edges(["a", "long", "z", "b"], [("a", "z"), ("long", "z")])
    canvas = canvas_of(model)
    assert full_text(canvas) == [
        " o a ────┬─ o z ",
        "         │      ",
        " o long ─╯      ",
        "                ",
        " o b            ",
    ]


@pytest.mark.parametrize("model", MODELS)
def test_the_lines_from_a_node_are_where_it_says(model: GraphModel) -> None:
    canvas = canvas_of(model)
    for node in range(0, model.size, 5):
        told = {
            (x, y)
            for rect in canvas.lines_from(node)
            for x in range(rect.x, rect.x + rect.width)
            for y in range(rect.y, rect.y + rect.height)
        }
        for y in range(canvas.height):
            line = canvas.line(y, 0, canvas.width)
            x = line.start
            for run in line.runs:
                if run.part in {Part.LINE, Part.TRUNK} and node in canvas.feeders(run):
                    assert {(at, y) for at in range(x, x + len(run.text))} <= told
                x += len(run.text)


def test_the_lines_from_a_node_of_an_overview_are_where_it_says() -> None:
    model = etl(60)
    overview = Overview(laid_out(model), 120, 40, PlainTexts(model))
    for node in range(0, model.size, 5):
        told = overview.lines_from(node)
        for y in range(overview.height):
            x = 0
            for run in overview.line(y, 0, overview.width).runs:
                if run.part is Part.TRUNK and run.owner == node:
                    assert any(
                        r.x <= x and x + len(run.text) <= r.x + r.width and r.y <= y < r.y + r.height for r in told
                    )
                x += len(run.text)


def test_taking_the_highlight_away_restores_the_drawing() -> None:
    canvas = canvas_of(etl(60))
    before = full_text(canvas)
    canvas.highlight = Highlight.of(canvas.layout, 5)
    assert full_text(canvas) != before
    canvas.highlight = Highlight()
    assert full_text(canvas) == before


def test_where_light_and_heavy_lines_meet_the_glyph_shows_both() -> None:
    assert UNICODE.line(LEFT | UP | DOWN, LEFT) == "┥"
    assert UNICODE.line(LEFT | RIGHT | UP | DOWN, LEFT | RIGHT) == "┿"
    assert UNICODE.line(LEFT | RIGHT, RIGHT) == "╼"


def test_the_table_of_mixed_glyphs_agrees_with_unicode() -> None:
    sides = {"LEFT": 0, "RIGHT": 1, "UP": 2, "DOWN": 3}
    for index, glyph in enumerate(UNICODE.mixed[1:], 1):
        weights = [index // place % 3 for place in (1, 3, 9, 27)]
        words = unicodedata.name(glyph).removeprefix("BOX DRAWINGS ")
        words = words.replace("HORIZONTAL", "LEFT RIGHT").replace("VERTICAL", "UP DOWN")
        named = [0, 0, 0, 0]
        one_weight = words.count("LIGHT") + words.count("HEAVY") == 1
        for phrase in [words] if one_weight else words.split(" AND "):
            weight = 2 if "HEAVY" in phrase else 1
            for side in set(phrase.split()) & set(sides):
                named[sides[side]] = weight
        assert named == weights, glyph


def test_the_ascii_drawing_has_only_ascii() -> None:
    canvas = canvas_of(layered(60), Scale.BOX, ASCII)
    canvas.highlight = Highlight.of(canvas.layout, 3, canvas.layout.model.critical_path())
    assert "".join(full_text(canvas)).isascii()
    model = layered(60)
    overview = Overview(laid_out(model), 80, 20, PlainTexts(model), ASCII)
    assert "".join(overview.line(y, 0, overview.width).text for y in range(overview.height)).isascii()


def test_an_overview_keeps_to_the_screen_if_the_nodes_fit() -> None:
    model = layered(600)
    overview = Overview(laid_out(model), 120, 40, PlainTexts(model))
    assert overview.width <= 120
    assert overview.height <= 40


def test_a_crowded_overview_leaves_the_lines_out() -> None:
    model = uniform(300)
    overview = Overview(laid_out(model), 120, 10, PlainTexts(model))
    assert not overview.has_lines
    parts = {run.part for y in range(overview.height) for run in overview.line(y, 0, 999).runs}
    assert parts == {Part.BLANK, Part.GLYPH}


def test_overview_lines_stand_out_with_the_selected_node() -> None:
    model = etl(60)
    overview = Overview(laid_out(model), 120, 40, PlainTexts(model))
    assert overview.has_lines
    overview.highlight = Highlight.of(overview.layout, 1)
    runs = [run for y in range(overview.height) for run in overview.line(y, 0, 999).runs]
    standing_out = {run.emphasis for run in runs if run.part is Part.TRUNK}
    assert {Emphasis.UPSTREAM, Emphasis.DOWNSTREAM, Emphasis.NONE} <= standing_out
    above = model.ancestors(1) | {1}
    for run in runs:
        if run.part is Part.TRUNK and run.emphasis is Emphasis.UPSTREAM:
            assert set(overview.feeders(run)) <= above


def test_a_line_from_a_parent_to_a_child_off_the_way_does_not_stand_out() -> None:
    layout = laid_out(model_of(5, [(0, 1), (0, 2), (1, 3), (4, 3)]))
    highlight = Highlight.of(layout, 1)
    ways = {edge: highlight.of_segment(*edge) for edge in layout.model.edges if edge != (4, 3)}
    assert ways == {(0, 1): Emphasis.UPSTREAM, (0, 2): Emphasis.NONE, (1, 3): Emphasis.DOWNSTREAM}
    trunk = layout.graph.down[4][0]
    assert highlight.of_segment(trunk, 3) is Emphasis.NONE


def test_a_line_of_dots_ends_where_it_should() -> None:
    assert dotted_line(1, 0) == ((0, 0, 0x02 + 0x10),)
    falling = dotted_line(3, 2)
    assert {x for x, _, _ in falling} == {0, 1, 2}
    assert {y for _, y, _ in falling} == {0, 1, 2}
    assert {(x, -y) for x, y, _ in dotted_line(3, -2)} >= {(0, 0), (2, 2)}


def test_an_empty_overview_is_empty() -> None:
    model = model_of(0, [])
    overview = Overview(laid_out(model), 80, 24, PlainTexts(model))
    assert (overview.width, overview.height) == (0, 0)
    assert overview.line(0, 0, 80).runs == ()
