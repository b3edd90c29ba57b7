"""Events without secrets: which fields of each hold free text, and how that is changed. Names are left as they are.

Events that hold none, which are nearly all of a run without failures and logs, are not looked into.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import msgspec

from dagtop.core import events as ev

T = TypeVar("T")

#: Fields that are no free text wherever they stand: names and ids, by which things find each other, and closed sets of words.
NAMES = frozenset(
    {
        *(
            "task",
            "node",
            "breaker",
            "pool",
            "circuit",
            "run",
            "graph",
            "state",
            "ending",
            "level",
            "stream",
            "cause",
            "kinds",
        ),
        *("blocks", "given_by", "spawner", "escalated_at"),
    }
)
#: By type of event: its fields of free text. What is not here has none.
TEXTS: Mapping[type, tuple[str, ...]] = {
    ev.RunStopping: ("reason",),
    ev.TaskSucceeded: ("note",),
    ev.TaskRetrying: ("failure",),
    ev.TaskFailed: ("failure",),
    ev.TaskTimedOut: ("failure",),
    ev.TaskCancelling: ("reason",),
    ev.TaskCancelled: ("reason", "failure"),
    ev.TaskSkipped: ("reason",),
    ev.TaskCached: ("reason",),
    ev.TaskBlocked: ("reason", "failure"),
    ev.TaskRestarted: ("reason",),
    ev.TaskRestarting: ("failure",),
    ev.TaskWanted: ("reason",),
    ev.TaskStale: ("because",),
    ev.TaskProgress: ("message",),
    ev.TaskNotReady: ("reason",),
    ev.TaskEscalated: ("report",),
    ev.TaskHeld: ("by",),
    ev.EscalationAcknowledged: ("by", "note"),
    ev.TaskTornDown: ("failure",),
    ev.TaskNotCached: ("reason",),
    ev.GateWaiting: ("prompt",),
    ev.GateDecided: ("by", "reason"),
    ev.BreakerOpened: ("reason",),
    ev.BreakerHalfOpened: ("reason",),
    ev.BreakerClosed: ("reason",),
    ev.BreakerForced: ("reason",),
    ev.BreakerChanged: ("reason",),
    ev.GraphChanged: ("reason",),
    ev.LimitChanged: ("reason",),
    ev.LoopBlocked: ("stack",),
    ev.CommandApplied: ("command", "by", "effect"),
    ev.CommandRefused: ("command", "by", "reason"),
    ev.Log: ("line",),
    ev.Problem: ("message",),
}


def veiled(event: ev.AnyEvent, change: Callable[[str], str]) -> ev.AnyEvent:
    """The event with its free texts changed; the same object if nothing is."""
    fields = TEXTS.get(type(event))
    return event if fields is None else _with(event, fields, change)


def changed(value: T, change: Callable[[str], str]) -> T:
    """The same value with every text in it changed. What has none stays the same object."""
    return cast("T", _changed(value, change, frozenset()))


def without_secrets(value: T, change: Callable[[str], str]) -> T:
    """As `changed`, but for names and ids."""
    return cast("T", _changed(value, change, NAMES))


def _with(value: Any, fields: tuple[str, ...], change: Callable[[str], str], left: frozenset[str] = NAMES) -> Any:
    found: dict[str, Any] = {}
    for field in fields:
        if field not in left:
            before = getattr(value, field)
            after = _changed(before, change, left)
            if after is not before and after != before:
                found[field] = after
    return msgspec.structs.replace(value, **found) if found else value


def _changed(value: Any, change: Callable[[str], str], left: frozenset[str]) -> Any:
    kind = type(value)
    if kind is str:
        return change(value)
    if isinstance(value, msgspec.Struct):
        return _with(value, value.__struct_fields__, change, left)
    if kind is tuple:
        items = [_changed(item, change, left) for item in value]
        return value if all(map(operator.is_, items, value)) else tuple(items)
    if kind is dict:
        return {change(key): _changed(item, change, left) for key, item in value.items()}
    if kind is list:
        return [_changed(item, change, left) for item in value]
    return value
