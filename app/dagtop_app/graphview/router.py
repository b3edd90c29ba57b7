"""Where the columns stand and how every channel between them is routed.

The width of a channel is known only when it is routed and everything right of it depends on it, so all channels are
routed once, one at a time, in the thread that makes the layout; what is made lazily are the cells (see `ink` and
`canvas`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from dagtop.core.values import dataclass

from .channels import Channel, Net, route_channel
from .errors import stop_if
from .layout import Layout, never


@dataclass(frozen=True, slots=True, eq=False)
class Routing:
    """A layout with the columns of layers and channels; `route` makes it."""

    layout: Layout
    channels: tuple[Channel, ...]
    """Channel r is right of layer r; there is none right of the last layer."""
    lefts: tuple[int, ...]
    """First column of each layer."""
    width: int
    height: int
    """Rows of the whole drawing; a few more than those of the layout if doglegs found no free row."""

    @property
    def unresolved(self) -> int:
        """Lines that could be misread; it should be 0."""
        return sum(channel.unresolved for channel in self.channels)

    @property
    def widest_channel(self) -> int:
        """Columns of the widest channel."""
        return max((channel.width for channel in self.channels), default=0)

    def right(self, rank: int) -> int:
        """First column after a layer, where its channel begins."""
        return self.lefts[rank] + self.layout.column_width(rank)

    def layer_at(self, x: int) -> int:
        """The layer whose column or channel covers column `x`."""
        return max(0, bisect_right(self.lefts, x) - 1)


def route(layout: Layout, cancelled: Callable[[], bool] = never) -> Routing:
    """Route all channels of a layout.

    Raises:
        LayoutCancelled: `cancelled()` said yes between two channels.
    """
    channels: list[Channel] = []
    lefts: list[int] = []
    x = 0
    for rank in range(len(layout.layers)):
        stop_if(cancelled)
        lefts.append(x)
        x += layout.column_width(rank)
        if rank + 1 < len(layout.layers):
            channels.append(route_channel(_nets(layout, rank), layout.height))
            x += channels[-1].width
    lowest = max((piece.high for channel in channels for piece in channel.pieces), default=-1)
    return Routing(layout, tuple(channels), tuple(lefts), x, max(layout.height, lowest + 1))


def _nets(layout: Layout, rank: int) -> list[Net]:
    """The buses between a layer and the next: carriers with the same targets are one."""
    down, rows = layout.graph.down, layout.rows
    buses: dict[tuple[int, ...], list[int]] = {}
    for carrier in layout.layers[rank]:
        if down[carrier]:
            buses.setdefault(tuple(sorted(down[carrier], key=rows.__getitem__)), []).append(carrier)
    return [
        Net(tuple(carriers), targets, tuple(rows[c] for c in carriers), tuple(rows[t] for t in targets))
        for targets, carriers in buses.items()
    ]
