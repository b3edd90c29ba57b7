"""What every layout keeps to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagtop_app.graphview import GraphCycleError, GraphModel, LayoutCancelled, UnknownNodeError, lay_out, rescale, route
from dagtop_app.graphview.coordinates import fit_in_order
from dagtop_app.graphview.layout import Layout
from dagtop_app.graphview.ordering import count_crossings
from dagtop_app.graphview.sizes import Scale, Sizes, suggest_scale
from graphview_shapes import canvas_of, chain, diamonds, etl, fan, full_text, laid_out, layered, model_of, tree, uniform

MODELS = [
    pytest.param(model_of(0, []), id="empty"),
    pytest.param(model_of(1, []), id="single"),
    pytest.param(model_of(7, [(0, 1), (1, 2)]), id="isolated"),
    pytest.param(model_of(6, [(0, 1), (1, 2), (3, 4), (4, 5), (3, 5)]), id="two-components"),
    pytest.param(etl(120), id="etl"),
    pytest.param(layered(120), id="layered"),
    pytest.param(uniform(60), id="uniform"),
    pytest.param(tree(6), id="tree"),
]
SCALES = [Scale.BOX, Scale.PILL]


def check_layout(layout: Layout) -> None:
    """Every node once, every edge to the right, nothing on top of another."""
    routing = route(layout)
    nodes = sorted(node for rank in range(len(layout.layers)) for node in layout.nodes_in(rank))
    assert nodes == list(range(layout.model.size))
    for parent, child in layout.model.edges:
        assert routing.right(layout.graph.ranks[parent]) <= routing.lefts[layout.graph.ranks[child]]
    half = layout.sizes.rows // 2
    for layer in layout.layers:
        free = 0
        for carrier in layer:
            reach = half if carrier < layout.graph.node_count else 0
            assert layout.rows[carrier] - reach >= free
            free = layout.rows[carrier] + reach + 1
        assert free <= layout.height
    for piece in (piece for channel in routing.channels for piece in channel.pieces):
        assert 0 <= piece.low <= piece.high < max(1, routing.height)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("model", MODELS)
def test_every_layout_keeps_nodes_apart_and_edges_to_the_right(model: GraphModel, scale: Scale) -> None:
    check_layout(laid_out(model, scale))


def test_an_empty_graph_has_an_empty_drawing() -> None:
    canvas = canvas_of(model_of(0, []))
    assert (canvas.width, canvas.height) == (0, 0)
    assert canvas.line(0, 0, 80).runs == ()
    assert canvas.node_at(0, 0) is None


def test_a_single_box_is_drawn_as_a_box() -> None:
    canvas = canvas_of(model_of(1, []), Scale.BOX)
    assert full_text(canvas) == ["╭──────────╮", "│o n0  1.2s│", "╰──────────╯"]


def test_a_diamond_keeps_as_many_lines_straight_as_it_can() -> None:
    assert full_text(canvas_of(diamonds(1))) == [
        " o n0 ─┬─ o n1 ─┬─ o n3 ",
        "       │        │       ",
        "       ╰─ o n2 ─╯       ",
    ]


def test_a_tree_is_drawn_without_crossings() -> None:
    assert laid_out(tree(7)).crossings == 0


def test_the_crossings_reported_are_those_of_the_layers() -> None:
    layout = laid_out(layered(150))
    position = [0] * layout.graph.size
    for layer in layout.layers:
        for place, carrier in enumerate(layer):
            position[carrier] = place
    assert layout.crossings == count_crossings(layout.layers, position, layout.graph.down)


@pytest.mark.parametrize(("model", "most"), [(layered(200), 260), (etl(200), 60), (uniform(100), 800)])
def test_the_order_stays_as_good_as_it_was_when_it_was_measured(model: GraphModel, most: int) -> None:
    assert laid_out(model).crossings <= most


def test_hubs_do_not_pull_the_drawing_together() -> None:
    """Without the hub rule the vertical lines of this graph are 2,284 rows long, with it 1,723."""
    layout = laid_out(etl(200))
    channels = route(layout).channels
    assert sum(piece.high - piece.low for channel in channels for piece in channel.pieces) < 2_000


def test_a_chain_of_5000_is_one_straight_line() -> None:
    layout = laid_out(chain(5_000))
    assert layout.height == 1
    assert len(layout.layers) == 5_000
    assert route(layout).widest_channel == 2


def test_a_fan_of_2000_is_one_bus_on_either_side() -> None:
    routing = route(laid_out(fan(2_000)))
    assert [len(channel.nets) for channel in routing.channels] == [1, 1]
    assert routing.unresolved == 0


def test_a_node_before_all_others_of_a_long_chain_shares_one_trunk_per_layer() -> None:
    count = 400
    model = model_of(count, [(n, n + 1) for n in range(count - 1)] + [(0, n) for n in range(2, count)])
    layout = laid_out(model)
    assert layout.graph.size <= 2 * count
    assert layout.graph.targets(layout.graph.down[0][-1]) == list(range(2, count))


def test_lines_with_equal_ways_to_go_share_their_trunks() -> None:
    edges = [(0, 1), (1, 2), (2, 3), (4, 3), (5, 3), (6, 3)]
    graph = laid_out(model_of(7, edges)).graph
    trunks = [carrier for carrier in range(graph.size) if carrier >= graph.node_count]
    assert len(trunks) == 2
    assert graph.sources(trunks[0]) == [4, 5, 6]


def test_the_way_of_an_edge_ends_at_the_child() -> None:
    model = uniform(40)
    graph = laid_out(model).graph
    for parent, child in model.edges:
        way = graph.way(parent, child)
        assert (way[0][0], way[-1][1]) == (parent, child)
        assert all(right in graph.down[left] for left, right in way)


@pytest.mark.parametrize("seed", ["1", "77"])
def test_the_drawing_does_not_depend_on_the_hash_seed(seed: str) -> None:
    code = (
        "import graphview_shapes as s; from dagtop_app.graphview.sizes import Scale\n"
        "for m in (s.etl(60), s.layered(60), s.uniform(40)):\n"
        "    print('\\n'.join(s.full_text(s.canvas_of(m, Scale.PILL))))"
    )
    here = "\n".join("\n".join(full_text(canvas_of(m))) for m in (etl(60), layered(60), uniform(40)))
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"}
    there = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, encoding="utf-8", check=True)
    assert there.stdout.rstrip("\n") == here


def test_a_cancelled_layout_gives_up_at_the_next_question() -> None:
    model = layered(60)
    sizes = Sizes.of(Scale.PILL, [3] * 60)
    questions = 0

    def count() -> bool:
        nonlocal questions
        questions += 1
        return False

    route(lay_out(model, sizes, cancelled=count), cancelled=count)
    assert questions > 20
    for limit in (1, 2, questions // 2, questions):
        left = limit

        def cancelled() -> bool:
            nonlocal left
            left -= 1
            return left == 0

        with pytest.raises(LayoutCancelled):
            route(lay_out(model, sizes, cancelled=cancelled), cancelled=cancelled)


def test_a_cycle_is_named_in_order() -> None:
    with pytest.raises(GraphCycleError, match="b -> c -> d -> b") as caught:
        GraphModel.from_edges("abcde", [("a", "b"), ("b", "c"), ("c", "d"), ("d", "b"), ("d", "e")])
    assert caught.value.names == ("b", "c", "d")


def test_an_edge_of_a_stranger_is_refused_by_name() -> None:
    with pytest.raises(UnknownNodeError, match="'z'"):
        GraphModel.from_edges("ab", [("a", "z")])


def test_repeated_edges_count_once() -> None:
    assert GraphModel.from_edges("ab", [("a", "b"), ("a", "b")]).edges == ((0, 1),)


def test_the_critical_path_is_the_longest_by_time_then_by_count() -> None:
    model = model_of(5, [(0, 1), (1, 4), (0, 2), (2, 3), (3, 4)])
    assert model.critical_path([1, 9, 1, 1, 1]) == (0, 1, 4)
    assert model.critical_path([1, 2, 1, 1, 1]) == (0, 2, 3, 4)
    assert model.critical_path() == (0, 2, 3, 4)
    assert model_of(0, []).critical_path() == ()


def test_reachability_leaves_the_node_itself_out() -> None:
    model = diamonds(2)
    assert model.ancestors(3) == {0, 1, 2}
    assert model.descendants(3) == {4, 5, 6}


def test_a_part_of_a_graph_keeps_names_and_inner_edges() -> None:
    model = chain(9)
    near = model.around(4, 2)
    assert near == {2, 3, 4, 5, 6}
    part = model.part(near)
    assert part.names == ("n2", "n3", "n4", "n5", "n6")
    assert part.edges == ((0, 1), (1, 2), (2, 3), (3, 4))
    assert model.around(0, 0) == {0}


def test_fitting_in_order_is_exact() -> None:
    assert fit_in_order([5, 1, 9], [1, 1, 1], [0, 1, 2]) == [2, 3, 9]
    assert fit_in_order([0, 0], [1, 100], [0, 1]) == [-1, 0]


def test_a_relayout_moves_few_of_the_old_nodes() -> None:
    model = layered(200)
    edges = [*model.edges, (0, 200), (50, 201), (201, 202)]
    grown = model_of(203, edges)
    old = laid_out(model)
    new = lay_out(grown, Sizes.of(Scale.PILL, [4] * 203), previous=old)
    check_layout(new)
    for rank, layer in enumerate(old.layers):
        before = [node for node in layer if node < 200]
        assert [node for node in new.nodes_in(rank) if node < 200] == before
    shift = sorted(new.rows[node] - old.rows[node] for node in range(200))[100]
    moved = [node for node in range(200) if new.rows[node] != old.rows[node] + shift]
    assert len(moved) < 50


def test_a_relayout_of_the_same_graph_changes_nothing() -> None:
    old = laid_out(etl(100))
    new = lay_out(old.model, old.sizes, previous=old)
    assert new.layers == old.layers
    assert new.rows == old.rows


def test_columns_only_widen_in_a_relayout() -> None:
    old = lay_out(chain(10), Sizes.of(Scale.PILL, [12] * 10))
    new = lay_out(chain(10), Sizes.of(Scale.PILL, [3] * 10), previous=old)
    assert new.label_widths == old.label_widths


def test_another_scale_keeps_the_order() -> None:
    pills = laid_out(layered(80))
    boxes = rescale(pills, Sizes.of(Scale.BOX, pills.sizes.labels))
    assert boxes.layers == pills.layers
    check_layout(boxes)


def test_larger_graphs_get_smaller_scales() -> None:
    assert [suggest_scale(count) for count in (10, 200, 5_000)] == [Scale.BOX, Scale.PILL, Scale.OVERVIEW]
    assert suggest_scale(200, widest_channel=99) is Scale.OVERVIEW
