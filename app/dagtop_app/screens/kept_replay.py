"""A kept run, played over the console of another one, which goes on below."""

from __future__ import annotations

import time
from collections.abc import Callable

from dagtop.runtime.replay import Replay

from dagtop_app.bridge import Bridge
from dagtop_app.screens.asked import AnsweredOnce
from dagtop_app.screens.replayed import Replayed


class KeptReplay(AnsweredOnce, Replayed):
    """The screen of a replay that one comes back from.

    Parameters
    ----------
    leave: called once a person wants to leave it: True for all the way back, False for one step.
    """

    def __init__(
        self,
        bridge: Bridge,
        title: str,
        replay: Replay,
        leave: Callable[[bool], None],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(bridge, title, replay, now=now)
        self._leave_it = leave

    def action_quit(self) -> None:
        """Back to the run that goes on."""
        self._leave_it(True)

    def step_out(self) -> None:
        """Back to the list."""
        self._leave_it(False)

    def action_runs(self, text: str = "") -> None:
        """Back to the list as well."""
        self._leave_it(False)
