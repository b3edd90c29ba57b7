"""All that is known of a stored run after one of its events, to come back to.

In memory it is a copy of the ledger: lists and dicts that share what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dagtop.core.breakers import BreakerView
from dagtop.core.desired import Desired
from dagtop.core.ledger import Ledger
from dagtop.runtime.publisher import Notes


class Checkpoint(NamedTuple):
    """Nothing in it ever changes: it is copied before anything is built on it."""

    number: int
    """Of the event."""
    at: float
    session: int
    """Number of the process that had the run."""
    ledger: Ledger
    circuits: Mapping[str, BreakerView]
    limits: Mapping[str, int]
    notes: Notes


def copied(ledger: Ledger) -> Ledger:
    """A ledger that goes its own way from here on."""
    new, copies = Ledger.__new__(Ledger), dict[int, Any]()
    for name in Ledger.__slots__:
        value = getattr(ledger, name)
        if isinstance(value, Desired):
            copy: Any = Desired()
            for part in Desired.__slots__:
                setattr(copy, part, getattr(value, part).copy())
        else:
            copy = value.copy() if type(value) in _GROW else value
        copies[id(value)] = copy
        setattr(new, name, copy)
    new.breaker_settings = {name: dict(settings) for name, settings in ledger.breaker_settings.items()}
    new.sparse = tuple(copies[id(part)] for part in ledger.sparse)
    return new


def same(one: Ledger, other: Ledger) -> bool:
    """Whether two ledgers tell the same."""
    for name in Ledger.__slots__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if isinstance(mine, Desired):
            if any(getattr(mine, part) != getattr(theirs, part) for part in Desired.__slots__):
                return False
        elif name == "plan":
            if (tuple(mine.names), *map(tuple, mine.upstream)) != (tuple(theirs.names), *map(tuple, theirs.upstream)):
                return False
            if set(mine.nodes) != set(theirs.nodes) or list(mine.order) != list(theirs.order):
                return False
        elif name != "next_plan" and mine != theirs:
            return False
    return True


_GROW = (list, dict, set)
