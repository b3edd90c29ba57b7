"""What is to come of the run, worked out now and then: at once for few tasks, on a thread of its own for many."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from dagtop.core.forecast import Usual
from dagtop.core.plan import Plan
from dagtop.core.snapshot import RunSnapshot, TaskRow
from dagtop.core.states import RUN_OVER

from dagtop_app.timeline.ahead import NOTHING, Ahead, look_ahead, rough_end

#: Up to so many tasks it is worked out at once what is to come; of more, beside.
AT_ONCE = 800
#: Of more tasks it is only estimated when all of it ends.
TOO_MANY = 50_000
#: It takes at most this share of the time.
SHARE = 0.03
#: Seconds at least between two looks ahead.
LOOKS = 0.5


class Foresight:
    """The latest look ahead.

    Parameters
    ----------
    now: the console's clock.
    beside: has something done on a thread of its own.
    """

    def __init__(self, now: Callable[[], float], beside: Callable[[Callable[[], None]], object]) -> None:
        self.ahead: Ahead = NOTHING
        self._now, self._beside = now, beside
        self._found: tuple[Plan, Ahead] | None = None
        """What was worked out beside, and not taken yet."""
        self._looking = False
        self._due = 0.0
        self._looked_at: Sequence[TaskRow] = ()

    def forget(self) -> None:
        """Another run: nothing is known of what is to come."""
        self.ahead, self._found, self._looked_at, self._due = NOTHING, None, (), 0.0

    def look(self, snapshot: RunSnapshot, usual: Mapping[int, Usual]) -> Ahead:
        """What is to come, as it was worked out last; worked out anew if that is due."""
        if self._found is not None:
            plan, found = self._found
            self._found = None
            if plan is snapshot.plan:
                self.ahead = found
        if len(self.ahead.seconds) > len(snapshot.rows):
            self.ahead = NOTHING
        now, count = self._now(), len(snapshot.rows)
        if self._looking or snapshot.rows is self._looked_at:
            return self.ahead
        has_looked = len(self.ahead.seconds) == count or count > TOO_MANY
        if now < self._due and has_looked and snapshot.state not in RUN_OVER:
            return self.ahead
        self._looked_at = snapshot.rows
        work = partial(_work, snapshot, dict(usual))
        if count <= AT_ONCE:
            begun = time.perf_counter()
            self.ahead = work()
            self._due = now + max(LOOKS, (time.perf_counter() - begun) / SHARE)
        else:
            self._looking = True
            self._beside(partial(self._look_beside, snapshot.plan, work))
        return self.ahead

    def _look_beside(self, plan: Plan, work: Callable[[], Ahead]) -> None:
        begun = time.perf_counter()
        try:
            self._found = (plan, work())
        finally:
            self._due = self._now() + max(LOOKS, (time.perf_counter() - begun) / SHARE)
            self._looking = False


def _work(snapshot: RunSnapshot, usual: Mapping[int, Usual]) -> Ahead:
    return look_ahead(snapshot, usual) if len(snapshot.rows) <= TOO_MANY else Ahead(end=rough_end(snapshot, usual))
