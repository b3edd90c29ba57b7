"""Several nodes drawn as one."""

from __future__ import annotations

import itertools
import random

import pytest
from dagtop_app.graph.folding import fold_tasks
from dagtop_app.graphview.folding import Fold, Folded, bundles, chains, fold
from dagtop_app.graphview.model import GraphModel
from graphview_shapes import chain, model_of
from hypothesis import given
from hypothesis import strategies as st


def grouped(*members: int, key: str = "g") -> Fold:
    return Fold(key=key, label=key, members=members)


def mapped(count: int) -> tuple[GraphModel, list[str]]:
    names = ["start", *(f"load[{n}]" for n in range(count)), "end"]
    edges = [e for n in range(1, count + 1) for e in ((0, n), (n, count + 1))]
    return GraphModel.from_indices(names, edges), names


def labels(folded: Folded) -> list[str]:
    return [fold.label for fold in folded.folds.values()]


def check(model: GraphModel, folded: Folded) -> None:
    """Every node is in one place, and the smaller graph has the edges of the larger one."""
    assert sorted(node for members in folded.members for node in members) == list(range(model.size))
    assert all(node in folded.members[folded.node_of[node]] for node in range(model.size))
    wanted = {(folded.node_of[a], folded.node_of[b]) for a, b in model.edges}
    assert set(folded.model.edges) == {(a, b) for a, b in wanted if a != b}


def test_a_group_is_one_node_with_the_edges_of_its_members() -> None:
    model, names = mapped(5)
    folded = fold(model, [grouped(1, 2, 3, 4, 5)])
    check(model, folded)
    assert folded.model.size == 3
    assert folded.members == ((0,), (1, 2, 3, 4, 5), (6,))
    assert folded.model.names[0] == names[0]


def test_a_group_on_a_cycle_is_cut_into_parts_of_one_rank() -> None:
    model = model_of(6, [(0, 2), (1, 3), (2, 4), (3, 5)])
    folded = fold(model, [grouped(0, 1, 4, 5), grouped(2, 3, key="h")])
    check(model, folded)
    assert sorted(folded.members) == [(0, 1), (2, 3), (4, 5)]


def test_a_group_with_one_member_of_each_rank_on_a_cycle_is_no_group() -> None:
    model = chain(4)
    folded = fold(model, [grouped(0, 2)])
    check(model, folded)
    assert not folded.folds


@given(st.integers(0, 10_000), st.integers(1, 25))
def test_folding_any_groups_of_any_graph_gives_a_graph_without_cycles(seed: int, count: int) -> None:
    rng = random.Random(seed)
    model = model_of(
        count, sorted({(rng.randrange(n), n) for n in range(1, count) for _ in range(rng.choice((0, 1, 2)))})
    )
    order = rng.sample(range(count), count)
    cuts = sorted(rng.sample(range(count + 1), min(count, 4)))
    groups = [grouped(*sorted(order[a:b]), key=f"g{a}") for a, b in itertools.pairwise(cuts) if b - a > 1]
    check(model, fold(model, groups))


def test_chains_are_rows_with_nothing_beside_them() -> None:
    model = model_of(7, [(0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 3), (3, 6)])
    assert chains(model, set(range(7)), least=2) == [(1, 2), (4, 5), (3, 6)]
    assert chains(model, set(range(7))) == []
    assert chains(chain(4), {0, 1, 2}) == [(0, 1, 2)]


def test_bundles_are_neighbours_of_one_layer() -> None:
    assert bundles([[3, 1, 2], [5]], 2) == [(3, 1), (2,), (5,)]


class TestTasks:
    def test_mapped_tasks_are_one_group(self) -> None:
        model, names = mapped(400)
        folded = fold_tasks(model, names)
        check(model, folded)
        assert labels(folded) == ["load[0..399]"]

    def test_a_large_group_opens_in_parts_and_a_small_one_at_once(self) -> None:
        model, names = mapped(400)
        first = fold_tasks(model, names, opened={"load[*]"})
        assert labels(first) == ["load[0..99]", "load[100..199]", "load[200..299]", "load[300..399]"]
        key = next(iter(first.folds.values())).key
        second = fold_tasks(model, names, opened={"load[*]", key})
        assert labels(second)[:2] == ["load[0..9]", "load[10..19]"]
        check(model, second)
        last = next(iter(second.folds.values())).key
        third = fold_tasks(model, names, opened={"load[*]", key, last})
        assert third.model.size == second.model.size + 9

    def test_what_is_to_be_kept_stays_itself(self) -> None:
        model, names = mapped(10)
        folded = fold_tasks(model, names, keep={3})
        assert (3,) in folded.members
        assert labels(folded) == ["load[0..9]"]

    def test_levels_are_groups_where_all_levels_are_shown(self) -> None:
        names = ["a/x", "a/y", "a", "b/in/x", "b/in/y", "b/z", "b"]
        model = GraphModel.from_indices(names, [(0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)])
        assert labels(fold_tasks(model, names, paths=True)) == ["a/", "b/"]
        assert labels(fold_tasks(model, names, paths=True, opened={"b/"})) == ["a/", "b/in/"]
        assert labels(fold_tasks(model, names)) == ["a→b"]

    def test_tasks_in_a_row_are_one(self) -> None:
        names = ["read", "clean", "sort", "write", "other"]
        model = GraphModel.from_indices(names, [(0, 1), (1, 2), (2, 3), (0, 4)])
        folded = fold_tasks(model, names)
        assert labels(folded) == ["clean→write"]
        key = next(iter(folded.folds.values())).key
        assert not fold_tasks(model, names, opened={key}).folds

    @pytest.mark.parametrize("count", [0, 1])
    def test_a_graph_without_groups_stays_as_it_is(self, count: int) -> None:
        model = chain(count)
        assert not fold_tasks(model, model.names).folds
