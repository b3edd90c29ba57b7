"""Keeps the graph view's place until it is there."""

from __future__ import annotations

from dagtop.core.snapshot import RunSnapshot

from dagtop_app.text import plural
from dagtop_app.widgets.painted import PaintedScroll


class GraphPlace(PaintedScroll):
    """A `View` that says what is missing."""

    def show(self, snapshot: RunSnapshot, selected: int | None) -> None:
        """Say how big the graph is."""
        edges = sum(map(len, snapshot.plan.upstream))
        self.set_lines(
            [
                (),
                ((f"  {plural(len(snapshot.rows), 'task')}, {edges:,} dependencies.", "strong"),),
                (("  The drawing of the graph is not built into this version yet.", "dim"),),
                (("  1 goes back to the table; dagtop show FILE draws the graph on the command line.", "dim"),),
            ]
        )
