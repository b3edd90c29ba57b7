"""What the next run of a graph with a schedule is of, after its file was read again. Light: every console loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagtop.core.values import dataclass

if TYPE_CHECKING:
    from dagtop.core.schedule import Timetable
    from dagtop.runtime.swapping import Version

    from dagtop_app.launching.preparing import Prepared
    from dagtop_app.reloading.timekeeper import NotBegun


@dataclass(frozen=True, slots=True)
class NextRun:
    """What the file says now."""

    prepared: Prepared
    version: Version
    timetable: Timetable | None
    """When it is due, if the file says that otherwise now."""
    text: str
    """What is different, for people; "" if nothing is."""
    idle: NotBegun
    """Its tasks, to be shown if there was no run yet."""
