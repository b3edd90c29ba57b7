"""When a graph is due: at moments, every so many seconds, or as cron says. Pure: what the time is, is an argument.

Moments are seconds since 1970 UTC, as the wall clock has them. The calendar is needed for cron and for `at=` only: that is
cronsim's work, with the summer time rules of Debian's cron. A cron time that is skipped when clocks go forward comes due at the
first moment after the gap, one that comes twice when they go back comes due the first time only; lines that run more often than
hourly (their minute or hour begins with `*`) go by the time that really passes. `every=` knows no calendar.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import cached_property
from math import floor, inf, isfinite

from cronsim import CronSim, CronSimError

from dagtop.core.checks import one_of
from dagtop.core.values import dataclass

#: The shortest interval, in seconds: more often is a loop in a task.
SHORTEST = 0.01

#: The longest one, in seconds: 1,000 years. Far later there are no dates.
LONGEST = 1000 * 365.25 * 86400

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])\s*")

#: What some crons call the usual lines.
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

#: What a line of cron says, for people.
_FIELDS = (
    'minute, hour, day of the month, month and day of the week, such as "0 2 * * *", or these with seconds before them, such '
    'as "30 0 2 * * *"'
)

#: From here it is looked whether a cron line ever comes due: every kind of year is near.
_SOME_DAY = datetime(2001, 1, 1)  # noqa: DTZ001 - no place is meant

#: The first stretch in which the latest due times are looked for, in seconds, and by what it grows.
_STRETCH, _GROWTH = 60.0, 8.0


class Missed(StrEnum):
    """What becomes of due times at which nothing could be started: the machine slept, or the previous run still went on."""

    SKIP = "skip"
    """They are left out."""
    ONCE = "once"
    """One run makes up for all of them."""
    ALL = "all"
    """Each of them has its run, one after the other."""


class Overlap(StrEnum):
    """What becomes of a due time at which the previous run still goes on."""

    SKIP = "skip"
    """It counts as missed."""
    QUEUE = "queue"
    """Its run begins when the previous one has ended."""
    CANCEL = "cancel"
    """The previous run is cancelled for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a graph is run: exactly one of `every`, `cron` and `at` is given."""

    every: float | None = None
    """Seconds from one due time to the next, the first one so long after the waiting began."""
    cron: str = ""
    """Five fields, or six with seconds before them."""
    at: tuple[datetime, ...] = ()
    """Moments; one without an offset is meant in the schedule's time zone."""
    timezone: str = ""
    """Name of the time zone; "" is the machine's."""
    missed: Missed = Missed.SKIP
    overlap: Overlap = Overlap.SKIP


def schedule_of(
    *,
    every: object = None,
    cron: object = None,
    at: object = None,
    timezone: str | None = None,
    missed: object = None,
    overlap: object = None,
) -> Schedule | None:
    """The schedule that options say; None if they say none.

    Raises
    ------
    ValueError: an option does not take its value, or two of them say when.
    """
    policies = {
        "missed": Missed.SKIP if missed is None else one_of(Missed, missed, "missed"),
        "overlap": Overlap.SKIP if overlap is None else one_of(Overlap, overlap, "overlap"),
    }
    given = [name for name, value in (("every", every), ("cron", cron), ("at", at)) if value is not None]
    if not given:
        return None
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} both say when it is due: give one of them")
    return Schedule(
        every=None if every is None else seconds_between(every),
        cron="" if cron is None else _cron(cron),
        at=() if at is None else _moments(at),
        timezone=timezone or "",
        **policies,  # type: ignore[arg-type]  # each under its own name
    )


def seconds_between(value: object) -> float:
    """An interval in seconds, as a number, a `timedelta`, or a text such as "15m" or "1h30m".

    Raises
    ------
    ValueError: it is none, or is too short or too long.
    """
    if isinstance(value, str):
        found = [(float(amount), unit) for amount, unit in _AMOUNT.findall(value.strip())]
        if not found or _AMOUNT.sub("", value.strip()):
            raise ValueError(f'every must be seconds or a text such as "15m", "1h30m" or "2d", not {value!r}')
        seconds = sum(amount * _UNITS[unit] for amount, unit in found)
    elif isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int) and not isinstance(value, bool):
        seconds = inf if value > LONGEST else float(max(value, -1))
    elif isinstance(value, float) and isfinite(value):
        seconds = value
    else:
        raise ValueError(f'every must be seconds or a text such as "15m", not {value!r}')
    if seconds < SHORTEST:
        raise ValueError(f"every must be at least {SHORTEST:g} seconds, not {value!r}")
    if seconds > LONGEST:
        raise ValueError("every must be at most 1000 years")
    return seconds


def _cron(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f'cron must be a text such as "0 2 * * *", not {value!r}')
    line = NICKNAMES.get(value.strip().lower(), value.strip())
    try:
        comes = next(CronSim(line, _SOME_DAY), None)
    except CronSimError as error:
        reason = str(error)
        raise ValueError(
            f"cron {value!r} cannot be read: {reason[:1].lower()}{reason[1:]}; it takes {_FIELDS}"
        ) from None
    if comes is None:
        raise ValueError(f"cron {value!r} never comes due: there is no such day")
    return line


def _moments(value: object) -> tuple[datetime, ...]:
    listed = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
    if not listed:
        raise ValueError("at must name at least one moment, not an empty list")
    moments = tuple(_moment(moment) for moment in listed)
    for moment in moments:
        if moment.year not in _YEARS:
            raise ValueError(f"at must be in a year from 2 to 9998, not {moment.isoformat(' ')}")
    return moments


#: Years of which every moment has a date in every time zone.
_YEARS = range(2, 9999)


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip())
        except ValueError:
            pass
    elif isinstance(value, datetime):
        return value
    raise ValueError(f'at must be a datetime or a text such as "2026-12-24 18:00", or a list of them, not {value!r}')


@dataclass(frozen=True)
class Timetable:
    """The due times of a schedule, in order."""

    schedule: Schedule
    zone: tzinfo
    """The time zone that the schedule means."""

    @cached_property
    def _moments(self) -> list[float]:
        """Those of `at`. One that is skipped by the clock is as long after the gap's beginning as it says."""
        return sorted(
            {
                (moment if moment.tzinfo is not None else moment.replace(tzinfo=self.zone)).timestamp()
                for moment in self.schedule.at
            }
        )

    def after(self, moment: float, anchor: float) -> float | None:
        """The first due time after a moment; None if there is none. `anchor`: what intervals are counted from.

        every:  anchor + n * every, for the smallest whole n >= 1 that is after the moment
        """
        every = self.schedule.every
        if every is not None:
            times = max(1, floor((moment - anchor) / every))
            while anchor + times * every <= moment:
                times += 1
            return anchor + times * every
        if self.schedule.cron:
            return next(self._cron_after(moment), None)
        place = bisect_right(self._moments, moment)
        return self._moments[place] if place < len(self._moments) else None

    def iterate(self, moment: float, anchor: float) -> Iterator[float]:
        """All due times after a moment, one after the other."""
        if self.schedule.cron:
            yield from self._cron_after(moment)
            return
        due = self.after(moment, anchor)
        while due is not None:
            yield due
            due = self.after(due, anchor)

    def latest(self, after: float, until: float, anchor: float, most: int) -> list[float]:
        """The latest due times in `(after, until]`, at most so many, in order.

        They are looked for in longer and longer stretches before `until`: a long sleep costs no more than a short one.
        """
        stretch = _STRETCH
        while True:
            start = max(after, until - stretch)
            found: deque[float] = deque(maxlen=most)
            for due in self.iterate(start, anchor):
                if due > until:
                    break
                found.append(due)
            if len(found) == most or start == after:
                return list(found)
            stretch *= _GROWTH

    def _cron_after(self, moment: float) -> Iterator[float]:
        """By cron's calendar. What cronsim finds at or before the latest moment is a time that comes twice, and is left out."""
        try:
            local = datetime.fromtimestamp(moment, UTC).astimezone(self.zone)
            found = CronSim(self.schedule.cron, local)
            for day in found:
                due = day.timestamp()
                if due > moment:
                    moment = due
                    yield due
        except OverflowError:  # the end of the calendar
            return
