"""What is to be started when: due times, what was missed, and runs that last longer than the time between them. Pure.

The clock is looked at again and again, and each look is judged by itself, so that a machine that slept and a clock that was set
make no difference in kind. Due times up to `since` are dealt with; one after that which has come is

- on time: the latest one, looked at within `TOLERANCE` of it, while no run was going on;
- overlapped: it came while a run was going on, and `overlap` says what becomes of it;
- missed: all others, and those overlapped ones that `overlap="skip"` hands on; `missed` says what becomes of them.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TypeAlias

from dagtop.core.schedule import Missed, Overlap, Timetable
from dagtop.core.values import dataclass

#: Seconds after its due time within which a run counts as on time.
TOLERANCE = 60.0

#: A clock that is set back by more than this was wrong: everything begins anew. By less, nothing comes due twice. As in cron.
SET_BACK = 3 * 3600.0

#: Of what was missed, so many due times at most have runs of their own.
MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """A run is to begin now."""

    due: float
    """When it was due."""
    made_up: bool = False
    """Whether it makes up for a due time that was missed, or waited for the previous run."""
    passed_over: int = 0
    """How many other due times it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """Due times are left out."""

    count: int
    """How many; `MOST` means so many at least."""
    latest: float


Told: TypeAlias = Fire | PassedOver


class Agenda:
    """Where a schedule stands.

    Parameters
    ----------
    now: when the waiting begins; nothing before that is due.
    """

    def __init__(self, timetable: Timetable, now: float) -> None:
        self.timetable = timetable
        self._anchor = self._since = self._looked = now
        self._busy_until = -inf
        self._known: tuple[float, float | None] = inf, None
        """A moment, and the first due time after it."""
        self._backlog: deque[float] = deque()
        """Due times that have passed and get a run each."""

    @property
    def overlap(self) -> Overlap:
        """What becomes of a due time at which a run goes on."""
        return self.timetable.schedule.overlap

    def look(self, now: float) -> Told | None:
        """What is to be done now that no run goes on; None if nothing is due yet. Ask again until it is None."""
        self._notice_the_clock(now)
        if self._backlog:
            return self._fire(self._backlog.popleft(), now)
        first = self._after(self._since)
        if first is None or first > now:
            return None
        late = self.timetable.latest(self._since, now, self._anchor, MOST)
        overlapped = [due for due in late if due <= self._busy_until]
        schedule = self.timetable.schedule
        if schedule.missed is Missed.ALL or (overlapped and schedule.overlap is Overlap.QUEUE):
            self._backlog.extend(late if schedule.missed is Missed.ALL else overlapped)
            return self._fire(self._backlog.popleft(), now)
        latest = late[-1]
        gives_way = bool(overlapped) and schedule.overlap is Overlap.CANCEL
        if self._is_on_time(latest, now) or schedule.missed is Missed.ONCE or gives_way:
            return self._fire(latest, now, passed_over=len(late) - 1)
        self._since = latest
        return PassedOver(count=len(late), latest=latest)

    def next_due(self, now: float) -> float | None:
        """The next due time that has not come yet; None if there is none. Changes nothing."""
        return self._after(max(self._since, now))

    def coming(self, now: float, count: int) -> list[float]:
        """The next due times."""
        found: list[float] = []
        for due in self.timetable.iterate(max(self._since, now), self._anchor):
            found.append(due)
            if len(found) == count:
                break
        return found

    def must_give_way(self, now: float) -> bool:
        """Whether the run that goes on is to be cancelled, because the next one is due."""
        if self.overlap is not Overlap.CANCEL:
            return False
        self._notice_the_clock(now)
        due = self._after(self._since)
        return due is not None and due <= now

    def ended(self, moment: float) -> None:
        """The run that went on has ended, now or a while ago."""
        if moment > self._looked:
            self._notice_the_clock(moment)
        self._busy_until = moment

    def _after(self, moment: float) -> float | None:
        """The first due time after a moment; the calendar is asked only when the one that is known has come."""
        start, due = self._known
        if moment < start or (due is not None and moment >= due):
            due = self.timetable.after(moment, self._anchor)
            self._known = moment, due
        return due

    def _is_on_time(self, due: float, now: float) -> bool:
        return due > self._busy_until and now - due <= TOLERANCE

    def _fire(self, due: float, now: float, *, passed_over: int = 0) -> Fire:
        self._since = due
        return Fire(due=due, made_up=not self._is_on_time(due, now), passed_over=passed_over)

    def _notice_the_clock(self, now: float) -> None:
        back = self._looked - now
        self._looked = now
        if back > 0:
            self._backlog.clear()
            self._known = inf, None
            if self.timetable.schedule.every is not None:  # what is left of the interval stays as long as it was
                self._anchor -= back
                self._since -= back
                self._busy_until -= back
            else:
                self._busy_until = min(self._busy_until, now)
        if self.timetable.schedule.every is None and self._since - now > SET_BACK:
            self._since = now
