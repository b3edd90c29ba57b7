"""Characters read back must give exactly the edges of the graph."""

from __future__ import annotations

import random

import pytest
from dagtop_app.graphview.model import GraphModel
from dagtop_app.graphview.sizes import Scale
from graphview_reading import read_edges
from graphview_shapes import canvas_of, chain, diamonds, etl, fan, layered, model_of, tree, uniform
from hypothesis import given, settings
from hypothesis import strategies as st

SCALES = [Scale.BOX, Scale.PILL]


@st.composite
def graphs(draw: st.DrawFn) -> GraphModel:
    """Any acyclic graph of up to 24 nodes; the numbers are shuffled."""
    count = draw(st.integers(1, 24))
    numbers = draw(st.permutations(range(count)))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] != pair[1])
    edges = draw(st.lists(pairs, max_size=50)) if count > 1 else []
    return model_of(count, [(numbers[min(pair)], numbers[max(pair)]) for pair in edges])


@pytest.mark.parametrize("scale", SCALES)
@given(model=graphs())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_small_graph_reads_back_exactly(scale: Scale, model: GraphModel) -> None:
    canvas = canvas_of(model, scale)
    assert canvas.routing.unresolved == 0
    assert read_edges(canvas) == set(model.edges)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "model",
    [
        pytest.param(chain(30), id="chain"),
        pytest.param(diamonds(8), id="diamonds"),
        pytest.param(tree(6), id="tree"),
        pytest.param(fan(40), id="fan"),
        pytest.param(etl(30), id="etl-30"),
        pytest.param(etl(200), id="etl-200"),
        pytest.param(layered(30), id="layered-30"),
        pytest.param(layered(50), id="layered-50"),
        pytest.param(layered(200), id="layered-200"),
        pytest.param(uniform(50), id="uniform-50"),
        pytest.param(uniform(150), id="uniform-150"),
    ],
)
def test_structured_graphs_read_back_exactly(scale: Scale, model: GraphModel) -> None:
    canvas = canvas_of(model, scale)
    assert canvas.routing.unresolved == 0
    assert read_edges(canvas) == set(model.edges)


@pytest.mark.parametrize("seed", range(6))
def test_layered_graphs_of_other_seeds_read_back_exactly(seed: int) -> None:
    model = layered(80, seed)
    canvas = canvas_of(model)
    assert read_edges(canvas) == set(model.edges)


@pytest.mark.parametrize("seed", [1681, 2109, 2924])
def test_graphs_without_a_free_row_for_a_dogleg_read_back_exactly(seed: int) -> None:
    """These once lost edges: two lines had to change places, and all rows of the channel were taken."""
    rng = random.Random(seed)
    size = rng.randrange(2, 45)
    count = rng.randrange(0, 3 * size)
    numbers = list(range(size))
    rng.shuffle(numbers)
    pairs = [(rng.randrange(size), rng.randrange(size)) for _ in range(count)]
    model = model_of(size, [(numbers[min(pair)], numbers[max(pair)]) for pair in pairs if pair[0] != pair[1]])
    canvas = canvas_of(model)
    assert canvas.height > canvas.layout.height
    assert read_edges(canvas) == set(model.edges)
