"""What is to come of the run, for the header and for the views that draw it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from dagtop_app.screens.remembering import Remembering
from dagtop_app.timeline import foresight

if TYPE_CHECKING:
    from dagtop_app.timeline.ahead import Ahead
    from dagtop_app.timeline.foresight import Foresight


class Foreseeing(Remembering):
    """Looks ahead, once for all that ask."""

    @cached_property
    def foresight(self) -> Foresight:
        """What was seen last."""
        return foresight.Foresight(self._clock, self._beside)

    def _clock(self) -> float:
        return self.now()

    def _beside(self, work: Callable[[], None]) -> None:
        # Without a description Textual makes one of all that the work is given: seconds for a hundred thousand rows.
        self.run_worker(work, thread=True, group="ahead", description="looks ahead", exit_on_error=False)

    def foresee(self) -> Ahead:
        """What is to come of the run, as it was worked out last."""
        return self.foresight.look(self.bridge.snapshot, self.bridge.usual)
