"""Runs in a channel keep out of each other's way."""

from __future__ import annotations

from dagtop_app.graphview.channels import STUB, Channel, Net, route_channel
from dagtop_app.graphview.glyphs import ARROW, CROSSING, SIDES, UNICODE
from dagtop_app.graphview.ink import BAND, ChannelInk
from dagtop_app.graphview.tracks import SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

HEIGHT = 40


def net(sources: list[int], targets: list[int]) -> Net:
    return Net(tuple(sources), tuple(100 + row for row in targets), tuple(sources), tuple(targets))


@st.composite
def channels(draw: st.DrawFn) -> list[Net]:
    """Each row is a source of at most one net, and no two nets have the same targets."""
    targets = st.lists(st.integers(0, HEIGHT - 1), min_size=1, max_size=4, unique=True)
    rows = draw(st.lists(st.integers(0, HEIGHT - 1), min_size=1, max_size=14, unique=True))
    by_targets: dict[tuple[int, ...], list[int]] = {}
    for row in sorted(rows):
        by_targets.setdefault(tuple(sorted(draw(targets))), []).append(row)
    return [net(sources, list(key)) for key, sources in by_targets.items()]


@given(channels())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_resolved_channel_has_no_touching_lines_of_two_nets(nets: list[Net]) -> None:
    channel = route_channel(nets, HEIGHT)
    assert channel.unresolved == 0
    for piece in channel.pieces:
        for other in channel.pieces:
            if piece.leaves is not None and piece.leaves == other.enters:
                assert piece.column < other.column
    owners: dict[tuple[int, int], set[int]] = {}
    ink = ChannelInk(channel)
    for band in range(2 * HEIGHT // BAND + 1):
        for piece in ink.pieces(band):
            for stroke in ink.strokes(piece, piece.sources, piece.targets, band):
                for step in range(stroke.length):
                    x, y = (stroke.x, stroke.y + step) if stroke.down else (stroke.x + step, stroke.y)
                    owners.setdefault((x, y), set()).add(piece.net)
        tile = ink.tile(band)
        for row in range(BAND) if tile else ():
            assert tile is not None
            for x, bits in enumerate(tile.bits[row]):
                nets_here = owners.get((x, row + band * BAND), set())
                assert len(nets_here) <= 2
                assert bool(bits & CROSSING) == (len(nets_here) == 2)
                if bits & ARROW:
                    assert bits & SIDES == 3
                    assert len(nets_here) == 1


def test_a_straight_line_needs_no_column() -> None:
    channel = route_channel([net([3], [3]), net([5], [5])], HEIGHT)
    assert channel.width == 2 * STUB


def test_two_lines_that_change_places_take_a_dogleg() -> None:
    channel = route_channel([net([0], [1]), net([1], [0])], 3)
    assert (channel.doglegs, channel.unresolved) == (1, 0)


def test_a_dogleg_without_a_free_row_goes_below_the_drawing() -> None:
    channel = route_channel([net([0], [1]), net([1], [0])], 2)
    assert (channel.doglegs, channel.unresolved) == (1, 0)
    assert max(piece.high for piece in channel.pieces) == 2


def test_a_dogleg_is_drawn_as_one_line_with_four_bends() -> None:
    channel = route_channel([net([0], [1]), net([1], [0])], 2)
    tile = ChannelInk(channel).tile(0)
    assert tile is not None
    assert ["".join(map(UNICODE.line, row)) for row in tile.bits[:3]] == [
        "─╮╭──",
        "─┼╯╭─",
        " ╰─╯ ",
    ]


def test_all_but_the_last_line_into_a_row_end_in_an_arrow() -> None:
    channel = route_channel([net([0], [4]), net([8], [4, 9]), net([4], [4, 5])], HEIGHT)
    assert len([row for _, row in channel.arrows if row == 4]) == 2
    assert all(row == 4 for _, row in channel.arrows)


def test_a_crowded_channel_is_still_resolved() -> None:
    count = SMALL + 60
    channel = route_channel([net([row], [(row * 7 + 3) % count]) for row in range(count)], 2 * count)
    assert channel.unresolved == 0
    assert columns_are_kept(channel)


def columns_are_kept(channel: Channel) -> bool:
    """No two runs share a cell."""
    taken: set[tuple[int, int]] = set()
    for piece in channel.pieces:
        cells = {(piece.column, row) for row in range(piece.low, piece.high + 1)} if piece.column >= 0 else set()
        if cells & taken:
            return False
        taken |= cells
    return True
