"""The key that shows the runs that were kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dagtop_app.screens.exporting import Exporting

if TYPE_CHECKING:
    from dagtop_app.runs.kept import History
    from dagtop_app.screens.main import MainScreen


class Remembering(Exporting):
    """What was before this run."""

    journal: History | Callable[[], History] | None = None
    """Where runs are kept, or what opens that; None if nobody has said so."""

    def action_runs(self, text: str = "") -> None:
        """The list of runs, above this one, which goes on. `text`: the filter to begin with."""
        from dagtop_app.screens.run_list import RunList  # noqa: PLC0415 - when it is first wanted

        if self.journal is None:
            self.bridge.refuse("no history is known here: runs are kept where dagtop was told to, or not at all")
            self.draw_word()
        elif self.app.screen is self:
            journal = self.journal() if callable(self.journal) else self.journal
            self.app.push_screen(RunList(journal, self.desk, text=text, now=self.now), lambda _: self.draw())

    @property
    def desk(self) -> MainScreen:
        """This screen."""
        from dagtop_app.screens.main import MainScreen  # noqa: PLC0415 - it is made of this

        assert isinstance(self, MainScreen)
        return self
