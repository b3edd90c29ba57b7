"""A bar of what became of many tasks: ok, failed, other endings, running, the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagtop.core.states import ACTIVE, BAD, GOOD, TaskState

from dagtop_app import faces
from dagtop_app.lines import Span


def stacked_bar(
    counts: Mapping[TaskState, int], total: int, cells: int, *, up: int = 0, resting: int = 0
) -> list[Span]:
    """The bar. `up` of the active ones are services that are as they should be, and `resting` of the others are between two
    rounds: they count as ok.
    """
    good = sum(counts.get(state, 0) for state in GOOD) + up + resting
    bad = sum(counts.get(state, 0) for state in BAD)
    other = counts.get(TaskState.SKIPPED, 0) + counts.get(TaskState.CANCELLED, 0)
    active = max(0, sum(counts.get(state, 0) for state in ACTIVE) - up)
    parts = [(good, "ok", "█"), (bad, "fail", "█"), (other, "skip", "█"), (active, "run", "▒")]
    left = max(1, total) - good - bad - other - active
    sizes = shares([*(count for count, _, _ in parts), left], cells)
    bars = [
        (("#" if faces.ASCII else char) * size, style) for (_, style, char), size in zip(parts, sizes, strict=False)
    ]
    return [*(span for span in bars if span[0]), ("·" * sizes[-1], "bar-rest")]


def shares(counts: Sequence[int], cells: int) -> list[int]:
    """`cells` divided as the counts are; one among thousands still gets a cell, at the cost of the largest."""
    total = max(1, sum(counts))
    edges = [round(cells * sum(counts[: place + 1]) / total) for place in range(len(counts))]
    sizes = [edge - before for edge, before in zip(edges, [0, *edges], strict=False)]
    for place, count in enumerate(counts):
        if count and not sizes[place] and max(sizes) > 1:
            sizes[sizes.index(max(sizes))] -= 1
            sizes[place] = 1
    sizes[-1] += cells - sum(sizes)
    return sizes
