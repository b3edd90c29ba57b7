"""Time zones by name, and the one of this machine."""

from __future__ import annotations

import os
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from dagtop.core.nearest import nearest

_HERE = Path("/etc/localtime")


def zone_named(name: str) -> tzinfo:
    """A time zone such as "Europe/Berlin"; "" is the machine's.

    Raises
    ------
    ValueError: there is none of that name.
    """
    if not isinstance(name, str):
        raise ValueError(f'timezone must be the name of a time zone such as "Europe/Berlin", not {name!r}')
    if not name:
        return zone_here()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = nearest(name, available_timezones())
        raise ValueError(
            f'timezone must be the name of a time zone such as "Europe/Berlin", not {name!r}{hint}'
        ) from None


def zone_here() -> tzinfo:
    """The machine's time zone, with its summer time: what TZ says, else the system's own, else UTC."""
    named = os.environ.get("TZ", "").removeprefix(":")
    for name in (named, _linked()):
        if name:
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue
    try:
        with _HERE.open("rb") as file:
            return ZoneInfo.from_file(file, key="local time")
    except (OSError, ValueError):
        return ZoneInfo("UTC")


def _linked() -> str:
    """The name of the file that the system's time zone is a link to."""
    try:
        return os.readlink(_HERE).rpartition("zoneinfo/")[2]
    except OSError:
        return ""
