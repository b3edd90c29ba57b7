"""Due times in words: "at 02:00 (in 3 h 12 m)". Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from dagtop_app.text import clean, plural

#: Within so many days the day of the week says which one it is.
_NEAR = 6


def at_text(due: float, now: float, zone: tzinfo, here: tzinfo) -> str:
    """When it is: "02:00", "Mon 02:00" or "2026-12-24 18:00", as the schedule's own place has it, which is named if the clocks
    differ there from those here."""
    there, today = (datetime.fromtimestamp(moment, UTC).astimezone(zone) for moment in (due, now))
    days = (there.date() - today.date()).days
    time = f"{there:%H:%M:%S}" if there.second else f"{there:%H:%M}"
    day = "" if days == 0 else f"{there:%a} " if 0 < days <= _NEAR else f"{there:%Y-%m-%d} "
    same = there.utcoffset() == there.astimezone(here).utcoffset()
    return f"{day}{time}" if same else f"{day}{time} {clean(str(zone), 60)}"


def left_text(seconds: float) -> str:
    """How long it is until then, in two units at most: "3 h 12 m"."""
    whole = max(1, round(seconds))
    parts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    first = next(place for place, (amount, _) in enumerate(parts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)


def missed_text(count: int, most: int) -> str:
    """Due times that are left out."""
    told = plural(count, "due time")
    return f"{'at least ' if count >= most else ''}{told} {'was' if count == 1 else 'were'} missed, and left out"


def stands_for(count: int) -> str:
    """For how many due times beside its own a run stands."""
    return f", and for {plural(count, 'more due time')}" if count else ""
